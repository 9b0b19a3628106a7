"""Sessions over a duplex adapter: rows that come and go, refusals, undo, versions, and what outlives the process."""

import random

import pytest
import torch
from opened import PATIENCE, SHORT, finish, ids, open_session
from test_batching import Schedule, Scripted, greedy, note
from tiny_chat import chat_model, chat_tokenizer  # noqa: E402

from hf_duplex import DuplexAdapterConfig, listen  # noqa: E402
from hf_duplex.evaluation.benchmarks.load_test import check_workspaces  # noqa: E402
from hf_duplex.runtime.batching import Batch  # noqa: E402
from hf_duplex.runtime.duplex_session import DuplexSession, SessionError  # noqa: E402
from hf_duplex.runtime.event_log import EventLog  # noqa: E402
from hf_duplex.runtime.limits import Limits, Refusal  # noqa: E402
from hf_duplex.runtime.listeners import open_input  # noqa: E402
from hf_duplex.runtime.server import Server  # noqa: E402


KINDS = [("workspace", "always"), ("workspace", "after_update"), ("spliced", "always"), ("spliced", "after_update")]
each_kind = pytest.mark.parametrize("mode, scope", KINDS)
PAD = 0


def adapter(mode="workspace", scope="always", **config):
    """An adapter that does something on a chat model; nothing ends its texts but their length."""
    model = listen(chat_model(), DuplexAdapterConfig(mode=mode, scope=scope, lora_rank=4, doubt_size=8, **config))
    torch.manual_seed(1)
    for value in model.additions().values():
        torch.nn.init.normal_(value.data, std=0.1)
    model.get_output_embeddings().register_forward_hook(without_controls)
    return model


def without_controls(module, given, logits):
    return logits.index_fill(-1, torch.tensor([0, 1, 2]), -1e4)


@pytest.fixture(params=KINDS, ids=["-".join(kind) for kind in KINDS])
def server(request):
    with Server(adapter(*request.param), chat_tokenizer()) as opened:
        yield opened


@pytest.fixture
def workspace_server():
    with Server(adapter(), chat_tokenizer()) as opened:
        yield opened


def open_at(server, prompt, due=None):
    """As [`open_session`], with another prompt."""
    with server.lock:
        session = server.open(prompt, sampling=SHORT)
        due = dict(due or {})

        def tell(event=None):
            if event is None or event.kind == "token":
                for text in due.pop(len(session.history.said), []):
                    session.send(text)

        session.watch(tell)
        tell()
    return session


# Rows


def alone(model, member):
    """The same by stock `generate`, one row, from the start to its end in one call."""
    schedule = Schedule([(step + 1, update) for step, update in member.updates.items()])
    given = {"prompt_ids": torch.tensor([member.prompt_ids]), "interrupt_callback": schedule}
    return greedy(model, torch.tensor([[member.start_id]]), n=len(member.tokens), **given)


def assert_as_alone(model, member):
    output = alone(model, member)
    assert member.tokens == output.sequences[0, 1:].tolist()
    assert member.versions == output.versions[0, 1:].tolist()
    found, expected = torch.stack(member.logits)[:, 3:], torch.cat(output.logits)[:, 3:]
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=0)


def random_tokens(rng, length):
    return [rng.randint(3, 258) for _ in range(length)]


def draw(rng):
    """A conversation: prompt, updates, length."""
    places = rng.sample(range(20), rng.randint(0, 4))
    updates = {place: random_tokens(rng, rng.randint(1, 9)) for place in places}
    return Scripted(random_tokens(rng, rng.randint(1, 30)), updates, rng.randint(1, 24))


@pytest.mark.parametrize("n_slots", [2048, 32])
@each_kind
def test_rows_that_come_and_go_are_what_they_are_alone(mode, scope, n_slots):
    model, spoken = open_input(adapter(mode, scope, n_slots=n_slots), chat_tokenizer())
    spoken.ends, model.generation_config.eos_token_id = [], None
    rng = random.Random(f"{mode} {scope} {n_slots}")
    members = [draw(rng) for _ in range(10)]
    to_come = list(members)
    batches = []
    while any(len(member.tokens) < member.most for member in members):
        if to_come and rng.random() < 0.6:
            count = rng.randint(1, 3)
            fresh = Batch(model, spoken, to_come[:count], note)
            del to_come[:count]
            fresh.run(rng.choice([1, 1, 4]))
            batches.append(fresh)
        if len(batches) > 1 and rng.random() < 0.7:
            batches[0].absorb([batches.pop()])
        for batch in list(batches):
            for member in batch.members:
                member.quiet = rng.random() < 0.2
            batch.run(rng.randint(1, 5))
            left = [row for row, member in enumerate(batch.members) if len(member.tokens) < member.most]
            out = [row for row in left if rng.random() < 0.2]
            batches += [batch.part([row]) for row in out]
            kept = [row for row in left if row not in out]
            if not kept:
                batches.remove(batch)
            elif len(kept) < len(batch) and (out or rng.random() < 0.5):
                batch.keep(kept)
    for member in members:
        assert len(member.tokens) == member.most
        assert_as_alone(model, member)


