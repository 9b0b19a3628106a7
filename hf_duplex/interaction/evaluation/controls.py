"""
What is taken away from a policy that is trained: a stream at a time (occlusion), and what decides (destructive
controls). Pure functions; what depends on chance takes a seed.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from dataset_builder.interaction import STREAMS, Example

from .baselines import Policy
from .metrics import turn_action_accuracy


NONE = "none"


def blank_stream(examples: Iterable[Example], stream: str) -> list[Example]:
    """
    The examples with nothing in one of the streams.

    Raises:
        ValueError: There is no such stream.
    """
    if stream not in STREAMS:
        raise ValueError(f"`stream` must be one of {', '.join(STREAMS)}, got {stream!r}.")
    return [replace(e, streams={**e.streams, stream: (NONE,) * e.ticks}) for e in examples]


def scramble_ticks(examples: Iterable[Example], seed: int, together: bool = False) -> list[Example]:
    """
    The examples with their ticks in random order. Each stream still holds the same values as often, so that what is
    lost is timing: what came last, and what was so at the same time.

    Args:
        examples (`Iterable[Example]`): The examples.
        seed (`int`): Of the orders.
        together (`bool`, *optional*, defaults to `False`): Whether all streams of an example get one order, which
            keeps what was so at the same time.
    """
    rng = random.Random(f"ticks {seed}")
    found = []
    for example in examples:
        order = list(range(example.ticks))
        streams = {}
        rng.shuffle(order)
        for name, values in example.streams.items():
            if not together:
                rng.shuffle(order)
            streams[name] = tuple(values[tick] for tick in order)
        found.append(replace(example, streams=streams))
    return found


def mismatch_streams(
    examples: Sequence[Example], seed: int, critical: Callable[[Example], Iterable[str]]
) -> list[Example]:
    """
    The examples with critical streams from other pairs: each stream from an example of its own, drawn at random.

    Args:
        examples (`Sequence[Example]`): The examples, of at least two pairs and as many ticks each.
        seed (`int`): Of the draws.
        critical (`Callable`): Which streams of an example are exchanged.

    Raises:
        ValueError: There is one pair only.
    """
    if len({example.pair for example in examples}) < 2:
        raise ValueError("`examples` must hold at least two pairs: there is no other to take a stream from.")
    rng = random.Random(f"streams {seed}")
    found = []
    for example in examples:
        streams = dict(example.streams)
        for name in critical(example):
            other = example
            while other.pair == example.pair:
                other = rng.choice(examples)
            streams[name] = other.streams[name]
        found.append(replace(example, streams=streams))
    return found


def permute_labels(references: Sequence[str], seed: int) -> list[str]:
    """The right actions in random order."""
    found = list(references)
    random.Random(f"labels {seed}").shuffle(found)
    return found


def decisive(example: Example) -> tuple[str, ...]:
    """The stream in which the two members of the pair differ."""
    return (example.decisive,)


def decisive_and_state(example: Example) -> tuple[str, ...]:
    """That stream, and what the assistant itself is doing: what it has to be read against."""
    return tuple(dict.fromkeys((example.decisive, "model_state")))


def _of_streams(
    change: Callable[[Sequence[Example], int], list[Example]],
) -> Callable[[Policy, Sequence[Example], int], float]:
    """The accuracy on examples that were changed, held against what was right before."""

    def accuracy(policy: Policy, examples: Sequence[Example], seed: int) -> float:
        return turn_action_accuracy(policy.predict(change(examples, seed)), [example.action for example in examples])

    return accuracy


def _of_labels(policy: Policy, examples: Sequence[Example], seed: int) -> float:
    references = permute_labels([example.action for example in examples], seed)
    return turn_action_accuracy(policy.predict(examples), references)


CONTROLS: dict[str, Callable[[Policy, Sequence[Example], int], float]] = {
    "timing": _of_streams(scramble_ticks),
    "timing_together": _of_streams(lambda examples, seed: scramble_ticks(examples, seed, together=True)),
    "streams": _of_streams(lambda examples, seed: mismatch_streams(examples, seed, decisive_and_state)),
    "streams_decisive": _of_streams(lambda examples, seed: mismatch_streams(examples, seed, decisive)),
    "labels": _of_labels,
}
"""Destructive controls: what accuracy they leave a policy, on examples and with a seed."""
