"""
Gauges: they measure a session while it emits, and supply records for its log.

The gauges of pressures are in `hf_duplex.pressure`, which imports this package; so it is imported by name, and only
when a session is measured.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from importlib import import_module
from typing import Any, Protocol

from .batching import Batch


PRESSURE = "pressure"
"""Kind of the log events that hold a record."""
PLACE = "hf_duplex.pressure.measuring"


class Gauge(Protocol):
    """Measures one conversation."""

    def follow(self, row: int, is_live: Callable[[], bool], alone: bool) -> AbstractContextManager | None:
        """Measures a row of the running batch until the context ends; None if it cannot because of other rows."""

    def after_token(self) -> dict[str, Any] | None:
        """Counts a token; returns a record if one is due, otherwise None."""


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
    """Starts the gauges of the rows of a batch, until `watching` is closed. Returns the active gauge of each row."""
    watched: dict[Any, Gauge] = {}
    for number, row in enumerate(batch.members):
        gauge = getattr(row, "gauge", None)
        following = None if gauge is None else gauge.follow(number, partial(is_live, row), len(batch) == 1)
        if gauge is not None and following is not None:
            watching.enter_context(following)
            watched[row] = gauge
    return watched
