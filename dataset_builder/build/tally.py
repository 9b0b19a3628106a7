"""Statistics of a data set: counts by split, taken one row group at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..speech.discourse import END
from .stored import StoredDataset


if TYPE_CHECKING:
    import pyarrow as pa


COLUMNS = ("task_type", "updates", "initial_target", "revised_target", "requires_revision", "phase")
"""The columns needed to count a row."""

PLACES = ("start", "middle", "late", "after the end")
"""Where an update arrives: in the first, second or last third of the text up to the first end, or after it."""

BINS = 30
"""Number of parts of the text up to its first end, to count positions; one more part is after that end."""


@dataclass
class Tally:
    """
    Counts of the rows of one split.

    Args:
        rows (`int`): Rows.
        families (`Counter[str]`): Rows by family.
        kinds (`Counter[tuple[str, str]]`): Updates by family and kind.
        updates (`Counter[int]`): Rows by number of updates.
        lengths (`Counter[int]`): Rows by characters emitted.
        positions (`Counter[int]`): Updates by the part of the text, out of `BINS`, in which they arrived; `BINS` is
            after the end.
        phases (`Counter[int]`): Rows by phase.
        revised (`int`): Rows that require revision.
    """

    rows: int = 0
    families: Counter[str] = field(default_factory=Counter)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    updates: Counter[int] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    positions: Counter[int] = field(default_factory=Counter)
    phases: Counter[int] = field(default_factory=Counter)
    revised: int = 0

    def add(self, table: pa.Table) -> None:
        """Counts the rows of a table that holds at least `COLUMNS`."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        if not table.num_rows:
            return
        self.rows += table.num_rows
        families = table["task_type"].combine_chunks()
        self.families.update(_counts(families))
        self.phases.update(_counts(table["phase"]))
        self.revised += pc.sum(pc.cast(table["requires_revision"], pa.int64())).as_py() or 0
        lengths = pc.add(pc.utf8_length(table["initial_target"]), pc.utf8_length(table["revised_target"]))
        self.lengths.update(_counts(lengths))
        updates = table["updates"].combine_chunks()
        self.updates.update(_counts(pc.list_value_length(updates)))
        heard, rows = updates.flatten(), pc.list_parent_indices(updates)
        if not len(heard):
            return
        pairs = pa.table({"family": families.take(rows), "kind": heard.field("kind")}).group_by(["family", "kind"])
        for pair in pairs.aggregate([([], "count_all")]).to_pylist():
            self.kinds[pair["family"], pair["kind"]] += pair["count_all"]
        targets = pc.binary_join_element_wise(table["initial_target"], table["revised_target"], "")
        said = pc.utf8_length(pc.list_element(pc.split_pattern(targets, END, max_splits=1), 0))
        total = 1 + said.to_numpy()[rows.to_numpy()]  # up to and including the first character of the end
        parts = np.minimum(heard.field("position").to_numpy() * BINS // total, BINS)
        self.positions.update({int(part): int(count) for part, count in zip(*np.unique(parts, return_counts=True))})

    def merge(self, other: Tally) -> None:
        """Adds the counts of another tally."""
        self.rows += other.rows
        self.revised += other.revised
        for name in ("families", "kinds", "updates", "lengths", "positions", "phases"):
            getattr(self, name).update(getattr(other, name))

    @property
    def kind_totals(self) -> Counter[str]:
        """Updates by kind."""
        return self._kinds(1)

    def _kinds(self, part: int) -> Counter[str]:
        totals: Counter[str] = Counter()
        for pair, count in self.kinds.items():
            totals[pair[part]] += count
        return totals

    @property
    def places(self) -> Counter[str]:
        """Number of updates by `PLACES`."""
        totals: Counter[str] = Counter()
        for part, count in self.positions.items():
            totals[PLACES[part * 3 // BINS]] += count
        return totals


def _counts(values: pa.Array | pa.ChunkedArray) -> dict[Any, int]:
    return {entry["values"]: entry["counts"] for entry in values.value_counts().to_pylist()}


def take_stock(
    dataset: StoredDataset, split: str | None = None, advance: Callable[[int], object] = lambda rows: None
) -> dict[str, Tally]:
    """
    Counts all rows.

    Args:
        dataset (`StoredDataset`): The data set.
        split (`str`, *optional*, defaults to all): Only this split.
        advance (`Callable[[int], object]`, *optional*): Called repeatedly with the number of rows just counted.

    Returns:
        `dict[str, Tally]`: The counts of each split.
    """
    tallies = {}
    for name in dataset.splits if split is None else (split,):
        tallies[name] = Tally()
        for shard in dataset.shards[name]:
            for _, table in shard.batches(COLUMNS):
                tallies[name].add(table)
                advance(table.num_rows)
    return tallies


def reactions(row: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """
    How soon the text reacts to each update that changes something.

    Yields:
        `tuple[str, int]`: `"repair"` or `"new value"`, and the characters from the position of an update to the start
        of its repair, or of the first later value that depends on what it changed.
    """
    target = row["initial_target"] + row["revised_target"]
    for number, update in enumerate(row["updates"]):
        position, earliest = update["position"], update["earliest"]
        changed = {change["fact"] for change in update["changes"]}
        if update["repair"]:
            starts = [max(repair["start"], earliest) for repair in row["repairs"] if repair["end"] > earliest]
            if starts:
                yield "repair", min(starts) - position
        elif changed:
            found = [
                target.find(claim["value"], max(claim["start"], earliest), claim["end"])
                for claim in row["provenance"]
                if claim["version"] > number and changed & set(claim["facts"])
            ]
            if spoken := [place for place in found if place >= 0]:
                yield "new value", min(spoken) - position
