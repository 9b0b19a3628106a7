"""The figures of a report, drawn from results files alone, as small PNG files."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..evaluation.reporting.plots import (
    COLOURS,
    GREY,
    MARKERS,
    ablation_figure,
    accuracy_against_updates,
    latency_histogram,
)
from .report_evidence import BASELINE, Evidence
from .report_sizes import by_size, millions


if TYPE_CHECKING:
    from matplotlib.axes import Axes


# Lines, marks and letters need few colours; so a figure is a third as large.
SHADES = 48
STYLE: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}

Draw = Callable[["Axes"], None]


def draw_figures(evidence: Evidence, folder: Path) -> dict[str, str]:
    """
    Draws every figure that there is evidence for. Returns the names of the files, by what they show.

    Args:
        evidence ([`Evidence`]): What they are drawn from.
        folder (`Path`): Where they go; figures of an earlier report are removed.
    """
    for path in folder.glob("*.png"):
        path.unlink()
    merged, usual = evidence.merged(partly=False), evidence.in_training
    plots: dict[str, Callable[[Path], None]] = {}
    if usual is not None:
        many = [condition.label for condition in evidence.conditions if condition.updates and not condition.partly]
        many += [condition.label for condition in evidence.on("more_updates")]
        label = usual.label
        plots["updates"] = lambda path: accuracy_against_updates(merged, path, splits=(label, *many))
        plots["families"] = lambda path: metric_by_group(merged, path, label, "families")
        plots["kinds"] = lambda path: metric_by_group(merged, path, label, "kinds")
        plots["latency"] = lambda path: latency_histogram(merged, path, label)
    plots["sizes"] = lambda path: gap_against_size(evidence, path)
    plots["losses"] = lambda path: training_losses(_runs(evidence), path)
    if evidence.ablations:
        first = next(iter(evidence.ablations.values()))
        plots["ablations"] = lambda path: ablation_figure(first, path)
    drawn = {}
    for name, plot in plots.items():
        path = folder / f"{name}.png"
        try:
            plot(path)
        except ValueError:  # there is nothing to draw; the report says so
            continue
        shrink(path)
        drawn[name] = f"{folder.name}/{path.name}"
    return drawn


def shrink(path: Path) -> None:
    """Keeps so many colours of a picture as are needed."""
    from PIL import Image

    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(SHADES)
    small.save(path, optimize=True)


def _draw(path: Path, width: float, height: float, draw: Draw) -> None:
    """A figure of one pair of axes."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure.subplots())
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)


def metric_by_group(
    results: Mapping[str, Any], path: Path, split: str, by: str, metric: str = "revision_accuracy"
) -> None:
    """
    A metric apart by family or by kind of update, a mark for each model with its 95 % interval.

    Raises:
        ValueError: Nothing of that metric was counted in that split.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, model in results["models"].items():
        groups = model["splits"].get(split, {}).get(by, {})
        known = {group: figures[metric] for group, figures in groups.items() if figures[metric]["value"] is not None}
        if known:
            found[name] = known
    names = sorted({group for groups in found.values() for group in groups})
    if not names:
        raise ValueError(f"`results` has no {metric} by {by} in {split!r}.")

    def draw(axis: "Axes") -> None:
        step = 0.6 / len(found)
        for number, (model, groups) in enumerate(found.items()):
            colour = COLOURS[number % len(COLOURS)]
            at = [names.index(group) + (number - (len(found) - 1) / 2) * step for group in groups]
            low, high = zip(*(figure["interval"] for figure in groups.values()), strict=True)
            axis.hlines(at, low, high, color=colour, linewidth=1.4, alpha=0.6)
            values = [figure["value"] for figure in groups.values()]
            axis.plot(values, at, MARKERS[number % len(MARKERS)], color=colour, markersize=5, label=model)
        axis.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
        axis.set(ylim=(len(names) - 0.4, -0.6), xlabel=f"{metric.replace('_', ' ')}, split {split}, 95 % intervals")
        axis.set_xlim(right=1.01)
        axis.grid(axis="x", color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=len(found), frameon=False)

    _draw(path, 7.5, 1.2 + 0.36 * len(names), draw)


def _runs(evidence: Evidence) -> list[tuple[str, dict[str, Any]]]:
    """The training runs to show, each with the name of its model: those of the comparison, else all that are known."""
    compared = [
        (name, evidence.trainings[run])
        for name, runs in evidence.compared().items()
        for run in runs
        if run in evidence.trainings
    ]
    return compared or list(evidence.trainings.items())


def training_losses(runs: Sequence[tuple[str, Mapping[str, Any]]], path: Path) -> None:
    """
    Loss against steps, a line for each training run, runs of one model in one colour; the loss on held-out samples as
    marks.

    Args:
        runs (`Sequence[tuple[str, Mapping]]`): The name of a model, and the facts of one of its runs.
        path (`Path`): Where the figure goes.

    Raises:
        ValueError: Of no run is any loss known.
    """
    known = [(name, run) for name, run in runs if run["losses"] or run["eval_losses"]]
    if not known:
        raise ValueError("`runs` have no losses.")
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(dict.fromkeys(n for n, _ in known))}

    def draw(axis: "Axes") -> None:
        told = set()
        for name, run in known:
            label = None if name in told else name
            told.add(name)
            if run["losses"]:
                axis.plot(*zip(*run["losses"], strict=True), color=colours[name], linewidth=1, label=label)
                label = None
            if run["eval_losses"]:
                points = zip(*run["eval_losses"], strict=True)
                axis.plot(*points, "o", color=colours[name], markersize=3, alpha=0.7, label=label)
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter("{x:.1g}")
        axis.set(xlabel="step", ylabel="loss a token")
        axis.annotate("lines: training; dots: held out", (1, 1), xycoords="axes fraction", ha="right", color=GREY)
        axis.legend(frameon=False, loc="upper center")

    _draw(path, 7.5, 3.6, draw)


def gap_against_size(evidence: Evidence, path: Path, metric: str = "revision_accuracy") -> None:
    """
    The gap to the baseline against the parameters of the workspace, a line for each condition, with 95 % intervals.

    Raises:
        ValueError: No condition was played with more than one size.
    """
    lines: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
    for size, conditions in by_size(evidence).items():
        for label, condition in conditions.items():
            rival = condition.named(BASELINE)
            paired = condition.difference(rival, metric) if rival else None
            if paired is not None and paired["value"] is not None:
                lines.setdefault(label, []).append((size, paired))
    lines = {label: points for label, points in lines.items() if len(points) > 1}
    if not lines:
        raise ValueError("`evidence` compares no two sizes.")

    def draw(axis: "Axes") -> None:
        axis.axhline(0, color=GREY, linewidth=0.8)
        for number, (label, points) in enumerate(lines.items()):
            # Set apart a little, so that intervals do not hide each other.
            at = [size / 1e6 * 1.03**number for size, _ in points]
            colour = COLOURS[number % len(COLOURS)]
            values = [paired["value"] for _, paired in points]
            axis.vlines(at, *zip(*(paired["interval"] for _, paired in points), strict=True), color=colour, alpha=0.6)
            axis.plot(at, values, MARKERS[number % len(MARKERS)], linestyle="-", color=colour, label=label)
        axis.set_xscale("log")
        sizes = sorted({size for points in lines.values() for size, _ in points})
        axis.set_xticks([size / 1e6 for size in sizes], [millions(size) for size in sizes])
        axis.minorticks_off()
        axis.set(xlabel="parameters", ylabel=f"{metric.replace('_', ' ')}: workspace − baseline")
        axis.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)

    _draw(path, 7.5, 3.6, draw)
