"""
Gauges: what watches a session while it emits, and writes what it measures into its log.

Those that measure pressures are in the room above, which uses sessions itself: it is asked for by name, when a session
is to be measured.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from importlib import import_module
from typing import Any, Protocol

from .batching import Batch


PRESSURE = "pressure"
"""Kind of the events that hold a record."""
PLACE = "hf_duplex.pressure.measuring"


class Gauge(Protocol):
    """Watches one conversation."""

    def follow(self, row: int, is_live: Callable[[], bool], alone: bool) -> AbstractContextManager | None:
        """Watches a row of the running batch until the context ends; None where it cannot in a batch with others."""

    def after_token(self) -> dict[str, Any] | None:
        """Counts a token; the record that is due after it, if one is."""


def open_gauge(model: Any, every: int) -> Gauge:
    """
    A gauge of pressures.

    Args:
        model (`PreTrainedModel`): One of our generators or a mixture of experts.
        every (`int`): Tokens between two records.

    Raises:
        ValueError: `every` is less than 1, or the model has nothing to read signals from.
    """
    gauge: Gauge = import_module(PLACE).PressureGauge(model, every)
    return gauge


def is_live(row: Any) -> bool:
    return row.live


def watch_batch(batch: Batch, watching: ExitStack) -> dict[Any, Gauge]:
    """Lets gauges watch the rows of a batch until `watching` is closed; says which row is watched by which gauge."""
    watched: dict[Any, Gauge] = {}
    for number, row in enumerate(batch.members):
        gauge = getattr(row, "gauge", None)
        following = None if gauge is None else gauge.follow(number, partial(is_live, row), len(batch) == 1)
        if gauge is not None and following is not None:
            watching.enter_context(following)
            watched[row] = gauge
    return watched
