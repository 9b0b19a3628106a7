"""
The event log: all events of all sessions, in one append-only SQLite file.

It does not depend on models. An event has a number, a session, a kind and data. Its check sum covers the check sum of
the event before it in its session, so that changed or missing events are detected. Committed events survive the end of
the process (write-ahead log), and with `durable=True` also a loss of power.
"""

import json
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout


FORMAT = 1
"""The file format; changes when older logs can no longer be read."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY,
    session TEXT NOT NULL,
    kind TEXT NOT NULL,
    time REAL NOT NULL,
    data TEXT NOT NULL,
    sum INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS events_of ON events (session, number);
CREATE TRIGGER IF NOT EXISTS never_changed BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS never_deleted BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
"""


class LogError(RuntimeError):
    """The log cannot be read or written; the message gives the reason and the remedy. Nothing was changed."""


class Event(NamedTuple):
    """
    Attributes:
        number (`int`): Its position in the log, increasing.
        session (`str`): Its session.
        kind (`str`): Its kind.
        data (`dict[str, Any]`): Its data, JSON-compatible.
        time (`float`): Wall-clock time, in seconds since 1970; informative only, not used for ordering.
    """

    number: int
    session: str
    kind: str
    data: dict[str, Any]
    time: float


def check_sum(before: int, session: str, kind: str, data: str) -> int:
    """The check sum of an event, given that of the one before it in its session (0 for the first)."""
    return zlib.crc32(f"{before}\0{session}\0{kind}\0{data}".encode())


