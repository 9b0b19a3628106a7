"""Training a duplex adapter: `hf-duplex train` with `model_type: adapter`, and the stream of its batches."""

import json
from dataclasses import replace

import pytest
import torch
import yaml
from tiny_chat import chat_model, chat_tokenizer, write_base
from torch.utils.data import DataLoader
from transformers import AutoModelForCausalLM

from hf_duplex import DuplexAdapterConfig, listen
from hf_duplex.data.chat_encoding import ChatEncoder
from hf_duplex.data.mix import MixedBatches, Source, read_sources
from hf_duplex.modeling.packed_adapter import Budget, PackedBatch
from hf_duplex.training.adapter import NoisyBase, divergence, main, parse


MODES = ["workspace", "spliced"]
OWN = [
    {"prompt": "Say a b c.", "text": "a b c, no: a b d.", "updates": [{"after_chars": 6, "text": "d, not c"}]},
    {"prompt": "Count.", "text": "1 2 3 4", "updates": []},
]
CHAT = [
    {"messages": [{"role": "user", "content": "Hi."}], "text": "Hello there.", "updates": []},
    {"messages": [{"role": "user", "content": "Name a colour."}], "text": "Red is one.", "updates": []},
]
FAMILIES = {"num_facts": [1, 1], "num_questions": [1, 1], "num_updates": [1, 1]}
# Bytes are many tokens.
ROOM = {"incoming_tokens": 400, "emitted_tokens": 300, "per_device_train_batch_size": 2}
LITTLE = {"incoming_tokens": 100, "emitted_tokens": 30}


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapter")
    write_base(folder / "base", max_position_embeddings=2048)
    write_lines(folder / "own.jsonl", OWN)
    write_lines(folder / "chat.jsonl", CHAT)
    asked = [(topic, f"The capital of {topic} is a city.") for topic in ("France", "Italy", "Spain")]
    rows = [{"prompt": f"What is the capital of {topic}?", "text": text, "updates": []} for topic, text in asked]
    write_lines(folder / "open.jsonl", rows)
    return folder


def sources(folder):
    return [
        {"kind": "everyday"},
        {"kind": "families", "share": 0.5, "builder": FAMILIES},
        {"kind": "data", "share": 0.5, "path": str(folder / "own.jsonl")},
        {"kind": "open", "share": 0.5, "path": str(folder / "open.jsonl")},
        {"kind": "chat", "share": 0.5, "path": str(folder / "chat.jsonl")},
    ]


def write_config(folder, path, **fields):
    settings = {
        "model_type": "adapter",
        "base": str(folder / "base"),
        "lora_rank": 4,
        "doubt_size": 8,
        **ROOM,
        "sources": sources(folder),
        "max_steps": 2,
        "learning_rate": 0.01,
        "lr_scheduler_type": "constant",
        "logging_steps": 1,
        "eval_samples": 2,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        "remove_unused_columns": False,
        **fields,
    }
    path.write_text(yaml.safe_dump({name: value for name, value in settings.items() if value is not None}))
    return str(path)


def train(folder, tmp_path, name="run", **fields):
    main([write_config(folder, tmp_path / f"{name}.yaml", **fields), "--output_dir", str(tmp_path / name)])
    return tmp_path / name, json.loads((tmp_path / name / "training.json").read_text())


def base_of(folder):
    return AutoModelForCausalLM.from_pretrained(folder / "base").eval()


@pytest.mark.parametrize("mode", MODES)
def test_a_run_trains_on_all_sources_and_saves_an_adapter(folder, tmp_path, mode):
    before = {name: value.clone() for name, value in base_of(folder).state_dict().items()}
    out, facts = train(folder, tmp_path, mode=mode, after_update=0.5, base_noise=1.0)
    assert facts["steps"] == 2 and facts["samples"] > 2
    assert [source["kind"] for source in facts["sources"]] == ["everyday", "families", "data", "open", "chat"]
    losses = [entry["loss"] for entry in facts["log"] if "loss" in entry]
    assert len(losses) == 2 and all(loss > 0 for loss in losses)
    assert facts["validation_loss"].keys() == {"everyday", "families"}
    assert {path.name for path in out.glob("*.json*")} >= {"config.json", "training.json"}
    assert not (out / "adapter_config.json").exists()
    base = base_of(folder)
    assert all(torch.equal(value, before[name]) for name, value in base.state_dict().items())
    model = listen(base, out)
    assert model.config.mode == mode and model.config.base_model_name_or_path == str(folder / "base")
    assert model.config.turn_end_token_id == chat_tokenizer().eos_token_id
    assert model.config.system_prefix_ids == ChatEncoder(chat_tokenizer()).format.system_prefix()
    assert any(bool(value.any()) for name, value in model.additions().items() if "lora_B" in name)


@pytest.mark.parametrize("mode", MODES)
def test_a_few_conversations_are_learned(folder, tmp_path, mode):
    settings = {"sources": None, "data": str(folder / "own.jsonl"), "max_steps": 30, "lora_rank": 16, **LITTLE}
    _, facts = train(folder, tmp_path, mode=mode, **settings, learning_rate=0.02)
    losses = [entry["loss"] for entry in facts["log"] if "loss" in entry]
    assert losses[-1] < losses[0] / 2
    assert facts["sources"] == [{"kind": "data", "share": 1.0, "path": settings["data"], "builder": {}}]


