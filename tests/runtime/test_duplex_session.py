"""A session: updates at any time and from anywhere, receipts, and who decides when it speaks."""

import threading

import pytest
from opened import PATIENCE, PROMPT, finish, ids, open_session
from tiny_models import EOS, PAD, talking_model, tiny_tokenizer

from hf_duplex.runtime.duplex_session import DuplexSession, SessionError
from hf_duplex.runtime.limits import Limits
from hf_duplex.runtime.live import LiveText
from hf_duplex.runtime.sampling import Sampling
from hf_duplex.runtime.server import Server


@pytest.mark.parametrize("name", ["validity", "dual_stream", "baseline"])
def test_it_says_what_generate_says(name):
    model = talking_model(name)
    due = {0: "x = 7", 5: "no, y = 9", 11: "x = 1"}
    text = LiveText(model, tiny_tokenizer(), PROMPT, max_new_tokens=24)
    left = dict(due)
    text.on_step = lambda said: text.tell(left.pop(said)) if said in left else None
    text.run()
    with Server(model, tiny_tokenizer()) as server:
        session = finish(open_session(server, {step: [told] for step, told in due.items()}))
        first = next((step for step, token in enumerate(text.tokens) if token.id in (PAD, EOS)), 24)
        assert first > 12
        assert ids(session)[:first] == [token.id for token in text.tokens][:first]
        assert [token.version for token in session.tokens][:first] == [token.version for token in text.tokens][:first]
        assert session.text[:8] == text.text[:8]


def test_receipts_say_what_became_of_updates(any_server):
    session = open_session(any_server, {0: ["x = 7"], 6: ["y = 1", "y = 2"]})
    assert session.receipts[0].status in ("queued", "applied")
    tokens = list(session)
    assert [receipt.status for receipt in session.receipts] == ["applied"] * 3
    # One a step, in order, each making a version that a token knows.
    assert [receipt.step for receipt in session.receipts] == [0, 6, 7]
    for receipt in session.receipts:
        assert receipt.version == tokens[receipt.step].version and receipt.milliseconds > 0
        assert receipt.wait(0)
    versions = [token.version for token in tokens]
    assert versions[5] < versions[6] < versions[7] == versions[8]
    late = session.send("and after the last token")
    assert late.wait(PATIENCE) and late.step == len(tokens)
    more = list(session)
    assert more and more[0].step == len(tokens) and more[0].version == versions[-1] + 1
    assert session.status == "ended" and "".join(t.text for t in tokens + more) == session.text


