"""A trained policy decides when a live session speaks."""

import pytest
from transformers import set_seed

from dataset_builder.interaction import make_examples
from dataset_builder.interaction.rules import decide
from dataset_builder.interaction.streams import STREAMS
from hf_duplex.interaction.data import choose_actions, policy_vocabulary
from hf_duplex.interaction.modeling.configuration_policy import StreamPolicyConfig
from hf_duplex.interaction.modeling.modeling_policy import StreamPolicyForSequenceClassification
from hf_duplex.interaction.turn_policy import TurnPolicy
from hf_duplex.released import SHIPPED, TURN_POLICY, WORKSPACE
from hf_duplex.runtime.checkpoints import load_checkpoint
from hf_duplex.runtime.duplex_session import DuplexSession, SessionError


PROMPT = "Given x = 5, y = 3, compute 1) 3x + 2; 2) x + y; 3) 4y + 1."


@pytest.fixture(scope="module")
def loaded():
    return load_checkpoint(str(SHIPPED / WORKSPACE), "--model")


@pytest.fixture
def policy():
    return TurnPolicy.from_pretrained()


def actions(policy, *observed):
    """What the policy says after each observation."""
    known = {"emitted": [], "heard": [], "incoming": []}
    said = [policy(known)]
    for name, value in observed:
        known.setdefault(name, []).append(value)
        said.append(policy(known))
    return said


def decisions(session):
    return [event.data["action"] for event in session.server.log.events(session.id) if event.kind == "action"]


@pytest.mark.parametrize(
    "observed, expected",
    [
        ([("user_audio_state", "speaking"), ("user_audio_state", "silent")], ["yield", "continue"]),
        ([("visual", "raised_hand"), ("visual", "none")], ["stop", "stop"]),
        ([("model_state", "calling:oven"), ("policy", "needs_approval:oven")], ["continue", "request_approval"]),
        ([("model_state", "calling:oven"), ("policy", "needs_approval:parcel")], ["continue", "continue"]),
        ([("model_state", "asked:oven"), ("policy", "forbids:oven")], ["answer", "refuse"]),
        (
            [("model_state", "waiting_for:oven"), ("background", "pending:oven"), ("background", "result:oven")],
            ["wait", "wait", "resume"],
        ),
        ([("model_state", "said:oven"), ("visual", "shows:parcel")], ["continue", "repair"]),
    ],
)
def test_it_decides_by_what_is_observed(policy, observed, expected):
    assert actions(policy, *observed) == ["continue", *expected]
    # The rules of the benchmark say the same, but that who was stopped stays stopped.
    if "stop" not in expected:
        assert decide(policy.example().streams)[0] == expected[-1]


def test_examples_of_the_benchmark_are_decided_as_they_were_trained(policy):
    examples = make_examples("hard", "test", 40)
    assert choose_actions(policy.model, examples) == [example.action for example in examples]


def test_the_same_words_and_another_stream_make_another_session(loaded):
    """An alias pair: nothing that is said differs, one of the two yields."""
    spoken = {}
    for value in ("silent", "speaking"):
        with DuplexSession.start(*loaded, PROMPT, decide=TurnPolicy.from_pretrained()) as session:
            with session.server.lock:
                session.observe("user_audio_state", value)
            session.wait(0.5 if value == "speaking" else 60)
            spoken[value] = session.text, session.status, decisions(session)
            if value == "speaking":
                before = len(session.tokens)
                session.observe("user_audio_state", "silent")
                assert session.wait(60) and session.finished and len(session.tokens) > before
                assert session.text == spoken["silent"][0]
                assert decisions(session)[-2:] == ["yield", "continue"]
    assert "13" in spoken["silent"][0] and spoken["silent"][1] == "ended"
    assert len(spoken["speaking"][0]) < len(spoken["silent"][0]) and spoken["speaking"][1] == "waiting"
    assert "yield" not in spoken["silent"][2]


def test_a_session_that_yields_hears_what_it_is_told_and_goes_on(loaded):
    with DuplexSession.start(*loaded, PROMPT, decide=TurnPolicy.from_pretrained()) as session:
        with session.server.lock:
            session.observe("user_audio_state", "speaking")
        receipt = session.send("Actually x = 7.")
        session.observe("user_audio_state", "silent")
        assert session.wait(60) and receipt.status == "applied"
        assert "7 + 3 = 10" in session.text


def test_what_cannot_be_observed_is_one_clear_error_and_the_session_goes_on(loaded):
    with DuplexSession.start(*loaded, PROMPT, decide=TurnPolicy.from_pretrained()) as session:
        with session.server.lock:
            session.observe("user_audio_state", "singing")
        with pytest.raises(SessionError, match="cannot hold 'singing'"):
            while session.read(30) is not None:
                pass
        session.resume()
        assert session.wait(60) and session.finished and "13" in session.text


def test_it_is_restored_with_what_was_decided(loaded, tmp_path):
    log = tmp_path / "log.sqlite"
    with DuplexSession.start(*loaded, PROMPT, log=log, decide=TurnPolicy.from_pretrained()) as session:
        with session.server.lock:
            session.observe("visual", "raised_hand")
        session.wait(0.5)
        said, before = session.text, decisions(session)
        assert before[-1] == "stop"
    with DuplexSession.reopen(*loaded, log) as session:
        assert session.text.startswith(said) and decisions(session)[: len(before)] == before
        assert session.wait(60) and session.replay().same


def test_only_a_policy_over_streams_will_do(tmp_path):
    with pytest.raises(ValueError, match="no policy"):
        TurnPolicy.from_pretrained(tmp_path)
    set_seed(0)
    vocabulary = policy_vocabulary(make_examples("mini", "train", 20), transcript_only=True)
    twin = StreamPolicyForSequenceClassification(StreamPolicyConfig(architecture="gru", hidden_size=8, **vocabulary))
    with pytest.raises(ValueError, match="transcript"):
        TurnPolicy(twin)


def test_the_policy_is_small_and_reads_all_streams(policy):
    assert set(policy.model.config.streams) == set(STREAMS)
    assert sum(path.stat().st_size for path in TURN_POLICY.iterdir()) < 100_000
