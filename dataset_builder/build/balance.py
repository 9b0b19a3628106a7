"""Whether a data set contains what its configuration asks for, in the right shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from ..builder import Builder
from ..config import BuilderConfig
from ..families import EVERYDAY
from ..world.kinds import CHANGING, HELD_OUT, KINDS
from .tally import Tally


ENOUGH = 1000
"""Number of rows from which on a gap cannot be due to chance."""

TOLERANCE = 1 / 3
"""Allowed deviation of the share of a family, relative to the share asked for."""

_NEEDS_EARLIER = frozenset({"retraction", "repetition", "recorrection"})
_SCENES = 20  # per family, to find which facts it has


def missing(config: BuilderConfig, tally: Tally) -> Iterator[tuple[str, str]]:
    """
    Families and kinds of update that a split should contain and does not.

    Args:
        config (`BuilderConfig`): The configuration of the split.
        tally (`Tally`): The counts of the split.

    Yields:
        `tuple[str, str]`: `"family"` or `"kind"`, and its name. Nothing, if there are fewer than `ENOUGH` rows.
    """
    if tally.rows < ENOUGH:
        return
    for family in dict.fromkeys(config.families):
        if not tally.families[family]:
            yield "family", family
    totals = tally.kind_totals
    for kind in possible_kinds(config):
        if not totals[kind]:
            yield "kind", kind


def lopsided(config: BuilderConfig, tally: Tally) -> Iterator[tuple[str, float, float]]:
    """
    Families whose share is off by more than `TOLERANCE`.

    Yields:
        `tuple[str, float, float]`: The family, its share and the share that was asked for, both from 0 to 1. Nothing,
        if there are fewer than `ENOUGH` rows.
    """
    if tally.rows < ENOUGH:
        return
    for family, times in Counter(config.families).items():
        share, asked = tally.families[family] / tally.rows, times / len(config.families)
        if abs(share - asked) > TOLERANCE * asked:
            yield family, share, asked


def possible_kinds(config: BuilderConfig) -> list[str]:
    """The kinds of update that a configuration asks for and its families can word."""
    most = max(config.update_counts or config.num_updates)
    if not most:
        return []
    families = tuple(family for family in config.families if family != EVERYDAY)
    if not families:
        return ["correction", "addition", "confirmation", "chatter", *(["retraction"] if most > 1 else [])]
    config = replace(config, families=families)
    kinds = {kind for kind, weight in config.kinds.items() if weight}
    if most == 1:
        kinds -= _NEEDS_EARLIER
    if not config.sources:
        kinds.discard("untrusted")
    if not config.composition:
        kinds -= {kind for kind in kinds if all((family, kind) in HELD_OUT for family in config.families)}
    kinds -= set(CHANGING) - _changing(config)
    if config.keep_going:
        kinds.add("stop")
    return [kind for kind in KINDS if kind in kinds]


def _changing(config: BuilderConfig) -> set[str]:
    """The kinds of update that the facts of the families allow, found by sampling some scenes."""
    builder = Builder(config)
    scenes = (builder.scene(index)[1] for index in range(_SCENES * len(config.families)))
    return {kind for scene in scenes for fact in scene.facts.values() for kind in fact.kinds}