def test_training_goes_on_from_an_adapter(folder, tmp_path):
    settings = {"sources": None, "data": str(folder / "own.jsonl"), "learning_rate": 0.02, "lora_rank": 16, **LITTLE}
    first, early = train(folder, tmp_path, "first", max_steps=20, **settings)
    second, late = train(folder, tmp_path, "second", max_steps=2, adapter=str(first), **settings)
    begins, goes_on = ([entry["loss"] for entry in facts["log"] if "loss" in entry] for facts in (early, late))
    assert goes_on[0] < begins[0] - 0.5 and late["earlier"]["steps"] == 20
    assert late["model"]["adapter"] == str(first)
    parts = [listen(base_of(folder), out).additions() for out in (first, second)]
    assert parts[0].keys() == parts[1].keys() and not torch.equal(parts[0]["notice"], parts[1]["notice"])


def test_a_run_that_was_stopped_goes_on_from_its_checkpoint(folder, tmp_path):
    settings = {
        "sources": None,
        "data": str(folder / "own.jsonl"),
        "save_strategy": "steps",
        "save_steps": 2,
        **LITTLE,
    }
    out, _ = train(folder, tmp_path, max_steps=2, **settings)
    assert (out / "checkpoint-2" / "model.safetensors").is_file()
    whole = train(folder, tmp_path, "whole", max_steps=4, **settings)[1]
    _, facts = train(folder, tmp_path, max_steps=4, **settings)
    assert facts["steps"] == 4
    losses = [[entry["loss"] for entry in found["log"] if "loss" in entry][2:] for found in (facts, whole)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)


# Its arguments


def test_the_command_line_wins_and_data_keeps_the_chat(folder, tmp_path):
    path = write_config(folder, tmp_path / "run.yaml")
    mine, args = parse([path, "--output_dir", "out", "--mode", "spliced", "--lora_rank", "2", "--max_steps", "9"])
    assert (mine.mode, mine.lora_rank, args.max_steps, len(mine.sources)) == ("spliced", 2, 9, 5)
    mine, _ = parse([path, "--output_dir", "out", "--data", str(folder / "own.jsonl")])
    assert [source.kind for source in mine.sources] == ["data", "chat"]
    config = mine.config()
    assert (config.mode, config.lora_rank, config.doubt_size) == ("workspace", 4, 8)
    assert config.base_model_name_or_path == str(folder / "base")


