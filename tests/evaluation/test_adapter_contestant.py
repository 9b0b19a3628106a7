"""Duplex adapters among the contestants of `bench revision`: what they hear, and how their texts are read."""

import pytest
import torch
from tiny_chat import ENDS, SPECIAL, chat_model, chat_tokenizer, write_adapter, write_base
from toy_runs import samples

from dataset_builder import END
from hf_duplex.data.chat_encoding import ChatEncoder
from hf_duplex.evaluation.benchmarks.cases import score
from hf_duplex.evaluation.benchmarks.conversation import converse_in_chat, decode_turns, unused_token
from hf_duplex.evaluation.benchmarks.revision import run_revision_benchmark
from hf_duplex.evaluation.contestants.models import check_contestant, load_contestant


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("adapters")
    write_base(root / "base", max_position_embeddings=8192)
    base = chat_model(max_position_embeddings=8192)
    write_adapter(root / "workspace", base, n_slots=4096)
    write_adapter(root / "spliced", base, mode="spliced", notice_updates=False)
    return root


def load(folder, spec):
    return load_contestant(str(folder / spec), base=folder / "base")


class Echo:
    """A model that listens as it does, and emits what is written down."""

    device = torch.device("cpu")

    def __init__(self, model, lines):
        self.model, self.lines = model, lines

    def generate(self, **arguments):
        def forced(input_ids, scores):
            pad, wanted = arguments["pad_token_id"], torch.full_like(scores, -torch.inf)
            said = [token for token in input_ids[0, 1:].tolist() if token != pad]
            wanted[:, self.lines[len(said)] if len(said) < len(self.lines) else ENDS] = 0
            return wanted

        return self.model.generate(logits_processor=[forced], **arguments)


@pytest.mark.parametrize("kind", ["workspace", "spliced"])
def test_the_gold_text_comes_back_with_its_ends_and_is_right(folder, kind):
    contestant = load(folder, kind)
    encoder = ChatEncoder(contestant.tokenizer, kind)
    rows = [row for row in samples(30, num_updates=(1, 2), after_end=0.5, keep_going=0) if len(row.target) < 250][:6]
    assert any(row.target.count(END) > 1 for row in rows)
    revised = 0
    for row in rows:
        model = Echo(contestant.model, encoder.sample(row)["input_ids"][1:])
        (transcript,) = converse_in_chat(model, encoder, [row], 400)
        assert transcript.text == row.target and transcript.ended
        # One token a byte: each update comes in its very place.
        assert transcript.heard_at == [update["position"] for update in row.updates]
        counts = score(row, transcript, kind)["counts"]
        assert counts.get("revised_right", 0) == counts.get("revised", 0)
        assert counts.get("answers_right", 0) == counts.get("answers", 0)
        revised += counts.get("revised", 0)
    assert revised


@pytest.mark.parametrize("kind", ["workspace", "spliced", "workspace@after_update"])
def test_a_batch_is_each_of_its_conversations_alone(folder, kind):
    contestant = load(folder, kind)
    assert contestant.name == kind and contestant.model_type == "duplex_adapter" and contestant.parameters > 10000
    contestant.model.get_output_embeddings().register_forward_hook(
        lambda module, given, logits: logits + 3.0 * torch.nn.functional.one_hot(torch.tensor(ENDS), 259)
    )
    rows = samples(6, num_updates=(0, 3), after_end=0.5, keep_going=0.3)
    together = contestant.converse(rows, 16)
    for row, transcript in zip(rows, together, strict=True):
        assert len(transcript.heard_at) == len(transcript.milliseconds) == len(row.updates)
        (alone,) = contestant.converse([row], 16)
        assert alone == transcript
    assert len({transcript.text.count(END) for transcript in together}) > 1


def test_the_benchmark_takes_adapters(folder):
    results = run_revision_benchmark(
        [str(folder / "workspace")], samples=3, batch_size=3, one_at_a_time=0, progress=False, base=folder / "base"
    )
    assert results["models"]["workspace"]["model_type"] == "duplex_adapter"
    assert results["models"]["workspace"]["splits"]["test"]["metrics"]["revision_accuracy"]["n"]


def test_ends_are_spelt_and_other_control_tokens_are_not():
    tokenizer = chat_tokenizer()
    tokens = tokenizer.encode(f"a{SPECIAL[ENDS]}{SPECIAL[ENDS]}{SPECIAL[1]} b<eos>")
    assert decode_turns(tokenizer, tokens, ENDS) == f"a{END}{END} b<eos>"


def test_rows_are_filled_up_with_what_is_no_end():
    tokenizer = chat_tokenizer()
    assert unused_token(tokenizer, [ENDS]) not in (ENDS, None)
    assert unused_token(tokenizer, range(3)) == len(tokenizer) - 1


def test_modes_are_those_of_its_kind(folder):
    assert check_contestant(f"{folder / 'workspace'}@always")[1] == "always"
    for spec, named in ((f"{folder / 'workspace'}@deaf", "'deaf'"), (f"{folder / 'base'}@always", "'always'")):
        with pytest.raises(ValueError, match=f"has no mode {named}"):
            check_contestant(spec)
    with pytest.raises(ValueError, match="no field 'nothing'"):
        load_contestant(str(folder / "workspace"), base=folder / "base", nothing=1)


def test_another_base_is_refused(folder, tmp_path):
    base = chat_model(max_position_embeddings=8192)
    base.config.num_hidden_layers = 1
    type(base)(base.config).save_pretrained(tmp_path)
    chat_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="cannot be loaded onto"):
        load_contestant(str(folder / "workspace"), base=tmp_path)
