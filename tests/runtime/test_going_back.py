"""Going back: undo, snapshots, and replays that say the same."""

import pytest
from opened import PATIENCE, SHORT, finish, ids, model_of, open_session
from tiny_models import tiny_tokenizer

from hf_duplex.runtime.duplex_session import DuplexSession, SessionError
from hf_duplex.runtime.event_log import EventLog
from hf_duplex.runtime.sampling import Sampling
from hf_duplex.runtime.server import Server


def test_undo_equals_never_having_heard(any_server):
    untold = finish(open_session(any_server))
    session = finish(open_session(any_server, {8: ["x = 7"]}))
    assert ids(session)[:8] == ids(untold)[:8] and session.version == untold.version + 1
    assert session.undo(session.receipts[0]) == []
    finish(session)
    assert ids(session) == ids(untold) and session.version == untold.version
    assert session.receipts[0].status == "undone"
    with pytest.raises(SessionError, match="taken back already"):
        session.undo(session.receipts[0])
    with pytest.raises(SessionError, match="`receipt` is not one"):
        untold.undo(session.receipts[0])


def test_undo_of_an_earlier_update_lets_later_ones_be_heard_anew(server):
    session = finish(open_session(server, {4: ["x = 7"], 9: ["y = 1"], 12: ["y = 2"]}))
    assert session.undo(session.receipts[0]) == ["y = 1", "y = 2"]
    finish(session)
    only = finish(open_session(server, {4: ["y = 1", "y = 2"]}))
    assert ids(session) == ids(only)
    assert [(receipt.status, receipt.step) for receipt in session.receipts[1:]] == [("applied", 4), ("applied", 5)]


def test_undo_of_what_was_not_heard_yet(server):
    session = open_session(server, then={5: DuplexSession.pause})
    session.wait(PATIENCE)
    receipt, said = session.send("x = 7"), ids(session)
    session.undo(receipt)
    assert receipt.status == "undone" and ids(session) == said
    session.resume()
    assert ids(finish(session)) == ids(finish(open_session(server)))


def test_a_reader_learns_what_was_taken_back(server):
    session = finish(open_session(server, {4: ["x = 7"]}))
    steps = [token.step for token in session]
    session.undo(session.receipts[0])
    again = [token.step for token in session]
    assert steps == list(range(len(steps))) and again == list(range(4, len(session.tokens)))


def test_snapshots_bring_any_branch_back(any_server):
    session = open_session(any_server, {3: ["x = 7"]}, {8: DuplexSession.pause})
    session.wait(PATIENCE)
    place, said = session.snapshot(), ids(session)
    assert place.step == len(said) and place.version == session.version
    session.resume()
    one = ids(finish(session))
    late = session.send("y = 1")
    other = ids(finish(session))
    branch = session.snapshot()
    session.restore(place)
    assert late.status == "undone"
    assert ids(finish(session)) == one
    session.undo(session.receipts[0])
    finish(session)
    session.restore(branch)
    assert ids(finish(session)) == other and late.status == "applied"
    assert session.receipts[0].status == "applied" and session.receipts[0].step == 3
    with pytest.raises(SessionError, match="`snapshot` is not one"):
        session.restore(place._replace(session="other"))


def test_what_waited_at_a_snapshot_waits_again(server):
    session = open_session(server, then={5: DuplexSession.pause})
    session.wait(PATIENCE)
    early = session.send("x = 7")
    place = session.snapshot()
    session.resume()
    said = ids(finish(session))
    session.pause()
    late = session.send("y = 1")
    session.restore(place)
    assert (early.status, late.status) == ("queued", "queued") and session.status == "paused"
    session.undo(late)
    session.resume()
    assert ids(finish(session)) == said and early.status == "applied" and early.step == place.step


@pytest.mark.parametrize("sampling", [SHORT, Sampling(temperature=1.2, top_k=20, seed=5, max_new_tokens=24)])
def test_a_replay_says_the_same(any_server, sampling):
    session = finish(open_session(any_server, {0: ["x = 7"], 9: ["y = 1"]}, sampling=sampling))
    session.send("and now?")
    finish(session)
    before = session.history.last
    found = session.replay()
    assert found.same and found.first is None and found.tokens == ids(session)
    assert session.history.last == before


def test_a_replay_tells_where_it_differs(server):
    session = finish(open_session(server, {9: ["y = 1"]}))
    events = server.log.events(session.id)
    at = [index for index, event in enumerate(events) if event.kind == "token"][6]
    other = EventLog()
    for index, event in enumerate(events):
        data = {**event.data, "id": 5 + (event.data["id"] == 5)} if index == at else event.data
        other.append([(event.session, event.kind, data)])
    with Server(model_of("validity"), tiny_tokenizer(), other) as second:
        found = second.restore(session.id).replay()
    assert not found.same and found.first == 6
