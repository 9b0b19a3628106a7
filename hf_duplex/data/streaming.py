"""
Training on a built dataset in place: rows are read from its parquet shards and encoded on demand.

Only a window of row groups is in memory, whatever the size of the dataset. The sampler, in the training process,
determines the order of rows. So the order does not depend on the number of workers, every row occurs once per epoch,
and a resumed run does not encode the rows that it skips.
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
    """The fields of a row that are encoded; used like a [`~dataset_builder.Sample`]."""

    prompt: str
    target: str
    updates: list[dict[str, Any]]

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "RowTexts":
        return cls(row["prompt"], row["initial_target"] + row["revised_target"], row["updates"])


@dataclass(frozen=True)
class RowGroup:
    """Rows of a shard that are read together."""

    path: Path
    number: int
    samples: int

    def read(self) -> "pa.Table":
        """Reads the columns that are encoded."""
        import pyarrow.parquet as pq

        # No threads: workers are forked, and there are enough of them.
        with pq.ParquetFile(self.path) as file:
            return file.read_row_group(self.number, columns=list(COLUMNS), use_threads=False)


def open_split(folder: str | Path, split: str) -> list[Shard]:
    """
    The shards of one split.

    Args:
        folder (`str` or `Path`): The output of `hf-duplex data build`.
        split (`str`): The split.

    Raises:
        ValueError: The folder, its dataset or the split does not exist; the message names `data`.
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
        ValueError: As in [`open_split`].
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
        ValueError: The file is missing, cannot be read, or its number of rows differs from the manifest.
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
    One split of a built dataset, encoded on the fly; row i is the i-th row of the concatenated shards.

    It has a length and random access, so the Trainer and accelerate distribute it over processes and workers like any
    other dataset. In the order of a [`ShardSampler`], each worker reads a row group once for each window that contains
    a part of it, one or two; in random order it reads groups repeatedly.

    Args:
        folder (`str` or `Path`): The output of `hf-duplex data build`.
        tokenizer (`PreTrainedTokenizerBase`): Encodes the samples.
        split (`str`, *optional*, defaults to `"train"`): The split.
        window (`int`, *optional*, defaults to 16384): Number of rows that are shuffled together. Each worker
            holds about as many in memory.

    Attributes:
        groups (`list[RowGroup]`): The row groups.
        epoch (`int`): Determines the order, with the seed of a sampler.

    Raises:
        ValueError: The folder, its dataset or the split does not exist; a shard is missing or broken; or `window` is
            below 1.
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
        # In any order of groups, a window can begin and end within a group.
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
        # A worker that is not forked reads the tables itself.
        return {**vars(self), "_tables": OrderedDict()}

    def set_epoch(self, epoch: int) -> None:
        """Changes the order of samplers of this dataset. The Trainer and accelerate call it."""
        self.epoch = epoch

    def rows(self, number: int) -> range:
        """The indices of the rows of a group."""
        end = int(self.ends[number])
        return range(end - self.groups[number].samples, end)

    def lengths(self, number: int) -> np.ndarray:
        """Text bytes of each row of a group, `(samples,)`, roughly proportional to tokens."""
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
        """The rows of a group, read if not in memory. Evicts the least recently used groups."""
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
    Iterates over a [`ShardDataset`] once. Seed, epoch and batch size determine the order: row groups in random order,
    one window of rows at a time. The rows of a window are shuffled, rows of similar length are batched within lots,
    and the batches are shuffled.

    Args:
        dataset (`ShardDataset`): The dataset.
        batch_size (`int`): Samples in a batch, over all processes. At most the window of the dataset is used.
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
        """Row indices and lengths of windows with full batches only; the last may be smaller."""
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
        """One window `(rows,)`, batch by batch. Randomly chosen rows that do not fill a batch come last."""
        mixed = rng.permutation(len(rows))
        full = len(rows) // self.batch_size
        batched, others = mixed[: full * self.batch_size], mixed[full * self.batch_size :]
        # At least two lots: sorting all rows together would give the same batches in every epoch.
        size = self.batch_size * max(1, min(SORTED_BATCHES, full // 2))
        batched = batched[np.lexsort((lengths[batched], np.arange(len(batched)) // size))]
        batches = batched.reshape(full, self.batch_size)[rng.permutation(full)]
        return rows[np.concatenate([batches.reshape(-1), others])]
