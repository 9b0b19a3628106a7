"""Baselines on the transcript alone, and the rule harness."""

from dataclasses import replace

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from dataset_builder.interaction import ACTIONS, make_examples
from hf_duplex.interaction.evaluation.baselines import (
    BASELINES,
    CausalLMBaseline,
    LogisticBaseline,
    MajorityBaseline,
    NgramBaseline,
    RuleHarness,
)
from hf_duplex.interaction.evaluation.metrics import score


TRAIN, TEST = make_examples("mini", "train", 150), make_examples("mini", "test", 50)


def saying(*told):
    """Examples with these transcripts and actions."""
    return [replace(TRAIN[0], transcript=text, action=action) for text, action in told]


@pytest.fixture(scope="module")
def language_model():
    torch.manual_seed(0)
    words = sorted({word for e in TEST for word in e.transcript.split()} | {w for a in ACTIONS for w in a.split("_")})
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(["?", *words])}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    config = LlamaConfig(
        vocab_size=len(words) + 1,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        initializer_range=0.5,
    )
    model = LlamaForCausalLM(config)
    return CausalLMBaseline(model, PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="?"))


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "rules"])
def test_who_reads_the_transcript_separates_nothing(name):
    baseline = BASELINES[name]().fit(TRAIN)
    found = score(baseline.predict(TEST), TEST)
    assert baseline.sees == "transcript"
    assert found["paired_separation"] == 0 and 0 < found["turn_action_accuracy"] <= 0.5


def test_the_rules_see_the_streams_and_are_always_right_without_noise():
    harness = RuleHarness().fit([])
    assert harness.sees == "streams" and score(harness.predict(TEST), TEST)["paired_separation"] == 1


def test_the_majority_is_the_most_frequent_and_then_the_first():
    told = saying(("a", "wait"), ("b", "stop"), ("c", "wait"))
    assert MajorityBaseline().fit(told).predict(TEST[:2]) == ["wait", "wait"]
    assert MajorityBaseline().fit(told[:2]).predict(TEST[:1]) == [min("wait", "stop", key=ACTIONS.index)]


def test_the_ngram_takes_the_longest_context_that_it_knows():
    told = saying(("a b c", "stop"), ("x b c", "wait"), ("y b c", "wait"), ("u v", "yield"), ("q v", "yield"))
    model = NgramBaseline(4).fit(told)
    asked = saying(("a b c", "wait"), ("z b c", "wait"), ("c", "wait"), ("z v", "wait"), ("z", "wait"))
    # A context as long as a whole transcript, then "b c", "c", "v", and none.
    assert model.predict(asked) == ["stop", "wait", "wait", "yield", "yield"]
    assert set(NgramBaseline(1).fit(told).predict(asked)) == {"yield"}
    with pytest.raises(ValueError, match="`order` must be at least 1, got 0"):
        NgramBaseline(0)


def test_logistic_regression_finds_the_word_that_tells():
    told = saying(*[(f"w{i} bell", "stop") for i in range(10)], *[(f"w{i} door", "wait") for i in range(10)])
    assert LogisticBaseline().fit(told).predict(saying(("new bell", "wait"), ("new door", "wait"))) == ["stop", "wait"]


@pytest.mark.parametrize("name", ["majority", "ngram", "logistic"])
def test_nothing_to_fit_is_refused(name):
    with pytest.raises(ValueError, match="`examples` is empty"):
        BASELINES[name]().fit([])


def test_a_language_model_scores_names_as_if_each_were_read_whole(language_model):
    transcript = TEST[0].transcript
    scores = language_model.scores([transcript, *(e.transcript for e in TEST[2:8])])[0]
    tokenizer, model = language_model.tokenizer, language_model.model
    for action, found in zip(ACTIONS, scores.tolist(), strict=True):
        asked = tokenizer(language_model.question(transcript))["input_ids"]
        name = tokenizer(" " + action.replace("_", " "))["input_ids"]
        with torch.no_grad():
            logits = model(torch.tensor([asked + name])).logits[0, len(asked) - 1 : -1].log_softmax(-1)
        assert found == pytest.approx(float(logits[range(len(name)), name].sum()), abs=1e-4)
    assert len({len(tokenizer(action.replace("_", " "))["input_ids"]) for action in ACTIONS}) > 1


def test_a_language_model_gives_an_action_and_separates_nothing(language_model):
    predictions = language_model.predict(TEST)
    assert len(set(predictions)) > 1 and language_model.sees == "transcript"
    assert score(predictions, TEST)["paired_separation"] == 0
    assert ACTIONS[int(language_model.scores([TEST[0].transcript]).argmax())] == predictions[0]


def test_a_chat_model_is_asked_through_its_template(language_model):
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=language_model.tokenizer.backend_tokenizer, unk_token="?")
    tokenizer.chat_template = "<{{ messages[0]['content'] }}>{% if add_generation_prompt %} you:{% endif %}"
    chat = CausalLMBaseline(language_model.model, tokenizer)
    question = chat.question("User: hello")
    assert question.startswith("<You are") and question.endswith("Next action:> you:") and "User: hello" in question
    assert chat.predict(TEST[:2])[0] in ACTIONS


def test_a_saved_model_is_loaded_by_its_folder(language_model, tmp_path):
    language_model.model.save_pretrained(tmp_path)
    language_model.tokenizer.save_pretrained(tmp_path)
    assert CausalLMBaseline.from_pretrained(str(tmp_path)).predict(TEST[:8]) == language_model.predict(TEST[:8])
