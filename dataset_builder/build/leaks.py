"""Leaks: the same sample twice, or a prompt of the train split in another one.

Rows are compared by 64-bit hashes on disk, split into ranges; one range is in memory at a time, so that memory does
not grow with the number of rows. Equal hashes are only candidates: the rows themselves are compared.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from .stored import Shard


if TYPE_CHECKING:
    import numpy as np


RANGE = 1 << 18
"""Average number of rows in a range of hashes."""

COMPARED = 1000
"""Candidates of each sort that are compared; a data set with more of them has failed anyway."""

_SIDE = 32  # rows of one prompt to compare, in train and outside


class Place(NamedTuple):
    """The location of a row."""

    shard: Shard
    row: int

    def __str__(self) -> str:
        return f"{self.shard.file}, row {self.row}"


@dataclass(frozen=True)
class Leak:
    """
    Args:
        what (`str`): `"pair"`: two rows have the same prompt and updates; `"prompt"`: a prompt of train also occurs in
            another split.
        first (`Place`), second (`Place`): the two rows; for a prompt, `first` is the one in train.
    """

    what: str
    first: Place
    second: Place


def text_hash(text: str) -> int:
    """A 64-bit hash."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def pair_of(prompt: str, updates: Iterable[str]) -> str:
    """The text that identifies a sample: its prompt and the texts of its updates, in order."""
    return "\0".join([prompt, *updates])


class LeakSearch:
    """
    Searches for leaks: `add` all rows, shard by shard, and then read `leaks`. A context manager; it keeps the hashes
    in a temporary folder until it exits.

    Args:
        shards (`Sequence[Shard]`): All shards.
    """

    def __init__(self, shards: Sequence[Shard]):
        self._shards = list(shards)
        self._numbers = {shard: number for number, shard in enumerate(shards)}
        self._ranges = 1 + sum(shard.samples for shard in shards) // RANGE
        self._folder = TemporaryDirectory(prefix="leaks-")

    def __enter__(self) -> LeakSearch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def add(self, shard: Shard, first: int, prompts: Sequence[str], updates: Sequence[Sequence[str]]) -> None:
        """
        Args:
            shard (`Shard`): The shard of the rows.
            first (`int`): Index of the first of them in the shard.
            prompts (`Sequence[str]`): Their prompts.
            updates (`Sequence[Sequence[str]]`): The texts of their updates.
        """
        place = (self._numbers[shard] << 32) + first
        self._write("pair", [text_hash(pair_of(*pair)) for pair in zip(prompts, updates)], place)
        self._write("prompt", [text_hash(prompt) for prompt in prompts], place)

    def leaks(self) -> Iterator[Leak]:
        """All leaks, if there are at most `COMPARED` candidates of a sort."""
        for what in ("pair", "prompt"):
            suspicions = list(self._suspicions(what))
            yield from self._compare(what, suspicions)

    def _path(self, what: str, number: int) -> Path:
        return Path(self._folder.name, f"{what}-{number}")

    def _write(self, what: str, hashes: list[int], place: int) -> None:
        import numpy as np

        records = np.empty((len(hashes), 2), np.uint64)
        records[:, 0] = hashes
        records[:, 1] = np.arange(place, place + len(hashes), dtype=np.uint64)
        ranges = ((records[:, 0] >> np.uint64(32)) * np.uint64(self._ranges)) >> np.uint64(32)
        for number in np.unique(ranges):
            with self._path(what, int(number)).open("ab") as file:
                file.write(records[ranges == number].tobytes())

    def _suspicions(self, what: str) -> Iterator[list[Place]]:
        """Groups of rows that have the same hash."""
        import numpy as np

        found = 0
        for number in range(self._ranges):
            path = self._path(what, number)
            if not path.exists():
                continue
            records = np.fromfile(path, np.uint64).reshape(-1, 2)
            records = records[np.lexsort((records[:, 1], records[:, 0]))]
            starts = np.flatnonzero(np.r_[True, records[1:, 0] != records[:-1, 0]])
            sizes = np.diff(np.r_[starts, len(records)])
            for start, size in zip(starts[sizes > 1], sizes[sizes > 1]):
                group = self._chosen(what, records[start : start + size, 1])
                if group:
                    yield group
                    found += 1
                if found == COMPARED:
                    return

    def _chosen(self, what: str, places: np.ndarray) -> list[Place]:
        """The rows of a group that have to be compared; none if it is not a candidate."""
        group = [Place(self._shards[int(place) >> 32], int(place) & 0xFFFFFFFF) for place in places]
        if what == "pair":
            return group[:_SIDE]
        train = [place for place in group if place.shard.split == "train"]
        others = [place for place in group if place.shard.split != "train"]
        return train[:_SIDE] + others[:_SIDE] if train and others else []

    def _compare(self, what: str, suspicions: list[list[Place]]) -> Iterator[Leak]:
        texts = self._texts(what, {place for group in suspicions for place in group})
        for group in suspicions:
            same: dict[str, list[Place]] = defaultdict(list)
            for place in group:
                same[texts[place]].append(place)
            for places in same.values():
                for place in places[1:]:
                    if what == "pair" or (place.shard.split != "train" and places[0].shard.split == "train"):
                        yield Leak(what, places[0], place)

    def _texts(self, what: str, places: set[Place]) -> dict[Place, str]:
        rows_of: dict[Shard, list[int]] = defaultdict(list)
        for place in sorted(places, key=lambda place: place.row):
            rows_of[place.shard].append(place.row)
        texts = {}
        for shard, rows in rows_of.items():
            for row, sample in zip(rows, shard.take(rows, ("prompt", "updates"))):
                updates = [update["text"] for update in sample["updates"]] if what == "pair" else []
                texts[Place(shard, row)] = pair_of(sample["prompt"], updates)
        return texts
