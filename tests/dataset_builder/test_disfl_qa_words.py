"""Copies of questions in which words were replaced."""

import json

import pytest

from dataset_builder.build.disfl_qa import load_disfl_qa
from dataset_builder.build.disfl_qa_words import WORD, shape, with_other_words
from dataset_builder.speech.discourse import END


@pytest.fixture
def rows(tmp_path, monkeypatch):
    # Of a few questions, what comes twice is grammar.
    monkeypatch.setattr("dataset_builder.build.disfl_qa_words.COMMON", 5)
    questions = {
        "a": {"original": "Who ruled Sicily in 1250?", "disfluent": "Who ruled Naples no sorry Sicily in 1250?"},
        "b": {"original": "Who built the bridge?", "disfluent": "Who painted no I mean who built the bridge?"},
        "c": {"original": "What is the capital of Latvia?", "disfluent": "What is the capital of Peru no Latvia?"},
    }
    (tmp_path / "train.json").write_text(json.dumps(questions))
    return load_disfl_qa(tmp_path, "train")


def test_the_rows_come_first_as_they_are_and_a_seed_fixes_the_rest(rows):
    more = with_other_words(rows, 4)
    assert len(more) == 15 and more[:3] == rows
    assert more == with_other_words(rows, 4) and more != with_other_words(rows, 4, seed=1)
    assert with_other_words(rows, 0) == rows


def test_a_word_is_replaced_in_all_its_places_by_one_of_its_shape(rows):
    changed = set()
    for number, copy in enumerate(with_other_words(rows, 30, share=1.0)[3:]):
        row = rows[number % 3]
        pairs: dict[str, set[str]] = {}
        texts = [(row["prompt"], copy["prompt"]), (row["revised_target"], copy["revised_target"])]
        texts += [(a["text"], b["text"]) for a, b in zip(row["updates"], copy["updates"], strict=True)]
        for before, after in texts:
            assert WORD.sub("", before) == WORD.sub("", after)
            for old, new in zip(WORD.findall(before), WORD.findall(after), strict=True):
                pairs.setdefault(old, set()).add(new)
                assert shape(old) == shape(new)
        assert all(len(new) == 1 for new in pairs.values())
        assert copy["revised_target"].endswith(END)
        changed |= {old for old, new in pairs.items() if new != {old}}
    assert {"Sicily", "Naples", "bridge", "Latvia"} <= changed
    assert not {"Who", "no", "sorry", "mean", "the"} & changed


def test_bad_numbers_are_refused(rows):
    with pytest.raises(ValueError, match="`copies`"):
        with_other_words(rows, -1)
    with pytest.raises(ValueError, match="`share`"):
        with_other_words(rows, 1, share=1.5)
