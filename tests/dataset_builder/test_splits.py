"""The named splits: each lies where training does not."""

import pytest

from dataset_builder import FAMILIES, SPLITS, Builder, BuilderConfig, split_config, split_of
from dataset_builder.build.splits import DESCRIPTIONS
from dataset_builder.world.kinds import HELD_OUT, KINDS, PHASE_3, WITHOUT_EFFECT


BASE = BuilderConfig(seed=2)


def rows(split, num=400, base=BASE):
    return list(Builder(split_config(base, split)).samples(num))


def drawn(row):
    return [update for update in row.updates if update["kind"] != "stop"]


@pytest.fixture(scope="module")
def train():
    return rows("train", 1500)


def test_every_split_is_described_and_made():
    assert DESCRIPTIONS.keys() == set(SPLITS)
    for split in SPLITS:
        assert all(row.split == split for row in rows(split, 10))
    with pytest.raises(ValueError, match="`split` must be one of train, .*, got 'dev'"):
        split_config(BASE, "dev")


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_train_validation_and_the_tests_share_no_prompt(family):
    small = BuilderConfig(families=(family,), num_facts=(1, 2), num_questions=(1, 1))
    prompts = {
        split: {row.prompt for row in rows(split, 500, small)} for split in ("train", "validation", "test", "late")
    }
    for split, found in prompts.items():
        assert {split_of(prompt) for prompt in found} == {"test" if split == "late" else split}
    assert not prompts["train"] & prompts["validation"] and not prompts["train"] & prompts["test"]


def test_training_has_every_family_kind_and_phase(train):
    assert {row.task_type for row in train} == set(FAMILIES)
    assert {update["kind"] for row in train for update in row.updates} == set(KINDS)
    assert {row.phase for row in train} == {1, 2, 3}
    for row in train:
        kinds = {update["kind"] for update in row.updates}
        assert row.phase == (1 if not kinds else 3 if kinds & PHASE_3 else 2)
    pairs = {(row.task_type, update["kind"]) for row in train for update in row.updates}
    assert not pairs & HELD_OUT


def test_what_changes_nothing_has_no_changes_and_the_rest_has(train):
    for row in train:
        facts = {fact["name"]: fact["value"] for fact in row.facts}
        for update in row.updates:
            assert bool(update["changes"]) == (update["kind"] not in WITHOUT_EFFECT), update
            for change in update["changes"]:
                assert facts[change["fact"]] != change["value"]
                facts[change["fact"]] = change["value"]


def test_more_updates_are_four_and_sixteen_times_as_many():
    assert {len(drawn(row)) for row in rows("more_updates", 40)} == {16, 64}


def test_long_is_eight_times_the_length(train):
    def mean(samples):
        return sum(len(row.target) for row in samples) / len(samples)

    assert mean(rows("long", 100)) >= 8 * mean(train)


def test_late_updates_come_later_than_in_training(train):
    def places(samples):
        return sorted(update["position"] for row in samples for update in drawn(row))

    assert places(rows("late", 200))[0] > 0
    # The earliest tenth of them is behind nearly all that training has.
    late, early = places(rows("late", 200)), places(train)
    assert late[len(late) // 10] > early[len(early) * 95 // 100]


def test_novel_values_are_never_drawn_otherwise(train):
    def values(samples, family):
        typed = [
            (fact["type"], fact["value"])
            for row in samples
            if row.task_type == family
            for fact in row.facts
            if fact["type"] not in ("boolean", "list", "number") and fact["value"] != "none"
        ]
        return set(typed)

    novel = rows("novel_values", 600)
    for family in FAMILIES:
        made = values(novel, family)
        assert not made & values(train, family), family


def test_paraphrase_uses_other_wordings():
    """No update of the split opens with the same two words as any in training, names and values aside."""
    train = {update["text"] for row in rows("train", 600) for update in row.updates}
    assert not train & {update["text"] for row in rows("paraphrase", 600) for update in row.updates}


def test_composition_holds_the_pairs_that_are_held_out():
    pairs = [{(row.task_type, update["kind"]) for update in row.updates} & HELD_OUT for row in rows("composition")]
    assert all(pairs)
    assert set().union(*pairs) == HELD_OUT
    assert {family for family, _ in HELD_OUT} == set(FAMILIES)
    assert all(sum((family, kind) not in HELD_OUT for family in FAMILIES) >= 5 for kind in KINDS)


@pytest.mark.parametrize(
    ("split", "kinds", "share"),
    [
        ("distractor", WITHOUT_EFFECT, 0.6),
        ("adversarial", {"adversarial", "recorrection", "untrusted"}, 0.6),
        ("retraction", {"retraction"}, 0.3),
    ],
)
def test_the_kinds_of_a_split(split, kinds, share):
    found = [
        update["kind"]
        for row in rows(split)
        for update in drawn(row)
        if not any((row.task_type, kind) in HELD_OUT for kind in set(kinds) - WITHOUT_EFFECT)
    ]
    assert sum(kind in kinds for kind in found) > share * len(found) > 0
