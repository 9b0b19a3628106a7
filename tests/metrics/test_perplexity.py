"""Perplexity of a continuation, against a value worked out by hand."""

import math

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from hf_duplex.evaluation.perplexity import load_judge, perplexity, surprisals


TEXTS, STARTS = ["a b c d a b<eos>", "d c b", "a"], [4, 0, 1]


@pytest.fixture
def judge():
    words = {word: place for place, word in enumerate(["[s]", "[u]", "a", "b", "c", "d"])}
    backend = Tokenizer(models.WordLevel(words, unk_token="[u]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="[s]", unk_token="[u]")
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=6, max_position_embeddings=32, **sizes)).eval()
    return model, tokenizer


def test_a_model_that_knows_nothing_has_the_perplexity_of_its_vocabulary(judge):
    model, tokenizer = judge
    model.lm_head.weight.data.zero_()
    assert perplexity(model, tokenizer, TEXTS, STARTS) == pytest.approx(6)


def test_it_is_worked_out_token_by_token(judge):
    model, tokenizer = judge
    ids = torch.tensor([[0, 2, 3, 4, 5, 2, 3]])  # [s] a b | c d a b
    chances = model(ids).logits[0].double().softmax(-1)
    by_hand = -sum(math.log(chances[place - 1, ids[0, place]]) for place in range(3, 7))
    (found, *_) = surprisals(model, tokenizer, TEXTS, STARTS)
    assert found == (pytest.approx(by_hand, rel=1e-5), 4)
    assert perplexity(model, tokenizer, TEXTS[:1], STARTS[:1]) == pytest.approx(math.exp(by_hand / 4), rel=1e-5)


def test_it_does_not_depend_on_the_batch(judge):
    alone, together = (surprisals(*judge, TEXTS, STARTS, size) for size in (1, 3))
    assert [count for _, count in alone] == [count for _, count in together] == [4, 3, 0]
    assert [loss for loss, _ in alone] == pytest.approx([loss for loss, _ in together], rel=1e-5)


def test_nothing_to_judge_is_no_perplexity(judge):
    assert perplexity(*judge, ["a b"], [3]) is None


def test_bad_input(judge, tmp_path):
    with pytest.raises(ValueError, match="`starts` has 1 entries for 3 texts"):
        surprisals(*judge, TEXTS, [0])
    with pytest.raises(ValueError, match="`perplexity_model`: .* is no causal language model"):
        load_judge(str(tmp_path))
