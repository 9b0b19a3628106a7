"""Noise on streams: values that come late, are mistaken for others, or get lost. What is right to do stays."""

from __future__ import annotations

from random import Random

from .streams import NONE, STREAMS, THINGS
from .suite_config import SuiteConfig
from .timeline import Streams


_LATEST = 2


def add_noise(rng: Random, streams: Streams, suite: SuiteConfig) -> Streams:
    """
    Each change comes one or two ticks late with probability `suite.late`; then each value of each tick is replaced by
    another of its stream with probability `suite.replace`, or dropped to "none" with probability `suite.drop`.
    """
    noisy = {}
    for name in STREAMS:
        values = _late(rng, streams[name], suite.late)
        for tick, value in enumerate(values):
            chance = rng.random()
            if chance < suite.replace:
                values[tick] = _another(rng, name, value, suite)
            elif chance < suite.replace + suite.drop:
                values[tick] = NONE
        noisy[name] = tuple(values)
    return noisy


def _late(rng: Random, values: tuple[str, ...], share: float) -> list[str]:
    late = list(values)
    for tick in range(1, len(values)):
        if values[tick] != values[tick - 1] and rng.random() < share:
            end = min(tick + rng.randint(1, _LATEST), len(values))
            late[tick:end] = [values[tick - 1]] * (end - tick)
    return late


def _another(rng: Random, name: str, value: str, suite: SuiteConfig) -> str:
    """Another value of a stream, each kind equally likely."""
    plain, about = STREAMS[name]
    while True:
        kind = rng.choice((*plain, *about))
        other = kind if kind in plain else f"{kind}:{rng.choice(THINGS[: suite.things])}"
        if other != value:
            return other
