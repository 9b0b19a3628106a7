"""
An advisor with measurements: pressures after each token, and what each update changed in the workspace.

One model serves all visitors of the page, one insight at a time, guarded by the lock `turn`. Measurements come from
the forwards that the insight needs anyway ([`~hf_duplex.pressure.signals.DuplexSignals`]).
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..cognition.advisor import Advice, Advisor, Edit, LiveAdvice
from ..pressure.balance import weigh
from ..pressure.controller import provider_for
from ..pressure.pressure import compute_residual_intent
from ..pressure.signals import Signals
from ..runtime.live import AppliedUpdate


CHUNK = 100
"""Tokens over which the residual intent decays."""
MOST_SAMPLES = 240
"""Maximum number of samples drawn, the newest."""


class Pressures(NamedTuple):
    """Pressures after one token, each from -1 to 1."""

    fast: float
    mid: float
    slow: float
    net: float


def pressures(now: Signals, tokens: int) -> Pressures:
    """Computes pressures from signals, `tokens` tokens into an insight."""
    # The residual intent decays over a chunk, as in the session controller.
    unfinished = weigh(now, 0.0).mid
    intent = compute_residual_intent(unfinished, now.margin, now.delta_R, min(tokens, CHUNK), CHUNK)
    found = weigh(now, intent)
    return Pressures(*found.pressures, found.net)


@dataclass
class Meter:
    """
    Measurements of one conversation. The generating thread writes, the page reads copies.

    Attributes:
        samples (`list[Pressures]`): One for each token, over all insights.
        heard (`list[tuple[str, Heard]]`): Applied updates, each with the block whose insight it changed.
    """

    samples: list[Pressures] = field(default_factory=list)
    heard: list[tuple[str, AppliedUpdate]] = field(default_factory=list)

    def add(self, sample: Pressures) -> None:
        self.samples = [*self.samples[1 - MOST_SAMPLES :], sample]


class MeteredAdvice:
    """An [`Advice`] that writes to a meter, and waits for the lock `turn`."""

    def __init__(self, advice: Advice, block: str, meter: Meter, turn: Any, model: Any | None):
        self.advice, self.block, self.meter, self.turn = advice, block, meter, turn
        self.provider: Any = None if model is None else provider_for(model)
        self._text: Any = None
        self._heard = 0

    def tell(self, edits: Sequence[Edit]) -> None:
        with self.turn:
            self.advice.tell(edits)

    def run(self, on_text: Callable[[str], bool]) -> str:
        with self.turn:
            # While it waited, the insight may have become void.
            if not on_text(""):
                return ""
            tokens = 0

            def listen(text: str) -> bool:
                nonlocal tokens
                tokens += 1
                if self.provider is not None:
                    self.meter.add(pressures(self.provider.signals(), tokens))
                self._keep_heard()
                return on_text(text)

            with self.provider or nullcontext():
                said = self.advice.run(listen)
            self._keep_heard()
            return said

    def _keep_heard(self) -> None:
        if not isinstance(self.advice, LiveAdvice):
            return
        text = self.advice.text
        if text is not self._text or len(text.heard) < self._heard:
            # The text was restarted, or an update undone.
            self._text, self._heard = text, min(self._heard, len(text.heard)) if text is self._text else 0
        self.meter.heard = [*self.meter.heard, *((self.block, heard) for heard in text.heard[self._heard :])]
        self._heard = len(text.heard)


class MeteredAdvisor:
    """
    An [`Advisor`] for one conversation.

    Args:
        advisor ([`Advisor`]): Generates the insights.
        meter ([`Meter`]): Receives the measurements.
        turn (`threading.Lock`): Held by the thread that runs the model.
        model (`PreTrainedModel`, *optional*): The model to read signals from; if not given, no signals are read.
    """

    def __init__(self, advisor: Advisor, meter: Meter, turn: "threading.Lock", model: Any | None = None):
        self.advisor, self.meter, self.turn, self.model = advisor, meter, turn, model

    def check(self, context: str) -> None:
        self.advisor.check(context)

    def open(self, contexts: Mapping[str, str]) -> MeteredAdvice:
        with self.turn:
            advice = self.advisor.open(contexts)
        # The last context is that of the block itself.
        return MeteredAdvice(advice, list(contexts)[-1], self.meter, self.turn, self.model)
