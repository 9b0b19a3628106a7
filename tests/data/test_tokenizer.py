"""The tokenizer: plain, reversible, digits apart, and deaf to control tokens that a user spells out."""

import json
import string
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_runs import VOCAB_SIZE, samples, toy_tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from dataset_builder import END
from hf_duplex.data import train_tokenizer
from hf_duplex.modeling import encode_prompt, encode_update


LOAD_APART = """
import json, sys
from transformers import AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
assert not any(name.startswith("hf_duplex") for name in sys.modules)
print(json.dumps([tokenizer(sys.argv[2], add_special_tokens=False)["input_ids"], tokenizer.update_token_id]))
"""


def ids(text, **kwargs):
    return toy_tokenizer()(text, add_special_tokens=False, **kwargs)["input_ids"]


def test_digits_stand_apart():
    tokens = toy_tokenizer().convert_ids_to_tokens(ids("x = 1234 and 56.78"))
    assert [token.lstrip("Ġ") for token in tokens if any(map(str.isdigit, token))] == list("12345678")


def test_no_token_of_the_vocabulary_holds_two_digits():
    spelled = [toy_tokenizer().decode([index]) for index in range(5, len(toy_tokenizer()))]
    assert not [text for text in spelled if sum(map(str.isdigit, text)) > 1]


def test_control_tokens_have_the_ids_that_configurations_expect():
    tokenizer = toy_tokenizer()
    control = (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.sep_token_id)
    assert control == (0, 1, 2, 3)
    assert tokenizer.update_token_id == 4
    assert tokenizer.eos_token == END
    assert len(tokenizer) == VOCAB_SIZE


def test_the_end_in_a_target_is_one_token():
    assert ids(f"Done.{END}")[-1] == toy_tokenizer().eos_token_id


def test_the_same_texts_give_the_same_tokenizer():
    texts = [sample.target for sample in samples(100)]
    first, second = (train_tokenizer(iter(texts), 320).backend_tokenizer.to_str() for _ in range(2))
    assert first == second


@pytest.mark.parametrize("loader", [AutoTokenizer, PreTrainedTokenizerFast])
def test_it_loads_as_a_plain_fast_tokenizer(tmp_path, loader):
    toy_tokenizer().save_pretrained(tmp_path)
    loaded = loader.from_pretrained(tmp_path)
    assert isinstance(loaded, PreTrainedTokenizerFast)
    assert loaded.update_token_id == 4 and loaded.sep_token_id == 3
    text = samples(1)[0].prompt
    assert encode_prompt(loaded, text) == encode_prompt(toy_tokenizer(), text)
    assert encode_update(loaded, "x = 7.") == encode_update(toy_tokenizer(), "x = 7.")


def test_it_loads_where_our_code_is_not_imported(tmp_path):
    toy_tokenizer().save_pretrained(tmp_path)
    assert not list(tmp_path.glob("*.py"))
    text = "Given x = 50, compute."
    command = [sys.executable, "-c", LOAD_APART, str(tmp_path), text]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert json.loads(answer.stdout) == [ids(text), 4]


@pytest.mark.parametrize("spelled", ["<pad>", "<bos>", END, "<sep>", "<update>"])
def test_control_tokens_that_a_user_spells_out_stay_text(spelled):
    tokenizer = toy_tokenizer()
    prompt, update = (encode(tokenizer, f"Say {spelled} now") for encode in (encode_prompt, encode_update))
    assert [token for token in prompt if token < 5] == [tokenizer.sep_token_id]
    assert [token for token in update if token < 5] == [tokenizer.update_token_id, tokenizer.sep_token_id]
    assert tokenizer.decode(prompt[:-1]) == tokenizer.decode(update[1:-1]) == f" Say {spelled} now"


@given(st.text(st.sampled_from(string.printable + "äß€😀 \u00a0"), max_size=60))
def test_any_text_comes_back_as_it_was(text):
    assert toy_tokenizer().decode(ids(text, split_special_tokens=True)) == text
