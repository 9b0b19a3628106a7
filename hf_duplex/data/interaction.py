"""Examples of the interaction suites as ids: for each tick and stream, a kind and a thing."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import torch

from dataset_builder.interaction.example import Example
from dataset_builder.interaction.streams import ACTIONS, STREAMS, kind_of, thing_of

from ..modeling.configuration_policy import PAD, UNKNOWN, StreamPolicyConfig
from ..modeling.modeling_policy import StreamPolicyForSequenceClassification


TRANSCRIPT = "transcript"


def words(transcript: str) -> list[str]:
    """The words of a transcript, its punctuation and its line ends, in lower case."""
    return re.findall(r"\w+|[^\w\s]|\n", transcript.lower())


def policy_vocabulary(examples: Iterable[Example], transcript_only: bool = False) -> dict[str, Any]:
    """
    The vocabularies of a policy, from the examples that it is trained on.

    Args:
        examples (`Iterable[Example]`): The train split.
        transcript_only (`bool`, *optional*, defaults to `False`):
            For a policy that sees the transcript and nothing else: one stream, which holds one word a tick.

    Returns:
        `kinds`, `things` and `actions`, as [`StreamPolicyConfig`] takes them.
    """
    streams = [TRANSCRIPT] if transcript_only else list(STREAMS)
    kinds: dict[str, set[str]] = {stream: set() for stream in streams}
    things: set[str] = set()
    for example in examples:
        if transcript_only:
            kinds[TRANSCRIPT].update(words(example.transcript))
            continue
        for stream, values in example.streams.items():
            held = set(values)
            kinds[stream].update(map(kind_of, held))
            things.update(map(thing_of, held))
    return {
        "kinds": {stream: sorted(held) for stream, held in kinds.items()},
        "things": sorted(things - {""}),
        "actions": list(ACTIONS),
    }


def encode_examples(examples: Sequence[Example], config: StreamPolicyConfig) -> dict[str, torch.Tensor]:
    """
    Examples as one batch, shorter ones padded on the right.

    Args:
        examples (`Sequence[Example]`): At least one.
        config (`StreamPolicyConfig`): With the vocabularies; what they lack becomes the unknown.

    Returns:
        `kinds`, `things` `(examples, ticks, streams)`, `attention_mask` `(examples, ticks)`, `labels` `(examples,)`.

    Raises:
        ValueError: There are no examples, the policy reads a stream that examples do not have, or does not know the
            action of one.
    """
    if not examples:
        raise ValueError("`examples` is empty: there is nothing to encode.")
    transcript_only = config.streams == [TRANSCRIPT]
    missing = set() if transcript_only else set(config.streams) - set(STREAMS)
    if missing:
        raise ValueError(f"`config` reads {', '.join(sorted(missing))}, which is no stream of these examples.")
    kind_ids, thing_ids = config.kind_ids, config.thing_ids
    # Few values stand for many ticks: each is looked up once.
    known: dict[tuple[str, str], tuple[int, int]] = {}

    def ids(stream: str, value: str) -> tuple[int, int]:
        if (stream, value) not in known:
            kind, thing = (value, "") if transcript_only else (kind_of(value), thing_of(value))
            about = thing_ids.get(thing, UNKNOWN) if thing else PAD
            known[stream, value] = kind_ids[stream].get(kind, UNKNOWN), about
        return known[stream, value]

    def timeline(example: Example) -> list[Sequence[str]]:
        if transcript_only:
            return [words(example.transcript) or ["\n"]]
        return [example.streams[stream] for stream in config.streams]

    timelines = [timeline(example) for example in examples]
    lengths = torch.tensor([len(timeline[0]) for timeline in timelines])
    encoded = torch.full((len(examples), int(lengths.max()), len(config.streams), 2), PAD)
    for row, held in enumerate(timelines):
        rows = [[ids(stream, value) for value in values] for stream, values in zip(config.streams, held)]
        encoded[row, : lengths[row]] = torch.tensor(rows).transpose(0, 1)
    actions = {action: index for index, action in enumerate(config.actions)}
    unknown = {example.action for example in examples} - set(actions)
    if unknown:
        raise ValueError(f"`config.actions` lacks {', '.join(sorted(unknown))}: this policy cannot be trained for it.")
    return {
        "kinds": encoded[..., 0].contiguous(),
        "things": encoded[..., 1].contiguous(),
        "attention_mask": (torch.arange(encoded.shape[1]) < lengths[:, None]).long(),
        "labels": torch.tensor([actions[example.action] for example in examples]),
    }


@torch.no_grad()
def choose_actions(
    model: StreamPolicyForSequenceClassification, examples: Sequence[Example], batch_size: int = 512
) -> list[str]:
    """The action that a policy holds likeliest for each example, in their order."""
    encoded = encode_examples(examples, model.config)
    chosen = []
    for start in range(0, len(examples), batch_size):
        batch = {name: values[start : start + batch_size] for name, values in encoded.items() if name != "labels"}
        chosen += model.eval()(**batch).logits.argmax(-1).tolist()
    return [model.config.actions[index] for index in chosen]
