"""
One process, one model, many sessions: who speaks when.

A single thread speaks, for all. It has its sessions in batches, which take turns of a few steps; a session joins a
batch when it has something to say and leaves it when it has not. Prompts are read together before their sessions join.
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
"""Rows of a batch. More are hardly faster on a CPU, and all wait for each other."""
TURN, ALONE = 4, 16
"""Steps of a batch before the next has its turn, and where there is no other, before others may join."""
MANY = 1 / 4
"""The share of a batch that must be silent or gone before it goes on without them: that costs a copy of its cache."""
SWEEP_SECONDS = 1.0


class Server:
    """
    Sessions over one model.

    Args:
        model, tokenizer: One of our generators or any causal language model of transformers, and its tokenizer.
        log (`EventLog`, `str` or `Path`, *optional*): The log of all sessions; one in memory if it is not given.
        limits (`Limits`, *optional*): How much each session takes, where it has no limits of its own.
        rows (`int`, *optional*, defaults to 32): Most sessions in one batch.
        max_sessions (`int`, *optional*, defaults to 1,024): Most sessions at once.
        clock (`Callable[[], float]`, *optional*): Seconds that never go back.

    Raises:
        ValueError: The model cannot listen.
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
        """Held by whoever runs the model."""
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
        # A thread that still computes when the process ends would abort it.
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
        A new session.

        Args:
            prompt (`str` or `bytes`): What is said first.
            sampling (`Sampling`, *optional*): How it speaks; greedily if it is not given.
            limits (`Limits`, *optional*): How much it takes; those of the server if they are not given.
            decide (`Callable[[dict[str, list[str]]], str]`, *optional*): A policy: asked before each token whether to
                speak, given its streams (see [`Session.streams`]).
            id (`str`, *optional*): Its name; a random one if it is not given.
            measure (`int`, *optional*): After so many tokens each, its pressures go into the log. A mixture of experts
                is read while it speaks alone, as a session by itself always does: not in a batch with others.

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
        A session as the log holds it, here or from another process that has ended. It goes on at once: what was sent
        and not heard is heard, and what was under way is said to its end.

        Raises:
            LogError: The log does not hold it, or is damaged.
            SessionError: It was held with another model.
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
        A session that is here.

        Raises:
            SessionError: There is none of this name.
        """
        with self.lock:
            if id not in self._sessions:
                raise SessionError(f"there is no session {id!r} here: `open` one, or `restore` it from the log.")
            return self._sessions[id]

    @property
    def sessions(self) -> list[Session]:
        """All sessions that are here."""
        with self.lock:
            return list(self._sessions.values())

    @property
    def latest(self) -> str:
        """The session of the log that began last."""
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
        """Ends speaking and frees everything. No session is stopped: the log holds them."""
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

    # What sessions ask. The lock is held.

    def commit(self, entries: Sequence[tuple[Session, str, dict[str, Any]]], durable: bool = False) -> None:
        """
        Writes events into the log, and then lets them happen.

        Raises:
            LogError: They cannot be written, and nothing has happened.
        """
        events = self.log.append([(session.id, kind, data) for session, kind, data in entries], durable)
        for (session, _, _), event in zip(entries, events, strict=True):
            session.apply(event)

    def wake(self, session: Session) -> None:
        """There is something new for a session."""
        if session.decider.decide is not None:
            self._news.add(session)
        # A turn under way is cut short for whoever takes no part in it.
        if session.batch_row is None or not session.batch_row.live:
            self._urgent = True
        self._work.notify_all()

    def forget(self, session: Session) -> None:
        self._sessions.pop(session.id, None)
        self._news.discard(session)
        self.log.forget(session.id)
        self._work.notify_all()

    def check_model(self, history: History) -> None:
        """Raises `SessionError` if a session was held with another model."""
        if history.opened["model"] != self.fingerprint:
            raise SessionError("`model` is not the one that the session was held with: load that one.")

    def _check_space(self) -> None:
        if len(self._sessions) >= self.max_sessions:
            raise Refusal(f"there are {self.max_sessions} sessions already: close one, or try again later.")

    # The speaking thread

    def work(self) -> bool:
        """Waits until somebody has something to say, and lets all have a turn. Whether to go on."""
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
            # Whatever it was: who speaks for all must not fall silent without a word.
            batches, self.batches = self.batches, []
            for batch in batches:
                self._give_up(batch, f"the sessions cannot be put together: {error!r}; `resume()` goes on.")
        return True

    def _is_work(self) -> bool:
        return self._closing or bool(self._news) or any(session.is_due for session in self._sessions.values())

    def _sweep(self) -> None:
        """Frees what nobody has asked for in a long time."""
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
            # Their prompts, and a first word: from then on they are like any other.
            if self._run(batch, 1) and batch.columns is not None:
                self.batches.append(batch)
            else:
                self._give_up(batch)
        self._merge()
        emitting = [batch for batch in self.batches if batch.emitting]
        for batch in emitting:
            self._run(batch, *((TURN, False) if len(emitting) > 1 else (ALONE, True)))

    def _tidy(self) -> None:
        """Takes out of each batch who is gone, and once they are many, who is silent; those stay by themselves."""
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
        """Puts batches together that fit into one."""
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
        """Lets a batch speak. Whether it could: otherwise all that its rows knew is made anew when they go on."""
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
        """Lets go of a batch. With a reason, who was speaking in it has failed; the others do not even notice."""
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
        """Writes down what was said in a step, and then tells it."""
        now = self.clock()
        with self.lock:
            entries: list[tuple[Session, str, dict[str, Any]]] = []
            batch_rows = [step.member for step in steps if isinstance(step.member, SessionRow)]
            for batch_row, step in zip(batch_rows, steps, strict=True):
                # What is known was measured and written down before: it is counted alone.
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
    """The speaking thread; it does not keep a server alive that nobody holds."""
    while True:
        server = reference()
        if server is None or not server.work():
            return
        del server


def _close(reference: "weakref.ref[Server]") -> None:
    server = reference()
    if server is not None:
        server.close()
