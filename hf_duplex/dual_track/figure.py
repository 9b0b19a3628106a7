"""The figure of docs/dual_track.md: facts asked again long after they changed, and what is kept against K."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..evaluation.reporting.plots import COLOURS, GREY
from ..hub.report_figures import STYLE, shrink


Found = Mapping[str, Any]


def dual_track_figure(runs: Mapping[str, Sequence[Found]], path: str | Path) -> None:
    """
    Draws it as a PNG.

    Args:
        runs: For each kind of thoughts what `measure` found of each seed, facts long ago and attention kept included.
    """
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE):
        figure, (answers, kept) = plt.subplots(1, 2, figsize=(8.8, 2.6), layout="constrained")
        bars: list[tuple[str, list[Found], str]] = [
            (_words(name), [run["facts long ago"]["accuracy"]["reflection"] for run in found], colour)
            for (name, found), colour in zip(runs.items(), COLOURS, strict=False)
        ]
        first = next(iter(runs.values()))
        for name in ("base, same window", "base, full context"):
            bars.append((name, [first[0]["facts long ago"]["accuracy"][name]], GREY))
        for row, (_, figures, colour) in enumerate(bars):
            for seed, entry in enumerate(figures):
                at = row + 0.22 * (seed - (len(figures) - 1) / 2)
                low, high = entry["interval"]
                answers.plot([low, high], [at, at], color=colour, linewidth=1.5)
                answers.plot(entry["value"], at, "o", color=colour, markersize=4)
        answers.set_yticks(range(len(bars)), [name for name, *_ in bars])
        answers.invert_yaxis()
        answers.set_xlim(-0.02, 1)
        least = first[0]["facts long ago"]["tokens since the change"]["least"]
        answers.set_xlabel(f"right, of facts changed {least:,} tokens ago or more")
        pages = kept.twinx()
        for (name, found), colour in zip(runs.items(), COLOURS, strict=False):
            for run in found:
                ks = [int(k) for k in run["attention kept"]]
                kept.plot(ks, [entry["kl"]["value"] for entry in run["attention kept"].values()], color=colour, lw=1,
                          label=f"KL, {_words(name)}" if run is found[0] else None)  # fmt: skip
        ks = [int(k) for k in first[0]["attention kept"]]
        shares = [entry["pages"]["value"] for entry in first[0]["attention kept"].values()]
        pages.plot(ks, shares, color=GREY, linestyle="--", label="pages resident")
        kept.set_ylim(0, 0.4)
        pages.set_ylim(0, 1)
        kept.set_xlabel("K, thoughts whose content is opened")
        kept.set_ylabel("KL to full attention, nats")
        pages.set_ylabel("share of pages")
        lines = [line for axis in (kept, pages) for line in axis.get_legend_handles_labels()[0]]
        kept.legend(handles=lines, loc="center", frameon=False)
        figure.savefig(path, dpi=130)
        plt.close(figure)
    shrink(Path(path))


def _words(name: str) -> str:
    """`latent_2` as people say it."""
    kind, _, tokens = name.partition("_")
    return f"thoughts of {tokens} latent tokens" if tokens else f"thoughts in {kind}"
