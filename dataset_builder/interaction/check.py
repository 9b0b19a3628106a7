"""Checks that examples are what they claim to be: balanced alias pairs."""

from __future__ import annotations

from collections.abc import Iterable

from .example import Example
from .families import FAMILIES
from .streams import STREAMS, check_action, check_value


def check_examples(examples: Iterable[Example]) -> None:
    """
    Args:
        examples (`Iterable[Example]`): Whole pairs, of one suite or more.

    Raises:
        ValueError: There is none; a stream, a value, an action or a family is unknown; a pair is not one member 0 and
            one member 1; its transcripts differ; its members differ in another stream than `decisive`, or in none;
            their actions are equal; or an example comes twice. The message names the pair.
    """
    pairs: dict[tuple[str, str, int], list[Example]] = {}
    seen: dict[tuple[tuple[str, ...], ...], str] = {}
    for example in examples:
        place = f"suite {example.suite}, split {example.split}, pair {example.pair}"
        _check_names(example, place)
        key = tuple(example.streams[name] for name in STREAMS)
        if key in seen:
            raise ValueError(
                f"`examples` hold the same streams twice: {place} and {seen[key]}; drop one of the pairs."
            )
        seen[key] = place
        pairs.setdefault((example.suite, example.split, example.pair), []).append(example)
    if not pairs:
        raise ValueError("`examples` must hold at least one pair, got none.")
    for (suite, split, number), members in pairs.items():
        _check_pair(members, f"suite {suite}, split {split}, pair {number}")


def _check_names(example: Example, place: str) -> None:
    # An example checks itself when it is made; here, what has been changed since.
    try:
        if set(example.streams) != set(STREAMS):
            raise ValueError(f"its streams must be {', '.join(STREAMS)}, got {', '.join(example.streams)}.")
        for name, values in example.streams.items():
            for value in set(values):
                check_value(name, value)
        check_value(example.decisive, "none")
        check_action(example.action)
        if example.family not in FAMILIES:
            raise ValueError(f"`family` must be one of {', '.join(FAMILIES)}, got {example.family!r}.")
    except ValueError as error:
        raise ValueError(f"`examples`, {place}: {error}") from None


def _check_pair(members: list[Example], place: str) -> None:
    numbers = sorted(member.member for member in members)
    if numbers != [0, 1]:
        raise ValueError(f"`examples` are not balanced: {place} has members {numbers}; it must have one 0 and one 1.")
    first, second = members
    for name in ("family", "decisive"):
        if getattr(first, name) != getattr(second, name):
            raise ValueError(f"`examples`: the members of {place} differ in `{name}`; they must agree.")
    if first.transcript.encode() != second.transcript.encode():
        raise ValueError(f"`examples`: the transcripts of {place} differ; both must be the same bytes.")
    differ = [name for name in STREAMS if first.streams[name] != second.streams[name]]
    if differ != [first.decisive]:
        found = ", ".join(differ) or "no stream"
        raise ValueError(f"`examples`: the members of {place} differ in {found}; only {first.decisive} may differ.")
    if first.action == second.action:
        raise ValueError(f"`examples`: both members of {place} call for {first.action}; their actions must differ.")
