"""Receipts: they report to the sender of an update whether and when it was applied."""

import logging
import threading
from collections.abc import Callable, Sequence

from .history import EmittedToken, History


logger = logging.getLogger(__name__)

QUEUED, APPLIED, REFUSED, UNDONE = "queued", "applied", "refused", "undone"


def guarded(callback: Callable[..., None], *arguments: object) -> None:
    """Calls a user's callback; exceptions are logged and not raised."""
    try:
        callback(*arguments)
    except Exception:
        logger.exception("a callback of a session failed; the session goes on.")


class Receipt:
    """
    The status of an update. A queued update is in the log, so that it survives the process.

    Attributes:
        number (`int`): Its number in its session, from 0 in the order of sending; -1 if it was refused.
        text (`str`): The text of the update; only its beginning if it was refused.
        source (`str`): The sender.
        status (`str`): `"queued"`, `"applied"`, `"refused"` or `"undone"`.
        reason (`str`, *optional*): Why it was refused, or undone.
        step (`int`, *optional*): Number of tokens that had been emitted before it was applied.
        version (`int`, *optional*): The version that it created.
        milliseconds (`float`, *optional*): From [`send`] to the first token that sees it; None if they were in
            different processes.
    """

    def __init__(self, number: int, text: str, source: str, sent_at: float | None = None):
        self.number, self.text, self.source = number, text, source
        self.status = QUEUED
        self.reason: str | None = None
        self.step: int | None = None
        self.version: int | None = None
        self.milliseconds: float | None = None
        self.sent_at = sent_at
        self._settled = threading.Event()
        self._callbacks: list[Callable[[Receipt], None]] = []
        self._lock = threading.Lock()

    @classmethod
    def refused(cls, text: object, source: str, reason: str) -> "Receipt":
        """The receipt of an update that was refused."""
        shown = text.decode(errors="replace") if isinstance(text, bytes) else str(text)[:200]
        receipt = cls(-1, shown[:200], source)
        receipt.settle(REFUSED, reason=reason)
        return receipt

    @property
    def settled(self) -> bool:
        """Whether it is no longer queued."""
        return self._settled.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until it is no longer queued, for at most `timeout` seconds; False on timeout."""
        return self._settled.wait(timeout)

    def when_settled(self, callback: Callable[["Receipt"], None]) -> None:
        """Calls `callback` once it is no longer queued, from the thread that settles it; at once if it is settled."""
        with self._lock:
            if not self._settled.is_set():
                self._callbacks.append(callback)
                return
        callback(self)

    def settle(
        self,
        status: str,
        reason: str | None = None,
        step: int | None = None,
        version: int | None = None,
    ) -> None:
        """Sets the final status. Called by the session."""
        self.reason, self.step, self.version = reason, step, version
        if status != APPLIED:
            self.milliseconds = None
        with self._lock:
            self.status = status
            callbacks, self._callbacks = self._callbacks, []
            self._settled.set()
        for callback in callbacks:
            guarded(callback, self)

    def queue_again(self) -> None:
        """Sets it to queued again, after the session went back to an earlier step. Called by the session."""
        with self._lock:
            self.status, self.reason = QUEUED, None
            self.step = self.version = self.milliseconds = None
            self._settled.clear()

    def to_dict(self) -> dict[str, str | int | float | None]:
        """Its fields as JSON-compatible values."""
        names = ("number", "text", "source", "status", "reason", "step", "version", "milliseconds")
        return {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        known = ", ".join(f"{name}={value!r}" for name, value in self.to_dict().items() if value is not None)
        return f"Receipt({known})"


def settle_heard(receipt: Receipt, said: EmittedToken, step: int) -> None:
    """Marks a receipt as applied: `said` is the first token that sees its update, at step `step`."""
    receipt.milliseconds = said.milliseconds
    receipt.settle(APPLIED, step=step, version=said.version)


def settle_receipts(receipts: Sequence[Receipt], history: History) -> None:
    """Updates all receipts of a session to match its history."""
    heard = {number: step for number, step in history.heard}
    for receipt in receipts:
        number = receipt.number
        if number in history.undone and receipt.status != UNDONE:
            receipt.settle(UNDONE, reason="it was taken back")
        elif number in history.dropped and receipt.status != REFUSED:
            receipt.settle(REFUSED, reason=f"the session was stopped ({history.stopped}): start another one.")
        elif number in heard and (receipt.status, receipt.step) != (APPLIED, heard[number]):
            settle_heard(receipt, history.said[heard[number]], heard[number])
        elif number in history.waiting and receipt.settled:
            receipt.queue_again()
