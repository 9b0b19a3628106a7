"""A batch that would teach the wrong stream is refused, by the models and so by any Trainer."""

import copy

import pytest
import torch
from tiny_models import BOS, GENERATORS, LISTENERS, PAD, SEP, tiny_model, tiny_tokenizer, words
from transformers import DataCollatorForLanguageModeling, Trainer, TrainingArguments

from hf_duplex.data import ChannelCollator, SerializedCollator


SAMPLES = [
    {"input_ids": [BOS, 5, 6, 7, 2], "prompt_ids": [8, 9, SEP], "update_ids": [[4, 10, SEP]], "update_positions": [2]},
    {"input_ids": [BOS, 11, 2], "prompt_ids": [12, SEP], "update_ids": [], "update_positions": []},
] * 4


def training(name):
    return copy.deepcopy(tiny_model(name)).train()


def trainer(name, folder, samples, collator):
    """The stock Trainer with its defaults: columns that `forward` does not name are removed."""
    arguments = TrainingArguments(
        str(folder), max_steps=1, per_device_train_batch_size=4, save_strategy="no", report_to="none", use_cpu=True
    )
    return Trainer(training(name), arguments, train_dataset=samples, data_collator=collator)


@pytest.mark.parametrize("name", GENERATORS)
def test_prompt_and_text_in_one_line_are_refused(name):
    line = words(2, 9)
    with pytest.raises(ValueError, match="`prompt_ids` is missing: .*`ChannelCollator`"):
        training(name)(input_ids=line, labels=line)
    with pytest.raises(ValueError, match="`prompt_ids` is missing"):
        training(name)(input_ids=line, labels=line.masked_fill(torch.arange(9) < 4, -100))


@pytest.mark.parametrize("name", GENERATORS)
def test_a_batch_for_a_plain_language_model_fails_in_the_trainer(name, tmp_path):
    tokenizer = tiny_tokenizer()
    collator = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    rows = [{"input_ids": [BOS, *tokenizer(text)["input_ids"]]} for text in ("x = 5. 3x is 15.", "a b")] * 2
    with pytest.raises(ValueError, match="`prompt_ids` is missing"):
        trainer(name, tmp_path, rows, collator).train()


@pytest.mark.parametrize("name", GENERATORS)
def test_columns_that_were_removed_fail_in_the_trainer(name, tmp_path):
    rows = [{"prompt": "x = 5.", "text": "15", "input_ids": sample["input_ids"]} for sample in SAMPLES]
    with pytest.raises(ValueError, match="a sample has no `prompt_ids`"):
        trainer(name, tmp_path, rows, ChannelCollator(tiny_tokenizer(), pad_to_multiple_of=2)).train()


@pytest.mark.parametrize("name", GENERATORS)
def test_the_stock_trainer_trains_on_channels(name, tmp_path):
    collator = ChannelCollator(tiny_tokenizer(), pad_to_multiple_of=2)
    assert trainer(name, tmp_path, SAMPLES, collator).train().global_step == 1


def test_the_baseline_trains_on_one_line_as_it_is_laid_out(tmp_path):
    # The Trainer gives the collator all four streams, since `forward` names them.
    assert trainer("baseline", tmp_path, SAMPLES, SerializedCollator(tiny_tokenizer())).train().global_step == 1


@pytest.mark.parametrize("name", LISTENERS)
def test_one_line_is_refused_by_the_models_with_another_way_in(name, tmp_path):
    with pytest.raises(ValueError, match="`prompt_ids` is missing"):
        trainer(name, tmp_path, SAMPLES, SerializedCollator(tiny_tokenizer())).train()


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ([8, 9, 3, 1, 5, 6], "loss on the prompt"),
        ([-100, -100, -100, 1, 5, 6], "loss on the start token"),
        ([-100, 9, -100, -100, 5, 6], "loss on some of the prompt"),
    ],
)
def test_the_baseline_refuses_one_line_with_loss_on_what_came_in(labels, why):
    line = torch.tensor([[8, 9, SEP, BOS, 5, 6]])
    assert training("baseline")(input_ids=line, labels=line.masked_fill(torch.arange(6) < 4, -100)).loss > 0
    with pytest.raises(ValueError, match="`prompt_ids` is missing: .*or a `SerializedCollator`"):
        training("baseline")(input_ids=line, labels=torch.tensor([labels]))


def test_the_baseline_refuses_text_without_its_prompt():
    text = torch.tensor([[BOS, 5, 6, PAD]])
    with pytest.raises(ValueError, match="`prompt_ids` is missing"):
        training("baseline")(input_ids=text, labels=torch.tensor([[-100, 5, 6, -100]]))


@pytest.mark.parametrize("name", GENERATORS)
def test_no_prompt_on_purpose_is_an_empty_one(name):
    emitted = words(2, 6)
    model = training(name)
    loss = model(input_ids=emitted, prompt_ids=emitted.new_zeros(2, 0), labels=emitted).loss
    # In evaluation nothing is learned: a plain text has a loss as before.
    torch.testing.assert_close(model.eval()(input_ids=emitted, labels=emitted).loss, loss)