@each_kind
def test_a_row_that_is_taken_out_frees_what_the_others_need(mode, scope):
    model, spoken = open_input(adapter(mode, scope), chat_tokenizer())
    spoken.ends, model.generation_config.eos_token_id = [], None
    rng = random.Random(0)
    members = [Scripted(random_tokens(rng, 6), {2: random_tokens(rng, 3)}, 20) for _ in range(8)]
    batch = Batch(model, spoken, members, note)
    batch.run(8)
    whole = batch.nbytes
    batch.keep([3])
    assert batch.nbytes < whole / 3 and batch.members == [members[3]]
    batch.run(20)
    assert_as_alone(model, members[3])


# Sessions


PROMPTS = ["Hello there.", "Given x = 5, compute 3x + 2, and then say it all once more.", "Hi.", "Name a colour."]
DUE = [{}, {0: ["x = 7"], 9: ["y = 1", "y = 2"]}, {4: ["in French"]}, {15: ["red"], 16: ["blue"]}]


def test_sessions_side_by_side_are_what_each_is_alone(server):
    with server.lock:
        together = [open_at(server, prompt, due) for prompt, due in zip(PROMPTS, DUE, strict=True)]
    for session in together:
        finish(session)
    for session, prompt, due in zip(together, PROMPTS, DUE, strict=True):
        assert len(session.tokens) == SHORT.max_new_tokens
        assert session.version == 1 + sum(map(len, due.values()))
        assert ids(finish(open_at(server, prompt, due))) == ids(session)
    assert len({session.text for session in together}) == len(PROMPTS)


def test_every_row_holds_the_workspace_of_its_own_session(workspace_server):
    for prompt, due in zip(PROMPTS, DUE, strict=True):
        finish(open_at(workspace_server, prompt, due))
    found = check_workspaces(workspace_server)
    assert found == {"compared": len(PROMPTS), "different": 0}


def test_an_update_changes_what_follows_and_not_what_came_before(server):
    quiet, told = finish(open_session(server)), finish(open_session(server, {6: ["x = 7"]}))
    assert ids(told)[:6] == ids(quiet)[:6] and ids(told) != ids(quiet)
    (receipt,) = told.receipts
    assert (receipt.status, receipt.step, receipt.version) == ("applied", 6, quiet.version + 1)


def test_undo_equals_never_having_received(server):
    quiet = finish(open_session(server))
    session = finish(open_session(server, {8: ["x = 7"]}))
    assert session.undo(session.receipts[0]) == []
    finish(session)
    assert ids(session) == ids(quiet) and session.version == quiet.version and session.text == quiet.text
    assert session.receipts[0].status == "undone"


def test_undo_of_an_earlier_update_lets_later_ones_be_read_again(server):
    session = finish(open_session(server, {4: ["x = 7"], 9: ["y = 1"], 12: ["y = 2"]}))
    assert session.undo(session.receipts[0]) == ["y = 1", "y = 2"]
    finish(session)
    assert ids(session) == ids(finish(open_session(server, {4: ["y = 1", "y = 2"]})))
    assert [(receipt.status, receipt.step) for receipt in session.receipts[1:]] == [("applied", 4), ("applied", 5)]


def test_snapshots_bring_any_branch_back(server):
    session = open_session(server, {3: ["x = 7"]}, {8: DuplexSession.pause})
    session.wait(PATIENCE)
    place = session.snapshot()
    session.resume()
    one = ids(finish(session))
    late = session.send("y = 1")
    other = ids(finish(session))
    branch = session.snapshot()
    session.restore(place)
    assert ids(finish(session)) == one and late.status == "undone"
    session.restore(branch)
    assert ids(finish(session)) == other and late.status == "applied"


