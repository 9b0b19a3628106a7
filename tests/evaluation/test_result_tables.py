"""Tables say what the results say, and what each row rests on."""

import pytest

from hf_duplex.evaluation.reporting.tables import (
    ablation_table,
    comparison_table,
    difference_cell,
    figure_cell,
    metrics_table,
    p_cell,
)


def figure(value, n=10, samples=5, **more):
    return {"value": value, "interval": [value - 0.1, value + 0.1], "n": n, "samples": samples, **more}


NOTHING = {"value": None, "interval": None, "n": 0, "samples": 0}
SPLIT = {
    "metrics": {"revision_accuracy": figure(0.9, 1200, 700, seeds=3), "recovery": NOTHING},
    "updates": {"16": {"revision_accuracy": figure(0.5)}, "4": {"revision_accuracy": figure(0.75)}},
    "families": {"b": {"revision_accuracy": figure(0.5)}, "a": {"revision_accuracy": figure(0.25)}},
}
RESULTS = {"models": {"w|x": {"splits": {"test": SPLIT}}, "late": {"splits": {"late": SPLIT}}}}


def cells(table):
    return [[cell.strip() for cell in line.replace("\\|", "/").split("|")[1:-1]] for line in table.splitlines()]


def test_metrics():
    columns = ("revision_accuracy", "recovery", "coherence")
    head, rule, *rows = cells(metrics_table(RESULTS, "test", columns=columns))
    assert head == ["model", "revision accuracy", "recovery", "coherence", "samples", "n of each", "seeds"]
    assert rows == [["w/x", "0.900 (0.800–1.000)", "–", "–", "700", "1,200 / 0 / –", "3"]]
    assert set(rule) == {"---"} and len(rule) == len(head)


@pytest.mark.parametrize(("by", "groups"), [("updates", ["4", "16"]), ("families", ["a", "b"]), ("kinds", [])])
def test_metrics_apart(by, groups):
    _, _, *rows = cells(metrics_table(RESULTS, "test", by))
    assert [row[1] for row in rows] == groups and [row[0] for row in rows] == ["w/x", ""][: len(groups)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tset",), "`split` must be one of test, late, got 'tset'"),
        (("test", "kind"), "`by` must be one of families, kinds, updates, places, got 'kind'"),
        (("test", None, ["precision"]), "`columns` has no metric precision"),
    ],
)
def test_what_there_is_not_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        metrics_table(RESULTS, *arguments)


def test_comparisons():
    entry = {
        "a": "workspace",
        "b": "baseline",
        "split": "test",
        "metric": "revision_accuracy",
        "value": -0.0214,
        "interval": [-0.05, 0.01],
        "p": 0.0001,
        "p_seeds": None,
        "n": 1234,
        "samples": 1000,
        "seeds": 1,
    }
    _, _, first, second = cells(comparison_table({"comparisons": [entry, {**entry, "family": "a", "p_holm": 0.25}]}))
    told = ["revision accuracy", "−0.021 (−0.050–+0.010)", "< 0.001"]
    assert first == ["workspace − baseline", "test", *told, "–", "–", "1,000", "1,234", "1"]
    assert second[1] == "test, a" and second[5] == "0.250"
    assert cells(comparison_table({"comparisons": []}))[0][0] == "models"


def test_cells_without_a_figure():
    assert figure_cell(None) == figure_cell(NOTHING) == difference_cell(None) == difference_cell(NOTHING) == "–"
    assert p_cell(None) == "–"


def test_ablations():
    measured = {"revision_accuracy": figure(0.9, 20, 8, seeds=2)}
    difference = {**figure(-0.5), "p": 0.01, "p_holm": 0.03, "p_seeds": None}
    row = {"group": "slots", "status": "measured", "metrics": measured, "metric": "revision_accuracy", "note": ""}
    none = {"difference": None, "hurts": None}
    control = {**row, "group": "controls", "against": "intact", "difference": difference, "note": "seeded"}
    variants = {
        "intact": {**row, **none},
        "four": {"group": "slots", "status": "not run: too few", "metric": "recovery", "note": "", **none},
        "noise": {**control, "hurts": True},
        "late": {**control, "hurts": False},
    }
    head, _, *rows = cells(ablation_table({"variants": variants}))
    assert [row[:3] for row in rows[:2]] == [["slots", "intact", "0.900 (0.800–1.000)"], ["", "four", "–"]]
    assert rows[0][-4:] == ["8", "20 / – / –", "2", ""] and rows[1][-4:] == ["–", "–", "–", "not run: too few"]
    assert rows[2][5:9] == ["−0.500 (−0.600–−0.400)", "0.010", "0.030", "–"]
    assert rows[2][-1] == "against intact, revision accuracy; hurts; seeded"
    assert "**does not hurt**" in rows[3][-1] and all(len(row) == len(head) for row in rows)
