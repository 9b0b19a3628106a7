"""Sessions at their limits, and failures that harm none of them."""

import threading

import pytest
from opened import PATIENCE, PROMPT, Clock, finish, ids, model_of, open_session
from tiny_models import EOS, talking_model, tiny_tokenizer

from hf_duplex.runtime.duplex_session import DuplexSession, SessionError
from hf_duplex.runtime.limits import Limits, Refusal
from hf_duplex.runtime.sampling import Sampling
from hf_duplex.runtime.server import Server


def test_a_slow_reader_is_waited_for(server):
    session = open_session(server, limits=Limits(max_unread=5))
    session.wait(PATIENCE)
    assert session.status == "waiting" and len(session.tokens) == 5
    assert session.read().step == 0
    tokens = [token.step for token in session]
    assert tokens == list(range(1, len(session.tokens))) and session.status == "ended"


def test_a_flood_is_refused_and_nothing_that_was_taken_is_lost(server):
    limits = Limits(rate=None, max_waiting=4)
    session = open_session(server, then={2: DuplexSession.pause}, limits=limits)
    session.wait(PATIENCE)
    receipts = [session.send(f"x = {number}") for number in range(50)]
    assert [receipt.status for receipt in receipts] == ["queued"] * 4 + ["refused"] * 46
    assert "4 updates wait" in receipts[-1].reason
    session.resume()
    assert all(receipt.wait(PATIENCE) and receipt.status == "applied" for receipt in receipts[:4])
    assert [number for number, _ in session.history.heard] == [0, 1, 2, 3]
    rated = open_session(server, limits=Limits(rate=1e-3, burst=3))
    statuses = [rated.send("x") for _ in range(5)]
    assert [receipt.status == "refused" for receipt in statuses] == [False] * 3 + [True] * 2
    assert "a second: send it again in" in statuses[-1].reason


@pytest.mark.parametrize(
    "text", ["", b"\xff\xfe", "a\x07b", "x" * 5_000_000, "x = 7, " * 30, None], ids=lambda text: repr(text)[:9]
)
def test_bad_text_is_refused_and_the_session_unharmed(any_server, text):
    longest = any_server.model.config.max_message_length
    if isinstance(text, str) and len(text) == 210 and longest > 210:
        text = "x = 7, " * 90
    session = open_session(any_server, then={4: lambda session: session.send(text)})
    finish(session)
    receipt = session.send(text)
    assert receipt.status == "refused" and "`update`" in receipt.reason and receipt.number == -1
    assert len(receipt.text) <= 200
    assert ids(session) == ids(finish(open_session(any_server)))
    assert session.receipts == []


@pytest.mark.parametrize("prompt", ["", b"\xff", "a\x00", "x" * 100_000, "x, " * 900])
def test_a_bad_prompt_is_refused(server, prompt):
    with pytest.raises(Refusal, match="`prompt`"):
        server.open(prompt)
    assert server.sessions == []


def test_commands_and_control_tokens_in_an_update_are_text(server):
    for text in ("/undo", "end loop", "<eos><update>", "<b>x</b>"):
        session = open_session(server, {3: [text]})
        finish(session)
        assert session.receipts[0].text == text and session.receipts[0].status == "applied"
        told = session.history.sent[0].ids
        assert EOS not in told and told.count(server.tokenizer.update_token_id) == 1


def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path):
    with Server(model_of("validity"), tiny_tokenizer(), tmp_path / "log.sqlite") as server:
        untold = ids(finish(open_session(server, {4: ["x = 7"]})))

        def fill(session):
            pages = server.log.db.execute("PRAGMA page_count").fetchone()[0]
            server.log.db.execute(f"PRAGMA max_page_count={pages}")
            while session.send("y" * 20).status != "refused":
                pass

        session = open_session(server, {4: ["x = 7"]}, {8: fill}, limits=Limits(rate=None, max_waiting=10**6))
        session.wait(PATIENCE)
        taken = len(session.receipts)
        assert session.status in ("failed", "ended", "speaking")
        while session.status == "speaking":
            session.wait(0.1)
        if session.status == "failed":
            with pytest.raises(SessionError, match="is full.*free some space.*`resume"):
                list(session)
        server.log.db.execute("PRAGMA max_page_count=1000000")
        session.resume()
        finish(session)
        assert [receipt.status for receipt in session.receipts] == ["applied"] * taken
        assert ids(session)[:8] == untold[:8]
        assert session.replay().same


