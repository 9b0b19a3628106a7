"""The log keeps what was written, in order, and tells a whole one from a damaged one."""

import os
import sqlite3
import subprocess
import sys

import pytest

from hf_duplex.runtime.event_log import EventLog, LogError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.sqlite"


def fill(log, count=10, session="a"):
    return [log.append([(session, "sent", {"number": number})])[0] for number in range(count)]


def test_events_come_back_in_order_each_session_its_own(path):
    with EventLog(path) as log:
        fill(log, 3, "a")
        log.append([("b", "opened", {"prompt": "é\n"}), ("a", "token", {"id": 7})], durable=True)
    with EventLog(path) as log:
        assert log.sessions() == ["a", "b"]
        assert [(event.kind, event.data) for event in log.events("a")][2:] == [
            ("sent", {"number": 2}),
            ("token", {"id": 7}),
        ]
        assert log.events("b")[0].data == {"prompt": "é\n"}
        numbers = [event.number for event in log.events("a")]
        assert numbers == sorted(set(numbers))
        assert len(log.events("a", until=numbers[1])) == 2


def test_nothing_can_be_changed_or_deleted(path):
    with EventLog(path) as log:
        fill(log)
        for statement in ("UPDATE events SET kind = 'x'", "DELETE FROM events"):
            with pytest.raises(sqlite3.Error, match="append-only"):
                log.db.execute(statement)


def test_an_unknown_session_is_a_clear_error(path):
    with EventLog(path) as log, pytest.raises(LogError, match="no session 'nobody'.*`sessions"):
        log.events("nobody")


def test_all_events_of_a_call_or_none(path):
    with EventLog(path) as log:
        fill(log, 2)
        with pytest.raises(TypeError):
            log.append([("a", "sent", {"number": 2}), ("a", "sent", {"number": {3}})])
        assert len(log.events("a")) == 2
        fill(log, 1)
        assert len(log.events("a")) == 3


def test_a_full_disk_is_a_clear_error_and_loses_nothing(path):
    with EventLog(path) as log:
        fill(log, 5)
        pages = log.db.execute("PRAGMA page_count").fetchone()[0]
        log.db.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(LogError, match="is full.*free some space"):
            log.append([("a", "sent", {"text": "x" * 100_000})])
        assert len(log.events("a")) == 5
        log.db.execute("PRAGMA max_page_count=100000")
        log.append([("a", "sent", {"text": "x" * 100_000})])
        assert len(log.events("a")) == 6


WRITER = """
import os, sys
from hf_duplex.runtime.event_log import EventLog
log = EventLog(sys.argv[1])
for number in range(20):
    log.append([("a", "sent", {"number": number})], durable=True)
os.kill(os.getpid(), 9)
"""


def test_a_killed_writer_and_a_torn_tail_lose_nothing_that_was_acknowledged(path):
    killed = subprocess.run([sys.executable, "-c", WRITER, str(path)])
    assert killed.returncode == -9
    # What a write leaves that was cut short: half a frame behind what was committed.
    with open(f"{path}-wal", "ab") as tail:
        tail.write(os.urandom(3000))
    with EventLog(path) as log:
        assert [event.data["number"] for event in log.events("a")] == list(range(20))
        log.append([("a", "sent", {"number": 20})])
        assert len(log.events("a")) == 21


def tamper(path, statement):
    db = sqlite3.connect(path, isolation_level=None)
    for trigger in ("never_changed", "never_deleted"):
        db.execute(f"DROP TRIGGER {trigger}")
    db.execute(statement)
    db.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET data = '{\"number\":99}' WHERE number = 8",
        "UPDATE events SET data = '{\"numb' WHERE number = 8",
        "DELETE FROM events WHERE number = 7",
    ],
)
def test_a_changed_log_is_told_from_a_whole_one_and_what_is_left_is_recovered(path, tmp_path, statement):
    with EventLog(path) as log:
        fill(log, 10, "a")
        fill(log, 3, "b")
    tamper(path, statement)
    with EventLog(path) as log:
        with pytest.raises(LogError, match="is damaged: event 8 of the session 'a'.*recover"):
            log.events("a")
        assert len(log.events("b")) == 3
        whole = 6 if "DELETE" in statement else 7
        assert log.recover(tmp_path / "new.sqlite") == {"a": whole, "b": 3}
        with pytest.raises(LogError, match="there already"):
            log.recover(tmp_path / "new.sqlite")
    with EventLog(tmp_path / "new.sqlite") as log:
        assert [event.data["number"] for event in log.events("a")] == list(range(whole))


def test_a_file_that_is_no_log_is_a_clear_error(path):
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(LogError, match="cannot be opened.*not a database"):
        EventLog(path)
    path.unlink()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE other (x)")
    db.commit()
    db.close()
    with pytest.raises(LogError, match="something else"):
        EventLog(path)


def test_one_process_at_a_time_writes(path):
    with EventLog(path) as log:
        fill(log)
        with EventLog(path) as other:
            assert len(other.events("a")) == 10
            with pytest.raises(LogError, match="another process"):
                fill(other)
    with EventLog(path) as other:
        fill(other)


def test_a_wall_clock_that_jumps_changes_no_order(path):
    times = iter([1e9, 5.0, -3.0, 2e9])
    with EventLog(path, clock=lambda: next(times)) as log:
        fill(log, 4)
        assert [event.data["number"] for event in log.events("a")] == [0, 1, 2, 3]
        assert [event.time for event in log.events("a")] == [1e9, 5.0, -3.0, 2e9]
