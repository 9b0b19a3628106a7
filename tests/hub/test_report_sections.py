"""What the report tells beside the comparison: other sizes, ablations and Disfl-QA as targets, speed."""

import copy

import pytest
from report_files import (
    ABLATIONS,
    DISFL_QA,
    FIGURE,
    OURS,
    THEIRS,
    evidence_of,
    metrics_of,
    put_difference,
    put_value,
    rows,
    with_updates,
)

from hf_duplex.hub.report_outcomes import ablation_outcomes, disfl_qa_outcomes


@pytest.mark.parametrize(("deaf", "verdict"), [(0.02, "reached"), (0.3, "missed"), (None, "no evidence of chance")])
def test_without_updates_what_changed_is_left_to_chance(tmp_path, deaf, verdict):
    found = copy.deepcopy(ABLATIONS)
    chance = {"revision_accuracy": FIGURE | {"value": 0.01, "interval": [0.0, 0.05]}}
    heard = {"revision_accuracy": FIGURE | {"value": deaf or 0.02, "interval": [0.0, 0.4]}}
    found["variants"] = {"no update": {"metrics": heard}} | (
        {"noise for updates": {"metrics": chance}} if deaf else {}
    )
    evidence = evidence_of(tmp_path, {"ablations/a.json": found})
    assert [(entry.on, entry.verdict) for entry in ablation_outcomes(evidence)] == [("no update", verdict)]


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (range(2), range(40), "reached"),
        (range(40), range(2), "missed"),
        ([0], [1], "missed, interval open"),
        ([0], None, "no evidence of a baseline"),
        (None, [0], "no evidence"),
    ],
)
def test_disfl_qa_asks_to_be_better_than_the_baseline(tmp_path, results, ours, theirs, verdict):
    results["models"][OURS]["specs"] = ["runs/w-0"]
    results["models"][THEIRS]["specs"] = ["runs/b-0"]
    files = {"comparison/all.json": results}
    for run, wrong in (("w-0", ours), ("b-0", theirs)):
        if wrong is not None:
            scores = {"exact_match": 1 - len(wrong) / 50, "f1": 1 - len(wrong) / 50}
            kept = [{"question": place, "f1": 0.0, "said": ""} for place in wrong]
            files[f"disfl_qa/{run}.json"] = DISFL_QA | {"model": run, "scores": {"model": scores}, "wrong": kept}
    assert [entry.verdict for entry in disfl_qa_outcomes(evidence_of(tmp_path, files))] == [verdict]


def larger(results):
    """The same models at five times the size, one seed of each, the workspace a little better."""
    found = with_updates(results, 4)
    del found["settings"]["builder"]["update_counts"]
    found["models"] = {f"large-{name}": model for name, model in found["models"].items()}
    for name, model in found["models"].items():
        model["parameters"] *= 5
        model["specs"] = [f"runs/{name}"]
    for entry in found["comparisons"]:
        entry |= {"a": f"large-{entry['a']}", "b": f"large-{entry['b']}"}
    value = metrics_of(found, f"large-{OURS}")["revision_accuracy"]["value"]
    put_value(metrics_of(found, f"large-{OURS}")["revision_accuracy"], value + 0.01)
    put_difference(found, "revision_accuracy", 0.0512)
    return found


def test_other_sizes_are_held_apart_and_say_how_the_gap_moves(words, results):
    alone = words({"comparison/all.json": results})
    assert "holds models of another size" in alone and "*One tokenizer, one size.*" in alone
    report = words({"comparison/all.json": results, "comparison/large.json": larger(results)})
    assert rows(report, "verdict") == rows(alone, "verdict")
    assert rows(report, "difference to") == rows(alone, "difference to")
    assert {row[0] for row in rows(report, "training seeds") if row[0]} == {
        row[0] for row in rows(alone, "training seeds") if row[0]
    }
    moved = rows(report, "gap moves by")
    sizes = [results["models"][OURS]["parameters"] * factor / 1e6 for factor in (1, 5)]
    assert [row[:4] for row in moved] == [
        ["the baseline", "Revision accuracy", "test", f"{size:.0f} M"] for size in sizes
    ]
    assert moved[0][7] == "–" and moved[1][7] == "+0.010"
    assert moved[1][6].startswith("+0.051 (") and "*One tokenizer, small sizes.*" in report
    assert "`large.json`" in rows(report, "question")[6][1]


def test_what_an_update_costs_is_told_where_a_model_has_its_speed(words):
    assert "no model folder holds a `speed.json`" in words({})
    speed = {
        "command": "hf-duplex bench speed",
        "rows": {
            "128": {
                "update_ms": {"workspace": {"median": 12.34}},
                "decode_ms": {},
                "state_bytes": {"workspace": 2048, "baseline": 4096},
            }
        },
    }
    told = rows(words({"some-model/speed.json": speed}), "incoming tokens so far")
    assert told[0][1] == "12.3" and [row[1] for row in told[-2:]] == ["2", "4"]
