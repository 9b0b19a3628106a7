"""Tables that hold one model against its rivals, condition by condition: what a reader looks for first."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..evaluation.reporting.tables import COLUMNS, NOTHING, difference_cell, markdown, p_cell
from .report_evidence import Condition, conditions_of, in_order, json_files
from .report_targets import LATENCY, cell, figure_of
from .tables import read_results


# Drawn for every model, in this order; the first stands open, the others are folded.
HEADS = (*dict.fromkeys(("revision_accuracy", "contradiction_rate", *COLUMNS)), LATENCY)


def lead_cell(entry: Mapping[str, Any] | None) -> str:
    """A paired difference with its interval and the p of its permutation test."""
    told = difference_cell(entry)
    return told if entry is None or entry["p"] is None else f"{told}, p {p_cell(entry['p'])}"


def against_table(conditions: Sequence[Condition], name: str, metric: str) -> str | None:
    """
    A metric of a model beside that of each rival, a row for each condition in which the model was played.

    Args:
        conditions (`Sequence[Condition]`): Of one size.
        name (`str`): The model.
        metric (`str`): One of `HEADS`.

    Returns:
        The table; None where nothing was counted of the model.
    """
    played = [condition for condition in conditions if name in condition.models]
    rivals = list(dict.fromkeys(rival for condition in played for rival in condition.rivals_of(name)))
    # Latencies have no paired difference.
    paired = metric != LATENCY
    rows = []
    for condition in played:
        figure = figure_of(condition.measured(name), metric)
        if figure is None:
            continue
        cells = [condition.label, cell(condition.measured(name), metric)]
        for rival in rivals:
            there = rival in condition.models
            cells.append(cell(condition.measured(rival), metric) if there else NOTHING)
            cells += [lead_cell(condition.between(name, rival, metric))] if paired else []
        counted = condition.measured(name)["metrics"].get("coherence") or {}
        samples = figure.get("samples", counted.get("samples"))
        rows.append([*cells, NOTHING if samples is None else f"{samples:,}", f"{figure['n']:,}"])
    head = ["on", f"**{name}**"]
    for rival in rivals:
        head += [rival, f"difference to {rival}"] if paired else [rival]
    return markdown([*head, "samples", "n"], rows) if rows else None


def called(metric: str) -> str:
    """A metric in words, to stand over a table."""
    return "Median latency, tokens" if metric == LATENCY else metric.replace("_", " ").capitalize()


def folded_tables(
    conditions: Sequence[Condition], name: str, metrics: Sequence[str] = HEADS[1:]
) -> list[tuple[str, str]]:
    """What is folded below the first table: other metrics, by what they are called."""
    tables = [(called(metric), against_table(conditions, name, metric)) for metric in metrics]
    return [(what, table) for what, table in tables if table]


def conditions_beside(folder: Path, results: Mapping[str, Any], name: str) -> list[Condition]:
    """
    Where a released model was played: in its own results, and in the files of the `comparison/` that lies beside its
    folder; what both hold is taken from its own.

    Args:
        folder (`Path`): The model's folder.
        results (`Mapping`): What its `results.json` holds.
        name (`str`): What results call it.
    """
    found = list(conditions_of("results.json", dict(results), {}))
    for path in json_files(folder.absolute().parent / "comparison"):
        others = read_results(path)
        if others["models"].get(name, {}).get("parameters") != results["models"][name]["parameters"]:
            continue
        taken = {(condition.split, condition.updates) for condition in found}
        found += [
            condition
            for condition in conditions_of(path.name, others, {})
            if (condition.split, condition.updates) not in taken and name in condition.models
        ]
    return in_order(found)
