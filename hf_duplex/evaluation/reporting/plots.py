"""
Figures, drawn from results files alone.

A results file has `models`, by name, each with `splits`, by name; a split has `metrics`, the same metrics by
`families`, `kinds`, `updates` and `places`, and `latency`. A figure in it is `{"value", "interval", "n", "samples"}`,
and `seeds` where models were trained with several. Metrics with a zero denominator are left out of a plot.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


SUFFIXES = (".png", ".svg")
# Okabe and Ito's colours, distinct for the colour-blind too, without the pale yellow; each with its own marker.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY, PALE = "#666666", "#dddddd"
MAX_ROWS = 40
"""Most slots shown: those that changed most."""

_STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "plots"}
# Latencies to the right of this quantile share the last bar.
_TAIL, _BARS = 0.98, 40


def check_suffix(path: str | Path) -> None:
    """
    Raises:
        ValueError: A figure cannot be written under that name.
    """
    if Path(path).suffix.lower() not in SUFFIXES:
        raise ValueError(f"`path` must end in {' or '.join(SUFFIXES)}, got {str(path)!r}.")


@contextmanager
def _drawing(path: str | Path, width: float, height: float) -> Iterator["Figure"]:
    """A figure that is saved at the end, without a date, so that the same results give the same file."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style: Any = _STYLE
    with rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        made: dict[str, Any] = {"Date": None} if Path(path).suffix.lower() == ".svg" else {}
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=130, metadata=made)


def _spread(places: Sequence[float], gap: float) -> list[float]:
    """Heights of labels, at least `gap` apart, close to their places, and at most 1."""
    order = sorted(range(len(places)), key=lambda label: places[label])
    heights = list(places)
    for below, label in zip(order, order[1:], strict=False):
        heights[label] = max(heights[label], heights[below] + gap)
    limit = 1.0
    for label in reversed(order):
        heights[label] = min(heights[label], limit)
        limit = heights[label] - gap
    return heights


def _models(results: Mapping[str, Any]) -> Mapping[str, Any]:
    models = results.get("models")
    if results.get("format") != 2 or not isinstance(models, Mapping) or not models:
        raise ValueError(
            "`results` must be what a results file of format 2 holds, with at least one model: measure again with "
            "this version."
        )
    return models


def _known(figure: Mapping[str, Any] | None) -> bool:
    return figure is not None and figure["value"] is not None


def _words(name: str) -> str:
    return name.replace("_", " ")


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _by_updates(model: Mapping[str, Any], splits: Sequence[str], metric: str) -> dict[int, tuple[str, Any]]:
    """By number of updates: the first split that has it, and the figure."""
    found: dict[int, tuple[str, Any]] = {}
    for split in splits:
        for count, metrics in model["splits"].get(split, {}).get("updates", {}).items():
            if _known(metrics.get(metric)):
                found.setdefault(int(count), (split, metrics[metric]))
    return dict(sorted(found.items()))


