"""Samples in colour, the counts behind the plots, and the plots themselves."""

import io
import re
from collections import Counter

import pyarrow as pa
import pytest
from rich.console import Console
from small_data import SPLITS, small_rows, write_dataset

from dataset_builder.build.inspect import STYLES, describe, inspect_dataset, legend, parts_of_characters, render
from dataset_builder.build.schema import SCHEMA
from dataset_builder.build.stored import StoredDataset
from dataset_builder.build.tally import BINS, PLACES, Tally, reactions, take_stock
from dataset_builder.speech.spans import claim_of_characters


@pytest.fixture(scope="module")
def rows():
    return {split: small_rows(split, num) for split, num in SPLITS.items()}


@pytest.fixture(scope="module")
def folder(rows, tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data") / "small", rows)


@pytest.fixture
def row():
    """z stays, x is taken back, and y is cut by the repair and goes on behind it."""
    target = "z is 1. x is 5. y -- wait, x is 6 -- is 2.<eos>"

    def claim(key, value, start, end, version, stale=-1):
        span = {"start": start, "end": end, "version": version, "stale_version": stale}
        return {"key": key, "value": value, **span, "complete": True, "facts": [key]}

    return {
        "prompt": "x is 5; y is 2; z is 1. Say them.",
        "initial_target": target[:17],
        "revised_target": target[17:],
        "updates": [
            {
                "text": "x is 6.",
                "kind": "correction",
                "source": "Ann",
                "position": 17,
                "earliest": 17,
                "repair": True,
                "changes": [{"fact": "x", "value": "6"}],
            }
        ],
        "provenance": [
            claim("z", "1", 0, 6, 0),
            claim("x", "5", 8, 14, 0, stale=1),
            claim("x", "6", 27, 33, 1),
            claim("y", "2", 16, 41, 1),
        ],
        "repairs": [{"start": 18, "end": 36, "version": 1}],
        "answers": [{"key": "x", "value": "6"}],
        "task_type": "fact_correction",
        "requires_revision": True,
        "phase": 2,
        "split": "train",
        "index": 7,
    }


def texts(row, parts, part):
    """The stretches of the target that belong to a part."""
    target, found = row["initial_target"] + row["revised_target"], ""
    for character, name in zip(target, parts):
        found += character if name == part else "|"
    return [text for text in found.split("|") if text]


def test_characters_belong_to_claims_and_a_repair_is_not_owned_by_the_claim_it_cuts(row):
    claims = claim_of_characters(row)
    target = row["initial_target"] + row["revised_target"]
    owned = ["".join(c for c, owner in zip(target, claims) if owner == number) for number in range(4)]
    assert owned == ["z is 1", "x is 5", "x is 6", "y  is 2"]


def test_parts_of_a_sample(row):
    parts = parts_of_characters(row)
    assert texts(row, parts, "stale") == ["x is 5"]
    assert texts(row, parts, "retained") == ["z is 1"]
    assert texts(row, parts, "repair") == ["-- wait, x is 6 --"]
    assert texts(row, parts, "emitted") == [". ", ". y ", " is 2.<eos>"]


def test_a_repair_that_went_stale_itself_is_stale(row):
    row["provenance"][2]["stale_version"] = 2
    assert texts(row, parts_of_characters(row), "stale") == ["x is 5", "x is 6"]


def test_a_sample_is_shown_with_its_updates_where_they_were_heard(row):
    text = render(row)
    assert "z is 1. x is 5. y[1 correction, Ann: “x is 6.” → x = 6] -- wait, x is 6" in text.plain
    styled = {text.plain[span.start : span.end]: span.style for span in text.spans}
    assert styled["x is 5"] == STYLES["stale"] and styled["z is 1"] == STYLES["retained"]
    assert styled["-- wait, x is 6 --"] == STYLES["repair"]
    assert styled["[1 correction, Ann: “x is 6.” → x = 6]"] == STYLES["update"]
    assert "train 7" in text.plain and "requires revision" in text.plain and "answers x: 6" in text.plain


def test_an_update_without_effect_says_so(row):
    assert describe(2, {**row["updates"][0], "changes": []}).endswith("→ changes nothing]")


def test_nothing_of_the_text_is_lost(rows):
    for split in rows.values():
        for row in split:
            line = render(row).plain.split("\ntarget  ")[1].split("\nanswers ")[0]
            for number, update in enumerate(row["updates"], 1):
                line = line.replace(describe(number, update), "", 1)
            assert line == row["initial_target"] + row["revised_target"]


def shown(folder, **options):
    stream = io.StringIO()
    inspect_dataset(folder, console=Console(file=stream, width=500), **options)
    return stream.getvalue()


def test_samples_are_printed_from_any_row_on(folder, rows):
    text = shown(folder, split="train", num=4, start=38)
    heads = re.findall(r"^train (\d+)  (\w+)", text, re.MULTILINE)
    assert heads == [(str(number), rows["train"][number]["task_type"]) for number in range(38, 42)]
    assert text.startswith(legend().plain.rstrip("\n"))


def test_without_a_split_all_are_shown(folder):
    text = shown(folder, num=1, start=25)
    assert re.findall(r"^(\w+) 25  ", text, re.MULTILINE) == ["train", "test"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"split": "late"}, "`split` must be one of train, test, retraction, got 'late'"),
        ({"num": -1}, "`num` must not be negative"),
        ({"start": 60}, "`start` must be from 0 to 59"),
        ({"split": "test", "start": 30}, "`start` must be from 0 to 29"),
        ({"plots": "plots.jpg"}, "`plots` must end in .png or .svg"),
    ],
)
def test_bad_arguments_are_named_before_anything_is_shown(folder, options, told):
    stream = io.StringIO()
    with pytest.raises(ValueError, match=told):
        inspect_dataset(folder, console=Console(file=stream), **options)
    assert not stream.getvalue()


