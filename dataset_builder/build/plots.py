"""Plots the distributions of a data set in one figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..world.kinds import KINDS, OF_EVERYDAY
from .stored import StoredDataset
from .tally import BINS, Tally, reactions, take_stock


if TYPE_CHECKING:
    from matplotlib.axes import Axes


SUFFIXES = (".png", ".svg")
REACTIONS = 20_000
"""Approximate maximum number of rows read for reactions, spread over all."""

_BLOCK = 1000  # rows read together
_COLOUR, _SECOND, _MAP = "#3b6ea5", "#d08c2f", "Blues"


def check_suffix(path: str | Path) -> None:
    """
    Raises:
        ValueError: A plot cannot be written with that suffix.
    """
    if Path(path).suffix.lower() not in SUFFIXES:
        raise ValueError(f"`plots` must end in {' or '.join(SUFFIXES)}, got {str(path)!r}.")


def plot_dataset(
    dataset: StoredDataset, path: str | Path, *, split: str | None = None, tallies: Mapping[str, Tally] | None = None
) -> None:
    """
    Plots families, kinds of update, updates per row, lengths, positions, reactions and the share that requires
    revision.

    Args:
        dataset (`StoredDataset`): The data set.
        path (`str` or `Path`): Path of the figure, `.png` or `.svg`.
        split (`str`, *optional*, defaults to all): Only this split.
        tallies (`Mapping[str, Tally]`, *optional*): The counts of these splits, if already available.

    Raises:
        ValueError: `path` has another suffix.
    """
    check_suffix(path)
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    tallies = take_stock(dataset, split) if tallies is None else tallies
    total = Tally()
    for tally in tallies.values():
        total.merge(tally)
    style: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "plots"}
    with rc_context(style):
        figure = Figure(figsize=(13, 14.5))
        FigureCanvasAgg(figure)
        shape: Any = [["families", "revised"], ["kinds", "kinds"], ["updates", "lengths"], ["positions", "reactions"]]
        # A fixed layout, which is drawn several times faster than a computed one.
        space = {"left": 0.145, "right": 0.98, "top": 0.94, "bottom": 0.05, "hspace": 0.36, "wspace": 0.27}
        axes: dict[str, Axes] = figure.subplot_mosaic(shape, height_ratios=(3, 5, 3, 3), gridspec_kw=space)
        title = f"{dataset.config['name']}: {total.rows:,} rows"
        figure.suptitle(f"{title}, split {split}" if split else title, fontsize=13, fontweight="bold")
        _families(axes["families"], total)
        _revised(axes["revised"], tallies)
        _kinds(axes["kinds"], total)
        _updates(axes["updates"], total)
        _lengths(axes["lengths"], total)
        _positions(axes["positions"], total)
        _reactions(axes["reactions"], _measured_reactions(dataset, list(tallies)))
        # No date, so that the same data set gives the same file.
        made: dict[str, Any] = {"Date": None} if Path(path).suffix.lower() == ".svg" else {}
        figure.savefig(path, dpi=110, metadata=made)


def _measured_reactions(dataset: StoredDataset, splits: Sequence[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {"repair": [], "new value": []}
    for row in _some_rows(dataset, splits, ("initial_target", "revised_target", "updates", "provenance", "repairs")):
        for what, distance in reactions(row):
            found[what].append(distance)
    return found


def _some_rows(dataset: StoredDataset, splits: Sequence[str], columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """All rows, or about `REACTIONS` of them, in blocks, so that few row groups are read."""
    shards = [shard for split in splits for shard in dataset.shards[split]]
    rows = sum(shard.samples for shard in shards)
    if rows <= REACTIONS:
        for shard in shards:
            yield from shard.rows(columns)
        return
    for split in splits:
        share = sum(shard.samples for shard in dataset.shards[split]) / rows
        for shard, starts in dataset.spread(split, max(1, round(share * REACTIONS / _BLOCK))):
            for start in starts:
                yield from shard.take(range(start, min(start + _BLOCK, shard.samples)), columns)


def _bars(axis: Axes, names: list[str], values: list[float], labels: list[str]) -> None:
    """Horizontal bars, the first on top, each with a label to its right."""
    bars = axis.barh(names, values, color=_COLOUR)
    axis.bar_label(bars, labels, padding=3)
    axis.invert_yaxis()
    axis.margins(x=0.15)


def _families(axis: Axes, total: Tally) -> None:
    names = sorted(total.families)
    counts = [total.families[name] for name in names]
    _bars(axis, names, [float(count) for count in counts], [f"{count / total.rows:.1%}" for count in counts])
    axis.set(title="Families", xlabel="rows")


def _revised(axis: Axes, tallies: Mapping[str, Tally]) -> None:
    shares = [tally.revised / max(1, tally.rows) for tally in tallies.values()]
    labels = [f"{share:.0%} of {tally.rows:,}" for share, tally in zip(shares, tallies.values())]
    _bars(axis, list(tallies), shares, labels)
    axis.set(title="Rows that require revision, by split", xlabel="share of rows", xlim=(0, 1.3))
    axis.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])


def _kinds(axis: Axes, total: Tally) -> None:
    """A heat map: for each family, the share of each kind among its updates."""
    families = sorted(total.families)
    kinds = [kind for kind in KINDS | OF_EVERYDAY if total.kind_totals[kind]]
    sums = {family: sum(total.kinds[family, kind] for kind in kinds) for family in families}
    shares = [[total.kinds[family, kind] / max(1, sums[family]) for kind in kinds] for family in families]
    axis.set(title="Kinds of update by family, in % of the family's updates")
    if not kinds:
        axis.text(0.5, 0.5, "no updates", ha="center", va="center", transform=axis.transAxes)
        axis.set(xticks=[], yticks=[])
        return
    top = max(map(max, shares))
    # Shade by the square root, so that rare kinds differ visibly from absent ones.
    shades = [[(share / top) ** 0.5 for share in row] for row in shares]
    axis.imshow(shades, cmap=_MAP, aspect="auto", vmin=0, vmax=1.15)
    axis.set_xticks(range(len(kinds)), kinds, rotation=30, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(families)), families)
    axis.tick_params(length=0)
    for y, row in enumerate(shares):
        for x, share in enumerate(row):
            label = "–" if not share else f"{share:.1%}"[:-1] if share < 0.0995 else f"{share:.0%}"[:-1]
            axis.text(x, y, label, ha="center", va="center", color="white" if share > top / 2 else "black")


def _updates(axis: Axes, total: Tally) -> None:
    most = max(total.updates, default=0)
    if most <= 20:
        counts = [total.updates[number] for number in range(most + 1)]
        axis.bar(range(most + 1), counts, color=_COLOUR)
        axis.set_xticks(range(most + 1))
    else:
        axis.hist(list(total.updates), bins=range(most + 2), weights=list(total.updates.values()), color=_COLOUR)
        axis.set_yscale("log")
        axis.set_ylim(bottom=0.8)
    axis.set(title="Updates a row", xlabel="updates", ylabel="rows" + " (logarithmic)" * (most > 20))


def _lengths(axis: Axes, total: Tally) -> None:
    longest = max(total.lengths, default=1)
    axis.hist(list(total.lengths), bins=60, weights=list(total.lengths.values()), color=_COLOUR)
    skewed = longest > 6 * _quantile(total.lengths, 0.5)
    if skewed:
        axis.set_yscale("log")
        axis.set_ylim(bottom=0.8)
    told = ", ".join(f"{share:.0%}: {_quantile(total.lengths, share):,}" for share in (0.05, 0.5, 0.95))
    axis.set(title=f"Emitted length (quantiles {told})", xlabel="characters")
    axis.set_ylabel("rows (logarithmic)" if skewed else "rows")


def _positions(axis: Axes, total: Tally) -> None:
    inside = [total.positions[part] for part in range(BINS)]
    axis.bar([part / BINS for part in range(BINS)], inside, width=0.9 / BINS, align="edge", color=_COLOUR)
    axis.bar(1.06, total.positions[BINS], width=0.04, color=_SECOND)
    axis.set_xticks([0, 0.25, 0.5, 0.75, 1, 1.06], ["0%", "25%", "50%", "75%", "", "after\nthe end"])
    axis.set(title="Where updates are heard", xlabel="share of the text up to its (first) end", ylabel="updates")


def _reactions(axis: Axes, found: Mapping[str, list[int]]) -> None:
    names = {"repair": "to the repair", "new value": "nothing stale: to the first new value"}
    most = max((_quantile(Counter(values), 0.99) for values in found.values() if values), default=1)
    bins = [most * step / 50 for step in range(51)]
    for (what, values), colour in zip(found.items(), (_SECOND, _COLOUR)):
        if values:
            median = _quantile(Counter(values), 0.5)
            label = f"{names[what]} (median {median})"
            axis.hist(values, bins=bins, color=colour, alpha=0.65, label=label)
    if any(found.values()):
        axis.legend(frameon=False)
    axis.set_yscale("symlog", linthresh=10)
    axis.set_ylim(bottom=0)
    axis.set(title="From an update to what it changes in the text", xlabel="characters (up to the 99% quantile)")
    axis.set_ylabel("updates (logarithmic)")


def _quantile(counts: Counter[int], share: float) -> int:
    """The smallest value that at least this share of all values does not exceed."""
    left = share * counts.total()
    for value in sorted(counts):
        left -= counts[value]
        if left <= 0:
            return value
    return max(counts, default=0)
