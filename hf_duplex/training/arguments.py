"""Arguments of a training run, merged from a YAML file and the command line."""

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
"""From scratch; `adapter` has arguments of its own, see [`~hf_duplex.training.adapter.AdapterArguments`]."""


@dataclass
class ModelArguments:
    """
    Which generator to train. The sizes are those of a workspace model; the other two get sizes with the same number of
    parameters.

    Args:
        model_type (`str`, *optional*, defaults to `"workspace"`): `"workspace"`, `"baseline"` or `"dual_stream"`.
        model_name_or_path (`str`, *optional*): Continue from this checkpoint instead of starting from scratch.

        compile_step (`bool`, *optional*, defaults to `False`): Compile the expensive parts of a training step. Results
            stay the same; it pays on a GPU.
        capture_step (`bool`, *optional*, defaults to `False`): Replay training steps as CUDA graphs, one for each
            batch shape. Results stay the same; it pays for small models on one GPU.
        muon (`bool`, *optional*, defaults to `False`): Update matrices with Muon, the rest with AdamW.

    The others are fields of [`WorkspaceConfig`].
    """

    _argument_group_name = "model"

    model_type: str = field(default="workspace", metadata={"help": "workspace, baseline or dual_stream."})
    model_name_or_path: str | None = field(
        default=None, metadata={"help": "Checkpoint to go on from, with its tokenizer; the sizes below do not count."}
    )
    compile_step: bool = field(default=False, metadata={"help": "Compile the training step; it pays on a GPU."})
    capture_step: bool = field(default=False, metadata={"help": "Replay training steps as CUDA graphs."})
    muon: bool = field(default=False, metadata={"help": "Step matrices with Muon, the rest with AdamW."})
    hidden_size: int = field(default=192, metadata={"help": "Width of the generator."})
    intermediate_size: int = field(default=576, metadata={"help": "Inner width of the feed-forward blocks."})
    num_hidden_layers: int = field(default=4, metadata={"help": "Blocks of the generator."})
    num_attention_heads: int = field(default=6, metadata={"help": "Attention heads."})
    encoder_layers: int = field(default=2, metadata={"help": "Blocks of the message encoder."})
    update_type: str = field(
        default="validity", metadata={"help": "validity, defeasible, gated, gru, residual or slot."}
    )
    n_slots: int = field(default=256, metadata={"help": "Slots of the workspace."})
    max_message_distance: int = field(default=16, metadata={"help": "How many messages back doubt can tell apart."})
    recency_bias: bool = field(default=True, metadata={"help": "Tell the generator how long ago a slot was written."})
    notice_updates: bool = field(default=False, metadata={"help": "Mark the first token that knows a new update."})
    message_separator_token_id: int | None = field(
        default=3, metadata={"help": "Ends a message in a prompt; none: prompts are read at once, up to the longest."}
    )
    conv_width: int = field(default=4, metadata={"help": "Width of the short convolution; 0 leaves it out."})
    sliding_window: int | None = field(default=None, metadata={"help": "Reach of self-attention; all if not given."})
    max_message_length: int = field(default=64, metadata={"help": "Longest message, in tokens."})
    vocab_size: int = field(default=1024, metadata={"help": "Tokens of the vocabulary."})

    def __post_init__(self):
        if self.model_type not in MODEL_TYPES:
            known = ", ".join([*MODEL_TYPES, "adapter"])
            raise ValueError(f"`model_type` must be one of {known}, got {self.model_type!r}.")

    def config(self):
        """The configuration of the model to train."""
        sizes = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        for name in ("model_type", "model_name_or_path", "compile_step", "capture_step", "muon"):
            del sizes[name]
        workspace = WorkspaceConfig(**sizes)
        return workspace if self.model_type == "workspace" else equal_size_configs(workspace)[self.model_type]