def test_a_folder_without_a_data_set_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`dir`: .* holds no build.json"):
        inspect_dataset(tmp_path)


def test_counts_are_those_of_the_rows(folder, rows):
    for split, tally in take_stock(StoredDataset(folder)).items():
        made = rows[split]
        updates = [(row, update) for row in made for update in row["updates"]]
        assert tally.rows == len(made)
        assert tally.families == Counter(row["task_type"] for row in made)
        assert tally.kinds == Counter((row["task_type"], update["kind"]) for row, update in updates)
        assert tally.updates == Counter(len(row["updates"]) for row in made)
        assert tally.lengths == Counter(len(row["initial_target"] + row["revised_target"]) for row in made)
        assert tally.phases == Counter(row["phase"] for row in made)
        assert tally.revised == sum(row["requires_revision"] for row in made)
        assert tally.places.total() == tally.positions.total() == len(updates)
        ended = sum(
            "<eos>" in (row["initial_target"] + row["revised_target"])[: update["position"]] for row, update in updates
        )
        assert tally.places["after the end"] == tally.positions[BINS] == ended


def test_places_are_thirds_of_what_is_said(row):
    table = []
    for position in (0, 4, 10, 11, 20, 21, 30, 35, 35):
        update = {**row["updates"][0], "position": position}
        made = {"initial_target": "ü" * 30, "revised_target": "<eos>", "updates": [update], "phase": 2}
        table.append({**made, "task_type": "f", "requires_revision": False})
    tally = Tally()
    tally.add(pa.Table.from_pylist(table, schema=SCHEMA))
    assert [tally.places[place] for place in PLACES] == [3, 2, 2, 2]


def test_reactions(row):
    assert list(reactions(row)) == [("repair", 1)]
    # Nothing stale was said, and y is in the middle of being said: its value is what counts.
    row["updates"][0] |= {"repair": False, "changes": [{"fact": "y", "value": "2"}]}
    assert list(reactions(row)) == [("new value", 40 - 17)]
    row["updates"][0]["changes"] = []
    assert list(reactions(row)) == []


def test_plots_are_drawn(folder, tmp_path):
    path = tmp_path / "plots.png"
    text = shown(folder, num=0, plots=path)
    assert str(path) in text.replace("\n", "")
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG") and len(data) > 20_000


def test_plots_of_a_split_without_updates(tmp_path):
    made = [row for row in small_rows("train", 60) if not row["updates"]]
    folder = write_dataset(tmp_path / "quiet", {"train": made})
    shown(folder, num=0, split="train", plots=tmp_path / "quiet.svg")
    text = (tmp_path / "quiet.svg").read_text()
    assert "<svg" in text and f"small: {len(made)} rows, split train" in text and "no updates" in text
