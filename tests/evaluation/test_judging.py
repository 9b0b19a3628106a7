"""What a text claims, and what was true when it was said."""

import pytest
from hand_made import CAPITAL, CORRECTED, CURRENCY, CUSCO, LIMA, PESO, WAIT, chile

from hf_duplex.evaluation.metrics.judging import JudgedText, Truth


def test_a_claim_is_held_against_what_had_been_heard():
    text = LIMA + WAIT + PESO
    first, second, third = JudgedText(CORRECTED, text, [len(LIMA)], True).claims
    assert (first.key, first.value, first.version, first.true, first.changed_by) == (CAPITAL, "Lima", 0, "Lima", 0)
    assert (second.value, second.version, second.true, second.outdated) == ("Cusco", 1, "Cusco", {"Lima"})
    assert (third.key, third.right, third.changed_by) == (CURRENCY, True, 0)


@pytest.mark.parametrize(("heard", "right"), [(" is", False), (" is L", True)])
def test_an_update_inside_the_value_comes_too_late_for_it(heard, right):
    place = LIMA.index(" is") + len(heard)
    assert JudgedText(CORRECTED, LIMA, [place], True).claims[0].right is right


def test_a_value_that_came_back_is_not_outdated():
    row = chile(("correction", {CAPITAL: "Cusco"}), ("retraction", {CAPITAL: "Lima"}))
    (claim,) = JudgedText(row, LIMA, [0, 0], True).claims
    assert claim.right and claim.outdated == {"Cusco"} and claim.changed_by == 2


def test_what_has_no_truth_is_no_claim():
    assert not JudgedText(CORRECTED, "The capital of Peru is Lima.", [0], True).claims


def test_a_repair_is_found_with_what_it_claims():
    hearing = JudgedText(CORRECTED, LIMA + WAIT, [len(LIMA)], True)
    assert [hearing.repair_of(claim) is not None for claim in hearing.claims] == [False, True]


def test_of_one_version_the_last_value_counts():
    truth = Truth(
        [{"key": "a", "version": version, "value": value} for version, value in [(0, "1"), (1, "2"), (1, "3")]]
    )
    assert truth.value("a", 1) == "3" and truth.changed(1) == {"a"} and truth.changed_by("a", 0) == 0


@pytest.mark.parametrize(
    ("row", "heard_at", "argument"),
    [
        (CORRECTED, [], "`heard_at` has 0 entries for 1 updates"),
        (chile(("correction", {}), ("correction", {})), [5, 3], "`heard_at` must ascend"),
        (CORRECTED | {"task_type": "poetry"}, [0], "`task_type` must be one of"),
    ],
)
def test_what_does_not_fit_together_is_refused(row, heard_at, argument):
    with pytest.raises(ValueError, match=argument):
        JudgedText(row, CUSCO, heard_at, True)
