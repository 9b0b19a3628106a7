"""
Trains a policy on a suite of the interaction benchmark: streams in, the next action out.

    python -m hf_duplex.interaction.training --suite mini --architecture gru --seed 3 \
        --output_dir runs/policy-gru-mini-3
    python -m hf_duplex.interaction.training --suite hard --architecture relational --held_out backchannel \
        --output_dir runs/policy-relational-hard-without-backchannel
    python -m hf_duplex.interaction.training --suite mini --transcript_only --output_dir runs/policy-twin-mini

`--transcript_only` trains the twin: the same reader over the words of the transcript, with as many parameters.
"""

import argparse
import math
import shlex
import sys
import time
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments, set_seed
from transformers.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

from dataset_builder.interaction import FAMILIES, SUITES, Example, make_examples

from ..record import describe_machine, describe_versions, write_json
from .data import choose_actions, encode_examples, policy_vocabulary
from .modeling.configuration_policy import ARCHITECTURES, StreamPolicyConfig
from .modeling.modeling_policy import StreamPolicyForSequenceClassification


# What a policy is made of, by suite: the GRUs have about 19 K, 65 K and 115 K parameters, the Transformers 258 K.
SIZES: dict[str, dict[str, dict[str, int]]] = {
    "mini": {
        "gru": {"hidden_size": 47},
        "transformer": {"hidden_size": 100, "num_hidden_layers": 2, "num_attention_heads": 2},
        "relational": {"hidden_size": 64, "num_hidden_layers": 1},
    },
    "hard": {
        "gru": {"hidden_size": 94},
        "transformer": {"hidden_size": 100, "num_hidden_layers": 2, "num_attention_heads": 2},
        "relational": {"hidden_size": 64, "num_hidden_layers": 1},
    },
    "noisy": {
        "gru": {"hidden_size": 128},
        "transformer": {"hidden_size": 100, "num_hidden_layers": 2, "num_attention_heads": 2},
        "relational": {"hidden_size": 64, "num_hidden_layers": 1},
    },
}

# How it is trained, unless told otherwise. In small batches a Transformer learns more in the same time.
RECIPES: dict[str, dict[str, Any]] = {
    "gru": {"learning_rate": 5e-3, "batch_size": 128},
    "transformer": {"learning_rate": 2e-3, "batch_size": 32},
    "relational": {"learning_rate": 5e-3, "batch_size": 128},
}

# For at most so many steps, whatever the number of examples. Under noise the last of them would bring nothing.
STEPS: dict[str, dict[str, int]] = {
    "mini": {"gru": 560, "transformer": 1600, "relational": 1000},
    "hard": {"gru": 560, "transformer": 1600, "relational": 1000},
    "noisy": {"gru": 500, "transformer": 1200, "relational": 1000},
}

# The mean loss on validation below which a policy is not only right but sure.
SURE = 0.001

# How often it is evaluated on validation where steps are counted, not epochs.
EVALUATIONS = 8


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
    """Ends training after so many evaluations on end without a mistake and sure of it."""

    def __init__(self, patience: int):
        self.patience, self.perfect = patience, 0

    def on_evaluate(self, args, state, control, metrics, **kwargs):
        perfect = metrics["eval_accuracy"] == 1 and metrics["eval_loss"] < SURE
        self.perfect = self.perfect + 1 if perfect else 0
        if self.perfect >= self.patience:
            control.should_training_stop = True
        return control


def accuracy(prediction) -> dict[str, float]:
    """Share of right actions, for the Trainer."""
    return {"accuracy": float((prediction.predictions.argmax(-1) == prediction.label_ids).mean())}


