"""Which claim each character of a target belongs to."""

from __future__ import annotations

from typing import Any


def repair_of_characters(row: dict[str, Any]) -> list[int]:
    """For each character of the target the index into `repairs`, -1 outside of repairs."""
    owners = [-1] * (len(row["initial_target"]) + len(row["revised_target"]))
    for number, repair in enumerate(row["repairs"]):
        owners[repair["start"] : repair["end"]] = [number] * (repair["end"] - repair["start"])
    return owners


def claim_of_characters(row: dict[str, Any]) -> list[int]:
    """
    For each character of the target the index into `provenance`, -1 if it belongs to no claim.

    A sentence may continue after a repair that cut it. The span of its claim then includes the repair, whose words do
    not belong to the claim.
    """
    repairs = repair_of_characters(row)
    owners = [-1] * len(repairs)
    # Of two claims that share a character, the one that began later is the inner one.
    for number, claim in sorted(enumerate(row["provenance"]), key=lambda pair: pair[1]["start"]):
        start, end = claim["start"], claim["end"]
        if start >= end:
            continue
        home = repairs[start]
        for place in range(start, end):
            if repairs[place] == home:
                owners[place] = number
    return owners
