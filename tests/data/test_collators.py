"""Batches: two ways of feeding the baseline that are one, and padding that changes nothing."""

import copy

import pytest
import torch
from toy_runs import samples, toy_tokenizer

from hf_duplex import DualStreamConfig, DuplexBaselineConfig, WorkspaceConfig
from hf_duplex.data import ChannelCollator, SerializedCollator, encode_sample
from hf_duplex.modeling import DualStreamForCausalLM, DuplexBaselineForCausalLM, WorkspaceForCausalLM


SIZES = {
    "vocab_size": 384,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "initializer_range": 0.2,
}


def encoded(count=8, **fields):
    return [encode_sample(toy_tokenizer(), sample) for sample in samples(count, **fields)]


def mixed():
    """Samples without updates beside samples with one, and with several."""
    rows = sorted(encoded(60), key=lambda row: len(row["update_ids"]))
    return [rows[0], rows[1], next(row for row in rows if len(row["update_ids"]) == 1), rows[-1]]


def baseline():
    torch.manual_seed(0)
    return DuplexBaselineForCausalLM(DuplexBaselineConfig(**SIZES))


def learned(model, batch):
    model = copy.deepcopy(model).train()
    loss = model(**batch).loss
    loss.backward()
    return loss.detach(), {name: weight.grad for name, weight in model.named_parameters()}


@pytest.mark.parametrize("rows", [encoded, mixed, lambda: encoded(num_updates=(0, 0))], ids=["any", "mixed", "quiet"])
def test_channels_and_one_line_teach_the_baseline_the_same(rows):
    model, rows = baseline(), rows()
    loss, gradients = learned(model, ChannelCollator(toy_tokenizer())(rows))
    serialized_loss, serialized = learned(model, SerializedCollator(toy_tokenizer())(rows))
    torch.testing.assert_close(serialized_loss, loss, atol=1e-6, rtol=1e-6)
    for name, gradient in gradients.items():
        torch.testing.assert_close(serialized[name], gradient, atol=1e-6, rtol=1e-4, msg=name)


def test_both_collators_ask_for_the_same_number_of_tokens():
    rows = mixed()
    wanted = sum(len(row["input_ids"]) - 1 for row in rows)
    for collator in (ChannelCollator, SerializedCollator):
        labels = collator(toy_tokenizer())(rows)["labels"]
        assert labels.ne(-100).sum() == labels[:, 1:].ne(-100).sum() == wanted


def test_a_line_holds_each_update_before_the_first_token_that_may_know_it():
    row = {
        "input_ids": [1, 10, 11, 12],
        "prompt_ids": [20, 3],
        "update_ids": [[4, 30, 3], [4, 31, 3], [4, 32, 3]],
        "update_positions": [1, 3, 3],
    }
    batch = SerializedCollator(toy_tokenizer(), pad_to_multiple_of=5)([row])
    assert batch["input_ids"].tolist() == [[20, 3, 1, 4, 30, 3, 10, 11, 4, 31, 3, 4, 32, 3, 12]]
    said = [-100] * 6 + [10, 11] + [-100] * 6 + [12]
    assert batch["labels"].tolist() == [said]
    assert batch["attention_mask"].all()


def test_channels_hold_what_was_encoded():
    rows = mixed()
    batch = ChannelCollator(toy_tokenizer())(rows)
    assert all(tensor.shape[-1] % 8 == 0 for name, tensor in batch.items() if name != "update_positions")
    for index, row in enumerate(rows):
        assert batch["input_ids"][index][batch["attention_mask"][index] == 1].tolist() == row["input_ids"]
        assert batch["prompt_ids"][index][batch["prompt_mask"][index] == 1].tolist() == row["prompt_ids"]
        assert batch["labels"][index][batch["labels"][index] != -100].tolist() == row["input_ids"][1:]
        updates = zip(batch["update_ids"][index], batch["update_mask"][index], strict=True)
        heard = [ids[mask == 1].tolist() for ids, mask in updates]
        assert [ids for ids in heard if ids] == row["update_ids"]
        positions = batch["update_positions"][index].tolist()
        nowhere = [batch["input_ids"].shape[1]] * len(positions)
        assert positions == (row["update_positions"] + nowhere)[: len(positions)]


def test_a_batch_without_updates_has_no_update_tensors():
    batch = ChannelCollator(toy_tokenizer())(encoded(num_updates=(0, 0)))
    assert not [name for name in batch if name.startswith("update")]


@pytest.mark.parametrize(
    ("head", "config"),
    [
        (DuplexBaselineForCausalLM, DuplexBaselineConfig(**SIZES)),
        (DualStreamForCausalLM, DualStreamConfig(**SIZES, encoder_layers=1)),
        (WorkspaceForCausalLM, WorkspaceConfig(**SIZES, encoder_layers=1, n_slots=256)),
    ],
    ids=["baseline", "dual_stream", "workspace"],
)
@torch.no_grad()
def test_neither_padding_nor_neighbours_change_a_sample(head, config):
    torch.manual_seed(0)
    model, rows = head(config).eval(), mixed()
    together = model(**ChannelCollator(toy_tokenizer())(rows)).logits
    padded = model(**ChannelCollator(toy_tokenizer(), pad_to_multiple_of=64)(rows)).logits
    for index, row in enumerate(rows):
        alone = model(**ChannelCollator(toy_tokenizer(), pad_to_multiple_of=1)([row])).logits[0]
        said = len(row["input_ids"])
        torch.testing.assert_close(together[index, :said], alone, atol=1e-4, rtol=0)
        torch.testing.assert_close(padded[index, :said], alone, atol=1e-4, rtol=0)
