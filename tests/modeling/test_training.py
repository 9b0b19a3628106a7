"""What a trainer needs of the models."""

import copy

import pytest
import torch
from tiny_models import GENERATORS, KINDS, AtOnce, greedy, pad_messages, pad_rows, tiny_model, words


def batch():
    prompt_ids, prompt_mask = pad_rows([[5, 6, 3, 7], [8, 9]])
    update_ids, update_mask = pad_messages([[[10, 11], [12]], [[13, 14, 15]]])
    input_ids = words(2, 9)
    return {
        "input_ids": input_ids,
        "prompt_ids": prompt_ids,
        "prompt_mask": prompt_mask,
        "update_ids": update_ids,
        "update_mask": update_mask,
        "update_positions": torch.tensor([[3, 6], [5, 0]]),
        "labels": input_ids.masked_fill(torch.arange(9) < 2, -100),
    }


def trained(model, **changes):
    """The loss, and the gradient of every weight, after one step in training mode."""
    model = copy.deepcopy(model).train()
    for name, change in changes.items():
        getattr(model, name)(**change)
    loss = model(**batch()).loss
    loss.backward()
    return loss.detach(), {name: weight.grad for name, weight in model.named_parameters()}


@pytest.mark.parametrize("name", GENERATORS)
def test_the_loss_is_that_of_the_next_token(name):
    with torch.no_grad():
        output = tiny_model(name)(**batch())
    labels = batch()["labels"][:, 1:].flatten()
    expected = torch.nn.functional.cross_entropy(output.logits[:, :-1].flatten(0, 1), labels, ignore_index=-100)
    torch.testing.assert_close(output.loss, expected)


@pytest.mark.parametrize("name", GENERATORS)
def test_the_number_of_items_in_the_whole_batch_divides_the_loss(name):
    model = tiny_model(name)
    with torch.no_grad():
        summed = model(**batch(), num_items_in_batch=1).loss
        torch.testing.assert_close(model(**batch(), num_items_in_batch=28).loss * 28, summed)
        torch.testing.assert_close(model(**batch()).loss * 14, summed)


@pytest.mark.parametrize("name", GENERATORS)
def test_every_weight_learns(name):
    _, gradients = trained(tiny_model(name))
    silent = {key for key, gradient in gradients.items() if gradient is None or not gradient.isfinite().all()}
    assert not silent
    flat = {key for key, gradient in gradients.items() if not gradient.any()}
    assert not flat


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("name", GENERATORS)
def test_gradient_checkpointing_changes_nothing(name, reentrant):
    model = tiny_model(name)
    checkpointing = {"gradient_checkpointing_kwargs": {"use_reentrant": reentrant}}
    changes = {"gradient_checkpointing_enable": checkpointing}
    if reentrant:
        changes["enable_input_require_grads"] = {}
    loss, gradients = trained(model)
    checkpointed_loss, checkpointed = trained(model, **changes)
    torch.testing.assert_close(checkpointed_loss, loss, atol=1e-6, rtol=0)
    for key, gradient in gradients.items():
        torch.testing.assert_close(checkpointed[key], gradient, atol=1e-5, rtol=0, msg=key)


@pytest.mark.parametrize("name", GENERATORS)
def test_gradient_checkpointing_works_where_nothing_was_heard(name):
    model = copy.deepcopy(tiny_model(name)).train()
    model.gradient_checkpointing_enable({"use_reentrant": True})
    model.enable_input_require_grads()
    emitted = words(2, 5)
    model(input_ids=emitted).logits.logsumexp(-1).sum().backward()
    assert model.model.embed_tokens.weight.grad.any()


@pytest.mark.parametrize("name", GENERATORS)
def test_bfloat16_stays_close(name):
    model = tiny_model(name)
    with torch.no_grad():
        expected = model(**batch())
        low = copy.deepcopy(model).to(torch.bfloat16)
        output = low(**batch())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mixed = model(**batch())
    assert output.logits.dtype == torch.bfloat16
    for close in (output, mixed):
        assert (close.logits.float() - expected.logits).abs().mean() < 0.05 * expected.logits.std()
        torch.testing.assert_close(close.loss.float(), expected.loss, atol=0.05, rtol=0.02)


@pytest.mark.parametrize("name", GENERATORS)
def test_bfloat16_generates(name):
    low = copy.deepcopy(tiny_model(name)).to(torch.bfloat16)
    output = greedy(low, prompt_ids=words(2, 5), interrupt_callback=AtOnce([[5, 6]], []), n=6)
    assert output.sequences.shape == (2, 7)
    assert output.logits[0].isfinite().all()


@pytest.mark.parametrize("name", KINDS)
def test_tokens_after_an_update_only_depend_on_it(name):
    model = tiny_model(name)
    told, other = batch(), batch()
    other["update_ids"] = other["update_ids"].clone()
    other["update_ids"][0, 1, 0] = 40
    with torch.no_grad():
        difference = (model(**told).logits - model(**other).logits).abs().amax(-1)
    assert difference[0, :5].max() < 1e-5 < 1e-3 < difference[0, 5:].min()
    assert difference[1].max() < 1e-5


@pytest.mark.parametrize("name", GENERATORS)
def test_no_update_at_all_is_an_empty_tensor_too(name):
    model = tiny_model(name)
    without = {key: value for key, value in batch().items() if not key.startswith("update")}
    with torch.no_grad():
        expected = model(**without).logits
        for shape in ((2, 0, 3), (2, 1, 0), (2, 0, 0)):
            empty = {"update_ids": torch.zeros(shape).long(), "update_positions": torch.zeros(shape[:2]).long()}
            torch.testing.assert_close(model(**without, **empty).logits, expected, atol=1e-5, rtol=0)
