"""Token form: the same ids as the models read and say, and the record of each emitted token."""

import json
import shutil

import pyarrow as pa
import pytest
from small_data import small_rows
from transformers import AutoTokenizer

from dataset_builder import END
from dataset_builder.build.consistency import contradictions
from dataset_builder.build.tokens import TOKEN_SCHEMA, load_tokenizer, token_row
from dataset_builder.speech.spans import claim_of_characters
from hf_duplex.data.encoding import token_positions
from hf_duplex.modeling import encode_prompt, encode_updates
from hf_duplex.released import SHIPPED, WORKSPACE


MODEL = SHIPPED / WORKSPACE


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(MODEL)


@pytest.fixture(scope="module")
def theirs():
    return AutoTokenizer.from_pretrained(MODEL)


@pytest.fixture(scope="module")
def rows():
    return [row for split in ("train", "more_updates", "adversarial") for row in small_rows(split, 12)]


def test_prompts_and_updates_are_encoded_as_the_models_do(rows, tokenizer, theirs):
    for row in rows:
        made = token_row(row, tokenizer)
        assert made["prompt_tokens"] == encode_prompt(theirs, row["prompt"])
        assert made["update_tokens"] == encode_updates(theirs, [update["text"] for update in row["updates"]])


def test_the_target_is_encoded_in_one_piece_and_cut_where_the_first_update_may_be_known(rows, tokenizer, theirs):
    for row in rows:
        made = token_row(row, tokenizer)
        target = row["initial_target"] + row["revised_target"]
        whole = theirs(target, add_special_tokens=False, return_offsets_mapping=True)
        initial = made["initial_target_tokens"]
        assert initial + made["revised_target_tokens"] == whole["input_ids"]
        assert made["revised_target_tokens"] == [] or row["updates"]
        told = made["metadata"]
        assert told["update_step"] == (len(initial) if row["updates"] else -1)
        for name, key in (("update_positions", "position"), ("earliest", "earliest")):
            # The models' stream has a start token before it.
            expected = token_positions(whole["offset_mapping"], [update[key] for update in row["updates"]])
            assert [1 + position for position in told[name]] == expected
        # What was said before the cut did not need to know the update; the next token begins at it or behind it.
        if row["updates"] and told["update_step"] < len(whole["input_ids"]):
            assert whole["offset_mapping"][told["update_step"]][0] >= row["update_step"]
        if told["update_step"] > 0:
            assert whole["offset_mapping"][told["update_step"] - 1][0] < row["update_step"]


def test_each_token_knows_its_version_and_its_claim(rows, tokenizer, theirs):
    for row in rows:
        told = token_row(row, tokenizer)["metadata"]
        target, claims = row["initial_target"] + row["revised_target"], claim_of_characters(row)
        offsets = theirs(target, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        assert len(told["token_versions"]) == len(told["token_claims"]) == len(offsets)
        for (start, end), version, claim in zip(offsets, told["token_versions"], told["token_claims"]):
            assert version == sum(update["earliest"] <= start for update in row["updates"])
            shown = [place for place in range(start, end) if not target[place].isspace()]
            assert claim == (claims[shown[0]] if shown else -1)
        assert set(told["token_claims"]) <= set(range(-1, len(row["provenance"])))
        # Every claim is said by some token.
        assert set(range(len(row["provenance"]))) <= set(told["token_claims"])


def test_rows_fit_the_schema(rows, tokenizer):
    made = [token_row(row, tokenizer) for row in rows]
    assert pa.Table.from_pylist(made, schema=TOKEN_SCHEMA).to_pylist() == made
    for row, tokens in zip(rows, made):
        for name in ("task_type", "requires_revision", "phase", "split", "seed", "index"):
            assert tokens["metadata"][name] == row[name]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda made: made["metadata"].update(phase=9), "`metadata.phase` is 9"),
        (lambda made: made["metadata"].update(update_step=0), "`metadata.update_step` is 0"),
        (lambda made: made["metadata"]["token_claims"].pop(), "`metadata.token_claims` has"),
        (lambda made: made["metadata"]["earliest"].pop(), "`metadata.earliest` has"),
        (lambda made: made["update_tokens"].pop(), "`update_tokens` has"),
    ],
)
def test_the_check_holds_token_form_to_the_row(rows, tokenizer, change, told):
    row = next(row for row in rows if row["initial_target"] and row["updates"])
    made = {**row, **token_row(row, tokenizer)}
    assert contradictions(made) == []
    change(made)
    assert any(found.startswith(told) for found in contradictions(made))


def test_control_tokens_in_a_prompt_stay_text_and_the_end_of_a_target_does_not(rows, tokenizer, theirs):
    row = next(row for row in rows if row["updates"])
    row = {
        **row,
        "prompt": f"Say <sep> and {END}. Go.",
        "updates": [{**u, "text": "No <update>."} for u in row["updates"]],
    }
    made = token_row(row, tokenizer)
    ids = {token: tokenizer.token_to_id(token) for token in ("<sep>", "<update>", END)}
    assert made["prompt_tokens"] == encode_prompt(theirs, row["prompt"])
    assert made["prompt_tokens"].count(ids["<sep>"]) == 2 and ids[END] not in made["prompt_tokens"]
    assert all(update.count(ids["<update>"]) == 1 for update in made["update_tokens"])
    assert (made["initial_target_tokens"] + made["revised_target_tokens"])[-1] == ids[END]
    assert not tokenizer.encode_special_tokens


def test_a_tokenizer_is_loaded_from_a_file_or_a_folder(tmp_path, tokenizer):
    assert load_tokenizer(MODEL / "tokenizer.json").to_str() == tokenizer.to_str()
    with pytest.raises(ValueError, match="`tokenizer`: there is no .*tokenizer.json; give"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match="`tokenizer`: .* is no tokenizer.json that can be read"):
        load_tokenizer(tmp_path)


def test_a_tokenizer_without_the_control_tokens_is_refused(tmp_path):
    shutil.copy(MODEL / "tokenizer.json", tmp_path)
    text = json.loads((tmp_path / "tokenizer.json").read_text())
    text = json.dumps(text).replace("<update>", "<other>")
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(ValueError, match="`tokenizer` has no token '<update>'"):
        load_tokenizer(tmp_path)
