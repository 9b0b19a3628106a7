"""Tracks trained step after step with the Trainer, measured, and talked to: on a tiny base, end to end."""

import io
import json

import numpy as np
import pytest
import torch
from rich.console import Console
from toy_tracks import write_base, write_corpus
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from typer.testing import CliRunner

from hf_duplex.cli.app import app
from hf_duplex.dual_track.chat import DualTrackChat, converse
from hf_duplex.dual_track.data import (  # fmt: skip
    ReflectionCollator,
    ReflectionDataError,
    base_tokenizer,
    boundaries,
    chat_ids,
    encode_dialogue,
    read_rows,
)
from hf_duplex.dual_track.evaluation.codes import composition, separation
from hf_duplex.dual_track.evaluation.decision import activation_figures, best_threshold, decide
from hf_duplex.dual_track.evaluation.far import answered, says
from hf_duplex.dual_track.evaluation.silent import silent_difference
from hf_duplex.dual_track.modeling import DualTrackConfig, DualTrackForCausalLM, boundary_ids_of, forbidden_ids_of
from hf_duplex.dual_track.training import main


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return write_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def tokenizer(base):
    return AutoTokenizer.from_pretrained(base)


def train(base, corpus, out, *arguments):
    common = [
        "--output_dir",
        str(out),
        "--max_steps",
        "6",
        "--per_device_train_batch_size",
        "4",
        "--logging_steps",
        "3",
    ]
    common += ["--save_strategy", "no", "--report_to", "none", "--disable_tqdm", "true", "--use_cpu", "true"]
    main([str(base), str(corpus), *common, "--learning_rate", "5e-3", *arguments])
    return out


