"""
Pressures of a live session, from the forwards that its tokens need anyway.

A [`PressureGauge`] watches one conversation. It is given to [`Server.open`] as `measure=N`: after every N tokens a
record of telemetry goes into the session's log, as an event of the kind `pressure`, and to whoever watches it.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from .balance import weigh
from .controller import provider_for
from .pressure import compute_residual_intent, should_pause
from .signals import DuplexSignals
from .telemetry import Record, make_record


class PressureGauge:
    """
    Args:
        model (`PreTrainedModel`): One of our generators or a mixture of experts.
        every (`int`): Tokens between two records.

    Raises:
        ValueError: `every` is less than 1, or the model has nothing to read signals from.
    """

    def __init__(self, model: Any, every: int):
        if every < 1:
            raise ValueError(f"`measure` must be at least 1 token, got {every}.")
        self.every, self.provider = every, provider_for(model)
        self.residual_intent = 0.0
        self.tokens = 0

    def follow(self, row: int, is_live: Callable[[], bool], alone: bool) -> AbstractContextManager | None:
        """Reads a row of the running batch until the context ends. Experts are shared by all rows: alone only."""
        if isinstance(self.provider, DuplexSignals):
            self.provider.row, self.provider.is_live = row, is_live
        elif not alone:
            return None
        return self.provider

    def after_token(self) -> Record | None:
        """Counts a token; the record that is due after it, if one is."""
        self.tokens += 1
        if self.tokens % self.every:
            return None
        now = self.provider.signals()
        found = weigh(now, self.residual_intent)
        self.residual_intent = compute_residual_intent(found.mid, now.margin, now.delta_R, self.every, self.every)
        return make_record(
            mode="single_turn",
            chunk_id=self.tokens // self.every,
            pause_reason=should_pause(found.fast, found.net, "single_turn")[1],
            residual_intent=self.residual_intent,
            signals=now,
            pressures=found.pressures,
            weights=found.weights,
            net=found.net,
            clocks=self.provider.clocks(),
        )