@dataclass
class DataArguments:
    """
    The training data: the phases of a curriculum, listed in the YAML file under `phases` and generated before
    training; a built data set, which is read during training; or a user's own conversations, which are read and
    encoded before training.

    Args:
        data (`str`, *optional*): Output folder of `hf-duplex data build`, with the splits train and validation. Or
            conversations as JSON lines, see [`~hf_duplex.data.read_conversations`]: a file, or a folder with
            `train.jsonl` and optionally `validation.jsonl`; without the latter the last 5 % are held out.
        data_seed_offset (`int`, *optional*, defaults to 0): Added to the seed of the data.
        samples_scale (`float`, *optional*, defaults to 1.0): Multiplies the samples of every phase (trial run: 0.001).
        eval_samples (`int`, *optional*, defaults to 1024): Held-out samples for the loss during training.
        telemetry_samples (`int`, *optional*, defaults to 8): Held-out samples on which the workspace is measured at
            each logging step; 0 for no telemetry.
        num_proc (`int`, *optional*): Processes that generate the samples of `phases`; by default one for each
            core. The samples of `data` are encoded by the `dataloader_num_workers` workers of each process.
        cache_dir (`str`, *optional*): Cache of the samples of `phases`, for later runs and parallel processes.
        serialized (`bool`, *optional*, defaults to `False`): Collate a single token stream, as for a plain causal
            language model, instead of channels. For the baseline only; it changes only the collator.
        tokenizer_name_or_path (`str`, *optional*): A tokenizer; one is trained on the last phase, or on the first rows
            of `data`, if not given.
    """

    _argument_group_name = "data (the phases of the curriculum stand in the YAML file)"

    data: str | None = field(
        default=None,
        metadata={"help": "Folder that `hf-duplex data build` built, or JSON lines of your own; instead of phases."},
    )
    data_seed_offset: int = field(default=0, metadata={"help": "Added to the seed of the data."})
    samples_scale: float = field(default=1.0, metadata={"help": "Multiplies the samples of every phase."})
    eval_samples: int = field(default=1024, metadata={"help": "Held-out samples for the loss during training."})
    telemetry_samples: int = field(
        default=8, metadata={"help": "Held-out samples on which the workspace is looked into; 0 for none."}
    )
    num_proc: int = field(
        default_factory=lambda: os.cpu_count() or 1, metadata={"help": "Processes that make the samples."}
    )
    cache_dir: str | None = field(default=None, metadata={"help": "Keep the samples there."})
    serialized: bool = field(default=False, metadata={"help": "One line of text, no channels; baseline only."})
    tokenizer_name_or_path: str | None = field(
        default=None, metadata={"help": "A tokenizer; one is trained on the data if not given."}
    )
    phases: list[Phase] = field(default_factory=list, metadata={"help": "In the YAML file only."}, init=False)

    def __post_init__(self):
        for name in ("samples_scale", "eval_samples", "num_proc"):
            if getattr(self, name) <= 0:
                raise ValueError(f"`{name}` must be above 0, got {getattr(self, name)}.")
        if self.telemetry_samples < 0:
            raise ValueError(f"`telemetry_samples` must be 0 (none) or more, got {self.telemetry_samples}.")


def read_phases(phases: Any, scale: float) -> list[Phase]:
    """The curriculum listed in a YAML file, with the number of samples of each phase scaled."""
    if not isinstance(phases, list) or not phases:
        raise ValueError(
            "`phases`: the YAML file must list at least one phase of the curriculum, or name a data set that was "
            "built with `data`."
        )
    known = {entry.name for entry in fields(Phase)}
    for number, phase in enumerate(phases):
        if not isinstance(phase, dict) or not set(phase) <= known or not isinstance(phase.get("samples"), int):
            raise ValueError(
                f"`phases`: number {number + 1} must have `samples`, a whole number, and may have `builder`, "
                f"`name` and `passes`; got {phase!r}."
            )
    return [Phase(**{**phase, "samples": max(1, round(phase["samples"] * scale))}) for phase in phases]


