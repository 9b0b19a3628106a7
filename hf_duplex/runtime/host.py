"""What a session asks of the server that runs it; [`~server.Server`] is one."""

from collections.abc import Callable, Sequence
from threading import Lock, RLock
from typing import Any, Protocol

from .event_log import EventLog
from .history import History
from .listeners import TextCodec


class Host(Protocol):
    """
    Attributes:
        model, tokenizer: What all sessions share.
        words (`TextCodec`): How texts become its tokens, and back.
        log (`EventLog`): The log of all sessions.
        lock (`RLock`): Held while the state of a session changes.
        turn (`Lock`): Held by whoever runs the model.
        longest (`int`, *optional*): Most tokens of a stream.
        clock (`Callable[[], float]`): Seconds that never go back.
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
        """Writes events of sessions to the log, then lets the sessions know them."""

    def wake(self, session: Any) -> None:
        """Says that a session may have something to do."""

    def forget(self, session: Any) -> None:
        """Lets a closed session go."""

    def close(self) -> None:
        """Closes the server and all of its sessions."""
