"""Shares of the types, brought to their targets; and splits stratified by type and tier."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .schema import TYPES


TARGETS = {"NEW": (0.40, 0.50), "RECALL": (0.25, 0.30), "UPDATE": (0.15, 0.20), "CONFLICT": (0.05, 0.10)}
"""dual_track_reflection.md, 3.4.1."""


def type_shares(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The share of each type among all annotations."""
    counts = Counter(annotation["type"] for row in rows for annotation in row["annotations"])
    total = sum(counts.values())
    return {name: counts[name] / total if total else 0.0 for name in TYPES}


def off_target(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """How far each type is outside of its target, 0 within."""
    shares = type_shares(rows)
    return {name: max(low - shares[name], shares[name] - high, 0.0) for name, (low, high) in TARGETS.items()}


def balanced(rows: Sequence[Mapping[str, Any]], seed: int = 0, most: int = 3) -> list[Mapping[str, Any]]:
    """
    Draws dialogues again, each at most so many times, as long as that brings the shares nearer to their targets.
    """
    middle = {name: (low + high) / 2 for name, (low, high) in TARGETS.items()}
    rng = random.Random(seed)
    found, times = list(rows), Counter(range(len(rows)))
    counts = Counter(annotation["type"] for row in rows for annotation in row["annotations"])

    def distance(total: Counter) -> float:
        size = max(1, sum(total.values()))
        return sum(abs(total[name] / size - middle[name]) for name in TYPES)

    order = list(range(len(rows)))
    rng.shuffle(order)
    for _ in range(most - 1):
        for index in order:
            own = Counter(annotation["type"] for annotation in rows[index]["annotations"])
            if own and times[index] < most and distance(counts + own) < distance(counts) - 1e-9:
                counts += own
                times[index] += 1
                found.append(rows[index])
    return found


def split(
    rows: Sequence[Mapping[str, Any]], seed: int = 0, shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
) -> dict[str, list]:
    """
    Train, validation and test, each with as much of every (rarest type, tier) as the whole.

    Raises:
        ValueError: The shares do not add up to 1.
    """
    if abs(sum(shares) - 1) > 1e-9:
        raise ValueError(f"`shares` must add up to 1, not {sum(shares)}.")
    rare = ("CONFLICT", "UPDATE", "RECALL", "NEW")
    strata: dict[tuple[str, str], list] = {}
    for row in rows:
        kinds = {annotation["type"] for annotation in row["annotations"]}
        strata.setdefault((next((name for name in rare if name in kinds), "none"), row["tier"]), []).append(row)
    found: dict[str, list] = {"train": [], "validation": [], "test": []}
    for number, key in enumerate(sorted(strata)):
        part = sorted(strata[key], key=lambda row: row["key"])
        random.Random(f"{seed} {number}").shuffle(part)
        first, second = round(shares[0] * len(part)), round((shares[0] + shares[1]) * len(part))
        for name, piece in zip(found, (part[:first], part[first:second], part[second:]), strict=True):
            found[name] += piece
    return found
