"""
An advisor that is watched while it speaks: pressures after each token, and what each update moved in the workspace.

One model serves all who look at the page, one insight at a time: whoever speaks holds `turn`. What is measured comes
from the forwards that the insight needs anyway ([`~hf_duplex.pressure.signals.DuplexSignals`]).
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
"""Tokens over which the intent to go on fades."""
MOST_SAMPLES = 240
"""So many of the newest are drawn."""


class Pressures(NamedTuple):
    """Pressures after one token, each from -1 to 1."""

    fast: float
    mid: float
    slow: float
    net: float


def pressures(now: Signals, tokens: int) -> Pressures:
    """The pressures that follow from signals, so many tokens into an insight."""
    # How much is unfinished fades over a chunk, as in the session controller.
    unfinished = weigh(now, 0.0).mid
    intent = compute_residual_intent(unfinished, now.margin, now.delta_R, min(tokens, CHUNK), CHUNK)
    found = weigh(now, intent)
    return Pressures(*found.pressures, found.net)


@dataclass
class Meter:
    """
    What was measured in one conversation. The speaking thread writes, the page reads copies.

    Attributes:
        samples (`list[Pressures]`): One for each token, over all insights.
        heard (`list[tuple[str, Heard]]`): Updates that reached a workspace, with the block whose insight they changed.
    """

    samples: list[Pressures] = field(default_factory=list)
    heard: list[tuple[str, AppliedUpdate]] = field(default_factory=list)

    def add(self, sample: Pressures) -> None:
        self.samples = [*self.samples[1 - MOST_SAMPLES :], sample]


class MeteredAdvice:
    """An [`Advice`] that writes into a meter, and waits for its turn."""

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
            # Whoever waited may not be wanted any more.
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
            # It was begun anew, or an update was taken back.
            self._text, self._heard = text, min(self._heard, len(text.heard)) if text is self._text else 0
        self.meter.heard = [*self.meter.heard, *((self.block, heard) for heard in text.heard[self._heard :])]
        self._heard = len(text.heard)


class MeteredAdvisor:
    """
    An [`Advisor`] for one conversation.

    Args:
        advisor ([`Advisor`]): Who advises.
        meter ([`Meter`]): What was measured goes there.
        turn (`threading.Lock`): Held by whoever runs the model.
        model (`PreTrainedModel`, *optional*): Whose signals are read; none are if it is not given.
    """

    def __init__(self, advisor: Advisor, meter: Meter, turn: "threading.Lock", model: Any | None = None):
        self.advisor, self.meter, self.turn, self.model = advisor, meter, turn, model

    def check(self, context: str) -> None:
        self.advisor.check(context)

    def open(self, contexts: Mapping[str, str]) -> MeteredAdvice:
        with self.turn:
            advice = self.advisor.open(contexts)
        # The last of the contexts is that of the block itself.
        return MeteredAdvice(advice, list(contexts)[-1], self.meter, self.turn, self.model)
