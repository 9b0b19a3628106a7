"""
The history of a session: the state that results from its events.

A running session and a restored one apply the same events by the same code, so their states cannot differ. This module
does not depend on models, clocks or files.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .event_log import Event


OPENED, SENT, REFUSED, TOKEN = "opened", "sent", "refused", "token"
PAUSED, RESUMED, STOPPED = "paused", "resumed", "stopped"
UNDONE, RESTORED = "undone", "restored"


class QueuedUpdate(NamedTuple):
    """An accepted update: its number in its session, its text, its sender, and its token ids."""

    number: int
    text: str
    source: str
    ids: list[int]


class EmittedToken(NamedTuple):
    """
    An emitted token, its visible version, the number of the update that was applied just before it (`heard`), and the
    milliseconds from sending that update to this token.
    """

    id: int
    version: int
    heard: int | None = None
    milliseconds: float | None = None


@dataclass
class History:
    """
    Attributes:
        opened (`dict[str, Any]`): Data of its first event: prompt, tokens, settings, model.
        sent (`list[QueuedUpdate]`): All accepted updates, in the order of sending.
        waiting (`list[int]`): Numbers of the queued updates, in order.
        undone (`set[int]`): Numbers of the undone updates.
        dropped (`set[int]`): Numbers of the updates that were still queued when the session was stopped.
        said (`list[EmittedToken]`): Emitted tokens that were not undone.
        ended (`bool`): Whether its text has ended, by an end token or by `max_new_tokens`.
        paused (`bool`): Whether it is paused.
        stopped (`str`, *optional*): Why it was stopped for good.
        last (`int`): The number of its last event.
    """

    opened: dict[str, Any] = field(default_factory=dict)
    sent: list[QueuedUpdate] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    undone: set[int] = field(default_factory=set)
    dropped: set[int] = field(default_factory=set)
    said: list[EmittedToken] = field(default_factory=list)
    ends: frozenset[int] = frozenset()
    most: int = 1
    ended: bool = False
    paused: bool = False
    stopped: str | None = None
    last: int = 0
    _spoken: int = 0

    @classmethod
    def of(cls, events: list[Event]) -> "History":
        """The history that results from all events of a session."""

        def until(number: int) -> History:
            return cls.of([event for event in events if event.number <= number])

        history = cls()
        for event in events:
            history.apply(event, until)
        return history

    def apply(self, event: Event, until: Callable[[int], "History"]) -> None:
        """
        Applies one more event.

        Args:
            event (`Event`): The event.
            until (`Callable[[int], History]`): Returns the history up to an earlier event, given its number.
        """
        kind, data = event.kind, event.data
        if kind == OPENED:
            self.opened = data
            self.ends, self.most = frozenset(data["ends"]), data["sampling"]["max_new_tokens"]
        elif kind == SENT:
            self.sent.append(QueuedUpdate(data["number"], data["text"], data["source"], data["ids"]))
            self.waiting.append(data["number"])
        elif kind == TOKEN:
            token = EmittedToken(data["id"], data["version"], data.get("heard"), data.get("ms"))
            self.said.append(token)
            self._count(token)
            if token.heard is not None:
                self.waiting.remove(token.heard)
        elif kind == PAUSED:
            self.paused = True
        elif kind == RESUMED:
            self.paused = False
        elif kind == STOPPED:
            self.stopped = data["reason"]
            self.dropped.update(self.waiting)
            self.waiting = []
        elif kind == UNDONE:
            self._undo(data["number"])
        elif kind == RESTORED:
            self._restore(until(data["event"]))
        self.last = event.number

    @property
    def heard(self) -> list[tuple[int, int]]:
        """Number and step of each update that was applied and not undone, in order."""
        return [(token.heard, step) for step, token in enumerate(self.said) if token.heard is not None]

    def _count(self, token: EmittedToken) -> None:
        if self.ended:
            # A token after the end means that an update continued the session.
            self._spoken, self.ended = 0, False
        self._spoken += 1
        self.ended = token.id in self.ends or self._spoken >= self.most

    def _say_no_more_than(self, said: list[EmittedToken]) -> None:
        self.said, self._spoken, self.ended = said, 0, False
        for token in said:
            self._count(token)

    def _undo(self, number: int) -> None:
        """Undoes an update and all tokens since; updates that were applied after it are queued again."""
        self.undone.add(number)
        if number in self.waiting:
            self.waiting.remove(number)
            return
        step = dict(self.heard)[number]
        later = [heard for heard, at in self.heard if at > step]
        self._say_no_more_than(self.said[:step])
        self.waiting = later + self.waiting

    def _restore(self, then: "History") -> None:
        """Goes back to an earlier history. Updates sent since and not yet applied stay queued."""
        known = len(then.sent)
        since = [number for number in self.waiting if number >= known]
        self.undone = then.undone | {sent.number for sent in self.sent[known:] if sent.number not in since}
        self.waiting = then.waiting + since
        self._say_no_more_than(list(then.said))
