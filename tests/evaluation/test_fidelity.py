"""Fidelity: an adapter's perplexity on chat against its base's, and logits that have to be the base's own."""

import json

import numpy as np
import pytest
import torch
from rich.console import Console
from tiny_chat import chat_model, chat_tokenizer, write_adapter, write_base
from typer.testing import CliRunner

from hf_duplex import DuplexAdapterConfig, listen
from hf_duplex.cli.app import app
from hf_duplex.data import Conversation
from hf_duplex.data.chat_encoding import ChatEncoder
from hf_duplex.evaluation.benchmarks.fidelity import (
    chat_surprisals,
    encode_chat,
    perplexity_of,
    perplexity_ratio,
    print_fidelity_table,
    run_fidelity_benchmark,
)


TEXTS = ("Fine, and you?", "It rains here, so we stay in.", "No.", "Let us meet at ten, then.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("fidelity")
    write_base(root / "base")
    write_adapter(root / "fresh", chat_model(), trained=False)
    write_adapter(root / "trained", chat_model())
    write_adapter(root / "spliced", chat_model(), mode="spliced", notice_updates=False)
    rows = [{"messages": [{"role": "user", "content": "How are you?"}], "text": text, "updates": []} for text in TEXTS]
    (root / "chat.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


@pytest.fixture(scope="module")
def results(folder):
    specs = [str(folder / name) for name in ("fresh", "trained", "spliced")]
    path = folder / "deep" / "out.json"
    results = run_fidelity_benchmark(
        specs, folder / "chat.jsonl", folder / "base", batch_size=3, noise=5, json_path=path, progress=False
    )
    assert json.loads(path.read_text()) == results
    return results


def test_surprisals_are_those_of_each_text_alone():
    tokenizer, model = chat_tokenizer(), chat_model()
    chats = [Conversation([{"role": "user", "content": "Hi."}], text) for text in TEXTS]
    encoded = encode_chat(ChatEncoder(tokenizer), chats, 2048)
    together = chat_surprisals(model, encoded, batch_size=4)
    listening = chat_surprisals(listen(model, DuplexAdapterConfig()), encoded, batch_size=2)
    for sample, figure in zip(encoded, together, strict=True):
        ids = torch.tensor([[*sample["prompt_ids"], *sample["input_ids"]]])
        count = len(sample["input_ids"]) - 1
        with torch.no_grad():
            logs = model(ids).logits[0, -1 - count : -1].log_softmax(-1)
        expected = -logs.gather(1, ids[0, -count:, None]).sum()
        assert figure[1] == count and figure[0] == pytest.approx(float(expected), rel=1e-4)
    assert np.allclose(together, listening, rtol=1e-4)
    assert perplexity_of(together) == pytest.approx(float(np.exp(together[:, 0].sum() / together[:, 1].sum())))


def test_the_ratio_is_paired():
    base = np.array([[10.0, 5], [50.0, 20], [6.0, 5]])
    assert perplexity_ratio(base, base) == {"value": 1.0, "interval": [1.0, 1.0], "target": 1.03, "met": True}
    worse = perplexity_ratio(base * [[1.1, 1]], base)
    assert worse["value"] == pytest.approx(float(np.exp(6.6 / 30))) and not worse["met"]
    assert worse["interval"][0] < worse["value"] < worse["interval"][1]


def test_only_what_is_trained_and_acts_changes_anything(results):
    for name in ("clean", "noisy"):
        found = results[name]
        assert found["fresh"]["logits"] == {"largest": 0.0, "tokens": 4 * 16}
        models = found["models"]
        assert models["fresh"]["always"]["ratio"]["value"] == pytest.approx(1, abs=1e-5)
        for adapter in ("trained", "spliced"):
            assert abs(models[adapter]["always"]["ratio"]["value"] - 1) > 0.01
            assert models[adapter]["after_update"]["ratio"]["value"] == pytest.approx(1, abs=1e-5)
            logits = models[adapter]["after_update"]["logits"]
            assert logits["largest"] == 0 and logits["largest_behind_update"] > 0.01 and logits["tokens"] == 4 * 8
    assert results["clean"]["base"]["perplexity"] != results["noisy"]["base"]["perplexity"]
    assert results["clean"]["base"]["tokens"] == sum(len(text) + 1 for text in TEXTS)


def test_the_table_shows_the_target(results):
    console = Console(record=True, width=160, file=open("/dev/null", "w"))
    print_fidelity_table(results, console)
    text = console.export_text()
    assert "at most 1.03" in text and "missed" in text and "holds" in text and "noise on the weights" in text


def test_the_command_says_what_is_wrong(folder, tmp_path):
    def run(*arguments):
        shown = CliRunner().invoke(app, ["bench", "fidelity", *map(str, arguments)], env={"COLUMNS": "200"})
        assert shown.exit_code == 2
        return shown.output

    base, adapter = ("--base", folder / "base"), ("--model", folder / "trained")
    assert "--model" in run(*base)
    assert "there is no file" in run(*adapter, *base, "--data", tmp_path / "none.jsonl")
    assert "no duplex adapter" in run("--model", folder / "base", *base)
    path = tmp_path / "chat.jsonl"
    row = {"messages": [{"role": "user", "content": "Hi."}], "text": "Hello you."}
    path.write_text(json.dumps(row) + "\n")
    assert "line 1: `updates` is missing" in run(*adapter, *base, "--data", path)
    path.write_text(json.dumps(row | {"updates": [{"after_words": 1, "text": "Wait."}]}) + "\n")
    assert "line 1: `updates` must be []" in run(*adapter, *base, "--data", path)
    path.write_text(json.dumps(row | {"text": "x" * 3000, "updates": []}) + "\n")
    assert "line 1: has" in run(*adapter, *base, "--data", path)