def test_updates_from_many_threads_are_heard_once_and_in_order(any_server):
    sampling = Sampling(max_new_tokens=400)
    session = any_server.open(PROMPT, sampling=sampling, limits=Limits(rate=None))
    receipts = {}

    def send(who):
        receipts[who] = [session.send(f"{who} {number}", source=who) for number in range(12)]

    threads = [threading.Thread(target=send, args=(who,)) for who in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in receipts.values():
        assert all(receipt.wait(PATIENCE) and receipt.status == "applied" for receipt in each)
        assert [receipt.step for receipt in each] == sorted({receipt.step for receipt in each})
    heard = [number for number, _ in session.history.heard]
    assert heard == list(range(48))
    for who, each in receipts.items():
        assert [r.text for r in session.receipts if r.source == who] == [r.text for r in each]
    session.stop()


def test_pause_resume_stop(any_server):
    paused = open_session(any_server, then={5: DuplexSession.pause})
    paused.wait(PATIENCE)
    assert paused.status == "paused" and 5 <= len(paused.tokens) <= 6
    waiting = paused.send("x = 7")
    with pytest.raises(TimeoutError):
        while True:
            paused.read(0.05)
    assert waiting.status == "queued"
    paused.resume()
    assert waiting.wait(PATIENCE) and waiting.status == "applied" and waiting.step in (5, 6)
    finish(paused)
    stopped = open_session(any_server, {3: ["x = 7"]}, {3: lambda session: session.stop("enough")})
    assert list(stopped) == stopped.tokens and stopped.status == "stopped" and len(stopped.tokens) == 3
    assert stopped.receipts[0].status == "refused" and "enough" in stopped.receipts[0].reason
    refused = stopped.send("more")
    assert refused.status == "refused" and "was stopped (enough)" in refused.reason
    with pytest.raises(SessionError, match="was stopped"):
        stopped.resume()


@pytest.mark.parametrize("name", ["stop", "undo", "close"])
def test_what_happens_within_a_step_counts_at_once(server, name):
    """A token that was under way when its session was stopped or brought back is no token of it."""
    untold = ids(finish(open_session(server)))
    forward, calls, at = server.model.forward, [], []

    def meddling(*args, **kwargs):
        calls.append(1)
        if len(calls) == 10:
            session.undo(session.receipts[0]) if name == "undo" else getattr(session, name)()
            at.append(len(session.history.said))
        return forward(*args, **kwargs)

    with server.lock:
        server.model.forward = meddling
        session = open_session(server, {4: ["x = 7"]})
    if name == "undo":
        session.wait(PATIENCE)
        assert at == [4] and ids(finish(session)) == untold
    else:
        with server.lock:
            session._changed.wait_for(lambda: at, PATIENCE)
        neighbour = finish(open_session(server))
        assert len(session.history.said) == at[0] == 9 and ids(neighbour) == untold
        kinds = [event.kind for event in server.log.events(session.id)]
        assert kinds.count("token") == 9


def test_diff_says_what_was_heard_and_what_it_did(any_server):
    session = finish(open_session(any_server, {4: ["x = 7"], 9: ["y = 1"]}))
    last = session.version
    found = session.diff(last - 2, last)
    assert found.messages == ["x = 7", "y = 1"] and session.diff(last - 1, last).messages == ["y = 1"]
    assert session.diff(last, last).messages == [] and session.diff(0, last - 2).messages == []
    if session.server.model.config.model_type == "duplex_workspace":
        stride = session.server.model.config.max_message_length
        assert {slot // stride for slot in found.changes.written} == {last - 2, last - 1}
        assert "7" in " ".join(found.moves.written)
    else:
        assert found.changes is None
    for wrong in ((-1, 2), (2, 1), (0, last + 1)):
        with pytest.raises(SessionError, match="`before` and `after`"):
            session.diff(*wrong)


def test_a_policy_decides_when_to_speak(server):
    seen = []

    def decide(streams):
        seen.append(len(streams["emitted"]))
        floor = streams.get("floor", ["mine"])[-1]
        return "continue" if floor == "mine" else "wait"

    free = ids(finish(open_session(server)))
    session = open_session(server, then={6: lambda session: session.observe("floor", "theirs")}, decide=decide)
    with pytest.raises(TimeoutError):
        while True:
            session.read(1.0)
    assert session.status == "waiting" and 6 <= len(session.tokens) <= 7
    receipt = session.send("x = 7")
    assert not receipt.wait(0.3)
    session.undo(receipt)
    session.observe("floor", "mine")
    assert ids(finish(session)) == free and seen == sorted(seen)
    actions = [event.data["action"] for event in server.log.events(session.id) if event.kind == "action"]
    assert actions == ["continue", "wait", "continue"]


@pytest.mark.parametrize("decide, reason", [(lambda streams: "jump", "no action"), (lambda streams: 1 / 0, "failed")])
def test_a_policy_that_fails_is_a_clear_error(server, decide, reason):
    neighbour = open_session(server)
    session = open_session(server, decide=decide)
    with pytest.raises(SessionError, match=f"`decide` .*{reason}"):
        list(session)
    session.decider.decide = None
    session.resume()
    finish(session)
    finish(neighbour)
    assert ids(neighbour) == ids(session)