def test_a_model_that_fails_harms_no_session(server, monkeypatch):
    expected = ids(finish(open_session(server, {4: ["x = 7"]})))
    forward, calls = server.model.forward, []

    def failing(*args, **kwargs):
        calls.append(1)
        if len(calls) == 12:
            raise RuntimeError("out of memory")
        return forward(*args, **kwargs)

    server.model.forward = failing
    session = open_session(server, {4: ["x = 7"]})
    session.wait(PATIENCE)
    assert session.status == "failed"
    with pytest.raises(SessionError, match="the model failed.*out of memory.*resume"):
        list(session)
    session.resume()
    assert ids(finish(session)) == expected


def test_idle_sessions_are_freed_and_can_be_restored():
    clock = Clock()
    limits = Limits(idle_seconds=100)
    with Server(model_of("validity"), tiny_tokenizer(), limits=limits, clock=clock) as server:
        session, said = open_session(server), None
        said = ids(finish(session))
        gone = threading.Event()
        session.when_changed(lambda: gone.set() if session.released else None)
        clock.now = 50.0
        assert not gone.wait(1.5)
        clock.now = -1e6
        assert not gone.wait(1.5)
        clock.now = 200.0
        assert gone.wait(PATIENCE)
        assert server.sessions == []
        refused = session.send("x = 7")
        assert refused.status == "refused" and "nobody spoke for 100 seconds" in refused.reason
        with pytest.raises(SessionError, match="there is no session"):
            server.get(session.id)
        again = server.restore(session.id)
        assert ids(again) == said and server.get(session.id) is again
        assert again.send("x = 7").wait(PATIENCE)


def test_a_session_that_is_stopped_frees_its_memory(server):
    sessions = [open_session(server, sampling=Sampling(max_new_tokens=500)) for _ in range(4)]
    for session in sessions:
        assert session.read(PATIENCE)
    for session in sessions[:3]:
        session.stop()
    assert sessions[3].read(PATIENCE) is not None
    sessions[3].close()
    server.open(PROMPT, sampling=Sampling(max_new_tokens=1)).wait(PATIENCE)
    one = server.nbytes
    assert server.sessions and one < 4 * 500_000
    server.sessions[0].stop()
    finish(server.open(PROMPT, sampling=Sampling(max_new_tokens=1)))
    assert server.nbytes <= one


def test_too_many_sessions_and_one_name_twice_are_refused():
    with Server(model_of("validity"), tiny_tokenizer(), max_sessions=2) as server:
        server.open(PROMPT, id="a")
        with pytest.raises(Refusal, match="`id`: there is a session 'a' already"):
            server.open(PROMPT, id="a")
        server.open(PROMPT)
        with pytest.raises(Refusal, match="there are 2 sessions"):
            server.open(PROMPT)


def test_a_session_ends_where_the_model_can_read_no_more(server):
    model = talking_model("baseline")
    with Server(model, tiny_tokenizer()) as other:
        other.longest = len(other.words.prompt(PROMPT)[0]) + 30
        session = open_session(other)
        finish(session)
        while (receipt := session.send("x = 7")).status != "refused":
            receipt.wait(PATIENCE)
            session.wait(PATIENCE)
        assert "as long as the model can read" in receipt.reason
        assert session.columns() <= other.longest


def test_a_callback_that_fails_harms_nobody(server, caplog):
    session = open_session(server, {3: ["x = 7"]})
    session.watch(lambda event: 1 / 0)
    session.when_changed(lambda: 1 / 0)
    assert ids(finish(session)) == ids(finish(open_session(server, {3: ["x = 7"]})))
    session.receipts[0].when_settled(print)
    assert session.send("y = 1").wait(PATIENCE)
    assert "a callback of a session failed" in caplog.text


def test_sessions_that_cannot_be_put_together_fail_and_go_on(server, monkeypatch):
    expected = ids(finish(open_session(server)))
    monkeypatch.setattr(Server, "_merge", lambda self: 1 / 0)
    session = open_session(server)
    session.wait(PATIENCE)
    assert session.status == "failed" and "cannot be put together" in session.failure
    monkeypatch.undo()
    session.resume()
    assert ids(finish(session)) == expected
