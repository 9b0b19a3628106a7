"""Pressures of a live session: in its log, from the forwards that take place anyway."""

import pytest
from tiny_models import talking_model, tiny_tokenizer  # noqa: E402

from hf_duplex.runtime.duplex_session import DuplexSession  # noqa: E402
from hf_duplex.runtime.sampling import Sampling  # noqa: E402
from hf_duplex.runtime.server import Server  # noqa: E402


PROMPT = "given x = 5, y = 3, say both."
SPOKEN = Sampling(max_new_tokens=24)
KEYS = {"mode", "chunk_id", "pause_reason", "residual_intent", "pressures", "clocks"}


def records(session):
    return [event.data for event in session.server.log.events(session.id) if event.kind == "pressure"]


def told_at(session, updates):
    """Sends each update once so many tokens were said: 4, 8, ..."""
    due = [(4 * number, text) for number, text in enumerate(updates, start=1)]

    def tell(event):
        while due and event.kind == "token" and len(session.history.said) >= due[0][0]:
            session.send(due.pop(0)[1])

    session.watch(tell)


def flat(record):
    """The numbers of a record; where a clock is, is a number too."""
    values = [record["residual_intent"], record["pressures"]["net"]]
    for clock in ("fast", "mid", "slow"):
        part = record["pressures"][clock]
        values += [part["value"], part["weight"], *part["signals"].values(), *record["clocks"][clock].values()]
    return values


def spoken(model, updates=(), **options):
    """A session that has said all, and how many forwards of its model that took."""
    forwards = []
    hook = model.model.layers[0].register_forward_pre_hook(lambda *_: forwards.append(1))
    with DuplexSession.start(model, tiny_tokenizer(), PROMPT, sampling=SPOKEN, **options) as session:
        for text in updates:
            session.send(text)
        assert session.wait(60), session.status
        found = records(session), [token.id for token in session.tokens], len(forwards)
    hook.remove()
    return found


@pytest.mark.parametrize("name", ["validity", "dual_stream", "baseline"])
def test_a_record_comes_after_so_many_tokens_and_costs_no_forward(name):
    model = talking_model(name)
    found, said, forwards = spoken(model, measure=5)
    assert len(found) == len(said) // 5 > 0
    assert [record["chunk_id"] for record in found] == list(range(1, len(found) + 1))
    for record in found:
        assert set(record) == KEYS and set(record["pressures"]) == {"fast", "mid", "slow", "net"}
        assert all(-1 <= record["pressures"][clock]["value"] <= 1 for clock in ("fast", "mid", "slow"))
    none, same, plain = spoken(model)
    assert none == [] and same == said and plain == forwards
    # Read from the model, not made up: an update leaves its mark.
    assert spoken(model, ["y = 9."], measure=5)[0][0] != found[0]


def test_what_was_measured_is_restored_and_goes_on_as_if_nothing_had_been(tmp_path):
    model = talking_model("validity")
    whole, said, _ = spoken(model, measure=5)
    log = tmp_path / "log.sqlite"
    with DuplexSession.start(model, tiny_tokenizer(), PROMPT, sampling=SPOKEN, log=log, measure=5) as session:
        for _ in range(8):
            session.read(30)
        session.pause()
    with DuplexSession.reopen(model, tiny_tokenizer(), log) as session:
        session.resume()
        assert session.wait(60)
        assert [token.id for token in session.tokens] == said
        assert records(session) == whole
        assert session.replay().same


@pytest.mark.parametrize("name", ["validity", "gated", "dual_stream", "baseline"])
def test_in_a_batch_with_others_each_is_measured_as_if_it_were_alone(name):
    """Rows of other lengths, told other things at other times, which come and go."""
    model = talking_model(name)
    talks = [(PROMPT, []), ("given z = 1, say it.", ["z = 8."]), (PROMPT, ["y = 9.", "x = 2."]), ("say both.", [])]
    alone = []
    for prompt, updates in talks:
        with DuplexSession.start(model, tiny_tokenizer(), prompt, sampling=SPOKEN, measure=3) as session:
            with session.server.lock:
                told_at(session, updates)
            assert session.wait(60), session.status
            alone.append(([token.id for token in session.tokens], records(session)))
    with Server(model, tiny_tokenizer()) as server:
        sizes = []
        with server.lock:
            together = [server.open(prompt, sampling=SPOKEN, measure=3) for prompt, _ in talks]
            for session, (_, updates) in zip(together, talks, strict=True):
                told_at(session, updates)
            together[0].watch(lambda event: sizes.append(max(map(len, server.batches), default=0)))
        assert all(session.wait(60) for session in together)
        assert [session.failure for session in together] == [None] * len(talks)
        found = [([token.id for token in session.tokens], records(session)) for session in together]
    assert max(sizes) > 1 and any(expected for _, expected in alone)
    for (said, expected), (also_said, measured) in zip(alone, found, strict=True):
        assert said == also_said and len(expected) == len(measured) == len(said) // 3
        for one, other in zip(expected, measured, strict=True):
            assert flat(one) == pytest.approx(flat(other), abs=2e-4)


@pytest.mark.parametrize("measure", [0, -3])
def test_an_unusable_measure_is_refused_before_anything_is_there(measure):
    with Server(talking_model("validity"), tiny_tokenizer()) as server:
        with pytest.raises(ValueError, match="`measure`"):
            server.open(PROMPT, measure=measure)
        assert server.sessions == [] and server.log.sessions() == []
