"""The two metrics of the interaction benchmark as `evaluate` loads them, offline, from their folders."""

from pathlib import Path

import evaluate
import pytest

import hf_duplex


FOLDER = Path(hf_duplex.__file__).parent / "interaction" / "metrics"
NAMES = ["turn_action_accuracy", "paired_separation"]
RIGHT = ["yield", "continue", "resume", "wait"]
PAIRS = [0, 0, 1, 1]


def load(name, tmp_path):
    return evaluate.load(str(FOLDER / name), cache_dir=str(tmp_path))


def inputs(name, predictions, references=RIGHT, pairs=PAIRS):
    given = {"predictions": predictions, "references": references}
    return given | ({"pairs": pairs} if name == "paired_separation" else {})


@pytest.mark.parametrize(
    ("predictions", "accuracy", "separation"),
    [(RIGHT, 1.0, 1.0), (["wait"] * 4, 0.25, 0.0), (["yield", "continue", "wait", "wait"], 0.75, 0.5)],
)
def test_one_that_is_right_one_that_is_constant_and_one_between(predictions, accuracy, separation, tmp_path):
    found = load("turn_action_accuracy", tmp_path).compute(**inputs("turn_action_accuracy", predictions))
    assert found == {"turn_action_accuracy": accuracy, "n": 4}
    found = load("paired_separation", tmp_path).compute(**inputs("paired_separation", predictions))
    assert found == {"paired_separation": separation, "pairs": 2}


@pytest.mark.parametrize("name", NAMES)
def test_batch_by_batch_is_as_whole(name, tmp_path):
    metric, given = load(name, tmp_path), inputs(name, ["yield", "wait", "wait", "wait"])
    whole = metric.compute(**given)
    for start in range(4):  # pairs come apart
        metric.add_batch(**{key: values[start : start + 1] for key, values in given.items()})
    assert metric.compute() == whole


@pytest.mark.parametrize("name", NAMES)
def test_bad_input_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match="`predictions` must hold actions.*got 'sing'"):
        load(name, tmp_path).compute(**inputs(name, ["sing", *RIGHT[1:]]))
    with pytest.raises(ValueError, match="`references` must hold actions.*got 'sing'"):
        load(name, tmp_path).compute(**inputs(name, RIGHT, ["sing", *RIGHT[1:]]))


@pytest.mark.parametrize("name", NAMES)
def test_each_has_a_card_whose_example_is_true(name, capsys, monkeypatch, tmp_path):
    card = (FOLDER / name / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\n") and "docs/interaction_bottleneck.md" in card
    for heading in ("## Formula", "## Inputs", "## Example", "## Range", "## Limits", "## Citation"):
        assert heading in card
    monkeypatch.chdir(FOLDER.parents[2])
    code = card.split("```python\n")[1].split("```")[0]
    exec(code.replace(f'{name}")', f'{name}", cache_dir={str(tmp_path)!r})'), {})
    assert f"# {capsys.readouterr().out.strip()}" in code
