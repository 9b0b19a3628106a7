"""
How right the actions of a policy are, as pure functions of action names.

Turn-action accuracy counts examples, paired separation counts alias pairs: two examples with one transcript between
them, in which different actions are right. Who reads the transcript alone is right in one of the two at best.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dataset_builder.interaction import ACTIONS, Example

from ...evaluation.metrics.statistics import Case


def check_actions(argument: str, actions: Sequence[str]) -> None:
    """
    Raises:
        ValueError: One of them is no action.
    """
    for action in set(actions):
        if action not in ACTIONS:
            raise ValueError(f"`{argument}` must hold actions, one of {', '.join(ACTIONS)}; got {action!r}.")


def _check(predictions: Sequence[str], references: Sequence[str]) -> None:
    if len(predictions) != len(references):
        raise ValueError(
            f"`predictions` has {len(predictions)} entries for {len(references)} `references`; give one for each."
        )
    if not references:
        raise ValueError("`references` is empty; give at least one example.")
    check_actions("predictions", predictions)
    check_actions("references", references)


def turn_action_accuracy(predictions: Sequence[str], references: Sequence[str]) -> float:
    """
    The share of examples in which the predicted action is the right one.

    Raises:
        ValueError: The two are not equally long, are empty, or hold what is no action.
    """
    _check(predictions, references)
    return sum(found == right for found, right in zip(predictions, references)) / len(references)


def _members(references: Sequence[str], pairs: Sequence[int]) -> dict[int, list[int]]:
    """
    The two examples of each pair.

    Raises:
        ValueError: A pair is unbalanced: it has not two members, or one action is right in both.
    """
    if len(pairs) != len(references):
        raise ValueError(f"`pairs` has {len(pairs)} entries for {len(references)} `references`; give one for each.")
    members: dict[int, list[int]] = {}
    for index, pair in enumerate(pairs):
        members.setdefault(pair, []).append(index)
    for pair, found in members.items():
        if len(found) != 2:
            raise ValueError(f"`pairs`: pair {pair} has {len(found)} of its 2 members; give whole pairs.")
        if references[found[0]] == references[found[1]]:
            raise ValueError(
                f"`references`: {references[found[0]]!r} is right in both members of pair {pair}; such a pair "
                "separates nobody. Give alias pairs, whose members have different actions."
            )
    return members


def paired_separation(predictions: Sequence[str], references: Sequence[str], pairs: Sequence[int]) -> float:
    """
    The share of alias pairs in both members of which the predicted action is the right one.

    Args:
        predictions, references (`Sequence[str]`): The predicted and the right action of each example.
        pairs (`Sequence[int]`): Which pair each example belongs to; every pair has two members, in any order.

    Raises:
        ValueError: As [`turn_action_accuracy`], or a pair is unbalanced.
    """
    _check(predictions, references)
    members = _members(references, pairs)
    return sum(all(predictions[i] == references[i] for i in found) for found in members.values()) / len(members)


def score(predictions: Sequence[str], examples: Sequence[Example]) -> dict[str, Any]:
    """
    Both metrics over all examples, and turn-action accuracy by family and by the action that is right.

    Returns:
        `turn_action_accuracy`, `paired_separation`, `n` (examples), `families`, `actions`.

    Raises:
        ValueError: See [`paired_separation`].
    """
    references = [example.action for example in examples]
    groups: dict[str, Mapping[str, float]] = {}
    for name, keys in (("families", [e.family for e in examples]), ("actions", references)):
        right = Counter(key for key, found, wanted in zip(keys, predictions, references) if found == wanted)
        groups[name] = {key: right[key] / count for key, count in sorted(Counter(keys).items())}
    return {
        "turn_action_accuracy": turn_action_accuracy(predictions, references),
        "paired_separation": paired_separation(predictions, references, [example.pair for example in examples]),
        "n": len(examples),
        **groups,
    }


def pair_cases(predictions: Sequence[str], examples: Sequence[Example]) -> list[Case]:
    """
    Counts for [`statistics`]: a sample is a pair, since its members hang together. `right` of `examples` are right,
    and `separated` of `pairs` (1) if both are.

    Raises:
        ValueError: See [`paired_separation`].
    """
    references = [example.action for example in examples]
    _check(predictions, references)
    cases: list[Case] = []
    for pair, found in _members(references, [example.pair for example in examples]).items():
        right = sum(predictions[index] == references[index] for index in found)
        counts = {"right": right, "examples": 2, "separated": int(right == 2), "pairs": 1}
        cases.append({"split": examples[found[0]].split, "seed": 0, "index": pair, "counts": counts})
    return cases


def expected_after_permutation(predictions: Sequence[str], references: Sequence[str]) -> float:
    """What accuracy is expected once `references` are permuted at random: how often each action meets itself."""
    _check(predictions, references)
    found, right = Counter(predictions), Counter(references)
    return sum(found[action] * right[action] for action in right) / len(references) ** 2
