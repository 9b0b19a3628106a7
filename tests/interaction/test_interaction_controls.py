"""Controls take away what they say, and nothing else."""

from collections import Counter

import pytest

from dataset_builder.interaction import STREAMS, make_examples
from hf_duplex.interaction.evaluation.baselines import MajorityBaseline, RuleHarness
from hf_duplex.interaction.evaluation.controls import (
    CONTROLS,
    blank_stream,
    decisive,
    decisive_and_state,
    mismatch_streams,
    permute_labels,
    scramble_ticks,
)
from hf_duplex.interaction.evaluation.metrics import expected_after_permutation, turn_action_accuracy


EXAMPLES = make_examples("mini", "test", 100)
RIGHT = [example.action for example in EXAMPLES]


def changed(examples):
    """The streams in which each example differs from what it was."""
    return [{n for n in STREAMS if a.streams[n] != b.streams[n]} for a, b in zip(EXAMPLES, examples, strict=True)]


@pytest.mark.parametrize("stream", STREAMS)
def test_a_blank_stream_holds_nothing_and_the_others_what_they_held(stream):
    blank = blank_stream(EXAMPLES, stream)
    assert all(set(example.streams[stream]) == {"none"} for example in blank)
    assert set().union(*changed(blank)) <= {stream}
    assert [example.action for example in blank] == RIGHT


def test_an_unknown_stream_is_refused():
    with pytest.raises(ValueError, match="`stream` must be one of user_audio_state.*got 'smell'"):
        blank_stream(EXAMPLES, "smell")


@pytest.mark.parametrize("together", [False, True])
def test_scrambled_ticks_hold_the_same_values_as_often(together):
    scrambled = scramble_ticks(EXAMPLES, 0, together)
    kept = []
    for before, after in zip(EXAMPLES, scrambled, strict=True):
        assert all(Counter(before.streams[name]) == Counter(after.streams[name]) for name in STREAMS)
        whole = [Counter(zip(*(e.streams[name] for name in STREAMS), strict=True)) for e in (before, after)]
        kept.append(whole[0] == whole[1])
    assert all(kept) if together else sum(kept) < len(kept) / 4
    assert scrambled == scramble_ticks(EXAMPLES, 0, together) != scramble_ticks(EXAMPLES, 1, together)


@pytest.mark.parametrize("critical", [decisive, decisive_and_state])
def test_streams_come_from_other_pairs(critical):
    mixed = mismatch_streams(EXAMPLES, 0, critical)
    for example, after, names in zip(EXAMPLES, mixed, changed(mixed), strict=True):
        assert names <= set(critical(example))
        for name in names:
            assert any(e.pair != example.pair and e.streams[name] == after.streams[name] for e in EXAMPLES)
    assert mixed == mismatch_streams(EXAMPLES, 0, critical) != mismatch_streams(EXAMPLES, 1, critical)


def test_one_pair_has_nothing_to_be_mixed_with():
    with pytest.raises(ValueError, match="at least two pairs"):
        mismatch_streams(EXAMPLES[:2], 0, decisive)


def test_permuted_labels_are_the_same_labels():
    permuted = permute_labels(RIGHT, 0)
    assert Counter(permuted) == Counter(RIGHT) and permuted != RIGHT


def test_permuting_labels_drops_a_perfect_predictor_to_what_it_must():
    left = [turn_action_accuracy(RIGHT, permute_labels(RIGHT, seed)) for seed in range(200)]
    shares = [count / len(RIGHT) for count in Counter(RIGHT).values()]
    assert expected_after_permutation(RIGHT, RIGHT) == pytest.approx(sum(share**2 for share in shares))
    assert sum(left) / len(left) == pytest.approx(sum(share**2 for share in shares), abs=0.01)


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_hurts_who_decides_by_the_streams_and_not_who_is_constant(name):
    harness, majority = RuleHarness(), MajorityBaseline().fit(EXAMPLES)
    assert turn_action_accuracy(harness.predict(EXAMPLES), RIGHT) == 1
    assert CONTROLS[name](harness, EXAMPLES, 0) < 0.7
    constant = turn_action_accuracy(majority.predict(EXAMPLES), RIGHT)
    assert CONTROLS[name](majority, EXAMPLES, 0) == constant
