"""What outlives the process: the log of a session."""

import random
import shutil
from pathlib import Path

import pytest
import torch
from opened import NAMES, PATIENCE, PROMPT, SHORT, finish, ids, model_of, open_session
from tiny_models import BOS, PAD, tiny_tokenizer

from hf_duplex.runtime.duplex_session import DuplexSession, SessionError
from hf_duplex.runtime.event_log import EventLog, LogError
from hf_duplex.runtime.server import Server


def cut(events, count):
    """A log as it was when so many events were in it."""
    log = EventLog()
    for event in events[:count]:
        log.append([(event.session, event.kind, event.data)])
    return log


def test_what_was_said_stands_even_where_the_model_would_say_something_else():
    """A restored session goes on from what its log holds, not from what it would say by itself."""
    model, tokenizer = model_of("validity"), tiny_tokenizer()
    with Server(model, tokenizer) as server:
        session = finish(open_session(server))
        events = server.log.events(session.id)
        prompt, other = session.history.opened["prompt_ids"], EventLog()
        for event in events[:8]:
            other.append([(event.session, event.kind, event.data)])
        said = [event.data["id"] for event in events[1:8]]
        said.append(5 + (events[8].data["id"] == 5))
        other.append([(session.id, "token", {**events[8].data, "id": said[-1]})])
    with Server(model, tokenizer, other) as second:
        again = finish(second.restore(session.id))
        assert ids(again)[:8] == said
        given = {"input_ids": torch.tensor([[BOS, *said]]), "prompt_ids": torch.tensor([prompt])}
        following = model.generate(**given, max_new_tokens=6, do_sample=False, suppress_tokens=[PAD])[0, 9:]
        assert ids(again)[8:14] == following.tolist()


@pytest.mark.parametrize("name", NAMES)
def test_a_log_that_ends_anywhere_goes_on_bit_by_bit(name):
    model, tokenizer = model_of(name), tiny_tokenizer()
    with Server(model, tokenizer) as server:
        session = finish(open_session(server, {0: ["x = 7"], 5: ["y = 1", "y = 2"], 15: ["say it"]}))
        session.undo(session.receipts[1])
        finish(session)
        session.send("and now?")
        finish(session)
        events = server.log.events(session.id)
    numbers = [event.number for event in events]
    for count in random.Random(name).sample(range(1, len(events) + 1), 8):
        with Server(model, tokenizer, cut(events, count)) as second:
            acknowledged = [event.data["text"] for event in events[:count] if event.kind == "sent"]
            undone = any(event.kind == "undone" for event in events[:count])
            again = finish(second.restore(session.id))
            assert [receipt.text for receipt in again.receipts] == acknowledged
            assert [r.status for r in again.receipts] == [
                "undone" if undone and number == 1 else "applied" for number in range(len(acknowledged))
            ]
            assert again.replay().same
            # What it had been told when it was cut, it hears at the place where it would have heard it.
            said = [event.data["id"] for event in events[:count] if event.kind == "token"]
            if not undone:
                assert ids(again)[: len(said)] == said
            elif count == len(events) or acknowledged == [
                event.data["text"] for event in events if "text" in event.data
            ]:
                assert ids(again) == ids(session)
    assert numbers == sorted(numbers)


def test_it_is_reopened_from_its_file(tmp_path):
    model, tokenizer, path = model_of("validity"), tiny_tokenizer(), tmp_path / "log.sqlite"
    with DuplexSession.start(model, tokenizer, PROMPT, log=path, sampling=SHORT) as session:
        finish(session)
        session.pause()
        receipt = session.send("x = 7")
        assert receipt.status == "queued"
        refused = Path(f"{path}-copy")
        shutil.copy(path, refused)
    assert session.send("y = 1").status == "refused"
    with DuplexSession.reopen(model, tokenizer, path) as again:
        assert again.id == session.id and again.status == "paused" and ids(again) == ids(session)
        assert [receipt.status for receipt in again.receipts] == ["queued"]
        again.resume()
        assert again.receipts[0].wait(PATIENCE) and again.receipts[0].status == "applied"
        assert again.receipts[0].milliseconds is None
        finish(again)
    with pytest.raises(SessionError, match="`model` is not the one"):
        DuplexSession.reopen(model_of("baseline"), tokenizer, path)
    with pytest.raises(LogError, match="no session 'nobody'"):
        DuplexSession.reopen(model, tokenizer, path, "nobody")


def test_records_are_kept_and_change_nothing(server):
    session = finish(open_session(server, then={3: lambda session: session.record("pressure", {"net": -0.5})}))
    kinds = [event.kind for event in server.log.events(session.id)]
    assert kinds.index("pressure") == 1 + 3
    assert ids(session) == ids(finish(open_session(server)))
    with pytest.raises(SessionError, match="`kind`"):
        session.record("token", {})
