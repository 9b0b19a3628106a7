"""Detects repeated (prompt, updates) pairs: the hash of a pair, and the rows that repeat an earlier one.

A pair is the prompt and the texts of the updates in their order. The position of an update is not part of it: the same
texts at other positions are the same task, and no task of training may occur in a test. Without updates, the pair is
the prompt alone.

Rows have one global order, the held-out splits first, so that training rows are the ones replaced. The later row of
two equal ones is redrawn with its next attempt, until all rows differ. The result does not depend on how many rows are
redrawn at a time, nor on interruptions: each row, in the global order, holds the first of its attempts that no earlier
row holds. The reason: a pair, once held, is only ever given up to an earlier row. So a row that was replaced would
have been replaced in the end too, and no row advances further than necessary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

PAIR_FIELDS = [("hash", "<u8"), ("attempt", "<i8")]
"""A row's record: the hash of its pair, and the number of its attempt. 64 bits are enough: if two different pairs
share a hash, one of them is redrawn without need, with no other effect."""

HASHES_AT_A_TIME = 2**19


def pair_hash(row: Mapping[str, Any]) -> int:
    """Hash of a row's prompt and the texts of its updates, from 0 to 2**64 - 1."""
    texts = [row["prompt"], *(update["text"] for update in row["updates"])]
    pair = b"\xff".join(map(str.encode, texts))  # a byte that occurs in no UTF-8 text
    return int.from_bytes(hashlib.blake2b(pair, digest_size=8).digest(), "little")


def find_repeated(files: Sequence[Path], hashes_at_a_time: int = HASHES_AT_A_TIME) -> dict[int, list[int]]:
    """
    The rows whose pair occurs in an earlier row.

    Hashes are compared range by range, so that memory depends on `hashes_at_a_time` and not on the number of rows.

    Args:
        files (`Sequence[Path]`): The records of every shard, as `.npy`, in the global order.
        hashes_at_a_time (`int`, *optional*, defaults to 2**19): Approximate number of hashes in memory.

    Returns:
        `dict[int, list[int]]`: For the index of a file, the rows in it that repeat an earlier one, ascending.
    """
    import numpy as np

    counts = [len(_hashes(file)) for file in files]
    starts = np.cumsum([0, *counts])
    repeated = [_repeated_within(files, starts, low, high) for low, high in _ranges(int(starts[-1]), hashes_at_a_time)]
    ranks = np.sort(np.concatenate(repeated)) if repeated else np.empty(0, np.int64)
    found: dict[int, list[int]] = {}
    for number, rank in zip(np.searchsorted(starts, ranks, side="right") - 1, ranks):
        found.setdefault(int(number), []).append(int(rank - starts[number]))
    return found


def _hashes(file: Path) -> npt.NDArray[np.uint64]:
    import numpy as np

    hashes: npt.NDArray[np.uint64] = np.load(file, mmap_mode="r")["hash"]
    return hashes


def _ranges(rows: int, hashes_at_a_time: int) -> Iterator[tuple[int, int]]:
    """Splits the hash values into ranges, both ends included, of about `hashes_at_a_time` rows each."""
    parts = max(1, -(-rows // hashes_at_a_time))
    for part in range(parts):
        yield part * 2**64 // parts, (part + 1) * 2**64 // parts - 1


def _repeated_within(
    files: Sequence[Path], starts: npt.NDArray[np.int64], low: int, high: int
) -> npt.NDArray[np.int64]:
    """Ranks of the rows that repeat an earlier one, among the hashes of one range."""
    import numpy as np

    found, ranks = [], []
    for file, start in zip(files, starts):
        hashes = _hashes(file)
        rows = np.flatnonzero((hashes >= np.uint64(low)) & (hashes <= np.uint64(high)))
        found.append(hashes[rows])
        ranks.append(rows + start)
    together, rank = np.concatenate(found), np.concatenate(ranks)
    order = np.argsort(together, kind="stable")  # ranks ascend, so the first of equal hashes is the earliest row
    together, rank = together[order], rank[order]
    repeats: npt.NDArray[np.int64] = rank[1:][together[1:] == together[:-1]]
    return repeats
