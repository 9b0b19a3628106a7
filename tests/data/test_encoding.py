"""Samples as token ids: where updates stand, what opens and closes a stream, and that nothing is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_runs import samples, toy_tokenizer

from dataset_builder import FAMILIES, Builder, BuilderConfig
from hf_duplex.data import encode_sample, train_tokenizer
from hf_duplex.data.encoding import token_positions
from hf_duplex.modeling.messages import CLAUSE_END


@pytest.mark.parametrize(
    ("character", "token"),
    [(0, 1), (1, 2), (2, 3), (3, 3), (4, 3), (5, 4), (7, 4), (9, 4)],
)
def test_a_token_under_way_is_finished_before_an_update_is_known(character, token):
    # Three tokens, of the characters 0, 1 to 3, and 4 to 6; index 0 is the start token.
    offsets = [(0, 1), (1, 4), (4, 7)]
    assert token_positions(offsets, [character]) == [token]


@given(st.integers(0, 3000), st.sampled_from(sorted(FAMILIES)))
def test_positions_are_those_of_the_first_token_that_starts_at_the_character_or_later(index, family):
    sample = Builder(BuilderConfig(families=(family,))).sample(index)
    encoded = encode_sample(toy_tokenizer(), sample)
    for update, position in zip(sample.updates, encoded["update_positions"], strict=True):
        said = toy_tokenizer().decode(encoded["input_ids"][1:position])
        assert sample.target.startswith(said)
        assert len(said) >= update["position"]
        if position > 1:
            assert len(toy_tokenizer().decode(encoded["input_ids"][1 : position - 1])) < update["position"]


@given(st.integers(0, 3000), st.integers(0, 3), st.sampled_from(["train", "validation", "test"]))
def test_every_sample_decodes_to_what_it_was(index, seed, split):
    tokenizer = toy_tokenizer()
    sample = Builder(BuilderConfig(split=split, seed=seed)).sample(index)
    encoded = encode_sample(tokenizer, sample)
    assert encoded["input_ids"][0] == tokenizer.bos_token_id
    assert tokenizer.decode(encoded["input_ids"][1:]) == sample.target
    assert encoded["input_ids"][-1] == tokenizer.eos_token_id
    said = tokenizer.decode(encoded["prompt_ids"], skip_special_tokens=True)
    assert said == "".join(f" {clause}" for clause in CLAUSE_END.split(sample.prompt))
    for update, ids in zip(sample.updates, encoded["update_ids"], strict=True):
        assert tokenizer.decode(ids) == f"<update> {update['text']}<sep>"
    assert encoded["update_positions"] == sorted(encoded["update_positions"])


def test_every_message_ends_in_the_separator():
    sep = toy_tokenizer().sep_token_id
    for sample in samples(200):
        encoded = encode_sample(toy_tokenizer(), sample)
        assert encoded["prompt_ids"][-1] == sep
        assert encoded["prompt_ids"].count(sep) == len(CLAUSE_END.split(sample.prompt))
        assert all(ids.count(sep) == 1 and ids[-1] == sep for ids in encoded["update_ids"])


def test_the_longest_message_fits_where_the_vocabulary_has_its_usual_size():
    rows = samples(1500)
    texts = (text for row in rows for text in (row.prompt, row.target, *(update["text"] for update in row.updates)))
    tokenizer, longest = train_tokenizer(texts, 1024), 0
    for sample in samples(1500, seed=1):
        encoded = encode_sample(tokenizer, sample)
        clauses = tokenizer.decode(encoded["prompt_ids"]).count("<sep>")
        assert clauses
        lengths, run = [len(ids) for ids in encoded["update_ids"]], 0
        for token in encoded["prompt_ids"]:
            run += 1
            if token == tokenizer.sep_token_id:
                lengths.append(run)
                run = 0
        longest = max(longest, *lengths)
    assert 10 < longest <= 64