def accuracy_against_updates(
    results: Mapping[str, Any],
    path: str | Path,
    metric: str = "revision_accuracy",
    splits: Sequence[str] = ("test", "more_updates"),
) -> None:
    """
    A metric against the number of updates, a line for each model, its 95 % intervals as a band.

    Args:
        results (`Mapping`): What a results file holds.
        path (`str` or `Path`): Where the figure goes, `.png` or `.svg`.
        metric (`str`, *optional*, defaults to `"revision_accuracy"`): Which.
        splits (`Sequence[str]`, *optional*): Where the points come from; the first split that has a number of updates
            gives it. By default the usual numbers come from `test`, larger ones from `more_updates`.

    Raises:
        ValueError: That metric has no value in these splits, or `path` has another ending.
    """
    check_suffix(path)
    points = {name: _by_updates(model, splits, metric) for name, model in _models(results).items()}
    points = {name: found for name, found in points.items() if found}
    if not points:
        raise ValueError(
            f"`results` has no {metric!r} by number of updates in {', '.join(splits)}: name others in `splits`."
        )
    with _drawing(path, 8, 4.8) as figure:
        axis = figure.subplots()
        ends = []
        for number, (name, found) in enumerate(points.items()):
            colour = COLOURS[number % len(COLOURS)]
            counts = list(found)
            values = [entry["value"] for _, entry in found.values()]
            low, high = zip(*(entry["interval"] for _, entry in found.values()), strict=True)
            axis.fill_between(counts, low, high, color=colour, alpha=0.18, linewidth=0)
            # A band has no width where a model has a single point.
            axis.vlines(counts, low, high, color=colour, alpha=0.5, linewidth=1)
            axis.plot(counts, values, color=colour, marker=MARKERS[number % len(MARKERS)], markersize=5)
            ends.append((name, colour, counts[-1], values[-1]))
        every = sorted({count for found in points.values() for count in found})
        axis.set_xscale("symlog", base=2, linthresh=1)
        axis.set_xticks(every, [str(count) for count in every])
        axis.minorticks_off()
        axis.set(ylim=(-0.02, 1.02), ylabel=_words(metric))
        heights = _spread([value for *_, value in ends], 0.055)
        for (name, colour, count, value), height in zip(ends, heights, strict=True):
            axis.annotate(
                name,
                (count, value),
                xytext=(1.02, height),
                textcoords=axis.get_yaxis_transform(),
                va="center",
                color=colour,
                arrowprops={"arrowstyle": "-", "color": colour, "alpha": 0.4, "linewidth": 0.7},
                annotation_clip=False,
            )
        sources: dict[str, list[int]] = {}
        for found in points.values():
            for count, (split, _) in found.items():
                sources.setdefault(split, []).append(count)
        told = "; ".join(f"{split}: {_range(counts)}" for split, counts in sources.items())
        samples = [entry["samples"] for found in points.values() for _, entry in found.values()]
        seeds = [entry.get("seeds", 1) for found in points.values() for _, entry in found.values()]
        axis.set_xlabel(f"updates in a sample ({told})")
        _title(axis, f"{_words(metric).capitalize()} against the number of updates")
        _note(axis, f"95 % intervals; {_range(samples)} samples a point, training seeds: {_range(seeds)}")


def _title(axis: "Axes", text: str) -> None:
    axis.set_title(text, loc="left", fontweight="bold", pad=18)


def _note(axis: "Axes", text: str) -> None:
    axis.annotate(
        text, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", color=GREY, fontsize=8, va="bottom"
    )


