"""
A stream of training batches out of several sources, made while training: sample i is a function of the seed and i.

Samples are drawn in pools, sorted by length within a pool, and cut into batches, so that little is padded.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import torch
from torch.utils.data import IterableDataset, get_worker_info

from dataset_builder import END, Builder, BuilderConfig
from dataset_builder.families.everyday import sample as everyday_sample

from .chat_encoding import ChatEncoder
from .collators import ChannelCollator
from .encoding import EncodedSample
from .own import read_conversations


KINDS = ("families", "everyday", "data", "chat")


@dataclass
class Source:
    """
    Where samples come from.

    Args:
        kind (`str`): `"families"`, the eight synthetic families; `"everyday"`, interruptions in plain English;
            `"data"`, a user's own conversations; `"chat"`, ordinary chat without updates, on which the model is held
            to its base.
        share (`float`, *optional*, defaults to 1.0): How often it is drawn, relative to the others. Of `chat`: how
            many conversations go with each sample of the others.
        path (`str`, *optional*): The file of `data` and `chat`, JSON lines.
        builder (`dict`, *optional*): Fields of [`~dataset_builder.BuilderConfig`], for `families`.
    """

    kind: str
    share: float = 1.0
    path: str | None = None
    builder: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"`sources`: `kind` must be one of {', '.join(KINDS)}, got {self.kind!r}.")
        if not self.share > 0:
            raise ValueError(f"`sources`: `share` of {self.kind} must be above 0, got {self.share!r}.")
        if (self.path is not None) != (self.kind in ("data", "chat")):
            need = "needs" if self.path is None else "takes no"
            raise ValueError(f"`sources`: {self.kind} {need} `path`.")
        known = {entry.name for entry in dataclasses.fields(BuilderConfig)} - {"split", "seed"}
        if self.kind != "families" and self.builder or not set(self.builder) <= known:
            raise ValueError(f"`sources`: `builder` of {self.kind} holds unknown fields: {sorted(self.builder)}.")


def read_sources(listed: Any) -> list[Source]:
    """
    Sources as a YAML file lists them.

    Raises:
        ValueError: The list is empty or an entry is unusable; the message names the field.
    """
    if not isinstance(listed, list) or not listed:
        raise ValueError("`sources`: list at least one, each with its `kind`.")
    known = {entry.name for entry in dataclasses.fields(Source)}
    for entry in listed:
        if not isinstance(entry, dict) or "kind" not in entry or not set(entry) <= known:
            raise ValueError(f"`sources`: an entry has {', '.join(sorted(known))}, got {entry!r}.")
    sources = [Source(**entry) for entry in listed]
    if all(source.kind == "chat" for source in sources):
        raise ValueError("`sources`: chat alone teaches nothing: name another source beside it.")
    return sources


class Drawer:
    """
    Draws encoded samples.

    Args:
        source (`Source`): Where from.
        encoder (`ChatEncoder`): Encodes them.
        seed (`int`): With the number of a sample, decides what it is.
        split (`str`, *optional*, defaults to `"train"`): The split of the synthetic sources.
    """

    def __init__(self, source: Source, encoder: ChatEncoder, seed: int, split: str = "train"):
        self.source, self.encoder, self.seed, self.split = source, encoder, seed, split
        if source.kind == "families":
            self.builder = Builder(BuilderConfig(split=split, seed=seed, **source.builder))
        elif source.path is not None:
            self.conversations = read_conversations(source.path)

    def __call__(self, index: int) -> EncodedSample:
        if self.source.kind == "families":
            return self.encoder.sample(self.builder.sample(index))
        if self.source.kind == "everyday":
            made = everyday_sample(Random(f"{self.seed} {self.split} {index}"), split=self.split)
            text = made["text"] if made["text"].endswith(END) else made["text"] + END
            updates = [(update["after_chars"], update["text"]) for update in made["updates"]]
            return self.encoder(made["prompt"], text, updates)
        order = Random(f"{self.seed} {index // len(self.conversations)}")
        chosen = order.sample(range(len(self.conversations)), len(self.conversations))
        return self.encoder.conversation(self.conversations[chosen[index % len(chosen)]])


def tokens_of(sample: EncodedSample) -> int:
    """How many tokens a sample has, all streams together."""
    return len(sample["input_ids"]) + len(sample["prompt_ids"]) + sum(map(len, sample["update_ids"]))


class MixedBatches(IterableDataset):
    """
    Batches out of several sources.

    Args:
        sources (`Sequence[Source]`): Where samples come from.
        encoder (`ChatEncoder`): Encodes them.
        batch_size (`int`): Samples in a batch.
        seed (`int`, *optional*, defaults to 0): Another seed gives other samples.
        pool (`int`, *optional*, defaults to 8): Batches that are sorted by length together.
        max_tokens (`int`, *optional*, defaults to 640): Longer samples are left out.
        after_update (`float`, *optional*, defaults to 0.0): Share of batches in which the additions act from the
            first update on only, as with `scope="after_update"`.
        start (`int`, *optional*, defaults to 0): The first batch, to go on from.

    Yields dictionaries as [`ChannelCollator`] makes them, with `acts` `(batch,)`; and under `chat` a batch of ordinary
    chat, where there is a source of it.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        encoder: ChatEncoder,
        batch_size: int,
        seed: int = 0,
        pool: int = 8,
        max_tokens: int = 640,
        after_update: float = 0.0,
        start: int = 0,
    ):
        self.sources = [source for source in sources if source.kind != "chat"]
        self.chat = [source for source in sources if source.kind == "chat"]
        self.encoder, self.batch_size, self.seed, self.pool = encoder, batch_size, seed, pool
        self.max_tokens, self.after_update, self.start = max_tokens, after_update, start

    def __iter__(self) -> Iterator[dict[str, Any]]:
        info = get_worker_info()
        workers, worker = (1, 0) if info is None else (info.num_workers, info.id)
        self.drawers = [Drawer(source, self.encoder, self.seed) for source in self.sources]
        self.chat_drawers = [Drawer(source, self.encoder, self.seed) for source in self.chat]
        self.collator = ChannelCollator(self.encoder.tokenizer)
        # The loader takes turns: batch b comes from worker b % workers.
        done = len(range(worker, self.start, workers))
        pool, skip = divmod(done, self.pool)
        while True:
            batches = self.batches(pool * workers + worker)
            yield from batches[skip:]
            pool, skip = pool + 1, 0

    def batches(self, number: int) -> list[dict[str, Any]]:
        """The batches of one pool."""
        rng = Random(f"{self.seed} pool {number}")
        size = self.batch_size * self.pool
        shares = [source.share for source in self.sources]
        samples: list[EncodedSample] = []
        index = number * size
        while len(samples) < size:
            drawer = rng.choices(self.drawers, shares)[0]
            sample = drawer(index + len(samples) if drawer.source.kind != "data" else rng.randrange(10**9))
            if tokens_of(sample) <= self.max_tokens:
                samples.append(sample)
            else:
                index += 1
        samples.sort(key=lambda sample: (tokens_of(sample) // 32, len(sample["input_ids"])))
        starts = list(range(0, size, self.batch_size))
        rng.shuffle(starts)
        return [self._batch(samples[start : start + self.batch_size], rng) for start in starts]

    def _batch(self, samples: list[EncodedSample], rng: Random) -> dict[str, Any]:
        batch: dict[str, Any] = self.collator(samples)
        acts = rng.random() >= self.after_update
        batch["acts"] = torch.full((len(samples),), acts)
        if not acts and "update_positions" in batch:
            # Until the first update nothing acts that could be trained.
            first = batch["update_positions"].min(1, keepdim=True).values
            column = torch.arange(batch["labels"].shape[1])
            batch["labels"] = batch["labels"].masked_fill(column < first, -100)
        if self.chat_drawers:
            source = rng.choice(self.chat_drawers)
            count = max(1, round(source.source.share * self.batch_size))
            batch["chat"] = self.collator([source(rng.randrange(10**9)) for _ in range(count)])
        return batch
