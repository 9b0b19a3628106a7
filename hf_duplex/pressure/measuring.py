"""
Pressures of a live session, measured in the forwards that generate its tokens.

A [`PressureGauge`] measures one conversation. [`Server.open`] creates it for `measure=N`: after every N tokens a
telemetry record is written to the session's log, as an event of kind `pressure`, and sent to its watchers.
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
        ValueError: `every` is less than 1, or no signals can be read from the model.
    """

    def __init__(self, model: Any, every: int):
        if every < 1:
            raise ValueError(f"`measure` must be at least 1 token, got {every}.")
        self.every, self.provider = every, provider_for(model)
        self.residual_intent = 0.0
        self.tokens = 0

    def follow(self, row: int, is_live: Callable[[], bool], alone: bool) -> AbstractContextManager | None:
        """Measures a row of the batch until the context ends; with experts, which rows share, only if it is alone."""
        if isinstance(self.provider, DuplexSignals):
            self.provider.row, self.provider.is_live = row, is_live
        elif not alone:
            return None
        return self.provider

    def after_token(self) -> Record | None:
        """Counts a token; returns the record if one is due."""
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
