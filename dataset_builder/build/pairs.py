"""No (prompt, updates) pair may repeat: the hash of a pair, and the rows that repeat an earlier one.

A pair is the prompt and the texts of the updates in their order. Where an update arrives is left out: the same words
at another place would be the same task, and what a model saw in training must not come back in a test. Without
updates, the pair is the prompt alone.

Rows have one global order, the held-out splits first, so that it is the training data that gives way. The later row
of two equal ones is drawn again with its next attempt, until all rows differ. However many rows are redrawn at a time,
and in whatever state that was interrupted, the end is the same: each row, in the global order, holds the first of its
attempts that no earlier row holds. For a pair, once held, is only ever given up to an earlier row; so a row that gave
way would have had to do so in the end too, and no row moves further than there.
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
"""A row's record: the hash of its pair, and which attempt it is. 64 bits are enough: should two different pairs share
a hash, one of them is redrawn without need, and nothing worse."""

HASHES_AT_A_TIME = 2**19


def pair_hash(row: Mapping[str, Any]) -> int:
    """Hash of a row's prompt and the texts of its updates, from 0 to 2**64 - 1."""
    texts = [row["prompt"], *(update["text"] for update in row["updates"])]
    pair = b"\xff".join(map(str.encode, texts))  # a byte that no text has
    return int.from_bytes(hashlib.blake2b(pair, digest_size=8).digest(), "little")


def find_repeated(files: Sequence[Path], hashes_at_a_time: int = HASHES_AT_A_TIME) -> dict[int, list[int]]:
    """
    The rows whose pair an earlier row has.

    Hashes are compared range by range, so that memory depends on `hashes_at_a_time` and not on the number of rows.

    Args:
        files (`Sequence[Path]`): The records of every shard, as `.npy`, in the global order.
        hashes_at_a_time (`int`, *optional*, defaults to 2**19): About how many hashes are held at a time.

    Returns:
        `dict[int, list[int]]`: For the number of a file, the rows in it that repeat an earlier one, ascending.
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
    """Cuts all hashes into ranges, both ends included, of about so many rows each."""
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
