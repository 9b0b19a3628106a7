"""What examples must not be: each fault is refused, and the message names the pair."""

from dataclasses import replace

import pytest

from dataset_builder.interaction import STREAMS, Example, check_examples, make_examples


@pytest.fixture
def examples():
    return make_examples("mini", "test", 10)


def changed(example, **fields):
    """An example with fields that its own check would refuse."""
    copy = replace(example)
    for name, value in fields.items():
        object.__setattr__(copy, name, value)
    return copy


def with_stream(example, name, values):
    return replace(example, streams={**example.streams, name: values})


def test_whole_pairs_pass_in_any_order(examples):
    check_examples(examples)
    check_examples(reversed(examples))
    check_examples([*examples, *make_examples("hard", "test", 10)])


def test_none_is_refused():
    with pytest.raises(ValueError, match="`examples` must hold at least one pair, got none"):
        check_examples([])


def test_unbalanced_pairs_are_refused(examples):
    with pytest.raises(ValueError, match=r"not balanced: suite mini, split test, pair 0 has members \[0\]"):
        check_examples(examples[:1] + examples[2:])
    with pytest.raises(ValueError, match=r"pair 0 has members \[0, 0\]"):
        check_examples([examples[0], replace(examples[1], member=0)])
    with pytest.raises(ValueError, match=r"pair 0 has members \[0, 0, 1, 1\]"):
        check_examples([replace(example, pair=0) for example in examples[:4]])


def test_a_transcript_that_differs_is_refused(examples):
    examples[3] = replace(examples[3], transcript=examples[3].transcript + " ")
    with pytest.raises(ValueError, match="the transcripts of suite mini, split test, pair 1 differ"):
        check_examples(examples)


def test_a_difference_in_another_stream_is_refused(examples):
    first = examples[0]
    other = next(name for name in STREAMS if name != first.decisive)
    examples[0] = with_stream(first, other, ("none",) * (first.ticks - 1) + (first.streams[other][-1],))
    assert examples[0] != first
    with pytest.raises(ValueError, match=f"pair 0 differ in .*; only {first.decisive} may differ"):
        check_examples(examples)


def test_a_difference_that_is_called_by_another_name_is_refused(examples):
    first, second = (replace(example, decisive="user_text") for example in examples[:2])
    with pytest.raises(ValueError, match="only user_text may differ"):
        check_examples([first, second])
    with pytest.raises(ValueError, match="differ in `decisive`"):
        check_examples([examples[0], second])


def test_equal_actions_are_refused(examples):
    examples[1] = replace(examples[1], action=examples[0].action)
    with pytest.raises(ValueError, match=f"both members of .*pair 0 call for {examples[0].action}"):
        check_examples(examples)


def test_a_duplicate_is_refused(examples):
    again = [replace(example, pair=99) for example in examples[:2]]
    with pytest.raises(ValueError, match="the same streams twice: .*pair 99 and .*pair 0"):
        check_examples([*examples, *again])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"action": "dance"}, "pair 0: `action` must be one of continue, .*, got 'dance'"),
        ({"decisive": "smell"}, "pair 0: `stream` must be one of user_audio_state, .*, got 'smell'"),
        ({"family": "chess"}, "pair 0: `family` must be one of yield_to_user, .*, got 'chess'"),
        ({"streams": {"smell": ("none",)}}, "pair 0: its streams must be user_audio_state.*, got smell"),
    ],
)
def test_unknown_names_are_refused(examples, fields, message):
    with pytest.raises(ValueError, match=message):
        check_examples([changed(examples[0], **fields), *examples[1:]])


def test_an_unknown_value_is_refused(examples):
    streams = {**examples[0].streams, "policy": ("forbids:dragons",) * examples[0].ticks}
    with pytest.raises(ValueError, match="`policy` cannot hold 'forbids:dragons'"):
        check_examples([changed(examples[0], streams=streams), *examples[1:]])
    with pytest.raises(ValueError, match="`policy` cannot hold 'forbids:dragons'"):
        replace(examples[0], streams=streams)


@pytest.mark.parametrize("name", ["policy", "visual"])
def test_an_example_needs_all_streams_equally_long(examples, name):
    row = examples[0].to_row()
    with pytest.raises(ValueError, match="must all have as many ticks"):
        Example.from_row({**row, name: row[name][1:]})