@pytest.fixture(scope="module")
def trained(base, corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    reflect = train(base, corpus, folder / "reflect")
    connect = train(base, corpus, folder / "connect", "--adapter", str(reflect), "--step", "connect")
    latent = train(
        base, corpus, folder / "latent", "--adapter", str(connect), "--step", "latent", "--latent_tokens", "2"
    )
    settings = json.dumps({"codebook_size": 4})
    codebook = train(
        base, corpus, folder / "book", "--adapter", str(connect), "--step", "codebook", "--settings", settings
    )
    return {"reflect": reflect, "connect": connect, "latent": latent, "codebook": codebook}


@pytest.fixture
def config(base, tokenizer):
    backbone = json.loads((base / "config.json").read_text())
    return DualTrackConfig(backbone=backbone, boundary_ids=boundary_ids_of(tokenizer))


def test_thoughts_are_put_at_the_boundary_where_all_was_said(corpus, tokenizer, config):
    for line in (corpus / "train.jsonl").read_text().splitlines():
        row = json.loads(line)
        found = encode_dialogue(row, tokenizer, config, 10**6)
        assert len(found["thoughts"]) == len(row["annotations"])
        asked = boundaries(found["input_ids"], config)
        assert [i for i, label in enumerate(found["activation_labels"]) if label >= 0] == asked
        for (begin, end), annotation in zip(found["spans"], row["annotations"], strict=True):
            said = row["turns"][annotation["turn"]]["text"][: annotation["end"]]
            read = tokenizer.decode(found["input_ids"][begin:end])
            assert read.rstrip().endswith(said[-12:].strip()), (read[-40:], said[-40:])
            assert found["activation_labels"][end - 1] == 1


def test_a_dialogue_that_is_annotated_outside_of_itself_is_refused(corpus, tokenizer, config):
    row = json.loads((corpus / "train.jsonl").read_text().splitlines()[0])
    row["annotations"][0]["turn"] = 99
    with pytest.raises(ReflectionDataError, match="annotation 0"):
        encode_dialogue(row, tokenizer, config)


def test_batches_say_the_same_whatever_they_are_padded_to(base, corpus, tokenizer, config):
    model = DualTrackForCausalLM.from_base(str(base), boundary_ids=config.boundary_ids)
    rows = [json.loads(line) for line in (corpus / "train.jsonl").read_text().splitlines()[:3]]
    encoded = [encode_dialogue(row, tokenizer, config) for row in rows]
    model.eval()
    with torch.no_grad():
        together = model(**ReflectionCollator(config, 2)(encoded))
        for index, row in enumerate(encoded):
            alone = model(**ReflectionCollator(config, 2)([row]))
            count = len(row["thoughts"])
            assert torch.allclose(together.thought_vectors[index, :count], alone.thought_vectors[0, :count], atol=1e-4)


def test_every_step_trains_and_leaves_the_base_where_it_was(base, trained):
    for name, step in (("reflect", "reflect"), ("connect", "connect"), ("latent", "latent"), ("codebook", "codebook")):
        facts = json.loads((trained[name] / f"training_{step}.json").read_text())
        assert facts["steps"] == 6 and facts["trained_parameters"] > 0
        assert (trained[name] / "model.safetensors").stat().st_size < 2e6
    one, two = (DualTrackForCausalLM.from_pretrained(trained[name], base=str(base)) for name in ("reflect", "connect"))
    assert torch.equal(one.thought_layers[0].lora["q_proj"].up.weight, two.thought_layers[0].lora["q_proj"].up.weight)
    assert not torch.equal(one.memory.query.weight, two.memory.query.weight)
    assert one.thought_layers[0].lora["q_proj"].up.weight.abs().sum() > 0


def test_steps_in_the_wrong_order_and_data_that_is_not_there_are_refused(base, corpus, tmp_path):
    with pytest.raises(ValueError, match="goes on from tracks"):
        train(base, corpus, tmp_path, "--step", "connect")
    with pytest.raises(ValueError, match="there is no"):
        train(base, tmp_path / "none", tmp_path)


def test_a_measurement_writes_every_figure(base, corpus, trained, tmp_path):
    for name in ("connect", "latent"):
        path = tmp_path / f"{name}.json"
        arguments = [
            "bench",
            "reflection",
            "measure",
            str(trained[name]),
            str(corpus),
            "--base",
            str(base),
            "--json",
            str(path),
        ]
        told = CliRunner().invoke(app, [*arguments, "--samples", "6", "--far", "2"])
        assert told.exit_code == 0, told.output
        found = json.loads(path.read_text())
        assert {"activation", "types", "connections", "facts long ago", "attention kept"} <= set(found)
        assert found["facts long ago"]["grammatical"]["value"] == 1.0 or found["facts long ago"]["thoughts"] == 0
        assert found["facts long ago"]["told just before"]["n"] == 2
        kept = [found["attention kept"][k]["kl"]["value"] for k in ("0", "1", "2", "4", "8")]
        assert kept == sorted(kept, reverse=True), "more thoughts keep more of the attention"
    told = CliRunner().invoke(app, ["bench", "reflection", "decide", str(path)])
    assert told.exit_code == 0 and "F1" in told.output


def test_the_cost_is_that_of_the_same_tokens_with_the_track_on_and_off(base, corpus, trained, tmp_path):
    arguments = ["bench", "reflection", "cost", str(trained["latent"]), str(corpus), "--base", str(base)]
    path = tmp_path / "cost.json"
    told = CliRunner().invoke(app, [*arguments, "--json", str(path), "--rows", "2", "--threshold", "0.0"])
    assert told.exit_code == 0, told.output
    found = json.loads(path.read_text())["cost"]
    assert {"clock", "processor time, with the turns"} <= set(found["ratio"])
    assert all(ratio["n"] == 2 and ratio["value"] > 0 for ratio in found["ratio"].values())
    assert found["reflections"]["turns"] >= 1, "the turns are thought about while they are read, not before"


def test_silence_is_measured_against_the_base_itself(base, corpus, trained, tmp_path):
    arguments = ["bench", "reflection", "silent", str(trained["connect"]), str(corpus), "--rows", "2"]
    told = CliRunner().invoke(app, [*arguments, "--base", str(base), "--json", str(tmp_path / "s.json")])
    assert told.exit_code == 0, told.output
    found = json.loads((tmp_path / "s.json").read_text())["difference"]
    assert found["forward"] == found["step by step"] == 0 and found["same tokens"]
    other = AutoModelForCausalLM.from_pretrained(base)
    other.model.layers[0].mlp.down_proj.weight.data.mul_(1.01)
    model = DualTrackForCausalLM.from_pretrained(trained["connect"], base=str(base)).eval()
    tokenizer = AutoTokenizer.from_pretrained(base)
    rows = read_rows(corpus / "test.jsonl", 1)
    assert silent_difference(model, other.eval(), rows, tokenizer)["forward"] > 0


def test_codes_compose_where_vectors_are_made_of_parts(base, corpus, trained, tmp_path):
    rng = np.random.default_rng(0)
    subjects, kinds = rng.normal(size=(6, 16)), rng.normal(size=(4, 16))
    pairs = [(i, j) for i in range(6) for j in range(4) for _ in range(12)]
    made = (
        np.asarray([np.concatenate([subjects[i], kinds[j]]) for i, j in pairs])
        + rng.normal(size=(len(pairs), 32)) * 0.1
    )
    about, types = [f"s{i}" for i, _ in pairs], [f"t{j}" for _, j in pairs]
    found = composition(made, about, types, parts=4, codes=8)
    assert found["both"] > 0.9 and found["held out combinations"] >= 4
    noise = composition(rng.normal(size=made.shape), about, types, parts=4, codes=8)
    assert noise["both"] < 0.3
    assert separation(made, about)["gap"] > 0.2 > abs(separation(made, about)["by chance"]) * 4
    with pytest.raises(ValueError, match="must not be more"):
        composition(made[:6], about[:6], types[:6], codes=32)
    arguments = ["bench", "reflection", "codes", str(trained["connect"]), str(corpus), "--base", str(base)]
    told = CliRunner().invoke(app, [*arguments, "--json", str(tmp_path / "c.json"), "--samples", "12", "--codes", "8"])
    assert told.exit_code == 0, told.output
    assert json.loads((tmp_path / "c.json").read_text())["thoughts"] > 30


def test_an_answer_is_right_with_the_current_value_alone():
    question = {"answer": "Oslo", "outdated": ["Lima"]}
    assert answered("You live in Oslo.", question)
    assert not answered("You live in Lima, no, Oslo.", question)
    assert not answered("Oslovia", question)
    assert says("It costs $2,500.", "$2,500") and not says("It costs $2,5000", "$2,500")


def test_the_decision_table_is_that_of_the_design():
    def figures(f1, least):
        return {"f1": f1, "recall_by_type": {"NEW": 0.9, "CONFLICT": least}}

    assert decide(figures(0.72, 0.61)).startswith("Stay")
    assert decide(figures(0.72, 0.5)).startswith("More data")
    assert decide(figures(0.66, 0.9)).startswith("More data")
    assert decide(figures(0.5, 0.5)).startswith("Mend")
    assert decide(figures(0.5, 0.5), data_fixed=True).startswith("Take the head of tier 2")


def test_the_threshold_is_where_f1_is_best():
    logits, labels = [2.0, 1.0, 0.4, -1.0], [1, 1, 0, 0]
    threshold = best_threshold(logits, labels)
    found = activation_figures({"logits": logits, "labels": labels, "kinds": [0, 2, -1, -1]}, threshold)
    assert (
        found["f1"] == 1.0 and found["recall_by_type"]["UPDATE"] == 1.0 and found["recall_by_type"]["RECALL"] is None
    )


@pytest.fixture
def chat(base, trained, tokenizer):
    model = DualTrackForCausalLM.from_pretrained(trained["connect"], base=str(base)).eval()
    model.config.threshold = 0.0  # It reflects at every boundary.
    model.forbid(forbidden_ids_of(tokenizer))
    return DualTrackChat(model, tokenizer, max_new_tokens=4)


def test_a_chat_shows_its_thoughts_and_obeys_the_user(chat):
    out = Console(file=io.StringIO(), width=120)
    converse(chat, ["My dog is called Rex.", "/thoughts", "/edit #D1 my dog is called Luna"], out)
    shown = out.file.getvalue()
    assert "#D1" in shown and "NEW" in shown and "my dog is called Luna" in shown
    first = chat.thoughts[0]
    assert first.content in chat.cache.opened[0]
    converse(chat, ["What is my dog called?"], out)
    assert chat.cache.length - chat.cache.noted <= len(chat.ids)
    before = len(chat.thoughts)
    converse(chat, ["/delete #D1", "/delete #D1", "/help", "  "], out)
    assert len(chat.thoughts) == before - 1
    assert "There is no thought '#D1'" in out.file.getvalue() and "/quit ends" in out.file.getvalue()
    with pytest.raises(ValueError, match="say something"):
        chat.say(" ")


def test_the_chat_command_says_what_is_missing(base, trained):
    told = CliRunner().invoke(app, ["chat", "--dual-track", "nowhere"])
    assert told.exit_code == 2 and "there is no adapter" in told.output
    arguments = ["chat", "--dual-track", str(trained["connect"]), "--base", str(base), "--max-new-tokens", "3"]
    told = CliRunner().invoke(app, arguments, input="My job is baker.\n/thoughts\n/quit\n")
    assert told.exit_code == 0 and "thoughts" in told.output, told.output


def test_a_tokenizer_that_names_other_ends_still_closes_turns_in_chatml(base, tokenizer, tmp_path):
    named = AutoTokenizer.from_pretrained(base)
    named.eos_token, named.pad_token = "<|im_start|>", None  # As transformers 5.17 reads that of a GGUF.
    named.save_pretrained(tmp_path)
    AutoConfig.from_pretrained(base).save_pretrained(tmp_path)
    found = base_tokenizer(str(tmp_path))
    assert (found.bos_token, found.eos_token, found.pad_token) == ("<|im_start|>", "<|im_end|>", "<|im_end|>")
    turns = [{"speaker": "user", "text": "My dog."}]
    assert chat_ids(turns, found) == chat_ids(turns, tokenizer)


def test_turns_are_in_chatml(tokenizer):
    ids, where = chat_ids([{"speaker": "user", "text": "My dog."}], tokenizer, generate=True)
    assert tokenizer.decode(ids) == "<|im_start|>user\nMy dog.<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.decode(ids[where[0][0] : where[0][-1] + 1]) == "My dog."
