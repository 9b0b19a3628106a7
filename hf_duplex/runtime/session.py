"""
A conversation that is open on both sides: tokens come out while updates go in, from any thread.

A session is what its event log says: everything that happens is written down before anybody is told, and changes the
session by the one rule of [`~history.History`]. A [`~server.Server`] runs many sessions at once; a session does not
know how, nor in which batch it is.
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
    """A session cannot do what it was asked for; the message says why and what to do."""


class Session:
    """
    One conversation of a server, made by [`Server.open`] or [`Server.restore`];
    [`~duplex_session.DuplexSession`] has a server of its own. All methods may be called from any thread.

    Attributes:
        id (`str`): Its name in the log.
        history (`History`): What has happened.
        tokens (`list[Token]`): What stands of what it has said.
        receipts (`list[Receipt]`): Of all updates that were taken, in the order of sending.
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

    # Talking to it

    def send(self, text: str | bytes, source: str = "user") -> Receipt:
        """
        Tells it something: heard before its next token, or if it has ended: it goes on.

        Args:
            text (`str` or `bytes`): What is said.
            source (`str`, *optional*, defaults to `"user"`): Who says it, for the log.

        Returns:
            A receipt. Unless it says refused, the update is in the log, and will be heard once and in its turn,
            whatever becomes of this process.
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
                # Others may have sent something meanwhile.
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
        """Silences it after the token under way. What it is sent waits."""
        with self.server.lock:
            self._require_open()
            if not self.history.paused:
                self.server.commit([(self, kinds.PAUSED, {})])

    def resume(self) -> None:
        """Lets it speak again, after [`pause`] or after a failure that was mended."""
        with self.server.lock:
            self._require_open()
            self.failure = None
            if self.history.paused:
                self.server.commit([(self, kinds.RESUMED, {})])
            self.server.wake(self)

    def stop(self, reason: str = "it was stopped") -> None:
        """Ends it for good and frees its memory. What it did not hear yet is refused, and what it is sent."""
        with self.server.lock:
            if self.history.stopped is None and self.released is None:
                self.server.commit([(self, kinds.STOPPED, {"reason": reason})], durable=True)
                self.leave()

    def undo(self, receipt: Receipt) -> list[str]:
        """
        Takes an update back, with all that was said since: going on equals never having received it. What was heard
        later than it is heard anew.

        Returns:
            The texts of the updates that wait to be heard anew.

        Raises:
            SessionError: It is none of this session's, or was refused or taken back before.
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
        """The place where it is now."""
        with self.server.lock:
            return Snapshot(self.id, self.history.last, len(self.tokens), self.version)

    def restore(self, snapshot: Snapshot) -> None:
        """
        Goes back to a snapshot: going on equals never having heard or said what came after it. An update that was
        sent since and is not yet heard still waits.

        Raises:
            SessionError: It is one of another session.
        """
        with self.server.lock:
            self._require_open()
            if snapshot.session != self.id or not 0 < snapshot.event <= self.history.last:
                raise SessionError(f"`snapshot` is not one of the session {self.id}: hand over one that it gave.")
            self.server.commit([(self, kinds.RESTORED, {"event": snapshot.event})], durable=True)
            self._start_over()

    def observe(self, stream: str, value: str) -> None:
        """Adds a value to a stream that the policy sees, and asks it again."""
        with self.server.lock:
            self.observed.setdefault(stream, []).append(value)
            self.server.wake(self)

    def record(self, kind: str, data: dict[str, Any]) -> None:
        """
        Writes something about the session (a pressure, an event of a screen) into its log; it changes nothing.

        Raises:
            SessionError: The kind is one that changes a session.
        """
        if kind in vars(kinds).values():
            raise SessionError(f"`kind`: {kind!r} changes a session: name your record otherwise.")
        with self.server.lock:
            self._require_open()
            self.server.commit([(self, kind, data)])

    def watch(self, callback: Callable[[Event], None]) -> None:
        """Calls `callback` with every event of the session once it is in the log. It must return at once."""
        with self.server.lock:
            self._watchers.append(callback)

    def when_changed(self, callback: Callable[[], None]) -> None:
        """Calls `callback` whenever there may be something to read, from any thread. It must return at once."""
        with self.server.lock:
            self._listeners.append(callback)

    def close(self) -> None:
        """Frees its memory. It is not stopped: the log holds it, and it can be restored."""
        if self.owns_server:
            self.server.close()
            return
        with self.server.lock:
            self.release("it was closed")

    # Listening to it

    def read(self, timeout: float | None = None) -> Token | None:
        """
        The next token, once it is there; None when it has said all and heard all (told more, it goes on).

        Raises:
            TimeoutError: Nothing came in so many seconds.
            SessionError: It failed, or was closed before its end; the message says what to do.
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
        """Tokens from where the last reader left, until it has said all and heard all."""
        while (token := self.read()) is not None:
            yield token

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until it has said all and heard all, or cannot go on by itself. Whether it came to that."""
        with self.server.lock:
            return self._changed.wait_for(lambda: self.finished or self.is_silent or self._reader_is_behind, timeout)

    @property
    def text(self) -> str:
        """What stands of what it has said."""
        with self.server.lock:
            return "".join(token.text for token in self.tokens)

    @property
    def version(self) -> int:
        """The version that its last token knows; 0 before the first."""
        with self.server.lock:
            return self.history.said[-1].version if self.history.said else 0

    @property
    def finished(self) -> bool:
        """Whether it has said all and heard all, or was stopped."""
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
        """What its policy sees: what was `emitted`, `heard` and is `incoming`, and what was observed."""
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
        What happened between two versions: 0 has heard nothing, and every message makes one.

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
        """Says it all anew from the prompt, told the same at the same places, and compares. Nothing changes."""
        return replay(self.server, self.id)

    # What the server asks and tells. The lock is held.

    @property
    def is_silent(self) -> bool:
        """Whether it may not speak, whatever it has to say."""
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
        """Whether it has something to say or to hear, and may."""
        open_ended = not self.history.ended or bool(self.history.waiting)
        return open_ended and not self.decider.held and not self._reader_is_behind

    @property
    def is_full(self) -> bool:
        """Whether it is as long as its model can read."""
        return self.server.longest is not None and self.columns() >= self.server.longest

    @property
    def is_due(self) -> bool:
        """Whether it should speak now."""
        return not self.is_silent and self.has_to_emit

    def apply(self, event: Event) -> None:
        """Takes an event in that is in the log, and tells who waits for it."""
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
        """Leaves the server; the log keeps it."""
        if self.released is None:
            self.released = reason
            self.leave()

    def leave(self) -> None:
        """Frees its memory."""
        if self.batch_row is not None:
            self.batch_row.gone = True
            self.batch_row = None
        self.server.forget(self)
        self.notify()

    def fail(self, reason: str) -> None:
        """It cannot go on for now; its state is made anew from what was written down."""
        self.failure = reason
        if self.batch_row is not None:
            self.batch_row.gone = True
            self.batch_row = None
        self.notify()

    def notify(self) -> None:
        """Tells who waits that something is otherwise."""
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
        """Texts of what stands, after something was taken back."""
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
        """Raises `Refusal` where an update does not fit into what the model can read, with an answer behind it."""
        most = self.server.longest
        waiting = [self.history.sent[number] for number in self.history.waiting]
        if most is not None and self.columns(waiting) + tokens + 1 >= most:
            raise Refusal(f"the session is as long as the model can read ({most} tokens): start another one.")

    def columns(self, more: list[QueuedUpdate] | None = None) -> int:
        """Tokens that its model reads in one stream, with updates that are to come."""
        return stream_length(self.server.model, self.history, more or [])

    # Its policy

    def ask_policy(self) -> None:
        """Asks whether to speak, without the lock; called by the speaking thread."""
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
