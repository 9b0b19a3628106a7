"""How the gap between the workspace and its rivals moves from one size of models to another."""

from collections.abc import Sequence

from ..evaluation.reporting.tables import NOTHING, markdown
from .report_evidence import BASELINE, DUAL_STREAM, Condition, Evidence
from .report_heads import called, lead_cell
from .report_protocol import WORDS
from .report_targets import cell, figure_of


# Drawn by size; the first stands open.
COMPARED = ("revision_accuracy", "contradiction_rate", "recovery", "retention")


def by_size(evidence: Evidence) -> dict[int, dict[str, Condition]]:
    """
    By the parameters of the workspace, smallest first, the conditions by their labels: those that were played with
    more than one size, and not the parts of others.
    """
    found: dict[int, dict[str, Condition]] = {}
    for conditions in (evidence.conditions, *evidence.sizes.values()):
        for condition in conditions:
            if condition.workspace and not condition.partly:
                size = condition.models[condition.workspace]["parameters"]
                found.setdefault(size, {}).setdefault(condition.label, condition)
    labels = [label for conditions in found.values() for label in conditions]
    shared = {label for label in labels if labels.count(label) > 1}
    kept = {
        size: {label: condition for label, condition in conditions.items() if label in shared}
        for size, conditions in sorted(found.items())
    }
    return {size: conditions for size, conditions in kept.items() if conditions}


def millions(size: int) -> str:
    """A number of parameters, short."""
    return f"{size / 1e6:.0f} M"


def size_models_table(evidence: Evidence) -> str | None:
    """The models of other sizes than the comparison's: what they are, how large, and their training runs."""
    runs = evidence.compared(sizes=True)
    models = {
        name: model
        for conditions in evidence.sizes.values()
        for condition in conditions
        for name, model in condition.models.items()
    }
    rows = [
        [name, WORDS.get(model["model_type"], model["model_type"]), f"{model['parameters']:,}", ", ".join(runs[name])]
        for name, model in models.items()
    ]
    return markdown(["model", "kind", "parameters", "training runs, one a seed"], rows) if rows else None


def sizes_table(evidence: Evidence, metrics: Sequence[str]) -> str | None:
    """
    The workspace beside each rival on every condition that several sizes were played on, a row for each size, and by
    how much the gap is other than at the smallest. None where there is no such condition.
    """
    found = by_size(evidence)
    if len(found) < 2:
        return None
    labels = list(dict.fromkeys(label for conditions in found.values() for label in conditions))
    rows = []
    for kind in (BASELINE, DUAL_STREAM):
        for metric in metrics:
            for label in labels:
                first: float | None = None
                for size, conditions in found.items():
                    told = _row(conditions.get(label), kind, metric)
                    if told is None:
                        continue
                    cells, gap, seeds = told
                    moved = NOTHING if first is None else f"{gap - first:+.3f}".replace("-", "−")
                    first = gap if first is None else first
                    rows.append([f"the {WORDS[kind]}", called(metric), label, millions(size), *cells, moved, seeds])
    # A rival of one size only has no gap that could move.
    several = {(row[0], row[1], row[2]) for row in rows if row[-2] != NOTHING}
    head = ["held against", "metric", "on", "size", "workspace", "rival", "gap", "gap moves by", "training seeds"]
    rows = [row for row in rows if (row[0], row[1], row[2]) in several]
    return markdown(head, rows) if rows else None


def _row(condition: Condition | None, kind: str, metric: str) -> tuple[list[str], float, str] | None:
    rival = condition and condition.named(kind)
    if not condition or not condition.workspace or not rival:
        return None
    sides = [condition.measured(name) for name in (condition.workspace, rival)]
    ours, theirs = (figure_of(side, metric) for side in sides)
    if ours is None or theirs is None:
        return None
    gap = ours["value"] - theirs["value"]
    paired = condition.difference(rival, metric)
    told = f"{gap:+.3f}".replace("-", "−") if paired is None or paired["value"] is None else lead_cell(paired)
    seeds = sorted({ours["seeds"], theirs["seeds"]})
    return [*(cell(side, metric) for side in sides), told], gap, " and ".join(map(str, seeds))
