"""Turn-action accuracy and paired separation of predictors of which one knows what they must get."""

import pytest

from dataset_builder.interaction import make_examples
from hf_duplex.interaction.evaluation.metrics import (
    expected_after_permutation,
    pair_cases,
    paired_separation,
    score,
    turn_action_accuracy,
)


EXAMPLES = make_examples("mini", "test", 30)
RIGHT = [example.action for example in EXAMPLES]
PAIRS = [example.pair for example in EXAMPLES]


def test_a_perfect_predictor():
    found = score(RIGHT, EXAMPLES)
    assert (found["turn_action_accuracy"], found["paired_separation"], found["n"]) == (1, 1, 60)
    assert set(found["families"].values()) == set(found["actions"].values()) == {1}
    assert set(found["actions"]) == set(RIGHT)


def test_a_constant_one_separates_nothing():
    found = score(["wait"] * 60, EXAMPLES)
    assert found["turn_action_accuracy"] == RIGHT.count("wait") / 60 and found["paired_separation"] == 0
    assert found["actions"] == {action: float(action == "wait") for action in found["actions"]}


def test_one_that_is_right_in_one_member_of_each_pair():
    first = {example.pair: example.action for example in EXAMPLES if example.member == 0}
    found = score([first[pair] for pair in PAIRS], EXAMPLES)
    assert (found["turn_action_accuracy"], found["paired_separation"]) == (0.5, 0)


def test_members_may_stand_apart():
    order = sorted(range(60), key=lambda index: EXAMPLES[index].member)
    predictions = [RIGHT[0], *["wait"] * 28, RIGHT[29], *RIGHT[30:]]
    found = [[values[index] for index in order] for values in (predictions, RIGHT, PAIRS)]
    assert paired_separation(*found) == paired_separation(predictions, RIGHT, PAIRS)


def test_cases_are_pairs():
    predictions = [RIGHT[0], *["wait"] * 59]
    cases = pair_cases(predictions, EXAMPLES)
    assert [case["index"] for case in cases] == PAIRS[::2] and {case["split"] for case in cases} == {"test"}
    totals = {name: sum(case["counts"][name] for case in cases) for name in cases[0]["counts"]}
    assert totals["right"] / totals["examples"] == turn_action_accuracy(predictions, RIGHT)
    assert totals["separated"] / totals["pairs"] == paired_separation(predictions, RIGHT, PAIRS)


def test_what_permuted_labels_leave():
    assert expected_after_permutation(["wait", "stop"], ["stop", "wait"]) == 0.5
    assert expected_after_permutation(["wait", "wait"], ["stop", "yield"]) == 0


@pytest.mark.parametrize(
    ("predictions", "references", "pairs", "message"),
    [
        (["wait"], ["wait", "stop"], [0, 0], "`predictions` has 1 entries for 2 `references`"),
        ([], [], [], "`references` is empty"),
        (["sing", "stop"], ["wait", "stop"], [0, 0], "`predictions` must hold actions.*got 'sing'"),
        (["wait", "stop"], ["wait", "sing"], [0, 0], "`references` must hold actions.*got 'sing'"),
        (["wait", "stop"], ["wait", "stop"], [0], "`pairs` has 1 entries for 2"),
        (["wait", "stop"], ["wait", "stop"], [0, 1], "pair 0 has 1 of its 2 members"),
        (["wait"] * 3, ["wait", "stop", "stop"], [0, 0, 0], "pair 0 has 3 of its 2 members"),
        (["wait", "stop"], ["wait", "wait"], [7, 7], "'wait' is right in both members of pair 7"),
    ],
)
def test_bad_input_names_the_argument(predictions, references, pairs, message):
    with pytest.raises(ValueError, match=message):
        paired_separation(predictions, references, pairs)
