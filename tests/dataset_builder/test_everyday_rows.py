"""Rows of the everyday family: the columns of its siblings, its splits, its reader and its oracle."""

import copy
import hashlib
import json
import random

import pytest

from dataset_builder import FAMILIES, Builder, BuilderConfig, split_config
from dataset_builder.build.balance import possible_kinds
from dataset_builder.build.check import check_dataset
from dataset_builder.build.config import BuildConfig
from dataset_builder.build.consistency import contradictions
from dataset_builder.build.dataset import build_dataset
from dataset_builder.build.schema import SCHEMA
from dataset_builder.families.everyday import SPLITS, split_of
from dataset_builder.families.everyday.reader import account, find, forms, read
from dataset_builder.oracle import disagreements
from dataset_builder.speech.discourse import END
from dataset_builder.world.kinds import KINDS, OF_EVERYDAY


ALONE = BuilderConfig(families=("everyday",), seed=4)


def rows(split, count=150):
    builder = Builder(split_config(ALONE, split))
    return [sample.to_row() for sample in builder.samples(count)]


@pytest.fixture(scope="module")
def made():
    return {split: rows(split) for split in SPLITS}


@pytest.mark.parametrize("split", SPLITS)
def test_rows_agree_with_themselves_and_with_the_oracle(made, split):
    for row in made[split]:
        assert list(row) == SCHEMA.names
        assert row["task_type"] == "everyday" and row["split"] == split
        assert contradictions(row) == [] and disagreements(row) == [], row


def test_columns_tell_what_happened(made):
    for row in [row for split in SPLITS for row in made[split]]:
        text = row["initial_target"] + row["revised_target"]
        assert text.endswith(END) and row["facts"] and row["timeline"]
        names = {fact["name"] for fact in row["facts"]}
        for update in row["updates"]:
            assert update["kind"] in {**KINDS, **OF_EVERYDAY}
            assert update["source"] == ("someone else" if update["kind"] == "other_speaker" else "user")
            assert update["position"] == update["earliest"] <= len(text) - len(END)
            assert {change["fact"] for change in update["changes"]} <= names
            without = update["kind"] in ("confirmation", "chatter", "other_speaker")
            assert bool(update["changes"]) != without and not (without and update["repair"])
    claims = [claim for row in made["train"] for claim in row["provenance"]]
    assert sum(claim["stale_version"] > 0 for claim in claims) > 50
    assert sum(len(row["answers"]) for row in made["train"]) > 2 * len(made["train"])


def test_splits_share_no_prompt(made):
    prompts = {split: {row["prompt"] for row in made[split]} for split in SPLITS}
    for split in SPLITS:
        due = split if split in ("train", "validation") else "test"
        assert {split_of(prompt) for prompt in prompts[split]} == {due}
    pairs = [(row["prompt"], *(update["text"] for update in row["updates"])) for row in made["train"]]
    assert len(set(pairs)) == len(pairs)


def test_it_is_drawn_only_where_it_is_named():
    assert "everyday" not in FAMILIES and "everyday" not in BuilderConfig().families
    mixed = Builder(BuilderConfig(families=("everyday", "scheduling"), seed=1))
    assert {sample.task_type for sample in mixed.samples(30)} == {"everyday", "scheduling"}


def test_a_released_sample_stays_what_it_was():
    digest = hashlib.sha256()
    builder = Builder(BuilderConfig(seed=5))
    for index in range(60):
        digest.update(json.dumps(builder.sample(index).to_row()).encode())
    for attempt in (1, 2):
        digest.update(json.dumps(builder.sample(3, attempt).to_row()).encode())
    assert digest.hexdigest() == "5ded141d8af540feb86fe00d086604f201129641e0c41ec8f351b792602d688a"


def test_a_sample_is_a_function_of_config_and_index():
    one, other = Builder(ALONE), Builder(ALONE)
    first = one.sample(7)
    one.sample(3)
    assert one.sample(7) == first == other.sample(7) and one.sample(7, 1) != first
    assert Builder(BuilderConfig(families=("everyday",), seed=5)).sample(7) != first


@pytest.mark.parametrize("split", ["late", "long", "more_updates", "composition", "adversarial"])
def test_splits_that_it_does_not_have_are_refused(split):
    with pytest.raises(ValueError, match="does not exist for the family 'everyday', which has train, validation"):
        split_config(ALONE, split)


def test_numbers_of_updates_are_heeded():
    for low, high in ((0, 0), (1, 1), (2, 4)):
        config = BuilderConfig(families=("everyday",), num_updates=(low, high))
        assert all(low <= len(sample.updates) <= high for sample in Builder(config).samples(25))
    config = BuilderConfig(families=("everyday",), update_counts=(3,))
    assert {len(sample.updates) for sample in Builder(config).samples(10)} == {3}
    assert "retraction" not in possible_kinds(BuilderConfig(families=("everyday",), num_updates=(1, 1)))


