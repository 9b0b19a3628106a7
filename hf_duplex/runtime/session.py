"""
One live conversation: the model emits tokens while updates arrive, from any thread.

The event log defines the state of a session. Every event is written to the log first, then applied by
[`~history.History`], then reported to callbacks and receipts. A [`~server.Server`] runs many sessions at once; a
session does not depend on how it is batched.
"""

from collections.abc import Callable, Iterator
from threading import Condition
from typing import Any

from . import history as kinds
from .deciding import Decider, Policy
from .event_log import Event, LogError
from .history import EmittedToken, History, QueuedUpdate
from .host import Host
from .limits import Limits, Rate, Refusal, check_text
from .listeners import encode_told, stream_length
from .receipts import Receipt, guarded, settle_heard, settle_receipts
from .replay import Replay, replay
from .sampling import Sampling
from .session_row import SessionRow, Token, TokenTexts
from .versions import Snapshot, VersionDiff, version_diff


class SessionError(RuntimeError):
    """A session cannot do what was requested; the message gives the reason and the remedy."""


class Session:
    """
    One conversation of a server, created by [`Server.open`] or [`Server.restore`];
    [`~duplex_session.DuplexSession`] has its own server. All methods are thread-safe.

    Attributes:
        id (`str`): Its name in the log.
        history (`History`): The state that results from its events.
        tokens (`list[Token]`): The emitted tokens that were not undone.
        receipts (`list[Receipt]`): Receipts of all accepted updates, in the order of sending.
    """

    def __init__(self, server: Host, id: str, events: list[Event], limits: Limits, decide: Policy | None = None):
        self.server, self.id, self.limits = server, id, limits
        self.decider = Decider(decide)
        self.history = History.of(events)
        self.sampling = Sampling(**self.history.opened["sampling"])
        self.receipts: list[Receipt] = []
        self.tokens: list[Token] = []
        self.failure: str | None = None
        self.released: str | None = None
        self.observed: dict[str, list[str]] = {}
        self.batch_row: SessionRow | None = None
        self.read_until = 0
        self.touched = server.clock()
        self.owns_server = False
        self._rate = Rate(limits.rate, limits.burst, server.clock)
        self._changed = Condition(server.lock)
        self._watchers: list[Callable[[Event], None]] = []
        self._listeners: list[Callable[[], None]] = []
        self._texts = TokenTexts(server.words.decode)
        self._tell_again()
        for sent in self.history.sent:
            self.receipts.append(Receipt(sent.number, sent.text, sent.source))
        settle_receipts(self.receipts, self.history)

    # Sending updates and control

    def send(self, text: str | bytes, source: str = "user") -> Receipt:
        """
        Sends an update. It is applied before the next token; a session that has ended starts to emit again.

        Args:
            text (`str` or `bytes`): The text of the update.
            source (`str`, *optional*, defaults to `"user"`): The sender, for the log.

        Returns:
            A receipt. Unless it is refused, the update is in the log, and is applied exactly once and in order, even
            if this process ends first.
        """
        now = self.server.clock()
        try:
            with self.server.lock:
                self._check_open()
                wait = self._rate.take()
                if wait:
                    raise Refusal(f"more than {self.limits.rate:g} updates a second: send it again in {wait:.2f} s.")
                self._check_queue()
            told = check_text(text, "update", self.limits.max_update_bytes)
            who = check_text(source, "source", 200)
            ids = encode_told(self.server.words, told, self.server.model.config.max_message_length)
            with self.server.lock:
                # Another thread may have sent an update meanwhile.
                self._check_open()
                self._check_queue()
                self._check_room(len(ids))
                number = len(self.history.sent)
                receipt = Receipt(number, told, who, now)
                self.receipts.append(receipt)
                try:
                    data = {"number": number, "text": told, "source": who, "ids": ids}
                    self.server.commit([(self, kinds.SENT, data)], durable=True)
                except LogError:
                    self.receipts.pop()
                    raise
                self.server.wake(self)
                return receipt
        except (Refusal, LogError) as error:
            return Receipt.refused(text, str(source)[:200], str(error))

    def pause(self) -> None:
        """Pauses the session after the current token. Updates are queued meanwhile."""
        with self.server.lock:
            self._require_open()
            if not self.history.paused:
                self.server.commit([(self, kinds.PAUSED, {})])

    def resume(self) -> None:
        """Continues after [`pause`], or after a failure whose cause was fixed."""
        with self.server.lock:
            self._require_open()
            self.failure = None
            if self.history.paused:
                self.server.commit([(self, kinds.RESUMED, {})])
            self.server.wake(self)

    def stop(self, reason: str = "it was stopped") -> None:
        """Ends the session for good and frees its memory. Queued and later updates are refused."""
        with self.server.lock:
            if self.history.stopped is None and self.released is None:
                self.server.commit([(self, kinds.STOPPED, {"reason": reason})], durable=True)
                self.leave()

    def undo(self, receipt: Receipt) -> list[str]:
        """
        Undoes an update and all tokens emitted since: going on equals never having received it. Updates that were
        applied after it are queued again.

        Returns:
            The texts of the updates that are queued again.

        Raises:
            SessionError: The receipt is not of this session, or its update was refused or undone before.
        """
        with self.server.lock:
            self._require_open()
            number = receipt.number
            if not 0 <= number < len(self.receipts) or self.receipts[number] is not receipt:
                raise SessionError(f"`receipt` is not one of the session {self.id}: hand over one that `send` gave.")
            if number in self.history.undone:
                raise SessionError(f"`receipt`: update {number} was taken back already.")
            before = set(self.history.waiting)
            self.server.commit([(self, kinds.UNDONE, {"number": number})], durable=True)
            self._start_over()
            return [self.history.sent[again].text for again in self.history.waiting if again not in before]

    def snapshot(self) -> Snapshot:
        """The current position of the session, for [`restore`]."""
        with self.server.lock:
            return Snapshot(self.id, self.history.last, len(self.tokens), self.version)

    def restore(self, snapshot: Snapshot) -> None:
        """
        Goes back to a snapshot: going on equals never having received or emitted what came after it. An update that
        was sent since and is not yet applied stays queued.

        Raises:
            SessionError: The snapshot is of another session.
        """
        with self.server.lock:
            self._require_open()
            if snapshot.session != self.id or not 0 < snapshot.event <= self.history.last:
                raise SessionError(f"`snapshot` is not one of the session {self.id}: hand over one that it gave.")
            self.server.commit([(self, kinds.RESTORED, {"event": snapshot.event})], durable=True)
            self._start_over()

    def observe(self, stream: str, value: str) -> None:
        """Appends a value to a stream that the policy reads, and calls the policy again."""
        with self.server.lock:
            self.observed.setdefault(stream, []).append(value)
            self.server.wake(self)

    def record(self, kind: str, data: dict[str, Any]) -> None:
        """
        Writes a record (a pressure, a user interface event) to the log, without effect on the session.

        Raises:
            SessionError: The kind is reserved for events that change a session.
        """
        if kind in vars(kinds).values():
            raise SessionError(f"`kind`: {kind!r} changes a session: name your record otherwise.")
        with self.server.lock:
            self._require_open()
            self.server.commit([(self, kind, data)])

    def watch(self, callback: Callable[[Event], None]) -> None:
        """Calls `callback` with every event of the session once it is in the log. It must return quickly."""
        with self.server.lock:
            self._watchers.append(callback)

    def when_changed(self, callback: Callable[[], None]) -> None:
        """Calls `callback` whenever there may be something to read, from any thread. It must return quickly."""
        with self.server.lock:
            self._listeners.append(callback)

    def close(self) -> None:
        """Frees its memory without stopping it: it can be restored from the log."""
        if self.owns_server:
            self.server.close()
            return
        with self.server.lock:
            self.release("it was closed")

    # Reading tokens and state

    def read(self, timeout: float | None = None) -> Token | None:
        """
        Waits for the next token and returns it; None when the session is finished (a further update continues it).

        Raises:
            TimeoutError: No token was emitted within `timeout` seconds.
            SessionError: The session failed, or was closed before its end; the message gives the remedy.
        """
        with self.server.lock:
            self.touched = self.server.clock()
            if not self._changed.wait_for(self._readable, timeout):
                raise TimeoutError(f"no token of the session {self.id} came in {timeout:g} seconds.")
            if self.read_until < len(self.tokens):
                token = self.tokens[self.read_until]
                was_full = self._reader_is_behind
                self.read_until += 1
                if was_full:
                    self.server.wake(self)
                return token
            if self.failure is not None:
                raise SessionError(self.failure)
            if self.released is not None and not self.finished:
                raise SessionError(f"the session {self.id} is not here any more ({self.released}): restore it.")
            return None

    def __iter__(self) -> Iterator[Token]:
        """Tokens from the first unread one, until the session is finished."""
        while (token := self.read()) is not None:
            yield token

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the session is finished or cannot go on by itself; False on timeout."""
        with self.server.lock:
            return self._changed.wait_for(lambda: self.finished or self.is_silent or self._reader_is_behind, timeout)

    @property
    def text(self) -> str:
        """The emitted text that was not undone."""
        with self.server.lock:
            return "".join(token.text for token in self.tokens)

    @property
    def version(self) -> int:
        """The visible version of the last token; 0 before the first."""
        with self.server.lock:
            return self.history.said[-1].version if self.history.said else 0

    @property
    def finished(self) -> bool:
        """Whether its text has ended and no update is queued, or it was stopped."""
        return self.history.stopped is not None or (self.history.ended and not self.history.waiting)

    @property
    def status(self) -> str:
        """`"speaking"`, `"waiting"` (for its policy or its reader), `"paused"`, `"ended"`, `"stopped"`, `"failed"` or
        `"released"`."""
        with self.server.lock:
            known = (
                ("stopped", self.history.stopped is not None),
                ("released", self.released is not None),
                ("failed", self.failure is not None),
                ("paused", self.history.paused),
                ("ended", self.finished),
                ("waiting", not self.has_to_emit),
            )
            return next((name for name, holds in known if holds), "speaking")

    def streams(self) -> dict[str, list[str]]:
        """Inputs of its policy: text `emitted`, updates applied (`heard`) and queued (`incoming`), observations."""
        with self.server.lock:
            sent, waiting = self.history.sent, self.history.waiting
            return {
                "emitted": [token.text for token in self.tokens],
                "heard": [sent[number].text for number, _ in self.history.heard],
                "incoming": [sent[number].text for number in waiting],
                **{name: list(values) for name, values in self.observed.items()},
            }

    def diff(self, before: int, after: int) -> VersionDiff:
        """
        The changes between two versions. Version 0 is before the first message, and each message adds one.

        Raises:
            SessionError: There is no such version, or they are in the wrong order.
        """
        with self.server.lock:
            heard = [(self.history.sent[number], step) for number, step in self.history.heard]
            prompt_ids = self.history.opened["prompt_ids"]
        try:
            return version_diff(self.server.model, self.server.tokenizer, prompt_ids, heard, before, after)
        except ValueError as error:
            raise SessionError(str(error)) from error

    def replay(self) -> Replay:
        """Generates again from the prompt, with the same updates at the same steps, and compares. Changes nothing."""
        return replay(self.server, self.id)

    # Called by the server, with the lock held

    @property
    def is_silent(self) -> bool:
        """Whether it must not emit: paused, stopped, released or failed."""
        return (
            self.history.paused
            or self.history.stopped is not None
            or self.released is not None
            or self.failure is not None
        )

    def _readable(self) -> bool:
        there = self.read_until < len(self.tokens)
        return there or self.finished or self.failure is not None or self.released is not None

    @property
    def _reader_is_behind(self) -> bool:
        most = self.limits.max_unread
        return most is not None and len(self.tokens) - self.read_until >= most

    @property
    def has_to_emit(self) -> bool:
        """Whether it has tokens to emit or updates to apply, and neither its policy nor its reader holds it back."""
        open_ended = not self.history.ended or bool(self.history.waiting)
        return open_ended and not self.decider.held and not self._reader_is_behind

    @property
    def is_full(self) -> bool:
        """Whether its stream has reached the longest length that the model can read."""
        return self.server.longest is not None and self.columns() >= self.server.longest

    @property
    def is_due(self) -> bool:
        """Whether it should emit now."""
        return not self.is_silent and self.has_to_emit

    def apply(self, event: Event) -> None:
        """Applies an event that is already in the log, and notifies watchers and waiting threads."""
        self.history.apply(event, self._until)
        self.touched = self.server.clock()
        if event.kind == kinds.TOKEN:
            self._said(self.history.said[-1])
        elif event.kind in (kinds.UNDONE, kinds.RESTORED):
            self._tell_again()
            settle_receipts(self.receipts, self.history)
        elif event.kind == kinds.STOPPED:
            settle_receipts(self.receipts, self.history)
        for callback in self._watchers:
            guarded(callback, event)
        self.notify()

    def release(self, reason: str) -> None:
        """Removes the session from the server; the log keeps it."""
        if self.released is None:
            self.released = reason
            self.leave()

    def leave(self) -> None:
        """Frees its memory: leaves its batch and its server."""
        if self.batch_row is not None:
            self.batch_row.gone = True
            self.batch_row = None
        self.server.forget(self)
        self.notify()

    def fail(self, reason: str) -> None:
        """Marks the session as failed and leaves its batch; [`resume`] rebuilds its state from the log."""
        self.failure = reason
        if self.batch_row is not None:
            self.batch_row.gone = True
            self.batch_row = None
        self.notify()

    def notify(self) -> None:
        """Wakes waiting threads and calls the listeners after a change."""
        self._changed.notify_all()
        for callback in self._listeners:
            guarded(callback)

    def _until(self, number: int) -> History:
        return History.of(self.server.log.events(self.id, number))

    def _start_over(self) -> None:
        if self.batch_row is not None:
            self.batch_row.gone = True
            self.batch_row = None
        self.server.wake(self)

    def _said(self, said: EmittedToken) -> None:
        text = self._texts.add(said.id)
        self.tokens.append(Token(len(self.tokens), said.id, text, said.version))
        if said.heard is not None:
            settle_heard(self.receipts[said.heard], said, len(self.tokens) - 1)

    def _tell_again(self) -> None:
        """Rebuilds the tokens and their texts from the history, after something was undone."""
        self._texts = TokenTexts(self.server.words.decode)
        texts = [self._texts.add(said.id) for said in self.history.said]
        pairs = enumerate(zip(self.history.said, texts, strict=True))
        self.tokens = [Token(step, said.id, text, said.version) for step, (said, text) in pairs]
        self.read_until = min(self.read_until, len(self.tokens))

    def _require_open(self) -> None:
        try:
            self._check_open()
        except Refusal as error:
            raise SessionError(str(error)) from error

    def _check_open(self) -> None:
        if self.history.stopped is not None:
            raise Refusal(f"the session {self.id} was stopped ({self.history.stopped}): start another one.")
        if self.released is not None:
            raise Refusal(f"the session {self.id} is not here any more ({self.released}): restore it first.")

    def _check_queue(self) -> None:
        if len(self.history.waiting) >= self.limits.max_waiting:
            raise Refusal(
                f"{self.limits.max_waiting} updates wait to be heard already: send again when one of them is settled."
            )

    def _check_room(self, tokens: int) -> None:
        """Raises `Refusal` if an update and at least one token after it do not fit into the longest stream."""
        most = self.server.longest
        waiting = [self.history.sent[number] for number in self.history.waiting]
        if most is not None and self.columns(waiting) + tokens + 1 >= most:
            raise Refusal(f"the session is as long as the model can read ({most} tokens): start another one.")

    def columns(self, more: list[QueuedUpdate] | None = None) -> int:
        """Length in tokens of the stream that its model reads, including the updates `more`."""
        return stream_length(self.server.model, self.history, more or [])

    # Its policy

    def ask_policy(self) -> None:
        """Calls the policy, without the lock; called by the worker thread of the server."""
        action, reason = self.decider.ask(self.streams())
        with self.server.lock:
            try:
                if action is not None and self.decider.follow(action) and self.decider.decide is not None:
                    self.server.commit([(self, "action", {"action": action})])
            except LogError as error:
                reason = str(error)
            if reason is not None:
                self.fail(reason)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
