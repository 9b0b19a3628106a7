"""
A built data set, trained on where it lies: rows are read from its parquet shards and encoded when they are due.

Only a window of row groups is in memory, however large the data set. The order of rows is decided by the sampler, in
the process that trains: so it does not depend on how many workers encode them, every row comes once in an epoch, and
what a resumed run skips is not encoded again.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from torch.utils.data import Dataset, Sampler
from transformers import PreTrainedTokenizerBase

from dataset_builder import Sample
from dataset_builder.build.stored import Shard, StoredDataset

from .encoding import EncodedSample, encode_sample


if TYPE_CHECKING:
    import pyarrow as pa


COLUMNS = ("prompt", "initial_target", "revised_target", "updates")
# Batches whose samples are sorted by length together, as many as a `CurriculumSampler` sorts.
SORTED_BATCHES = 32


@dataclass(frozen=True)
class RowTexts:
    """What is encoded of a row; it stands for a [`~dataset_builder.Sample`], of which no more is read."""

    prompt: str
    target: str
    updates: list[dict[str, Any]]

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "RowTexts":
        return cls(row["prompt"], row["initial_target"] + row["revised_target"], row["updates"])


@dataclass(frozen=True)
class RowGroup:
    """The rows of a shard that are read at once."""

    path: Path
    number: int
    samples: int

    def read(self) -> "pa.Table":
        """The columns that are encoded."""
        import pyarrow.parquet as pq

        # Workers are forked, and there are enough of them: no threads.
        with pq.ParquetFile(self.path) as file:
            return file.read_row_group(self.number, columns=list(COLUMNS), use_threads=False)


def open_split(folder: str | Path, split: str) -> list[Shard]:
    """
    The shards of one split.

    Args:
        folder (`str` or `Path`): What `hf-duplex data build` built.
        split (`str`): Which of its splits.

    Raises:
        ValueError: There is no such folder, no data set in it, or no such split; the message names `data`.
    """
    try:
        stored = StoredDataset(folder)
    except ValueError as error:
        raise ValueError(f"`data`: {str(error).removeprefix('`dir`: ')}") from error
    if not stored.shards.get(split):
        raise ValueError(
            f"`data`: {folder} has no split {split!r}, only {', '.join(stored.splits) or 'none'}; name it in `splits` "
            "of the build config, and build anew."
        )
    return stored.shards[split]


def first_texts(folder: str | Path, count: int) -> Iterator[str]:
    """
    Prompts, emitted texts and updates of the first `count` rows for training.

    Raises:
        ValueError: As [`open_split`] does.
    """
    rows = chain.from_iterable(shard.rows(COLUMNS) for shard in open_split(folder, "train"))
    for row in islice(rows, count):
        texts = RowTexts.from_row(row)
        yield texts.prompt
        yield texts.target
        yield from (update["text"] for update in texts.updates)


def _row_groups(shard: Shard) -> list[RowGroup]:
    """
    Raises:
        ValueError: The file is missing, cannot be read, or holds more or fewer rows than the manifest tells.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(shard.path)
    except (OSError, pa.ArrowException) as error:
        raise _broken(shard, f"cannot be read ({str(error).splitlines()[0]})") from error
    if metadata.num_rows != shard.samples:
        raise _broken(shard, f"holds {metadata.num_rows} rows of {shard.samples}")
    return [
        RowGroup(shard.path, number, metadata.row_group(number).num_rows) for number in range(metadata.num_row_groups)
    ]


def _broken(shard: Shard, what: str) -> ValueError:
    return ValueError(f"`data`: {shard.path} {what}; `hf-duplex data check` tells what else is wrong. Build it anew.")


