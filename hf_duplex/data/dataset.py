"""A curriculum of samples, generated once in parallel and stored as token ids. The seed and i determine sample i."""

import dataclasses
import hashlib
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from torch.utils.data import Dataset, Sampler
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerBase

from dataset_builder import Builder, BuilderConfig

from .encoding import EncodedSample, encode_sample


# Samples that a worker generates at a time.
CHUNK = 1000


@dataclass
class Phase:
    """
    One phase of a curriculum.

    Args:
        samples (`int`): Number of samples.
        builder (`dict[str, Any]`, *optional*): Fields of [`~dataset_builder.BuilderConfig`], except `split` and
            `seed`, which the dataset sets.
        name (`str`, *optional*): Name in logs.
        passes (`int`, *optional*, defaults to 1): Number of passes over its samples.
    """

    samples: int
    builder: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    passes: int = 1

    def __post_init__(self):
        for name in ("samples", "passes"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"`{name}` of phase {self.name!r} must be a whole number from 1, got {value!r}.")
        fields = {entry.name for entry in dataclasses.fields(BuilderConfig)} - {"split", "seed"}
        unknown = sorted(set(self.builder) - fields)
        if unknown:
            raise ValueError(
                f"`builder` of phase {self.name!r} has no field {', '.join(unknown)}; choose from "
                f"{', '.join(sorted(fields))}."
            )
        try:
            BuilderConfig(**self.builder)
        except ValueError as error:
            raise ValueError(f"`builder` of phase {self.name!r}: {error}") from error


def pack(sample: EncodedSample) -> np.ndarray:
    """One sample as an array: number and lengths of its streams, positions of its updates, then the streams."""
    streams = [sample["input_ids"], sample["prompt_ids"], *sample["update_ids"]]
    head = [len(streams), *map(len, streams), *sample["update_positions"]]
    return np.array(head + [token for stream in streams for token in stream], dtype=np.int32)


def unpack(packed: np.ndarray) -> EncodedSample:
    """The inverse of [`pack`]."""
    values = packed.tolist()
    n_streams = values[0]
    lengths, positions = values[1 : 1 + n_streams], values[1 + n_streams : 2 * n_streams - 1]
    streams, at = [], 2 * n_streams - 1
    for length in lengths:
        streams.append(values[at : at + length])
        at += length
    return EncodedSample(
        input_ids=streams[0], prompt_ids=streams[1], update_ids=streams[2:], update_positions=positions
    )


def _make_chunk(task: tuple[PreTrainedTokenizerBase, BuilderConfig, int, int]) -> tuple[np.ndarray, list[int]]:
    tokenizer, config, start, stop = task
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    builder = Builder(config)
    packed = [pack(encode_sample(tokenizer, builder.sample(index))) for index in range(start, stop)]
    return np.concatenate(packed), [len(sample) for sample in packed]


