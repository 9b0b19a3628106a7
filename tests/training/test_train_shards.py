"""Training from the shards of a built data set: one order for any processes and workers, resumed exactly."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import yaml
from toy_runs import losses, train, weights, write_config
from toy_shards import build
from transformers import AutoTokenizer

from hf_duplex.training import train as training


EPOCH = 6  # steps: 96 samples in batches of 16
SGD = {"optim": "sgd", "learning_rate": 0.3, "lr_scheduler_type": "constant"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build(tmp_path_factory.mktemp("built"), train=96, validation=12)


@pytest.fixture(scope="module")
def config(tmp_path_factory, built):
    return write_config(tmp_path_factory.mktemp("toy"), phases=None, data=str(built))


def same(first, second):
    assert first.keys() == second.keys()
    for name, weight in first.items():
        assert (second[name] - weight).abs().max() < 1e-5, name


def test_a_run_learns_from_shards_and_tells_where_they_are(config, built, tmp_path):
    facts = train(config, tmp_path, num_train_epochs=2)
    assert (facts["steps"], facts["samples"]) == (2 * EPOCH, 96)
    assert facts["data"]["data"] == str(built) and facts["data"]["phases"] == []
    assert losses(facts)[-1] < losses(facts)[0] - 0.1 and facts["eval_loss"] > 0


def test_two_processes_are_one_with_the_same_batch(config, tmp_path, request):
    """As examples/accelerate/cpu.yaml has them started."""
    alone = train(config, tmp_path / "alone", max_steps=4, **SGD)
    launcher = request.config.rootpath / "examples" / "accelerate" / "cpu.yaml"
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(launcher)]
    command += ["--main_process_port", "0", "-m", "hf_duplex.training.train", str(config)]
    command += ["--output_dir", str(tmp_path / "two")]
    command += ["--max_steps", "4", "--per_device_train_batch_size", "8", "--dataloader_num_workers", "2"]
    command += [word for name, value in SGD.items() for word in (f"--{name}", str(value))]
    finished = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert finished.returncode == 0, finished.stderr[-3000:]
    together = json.loads((tmp_path / "two" / "training.json").read_text())
    assert together["batch_size"] == alone["batch_size"] == 16
    assert losses(together) == pytest.approx(losses(alone), abs=1e-4)
    same(weights(tmp_path / "alone"), weights(tmp_path / "two"))


def test_going_on_within_the_second_epoch_ends_where_going_through_ends(config, tmp_path):
    through = train(config, tmp_path / "through", num_train_epochs=2, save_strategy="steps", save_steps=EPOCH + 2)
    middle = f"checkpoint-{EPOCH + 2}"
    shutil.copytree(tmp_path / "through" / middle, tmp_path / "resumed" / middle)
    resumed = train(config, tmp_path / "resumed", num_train_epochs=2, dataloader_num_workers=2)
    assert losses(resumed) == pytest.approx(losses(through), abs=1e-6)
    same(weights(tmp_path / "through"), weights(tmp_path / "resumed"))


def test_the_data_seed_decides_the_order_alone(config, tmp_path):
    first, second = (losses(train(config, tmp_path / str(seed), max_steps=1, data_seed=seed)) for seed in (1, 2))
    assert first != second


def test_a_tokenizer_is_trained_on_the_rows_where_none_is_named(config, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "TOKENIZER_SAMPLES", 50)
    settings = yaml.safe_load(config.read_text())
    del settings["tokenizer_name_or_path"]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**settings, "vocab_size": 300}))
    train(tmp_path / "config.yaml", tmp_path / "run", max_steps=1)
    assert len(AutoTokenizer.from_pretrained(tmp_path / "run")) == 300


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_data_set_without_a_split_that_is_needed_is_refused_at_once(config, built, tmp_path, split):
    manifest = json.loads((built / "build.json").read_text())
    del manifest["splits"][split]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "build.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=f"`data`: .* has no split '{split}'"):
        train(config, tmp_path / "run", data=tmp_path / "data")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_not_there_is_named(config, tmp_path):
    with pytest.raises(ValueError, match="`data`: there is no folder .*nowhere"):
        train(config, tmp_path / "run", data=tmp_path / "nowhere")
    with pytest.raises(ValueError, match="`data`: .* holds no build.json"):
        train(config, tmp_path / "run", data=config.parent)
