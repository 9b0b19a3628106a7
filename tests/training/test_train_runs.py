"""Training at toy size, end to end: what it leaves behind, and what must not change the result."""

import os
import shutil
import subprocess
import sys

import pytest
import torch
from toy_runs import PHASES, losses, toy_tokenizer, train, weights, write_config
from transformers import AutoModelForCausalLM, AutoTokenizer

from hf_duplex.training import train as training


TYPES = ["workspace", "baseline", "dual_stream"]
STEPS = 6  # 96 samples in batches of 16
SGD = {"optim": "sgd", "learning_rate": 0.3, "lr_scheduler_type": "constant"}


def same(first, second, tolerance):
    assert first.keys() == second.keys()
    for name, weight in first.items():
        torch.testing.assert_close(second[name], weight, atol=tolerance, rtol=0, msg=name)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return write_config(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module", params=TYPES)
def run(request, config, tmp_path_factory):
    """One run of each kind, its facts, and a checkpoint of its middle."""
    folder = tmp_path_factory.mktemp(request.param)
    facts = train(config, folder, model_type=request.param, save_strategy="steps", save_steps=STEPS // 2)
    return folder, facts


def test_a_run_leaves_a_model_a_tokenizer_and_its_facts(run):
    folder, facts = run
    model = AutoModelForCausalLM.from_pretrained(folder)
    kind = facts["model"]["model_type"]
    assert model.config.model_type == f"duplex_{kind}" and facts["parameters"] == model.num_parameters()
    assert AutoTokenizer.from_pretrained(folder).update_token_id == toy_tokenizer().update_token_id
    assert (facts["steps"], facts["samples"], facts["batch_size"], facts["seed"]) == (STEPS, 96, 16, 42)
    assert facts["command"].startswith("hf-duplex train ") and f"--model_type {kind}" in facts["command"]
    assert [phase["samples"] for phase in facts["data"]["phases"]] == [32, 64]
    assert facts["train_loss"] == losses(facts)[-1] and facts["eval_loss"] > 0
    assert {"machine", "versions", "learning_rate", "log"} <= facts.keys()


def test_it_learns(run):
    _, facts = run
    assert losses(facts)[-1] < losses(facts)[0] - 0.1


def test_going_on_from_a_checkpoint_ends_where_going_through_ends(run, config, tmp_path, capsys):
    folder, facts = run
    middle = f"checkpoint-{STEPS // 2}"
    shutil.copytree(folder / middle, tmp_path / middle)
    resumed = train(config, tmp_path, model_type=facts["model"]["model_type"])
    assert f"Going on from {tmp_path / middle}" in capsys.readouterr().err
    same(weights(folder), weights(tmp_path), 1e-6)
    assert losses(resumed) == pytest.approx(losses(facts), abs=1e-6)
    assert resumed["eval_loss"] == pytest.approx(facts["eval_loss"], abs=1e-6)


def test_accumulating_the_gradients_of_four_batches_is_one_batch_of_their_samples(run, config, tmp_path):
    kind = run[1]["model"]["model_type"]
    whole = train(config, tmp_path / "whole", model_type=kind, **SGD)
    accumulation = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 4}
    parts = train(config, tmp_path / "parts", model_type=kind, **SGD, **accumulation)
    assert parts["steps"] == whole["steps"] == STEPS and parts["batch_size"] == whole["batch_size"] == 16
    assert losses(parts) == pytest.approx(losses(whole), abs=1e-5)
    same(weights(tmp_path / "whole"), weights(tmp_path / "parts"), 1e-5)


def test_gradient_checkpointing_changes_nothing_but_memory(run, config, tmp_path):
    folder, facts = run
    checkpointed = train(config, tmp_path, model_type=facts["model"]["model_type"], gradient_checkpointing=True)
    assert losses(checkpointed) == pytest.approx(losses(facts), abs=1e-4)
    assert checkpointed["eval_loss"] == pytest.approx(facts["eval_loss"], abs=1e-4)


def test_bfloat16_trains_on_the_processor(run, config, tmp_path):
    facts = train(config, tmp_path, model_type=run[1]["model"]["model_type"], bf16=True, max_steps=3)
    assert losses(facts) == pytest.approx(losses(run[1])[:3], rel=0.01)
    assert losses(facts) != losses(run[1])[:3]
    assert all(weight.dtype == torch.float32 for weight in weights(tmp_path).values())


def test_one_line_of_text_trains_the_baseline_to_the_same_weights(config, tmp_path):
    for name, serialized in (("channels", False), ("line", True)):
        train(config, tmp_path / name, model_type="baseline", serialized=serialized, **SGD)
    same(weights(tmp_path / "channels"), weights(tmp_path / "line"), 1e-5)


def test_two_processes_are_one_with_the_same_batch(config, tmp_path):
    """The hardest case: no update in the first phase, so that the encoder is unused there, and checkpointing."""
    alone = train(config, tmp_path / "alone", model_type="dual_stream", max_steps=3, **SGD)
    # `accelerate launch --cpu` starts more than one process with MPI alone; torch's launcher sets up the same.
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += ["-m", "hf_duplex.training.train", str(config), "--output_dir", str(tmp_path / "two")]
    command += ["--max_steps", "3", "--per_device_train_batch_size", "8", "--optim", "sgd"]
    command += ["--learning_rate", "0.3", "--lr_scheduler_type", "constant"]
    command += ["--model_type", "dual_stream", "--gradient_checkpointing", "true"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert finished.returncode == 0, finished.stderr[-3000:]
    same(weights(tmp_path / "alone"), weights(tmp_path / "two"), 1e-5)
    together = training.json.loads((tmp_path / "two" / "training.json").read_text())
    assert together["batch_size"] == alone["batch_size"] == 16
    assert losses(together) == pytest.approx(losses(alone), abs=1e-4)


def test_a_tokenizer_is_trained_where_none_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "TOKENIZER_SAMPLES", 50)
    config = write_config(tmp_path, tokenizer_name_or_path=None, max_steps=1, vocab_size=300)
    train(config, tmp_path / "run", vocab_size=300)
    assert len(AutoTokenizer.from_pretrained(tmp_path / "run")) == 300


def test_a_checkpoint_is_gone_on_from_with_its_own_tokenizer(run, tmp_path):
    folder, facts = run
    config = write_config(tmp_path, tokenizer_name_or_path=None)
    kind = facts["model"]["model_type"]
    further = train(config, tmp_path / "run", model_type=kind, model_name_or_path=folder, max_steps=2)
    assert losses(further)[0] < losses(facts)[0] - 0.2
    tokenizers = [
        AutoTokenizer.from_pretrained(path).backend_tokenizer.to_str() for path in (folder, tmp_path / "run")
    ]
    assert tokenizers[0] == tokenizers[1]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"serialized": True}, "`serialized` is for `model_type=baseline`"),
        ({"vocab_size": 300}, "`vocab_size` is 300, too small for the 384 tokens"),
    ],
)
def test_what_does_not_fit_together_is_refused_by_name(config, tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        train(config, tmp_path, **fields)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_another_kind_is_refused(run, config, tmp_path):
    folder, facts = run
    kind = facts["model"]["model_type"]
    other = next(name for name in TYPES if name != kind)
    with pytest.raises(ValueError, match=f"`model_type` is '{other}', but .* is a duplex_{kind}"):
        train(config, tmp_path, model_type=other, model_name_or_path=folder)


def test_a_tokenizer_with_other_control_tokens_is_refused(tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(write_config(tmp_path).parent / "tokenizer")
    tokenizer.sep_token = None
    tokenizer.save_pretrained(tmp_path / "other")
    config = write_config(tmp_path, tokenizer_name_or_path=str(tmp_path / "other"), phases=PHASES[:1])
    with pytest.raises(ValueError, match="`tokenizer_name_or_path`: its sep token is None, that of the model 3"):
        train(config, tmp_path / "run")