class CurriculumDataset(Dataset):
    """
    Encoded samples of consecutive phases.

    Args:
        phases (`Sequence[Phase]`): The curriculum.
        tokenizer (`PreTrainedTokenizerBase`): Encodes the samples.
        split (`str`, *optional*, defaults to `"train"`): The builder's split.
        seed (`int`, *optional*, defaults to 0): Another seed gives other samples.
        num_proc (`int`, *optional*, defaults to 1): Processes that generate samples; the result does not depend on it.
        cache_dir (`str`, *optional*): Store samples there, for later runs and other processes.

    Attributes:
        lengths (`np.ndarray` of shape `(samples,)`): Approximate number of tokens per sample, over all streams.
        emitted (`np.ndarray` of the same shape): Number of emitted tokens per sample.
    """

    def __init__(
        self,
        phases: Sequence[Phase],
        tokenizer: PreTrainedTokenizerBase,
        split: str = "train",
        seed: int = 0,
        num_proc: int = 1,
        cache_dir: str | None = None,
    ):
        if not phases:
            raise ValueError("`phases` is empty: a curriculum needs at least one.")
        tasks, order, first = [], [], 0
        for phase in phases:
            config = BuilderConfig(split=split, seed=seed, **phase.builder)
            last = first + phase.samples
            order += [np.arange(first, last)] * phase.passes
            tasks += [(tokenizer, config, start, min(start + CHUNK, last)) for start in range(first, last, CHUNK)]
            first = last
        if cache_dir is None:
            self.tokens, lengths = self._make_all(tasks, num_proc, split)
        else:
            Path(cache_dir).mkdir(parents=True, exist_ok=True)
            path = Path(cache_dir, f"{split}-{self._digest(tasks)}.npz")
            with FileLock(f"{path}.lock"):
                if not path.exists():
                    tokens, lengths = self._make_all(tasks, num_proc, split)
                    with open(f"{path}.part", "wb") as part:
                        np.savez(part, tokens=tokens, lengths=lengths)
                    Path(f"{path}.part").rename(path)
            stored = np.load(path)
            self.tokens, lengths = stored["tokens"], stored["lengths"]
        self.order = np.concatenate(order)
        self.ends = lengths.cumsum(dtype=np.int64)[self.order]
        self.lengths = lengths[self.order]
        # See [`pack`].
        self.emitted = self.tokens[self.ends - self.lengths + 1]

    @staticmethod
    def _digest(tasks: list) -> str:
        """
        A digest of what determines the samples: tokenizer, builder configurations and ranges; and of a few samples, to
        detect changes in the builder.
        """
        tokenizer = tasks[0][0].backend_tokenizer.to_str()
        few = tasks[:: 1 + len(tasks) // 64]
        made = [_make_chunk((*task[:3], min(task[2] + 4, task[3])))[0].tolist() for task in few]
        facts = repr((tokenizer, [task[1:] for task in tasks], made))
        return hashlib.blake2b(facts.encode(), digest_size=8).hexdigest()

    @classmethod
    def _make_all(cls, tasks: list, num_proc: int, split: str) -> tuple[np.ndarray, np.ndarray]:
        made = tqdm(cls._make(tasks, num_proc), total=len(tasks), desc=f"Making {split} samples", unit="k")
        chunks, lengths = zip(*made, strict=True)
        return np.concatenate(chunks), np.concatenate([np.array(chunk, dtype=np.int32) for chunk in lengths])

    @staticmethod
    def _make(tasks: list, num_proc: int) -> Iterator:
        if num_proc <= 1 or len(tasks) == 1:
            yield from map(_make_chunk, tasks)
            return
        with multiprocessing.Pool(min(num_proc, len(tasks))) as pool:
            yield from pool.imap(_make_chunk, tasks)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> EncodedSample:
        if not 0 <= index < len(self):
            raise IndexError(f"index {index} is outside a data set of {len(self)} samples.")
        end = self.ends[index]
        return unpack(self.tokens[end - self.lengths[index] : end])


class CurriculumSampler(Sampler[int]):
    """
    Keeps the order of a curriculum, and batches samples of similar length: within a window of batches, samples are
    sorted by incoming length into a few strips, each strip is sorted by emitted length, and the batches of the window
    are shuffled.

    Args:
        lengths (`Sequence[int]` or `np.ndarray`): The length of each sample.
        batch_size (`int`): Samples in a batch, over all processes.
        window (`int`, *optional*, defaults to 96): Batches in a window.
        seed (`int`, *optional*, defaults to 0): Seed of the order of batches.
        emitted (`Sequence[int]` or `np.ndarray`, *optional*): The emitted length of each sample. Without it,
            samples are sorted by length only.
        strips (`int`, *optional*, defaults to 4): Strips of a window.
    """

    def __init__(
        self,
        lengths: Sequence[int] | np.ndarray,
        batch_size: int,
        window: int = 96,
        seed: int = 0,
        emitted: Sequence[int] | np.ndarray | None = None,
        strips: int = 4,
    ):
        self.lengths, self.batch_size, self.window, self.seed = np.asarray(lengths), batch_size, window, seed
        self.emitted = self.lengths if emitted is None else np.asarray(emitted)
        self.strips = 1 if emitted is None else strips

    def __len__(self) -> int:
        return len(self.lengths)

    def _sorted(self, start: int, stop: int) -> np.ndarray:
        """The samples of a window, sorted so that neighbors have similar lengths."""
        emitted = self.emitted[start:stop]
        heard = self.lengths[start:stop] - emitted
        # Each strip has whole batches, so that no batch mixes samples of two strips.
        size = max(1, -(-len(emitted) // self.strips // self.batch_size)) * self.batch_size
        by_heard = np.argsort(heard, kind="stable")
        strips = [by_heard[at : at + size] for at in range(0, len(by_heard), size)]
        return start + np.concatenate([strip[np.argsort(emitted[strip], kind="stable")] for strip in strips])

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed)
        size = self.batch_size * self.window
        for start in range(0, len(self), size):
            by_length = self._sorted(start, min(start + size, len(self)))
            batches = [by_length[at : at + self.batch_size] for at in range(0, len(by_length), self.batch_size)]
            # An incomplete batch stays last; otherwise the following batches would shift.
            full = sum(len(batch) == self.batch_size for batch in batches)
            for number in [*torch.randperm(full, generator=generator).tolist(), *range(full, len(batches))]:
                yield from batches[number].tolist()
