"""The tables of a report that say what came of the comparison."""

from collections.abc import Sequence
from typing import Any

from ..evaluation.metrics.statistics import holm
from ..evaluation.reporting.tables import COLUMNS, NOTHING, comparison_table, difference_cell, markdown, p_cell
from .report_cells import Cell, incoherent, weakest, wrong_values
from .report_evidence import Condition, Evidence
from .report_targets import MISSED, Outcome, lower_is_better


def targets_table(found: Sequence[Outcome]) -> str:
    """Each target on each condition: asked, measured, reached or missed."""
    rows, last = [], None
    for entry in found:
        verdict = entry.verdict.replace(MISSED, f"**{MISSED}**")
        told = [entry.what, entry.asked] if entry.what != last else ["", ""]
        cells = [entry.on, entry.measured, entry.baseline, entry.difference, entry.p, verdict]
        rows.append([*told, *cells])
        last = entry.what
    head = ["target", "asked", "on", "workspace", "baseline", "difference", "p", "verdict"]
    return markdown(head, rows)


def comparisons(evidence: Evidence) -> list[dict[str, Any]]:
    """
    The paired comparisons of the workspace with each rival: every metric on every condition, corrected over the
    conditions of a metric (Holm); and by family, corrected over families by the file.
    """
    found: list[dict[str, Any]] = []
    for condition in evidence.on(None):
        for rival in condition.rivals:
            families = sorted({entry["family"] for entry in condition.comparisons if entry.get("family")})
            for metric in COLUMNS:
                entries = [condition.difference(rival, metric, family) for family in (None, *families)]
                found += [entry | {"split": condition.label} for entry in entries if entry is not None]
    for key in {(entry["b"], entry["metric"]) for entry in found}:
        same = {
            entry["split"]: entry
            for entry in found
            if (entry["b"], entry["metric"]) == key and not entry.get("family")
        }
        for label, corrected in holm({label: entry["p"] for label, entry in same.items()}).items():
            same[label]["p_holm"] = corrected
    return found


def compared_table(evidence: Evidence) -> dict[str, str] | None:
    """The paired comparisons as two tables: of all samples (`whole`), and by family (`families`)."""
    entries = comparisons(evidence)
    whole = sorted((entry for entry in entries if not entry.get("family")), key=lambda entry: entry["b"])
    families = sorted((entry for entry in entries if entry.get("family")), key=lambda entry: entry["b"])
    if not whole:
        return None
    return {
        "whole": comparison_table({"comparisons": whole}),
        "families": comparison_table({"comparisons": families}),
        "per_metric": str(len({entry["split"] for entry in whole})),
    }


def better(every: Sequence[Cell]) -> list[dict[str, Any]]:
    """For each rival, the cells in which it is better than the workspace: of all samples, and of groups of them."""
    found = []
    for rival in dict.fromkeys(cell.rival for cell in every):
        mine = [cell for cell in every if cell.rival == rival]
        ahead = [cell for cell in mine if cell.behind > 0]
        found.append(
            {
                "rival": rival,
                "cells": len(mine),
                "ahead": len(ahead),
                "level": sum(cell.behind == 0 for cell in mine),
                "whole": _whole_table([cell for cell in ahead if not cell.group]),
                "groups": _groups_table([cell for cell in ahead if cell.group]),
            }
        )
    return found


def _whole_table(found: Sequence[Cell]) -> str | None:
    rows = []
    for cell in found:
        paired = cell.paired or {"value": None, "p": None}
        shown = [cell.on, _called(cell.metric), cell.ours, cell.theirs, difference_cell(paired)]
        rows.append([*shown, p_cell(paired["p"]), p_cell(paired.get("p_seeds")), f"{cell.n:,}"])
    head = ["on", "metric", "workspace", "other", "workspace − other", "p", "p over seeds", "n"]
    return markdown(head, rows) if rows else None


def _groups_table(found: Sequence[Cell]) -> str | None:
    """A row for each group of a condition, its cells side by side."""
    by_group: dict[tuple[str, str], list[str]] = {}
    for cell in found:
        p = "" if cell.paired is None or cell.paired["p"] is None else f"; p {p_cell(cell.paired['p'])}"
        p += (
            ""
            if cell.paired is None or cell.paired.get("p_holm") is None
            else f", Holm {p_cell(cell.paired['p_holm'])}"
        )
        ours, theirs = (side.partition(" ")[0] for side in (cell.ours, cell.theirs))
        told = f"{_called(cell.metric)} {ours} against {theirs} (n {cell.n:,}{p})"
        by_group.setdefault((cell.on, cell.group), []).append(told)
    rows = [[on, group, "; ".join(told)] for (on, group), told in by_group.items()]
    return markdown(["on", "group", "workspace against other"], rows) if rows else None


def _called(metric: str) -> str:
    return metric.replace("_", " ") + (" (lower is better)" if lower_is_better(metric) else "")


def failures_table(found: Sequence[Outcome]) -> str | None:
    """The targets that were missed, and what goes wrong there most often."""
    rows = []
    for entry in found:
        if not entry.missed:
            continue
        shown = [f"{entry.what}, {entry.on}", entry.asked, entry.measured, entry.difference]
        rows.append([*shown, *(_causes(entry.condition, entry.metric) if entry.condition else [NOTHING] * 5)])
    head = [
        "missed",
        "asked",
        "measured",
        "to the baseline",
        "wrong values",
        "weakest families",
        "weakest kinds of update",
    ]
    head += ["weakest places of the update", "incoherent texts"]
    return markdown(head, rows) if rows else None


def _causes(condition: Condition, metric: str) -> list[str]:
    name = condition.workspace
    if name is None:
        return [NOTHING] * 5
    measured = condition.measured(name)
    wrong = wrong_values(measured)
    share = f"{wrong['wrong']:,} of {wrong['revised']:,}: " + ", ".join(
        f"{cause} {wrong[cause]:,}" for cause in ("stale", "unanswered", "other")
    )
    # Latency is not kept apart by groups; what it waits for are revisions.
    counted = metric if metric in COLUMNS else "revision_accuracy"
    groups = [weakest(measured.get(grouping, {}), counted) for grouping in ("families", "kinds", "places")]
    return [share, *groups, incoherent(measured)]
