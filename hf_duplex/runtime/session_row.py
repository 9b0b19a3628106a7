"""A session as a row of a batch, and the text of its tokens."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch

from .gauges import open_gauge
from .history import EmittedToken, History
from .host import Host
from .receipts import Receipt
from .sampling import Sampling, TokenSampler


class EmittingSession(Protocol):
    """What a row uses of its session."""

    history: History
    sampling: Sampling
    receipts: list[Receipt]
    server: Host

    @property
    def is_silent(self) -> bool:
        """Whether it must not emit: paused, stopped, released or failed."""

    @property
    def has_to_emit(self) -> bool:
        """Whether it has more to emit."""


class Token(NamedTuple):
    """
    An emitted token: its step, id, text, and visible version. When a step occurs again, all earlier tokens from that
    step on were undone.
    """

    step: int
    id: int
    text: str
    version: int


class TokenTexts:
    """Splits one text into pieces by token. An incomplete character is held back until it is complete."""

    def __init__(self, decode: Callable[[list[int]], str]):
        self.decode = decode
        self.ids: list[int] = []
        # Decoded with the token before, since some tokens decode differently at the start of a text.
        self._from = self._known = 0

    def add(self, token: int) -> str:
        self.ids.append(token)
        known = self.decode(self.ids[self._from : self._known])
        text = self.decode(self.ids[self._from :])
        if text.endswith("\N{REPLACEMENT CHARACTER}"):
            return ""
        self._from, self._known = self._known, len(self.ids)
        return text[len(known) :]


class SessionRow:
    """
    A session as a row of a batch (a [`~batching.BatchRow`]). To rebuild its state, a row first replays the tokens and
    updates of its history, at the same steps; replayed tokens are not reported again.
    """

    def __init__(self, session: EmittingSession):
        self.session: Any = session
        self.prompt_ids: list[int] = session.history.opened["prompt_ids"]
        self.start_id: int = session.history.opened["start_id"]
        self.chooser = TokenSampler(session.sampling)
        self.position = 0
        self.gone = False
        self.live = False
        self.telling: int | None = None
        measure = session.history.opened.get("measure")
        self.gauge = None if measure is None else open_gauge(session.server.model, measure)

    @property
    def known(self) -> EmittedToken | None:
        """The next token to replay; None once all of the history is replayed."""
        said = self.session.history.said
        return said[self.position] if self.position < len(said) else None

    @property
    def emitting(self) -> bool:
        with self.session.server.lock:
            if self.gone or self.session.is_silent:
                return False
            return self.known is not None or self.session.has_to_emit

    def take_update(self, new: bool) -> list[int] | None:
        with self.session.server.lock:
            history, known = self.session.history, self.known
            if self.gone:
                return None
            if known is not None:
                self.telling = known.heard
            else:
                # One update per step, so that each has its own version, visible to a token.
                self.telling = history.waiting[0] if new and history.waiting else None
            return None if self.telling is None else history.sent[self.telling].ids

    def data(self, token: int, version: int, now: float) -> dict[str, int | float]:
        """Data of the log event for a token."""
        data: dict[str, int | float] = {"id": token, "version": version}
        if self.telling is not None:
            data["heard"] = self.telling
            sent_at = self.session.receipts[self.telling].sent_at
            if sent_at is not None:
                data["ms"] = round(1e3 * (now - sent_at), 3)
        return data

    def choose(self, scores: torch.Tensor) -> int | None:
        with self.session.server.lock:
            known = self.known
        return self.chooser(scores, self.position) if known is None else known.id
