"""The interface that a session uses of its server; [`~server.Server`] implements it."""

from collections.abc import Callable, Sequence
from threading import Lock, RLock
from typing import Any, Protocol

from .event_log import EventLog
from .history import History
from .listeners import TextCodec


class Host(Protocol):
    """
    Attributes:
        model, tokenizer: Shared by all sessions.
        words (`TextCodec`): The text codec of the model.
        log (`EventLog`): The log of all sessions.
        lock (`RLock`): Held while the state of a session changes.
        turn (`Lock`): Held by the thread that runs the model.
        longest (`int`, *optional*): Most tokens of a stream.
        clock (`Callable[[], float]`): A monotonic clock, in seconds.
    """

    model: Any
    tokenizer: Any
    words: TextCodec
    log: EventLog
    lock: RLock
    turn: Lock
    longest: int | None
    clock: Callable[[], float]

    def check_model(self, history: History) -> None:
        """Raises a `ValueError` where a session was opened with another model."""

    def commit(self, entries: Sequence[tuple[Any, str, dict[str, Any]]], durable: bool = False) -> None:
        """Writes events of sessions to the log, then applies them to the sessions."""

    def wake(self, session: Any) -> None:
        """Signals that a session may have something to do."""

    def forget(self, session: Any) -> None:
        """Removes a closed session."""

    def close(self) -> None:
        """Closes the server and all of its sessions."""
