"""Perplexity of a continuation, against a value worked out by hand, and as `evaluate` computes it."""

import math
from pathlib import Path

import evaluate
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

import hf_duplex
from hf_duplex.evaluation.metrics.perplexity import load_judge, perplexity, surprisals


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
    chances = model(ids).logits[0].detach().double().softmax(-1)
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


COHERENCE = Path(hf_duplex.__file__).parent / "metrics" / "coherence"
# Heard in the middle, at the beginning, and never: of the last one nothing is judged.
SAID, HEARD = ["a b c d a b<eos>", "d c b", "a b"], [[4], [0, 2], []]


@pytest.fixture
def folder(judge, tmp_path):
    """The judge as a user has it: a folder of transformers."""
    for part in judge:
        part.save_pretrained(tmp_path / "judge")
    return str(tmp_path / "judge")


def conversations():
    """What was said, as the module takes it; what is true is not asked here."""
    row = {"task_type": "fact_correction", "timeline": [], "answers": [], "provenance": []}
    rows = [{**row, "updates": [{"kind": "correction"}] * len(heard)} for heard in HEARD]
    return {"predictions": SAID, "references": rows, "heard_at": HEARD, "ended": [True] * len(SAID)}


def test_evaluate_reports_the_perplexity_behind_the_first_update(judge, folder, tmp_path):
    metric = evaluate.load(str(COHERENCE), cache_dir=str(tmp_path / "cache"))
    plain = metric.compute(**conversations())
    found = metric.compute(**conversations(), perplexity_model=folder, device="cpu", batch_size=1)
    expected = perplexity(*judge, SAID[:2], [4, 0])
    assert "perplexity" not in plain
    assert found == {**plain, "perplexity": pytest.approx(expected, rel=1e-5)}
    whole = perplexity(*judge, SAID[:2], [0, 0])
    assert expected != pytest.approx(whole, rel=1e-3)


def test_evaluate_gathers_conversations_before_it_asks_the_model(folder, tmp_path):
    metric = evaluate.load(str(COHERENCE), cache_dir=str(tmp_path / "cache"))
    at_once = metric.compute(**conversations(), perplexity_model=folder)
    for number in range(len(SAID)):
        metric.add_batch(**{name: values[number : number + 1] for name, values in conversations().items()})
    assert metric.compute(perplexity_model=folder) == at_once
    unheard = {name: values[2:] for name, values in conversations().items()}
    assert metric.compute(**unheard, perplexity_model=folder)["perplexity"] is None


def test_evaluate_names_a_model_that_cannot_be_loaded(tmp_path):
    metric = evaluate.load(str(COHERENCE), cache_dir=str(tmp_path / "cache"))
    with pytest.raises(ValueError, match="`perplexity_model`: .* is no causal language model"):
        metric.compute(**conversations(), perplexity_model=str(tmp_path))
