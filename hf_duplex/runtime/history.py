"""
The history of a session: what its events make of it.

A running session and one that is restored are made by the same rule, event by event, so that they cannot differ. It
knows nothing of models, clocks or files.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .event_log import Event


OPENED, SENT, REFUSED, TOKEN = "opened", "sent", "refused", "token"
PAUSED, RESUMED, STOPPED = "paused", "resumed", "stopped"
UNDONE, RESTORED = "undone", "restored"


class QueuedUpdate(NamedTuple):
    """An update as it was taken: its number in its session, what was said by whom, and its tokens."""

    number: int
    text: str
    source: str
    ids: list[int]


class EmittedToken(NamedTuple):
    """An emitted token, the version that it knows, and the number of the update that it is the first to know."""

    id: int
    version: int
    heard: int | None = None
    milliseconds: float | None = None


@dataclass
class History:
    """
    Attributes:
        opened (`dict[str, Any]`): How it began: prompt, tokens, settings, model.
        sent (`list[Sent]`): All updates that were taken, in the order of sending.
        waiting (`list[int]`): Numbers of those that are to be heard, in order.
        undone (`set[int]`): Numbers of those that were taken back.
        dropped (`set[int]`): Numbers of those that nobody will hear any more, since the session was stopped.
        said (`list[Said]`): What stands: tokens that were not taken back.
        ended (`bool`): Whether it has said all that it had to say.
        paused (`bool`): Whether it was told to be silent.
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
        """What all these events, from the first on, have made."""

        def until(number: int) -> History:
            return cls.of([event for event in events if event.number <= number])

        history = cls()
        for event in events:
            history.apply(event, until)
        return history

    def apply(self, event: Event, until: Callable[[int], "History"]) -> None:
        """
        Takes one more event in.

        Args:
            event (`Event`): The event.
            until (`Callable[[int], History]`): The history up to an earlier event, by its number.
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
        """Number and step of each update that was heard and stands, in order."""
        return [(token.heard, step) for step, token in enumerate(self.said) if token.heard is not None]

    def _count(self, token: EmittedToken) -> None:
        if self.ended:
            # Whoever speaks after the end was woken by something that it heard.
            self._spoken, self.ended = 0, False
        self._spoken += 1
        self.ended = token.id in self.ends or self._spoken >= self.most

    def _say_no_more_than(self, said: list[EmittedToken]) -> None:
        self.said, self._spoken, self.ended = said, 0, False
        for token in said:
            self._count(token)

    def _undo(self, number: int) -> None:
        """Takes an update back, with all that was said since; what was heard later is to be heard anew."""
        self.undone.add(number)
        if number in self.waiting:
            self.waiting.remove(number)
            return
        step = dict(self.heard)[number]
        later = [heard for heard, at in self.heard if at > step]
        self._say_no_more_than(self.said[:step])
        self.waiting = later + self.waiting

    def _restore(self, then: "History") -> None:
        """Goes back to what stood then. What was sent since and is not yet heard still waits."""
        known = len(then.sent)
        since = [number for number in self.waiting if number >= known]
        self.undone = then.undone | {sent.number for sent in self.sent[known:] if sent.number not in since}
        self.waiting = then.waiting + since
        self._say_no_more_than(list(then.said))
