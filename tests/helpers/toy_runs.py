"""Samples, tokenizer and training runs of toy size."""

import functools
import json
from pathlib import Path

import yaml
from safetensors.torch import load_file

from dataset_builder import Builder, BuilderConfig, Sample
from hf_duplex.data import train_tokenizer
from hf_duplex.training.train import main


VOCAB_SIZE = 384
PHASES = [
    {"name": "quiet", "samples": 32, "builder": {"num_facts": [1, 2], "num_questions": [1, 1], "num_updates": [0, 0]}},
    {"samples": 64, "builder": {"num_facts": [1, 2], "num_questions": [1, 2], "num_updates": [0, 2]}},
]
FIELDS = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "encoder_layers": 1,
    "n_slots": 128,
    "max_message_length": 128,  # with so few tokens an update is long
    "vocab_size": VOCAB_SIZE,
    "phases": PHASES,
    "eval_samples": 8,
    "num_proc": 1,
    "num_train_epochs": 1,
    "per_device_train_batch_size": 16,
    "learning_rate": 0.003,
    "logging_steps": 1,
    "save_strategy": "no",
    "use_cpu": True,
    "report_to": "none",
    "disable_tqdm": True,
}


@functools.lru_cache(maxsize=4)
def samples(count: int, **fields) -> tuple[Sample, ...]:
    return tuple(Builder(BuilderConfig(**fields)).samples(count))


@functools.cache
def toy_tokenizer():
    texts = [text for row in samples(200) for text in (row.prompt, row.target, *(u["text"] for u in row.updates))]
    return train_tokenizer(texts, VOCAB_SIZE)


def write_config(folder: Path, **fields) -> Path:
    """A configuration for `train`, with a tokenizer of its own."""
    toy_tokenizer().save_pretrained(folder / "tokenizer")
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({**FIELDS, "tokenizer_name_or_path": str(folder / "tokenizer"), **fields}))
    return path


def train(config: Path, output_dir: Path, **fields) -> dict:
    """Trains, and returns the facts of the run."""
    argv = [word for name, value in fields.items() for word in (f"--{name}", str(value))]
    main([str(config), "--output_dir", str(output_dir), *argv])
    return json.loads((output_dir / "training.json").read_text())


def weights(run: Path) -> dict:
    return load_file(run / "model.safetensors")


def losses(facts: dict) -> list[float]:
    return [entry["loss"] for entry in facts["log"] if "loss" in entry]
