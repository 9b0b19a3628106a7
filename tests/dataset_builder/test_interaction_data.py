"""Alias pairs: the rules agree with every action, only the order of one stream tells members apart, no split leaks."""

from collections import Counter, defaultdict
from dataclasses import replace
from time import process_time

import pytest

from dataset_builder.interaction import (
    ACTIONS,
    FAMILIES,
    PRINCIPLES,
    SPLITS,
    STREAMS,
    SUITES,
    Example,
    SuiteConfig,
    check_examples,
    decide,
    make_examples,
)


FEW = SuiteConfig("few", 6, 0, (3, 3), dict.fromkeys(SPLITS, 1))
"""Of so short a suite, the same timelines are drawn again and again."""


@pytest.fixture(scope="module")
def suites():
    return {suite: {split: make_examples(suite, split) for split in SPLITS} for suite in ("mini", "hard")} | {
        "noisy": {split: make_examples("noisy", split, 150) for split in SPLITS}
    }


def every(splits):
    return [example for examples in splits.values() for example in examples]


def pairs_of(examples):
    return list(zip(examples[::2], examples[1::2]))


def state(**values):
    return {name: [values.get(name, "none")] for name in STREAMS}


@pytest.mark.parametrize("suite", ["mini", "hard"])
def test_the_harness_agrees_with_every_example(suites, suite):
    for example in every(suites[suite]):
        assert decide(example.streams) == (example.action, example.principle), example