def policy_config(
    train: Sequence[Example], architecture: str, suite: str, transcript_only: bool = False, **settings
) -> StreamPolicyConfig:
    """
    The configuration of a policy for a suite. A transcript-only twin gets the width that brings it closest to the
    parameters of the policy that sees the streams.

    Raises:
        ValueError: There is no such architecture or suite, or a relational policy is to see one stream.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(f"`architecture` must be one of {', '.join(ARCHITECTURES)}, got {architecture!r}.")
    if suite not in SIZES:
        raise ValueError(f"`suite` must be one of {', '.join(SIZES)}, got {suite!r}.")
    sizes = {**SIZES[suite][architecture], **settings}
    config = StreamPolicyConfig(architecture=architecture, **policy_vocabulary(train), **sizes)
    if not transcript_only:
        return config
    if architecture == "relational":
        raise ValueError("`transcript_only` is for gru and transformer: a single stream has no relations.")
    vocabulary = policy_vocabulary(train, transcript_only=True)
    # A Transformer's width is a multiple of its heads; other widths than multiples of four take half as long again.
    step = math.lcm(config.num_attention_heads, 4)

    def twin(steps: int) -> StreamPolicyConfig:
        return StreamPolicyConfig(**{"architecture": architecture, **vocabulary, **sizes, "hidden_size": steps * step})

    widest = 2 * config.hidden_size // step
    wanted = count_parameters(config)
    above = bisect_left(range(widest), wanted, lo=1, key=lambda steps: count_parameters(twin(steps)))
    return min(
        (twin(steps) for steps in (max(above - 1, 1), above)), key=lambda near: abs(count_parameters(near) - wanted)
    )


def count_parameters(config: StreamPolicyConfig) -> int:
    """Number of parameters of a policy; nothing is allocated."""
    with torch.device("meta"):
        return StreamPolicyForSequenceClassification(config).num_parameters()


def train_policy(
    train: Sequence[Example],
    validation: Sequence[Example],
    *,
    architecture: str,
    suite: str,
    output_dir: str | Path,
    transcript_only: bool = False,
    seed: int = 3,
    epochs: int | None = None,
    steps: int | None = None,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    patience: int = 2,
    show_progress: bool = False,
    command: str | None = None,
    **settings,
) -> StreamPolicyForSequenceClassification:
    """
    Trains a policy, saves it with its code, and writes the facts of the run to `training.json` beside it.

    Args:
        train, validation (`Sequence[Example]`): What it learns from, and what says when it is good enough.
        architecture (`str`): `"gru"`, `"transformer"` or `"relational"`.
        suite (`str`): Whose sizes it gets: `"mini"`, `"hard"` or `"noisy"`.
        output_dir (`str` or `Path`): Where it is saved.
        transcript_only (`bool`, *optional*, defaults to `False`): Train the twin that sees the transcript alone.
        seed (`int`, *optional*, defaults to 3): Of the weights and of the order of the examples.
        epochs (`int`, *optional*): How often it sees each example, with an evaluation after each time; `steps`, where
            it is not given.
        steps, learning_rate, batch_size (*optional*): Those of the recipe where they are not given.
        patience (`int`, *optional*, defaults to 2): After so many evaluations without a mistake (and with a loss below
            0.001) training ends early.
        show_progress (`bool`, *optional*, defaults to `False`): A progress bar, and a line an epoch.
        command (`str`, *optional*): The command that this is, for `training.json`.
        settings: Other fields of [`StreamPolicyConfig`], such as `stream_dropout`.

    Returns:
        The trained policy, ready to predict.

    Raises:
        ValueError: `train` or `validation` is empty, or there is no such architecture or suite.
    """
    for name, examples in (("train", train), ("validation", validation)):
        if not examples:
            raise ValueError(f"`{name}` is empty: make its examples with `make_examples(suite, {name!r})`.")
    set_seed(seed)
    config = policy_config(train, architecture, suite, transcript_only, **settings)
    model = StreamPolicyForSequenceClassification(config)
    recipe = RECIPES[architecture]
    learning_rate = learning_rate or recipe["learning_rate"]
    batch_size = batch_size or recipe["batch_size"]
    # There is a ceiling for a twin: none is ever perfect, so there is nothing to look for before the end.
    rounds = epochs or (1 if transcript_only else EVALUATIONS)
    per_round = math.ceil(len(train) / batch_size if epochs else (steps or STEPS[suite][architecture]) / rounds)
    steps = rounds * per_round
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(output_dir),
            max_steps=steps,
            learning_rate=learning_rate,
            per_device_train_batch_size=batch_size,
            per_device_eval_batch_size=512,
            lr_scheduler_type="cosine",
            warmup_steps=20,
            weight_decay=0.01,
            eval_strategy="steps",
            eval_steps=per_round,
            save_strategy="no",
            logging_strategy="steps",
            logging_steps=per_round,
            report_to=[],
            disable_tqdm=not show_progress,
            log_level="error",
            use_cpu=True,
            seed=seed,
            remove_unused_columns=False,
        ),
        train_dataset=EncodedDataset(encode_examples(train, config)),
        eval_dataset=EncodedDataset(encode_examples(validation, config)),
        data_collator=lambda batch: batch,
        compute_metrics=accuracy,
        callbacks=[StopWhenPerfect(patience)],
    )
    # Without a bar the Trainer prints every log.
    trainer.remove_callback(PrinterCallback)
    started, started_cpu = time.time(), time.process_time()
    trainer.train()
    evaluations = [entry for entry in trainer.state.log_history if "eval_accuracy" in entry]
    model.eval()
    bars = is_progress_bar_enabled()
    if not show_progress:
        disable_progress_bar()
    model.save_pretrained(output_dir)
    if bars:
        enable_progress_bar()
    facts = {
        "command": command,
        "architecture": architecture,
        "suite": suite,
        "transcript_only": transcript_only,
        "families": sorted({example.family for example in train}),
        "parameters": model.num_parameters(),
        "settings": settings,
        "steps": trainer.state.global_step,
        "epochs": trainer.state.epoch,
        "most_steps": steps,
        "samples": len(train),
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
        "machine": describe_machine(),
        "threads": torch.get_num_threads(),
        "versions": describe_versions(),
        "seconds": round(time.time() - started, 1),
        "cpu_seconds": round(time.process_time() - started_cpu, 1),
        "eval_accuracy": evaluations[-1]["eval_accuracy"],
        "eval_loss": evaluations[-1]["eval_loss"],
        "log": trainer.state.log_history,
    }
    write_json(facts, Path(output_dir, "training.json"))
    return model


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m hf_duplex.interaction.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--suite", choices=list(SUITES), default="mini", help="noisy is the hardest")
    parser.add_argument("--architecture", choices=ARCHITECTURES, default="gru", help="relational is the smallest")
    parser.add_argument("--output_dir", required=True, help="where the policy and training.json go")
    parser.add_argument("--seed", type=int, default=3, help="of weights and order; published: 3, 7, 11 (default: 3)")
    parser.add_argument("--transcript_only", action="store_true", help="train the twin that sees only the transcript")
    parser.add_argument("--held_out", choices=list(FAMILIES), help="a family to leave out of training")
    parser.add_argument("--num_pairs", type=int, help="train on so many pairs, for a try; all of the suite by default")
    parser.add_argument("--epochs", type=int, help="at most; training ends early when validation is perfect")
    parser.add_argument("--learning_rate", type=float, help="where the recipe's should not do")
    parser.add_argument("--batch_size", type=int, help="where the recipe's should not do")
    parser.add_argument("--stream_dropout", type=float, help="how often a stream is hidden in training")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Makes the examples, trains, and says how good the policy is on validation."""
    argv = sys.argv[1:] if argv is None else argv
    arguments = parse_arguments(argv)
    families = [family for family in FAMILIES if family != arguments.held_out]
    train = make_examples(arguments.suite, "train", arguments.num_pairs, families=families)
    validation = make_examples(arguments.suite, "validation", families=families)
    settings = {} if arguments.stream_dropout is None else {"stream_dropout": arguments.stream_dropout}
    model = train_policy(
        train,
        validation,
        architecture=arguments.architecture,
        suite=arguments.suite,
        transcript_only=arguments.transcript_only,
        seed=arguments.seed,
        output_dir=arguments.output_dir,
        epochs=arguments.epochs,
        learning_rate=arguments.learning_rate,
        batch_size=arguments.batch_size,
        show_progress=True,
        command=f"python -m hf_duplex.interaction.training {shlex.join(argv)}",
        **settings,
    )
    right = sum(
        action == example.action for action, example in zip(choose_actions(model, validation), validation, strict=True)
    )
    print(
        f"{model.num_parameters():,} parameters; {right / len(validation):.3f} of {len(validation)} validation "
        f"examples right; saved in {arguments.output_dir}"
    )


if __name__ == "__main__":
    main()
