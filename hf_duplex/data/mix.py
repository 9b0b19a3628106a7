"""
A stream of training batches from several sources, generated during training. The seed and i determine sample i.

Samples are packed: a batch holds as many as fit into its token budget.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import torch
from torch.utils.data import IterableDataset, get_worker_info

from dataset_builder import END, Builder, BuilderConfig
from dataset_builder.families.everyday import sample as everyday_sample

from ..modeling.packed_adapter import Budget, PackedBatch
from ..modeling.streams import Streams
from .chat_encoding import ChatEncoder
from .collators import ChannelCollator
from .encoding import EncodedSample
from .open_chat import OpenChat
from .own import Conversation, read_conversations


# After this many consecutive conversations that do not fit into a batch, raise an error.
MOST_SKIPPED = 1000
KINDS = ("families", "everyday", "data", "open", "chat")
WITH_PATH = ("data", "open", "chat")


@dataclass
class Source:
    """
    A source of samples.

    Args:
        kind (`str`): `"families"`, the eight synthetic families; `"everyday"`, interruptions in plain English;
            `"data"`, a user's conversations; `"open"`, interrupted answers of the base to open requests;
            `"chat"`, ordinary chat without updates, on which the model is trained to match its base.
        share (`float`, *optional*, defaults to 1.0): Sampling weight relative to the other sources. For `chat`: the
            number of conversations per sample of the others.
        path (`str`, *optional*): The JSON lines file of `data`, `open` and `chat`.
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
        if (self.path is not None) != (self.kind in WITH_PATH):
            need = "needs" if self.path is None else "takes no"
            raise ValueError(f"`sources`: {self.kind} {need} `path`.")
        known = {entry.name for entry in dataclasses.fields(BuilderConfig)} - {"split", "seed"}
        if self.kind != "families" and self.builder or not set(self.builder) <= known:
            raise ValueError(f"`sources`: `builder` of {self.kind} holds unknown fields: {sorted(self.builder)}.")

    def load(self) -> list[Conversation] | OpenChat:
        """
        Reads the file.

        Raises:
            ValueError: A line is invalid, or ordinary chat has an update; the message names the line.
        """
        assert self.path is not None
        if self.kind == "open":
            return OpenChat(self.path)
        conversations = read_conversations(self.path)
        for number, conversation in enumerate(conversations, 1):
            if self.kind == "chat" and conversation.updates:
                raise ValueError(
                    f"`sources`: {self.path}, conversation {number}: ordinary chat has no updates, on which the model "
                    "would be held to its base. List the file as `kind: data`."
                )
        return conversations


def read_sources(listed: Any) -> list[Source]:
    """
    Reads the list of sources of a YAML file.

    Raises:
        ValueError: The list is empty or an entry is invalid; the message names the field.
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
        source (`Source`): The source.
        encoder (`ChatEncoder`): Encodes them.
        seed (`int`): Determines a sample together with its number.
        split (`str`, *optional*, defaults to `"train"`): The split of the synthetic sources.
    """

    def __init__(self, source: Source, encoder: ChatEncoder, seed: int, split: str = "train"):
        self.source, self.encoder, self.seed, self.split = source, encoder, seed, split
        if source.kind == "families":
            self.builder = Builder(BuilderConfig(split=split, seed=seed, **source.builder))
        elif source.path is not None:
            self.loaded = source.load()

    def __call__(self, index: int) -> EncodedSample:
        if self.source.kind == "families":
            return self.encoder.sample(self.builder.sample(index))
        if self.source.kind == "everyday":
            made = everyday_sample(Random(f"{self.seed} {self.split} {index}"), split=self.split)
            text = made["text"] if made["text"].endswith(END) else made["text"] + END
            updates = [(update["after_chars"], update["text"]) for update in made["updates"]]
            return self.encoder(made["prompt"], text, updates)
        if isinstance(self.loaded, OpenChat):
            drawn = self.loaded.draw(Random(f"{self.seed} {index}"))
            return self.encoder(drawn.messages, drawn.text, drawn.updates)
        return self.encoder.conversation(self.loaded[index % len(self.loaded)])


