"""Pressures over time as an SVG that takes its colours from the page. Pure functions."""

from collections.abc import Sequence

from .metered import Pressures


WIDTH, HEIGHT = 600.0, 150.0


def place(values: Sequence[float]) -> list[tuple[float, float]]:
    """Pressures, -1 to 1, as points of the picture, from left to right."""
    step = WIDTH / max(1, len(values) - 1)
    return [(step * at, HEIGHT * (1 - value) / 2) for at, value in enumerate(values)]


def line(name: str, values: Sequence[float]) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in place(values))
    return f'<polyline class="{name}" points="{points}"/>'


def gauges(samples: Sequence[Pressures]) -> str:
    """A line for each clock and one for the net pressure, over the tokens of all insights, and the newest values."""
    if not samples:
        return '<p class="hint">Pressures are read from the model while it speaks: nothing was said yet.</p>'
    names = Pressures._fields
    lines = "".join(line(name, [getattr(sample, name) for sample in samples]) for name in names)
    legend = "".join(
        f'<span class="key {name}"><i></i>{name} <b>{getattr(samples[-1], name):+.2f}</b></span>' for name in names
    )
    told = ", ".join(f"{name} {getattr(samples[-1], name):+.2f}" for name in names)
    # The picture is stretched to the page; text must not be, so it stands beside the picture.
    axis = '<div class="axis" aria-hidden="true"><span>+1</span><span>0</span><span>−1</span></div>'
    return (
        f'<figure class="gauges"><figcaption>{legend}</figcaption><div class="plot">{axis}'
        f'<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" preserveAspectRatio="none" role="img" '
        f'aria-label="Pressures over {len(samples)} tokens, now {told}">'
        f'<line class="zero" x1="0" x2="{WIDTH:.0f}" y1="{HEIGHT / 2}" y2="{HEIGHT / 2}"/>{lines}</svg></div>'
        f'<p class="hint">The newest {len(samples)} tokens.</p></figure>'
    )
