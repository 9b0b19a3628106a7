"""Examples of the interaction suites as ids: for each tick and stream, a kind and a thing."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import torch

from dataset_builder.interaction.example import Example
from dataset_builder.interaction.streams import ACTIONS, STREAMS, kind_of, thing_of

from .modeling.configuration_policy import PAD, UNKNOWN, StreamPolicyConfig
from .modeling.modeling_policy import StreamPolicyForSequenceClassification


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
    examples = list(examples)
    if transcript_only:
        kinds = {TRANSCRIPT: {word for example in examples for word in words(example.transcript)}}
        things = set()
    else:
        held = {stream: set().union(*(example.streams[stream] for example in examples)) for stream in STREAMS}
        kinds = {stream: set(map(kind_of, values)) for stream, values in held.items()}
        things = {thing_of(value) for values in held.values() for value in values}
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
    columns: list[list[Sequence[str]]]
    if transcript_only:
        columns = [[words(example.transcript) or ["\n"] for example in examples]]
    else:
        columns = [[example.streams[stream] for example in examples] for stream in config.streams]
    lengths = torch.tensor([len(values) for values in columns[0]])
    held = torch.arange(int(lengths.max())) < lengths[:, None]
    encoded = torch.full((*held.shape, len(config.streams), 2), PAD)
    kind_ids, thing_ids = config.kind_ids, config.thing_ids

    def ids(stream: str, value: str) -> tuple[int, int]:
        kind, thing = (value, "") if transcript_only else (kind_of(value), thing_of(value))
        return kind_ids[stream].get(kind, UNKNOWN), thing_ids.get(thing, UNKNOWN) if thing else PAD

    for place, (stream, column) in enumerate(zip(config.streams, columns)):
        # Few values stand for many ticks: each is looked up once.
        known = {value: code for code, value in enumerate(sorted(set().union(*column)))}
        codes = torch.tensor([known[value] for values in column for value in values])
        encoded[:, :, place][held] = torch.tensor([ids(stream, value) for value in known])[codes]
    actions = {action: index for index, action in enumerate(config.actions)}
    unknown = {example.action for example in examples} - set(actions)
    if unknown:
        raise ValueError(f"`config.actions` lacks {', '.join(sorted(unknown))}: this policy cannot be trained for it.")
    return {
        "kinds": encoded[..., 0].contiguous(),
        "things": encoded[..., 1].contiguous(),
        "attention_mask": held.long(),
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
