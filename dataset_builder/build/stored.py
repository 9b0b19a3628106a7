"""A data set on disk: its manifest, its shards, and their rows in stored order.

A folder holds `build.json`, the manifest, and `data/{split}-{shard}-of-{shards}.parquet`. All reads take one row group
at a time, so that memory does not grow with the number of rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    import pyarrow as pa

    from ..config import BuilderConfig


MANIFEST = "build.json"
DATA = "data"


@dataclass(frozen=True)
class Shard:
    """
    One parquet file, as described by the manifest.

    Args:
        split (`str`): The split that all of its rows belong to.
        path (`Path`): Its path.
        file (`str`): Its name relative to the data set: `"data/train-00000-of-00002.parquet"`.
        samples (`int`): Number of rows.
        sha256 (`str`): Hash of its bytes, in hexadecimal digits.
    """

    split: str
    path: Path
    file: str
    samples: int
    sha256: str

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[tuple[int, pa.Table]]:
        """Each row group, or only the given columns of it, with the index of its first row in the file."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path) as file:
            first = 0
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=None if columns is None else list(columns))
                yield first, table
                first += table.num_rows

    def rows(self, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """Every row as a dictionary."""
        for _, table in self.batches(columns):
            yield from table.to_pylist()

    def take(self, numbers: Sequence[int], columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """
        Reads some rows.

        Args:
            numbers (`Sequence[int]`): Indices of rows in the file, in ascending order.
            columns (`Sequence[str]`, *optional*, defaults to all): Which columns to read.
        """
        import pyarrow.parquet as pq

        taken: list[dict[str, Any]] = []
        with pq.ParquetFile(self.path) as file:
            first = 0
            for group in range(file.num_row_groups):
                count = file.metadata.row_group(group).num_rows
                wanted = [number - first for number in numbers if first <= number < first + count]
                if wanted:
                    table = file.read_row_group(group, columns=None if columns is None else list(columns))
                    taken += table.take(wanted).to_pylist()
                first += count
        return taken


class StoredDataset:
    """
    A finished data set.

    Args:
        folder (`str` or `Path`): Where it was built.

    Raises:
        ValueError: There is no such folder, or it has no readable manifest.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        path = self.folder / MANIFEST
        if not self.folder.is_dir():
            raise ValueError(f"`dir`: there is no folder {self.folder}; give the one that a data set was built into.")
        if not path.is_file():
            raise ValueError(
                f"`dir`: {self.folder} holds no {MANIFEST}, so no finished data set; build it, or give its folder."
            )
        try:
            self.manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            self.config: dict[str, Any] = self.manifest["config"]
            self.shards = {
                split: [
                    Shard(split, self.folder / DATA / Path(made["file"]).name, *self._told(made))
                    for made in told["shards"]
                ]
                for split, told in self.manifest["splits"].items()
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"`dir`: {path} is no manifest that can be read ({error!r}); build anew.") from error

    @staticmethod
    def _told(shard: dict[str, Any]) -> tuple[str, int, str]:
        return f"{DATA}/{Path(shard['file']).name}", int(shard["samples"]), str(shard["sha256"])

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(self.shards)

    @property
    def samples(self) -> int:
        """Number of rows in all splits."""
        return sum(shard.samples for shard in self.all_shards)

    @cached_property
    def all_shards(self) -> list[Shard]:
        return [shard for shards in self.shards.values() for shard in shards]

    @cached_property
    def builder_config(self) -> BuilderConfig:
        """
        The configuration of the builder, before any split changes it.

        Raises:
            ValueError: This version of the builder does not support it.
        """
        from ..config import BuilderConfig

        fields = {name: _untupled(value) for name, value in (self.config.get("builder") or {}).items()}
        try:
            return BuilderConfig(**{"seed": self.config.get("seed", 0), **fields})
        except TypeError as error:
            raise ValueError(f"`dir`: {self.folder / MANIFEST} was written by another version: {error}.") from error

    def spread(self, split: str, num: int) -> list[tuple[Shard, list[int]]]:
        """At most `num` rows of a split, evenly spread over all of it: the shards, and the rows of each."""
        total = sum(shard.samples for shard in self.shards[split])
        num = min(num, total)
        wanted = [number * total // num for number in range(num)]
        chosen, first = [], 0
        for shard in self.shards[split]:
            numbers = [number - first for number in wanted if first <= number < first + shard.samples]
            first += shard.samples
            if numbers:
                chosen.append((shard, numbers))
        return chosen


def _untupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
