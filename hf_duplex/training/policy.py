"""
Trains a policy on a suite of the interaction benchmark: streams in, the next action out.

    python -m hf_duplex.training.policy --suite mini --architecture gru --seed 3 --output_dir runs/policy-gru-mini-3
    python -m hf_duplex.training.policy --suite hard --architecture relational --held_out backchannel \
        --output_dir runs/policy-relational-hard-without-backchannel
    python -m hf_duplex.training.policy --suite mini --transcript_only --output_dir runs/policy-twin-mini

`--transcript_only` trains the twin: the same reader over the words of the transcript, with as many parameters.
"""

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers import (
    AutoModelForSequenceClassification,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from dataset_builder.interaction import FAMILIES, SUITES, Example, make_examples

from ..data.interaction import encode_examples, policy_vocabulary
from ..modeling.configuration_policy import ARCHITECTURES, StreamPolicyConfig
from ..modeling.modeling_policy import StreamPolicyForSequenceClassification
from ..record import describe_machine, describe_versions, write_json


# What a policy is made of, by suite: the GRUs have about 19 K, 65 K and 115 K parameters, the Transformers 258 K.
SIZES: dict[str, dict[str, dict[str, int]]] = {
    "mini": {
        "gru": {"hidden_size": 48},
        "transformer": {"hidden_size": 100, "num_hidden_layers": 2},
        "relational": {"hidden_size": 64, "num_hidden_layers": 1},
    },
    "hard": {
        "gru": {"hidden_size": 96},
        "transformer": {"hidden_size": 100, "num_hidden_layers": 2},
        "relational": {"hidden_size": 64, "num_hidden_layers": 1},
    },
    "noisy": {
        "gru": {"hidden_size": 130},
        "transformer": {"hidden_size": 100, "num_hidden_layers": 2},
        "relational": {"hidden_size": 64, "num_hidden_layers": 1},
    },
}

# How it is trained, unless told otherwise.
RECIPES: dict[str, dict[str, Any]] = {
    "gru": {"learning_rate": 5e-3, "batch_size": 128, "epochs": 30},
    "transformer": {"learning_rate": 1e-3, "batch_size": 128, "epochs": 10},
    "relational": {"learning_rate": 5e-3, "batch_size": 128, "epochs": 20},
}


class EncodedDataset(Dataset):
    """Encoded examples that are taken out a batch at a time."""

    def __init__(self, encoded: dict[str, torch.Tensor]):
        self.encoded = encoded

    def __len__(self) -> int:
        return len(self.encoded["labels"])

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {name: values[index] for name, values in self.encoded.items()}

    def __getitems__(self, indices: list[int]) -> dict[str, torch.Tensor]:
        chosen = torch.tensor(indices)
        return {name: values[chosen] for name, values in self.encoded.items()}


class StopWhenPerfect(TrainerCallback):
    """Ends training after so many evaluations on end without a mistake."""

    def __init__(self, patience: int):
        self.patience, self.perfect = patience, 0

    def on_evaluate(self, args, state, control, metrics, **kwargs):
        self.perfect = self.perfect + 1 if metrics["eval_accuracy"] == 1 else 0
        if self.perfect >= self.patience:
            control.should_training_stop = True
        return control


def accuracy(prediction) -> dict[str, float]:
    """Share of right actions, for the Trainer."""
    return {"accuracy": float((prediction.predictions.argmax(-1) == prediction.label_ids).mean())}