class ShardDataset(Dataset):
    """
    One split of a built data set, encoded on the fly; row i is that of the shards one after the other.

    It has a length and any row can be asked for, so that the Trainer and accelerate share it out among processes and
    workers as any other data set. In the order of a [`ShardSampler`] each worker reads a row group once for each
    window that has some of it, one or two; in random order it reads them again and again.

    Args:
        folder (`str` or `Path`): What `hf-duplex data build` built.
        tokenizer (`PreTrainedTokenizerBase`): Encodes the samples.
        split (`str`, *optional*, defaults to `"train"`): Which of its splits.
        window (`int`, *optional*, defaults to 16384): Rows that are mixed with each other. About as many are in
            memory, in each worker.

    Attributes:
        groups (`list[RowGroup]`): Where the rows lie.
        epoch (`int`): Decides, with the seed of a sampler, the order.

    Raises:
        ValueError: There is no such folder, no data set in it, or no such split; a shard is missing or broken; or
            `window` is below 1.
    """

    def __init__(
        self,
        folder: str | Path,
        tokenizer: PreTrainedTokenizerBase,
        split: str = "train",
        window: int = 16384,
    ):
        if window < 1:
            raise ValueError(f"`window` must be at least 1, got {window}.")
        self.tokenizer, self.window, self.epoch = tokenizer, window, 0
        self.groups = [group for shard in open_split(folder, split) for group in _row_groups(shard)]
        self.ends = np.cumsum([group.samples for group in self.groups], dtype=np.int64)
        # A window of rows that follow each other in any order of groups begins and ends within a group.
        self._most_rows = window + 2 * max(group.samples for group in self.groups)
        self._tables: OrderedDict[int, pa.Table] = OrderedDict()

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: int) -> EncodedSample:
        if not 0 <= index < len(self):
            raise IndexError(f"index {index} is outside a data set of {len(self)} samples.")
        number = int(np.searchsorted(self.ends, index, side="right"))
        row = self._table(number).slice(index - self.rows(number).start, 1).to_pylist()[0]
        return encode_sample(self.tokenizer, cast(Sample, RowTexts.from_row(row)))

    def __getstate__(self) -> dict[str, Any]:
        # A worker that is not forked reads for itself.
        return {**vars(self), "_tables": OrderedDict()}

    def set_epoch(self, epoch: int) -> None:
        """Has the samplers of this data set take another order; the Trainer and accelerate call it."""
        self.epoch = epoch

    def rows(self, number: int) -> range:
        """The indices of the rows of a group."""
        end = int(self.ends[number])
        return range(end - self.groups[number].samples, end)

    def lengths(self, number: int) -> np.ndarray:
        """How many bytes the texts of each row of a group have, `(samples,)`: tokens go with them."""
        import pyarrow.compute as pc

        table = self._table(number).combine_chunks()
        total = np.zeros(table.num_rows, dtype=np.int64)
        for name in ("prompt", "initial_target", "revised_target"):
            total += pc.binary_length(table[name]).to_numpy()
        row = pc.list_parent_indices(table["updates"]).to_numpy()
        texts = pc.struct_field(pc.list_flatten(table["updates"]), "text")
        np.add.at(total, row, pc.binary_length(texts).to_numpy())
        return total

    def _table(self, number: int) -> "pa.Table":
        """The rows of a group, read if they are not in memory; those that were not used the longest make room."""
        if number in self._tables:
            self._tables.move_to_end(number)
            return self._tables[number]
        table = self._tables[number] = self.groups[number].read()
        held = sum(other.num_rows for other in self._tables.values())
        while held > self._most_rows:
            held -= self._tables.popitem(last=False)[1].num_rows
        return table


class ShardSampler(Sampler[int]):
    """
    Goes through a [`ShardDataset`] once, in an order that seed, epoch and batch size decide: row groups in random
    order, a window of rows at a time; its rows are mixed, those of like length among some are batched, and the
    batches come in random order.

    Args:
        dataset (`ShardDataset`): What to go through.
        batch_size (`int`): Samples in a batch, over all processes. If it is more than a window, it is taken for one.
        seed (`int`, *optional*, defaults to 0): Another seed gives another order.

    Raises:
        ValueError: `batch_size` is below 1.
    """

    def __init__(self, dataset: ShardDataset, batch_size: int, seed: int = 0):
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1, got {batch_size}.")
        self.dataset, self.batch_size, self.seed = dataset, min(batch_size, dataset.window), seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.dataset.epoch])
        for rows, lengths in self._windows(rng.permutation(len(self.dataset.groups)).tolist()):
            yield from self._batches(rows, lengths, rng).tolist()

    def _windows(self, order: Sequence[int]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Row indices and lengths, as many at a time as make full batches; the last may be fewer."""
        size = self.dataset.window // self.batch_size * self.batch_size
        rows = lengths = np.zeros(0, dtype=np.int64)
        for number in order:
            rows = np.concatenate([rows, self.dataset.rows(number)])
            lengths = np.concatenate([lengths, self.dataset.lengths(number)])
            while len(rows) >= size:
                yield rows[:size], lengths[:size]
                rows, lengths = rows[size:], lengths[size:]
        if len(rows):
            yield rows, lengths

    def _batches(self, rows: np.ndarray, lengths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One window `(rows,)`, batch after batch. What makes no full batch is left to chance, and comes last."""
        mixed = rng.permutation(len(rows))
        full = len(rows) // self.batch_size
        batched, others = mixed[: full * self.batch_size], mixed[full * self.batch_size :]
        # At least two lots: were all rows sorted together, those of a batch would be the same in every epoch.
        size = self.batch_size * max(1, min(SORTED_BATCHES, full // 2))
        batched = batched[np.lexsort((lengths[batched], np.arange(len(batched)) // size))]
        batches = batched.reshape(full, self.batch_size)[rng.permutation(full)]
        return rows[np.concatenate([batches.reshape(-1), others])]
