"""
Looks through all that was measured, cell by cell: where another model is better than the workspace, and what goes
wrong where a target is missed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..evaluation.reporting.tables import COLUMNS, NOTHING
from .report_evidence import Condition
from .report_targets import LATENCY, NEVER, better_by, cell, figure_of, lower_is_better


GROUPS = {"families": "family", "kinds": "kind", "updates": "updates", "places": "place"}

# Of so few claims a share says little; such a group is not named among the weakest.
ENOUGH = 10


@dataclass(frozen=True)
class Cell:
    """
    A metric of the workspace beside that of another model.

    Args:
        rival (`str`): The other model.
        on (`str`): The condition.
        group (`str`): A family, kind, number or place of updates, empty for all samples together.
        metric (`str`): Which.
        ours, theirs (`str`): The two, with intervals.
        behind (`float`): By how much the workspace is behind; below 0, by how much it is ahead.
        n (`int`): What was counted, of the model for which it is less.
        paired (`dict`, *optional*): The paired comparison, where there is one.
    """

    rival: str
    on: str
    group: str
    metric: str
    ours: str
    theirs: str
    behind: float
    n: int
    paired: Mapping[str, Any] | None = None


def cells(condition: Condition) -> Iterator[Cell]:
    """Every metric of every rival that was counted for both models, of all samples and of each group of them."""
    name = condition.workspace
    if name is None:
        return
    mine = condition.measured(name)
    for rival in condition.rivals:
        theirs = condition.measured(rival)
        for metric in (*COLUMNS, LATENCY, NEVER):
            paired = condition.difference(rival, metric)
            yield from _cell(condition, rival, "", metric, (mine, theirs), paired)
        for grouping, word in GROUPS.items():
            for group in mine.get(grouping, {}):
                sides = ({"metrics": side.get(grouping, {}).get(group, {})} for side in (mine, theirs))
                both = next(sides), next(sides)
                for metric in COLUMNS:
                    paired = condition.difference(rival, metric, group) if grouping == "families" else None
                    yield from _cell(condition, rival, f"{word} {group}", metric, both, paired)


def _cell(
    condition: Condition,
    rival: str,
    group: str,
    metric: str,
    sides: tuple[Mapping[str, Any], Mapping[str, Any]],
    paired: Mapping[str, Any] | None,
) -> Iterator[Cell]:
    """The cell, unless nothing was counted for one of the two."""
    ours, theirs = (figure_of(side, metric) for side in sides)
    if ours is None or theirs is None:
        return
    shown, other = (cell(side, metric) for side in sides)
    behind = better_by(theirs["value"], ours["value"], metric)
    n = min(ours["n"], theirs["n"])
    yield Cell(rival, condition.label, group.replace("_", " "), metric, shown, other, behind, n, paired)


def wrong_values(measured: Mapping[str, Any]) -> dict[str, int]:
    """
    Of what had to have a new value after an update, how much was wrong, and how: `stale` (the value that the update
    replaced), `unanswered` (not said again though it had to be), `other` values.
    """
    revised, stale = (measured["metrics"][name] for name in ("revision_accuracy", "contradiction_rate"))
    counts = {"revised": revised["n"], "wrong": 0, "stale": 0, "unanswered": 0, "other": 0}
    if not revised["n"]:
        return counts
    counts["wrong"] = round((1 - revised["value"]) * revised["n"])
    counts["stale"] = round((stale["value"] or 0.0) * stale["n"])
    counts["unanswered"] = revised["n"] - stale["n"]
    counts["other"] = counts["wrong"] - counts["stale"] - counts["unanswered"]
    return counts


def weakest(groups: Mapping[str, Mapping[str, Any]], metric: str, few: int = 3) -> str:
    """The groups in which a metric is worst, the worst first; those that have everything right are none of them."""
    perfect = 0.0 if lower_is_better(metric) else 1.0
    found = [
        (better_by(figures[metric]["value"], perfect, metric), name, figures[metric]["value"])
        for name, figures in groups.items()
        if figures.get(metric) and figures[metric]["value"] is not None and figures[metric]["n"] >= ENOUGH
    ]
    named = [f"{name.replace('_', ' ')} {value:.3f}" for behind, name, value in sorted(found)[:few] if behind < 0]
    return ", ".join(named) or NOTHING


def incoherent(measured: Mapping[str, Any]) -> str:
    """What was wrong with texts that are not well formed, the most frequent first."""
    found = sorted(measured.get("incoherent", {}).items(), key=lambda entry: -entry[1])
    return ", ".join(f"{name} {count:,}" for name, count in found if count) or NOTHING