def test_diff_says_what_each_version_did(workspace_server):
    session = finish(open_session(workspace_server, {4: ["x = 7"], 9: ["y = 1"]}))
    first = session.version - 2
    found = session.diff(first, first + 2)
    assert found.messages == ["x = 7", "y = 1"]
    assert session.diff(first + 1, first + 2).messages == ["y = 1"]
    steps = [session.diff(version, version + 1) for version in (first, first + 1)]
    stride = workspace_server.model.config.max_message_length
    for number, step in enumerate(steps):
        # An update writes its own slots, doubts older ones, and moves none.
        assert {slot // stride for slot in step.changes.written} == {first + number}
        assert not step.changes.moved and not step.changes.dropped and step.changes.doubted
        assert all(slot // stride < first + number and slot > 0 for slot in step.changes.doubted)
    assert "7" in " ".join(steps[0].moves.written) and "7" not in " ".join(steps[1].moves.written)
    assert session.diff(0, first).changes.written == list(range(len(session.history.opened["prompt_ids"])))
    assert session.diff(first, first).changes.written == []
    for wrong in ((-1, 2), (2, 1), (0, first + 3)):
        with pytest.raises(SessionError, match="`before` and `after`"):
            session.diff(*wrong)


def test_diff_of_a_prompt_longer_than_a_message(workspace_server):
    session = finish(open_at(workspace_server, "a long prompt " * 50, {4: ["x = 7"]}))
    prompt_ids = session.history.opened["prompt_ids"]
    assert len(prompt_ids) > workspace_server.model.config.max_message_length and session.version == 3
    assert session.diff(0, 2).changes.written == list(range(len(prompt_ids)))
    last = session.diff(2, 3)
    assert last.messages == ["x = 7"] and min(last.changes.written) == 2 * 512


@pytest.mark.parametrize("mode, scope", KINDS[1::2])
def test_a_log_that_ends_anywhere_goes_on(mode, scope):
    model, tokenizer = adapter(mode, scope), chat_tokenizer()
    with Server(model, tokenizer) as server:
        session = finish(open_session(server, {0: ["x = 7"], 5: ["y = 1", "y = 2"], 15: ["say it"]}))
        session.send("and now?")
        finish(session)
        events, whole = server.log.events(session.id), ids(session)
    for count in random.Random(mode).sample(range(1, len(events) + 1), 4):
        log = EventLog()
        for event in events[:count]:
            log.append([(event.session, event.kind, event.data)])
        with Server(model, tokenizer, log) as second:
            again = finish(second.restore(session.id))
            said = [event.data["id"] for event in events[:count] if event.kind == "token"]
            assert ids(again)[: len(said)] == said and again.replay().same
            if sum(event.kind == "sent" for event in events[:count]) == len(session.receipts):
                assert ids(again) == whole


def test_it_is_reopened_from_its_file_with_its_own_adapter_only(tmp_path):
    model, tokenizer, path = adapter(), chat_tokenizer(), tmp_path / "log.sqlite"
    with DuplexSession.start(model, tokenizer, "Hello there.", log=path, sampling=SHORT) as session:
        finish(session)
        session.send("x = 7")
        said = ids(finish(session))
    with DuplexSession.reopen(model, tokenizer, path) as again:
        assert ids(again) == said and again.replay().same
    for other in (chat_model(), adapter("spliced")):
        with pytest.raises(SessionError, match="`model` is not the one"):
            DuplexSession.reopen(other, tokenizer, path)


# What is refused


def test_a_prompt_that_does_not_fit_is_refused_and_its_neighbours_go_on():
    with Server(adapter(n_slots=64), chat_tokenizer()) as server:
        neighbour = open_session(server)
        with pytest.raises(Refusal, match=r"`prompt` has \d+ tokens, more than n_slots \(64\): shorten it"):
            server.open("too long " * 20)
        assert [session.id for session in server.sessions] == [neighbour.id]
        finish(neighbour)
    with Server(adapter(n_slots=4096), chat_tokenizer()) as server:
        with pytest.raises(Refusal, match=r"`prompt` has \d+ tokens, more than the \d+ that fit: shorten it"):
            server.open("too long " * 300)
        assert server.sessions == [] and server.log.sessions() == []


def test_an_update_that_does_not_fit_is_refused_and_changes_nothing(server):
    quiet = ids(finish(open_session(server)))
    session = open_session(server, then={5: DuplexSession.pause})
    session.wait(PATIENCE)
    for text, reason in (("word " * 200, "max_message_length (512)"), ("", "`update` is empty"), (3, "must be text")):
        receipt = session.send(text)
        assert receipt.status == "refused" and reason in receipt.reason
    session.resume()
    assert ids(finish(session)) == quiet and session.receipts == []


def test_many_updates_fit_into_few_slots_and_positions():
    with Server(adapter(n_slots=64), chat_tokenizer()) as server:
        session = server.open("Hello.", sampling=SHORT, limits=Limits(rate=None))
        for number in range(30):
            assert session.send(f"number {number} of thirty").wait(PATIENCE)
        finish(session)
        assert session.version == 31 and server.batches[0].cache.memory.slot_ids.shape[1] <= 64
        assert session.replay().same
