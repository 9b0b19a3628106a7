"""Prints samples in colour: what was emitted, what became stale, was repaired, or rightly stayed."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..speech.spans import claim_of_characters, repair_of_characters
from .stored import Shard, StoredDataset


if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.text import Text


STYLES = {"emitted": "", "stale": "red strike", "repair": "yellow", "retained": "green", "update": "bold cyan"}
"""The style of each part of a sample."""

_MEANINGS = {
    "emitted": "all other words",
    "stale": "said, and no longer true after a later update",
    "repair": "takes something stale back",
    "retained": "said before an update, which did not concern it",
    "update": "heard here",
}


def inspect_dataset(
    dir: str | Path,
    *,
    split: str | None = None,
    num: int = 3,
    start: int = 0,
    plots: str | Path | None = None,
    console: Console | None = None,
) -> None:
    """
    Prints samples in colour, and draws the distributions of all of them.

    Args:
        dir (`str` or `Path`): Where the data set was built.
        split (`str`, *optional*, defaults to all): Only this split.
        num (`int`, *optional*, defaults to 3): How many samples of a split to print; 0 for none.
        start (`int`, *optional*, defaults to 0): The first of them, as a row index in its split.
        plots (`str` or `Path`, *optional*): A file for the plots, `.png` or `.svg`.
        console (`Console`, *optional*): Where to print; by default, standard output.

    Raises:
        ValueError: There is no such data set, split or row, or `plots` has another suffix.
    """
    from rich.console import Console

    from .plots import check_suffix, plot_dataset

    dataset = StoredDataset(dir)
    if split is not None and split not in dataset.splits:
        raise ValueError(f"`split` must be one of {', '.join(dataset.splits)}, got {split!r}.")
    splits = dataset.splits if split is None else (split,)
    most = max((sum(shard.samples for shard in dataset.shards[name]) for name in splits), default=0)
    if num < 0:
        raise ValueError(f"`num` must not be negative, got {num}.")
    if not 0 <= start < most:
        raise ValueError(f"`start` must be from 0 to {most - 1}, the last row there is; got {start}.")
    if plots is not None:
        check_suffix(plots)
    console = console or Console()
    if num:
        console.print(legend())
    for name in splits:
        for row in _rows(dataset.shards[name], start, num):
            console.print(render(row))
    if plots is not None:
        plot_dataset(dataset, plots, split=split)
        console.print(f"plots: {plots}", highlight=False)


def _rows(shards: list[Shard], start: int, num: int) -> Iterator[dict[str, Any]]:
    """`num` rows from `start` on, without reading the shards before them."""
    first = 0
    for shard in shards:
        inside = range(max(start, first) - first, min(start + num, first + shard.samples) - first)
        for step in range(inside.start, inside.stop, 1000):
            yield from shard.take(list(islice(inside, step - inside.start, step - inside.start + 1000)))
        first += shard.samples


def legend() -> Text:
    """What the colours mean."""
    from rich.text import Text

    text = Text()
    for part, meaning in _MEANINGS.items():
        name = "[update]" if part == "update" else part
        text.append(f"{name}", STYLES[part]).append(f"  {meaning}\n", "dim")
    return text


def render(row: dict[str, Any]) -> Text:
    """
    A sample in colour: its prompt, and the emitted text, with each update in brackets where it arrived.

    Args:
        row (`dict`): A row of `dataset_builder.build.schema.SCHEMA`.
    """
    from rich.text import Text

    target = row["initial_target"] + row["revised_target"]
    text = Text()
    head = f"{row['split']} {row['index']}  {row['task_type']}, phase {row['phase']}"
    text.append(f"{head}{', requires revision' if row['requires_revision'] else ''}\n", "bold")
    text.append("prompt  ", "dim").append(row["prompt"]).append("\n")
    text.append("target  ", "dim")
    parts, at = parts_of_characters(row), 0
    for number, update in enumerate([*row["updates"], None], 1):
        stop = len(target) if update is None else update["position"]
        while at < stop:
            end = at + 1
            while end < stop and parts[end] == parts[at]:
                end += 1
            text.append(target[at:end], STYLES[parts[at]])
            at = end
        if update is not None:
            text.append(describe(number, update), STYLES["update"])
    answers = "; ".join(f"{answer['key']}: {answer['value']}" for answer in row["answers"])
    text.append("\nanswers ", "dim").append(answers).append("\n")
    return text


def describe(number: int, update: dict[str, Any]) -> str:
    """An update in brackets: its number, kind, source and text, and what it changes."""
    changes = ", ".join(f"{change['fact']} = {change['value']}" for change in update["changes"])
    return f"[{number} {update['kind']}, {update['source']}: “{update['text']}” → {changes or 'changes nothing'}]"


def parts_of_characters(row: dict[str, Any]) -> list[str]:
    """The one of `STYLES` that each character of the target has."""
    claims, repairs = claim_of_characters(row), repair_of_characters(row)
    heard = len(row["updates"])
    parts = []
    for claim, repair in zip(claims, repairs):
        made = row["provenance"][claim] if claim >= 0 else None
        if made and made["stale_version"] >= 0:
            parts.append("stale")
        elif repair >= 0:
            parts.append("repair")
        elif made and made["version"] < heard:
            parts.append("retained")
        else:
            parts.append("emitted")
    return parts
