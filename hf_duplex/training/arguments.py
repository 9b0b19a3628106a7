"""What a training run is told, and how a YAML file and the command line say it together."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml
from transformers import HfArgumentParser, TrainingArguments

from ..data import Phase
from ..modeling import WorkspaceConfig, equal_size_configs


MODEL_TYPES = ("workspace", "baseline", "dual_stream")


@dataclass
class ModelArguments:
    """
    Which generator to train. The sizes are those of a workspace model; the other two get the sizes that give them as
    many parameters.

    Args:
        model_type (`str`, *optional*, defaults to `"workspace"`): `"workspace"`, `"baseline"` or `"dual_stream"`.
        model_name_or_path (`str`, *optional*): Go on from this checkpoint instead of starting from scratch.

    The others are fields of [`WorkspaceConfig`].
    """

    model_type: str = field(default="workspace", metadata={"help": "workspace, baseline or dual_stream."})
    model_name_or_path: str | None = field(default=None, metadata={"help": "Checkpoint to go on from."})
    hidden_size: int = 192
    intermediate_size: int = 576
    num_hidden_layers: int = 4
    num_attention_heads: int = 6
    encoder_layers: int = 2
    update_type: str = "validity"
    n_slots: int = 256
    conv_width: int = 4
    sliding_window: int | None = None
    max_message_length: int = 64
    vocab_size: int = 1024

    def __post_init__(self):
        if self.model_type not in MODEL_TYPES:
            raise ValueError(f"`model_type` must be one of {', '.join(MODEL_TYPES)}, got {self.model_type!r}.")

    def config(self):
        """The configuration of the model to train."""
        sizes = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        for name in ("model_type", "model_name_or_path"):
            del sizes[name]
        workspace = WorkspaceConfig(**sizes)
        return workspace if self.model_type == "workspace" else equal_size_configs(workspace)[self.model_type]


@dataclass
class DataArguments:
    """
    What to train on. The phases of the curriculum stand in the YAML file, under `phases`.

    Args:
        data_seed_offset (`int`, *optional*, defaults to 0): Added to the seed of the data.
        samples_scale (`float`, *optional*, defaults to 1.0): Multiplies the samples of every phase (a quick try: 0.001).
        eval_samples (`int`, *optional*, defaults to 1024): Held-out samples for the loss during training.
        num_proc (`int`, *optional*): Processes that make the samples; one for each core where it is not given.
        cache_dir (`str`, *optional*): Keep the samples there, for the next run and for processes beside this one.
        serialized (`bool`, *optional*, defaults to `False`): Collate one line of text, as for a plain causal language
            model, instead of channels. For the baseline only; it changes nothing but the collator.
        tokenizer_name_or_path (`str`, *optional*): A tokenizer; one is trained on the first phase samples if not given.
    """

    data_seed_offset: int = 0
    samples_scale: float = 1.0
    eval_samples: int = 1024
    num_proc: int = field(default_factory=lambda: os.cpu_count() or 1)
    cache_dir: str | None = None
    serialized: bool = False
    tokenizer_name_or_path: str | None = None
    phases: list[Phase] = field(default_factory=list, metadata={"help": "In the YAML file only."}, init=False)


def parse_arguments(argv: Sequence[str]) -> tuple[ModelArguments, DataArguments, TrainingArguments]:
    """
    Reads `CONFIG.yaml --any_field value ...`; the command line wins.

    Raises:
        ValueError: The file is missing or holds a field that no argument has; the message names it.
    """
    parser = HfArgumentParser((ModelArguments, DataArguments, TrainingArguments), prog="hf-duplex train")
    parser.usage = "hf-duplex train CONFIG.yaml [--any_field value ...]"
    argv = list(argv)
    path = argv.pop(0) if argv and not argv[0].startswith("-") else None
    settings: dict[str, Any] = {}
    if path is not None:
        if not Path(path).is_file():
            raise ValueError(f"CONFIG: there is no file {path}.")
        settings = yaml.safe_load(Path(path).read_text()) or {}
    phases = settings.pop("phases", None)
    known = {action.dest for action in parser._actions}
    unknown = sorted(settings.keys() - known)
    if unknown:
        raise ValueError(f"{path}: no such field: {', '.join(unknown)}. `hf-duplex train --help` lists them all.")
    parser.set_defaults(**settings)
    for action in parser._actions:
        if action.dest in settings:
            action.required = False
    model_args, data_args, training_args = parser.parse_args_into_dataclasses(args=argv)
    if not phases:
        raise ValueError("`phases`: the YAML file must list at least one phase of the curriculum.")
    scaled = [{**phase, "samples": max(1, round(phase["samples"] * data_args.samples_scale))} for phase in phases]
    data_args.phases = [Phase(**phase) for phase in scaled]
    return model_args, data_args, training_args
