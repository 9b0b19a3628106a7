"""A session: updates at any time and from anywhere, receipts, going back, and what outlives the process."""

import asyncio
import random
import shutil
import sys
import threading
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM


sys.path.append(str(Path(__file__).parent.parent / "modeling"))

from tiny_models import BOS, EOS, PAD, SIZES, talking_model, tiny_tokenizer  # noqa: E402

from hf_duplex.session.aio import AsyncDuplexSession  # noqa: E402
from hf_duplex.session.duplex_session import DuplexSession, SessionError  # noqa: E402
from hf_duplex.session.event_log import EventLog, LogError  # noqa: E402
from hf_duplex.session.limits import Limits, Refusal  # noqa: E402
from hf_duplex.session.live import LiveText  # noqa: E402
from hf_duplex.session.sampling import Sampling  # noqa: E402
from hf_duplex.session.server import Server  # noqa: E402


PROMPT = "given x = 5, y = 3, say both."
NAMES = ["validity", "dual_stream", "baseline", "llama"]
SHORT = Sampling(max_new_tokens=24)
PATIENCE = 60


def model_of(name):
    if name != "llama":
        return talking_model(name)
    torch.manual_seed(0)
    ids = {"pad_token_id": PAD, "bos_token_id": BOS, "eos_token_id": EOS}
    sizes = {name: size for name, size in SIZES.items() if name != "max_message_length"}
    return LlamaForCausalLM(LlamaConfig(**sizes, **ids)).eval()


@pytest.fixture(params=NAMES)
def any_server(request):
    with Server(model_of(request.param), tiny_tokenizer()) as server:
        yield server


@pytest.fixture
def server():
    with Server(model_of("validity"), tiny_tokenizer()) as server:
        yield server


def open_session(server, due=None, then=None, **options):
    """A session that is told what is due, before the token of that number; `then(session)` is called at its place."""
    due, then = dict(due or {}), dict(then or {})
    with server.lock:
        session = server.open(PROMPT, **{"sampling": SHORT, **options})

        def tell(event=None):
            if event is not None and event.kind != "token":
                return
            step = len(session.history.said)
            for text in due.pop(step, []):
                session.send(text)
            if step in then:
                then.pop(step)(session)

        session.watch(tell)
        tell()
    return session


def finish(session):
    assert session.wait(PATIENCE), session.status
    return session


def ids(session):
    return [token.id for token in session.tokens]


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


# What outlives the process


def cut(events, count):
    """A log as it was when so many events were in it."""
    log = EventLog()
    for event in events[:count]:
        log.append([(event.session, event.kind, event.data)])
    return log


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


# Limits and failures


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


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


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


# A policy decides when to speak


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


# The log of a session


def test_records_are_kept_and_change_nothing(server):
    session = finish(open_session(server, then={3: lambda session: session.record("pressure", {"net": -0.5})}))
    kinds = [event.kind for event in server.log.events(session.id)]
    assert kinds.index("pressure") == 1 + 3
    assert ids(session) == ids(finish(open_session(server)))
    with pytest.raises(SessionError, match="`kind`"):
        session.record("token", {})


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


# asyncio


def test_the_asyncio_face_is_the_same_session():
    model, tokenizer = model_of("validity"), tiny_tokenizer()

    async def talk():
        async with await AsyncDuplexSession.start(model, tokenizer, PROMPT, sampling=SHORT) as session:
            said = [token.id async for token in session]
            receipt = await session.settled(await session.send("x = 7"))
            assert receipt.status == "applied" and receipt.step == len(said)
            # Who waits and is cancelled takes no token with him.
            rest = [token async for token in session]
            waiting = asyncio.create_task(session.settled(await session.send("y = 1")))
            await waiting
            late = asyncio.create_task(session.read())
            await asyncio.sleep(0)
            late.cancel()
            rest += [token async for token in session]
            assert [token.step for token in rest][-1] == len(session.session.tokens) - 1
            assert len({token.step for token in rest}) >= len(rest) - 1
            refused = await session.send(b"\xff")
            assert refused.status == "refused"
            assert (await session.replay()).same
            await session.undo(receipt)
            return [token.id for token in session.session.tokens][: len(said)], said

    after, before = asyncio.run(talk())
    assert after == before


def test_many_sessions_in_one_event_loop(server):
    async def talk(number):
        session = await AsyncDuplexSession.open(server, PROMPT, sampling=SHORT)
        receipt = await session.settled(await session.send(f"x = {number}"))
        tokens = [token.id async for token in session]
        return receipt.status, tokens == ids(session.session)

    async def all_of_them():
        return await asyncio.gather(*(talk(number) for number in range(40)))

    assert asyncio.run(all_of_them()) == [("applied", True)] * 40