def test_it_has_no_scenes():
    with pytest.raises(ValueError, match="no scene"):
        Builder(ALONE).scene(0)


def test_a_data_set_of_it_is_built_and_checked(tmp_path):
    splits = dict.fromkeys(SPLITS, 60) | {"train": 1200}
    config = BuildConfig("mine", splits, builder={"families": ["everyday"]})
    build_dataset(config, tmp_path / "mine", progress=False)
    report = check_dataset(tmp_path / "mine", oracle=60, progress=False)
    assert report.ok and report.findings == [] and report.judged == 300
    card = (tmp_path / "mine" / "README.md").read_text()
    assert "Interruptions in plain modern English" in card and "| `other_speaker` |" in card


def test_a_build_config_with_a_split_that_it_lacks_is_refused(tmp_path):
    config = BuildConfig("mine", {"late": 5}, builder={"families": ["everyday"]})
    with pytest.raises(ValueError, match="cannot give split 'late'"):
        build_dataset(config, tmp_path / "mine", progress=False)


def test_values_are_found_in_every_form():
    assert {"4.5", "4.50", "$4.50"} <= set(forms("4.5")) and {"7:30 pm", "7:30pm"} <= set(forms("19:30"))
    for value, text in {
        "6": "There are six of them.",
        "12000": "It costs £12,000.",
        "-5": "Down to -5 degrees",
        "19:00": "at 7 PM",
        "03-14": "on 14 March",
        "egg/eggs": "an egg",
        "35": "timeout: 35s",
        "|/pipes": "a|b",
        "the pool": "The pool: open",
    }.items():
        assert find(value, text), (value, text)
    for value, text in {
        "4": "$4.50",
        "30": "7:30 pm",
        "6": "16",
        "cat": "category",
        "5": "0.5 kg",
        "7": "7:30",
    }.items():
        assert find(value, text) is None, (value, text)


def test_claims_are_read_by_value_and_key():
    claims = read("Sorry, at 8 pm on Monday, not Tuesday.", {"time": ["19:00", "20:00"], "day": ["Monday", "Tuesday"]})
    assert [(claim.key, claim.value) for claim in claims] == [("time", "20:00"), ("day", "Monday"), ("day", "Tuesday")]
    assert read("", {"day": ["Monday"]}) == read("none", {"day": ["none"]}) == []


def test_the_account_sets_claims_against_the_worlds_of_the_moment():
    timeline = [
        {"key": "day", "version": 0, "value": "Monday"},
        {"key": "day", "version": 1, "value": "Friday"},
        {"key": "n", "version": 0, "value": "6"},
        {"key": "m", "version": 0, "value": "5"},
        {"key": "m", "version": 1, "value": "6"},
    ]
    text = "Monday, Monday, Friday, 6"
    told = [(mention.claim.value, mention.version, mention.right) for mention in account(text, [7], timeline)]
    assert told == [("Monday", 0, True), ("Monday", 1, False), ("Friday", 1, True), ("6", 1, True)]


def planted(row, rng):
    """The row with one emitted value changed, or None."""
    text = row["initial_target"] + row["revised_target"]
    claims = [claim for claim in row["provenance"] if claim["value"].isdigit()]
    if not claims:
        return None
    claim = rng.choice(claims)
    written = text[claim["start"] : claim["end"]]
    if not written.isdigit():
        return None
    wrong = str((int(written) + rng.randint(1, 8)) % 10 ** len(written)).zfill(len(written))
    made = copy.deepcopy(row)
    made["initial_target"], made["revised_target"] = "", text[: claim["start"]] + wrong + text[claim["end"] :]
    return made


def test_planted_wrong_values_are_caught(made):
    rng = random.Random(1)
    wrong = [bad for row in made["train"] if (bad := planted(row, rng))]
    assert len(wrong) > 50
    assert all(disagreements(row) for row in wrong)


def test_a_value_that_no_longer_holds_is_caught():
    row = {
        "prompt": "",
        "task_type": "everyday",
        "initial_target": "The table is on Monday.",
        "revised_target": "\nOn Monday at the latest.\nFriday it is.<eos>",
        "updates": [{"text": "friday", "position": 23}],
        "timeline": [
            {"key": "day", "version": 0, "value": "Monday"},
            {"key": "day", "version": 1, "value": "Friday"},
        ],
        "answers": [{"key": "day", "value": "Friday"}],
        "provenance": [],
    }
    assert disagreements(row) == ["At 27 ('Monday'), day is said to be Monday, which no longer holds."]
    row["revised_target"] = "\nNot on Monday.<eos>"
    assert disagreements(row) == ["day is Friday in the end, and that is never said."]