class EventLog:
    """
    An append-only log. All methods are thread-safe. One process at a time may write to it; any may read.

    Args:
        path (`str` or `Path`, *optional*): The file; if not given, the log is in memory and lost with the process.
        clock (`Callable[[], float]`, *optional*): The wall clock.

    Raises:
        LogError: The file exists but is not an event log, or is damaged.
    """

    def __init__(self, path: str | Path | None = None, clock: Callable[[], float] = time.time):
        self.path = None if path is None else Path(path)
        self.clock = clock
        self._lock = threading.RLock()
        self._sums: dict[str, int] = {}
        self._synchronous = ""
        self._claim = None if self.path is None else FileLock(f"{self.path}.lock", thread_local=False)
        try:
            self.db = sqlite3.connect(self.path or ":memory:", isolation_level=None, check_same_thread=False)
            self.db.execute("PRAGMA journal_mode=WAL")
            version = self.db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, FORMAT):
                raise LogError(f"`log`: {self._name} has format {version}, this version reads {FORMAT}: update.")
            if version == 0 and self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise LogError(f"`log`: {self._name} is a database of something else: name another file.")
            self.db.executescript(SCHEMA)
            self.db.execute(f"PRAGMA user_version={FORMAT}")
        except sqlite3.Error as error:
            raise self._failed("opened", error) from error

    @property
    def _name(self) -> str:
        return "the log in memory" if self.path is None else str(self.path)

    def _failed(self, what: str, error: sqlite3.Error) -> LogError:
        text = str(error)
        if "full" in text:
            remedy = "free some space; sessions go on with `resume()`"
        elif "malformed" in text or "not a database" in text:
            remedy = "the file is damaged: copy what is left with EventLog(path).recover(new_path)"
        else:
            remedy = "see that its folder is there and that nobody else holds it"
        return LogError(f"`log`: {self._name} cannot be {what} ({text}): {remedy}.")

    def append(self, events: Sequence[tuple[str, str, dict[str, Any]]], durable: bool = False) -> list[Event]:
        """
        Adds events, all of them or none.

        Args:
            events (`Sequence[tuple[str, str, dict]]`): Session, kind and data of each.
            durable (`bool`, *optional*, defaults to `False`): Return only once they would survive a loss of
                power. They survive the end of this process in any case.

        Raises:
            LogError: The events cannot be written; none was written.
        """
        with self._lock:
            self._claim_file()
            sums, rows, added = dict.fromkeys((session for session, _, _ in events), 0), [], []
            now = self.clock()
            try:
                for session in sums:
                    sums[session] = self._last_sum(session)
                synchronous = "FULL" if durable else "NORMAL"
                if synchronous != self._synchronous:
                    self.db.execute(f"PRAGMA synchronous={synchronous}")
                    self._synchronous = synchronous
                self.db.execute("BEGIN IMMEDIATE")
                try:
                    number = self.db.execute("SELECT coalesce(max(number), 0) FROM events").fetchone()[0]
                    for session, kind, data in events:
                        number += 1
                        text = json.dumps(data, separators=(",", ":"))
                        sums[session] = check_sum(sums[session], session, kind, text)
                        rows.append((number, session, kind, now, text, sums[session]))
                        added.append(Event(number, session, kind, data, now))
                    self.db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", rows)
                    self.db.execute("COMMIT")
                except BaseException:
                    if self.db.in_transaction:
                        self.db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise self._failed("written", error) from error
            self._sums.update(sums)
            return added

    def _claim_file(self) -> None:
        """Locks the file for writing by this process. The lock ends with the process, however that ends."""
        if self._claim is None or self._claim.is_locked:
            return
        try:
            self._claim.acquire(timeout=0)
        except (Timeout, OSError) as error:
            raise LogError(
                f"`log`: {self.path} is written by another process already: close that one, or name another file."
            ) from error

    def _last_sum(self, session: str) -> int:
        if session not in self._sums:
            query = "SELECT sum FROM events WHERE session = ? ORDER BY number DESC LIMIT 1"
            row = self.db.execute(query, (session,)).fetchone()
            self._sums[session] = row[0] if row else 0
        return self._sums[session]

    def forget(self, session: str) -> None:
        """Frees the memory kept for a session; its events stay in the log."""
        with self._lock:
            self._sums.pop(session, None)

    def events(self, session: str, until: int | None = None) -> list[Event]:
        """
        The events of a session, in order; up to event number `until` if given.

        Raises:
            LogError: There is no such session, or its events are damaged.
        """
        query = "SELECT number, kind, time, data, sum FROM events WHERE session = ? AND number <= ? ORDER BY number"
        with self._lock:
            try:
                rows = self.db.execute(query, (session, 2**62 if until is None else until)).fetchall()
            except sqlite3.Error as error:
                raise self._failed("read", error) from error
        if not rows:
            raise LogError(f"`session`: there is no session {session!r} in {self._name}: `sessions()` lists them.")
        found, bad = self._checked(session, rows)
        if bad is not None:
            raise LogError(
                f"`log`: {self._name} is damaged: event {bad} of the session {session!r} is not what was written. "
                f"{len(found)} events before it are whole: copy them with EventLog(path).recover(new_path)."
            )
        return found

    @staticmethod
    def _checked(session: str, rows: Iterable[tuple]) -> tuple[list[Event], int | None]:
        """Events before the first damaged one, and the number of that one, or None."""
        found: list[Event] = []
        before = 0
        for number, kind, when, data, total in rows:
            before = check_sum(before, session, kind, data)
            try:
                content = json.loads(data)
            except ValueError:
                return found, number
            if before != total:
                return found, number
            found.append(Event(number, session, kind, content, when))
        return found, None

    def sessions(self) -> list[str]:
        """Names of all sessions, in the order in which they were opened."""
        with self._lock:
            try:
                rows = self.db.execute("SELECT session FROM events GROUP BY session ORDER BY min(number)").fetchall()
            except sqlite3.Error as error:
                raise self._failed("read", error) from error
        return [row[0] for row in rows]

    def recover(self, path: str | Path) -> dict[str, int]:
        """
        Copies the undamaged events of a log to a new one.

        Returns:
            Number of undamaged events by session. A session whose first event is damaged is left out.

        Raises:
            LogError: Nothing can be read, or the new file exists already.
        """
        if Path(path).exists():
            raise LogError(f"`path`: {path} is there already: name a new file.")
        kept: dict[str, list[Event]] = {}
        before: dict[str, int] = {}
        lost: set[str] = set()
        with self._lock:
            try:
                # Read in order of number: rows before a damaged page are readable, and the index is not needed.
                cursor = self.db.execute(
                    "SELECT number, session, kind, time, data, sum FROM events NOT INDEXED ORDER BY number"
                )
                for number, session, kind, when, data, total in cursor:
                    before[session] = check_sum(before.get(session, 0), session, kind, data)
                    if session in lost or before[session] != total:
                        lost.add(session)
                        continue
                    kept.setdefault(session, []).append(Event(number, session, kind, json.loads(data), when))
            except (sqlite3.Error, ValueError) as error:
                if not kept:
                    text = f"`log`: nothing of {self._name} can be read ({error}): restore a copy of it."
                    raise LogError(text) from error
        whole = sorted((event for events in kept.values() for event in events), key=lambda event: event.number)
        new = EventLog(path, self.clock)
        try:
            new.append([(event.session, event.kind, event.data) for event in whole], durable=True)
        finally:
            new.close()
        return {session: len(events) for session, events in kept.items()}

    def close(self) -> None:
        """Closes the file. No event is lost if this is not called."""
        with self._lock:
            self.db.close()
            if self._claim is not None:
                self._claim.release()

    def __enter__(self) -> "EventLog":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
