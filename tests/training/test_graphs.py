"""Batches laid out beforehand, and steps captured from them."""

from functools import partial

import pytest
import torch
from transformers import AutoModelForCausalLM, TrainingArguments

from dataset_builder import Builder, BuilderConfig
from hf_duplex.data import ChannelCollator, LayoutCollator, SerializedCollator, encode_sample, train_tokenizer
from hf_duplex.modeling import WorkspaceConfig, equal_size_configs
from hf_duplex.training import DuplexTrainer, graphs
from hf_duplex.training.graphs import GraphedSteps, in_parts


SIZES = {"vocab_size": 512, "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2, "encoder_layers": 1}
WAYS = ["workspace", "dual_stream", "baseline", "serialized"]


@pytest.fixture(scope="module")
def tokenizer():
    samples = Builder(BuilderConfig()).samples(60)
    return train_tokenizer([text for sample in samples for text in (sample.prompt, sample.target)], 512)


def model_of(way):
    torch.manual_seed(0)
    config = WorkspaceConfig(**SIZES, notice_updates=True)
    name = "baseline" if way == "serialized" else way
    return AutoModelForCausalLM.from_config(equal_size_configs(config, tolerance=0.2)[name])


def collators_of(way, model, tokenizer):
    collator = (SerializedCollator if way == "serialized" else ChannelCollator)(tokenizer)
    return collator, LayoutCollator(collator, partial(type(model.model).lay_out, model.config))


def loss_and_gradients(model, batch):
    model.zero_grad()
    loss = model(**batch).loss
    loss.backward()
    return loss, {name: None if p.grad is None else p.grad.clone() for name, p in model.named_parameters()}


@pytest.mark.parametrize("updates", [(0, 0), (0, 4)], ids=["none", "some"])
@pytest.mark.parametrize("way", WAYS)
def test_a_batch_that_was_laid_out_has_the_same_loss_and_gradients(way, updates, tokenizer):
    model = model_of(way)
    builder = Builder(BuilderConfig(num_updates=updates))
    samples = [encode_sample(tokenizer, sample) for sample in builder.samples(6)]
    as_it_is, laid_out = collators_of(way, model, tokenizer)
    batch = laid_out(samples)
    assert all(tensor.shape[1] % 8 == 0 for tensor in batch["layout"].values() if tensor.dim() == 2)
    (loss, gradients), (wanted, expected) = (loss_and_gradients(model, one) for one in (batch, as_it_is(samples)))
    torch.testing.assert_close(loss, wanted, rtol=0, atol=1e-5)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], rtol=0, atol=1e-5, msg=name)


@pytest.mark.parametrize("way", WAYS)
def test_lengths_are_rounded_up_so_that_shapes_come_again(way, tokenizer):
    batch = collators_of(way, model_of(way), tokenizer)[1](
        [encode_sample(tokenizer, sample) for sample in Builder(BuilderConfig()).samples(5)]
    )
    for name, tensor in {**batch["layout"], "labels": batch["labels"]}.items():
        if tensor.dim() == 2:
            assert tensor.shape[0] == 5 and tensor.shape[1] % 32 == 0, name
        elif name != "messages.first":
            assert len(tensor) % 8 == 0 and tensor.tolist() == list(range(len(tensor))), name


def test_a_step_cannot_be_captured_on_a_processor(tmp_path):
    args = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to="none")
    with pytest.raises(ValueError, match="`capture_step` needs one process with one CUDA device"):
        DuplexTrainer(model=model_of("workspace"), args=args, capture_step=True)


def test_each_entry_of_the_log_says_how_fast_it_went(tmp_path):
    args = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to="none", per_device_train_batch_size=4)
    trainer = DuplexTrainer(model=model_of("workspace"), args=args)
    for step in (10, 30):
        trainer.state.global_step = step
        trainer.log({"loss": 1.0})
    first, second = trainer.state.log_history
    assert "samples_per_second" not in first and second["samples_per_second"] > 0


