"""One shard: its path, making it, checking that it is complete, and redrawing some of its rows.

One process makes a shard from the config and the shard's position alone, one row group at a time. It appears under its
name only when it is complete and on disk.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ..builder import Builder
from .config import BuildConfig
from .pairs import PAIR_FIELDS, pair_hash
from .schema import SCHEMA
from .splits import SPLITS, split_config
from .stored import DATA


ROWS_PER_GROUP = 1000
MAX_ATTEMPTS = 20
WORKING = ".build"
"""Folder of the files that a build needs until it is finished."""

_FINGERPRINT = b"dataset_builder.fingerprint"

Pairs = npt.NDArray[np.void]


class BuildError(RuntimeError):
    """A build cannot continue; the message gives the reason and the remedy."""


@dataclass(frozen=True)
class ShardPlan:
    """The rows of a file: those of `split` from index `start` on, `samples` of them."""

    split: str
    number: int
    shards: int
    start: int
    samples: int

    @property
    def file(self) -> str:
        """Its path relative to the data set."""
        return f"{DATA}/{self.split}-{self.number:05d}-of-{self.shards:05d}.parquet"


def plan_shards(config: BuildConfig) -> list[ShardPlan]:
    """All shards in the global order of rows: training last, so that its rows are replaced when a pair repeats."""
    plans = []
    for split in sorted(config.splits, key=lambda split: (split == "train", SPLITS.index(split))):
        samples, size = config.splits[split], config.samples_per_shard
        starts = range(0, samples, size)
        plans += [
            ShardPlan(split, number, len(starts), start, min(size, samples - start))
            for number, start in enumerate(starts)
        ]
    return plans


def shard_schema(config: BuildConfig) -> pa.Schema:
    """The columns of a shard, with the metadata from which `datasets` reads its features, and the config's
    fingerprint."""
    columns = list(SCHEMA)
    if config.tokenizer is not None:
        from .tokens import TOKEN_SCHEMA

        columns += list(TOKEN_SCHEMA)
    features = {column.name: _feature(column.type) for column in columns}
    return pa.schema(columns).with_metadata(
        {b"huggingface": json.dumps({"info": {"features": features}}), _FINGERPRINT: config.fingerprint()}
    )


def _feature(kind: pa.DataType) -> dict[str, Any]:
    """A type in the notation of `datasets.Features`."""
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    return {"dtype": str(kind), "_type": "Value"}


def fingerprint_of(path: Path) -> str | None:
    """The fingerprint in a shard; None if it cannot be read or contains none."""
    try:
        found = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return None
    return found[_FINGERPRINT].decode() if _FINGERPRINT in found else None


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Opens a file for an atomic write: written as `*.part`, flushed to disk, renamed."""
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def garbage_kept() -> Iterator[None]:
    """Disables cyclic garbage collection while rows are made: they are many, and leave almost no cycles."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class ShardMaker:
    """
    Makes the shards of one data set.

    Args:
        config (`BuildConfig`): What the data set is made from.
        folder (`Path`): Its folder; the subfolders for shards and for the work exist.
    """

    def __init__(self, config: BuildConfig, folder: Path):
        self.config, self.folder = config, folder
        self._builders: dict[str, Builder] = {}

    @cached_property
    def schema(self) -> pa.Schema:
        return shard_schema(self.config)

    @cached_property
    def fingerprint(self) -> bytes:
        return self.config.fingerprint().encode()

    def row(self, split: str, index: int, attempt: int = 0) -> dict[str, Any]:
        """
        One row.

        Raises:
            BuildError: It cannot be made; the message names split, index and seed.
        """
        try:
            if split not in self._builders:
                self._builders[split] = Builder(split_config(self.config.builder_config(), split))
            return self._add_tokens(self._builders[split].sample(index, attempt).to_row())
        except Exception as error:
            place = f"split {split}, index {index}, seed {self.config.seed}, attempt {attempt}"
            raise BuildError(
                f"No sample could be made at {place}: {type(error).__name__}: {error}. See where it fails with: show "
                f"--config CONFIG --split {split} --start {index} --num 1"
            ) from error

    @cached_property
    def _add_tokens(self) -> Callable[[dict[str, Any]], dict[str, Any]]:
        if self.config.tokenizer is None:
            return lambda row: row
        from .tokens import load_tokenizer, token_row

        tokenizer = load_tokenizer(self.config.tokenizer)
        return lambda row: {**row, **token_row(row, tokenizer)}

    def make(self, shard: ShardPlan, on_rows: Callable[[int], None]) -> None:
        """Makes a shard with the first attempt of each row; calls `on_rows` with the number of rows done, per row
        group."""
        pairs = np.zeros(shard.samples, PAIR_FIELDS)

        def groups() -> Iterator[pa.Table]:
            for first in range(0, shard.samples, ROWS_PER_GROUP):
                last = min(first + ROWS_PER_GROUP, shard.samples)
                with garbage_kept():
                    rows = [self.row(shard.split, shard.start + place) for place in range(first, last)]
                pairs[first:last] = [_pair(row) for row in rows]
                yield pa.Table.from_pylist(rows, schema=self.schema)
                on_rows(len(rows))

        self._write(shard, groups(), pairs)

    def redraw(self, shard: ShardPlan, places: Sequence[int], on_rows: Callable[[int], None]) -> None:
        """
        Replaces the rows at the given places by their next attempts; the others are unchanged.

        Raises:
            BuildError: A row has no attempts left.
        """
        pairs = np.load(self.pairs_file(shard))

        def groups() -> Iterator[pa.Table]:
            for first, table in _groups(self.folder / shard.file):
                due = [place for place in places if first <= place < first + table.num_rows]
                if due:
                    rows = table.to_pylist()
                    for place in due:
                        rows[place - first] = self._next(shard, place, int(pairs["attempt"][place]) + 1)
                        pairs[place] = _pair(rows[place - first])
                    table = pa.Table.from_pylist(rows, schema=self.schema)
                yield table
                on_rows(len(due))

        self._write(shard, groups(), pairs)

    def _next(self, shard: ShardPlan, place: int, attempt: int) -> dict[str, Any]:
        if attempt > MAX_ATTEMPTS:
            raise BuildError(
                f"`splits.{shard.split}` asks for more samples than there are different ones: index "
                f"{shard.start + place} was drawn {MAX_ATTEMPTS} times, and its prompt and updates were always taken. "
                "Lower the number, or widen `num_facts`, `num_questions`, `num_updates` or `families` of `builder`."
            )
        return self.row(shard.split, shard.start + place, attempt)

    def _write(self, shard: ShardPlan, groups: Iterable[pa.Table], pairs: Pairs) -> None:
        path, pairs_file = self.folder / shard.file, self.pairs_file(shard)
        with whole_file(path) as file:
            with pq.ParquetWriter(file, self.schema, compression="zstd") as writer:
                for table in groups:
                    writer.write_table(table)
            # From here on the old records describe a shard that no longer exists; missing records are recomputed.
            pairs_file.unlink(missing_ok=True)
        self._write_pairs(pairs_file, pairs)

    def pairs_file(self, shard: ShardPlan) -> Path:
        """Path of the file with the hash and the attempt of each row of a shard."""
        return self.folder / WORKING / f"{shard.split}-{shard.number:05d}.npy"

    def _write_pairs(self, path: Path, pairs: Pairs) -> None:
        buffer = BytesIO()  # numpy does not report a full disk when it writes to a file
        np.save(buffer, pairs)
        with whole_file(path) as file:
            file.write(buffer.getbuffer())

    def look(self, shard: ShardPlan, on_rows: Callable[[int], None]) -> str | None:
        """
        Checks an existing shard, and recomputes its records if they are missing.

        Returns:
            `str`: What is wrong with it; None if it is complete and of this config.
        """
        path = self.folder / shard.file
        try:
            with pq.ParquetFile(path) as file:
                if (file.schema_arrow.metadata or {}).get(_FINGERPRINT) != self.fingerprint:
                    return "it was made from another config"
                if file.metadata.num_rows != shard.samples:
                    return f"it holds {file.metadata.num_rows} rows of {shard.samples}"
            _, table = next(_groups(path))
            stored = table.slice(0, 1)
            remade = self.row(shard.split, shard.start, stored["attempt"][0].as_py())
            if stored.to_pylist() != pa.Table.from_pylist([remade], schema=self.schema).to_pylist():
                return "its first row is not what this version of the builder makes"
            if not self._has_pairs(shard):
                columns = _groups(path, ["prompt", "updates", "attempt"])
                pairs = np.array([_pair(row) for _, table in columns for row in table.to_pylist()], PAIR_FIELDS)
                self._write_pairs(self.pairs_file(shard), pairs)
        except (OSError, pa.ArrowException, KeyError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            return f"it cannot be read ({str(error).splitlines()[0].split('. ')[0]})"
        on_rows(shard.samples)
        return None

    def _has_pairs(self, shard: ShardPlan) -> bool:
        try:
            return bool(np.load(self.pairs_file(shard), mmap_mode="r").shape == (shard.samples,))
        except (OSError, ValueError):
            return False


def _pair(row: dict[str, Any]) -> tuple[int, int]:
    return pair_hash(row), row["attempt"]


def _groups(path: Path, columns: list[str] | None = None) -> Iterator[tuple[int, pa.Table]]:
    """Each row group of a file, with the index of its first row."""
    with pq.ParquetFile(path) as file:
        first = 0
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=columns)
            yield first, table
            first += table.num_rows
