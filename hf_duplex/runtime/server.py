"""
Many sessions over one model in one process: the scheduler.

A single worker thread generates for all sessions. It groups them into batches, which take turns of a few steps. A
session joins a batch when it has something to emit, and leaves it otherwise. Prompts of new sessions are read together
before these sessions join.
"""

import atexit
import contextlib
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import history as kinds
from .batching import Batch, Step
from .deciding import Policy
from .event_log import EventLog, LogError
from .gauges import PRESSURE, Gauge, open_gauge, watch_batch
from .history import History
from .limits import Limits, Refusal, check_text
from .listeners import fingerprint, open_input
from .sampling import Sampling
from .session import Session, SessionError
from .session_row import SessionRow


ROWS = 32
"""Most rows of a batch. On a CPU, more rows add little throughput, and every step takes longer."""
TURN, ALONE = 4, 16
"""Steps of a batch per turn: with other batches, and alone (then new sessions may join after it)."""
MANY = 1 / 4
"""The share of rows that must be silent or gone before they are removed: removal copies the cache."""
SWEEP_SECONDS = 1.0


class Server:
    """
    Sessions over one model.

    Args:
        model, tokenizer: One of our generators or any causal language model of transformers, and its tokenizer.
        log (`EventLog`, `str` or `Path`, *optional*): The log of all sessions; in memory if it is not given.
        limits (`Limits`, *optional*): The limits of sessions that are opened without their own.
        rows (`int`, *optional*, defaults to 32): Most sessions in one batch.
        max_sessions (`int`, *optional*, defaults to 1,024): Most sessions at once.
        clock (`Callable[[], float]`, *optional*): A monotonic clock, in seconds.

    Raises:
        ValueError: The model cannot receive updates.
        LogError: The log cannot be used.
    """

    session_class = Session

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        log: EventLog | str | Path | None = None,
        limits: Limits | None = None,
        rows: int = ROWS,
        max_sessions: int = 1024,
        clock: Callable[[], float] = time.monotonic,
    ):
        if rows < 1 or max_sessions < 1:
            raise ValueError(f"`rows` and `max_sessions` must be at least 1, got {rows} and {max_sessions}.")
        self.model, self.words = open_input(model, tokenizer)
        self.tokenizer, self.limits, self.rows, self.max_sessions = tokenizer, limits or Limits(), rows, max_sessions
        self.clock = clock
        self.fingerprint = fingerprint(model)
        self.longest: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self._owns_log = not isinstance(log, EventLog)
        self.log = log if isinstance(log, EventLog) else EventLog(log)
        self.lock = threading.RLock()
        self.turn = threading.Lock()
        """Held by the thread that runs the model."""
        self._work = threading.Condition(self.lock)
        self._sessions: dict[str, Session] = {}
        self.batches: list[Batch] = []
        self._news: set[Session] = set()
        self._urgent = self._closing = False
        self._gauges: dict[SessionRow, Gauge] = {}
        self._swept = clock()
        self._thread = threading.Thread(
            target=_run_server, args=(weakref.ref(self),), daemon=True, name="hf_duplex speaker"
        )
        # A thread that still computes at interpreter exit would abort the process.
        self._at_exit = atexit.register(_close, weakref.ref(self))
        self._thread.start()

    def open(
        self,
        prompt: str | bytes,
        sampling: Sampling | None = None,
        limits: Limits | None = None,
        decide: Policy | None = None,
        id: str | None = None,
        measure: int | None = None,
    ) -> Session:
        """
        Opens a new session.

        Args:
            prompt (`str` or `bytes`): The prompt.
            sampling (`Sampling`, *optional*): Sampling settings; greedy if not given.
            limits (`Limits`, *optional*): Limits of the session; those of the server if not given.
            decide (`Callable[[dict[str, list[str]]], str]`, *optional*): A policy: called before each token with the
                session's streams (see [`Session.streams`]), it decides whether to emit.
            id (`str`, *optional*): Its name; a random one if it is not given.
            measure (`int`, *optional*): Logs its pressures every `measure` tokens. A mixture of experts is measured
                only while the session is alone in its batch, as a single session always is.

        Raises:
            Refusal: The prompt is unusable, or there are too many sessions.
            ValueError: `measure` is unusable, or the model has nothing to read signals from.
            LogError: The log cannot be written.
        """
        limits, sampling = limits or self.limits, sampling or Sampling()
        text = check_text(prompt, "prompt", limits.max_prompt_bytes)
        prompt_ids, start_id = self.words.prompt(text)
        if self.longest is not None and len(prompt_ids) + sampling.max_new_tokens > self.longest:
            longest = self.longest - sampling.max_new_tokens
            raise Refusal(f"`prompt` has {len(prompt_ids)} tokens, more than the {longest} that fit: shorten it.")
        opened = {
            "prompt": text,
            "prompt_ids": prompt_ids,
            "start_id": start_id,
            "ends": self.words.ends,
            "sampling": sampling.to_dict(),
            "model": self.fingerprint,
        }
        if measure is not None:
            open_gauge(self.model, measure)
            opened["measure"] = measure
        with self.lock:
            self._check_space()
            id = uuid.uuid4().hex[:12] if id is None else id
            if id in self._sessions or id in self.log.sessions():
                raise Refusal(f"`id`: there is a session {id!r} already: name another, or `restore` it.")
            events = self.log.append([(id, kinds.OPENED, opened)], durable=True)
            session = self._sessions[id] = self.session_class(self, id, events, limits, decide)
            self.wake(session)
            return session

    def restore(self, id: str, limits: Limits | None = None, decide: Policy | None = None) -> Session:
        """
        Restores a session from the log, also one of a process that has ended. It continues at once: queued updates
        are applied, and unfinished text is completed. A session that is already open is returned as it is.

        Raises:
            LogError: The log does not hold it, or is damaged.
            SessionError: It was opened with another model.
        """
        with self.lock:
            if id in self._sessions:
                return self._sessions[id]
            events = self.log.events(id)
            self.check_model(History.of(events))
            session = self.session_class(self, id, events, limits or self.limits, decide)
            if session.history.stopped is None:
                self._check_space()
                self._sessions[id] = session
                self.wake(session)
            return session

    def get(self, id: str) -> Session:
        """
        An open session.

        Raises:
            SessionError: No open session has this name.
        """
        with self.lock:
            if id not in self._sessions:
                raise SessionError(f"there is no session {id!r} here: `open` one, or `restore` it from the log.")
            return self._sessions[id]

    @property
    def sessions(self) -> list[Session]:
        """All open sessions."""
        with self.lock:
            return list(self._sessions.values())

    @property
    def latest(self) -> str:
        """Name of the session in the log that was opened last."""
        ids = self.log.sessions()
        if not ids:
            raise LogError("`log` holds no session: start one.")
        return ids[-1]

    @property
    def nbytes(self) -> int:
        """Bytes of the states of all sessions."""
        with self.turn:
            return sum(batch.nbytes for batch in self.batches)

    def close(self) -> None:
        """Ends the worker thread and frees all memory. Sessions are not stopped: they can be restored from the log."""
        with self.lock:
            self._closing = True
            self._work.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        with self.lock:
            for session in self.sessions:
                session.release("its server was closed")
            self.batches = []
        atexit.unregister(self._at_exit)
        if self._owns_log:
            self.log.close()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # Called by sessions, with the lock held

    def commit(self, entries: Sequence[tuple[Session, str, dict[str, Any]]], durable: bool = False) -> None:
        """
        Writes events to the log, then applies them.

        Raises:
            LogError: The events cannot be written; nothing was applied.
        """
        events = self.log.append([(session.id, kind, data) for session, kind, data in entries], durable)
        for (session, _, _), event in zip(entries, events, strict=True):
            session.apply(event)

    def wake(self, session: Session) -> None:
        """Wakes the worker thread: a session has something new to process."""
        if session.decider.decide is not None:
            self._news.add(session)
        # End the current turn early for a session that takes no part in it.
        if session.batch_row is None or not session.batch_row.live:
            self._urgent = True
        self._work.notify_all()

    def forget(self, session: Session) -> None:
        self._sessions.pop(session.id, None)
        self._news.discard(session)
        self.log.forget(session.id)
        self._work.notify_all()

    def check_model(self, history: History) -> None:
        """Raises `SessionError` if a session was opened with another model."""
        if history.opened["model"] != self.fingerprint:
            raise SessionError("`model` is not the one that the session was held with: load that one.")

    def _check_space(self) -> None:
        if len(self._sessions) >= self.max_sessions:
            raise Refusal(f"there are {self.max_sessions} sessions already: close one, or try again later.")

    # The worker thread

    def work(self) -> bool:
        """Waits until a session is due, and runs one turn of every batch. Returns whether to continue."""
        with self.lock:
            if not self._is_work():
                self._work.wait(SWEEP_SECONDS)
            if self._closing:
                return False
            self._sweep()
            news, self._news = list(self._news), set()
            self._urgent = False
        for session in news:
            session.ask_policy()
        try:
            self._take_turns()
        except Exception as error:
            # The thread serves all sessions: it must report any error and go on.
            batches, self.batches = self.batches, []
            for batch in batches:
                self._give_up(batch, f"the sessions cannot be put together: {error!r}; `resume()` goes on.")
        return True

    def _is_work(self) -> bool:
        return self._closing or bool(self._news) or any(session.is_due for session in self._sessions.values())

    def _sweep(self) -> None:
        """Releases sessions that were idle for longer than their limit."""
        now = self.clock()
        if now - self._swept < SWEEP_SECONDS:
            return
        self._swept = now
        for session in self.sessions:
            idle = session.limits.idle_seconds
            if idle is not None and not session.is_due and now - session.touched > idle:
                session.release(f"nobody spoke for {idle:g} seconds")

    def _take_turns(self) -> None:
        with self.lock:
            self._tidy()
            new = [session for session in self._sessions.values() if session.is_due and session.batch_row is None]
            batch_rows = [SessionRow(session) for session in new]
            for session, batch_row in zip(new, batch_rows, strict=True):
                session.batch_row = batch_row
        for start in range(0, len(batch_rows), self.rows):
            batch = Batch(self.model, self.words, batch_rows[start : start + self.rows], self._after_step)
            # Reads their prompts and emits one token; then the batch can be merged like any other.
            if self._run(batch, 1) and batch.columns is not None:
                self.batches.append(batch)
            else:
                self._give_up(batch)
        self._merge()
        emitting = [batch for batch in self.batches if batch.emitting]
        for batch in emitting:
            self._run(batch, *((TURN, False) if len(emitting) > 1 else (ALONE, True)))

    def _tidy(self) -> None:
        """Removes gone and silent rows from each batch once they are many; silent rows become batches of their own."""
        kept: list[Batch] = []
        for batch in self.batches:
            there = [row for row, member in enumerate(batch.members) if not member.gone]
            emitting = [row for row in there if batch.members[row].emitting]
            useless = len(batch) - len(emitting if emitting else there)
            if not there:
                continue
            if useless and (not emitting or useless >= MANY * len(batch)):
                silent = [row for row in there if row not in emitting] if emitting else []
                kept += [batch.part([row]) for row in silent]
                batch.keep(emitting or there)
            kept.append(batch)
        self.batches = kept

    def _merge(self) -> None:
        """Merges batches that fit into one."""
        emitting = sorted((batch for batch in self.batches if batch.emitting), key=len, reverse=True)
        groups: list[list[Batch]] = []
        for batch in emitting:
            fits = (group for group in groups if sum(map(len, group)) + len(batch) <= self.rows)
            group = next(fits, None)
            if group is None:
                groups.append([batch])
            else:
                group.append(batch)
        for first, *others in groups:
            if others:
                first.absorb(others)
                self.batches = [batch for batch in self.batches if batch not in others]

    def _run(self, batch: Batch, steps: int, at_once: bool = True) -> bool:
        """Runs a batch. Returns whether it succeeded; after a failure, rows rebuild their state when they continue."""
        try:
            with self.turn, contextlib.ExitStack() as watching:
                self._gauges = watch_batch(batch, watching)
                batch.run(steps, at_once)
            return True
        except Exception as error:
            reason = str(error) if isinstance(error, LogError) else f"the model failed: {error!r}; `resume()` goes on."
            self.batches = [other for other in self.batches if other is not batch]
            self._give_up(batch, reason)
            return False

    def _give_up(self, batch: Batch, reason: str | None = None) -> None:
        """Drops a batch. If a `reason` is given, its emitting sessions are marked as failed; others are unaffected."""
        with self.lock:
            for batch_row in batch.members:
                assert isinstance(batch_row, SessionRow)
                emitting = batch_row.emitting
                batch_row.gone = True
                if batch_row.session.batch_row is batch_row:
                    batch_row.session.batch_row = None
                    if emitting and reason is not None:
                        batch_row.session.fail(reason)

    def _after_step(self, steps: list[Step]) -> bool:
        """Logs and applies the tokens of a step. Returns whether to end the turn early."""
        now = self.clock()
        with self.lock:
            entries: list[tuple[Session, str, dict[str, Any]]] = []
            batch_rows = [step.member for step in steps if isinstance(step.member, SessionRow)]
            for batch_row, step in zip(batch_rows, steps, strict=True):
                # Tokens replayed from the log were measured and logged before: the gauge only counts them.
                gauge = self._gauges.get(batch_row)
                record = gauge.after_token() if gauge else None
                if not batch_row.gone and batch_row.known is None:
                    entries.append((batch_row.session, kinds.TOKEN, batch_row.data(step.token, step.version, now)))
                    if record is not None:
                        entries.append((batch_row.session, PRESSURE, record))
            if entries:
                self.commit(entries)
            for batch_row in batch_rows:
                if not batch_row.gone:
                    batch_row.position += 1
            spoken = [session for session, kind, _ in entries if kind == kinds.TOKEN]
            for session in spoken:
                if session.is_full:
                    session.stop(f"it is as long as the model can read, {self.longest} tokens")
            told = [session for session in spoken if session.decider.decide is not None]
        for session in told:
            session.ask_policy()
        return self._urgent or self._closing


def _run_server(reference: "weakref.ref[Server]") -> None:
    """The worker thread; its weak reference does not keep an unused server alive."""
    while True:
        server = reference()
        if server is None or not server.work():
            return
        del server


def _close(reference: "weakref.ref[Server]") -> None:
    server = reference()
    if server is not None:
        server.close()