class MixedBatches(IterableDataset):
    """
    Packed batches from several sources.

    Args:
        sources (`Sequence[Source]`): The sources of samples.
        encoder (`ChatEncoder`): Encodes them.
        config (`DuplexAdapterConfig`): The configuration of the trained adapter.
        budget (`Budget`): The sizes to which each batch is padded.
        seed (`int`, *optional*, defaults to 0): Another seed gives other samples.
        after_update (`float`, *optional*, defaults to 0.0): Share of batches in which the additions act only from
            the first update on, as with `scope="after_update"`.
        start (`int`, *optional*, defaults to 0): Number of the first batch, to resume a run.

    Yields dictionaries with `layout`, the tensors of a [`~hf_duplex.modeling.packed_adapter.PackedBatch`]; `labels`
    `(1, E)`, the same as in it; `samples`, the number of samples; and, with a source of ordinary chat, `chat`, the
    layout of a batch of it.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        encoder: ChatEncoder,
        config: Any,
        budget: Budget,
        seed: int = 0,
        after_update: float = 0.0,
        start: int = 0,
    ):
        self.sources = [source for source in sources if source.kind != "chat"]
        self.chat = [source for source in sources if source.kind == "chat"]
        self.encoder, self.config, self.budget, self.seed = encoder, config, budget, seed
        self.after_update, self.start = after_update, start

    def __iter__(self) -> Iterator[dict[str, Any]]:
        info = get_worker_info()
        workers, worker = (1, 0) if info is None else (info.num_workers, info.id)
        self.drawers = [Drawer(source, self.encoder, self.seed) for source in self.sources]
        self.chat_drawers = [Drawer(source, self.encoder, self.seed) for source in self.chat]
        self.collator = ChannelCollator(self.encoder.tokenizer)
        # The loader cycles through the workers, starting with worker 0.
        number = self.start + worker
        while True:
            yield self.batch(number)
            number += workers

    def batch(self, number: int) -> dict[str, Any]:
        """One batch, determined by the seed and its number."""
        rng = Random(f"{self.seed} batch {number}")
        acts = rng.random() >= self.after_update
        shares = [source.share for source in self.sources]
        samples = self._fill(rng, self.drawers, shares, self.budget)
        made: dict[str, Any] = {"samples": torch.tensor(len(samples))}
        packed = self._packed(samples, acts, self.budget)
        made["labels"], made["layout"] = packed.labels[None], packed.tensors()
        if self.chat_drawers:
            budget = chat_budget(self.budget, sum(source.share for source in self.chat))
            chat = self._fill(rng, self.chat_drawers, [source.share for source in self.chat], budget)
            made["chat"] = self._packed(chat, True, budget).tensors()
        return made

    def _fill(
        self, rng: Random, drawers: Sequence[Drawer], shares: list[float], budget: Budget
    ) -> list[EncodedSample]:
        """Draws samples until one does not fit. Samples that exceed the limits of any batch are skipped."""
        samples: list[EncodedSample] = []
        incoming = emitted = skipped = 0
        while len(samples) < budget.rows:
            sample = rng.choices(drawers, shares)[0](rng.randrange(1 << 40))
            ours, theirs = len(sample["input_ids"]), len(sample["prompt_ids"]) + sum(map(len, sample["update_ids"]))
            if self.config.mode == "spliced":
                ours, theirs = ours + theirs, 0
            short = theirs <= min(budget.longest_incoming, budget.incoming or theirs)
            short = short and ours <= min(budget.longest_emitted, budget.emitted)
            if not short or len(sample["update_ids"]) >= budget.versions:
                skipped += 1
                if skipped > MOST_SKIPPED:
                    raise ValueError(
                        f"`sources`: {skipped} conversations in turn do not fit: prompt and updates may have "
                        f"{budget.longest_incoming} tokens, the text {budget.longest_emitted}, with at most "
                        f"{budget.versions - 1} updates. Shorten them, or leave out a source that is too long."
                    )
                continue
            skipped = 0
            if incoming + theirs > budget.incoming or emitted + ours > budget.emitted:
                break
            samples.append(sample)
            incoming, emitted = incoming + theirs, emitted + ours
        return samples

    def _packed(self, samples: list[EncodedSample], acts: bool, budget: Budget) -> PackedBatch:
        batch = self.collator(samples)
        labels = batch.pop("labels")
        if not acts and "update_positions" in batch:
            # The additions, which are trained, do not act before the first update.
            first = batch["update_positions"].min(1, keepdim=True).values
            labels = labels.masked_fill(torch.arange(labels.shape[1]) < first, -100)
        flags = torch.full((len(samples),), acts)
        return PackedBatch.of(Streams(**batch), labels, self.config, flags, budget)


def chat_budget(budget: Budget, share: float) -> Budget:
    """The budget of ordinary chat for each batch, in proportion to its rows."""
    rows = max(1, round(budget.rows * share))
    spliced = budget.incoming == 0
    # Without updates there is one version and no doubt.
    longest = replace(budget, longest_incoming=512, longest_emitted=512 + 512 * spliced, versions=1)
    return replace(longest, incoming=0 if spliced else 160 * rows, emitted=(112 + 160 * spliced) * rows, rows=rows)
