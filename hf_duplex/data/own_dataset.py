"""Conversations of a user's data as samples: encoded once, and batched by similar length."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch.utils.data import Dataset, Sampler
from tqdm.auto import tqdm

from .dataset import CurriculumSampler, pack, unpack
from .encoding import EncodedSample
from .own import Conversation


if TYPE_CHECKING:
    import datasets


# Batches whose samples are sorted by length together.
WINDOW = 96


class OwnDataset(Dataset):
    """
    Encoded conversations.

    Args:
        conversations (`Sequence[Conversation]`): As from [`read_conversations`].
        encode (`Callable[[Conversation], EncodedSample]`): Encodes one, as in
            `partial(encode_conversation, tokenizer)`.

    Attributes:
        lengths (`np.ndarray` of shape `(samples,)`): Approximate number of tokens per sample, over all streams.
        emitted (`np.ndarray` of the same shape): Number of emitted tokens per sample.
        epoch (`int`): Determines the order, with the seed of a sampler.

    Raises:
        ValueError: There is no conversation, or `encode` rejects one.
    """

    def __init__(self, conversations: Sequence[Conversation], encode: Callable[[Conversation], EncodedSample]):
        if not len(conversations):
            raise ValueError("`conversations` is empty; give at least one.")
        self.epoch = 0
        shown = tqdm(conversations, desc="Encoding conversations", disable=len(conversations) < 1000)
        self._packed = [pack(encode(conversation)) for conversation in shown]
        self.lengths = np.array([len(packed) for packed in self._packed])
        # See [`pack`].
        self.emitted = np.array([packed[1] for packed in self._packed])

    def __len__(self) -> int:
        return len(self._packed)

    def __getitem__(self, index: int) -> EncodedSample:
        if not 0 <= index < len(self):
            raise IndexError(f"index {index} is outside a data set of {len(self)} samples.")
        return unpack(self._packed[index])

    def set_epoch(self, epoch: int) -> None:
        """Changes the order of samplers of this dataset. The Trainer and accelerate call it."""
        self.epoch = epoch


class OwnSampler(Sampler[int]):
    """
    Iterates over an [`OwnDataset`] once. Seed, epoch and batch size determine the order: samples are shuffled, and
    those of similar length are batched as by a [`CurriculumSampler`].

    Args:
        dataset (`OwnDataset`): The data set.
        batch_size (`int`): Samples in a batch, over all processes.
        seed (`int`, *optional*, defaults to 0): Another seed gives another order.
    """

    def __init__(self, dataset: OwnDataset, batch_size: int, seed: int = 0):
        self.dataset, self.batch_size, self.seed = dataset, batch_size, seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[int]:
        seed, size = self.seed + self.dataset.epoch, self.batch_size
        order = np.random.default_rng(seed).permutation(len(self))
        lengths, emitted = self.dataset.lengths[order], self.dataset.emitted[order]
        # At least two windows: sorting all samples together would give the same batches in every epoch.
        window = max(1, min(WINDOW, len(self) // size // 2))
        batched = CurriculumSampler(lengths, size, window=window, seed=seed, emitted=emitted)
        yield from (int(order[index]) for index in batched)


def encoded_features() -> "datasets.Features":
    """
    The columns of encoded samples, for `datasets.Dataset.map(..., features=encoded_features())`. Without them, the
    type of `update_ids` is inferred from the first rows, which may have no update.
    """
    from datasets import Features, Value

    whole = Value("int64")
    return Features(
        {"input_ids": [whole], "prompt_ids": [whole], "update_ids": [[whole]], "update_positions": [whole]}
    )