BAD = {
    "a misspelt field": ({"lora_rnak": 4}, "no such field: lora_rnak"),
    "no sources": ({"sources": None}, "`sources`: list at least one"),
    "an unknown kind": ({"sources": [{"kind": "books"}]}, "`kind` must be one of families, .* got 'books'"),
    "an unknown field of a source": ({"sources": [{"kind": "everyday", "shares": 2}]}, "an entry has .* got"),
    "no share": ({"sources": [{"kind": "everyday", "share": 0}]}, "`share` of everyday must be above 0"),
    "no path": ({"sources": [{"kind": "data"}]}, "data needs `path`"),
    "a path too many": ({"sources": [{"kind": "everyday", "path": "a"}]}, "everyday takes no `path`"),
    "answers to something else": (
        {"sources": [{"kind": "open", "path": __file__.replace("test_adapter_training.py", "nothing.jsonl")}]},
        "there is no file or folder .*nothing.jsonl",
    ),
    "an unknown field of the builder": (
        {"sources": [{"kind": "families", "builder": {"facts": 3}}]},
        r"`builder` of families holds unknown fields: \['facts'\]",
    ),
    "chat alone": ({"sources": [{"kind": "chat", "path": "a"}]}, "chat alone teaches nothing"),
    "no steps": ({"max_steps": None}, "`max_steps` must be given"),
    "no such base": ({"base": "/nowhere/at/all"}, "`base`: the folder '/nowhere/at/all' does not exist"),
    "an unknown mode": ({"mode": "telepathy"}, "mode must be one of workspace, spliced"),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_settings_are_clear_errors(folder, tmp_path, bad):
    fields, named = BAD[bad]
    with pytest.raises(Exception, match=named):
        train(folder, tmp_path, **fields)
    assert not (tmp_path / "run" / "config.json").exists()


def test_ordinary_chat_holds_no_updates(folder, tmp_path):
    interrupted = write_lines(tmp_path / "interrupted.jsonl", [*CHAT, OWN[0]])
    listed = [{"kind": "everyday"}, {"kind": "chat", "path": interrupted}]
    with pytest.raises(ValueError, match="interrupted.jsonl, conversation 3: ordinary chat has no updates"):
        train(folder, tmp_path, sources=listed)


def test_conversations_that_never_fit_are_one_clear_error(folder, tmp_path):
    long = write_lines(tmp_path / "long.jsonl", [{"prompt": "Go on.", "text": "word " * 200, "updates": []}])
    listed = read_sources([{"kind": "data", "path": long}])
    batches = MixedBatches(listed, ChatEncoder(chat_tokenizer()), DuplexAdapterConfig(), Budget(1400, 1400, 4))
    with pytest.raises(ValueError, match="conversations in turn do not fit: .* 384 tokens, the text 512"):
        next(iter(batches))


# Its batches


def batches_of(folder, mode="workspace", seed=0, **fields):
    mixed = read_sources(sources(folder))
    config = DuplexAdapterConfig(mode=mode, lora_rank=4)
    budget = Budget(1400, 1400, 4, 384, 512)
    if mode == "spliced":
        budget = Budget(0, 2800, 4, 1, 896)
    return MixedBatches(mixed, ChatEncoder(chat_tokenizer(), mode), config, budget, seed, **fields)


def flat(batch):
    """Everything in a batch, by name."""
    found = {"samples": batch["samples"], "labels": batch["labels"]}
    return found | {f"{part}.{name}": ids for part in ("layout", "chat") for name, ids in batch[part].items()}


def equal(first, second):
    first, second = flat(first), flat(second)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def first_batches(dataset, count, workers=0):
    loader = iter(DataLoader(dataset, batch_size=None, num_workers=workers))
    return [next(loader) for _ in range(count)]


@pytest.mark.parametrize("mode", MODES)
def test_a_batch_is_a_function_of_the_seed_and_its_number(folder, mode):
    wanted = first_batches(batches_of(folder, mode), 5)
    for found in (
        first_batches(batches_of(folder, mode), 5, workers=2),
        wanted[:2] + first_batches(batches_of(folder, mode, start=2), 3),
        wanted[:3] + first_batches(batches_of(folder, mode, start=3), 2, workers=2),
    ):
        assert all(equal(*pair) for pair in zip(found, wanted, strict=True))
    assert not any(equal(*pair) for pair in zip(first_batches(batches_of(folder, mode, seed=1), 5), wanted))
    assert not equal(wanted[0], wanted[1])


@pytest.mark.parametrize("mode", MODES)
def test_all_batches_have_one_shape(folder, mode):
    shapes = [
        {name: tuple(ids.shape) for name, ids in flat(batch).items()}
        for batch in first_batches(batches_of(folder, mode), 4)
    ]
    assert all(shape == shapes[0] for shape in shapes)


def test_the_additions_act_from_the_first_update_on_in_a_share_of_the_batches(folder):
    held = [batch for batch in first_batches(batches_of(folder, after_update=0.5), 12) if "factors" in batch["layout"]]
    assert 2 <= len(held) <= 10
    layout = PackedBatch(**held[0]["layout"])
    learned = layout.labels != -100
    # Where nothing acts there is nothing to learn.
    assert layout.emitted_factors[learned].all() and not layout.emitted_factors.all()


@pytest.mark.parametrize("mode", MODES)
def test_the_divergence_of_a_fresh_adapter_is_zero_and_that_of_a_trained_one_is_not(folder, mode):
    model = listen(chat_model(), DuplexAdapterConfig(mode=mode, lora_rank=4, doubt_size=8)).train()
    chat = PackedBatch(**first_batches(batches_of(folder, mode), 1)[0]["chat"])
    assert float(divergence(model, chat).detach()) == pytest.approx(0.0, abs=1e-6)
    for value in model.additions().values():
        torch.nn.init.normal_(value.data, std=0.2)
    away = divergence(model, chat)
    away.backward()
    assert float(away.detach()) > 1e-3
    assert any(value.grad is not None and bool(value.grad.any()) for value in model.additions().values())
    # Of the base it is a distance: with all additions held back there is none.
    off = replace(chat, factors=torch.zeros_like(chat.ids).float(), emitted_factors=torch.zeros(len(chat.labels)))
    assert float(divergence(model, off).detach()) == pytest.approx(0.0, abs=1e-6)


def test_noise_leaves_the_base_as_it_was():
    base = chat_model()
    before = {name: value.clone() for name, value in base.state_dict().items()}
    model = listen(base, DuplexAdapterConfig(lora_rank=4))
    noise = NoisyBase(model, 1.0, every=2)

    class State:
        global_step = 2

    noise.on_step_begin(None, State, None)
    changed = [name for name, value in base.state_dict().items() if not torch.equal(value, before[name])]
    assert changed and all(name.startswith("model.layers.") for name in changed)
    noise.on_train_end(None, State, None)
    assert all(torch.equal(value, before[name]) for name, value in base.state_dict().items())


def test_a_source_says_what_it_needs():
    with pytest.raises(ValueError, match="`kind` must be one of"):
        Source("books")
    assert Source("everyday").share == 1.0


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "CONFIG: there is no file"), ("sources: [", "is no YAML"), ("- a list", "must hold fields")],
)
def test_a_config_file_that_cannot_be_read_is_one_clear_error(tmp_path, content, message):
    config = tmp_path / "adapter.yaml"
    if content is not None:
        config.write_text(content)
    with pytest.raises(ValueError, match=message):
        parse([str(config), "--output_dir", str(tmp_path / "run")])