def set_source(data_args: DataArguments, phases: Any) -> None:
    """
    Determines the source of the samples.

    Args:
        data_args (`DataArguments`): The parsed arguments; its phases are set.
        phases (`Any`): The value of `phases` in the YAML file, None if it has none.

    Raises:
        ValueError: There is no source or more than one, or a field that belongs to another source.
    """
    if data_args.data is None:
        data_args.phases = read_phases(phases, data_args.samples_scale)
        return
    if phases is not None:
        raise ValueError(
            "`data` and `phases` are both given: a run has one source of samples. Leave `data` out, or the phases out "
            "of the YAML file."
        )
    for name, instead in (("samples_scale", "max_steps"), ("data_seed_offset", "data_seed")):
        if getattr(data_args, name) != DataArguments.__dataclass_fields__[name].default:
            raise ValueError(f"`{name}` goes with `phases`; with `data` set `{instead}`.")


def named_model_type(argv: Sequence[str]) -> str | None:
    """The `model_type` of the command line, or else of the YAML file; None where neither has it."""
    for number, word in enumerate(argv):
        name, _, value = word.partition("=")
        if name in ("--model_type", "--model-type"):
            return value or (argv[number + 1] if number + 1 < len(argv) else None)
    path = Path(argv[0]) if argv and not argv[0].startswith("-") else None
    if path is None or not path.is_file():
        return None
    try:
        settings = yaml.safe_load(path.read_text())
    except yaml.YAMLError:
        # The parser of the fields reports errors in the file.
        return None
    return settings.get("model_type") if isinstance(settings, dict) else None


def parse_with_file(parser: HfArgumentParser, argv: Sequence[str], apart: str) -> tuple[tuple[Any, ...], Any]:
    """
    Reads `CONFIG.yaml --any_field value ...`; the command line wins.

    Args:
        parser (`HfArgumentParser`): Defines the fields.
        argv (`Sequence[str]`): The command line; it may begin with a file.
        apart (`str`): A field of the file that holds a list and is not an argument.

    Returns:
        The dataclasses of the parser, and the value of `apart` in the file, or None.

    Raises:
        ValueError: The file is missing, is not YAML, or has an unknown field; the message names it.
    """
    argv = list(argv)
    path = argv.pop(0) if argv and not argv[0].startswith("-") else None
    settings: dict[str, Any] = {}
    if path is not None:
        if not Path(path).is_file():
            raise ValueError(f"CONFIG: there is no file {path}.")
        try:
            settings = yaml.safe_load(Path(path).read_text()) or {}
        except yaml.YAMLError as error:
            raise ValueError(f"{path} is no YAML: {error}") from error
        if not isinstance(settings, dict):
            raise ValueError(f"{path}: must hold fields and their values, got a {type(settings).__name__}.")
    listed = settings.pop(apart, None)
    known = {action.dest for action in parser._actions} - {"help"}
    unknown = sorted(settings.keys() - known)
    if unknown:
        raise ValueError(f"{path}: no such field: {', '.join(unknown)}. `hf-duplex train --help` lists them all.")
    parser.set_defaults(**settings)
    for action in parser._actions:
        if action.dest in settings:
            action.required = False
    return parser.parse_args_into_dataclasses(args=argv), listed


def parse_arguments(argv: Sequence[str]) -> tuple[ModelArguments, DataArguments, TrainingArguments]:
    """
    Reads the arguments of a generator from scratch, as [`parse_with_file`] does.

    Raises:
        ValueError: As there; or the samples have no source, or more than one.
    """
    parser = HfArgumentParser((ModelArguments, DataArguments, TrainingArguments), prog="hf-duplex train")
    parser.usage = "hf-duplex train CONFIG.yaml [--any_field value ...]"
    (model_args, data_args, training_args), phases = parse_with_file(parser, argv, "phases")
    set_source(data_args, phases)
    return model_args, data_args, training_args