def test_a_loss_that_is_no_number_ends_the_run(tmp_path):
    args = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to="none")
    trainer = DuplexTrainer(model=model_of("workspace"), args=args)
    trainer.state.global_step = 7
    trainer.log({"loss": 1.0})
    with pytest.raises(FloatingPointError, match="step 7.*lower `learning_rate`"):
        trainer.log({"loss": float("nan")})


def test_a_step_whose_gradient_is_no_number_teaches_nothing():
    """On a processor each shape that comes for the first time is computed as it is everywhere."""
    model = torch.nn.Linear(2, 1, bias=False)
    unread = torch.nn.Parameter(torch.ones(3))
    model.unread = unread
    steps = GraphedSteps(model, lambda batch: (model(batch["layout"]["line"]) / batch["by"]).mean())
    for size, by, skipped in ((1, 1.0, 0), (2, 0.0, 1), (3, 1.0, 1)):
        line, labels = torch.ones(size, 2), torch.ones(size, 2, dtype=torch.long)
        loss = steps({"labels": labels, "layout": {"line": line}, "by": torch.full((size, 1), by)})
        assert int(steps.skipped) == skipped and unread.grad is None
        torch.testing.assert_close(model.weight.grad, torch.full((1, 2), float(by != 0)))
        assert torch.isfinite(loss)
        model.zero_grad()


@pytest.mark.parametrize("way", WAYS)
def test_a_large_batch_in_parts_gives_the_same_gradients(way, tokenizer, monkeypatch):
    model = model_of(way).train()
    samples = [encode_sample(tokenizer, sample) for sample in Builder(BuilderConfig()).samples(7)]
    batch = collators_of(way, model, tokenizer)[1](samples)
    wanted, expected = loss_and_gradients(model, batch)
    longest = batch["layout"]["line"].shape[1] + batch["layout"].get("messages.ids", torch.empty(1, 0)).shape[1]
    parts = in_parts(batch, 3 * longest)
    assert [len(part["labels"]) for part in parts] == [3, 3, 1]
    monkeypatch.setattr(graphs, "in_parts", lambda batch: parts)
    model.zero_grad()
    torch.testing.assert_close(GraphedSteps(model, lambda batch: model(**batch).loss)(batch), wanted.detach())
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-4, atol=1e-6, msg=name)


def test_a_run_that_skips_most_steps_ends(tmp_path):
    args = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to="none", logging_steps=10)
    trainer = DuplexTrainer(model=model_of("workspace"), args=args)
    trainer.graphed = GraphedSteps(trainer.model, lambda batch: trainer.model(**batch).loss)
    trainer.graphed.skipped += 5
    trainer.log({"loss": 1.0})
    assert trainer.state.log_history[-1]["skipped_steps"] == 5
    trainer.graphed.skipped += 6
    with pytest.raises(FloatingPointError, match="no number"):
        trainer.log({"loss": 1.0})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("way", WAYS)
def test_replayed_steps_give_the_same_gradients(way, tokenizer):
    model = model_of(way).cuda().train()
    laid_out = collators_of(way, model, tokenizer)[1]
    samples = [encode_sample(tokenizer, sample) for sample in Builder(BuilderConfig()).samples(16)]
    on_device = torch.utils._pytree.tree_map
    steps = GraphedSteps(model, lambda batch: model(**batch).loss)
    for _ in range(3):
        for start in range(0, 16, 4):
            batch = on_device(lambda tensor: tensor.cuda(), laid_out(samples[start : start + 4]))
            wanted, expected = loss_and_gradients(model, batch)
            model.zero_grad()
            torch.testing.assert_close(steps(batch), wanted.detach(), rtol=1e-3, atol=1e-4)
            for name, parameter in model.named_parameters():
                torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-2, atol=1e-3, msg=name)
            model.zero_grad()