def latency_histogram(results: Mapping[str, Any], path: str | Path, split: str = "test") -> None:
    """
    How many tokens pass from an update to the first token that reflects it: for each model, the share of updates by
    latency, and at the right the share that was never reflected.

    Args:
        results (`Mapping`): What a results file holds.
        path (`str` or `Path`): Where the figure goes, `.png` or `.svg`.
        split (`str`, *optional*, defaults to `"test"`): Of which split.

    Raises:
        ValueError: No latency was measured in that split, or `path` has another ending.
    """
    check_suffix(path)
    measured = {
        name: model["splits"][split]["latency"]
        for name, model in _models(results).items()
        if sum(model["splits"].get(split, {}).get("latency", {}).get("histogram", {}).values())
    }
    if not measured:
        raise ValueError(f"`split`: no model has latencies in {split!r}; choose a split with updates.")
    numbers = {name: _numbers(latency["histogram"]) for name, latency in measured.items()}
    last = max(_tail(counts) for counts in numbers.values())
    width = max(1, -(-(last + 1) // _BARS))  # latencies that share a bar
    bars = -(-(last + 1) // width)
    with _drawing(path, 8, 0.8 + 1.25 * len(measured)) as figure:
        axes = figure.subplots(len(measured), sharex=True, sharey=True, squeeze=False)[:, 0]
        for number, (axis, (name, latency)) in enumerate(zip(axes, measured.items(), strict=True)):
            colour = COLOURS[number % len(COLOURS)]
            never = latency["histogram"].get("never", 0)
            n = never + sum(numbers[name].values())
            shares = [0.0] * bars
            for value, count in numbers[name].items():
                shares[min(value // width, bars - 1)] += count / n
            axis.bar([bar * width for bar in range(bars)], shares, width=0.9 * width, align="edge", color=colour)
            gone = (bars + 1.5) * width
            axis.bar(gone, never / n, width=1.8 * width, align="edge", color=GREY, hatch="///", edgecolor="white")
            axis.annotate(f"{never / n:.1%}", (gone + 0.9 * width, never / n), ha="center", va="bottom", color=GREY)
            median = latency.get("median")
            told = "median: never" if median is None else f"median {median:g}"
            axis.annotate(
                f"{name}: {told} ({n:,} updates)",
                (0.98 * (bars * width), 0.9),
                ha="right",
                va="top",
                color=colour,
                xycoords=axis.get_xaxis_transform(),
                fontweight="bold",
            )
            if median is not None and median <= last:
                axis.axvline(median + 0.5 * width, color=colour, linewidth=1, linestyle=":")
        step = max(1, bars // 8)
        labels = [str(bar * width) for bar in range(0, bars, step)]
        places = [(bar + 0.5) * width for bar in range(0, bars, step)]
        axes[-1].set_xticks([*places, gone + 0.9 * width], [*labels, "never"])
        tail = (
            f"; the last bar holds all from {(bars - 1) * width}"
            if any(max(n) > last for n in numbers.values() if n)
            else ""
        )
        axes[-1].set_xlabel(f"emitted tokens from an update to the first that reflects it{tail}")
        axes[len(axes) // 2].set_ylabel("share of updates")
        _title(axes[0], f"Update latency, split {split}")


def _numbers(histogram: Mapping[str, int]) -> dict[int, int]:
    return {int(value): count for value, count in histogram.items() if value != "never"}


def _tail(counts: Mapping[int, int]) -> int:
    """A latency that nearly all reflected updates do not exceed."""
    left = _TAIL * sum(counts.values())
    for value in sorted(counts):
        left -= counts[value]
        if left <= 0:
            return value
    return 0


def slot_movement(inspection: Mapping[str, Any], path: str | Path) -> None:
    """
    The validity of each slot after each message, or, for latent slots, how far each message moved it. Rows are slots,
    columns are messages; of many slots, those that changed most are shown.

    Args:
        inspection (`Mapping`): The output of `hf-duplex inspect --json`: `messages`, each with its `slots`.
        path (`str` or `Path`): Where the figure goes, `.png` or `.svg`.

    Raises:
        ValueError: The model of the inspection has no slots, or `path` has another ending.
    """
    check_suffix(path)
    messages = inspection.get("messages", [])
    if not any(message.get("slots") for message in messages):
        raise ValueError("`inspection` has no messages with `slots`: inspect a workspace model.")
    latent = inspection.get("update_type") not in (None, "validity", "defeasible")
    cells: dict[int, dict[int, float]] = {}
    label: dict[int, str] = {}
    for column, message in enumerate(messages):
        for slot in message.get("slots", []):
            value = slot["moved"] if latent else slot["after"]
            if value is not None:
                cells.setdefault(slot["slot"], {})[column] = value
            label[slot["slot"]] = f"slot {slot['slot']}" if slot["text"] is None else slot["text"].strip() or "·"
    change = {slot: max(row.values()) - (0 if latent else min(row.values())) for slot, row in cells.items()}
    shown = sorted(sorted(change, key=lambda slot: (-change[slot], slot))[:MAX_ROWS])
    updates = [column for column, message in enumerate(messages) if message["kind"] == "update"]
    grid = [[cells[slot].get(column, float("nan")) for column in range(len(messages))] for slot in shown]
    with _drawing(path, 4 + 0.55 * len(messages), 2.6 + 0.19 * len(shown)) as figure:
        axis = figure.subplots()
        top = max(max(row.values()) for row in cells.values()) if latent else 1.0
        axis.set_facecolor(PALE)
        image = axis.imshow(grid, cmap="cividis", aspect="auto", vmin=0, vmax=top or 1.0, interpolation="nearest")
        names = [f"{column + 1}: {_short(message['text'])}" for column, message in enumerate(messages)]
        axis.set_xticks(range(len(messages)), names, rotation=40, ha="right", rotation_mode="anchor")
        for column in updates:
            axis.get_xticklabels()[column].set(color=COLOURS[1], fontweight="bold")
            axis.axvline(column - 0.5, color=COLOURS[1], linewidth=1.5)
        axis.set_yticks(range(len(shown)), [label[slot] for slot in shown])
        axis.tick_params(length=0)
        what = "relative motion" if latent else "validity after the message"
        figure.colorbar(image, ax=axis, label=what, shrink=min(1.0, 8 / max(8, len(shown))), pad=0.02)
        _title(axis, "How far messages moved slots" if latent else "How far slots are believed")
        some = (
            f"{len(shown)} of {len(cells)} slots, those that changed most" if len(cells) > len(shown) else "all slots"
        )
        _note(axis, f"{some}; grey: not there; orange: updates")


def _short(text: str, most: int = 28) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def ablation_figure(results: Mapping[str, Any], path: str | Path, metric: str = "revision_accuracy") -> None:
    """
    A metric for every variant of an ablation with its 95 % interval, by group, the reference as a line through all.

    Args:
        results (`Mapping`): The contents of `ablations.json`.
        path (`str` or `Path`): Where the figure goes, `.png` or `.svg`.
        metric (`str`, *optional*, defaults to `"revision_accuracy"`): Which.

    Raises:
        ValueError: No variant has that metric, or `path` has another ending.
    """
    check_suffix(path)
    measured = {
        name: row for name, row in results.get("variants", {}).items() if _known(row.get("metrics", {}).get(metric))
    }
    if not measured:
        raise ValueError(f"`results` has no variant with {metric!r}: run `hf-duplex bench ablations` first.")
    groups: dict[str, list[str]] = {}
    for name, row in results["variants"].items():
        groups.setdefault(row["group"], []).append(name)
    lines = sum(len(names) + 1 for names in groups.values())
    with _drawing(path, 8.5, 1.2 + 0.22 * lines) as figure:
        axis = figure.subplots()
        reference = measured.get(results["reference"])
        if reference is not None:
            entry = reference["metrics"][metric]
            axis.axvspan(*entry["interval"], color=COLOURS[0], alpha=0.12, linewidth=0)
            axis.axvline(entry["value"], color=COLOURS[0], linewidth=1)
        at, places, names = 0.0, [], []
        for group, members in groups.items():
            axis.annotate(
                _words(group),
                (0, at),
                (-6, 0),
                xycoords=axis.get_yaxis_transform(),
                textcoords="offset points",
                ha="right",
                va="center",
                fontweight="bold",
                annotation_clip=False,
            )
            for name in members:
                at += 1
                places.append(at)
                names.append(name)
                _whiskers(axis, at, results["variants"][name], metric, name == results["reference"])
            at += 1.2
        axis.set_yticks(places, names)
        axis.set(ylim=(at - 0.2, -0.8), xlim=(-0.02, 1.3), xlabel=_words(metric))
        axis.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="x", color=PALE, linewidth=0.6)
        axis.set_axisbelow(True)
        _title(axis, f"Ablations: {_words(metric)}")
        samples = [row["metrics"][metric]["samples"] for row in measured.values()]
        told = f"95 % intervals; {_range(samples)} samples a row; blue: {results['reference']}"
        _note(axis, told)


def _whiskers(axis: "Axes", at: float, row: Mapping[str, Any], metric: str, reference: bool) -> None:
    """Draws a variant's figure at height `at`, with its text or the reason why there is none."""
    entry = row.get("metrics", {}).get(metric)
    if not _known(entry):
        axis.annotate(_short(row["status"], 90), (0.01, at), va="center", color=GREY, fontsize=7.5)
        return
    control = row["group"] == "controls"
    colour, marker = (COLOURS[0], "o") if reference else (COLOURS[1], "D") if control else ("#333333", "o")
    axis.hlines(at, *entry["interval"], color=colour, linewidth=1.6)
    axis.plot([entry["value"]], [at], marker=marker, color=colour, markersize=5)
    seeds = f", {entry['seeds']} seeds" if entry["seeds"] > 1 else ""
    hurt = "" if row.get("hurts") is None else ", hurts" if row["hurts"] else ", DOES NOT HURT"
    axis.annotate(f"{entry['value']:.3f}{seeds}{hurt}", (1.03, at), va="center", color=colour, fontsize=8)
