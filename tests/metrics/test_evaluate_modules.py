"""The metrics as `evaluate` loads them, offline, from their folders."""

from pathlib import Path

import evaluate
import pytest

import hf_duplex
from dataset_builder import Builder, BuilderConfig


FOLDER = Path(hf_duplex.__file__).parent / "metrics"
NAMES = ["coherence", "contradiction_rate", "recovery_quality", "retention", "revision_accuracy", "update_latency"]
SAMPLES = [sample for sample in Builder(BuilderConfig()).samples(40) if sample.updates][:8]
OLD, NEW = "The capital of Chile is Lima.", " Wait, the capital of Chile is Cusco."
ROW = {
    "task_type": "fact_correction",
    "updates": [{"kind": "correction"}],
    "timeline": [
        {"key": "capital of Chile", "version": 0, "value": "Lima"},
        {"key": "capital of Chile", "version": 1, "value": "Cusco"},
    ],
    "answers": [{"key": "capital of Chile", "value": "Cusco"}],
    "provenance": [{"key": "capital of Chile", "complete": True}],
}


def load(name, tmp_path):
    return evaluate.load(str(FOLDER / name), cache_dir=str(tmp_path))


def inputs(name, texts, rows, heard_at):
    ended = {"ended": [True] * len(texts)} if name == "coherence" else {}
    return {"predictions": texts, "references": rows, "heard_at": heard_at, **ended}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("revision_accuracy", {"revision_accuracy": 0.5, "revised": 2, "revised_right": 1}),
        ("contradiction_rate", {"contradiction_rate": 0.0, "claims_after": 1}),
        ("coherence", {"coherence": 1.0, "conversations": 2}),
        ("update_latency", {"update_latency": 0.0, "never": 0.5, "latencies": [[0], [None]]}),
        ("recovery_quality", {"recovery": 0.5, "stale_said": 2}),
        ("retention", {"retention": None, "over_revision": None}),
    ],
)
def test_one_that_repairs_and_one_that_does_not(name, expected, tmp_path):
    given = inputs(name, [f"{OLD}{NEW}<eos>", f"{OLD}<eos>"], [ROW, ROW], [[len(OLD)]] * 2)
    found = load(name, tmp_path).compute(**given)
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_a_data_set_whole_and_batch_by_batch(name, tmp_path):
    places = [[update["position"] for update in sample.updates] for sample in SAMPLES]
    given = inputs(name, [sample.target for sample in SAMPLES], [sample.to_row() for sample in SAMPLES], places)
    metric = load(name, tmp_path)
    whole = metric.compute(**given)
    for start in range(0, len(SAMPLES), 3):
        metric.add_batch(**{key: values[start : start + 3] for key, values in given.items()})
    assert metric.compute() == whole


@pytest.mark.parametrize("name", NAMES)
def test_each_has_a_card(name):
    card = (FOLDER / name / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\n") and "docs/metrics.md" in card
    for heading in ("## Formula", "## Inputs", "## Example", "## Range", "## Limits", "## Citation"):
        assert heading in card


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heard_at": [[]]}, "`heard_at` has 0 entries for 1 updates"),
        ({"heard_at": [[0], [0]]}, "`heard_at` has 2 entries for 1 texts"),
        ({"references": [{"task_type": "fact_correction"}]}, "`references` lacks updates"),
        ({"references": ["The capital is Cusco."]}, "`references` must be a dict"),
    ],
)
def test_bad_input_names_the_argument_and_adds_nothing(changes, message, tmp_path):
    metric = load("revision_accuracy", tmp_path)
    with pytest.raises(ValueError, match=message):
        metric.add_batch(**inputs("revision_accuracy", [OLD], [ROW], [[0]]) | changes)
    assert len(metric) == 0
