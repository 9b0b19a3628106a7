"""What must hold between the columns of a row: the builder's rows agree with themselves, and any change is noticed."""

import copy
import re

import pytest
from small_data import small_rows

from dataset_builder import SPLITS
from dataset_builder.build.consistency import contradictions


TARGET = "x is 5. 2x is -- wait, x is 6: 2x is 12.<eos>"


@pytest.fixture
def row():
    """Said by hand: x changes while 2x is being said."""

    def claim(key, value, text, version, stale=-1, complete=True):
        start = TARGET.index(text)
        return {
            "key": key,
            "value": value,
            "start": start,
            "end": start + len(text),
            "version": version,
            "stale_version": stale,
            "complete": complete,
            "facts": ["x"],
        }

    repair = TARGET.index("wait"), TARGET.index("<eos>")
    heard = TARGET.index("is -- wait")
    return {
        "prompt": "x is 5. Tell me x, and compute 2x.",
        "initial_target": TARGET[:heard],
        "revised_target": TARGET[heard:],
        "updates": [
            {
                "text": "x is 6.",
                "kind": "correction",
                "source": "user",
                "position": heard,
                "earliest": heard + 2,
                "repair": True,
                "changes": [{"fact": "x", "value": "6"}],
            }
        ],
        "facts": [{"name": "x", "value": "5", "type": "number"}],
        "provenance": [
            claim("x", "5", "x is 5", 0, stale=1),
            claim("x", "6", "x is 6", 1),
            claim("2x", "12", "2x is 12", 1),
        ],
        "repairs": [{"start": repair[0], "end": repair[1], "version": 1}],
        "timeline": [
            {"key": key, "version": version, "value": value}
            for key, version, value in (("x", 0, "5"), ("2x", 0, "10"), ("x", 1, "6"), ("2x", 1, "12"))
        ],
        "answers": [{"key": "x", "value": "6"}, {"key": "2x", "value": "12"}],
        "task_type": "variable_substitution",
        "update_step": heard,
        "requires_revision": True,
        "phase": 2,
        "split": "train",
        "seed": 0,
        "index": 0,
        "attempt": 0,
    }


def test_a_row_in_order_has_no_contradiction(row):
    assert contradictions(row) == []


@pytest.mark.parametrize("split", SPLITS)
def test_rows_of_the_builder_have_none(split):
    for made in small_rows(split, 20):
        assert contradictions(made) == [], made


def put(*path):
    """Sets what lies at a path to the last of the arguments."""

    def change(row):
        *inside, last, value = path
        for step in inside:
            row = row[step]
        row[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (put("updates", 0, "position", -1), "`updates\\[0\\]`: position and earliest"),
        (put("updates", 0, "earliest", 3), "`updates\\[0\\]`: position and earliest"),
        (put("updates", 0, "earliest", 99), "`updates\\[0\\]`: position and earliest"),
        (put("update_step", 3), "`update_step` is 3"),
        (put("update_step", -1), "`update_step` is -1"),
        (put("initial_target", "x is 5. "), "`initial_target` ends at 8"),
        (put("requires_revision", False), "`requires_revision` is False"),
        (put("updates", 0, "repair", False), "`requires_revision` is True"),
        (put("phase", 1), "`phase` is 1"),
        (put("phase", 4), "`phase` is 4"),
        (put("repairs", 0, "end", 999), "`repairs\\[0\\]`"),
        (put("repairs", 0, "start", 40), "`repairs\\[0\\]`"),
        (put("repairs", 0, "start", 2), "`repairs\\[0\\]` starts at 2, before"),
        (put("repairs", 0, "version", 2), "`repairs\\[0\\]`: version 2"),
        (put("provenance", 0, "end", 999), "`provenance\\[0\\]` \\(x\\): 0 to 999"),
        (put("provenance", 0, "start", 6), "`provenance\\[0\\]` \\(x\\): 6 to 6"),
        (put("provenance", 1, "value", "7"), "`provenance\\[1\\]` \\(x\\): its value '7' is not in 'x is 6'"),
        (put("provenance", 1, "value", "5"), "`provenance\\[1\\]` \\(x\\): its value is '5', `timeline` tells '6'"),
        (put("timeline", 3, "value", "11"), "`answers`: '2x' is '12', which `timeline` does not tell"),
        (put("provenance", 1, "version", 0), "`provenance\\[1\\]` \\(x\\): version 0, where 1 to 1"),
        (put("provenance", 0, "version", 1), "`provenance\\[0\\]` \\(x\\): version 1, where 0 to 0"),
        (put("provenance", 0, "stale_version", 0), "`provenance\\[0\\]` \\(x\\): stale_version 0"),
        (put("provenance", 0, "stale_version", 2), "`provenance\\[0\\]` \\(x\\): stale_version 2"),
        (put("provenance", 2, "facts", ["x", "y"]), "depends on 'y', which `facts` lacks"),
        (put("answers", 1, "value", "10"), "`answers`: '2x' is '10', stated last was '12'"),
        (put("answers", 1, "key", "3x"), "`answers`: '3x' is never stated to its end"),
        (put("provenance", 2, "complete", False), "`answers`: '2x' is never stated to its end"),
    ],
)
def test_each_change_is_noticed(row, change, told):
    change(row)
    assert any(re.search(told, found) for found in contradictions(row)), contradictions(row)


def test_updates_out_of_order_are_noticed(row):
    second = copy.deepcopy(row["updates"][0]) | {"position": 8, "earliest": 8}
    row["updates"].append(second)
    assert any(found.startswith("`updates[1]` comes at (8, 8), before") for found in contradictions(row))


def test_what_has_no_value_need_not_be_printed(row):
    row["provenance"][1]["value"] = row["answers"][0]["value"] = row["timeline"][2]["value"] = "none"
    assert contradictions(row) == []


def test_a_claim_that_goes_on_behind_an_update_has_its_version(row):
    row["provenance"].append({**row["provenance"][2], "key": "3x", "start": 8, "version": 1})
    row["timeline"].append({"key": "3x", "version": 0, "value": "12"})
    assert contradictions(row) == []


def test_a_fact_that_only_an_update_brings_is_known(row):
    row["updates"][0]["changes"].append({"fact": "y", "value": "1"})
    row["provenance"][2]["facts"] = ["x", "y"]
    assert contradictions(row) == []


def test_what_has_no_value_may_be_passed_over(row):
    row["answers"].append({"key": "4x", "value": "none"})
    row["timeline"].append({"key": "4x", "version": 0, "value": "none"})
    assert contradictions(row) == []
    row["provenance"].append({**row["provenance"][2], "key": "4x", "complete": False})
    assert contradictions(row) == ["`answers`: '4x' is never stated to its end"]


def test_who_says_stop_may_leave_questions_open(row):
    row["answers"].append({"key": "4x", "value": "24"})
    row["timeline"].append({"key": "4x", "version": 0, "value": "24"})
    assert len(contradictions(row)) == 1
    row["updates"][0]["kind"] = "stop"
    assert contradictions(row) == []
