"""Disfl-QA from a path, on questions made up by hand in its form; on the real ones too where DISFL_QA names them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from dataset_builder.build.disfl_qa import (
    copy_baseline,
    coverage,
    exact_match,
    is_reachable,
    load_disfl_qa,
    repair_baseline,
    summary,
    token_f1,
)
from dataset_builder.build.schema import SCHEMA
from dataset_builder.cli import app
from dataset_builder.speech.discourse import END
from dataset_builder.speech.disfluency import Split, cue_kind, find_cue, repair, split_at_cue


ITEMS = {
    "a1": {
        "original": "Where does the miller live?",
        "disfluent": "Where does the baker  no wait the miller live?",
    },
    "a2": {"original": "Who built the mill in 1820?", "disfluent": "Who built the mill in 1802 sorry 1820?"},
    "b1": {"original": "How many geese are there?", "disfluent": "How many geese would you say there are?"},
    "b2": {"original": "What did Zo\u00eb say?", "disfluent": "Who or rather what did Zo\\u00eb say?"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for split in ("train", "dev"):
        (tmp_path / f"{split}.json").write_text(json.dumps(ITEMS), encoding="utf-8")
    return tmp_path


def write(folder: Path, content: object) -> Path:
    (folder / "train.json").write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "said, prompt, update, kind",
    [
        ("Where is the inn no wait the mill?", "Where is the inn", "no wait the mill?", "phrase"),
        ("Where is the inn, no, the mill?", "Where is the inn,", "no, the mill?", "word"),
        ("Where is er what is the mill?", "Where is", "er what is the mill?", "filler"),
        ("Which or what mill is old?", "Which", "or what mill is old?", "or"),
        ("Where is What is the mill?", "Where is", "What is the mill?", "none"),
        ("What do farmers what does rain do?", "What do farmers", "what does rain do?", "none"),
        # A telling cue counts more than an earlier one that need not be a cue.
        ("What um mill I mean inn is old?", "What um mill", "I mean inn is old?", "phrase"),
        ("Which inn has no beds I mean no food?", "Which inn has no beds", "I mean no food?", "phrase"),
        # Of two alike, the first.
        ("Is it red sorry blue sorry green?", "Is it red", "sorry blue sorry green?", "phrase"),
    ],
)
def test_an_utterance_is_cut_at_its_cue(said: str, prompt: str, update: str, kind: str) -> None:
    assert split_at_cue(said) == Split(prompt, update)
    assert cue_kind(find_cue(update)) == kind


@pytest.mark.parametrize(
    "said",
    [
        "",
        "#VALUE!",
        "Who drank coffee rather than tea?",
        "What grows instead of wheat?",
        "Which inn is no longer open?",
        "No wait, who owns the inn?",  # nothing was said before it
        "Who owns the inn sorry?",  # nothing was said after it
        "Who kept the hermit's umbrella?",  # cues within words
        "In what year was the mill built?",
    ],
)
def test_what_only_looks_like_a_cue_is_none(said: str) -> None:
    assert split_at_cue(said) is None


@pytest.mark.parametrize(
    "prompt, update, meant",
    [
        ("What do", "no who owns the mill?", "who owns the mill?"),  # asked anew
        ("In which", "or rather what year was it built?", "In what year was it built?"),
        ("Along with wheat, who", "um what does he grow?", "Along with wheat, what does he grow?"),
        ("How many", "no plants live on which gas?", "plants live on which gas?"),  # a whole question
        ("Who was miller in 1802", "no 1820?", "Who was miller in 1820?"),  # a number for a number
        ("Was it in 1802 under Karl", "no 1820 under Anna?", "Was it in 1820 under Anna?"),
        ("Where does the old baker", "sorry the miller live?", "Where does the miller live?"),
        ("Who lives in the inn", "no in the mill?", "Who lives in the mill?"),  # the same word
        ("Why can't", "I mean can geese swim?", "Why can geese swim?"),  # alike
        ("Where did Anna Maria Berg", "no Karl live?", "Where did Karl live?"),  # a name whole
        ("What is led by", "no defeated by kings?", "What is defeated by kings?"),
        ("What are geese used for", "oops ducks?", "What are ducks used for?"),  # inside the question
        ("What are geese used for,", "oops, ducks", "What are ducks used for"),  # neither comma nor mark is left over
        ("When did Karl Berg die", "no Anna Berg?", "When did Anna Berg die?"),
        ("Who was it in 1802 after the war", "no 1820?", "Who was it in 1820 after the war?"),
        ("Who owns the", "uh the um mill actually?", "Who owns the mill?"),  # hesitations and a closing tag
        ("Is it red", "sorry blue sorry green?", "Is it green?"),  # corrected twice
        ("Who owns the mill?", "", "Who owns the mill?"),  # nobody interrupts
    ],
)
def test_a_repair_takes_the_place_of_what_it_corrects(prompt: str, update: str, meant: str) -> None:
    assert repair(prompt, update) == meant


def test_a_cue_with_nothing_after_it_leaves_the_prompt() -> None:
    assert repair("Who owns the mill", "no") == "Who owns the mill"
    assert repair("", "no who owns it?") == "who owns it?"


WORDS = st.sampled_from(
    "What who no um I mean or sorry, the mill 1802 in is is? Anna never - rather # \u2019".split(" ")
)


@given(st.lists(WORDS).map(" ".join))
def test_any_words_can_be_cut_without_loss_and_repaired(said: str) -> None:
    cut = split_at_cue(said)
    if cut is not None:
        assert f"{cut.prompt} {cut.update}" == " ".join(said.split())
        assert repair(cut.prompt, cut.update)


def test_corrections_without_end_are_followed_to_the_end() -> None:
    assert repair("Is it red", "sorry blue " * 2000 + "sorry green?") == "Is it green?"


def test_rows_fit_the_schema(folder: Path) -> None:
    rows = load_disfl_qa(folder, "dev")
    assert all(set(row) == set(SCHEMA.names) for row in rows)
    assert pa.Table.from_pylist(rows, schema=SCHEMA).to_pylist() == rows
    first, unsplit = rows[0], rows[2]
    assert (first["prompt"], first["revised_target"]) == ("Where does the baker", "Where does the miller live?" + END)
    (update,) = first["updates"]
    assert (update["text"], update["position"], update["kind"]) == ("no wait the miller live?", 0, "correction")
    assert (first["phase"], first["update_step"], first["split"]) == (2, 0, "dev")
    assert (unsplit["prompt"], unsplit["updates"]) == (ITEMS["b1"]["disfluent"], [])
    assert (unsplit["phase"], unsplit["update_step"]) == (1, -1)
    assert rows[3]["updates"][0]["text"] == "or rather what did Zo\u00eb say?"  # escaped twice in the file


def test_questions_without_a_cue_can_be_left_out(folder: Path) -> None:
    assert [row["index"] for row in load_disfl_qa(folder, include_unsplit=False)] == [0, 1, 3]


def test_the_cut_does_not_look_at_what_was_meant(folder: Path) -> None:
    cuts = [(row["prompt"], row["updates"]) for row in load_disfl_qa(folder)]
    write(folder, {key: {**item, "original": "Something else?"} for key, item in ITEMS.items()})
    assert [(row["prompt"], row["updates"]) for row in load_disfl_qa(folder)] == cuts


def test_scores_are_those_of_squad() -> None:
    assert exact_match("the Mill, is old?", "A mill is old") == 1
    assert exact_match("mill old is", "mill is old") == 0
    assert token_f1("mill mill old", "the mill is old") == pytest.approx(2 * 2 / (3 + 3))
    assert token_f1("", "?") == 1
    assert token_f1("", "mill") == 0


def test_cuts_are_measured() -> None:
    assert coverage("Who owns the", "no the mill?", "Who owns mill mill?") == pytest.approx(3 / 4)
    assert is_reachable("Where is the inn now", "no the mill", "Where is the mill now?")
    assert not is_reachable("Where is the inn now", "no the mill", "Where was the mill now?")
    assert not is_reachable("Mill", "no inn", "Mill, inn, mill")  # no word serves twice
    assert not is_reachable("Is it", "no the old mill", "The mill")


def test_the_summary_counts_rows_cues_and_baselines(folder: Path) -> None:
    rows = load_disfl_qa(folder)
    found = summary(rows)
    assert (found["questions"], found["with_cue"], found["hit_rate"]) == (4, 3, 0.75)
    assert found["covered"] == found["words_covered"] == found["reachable"] == 1
    assert found["cues"] == {"no wait": 1, "sorry": 1, "or rather": 1}
    assert found["kinds"] == {"phrase": 2, "word": 1}
    assert found["baselines"]["copy"]["exact_match"] == 0
    assert found["baselines"]["repair"]["exact_match"] == 0.75
    assert found["baselines_with_cue"]["repair"] == {"exact_match": 1, "f1": 1}
    assert copy_baseline(rows[1]) == ITEMS["a2"]["disfluent"]
    assert repair_baseline(rows[1]) == ITEMS["a2"]["original"]
    with pytest.raises(ValueError, match="`rows` is empty"):
        summary([])


def test_bad_input_is_named(tmp_path: Path) -> None:
    public = "google-research-datasets/Disfl-QA"
    with pytest.raises(FileNotFoundError, match=f"nowhere does not exist.*{public}"):
        load_disfl_qa(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=f"test.json does not exist.*{public}"):
        load_disfl_qa(write(tmp_path, ITEMS), "test")
    with pytest.raises(FileNotFoundError, match="train.json is not a folder"):
        load_disfl_qa(tmp_path / "train.json")
    with pytest.raises(ValueError, match="`split` must be one of train, dev, test, got 'validation'"):
        load_disfl_qa(tmp_path, "validation")


@pytest.mark.parametrize(
    "content, message",
    [
        ("{", "train.json is not JSON"),
        ([{"original": "a", "disfluent": "b"}], "must map ids to questions, and holds a list"),
        ({}, "holds nothing"),
        ({"a1": "Who?"}, "id a1: must be an object.*is text"),
        ({"a1": {"original": "Who?"}}, "id a1: `disfluent` must be text, is missing"),
        ({"a1": {"original": None, "disfluent": "Who?"}}, "id a1: `original` must be text, is null"),
        ({"a1": {"original": " ", "disfluent": "Who?"}}, "id a1: `original` is blank"),
    ],
)
def test_files_of_another_form_are_refused(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_disfl_qa(write(tmp_path, content))


def test_the_command_prints_and_writes(folder: Path, tmp_path: Path) -> None:
    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, ["disfl-qa", *map(str, arguments)])

    done = run(folder, "--json", folder / "out.json", "--show", 3, "--out", tmp_path / "rows")
    assert done.exit_code == 0, done.output
    assert "train: 4 questions, 3 with a cue (75.0%)" in done.stdout and "dev: 4 questions" in done.stdout
    assert "no wait 1" in done.stdout and "(no cue found)" in done.stdout
    assert json.loads((folder / "out.json").read_text())["dev"] == summary(load_disfl_qa(folder, "dev"))
    written = pq.read_table(tmp_path / "rows" / "dev.parquet")
    assert written.schema.equals(SCHEMA) and written.to_pylist() == load_disfl_qa(folder, "dev")
    assert run(folder, "--split", "dev", "--only-cut", "--out", tmp_path / "cut").exit_code == 0
    assert pq.read_table(tmp_path / "cut" / "dev.parquet").num_rows == 3
    assert [file.name for file in (tmp_path / "cut").iterdir()] == ["dev.parquet"]
    for arguments, told in (((folder / "nowhere",), "nowhere does not exist"), ((folder, "--split", "x"), "`split`")):
        refused = run(*arguments)
        assert refused.exit_code == 2 and told in refused.stderr and refused.stderr.startswith("Error: ")


@pytest.mark.skipif("DISFL_QA" not in os.environ, reason="set DISFL_QA to the folder of the real data to run this")
@pytest.mark.parametrize("split", ["train", "dev"])
def test_the_rules_do_on_the_real_questions_what_is_claimed(split: str) -> None:
    rows = load_disfl_qa(os.environ["DISFL_QA"], split)
    found = summary(rows)
    assert found["questions"] == {"train": 7182, "dev": 1000}[split]
    assert found["hit_rate"] > 0.93
    assert found["covered"] > 0.85
    repaired, copied = found["baselines"]["repair"], found["baselines"]["copy"]
    assert repaired["exact_match"] > 0.6 > copied["exact_match"]
    assert repaired["f1"] > 0.9 > copied["f1"]
    assert pa.Table.from_pylist(rows, schema=SCHEMA).num_rows == len(rows)
