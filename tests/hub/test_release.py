"""A release: a folder that loads anywhere, small, and a card whose numbers are those of its files."""

import json
import re
import subprocess
import sys

import pytest
import torch
from huggingface_hub import ModelCard
from safetensors import safe_open
from toy_runs import toy_tokenizer, train, write_config
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer

from hf_duplex.evaluation import revision, run_revision_benchmark
from hf_duplex.hub import release, write_card


TYPES = ["workspace", "baseline", "dual_stream"]
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    config = write_config(folder, max_steps=1, eval_steps=1, eval_strategy="steps")
    for kind in TYPES:
        train(config, folder / kind, model_type=kind)
    return folder


@pytest.fixture
def folder(runs, tmp_path):
    release(runs / "workspace", tmp_path / "toy-model")
    return tmp_path / "toy-model"


@pytest.mark.parametrize("kind", TYPES)
def test_a_released_folder_loads_with_the_auto_classes(runs, tmp_path, kind):
    release(runs / kind, tmp_path / kind)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / kind)
    trained = AutoModelForCausalLM.from_pretrained(runs / kind)
    assert model.dtype == torch.bfloat16 and AutoConfig.from_pretrained(tmp_path / kind).dtype == torch.bfloat16
    assert type(AutoModel.from_pretrained(tmp_path / kind)) is type(model.model)
    for name, weight in trained.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight.to(torch.bfloat16)), name
    assert AutoTokenizer.from_pretrained(tmp_path / kind).backend_tokenizer.to_str() == (
        toy_tokenizer().backend_tokenizer.to_str()
    )
    assert {"modeling_duplex.py", "pipeline_duplex.py", "training.json", "README.md"} <= {
        path.name for path in (tmp_path / kind).iterdir()
    }
    card = ModelCard.load(tmp_path / kind / "README.md")
    assert card.data.license == "apache-2.0" and "Not measured yet." in card.text


def test_stored_weights_are_bfloat16_and_their_log_is_short(folder):
    with safe_open(folder / "model.safetensors", "pt") as stored:
        assert {stored.get_slice(name).get_dtype() for name in stored.keys()} == {"BF16"}
    facts = json.loads((folder / "training.json").read_text())
    assert "log" not in facts and [entry["step"] for entry in facts["eval_losses"]][:1] == [1]


def row_of(card, family):
    """The figures in the row of a family, intervals apart."""
    (line,) = re.findall(rf"^\| {family} \|(.*)\|$", card, re.MULTILINE)
    return [cell.strip() for cell in line.split("|")]


def figure(value):
    low, high = value["interval"]
    return f"{value['value']:.3f} ({low:.3f}–{high:.3f})"


def test_the_card_says_what_was_measured(runs, folder, monkeypatch):
    monkeypatch.setattr(revision, "MAX_NEW_TOKENS", 4)
    results = run_revision_benchmark([str(folder)], samples=4, seed=5, progress=False)
    model = results["models"]["toy-model"]
    # Figures that a model of one training step does not reach.
    for number, part in enumerate([model, *model["families"].values()]):
        for offset, name in enumerate(("revision_accuracy", "contradiction_rate", "answer_accuracy")):
            value = 0.9 - 0.1 * number - 0.01 * offset
            part[name] = {"value": value, "interval": [value - 0.05, value + 0.05], "n": 40 + number}
    (folder / "results.json").write_text(json.dumps(results))
    release(runs / "workspace", folder)
    card = ModelCard.load(folder / "README.md")
    names = ("revision_accuracy", "contradiction_rate", "answer_accuracy")
    assert row_of(card.text, "all") == [figure(model[name]) for name in names]
    for family, figures in model["families"].items():
        assert row_of(card.text, family) == [figure(figures[name]) for name in names]
    assert "4 held-out samples (split `test`)" in card.text and "(n = 40)" in card.text
    assert f"Command: `{results['command']}`" in card.text and results["versions"]["torch"] in card.text
    told = {(entry.dataset_type, entry.metric_type): entry.metric_value for entry in card.data.eval_results}
    assert told == {
        (f"hf_duplex/{family}", name): figures[name]["value"]
        for family, figures in model["families"].items()
        for name in names[:2]
    }
    training = json.loads((folder / "training.json").read_text())
    assert f"Command: `{training['command']}`" in card.text and f"{training['eval_loss']:.4f}" in card.text
    assert f"{training['parameters']:,} parameters" in card.text


def test_a_figure_without_cases_is_a_dash(folder, monkeypatch):
    monkeypatch.setattr(revision, "MAX_NEW_TOKENS", 4)
    results = run_revision_benchmark([str(folder)], samples=4, progress=False, builder={"num_updates": (0, 0)})
    (folder / "results.json").write_text(json.dumps(results))
    write_card(folder)
    card = ModelCard.load(folder / "README.md")
    assert row_of(card.text, "all") == ["–", "–", figure(results["models"]["toy-model"]["answer_accuracy"])]
    assert not card.data.eval_results


def test_results_of_another_model_are_refused(folder):
    (folder / "results.json").write_text(json.dumps({"models": {"other": {}}}))
    with pytest.raises(ValueError, match="holds no results of toy-model, only of other"):
        write_card(folder)


def test_a_run_that_is_not_finished_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`run`: .* holds no training.json"):
        release(tmp_path, tmp_path / "release")
    assert not (tmp_path / "release").exists()


def test_the_command_releases_and_warns_of_nothing(runs, tmp_path):
    command = [sys.executable, "-m", "hf_duplex.hub", "release", str(runs / "baseline"), str(tmp_path / "toy")]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Warning" not in finished.stderr
    assert (tmp_path / "toy" / "README.md").is_file()


def test_what_ships_is_small_and_agrees_with_its_card(request):
    folders = sorted((request.config.rootpath / "model_cards").glob("*-4m"))
    assert [folder.name for folder in folders] == ["duplex-baseline-4m", "duplex-workspace-4m"]
    for folder in folders:
        assert max(path.stat().st_size for path in folder.iterdir()) < 8 * MEGABYTE
        with safe_open(folder / "model.safetensors", "pt") as stored:
            assert {stored.get_slice(name).get_dtype() for name in stored.keys()} == {"BF16"}
        card = (folder / "README.md").read_text()
        training = json.loads((folder / "training.json").read_text())
        assert f"{training['parameters']:,} parameters" in card and f"Command: `{training['command']}`" in card
        if (folder / "results.json").is_file():
            model = json.loads((folder / "results.json").read_text())["models"][folder.name]
            assert row_of(card, "all")[0] == figure(model["revision_accuracy"])
