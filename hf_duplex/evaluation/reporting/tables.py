"""Results files as Markdown tables, every row with n, training seeds and intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..metrics.revision import RATIOS


COLUMNS = (
    "revision_accuracy",
    "contradiction_rate",
    "coherence",
    "recovery",
    "retention",
    "over_revision",
    "answer_accuracy",
)
GROUPINGS = {"families": "family", "kinds": "kind of update", "updates": "updates", "places": "place of the update"}
ABLATION_COLUMNS = ("revision_accuracy", "contradiction_rate", "answer_accuracy")
NOTHING = "–"


def figure_cell(figure: Mapping[str, Any] | None) -> str:
    """A share with its 95 % interval."""
    if figure is None or figure["value"] is None:
        return NOTHING
    low, high = figure["interval"]
    return f"{figure['value']:.3f} ({low:.3f}–{high:.3f})"


def difference_cell(difference: Mapping[str, Any] | None) -> str:
    """A difference with its sign and its 95 % interval."""
    if difference is None or difference["value"] is None:
        return NOTHING
    low, high = difference["interval"]
    return f"{difference['value']:+.3f} ({low:+.3f}–{high:+.3f})".replace("-", "−")


def p_cell(p: float | None) -> str:
    """A p-value, three digits at most."""
    return NOTHING if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; bars inside cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _basis(figures: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    """The basis of a row: samples, the denominator of each of its metrics, training seeds."""
    counted = [figures[name] for name in columns if figures.get(name)]
    samples = max((figure["samples"] for figure in counted), default=0)
    seeds = max((figure.get("seeds", 1) for figure in counted), default=1)
    numbers = [f"{figures[name]['n']:,}" if figures.get(name) else NOTHING for name in columns]
    return [f"{samples:,}", " / ".join(numbers), str(seeds)]


def _natural(name: str) -> tuple[int, float, str]:
    """Sorts numbers by their size, before names."""
    try:
        return 0, float(name), ""
    except ValueError:
        return 1, 0.0, name


def metrics_table(
    results: Mapping[str, Any], split: str, by: str | None = None, columns: Sequence[str] = COLUMNS
) -> str:
    """
    The metrics of every model on a split.

    Args:
        results (`Mapping`): The contents of a results file of format 2.
        split (`str`): Which split.
        by (`str`, *optional*): Group by `families`, `kinds`, `updates` or `places`; by default all together.
        columns (`Sequence[str]`, *optional*): Which metrics.

    Raises:
        ValueError: There is no such split or grouping, or no such metric.
    """
    models = results["models"]
    known = list(dict.fromkeys(name for model in models.values() for name in model["splits"]))
    if split not in known:
        raise ValueError(f"`split` must be one of {', '.join(known) or 'none, nothing was measured'}, got {split!r}.")
    if by is not None and by not in GROUPINGS:
        raise ValueError(f"`by` must be one of {', '.join(GROUPINGS)}, got {by!r}.")
    unknown = [name for name in columns if name not in RATIOS]
    if unknown:
        raise ValueError(f"`columns` has no metric {', '.join(unknown)}; choose from {', '.join(RATIOS)}.")
    head = ["model", *([GROUPINGS[by]] if by else []), *(name.replace("_", " ") for name in columns)]
    rows = []
    for name, model in models.items():
        measured = model["splits"].get(split)
        if measured is None:
            continue
        groups = {"": measured["metrics"]} if by is None else measured.get(by, {})
        for rank, group in enumerate(sorted(groups, key=_natural)):
            figures = groups[group]
            cells = [figure_cell(figures.get(column)) for column in columns]
            rows.append([name if rank == 0 else "", *([group] if by else []), *cells, *_basis(figures, columns)])
    return markdown([*head, "samples", "n of each", "seeds"], rows)


def comparison_table(results: Mapping[str, Any]) -> str:
    """
    Every paired comparison in a results file: `comparisons`, each what [`~statistics.paired_difference`] returns with
    `a`, `b`, `split`, `metric`, and where there is one `family` and `p_holm`.
    """
    rows = []
    for entry in results["comparisons"]:
        where = entry["split"] if not entry.get("family") else f"{entry['split']}, {entry['family']}"
        rows.append(
            [
                f"{entry['a']} − {entry['b']}",
                where,
                entry["metric"].replace("_", " "),
                difference_cell(entry),
                p_cell(entry["p"]),
                p_cell(entry.get("p_holm")),
                p_cell(entry.get("p_seeds")),
                f"{entry['samples']:,}",
                f"{entry['n']:,}",
                str(entry["seeds"]),
            ]
        )
    head = ["models", "on", "metric", "difference", "p", "p (Holm)", "p over seeds", "samples", "n", "seeds"]
    return markdown(head, rows)


def ablation_table(results: Mapping[str, Any], columns: Sequence[str] = ABLATION_COLUMNS) -> str:
    """
    Every variant of an ablation; one that was not run has its reason. A difference is between the metric of the
    variant and that of the variant that it is compared with.

    Args:
        results (`Mapping`): The contents of `ablations.json`.
        columns (`Sequence[str]`, *optional*): Which metrics.
    """
    rows, group = [], None
    for name, row in results["variants"].items():
        figures, difference = row.get("metrics", {}), row.get("difference")
        told = [] if difference is None else [f"against {row['against']}, {row['metric'].replace('_', ' ')}"]
        told += [{True: "hurts", False: "**does not hurt**"}[row["hurts"]]] if row.get("hurts") is not None else []
        told += [] if row["status"] == "measured" else [row["status"]]
        told += [row["note"]] if row["note"] else []
        basis = _basis(figures, columns) if figures else [NOTHING] * 3
        cells = [figure_cell(figures.get(column)) for column in columns]
        p_values = [p_cell(None if difference is None else difference[key]) for key in ("p", "p_holm", "p_seeds")]
        rows.append(
            [
                "" if row["group"] == group else row["group"],
                name,
                *cells,
                difference_cell(difference),
                *p_values,
                *basis,
                "; ".join(told),
            ]
        )
        group = row["group"]
    head = ["group", "variant", *(name.replace("_", " ") for name in columns), "difference"]
    return markdown([*head, "p", "p (Holm)", "p over seeds", "samples", "n of each", "seeds", "note"], rows)