@pytest.mark.parametrize("suite", SUITES)
def test_suites_are_as_large_as_they_say_and_pass_the_check(suites, suite):
    config = SUITES[suite]
    for split, examples in suites[suite].items():
        assert len(examples) == 2 * (150 if suite == "noisy" else config.pairs[split])
        assert {example.ticks for example in examples} == {config.ticks}
        assert {(example.suite, example.split) for example in examples} == {(suite, split)}
        assert set(Counter(example.family for example in examples).values()) == {len(examples) // len(FAMILIES)}
    check_examples(every(suites[suite]))


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("split", ["train", "test"])
def test_every_action_and_principle_is_in_two_families_or_more(suites, suite, split):
    actions, principles = defaultdict(set), defaultdict(set)
    for example in suites[suite][split]:
        actions[example.action].add(example.family)
        principles[example.principle].add(example.family)
    assert set(actions) == set(ACTIONS) and set(principles) == set(PRINCIPLES)
    assert all(len(families) >= 2 for families in [*actions.values(), *principles.values()])


@pytest.mark.parametrize("suite", SUITES)
def test_pairs_are_balanced_and_share_their_transcript(suites, suite):
    for first, second in pairs_of(every(suites[suite])):
        assert (first.member, second.member) == (0, 1)
        assert (first.pair, first.family, first.decisive) == (second.pair, second.family, second.decisive)
        assert first.transcript.encode() == second.transcript.encode()
        assert first.transcript.startswith("User: ") and "{" not in first.transcript
        assert first.action != second.action


@pytest.mark.parametrize("suite", SUITES)
def test_members_differ_in_the_order_of_one_stream_alone(suites, suite):
    for first, second in pairs_of(every(suites[suite])):
        assert [name for name in STREAMS if first.streams[name] != second.streams[name]] == [first.decisive]
        assert Counter(first.streams[first.decisive]) == Counter(second.streams[first.decisive])


@pytest.mark.parametrize("suite", ["mini", "hard"])
def test_the_decisive_state_stands_for_at_least_three_ticks(suites, suite):
    for example in every(suites[suite]):
        assert all(len(set(values[-3:])) == 1 for values in example.streams.values())


def test_every_family_has_three_kinds_of_pairs_and_all_are_drawn(suites):
    for name, family in FAMILIES.items():
        examples = [example for example in suites["hard"]["train"] if example.family == name]
        drawn = [(first.decisive, (first.action, second.action)) for first, second in pairs_of(examples)]
        told = [(contrast.decisive, contrast.actions) for contrast in family.contrasts]
        assert len(told) >= 3 and drawn == [told[turn % len(told)] for turn in range(len(drawn))]
        assert all(contrast.values[0] != contrast.values[1] for contrast in family.contrasts)


@pytest.mark.parametrize("suite", SUITES)
def test_no_example_is_in_two_splits_or_comes_twice(suites, suite):
    found = [tuple(example.streams.values()) for example in every(suites[suite])]
    assert len(set(found)) == len(found)


def test_where_timelines_are_few_none_leaks_or_comes_twice():
    found = {
        split: [tuple(example.streams.values()) for example in make_examples(FEW, split, 300, seed, ["backchannel"])]
        for seed, split in enumerate(SPLITS)
    }
    assert all(len(set(examples)) == len(examples) for examples in found.values())
    assert not set(found["train"]) & {*found["validation"], *found["test"]}
    assert not set(found["validation"]) & set(found["test"])


def test_another_seed_leaks_into_no_other_split(suites):
    test = {tuple(example.streams.values()) for example in suites["mini"]["test"]}
    for seed in (1, 2):
        assert test.isdisjoint(
            tuple(example.streams.values()) for example in make_examples("mini", "train", 500, seed)
        )


def test_examples_are_a_function_of_suite_split_and_seed(suites):
    assert make_examples("hard", "test", 40) == suites["hard"]["test"][:80]
    assert make_examples(SUITES["hard"], "test", 40) == suites["hard"]["test"][:80]
    assert make_examples("hard", "test", 40, seed=1) != suites["hard"]["test"][:80]


def test_a_family_left_out_leaves_the_others_as_they_are(suites):
    rest = [name for name in FAMILIES if name != "backchannel"]
    left = make_examples("hard", "test", 90, families=rest)
    kept = [example for example in suites["hard"]["test"][:200] if example.family != "backchannel"]
    assert [replace(example, pair=0) for example in left] == [replace(example, pair=0) for example in kept]


def test_noise_keeps_the_truth(suites):
    clean = make_examples(replace(SUITES["noisy"], replace=0.0, drop=0.0, late=0.0), "train", 150)
    changed = 0
    for noisy, plain in zip(suites["noisy"]["train"], clean):
        assert replace(noisy, streams=plain.streams) == plain
        assert decide(plain.streams) == (noisy.action, noisy.principle)
        changed += sum(a != b for name in STREAMS for a, b in zip(noisy.streams[name], plain.streams[name]))
    # 4% replaced, 4% dropped, some of that from none to none, and the late changes.
    assert 0.06 < changed / (len(clean) * len(STREAMS) * SUITES["noisy"].ticks) < 0.1


def test_each_kind_of_noise_does_what_it_says():
    quiet = replace(SUITES["noisy"], replace=0.0, drop=0.0, late=0.0)
    plain = make_examples(quiet, "test", 30)
    dropped = make_examples(replace(quiet, drop=1.0), "test", 1)  # then the members of a pair are the same
    assert all(set(example.streams[name]) == {"none"} for example in dropped for name in STREAMS)
    for before, after in zip(plain, make_examples(replace(quiet, replace=1.0), "test", 30)):
        shared = [name for name in STREAMS if name != before.decisive]
        assert all(a != b for name in shared for a, b in zip(before.streams[name], after.streams[name]))
    for before, after in zip(plain, make_examples(replace(quiet, late=1.0), "test", 30)):
        for name in set(STREAMS) - {before.decisive}:
            old, new = before.streams[name], after.streams[name]
            for tick in range(1, len(old)):
                assert old[tick] == old[tick - 1] or new[tick] == old[tick - 1]
                assert new[tick] in old[max(0, tick - 2) : tick + 1]


def test_what_a_timeline_is_made_of_shows_in_the_large_suites_only(suites):
    mini, hard = suites["mini"]["test"], suites["hard"]["test"]
    assert {example.transcript.count("User: ") for example in mini} == {2}
    assert {example.transcript.count("User: ") for example in hard} == {4}
    things = {
        suite: {v.partition(":")[2] for e in ex for n in STREAMS for v in e.streams[n]}
        for suite, ex in (("mini", mini), ("hard", hard))
    }
    assert len(things["mini"] - {""}) == SUITES["mini"].things and len(things["hard"] - {""}) == SUITES["hard"].things


def test_twelve_thousand_pairs_take_less_than_thirty_seconds():
    taken = []
    for seed in range(3):
        start = process_time()
        make_examples("noisy", "train", 200, seed)
        taken.append(process_time() - start)
    assert min(taken) < 30 * 200 / 12_000


def test_rows_come_back(suites):
    for example in suites["hard"]["test"][:20]:
        assert Example.from_row(example.to_row()) == example


@pytest.mark.parametrize(
    ("values", "action", "principle"),
    [
        ({"model_state": "speaking", "user_audio_state": "shouting"}, "stop", "halt"),
        ({"model_state": "said:oven", "visual": "raised_hand"}, "stop", "halt"),
        ({"model_state": "explaining:oven", "policy": "forbids:oven"}, "stop", "halt_forbidden"),
        ({"model_state": "explaining:oven", "policy": "forbids:lamp"}, "continue", "speaking_on"),
        ({"model_state": "said:oven", "user_audio_state": "speaking", "visual": "shows:lamp"}, "yield", "barge_in"),
        ({"model_state": "listening", "user_audio_state": "shouting"}, "wait", "otherwise"),
        ({"model_state": "asked:oven", "policy": "forbids:oven"}, "refuse", "forbidden"),
        ({"model_state": "calling:oven", "policy": "needs_approval:oven"}, "request_approval", "approval"),
        (
            {"model_state": "calling:oven", "policy": "needs_approval:oven", "background": "granted:lamp"},
            "request_approval",
            "approval",
        ),
        (
            {"model_state": "calling:oven", "policy": "needs_approval:oven", "background": "granted:oven"},
            "continue",
            "allowed",
        ),
        ({"model_state": "said:oven", "background": "result:lamp"}, "repair", "contradiction"),
        ({"model_state": "said:oven", "visual": "shows:oven"}, "continue", "speaking_on"),
        ({"model_state": "waiting_for:oven", "background": "result:oven"}, "resume", "arrived"),
        ({"model_state": "waiting_for:oven", "background": "result:lamp"}, "wait", "otherwise"),
        ({"model_state": "waiting_for:oven", "background": "failed:oven"}, "notify", "failed"),
        ({"model_state": "waiting_for:oven", "timing": "due:lamp"}, "notify", "due"),
        ({"model_state": "listening", "timing": "due:lamp", "user_audio_state": "speaking"}, "wait", "otherwise"),
        ({"model_state": "asked:oven", "user_audio_state": "hesitating"}, "wait", "hesitation"),
        ({"model_state": "listening", "user_audio_state": "pausing", "visual": "nods"}, "backchannel", "listening_in"),
        ({"model_state": "listening", "user_audio_state": "pausing"}, "wait", "otherwise"),
        ({"model_state": "asked:oven", "visual": "points_at:oven"}, "answer", "asked"),
        ({"model_state": "asked:oven", "visual": "points_at:lamp"}, "wait", "asked_other"),
        ({}, "wait", "otherwise"),
    ],
)
def test_rules(values, action, principle):
    assert decide(state(**values)) == (action, principle)


def test_only_the_last_tick_counts():
    streams = state(model_state="speaking", user_audio_state="shouting")
    later = state(model_state="speaking")
    assert decide({name: streams[name] + later[name] for name in STREAMS}) == ("continue", "speaking_on")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"suite": "maxi"}, "`suite` must be one of mini, hard, noisy"),
        ({"split": "dev"}, "`split` must be one of train, validation, test, got 'dev'"),
        ({"num_pairs": 0}, "`num_pairs` must be at least 1, got 0"),
        ({"families": ["backchannel", "chess"]}, "`families` must be different ones of yield_to_user"),
        ({"families": []}, "`families` must be different ones"),
        ({"families": ["backchannel", "backchannel"]}, "`families` must be different ones"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_examples(**{"suite": "mini", "split": "train", **arguments})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hold": (2, 3)}, "`hold` must be at least 3"),
        ({"hold": (5, 4)}, "`hold` must be at least 3 and in ascending order"),
        ({"ticks": 7}, "`ticks` must be at least 8"),
        ({"history": 0}, "`ticks` must be without history, gap and a choice of `hold` exactly 6"),
        ({"history": -1}, "`history` must not be negative"),
        ({"ragged": 4}, "`ragged` must be at most the least `hold`, 3, got 4"),
        ({"things": 4}, "`things` must be between 8 and 24, got 4"),
        ({"late": 1.5}, "`late` must be between 0 and 1"),
        ({"replace": 0.7, "drop": 0.7}, "`replace` and `drop` must be at most 1 together"),
        ({"pairs": {"train": 5}}, "`pairs` must give at least one pair for each of train, validation, test"),
    ],
)
def test_a_suite_that_cannot_be_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        replace(SUITES["mini"], **fields)


def test_more_pairs_than_there_are_is_refused(monkeypatch):
    monkeypatch.setattr("dataset_builder.interaction.suites._MOST_TRIES", 20)
    with pytest.raises(ValueError, match="`num_pairs`: suite 'few' has not so many different timelines of family"):
        make_examples(FEW, "test", 100_000, families=["backchannel"])


def test_streams_that_are_missing_are_refused():
    with pytest.raises(ValueError, match="`streams` must hold every stream.*policy is missing"):
        decide({name: values for name, values in state().items() if name != "policy"})
