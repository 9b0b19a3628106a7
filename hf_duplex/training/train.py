"""
Trains a generator on a curriculum, on a built data set, or on a user's own conversations.

    hf-duplex train examples/configs/two_families.yaml --model_type baseline --output_dir runs/baseline
    hf-duplex train --data DIR --num_train_epochs 1 --output_dir runs/workspace
    hf-duplex train --data my.jsonl --num_train_epochs 10 --output_dir runs/mine
    accelerate launch --config_file examples/accelerate/ddp.yaml -m hf_duplex.training.train \
        examples/configs/two_families.yaml --output_dir runs/workspace
"""

import json
import os
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset, Subset
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    set_seed,
)
from transformers.trainer_utils import get_last_checkpoint

from dataset_builder import Builder, BuilderConfig

from ..data import (
    ChannelCollator,
    Conversation,
    CurriculumDataset,
    OwnDataset,
    Phase,
    SerializedCollator,
    ShardDataset,
    encode_conversation,
    train_tokenizer,
)
from ..data.own import is_own_data, read_splits
from ..data.streaming import first_texts, open_split
from ..modeling.layers import DuplexDecoderLayer
from ..modeling.update_rule import UpdateRule
from ..record import describe_machine, describe_versions
from .arguments import DataArguments, ModelArguments, named_model_type, parse_arguments
from .telemetry import Telemetry
from .trainer import DuplexTrainer


TOKENIZER_SAMPLES = 10_000


def texts(phases: Sequence[Phase], count: int) -> Iterator[str]:
    """Prompts, updates and emitted texts of the last phase, which has the widest variety."""
    for sample in Builder(BuilderConfig(**phases[-1].builder)).samples(count):
        yield sample.prompt
        yield sample.target
        yield from (update["text"] for update in sample.updates)


def load_tokenizer(name: str | None, texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerBase:
    """The tokenizer of that name or path, or one trained on texts if there is none."""
    return AutoTokenizer.from_pretrained(name) if name else train_tokenizer(texts, vocab_size)


OwnSplits = tuple[list[Conversation], list[Conversation]]


def check_data(data: str | None) -> OwnSplits | None:
    """
    Checks `data` before the model is created.

    Returns:
        A user's own conversations, for training and held out; None for a built data set, and for phases.

    Raises:
        ValueError: `data` cannot be read, is of another format, or has a wrong line.
    """
    if data is None:
        return None
    if is_own_data(data):
        try:
            return read_splits(data)
        except ValueError as error:
            raise ValueError(f"`data`: {error}") from error
    for split in ("train", "validation"):
        open_split(data, split)
    return None


def training_texts(data_args: DataArguments, own: OwnSplits | None = None) -> Iterator[str]:
    """The texts that a tokenizer is trained on."""
    if own is not None:
        return (text for conversation in islice(own[0], TOKENIZER_SAMPLES) for text in conversation.texts())
    if data_args.data is None:
        return texts(data_args.phases, TOKENIZER_SAMPLES)
    return first_texts(data_args.data, TOKENIZER_SAMPLES)


def load_datasets(
    data_args: DataArguments,
    tokenizer: PreTrainedTokenizerBase,
    seed: int,
    own: OwnSplits | None = None,
    max_message_length: int | None = None,
) -> tuple[Dataset, Dataset]:
    """The samples to train on, and held-out ones."""
    if own is not None:
        encode = partial(encode_conversation, tokenizer, max_message_length=max_message_length)
        return OwnDataset(own[0], encode), OwnDataset(own[1][: data_args.eval_samples], encode)
    if data_args.data is not None:
        # Each worker encodes separately; tokenizers must be configured before the fork.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        held_out = ShardDataset(data_args.data, tokenizer, split="validation")
        few = range(min(data_args.eval_samples, len(held_out)))
        return ShardDataset(data_args.data, tokenizer), Subset(held_out, few)
    made: dict[str, Any] = {"num_proc": data_args.num_proc, "cache_dir": data_args.cache_dir}
    last = [Phase(data_args.eval_samples, data_args.phases[-1].builder)]
    return (
        CurriculumDataset(data_args.phases, tokenizer, seed=seed + data_args.data_seed_offset, **made),
        CurriculumDataset(last, tokenizer, split="validation", **made),
    )


def check_fit(config: PreTrainedConfig, model_args: ModelArguments, tokenizer: PreTrainedTokenizerBase) -> None:
    """Raises `ValueError` if model, arguments and tokenizer do not match."""
    if config.model_type != f"duplex_{model_args.model_type}":
        raise ValueError(
            f"`model_type` is {model_args.model_type!r}, but {model_args.model_name_or_path} is a {config.model_type}."
        )
    if len(tokenizer) > config.vocab_size:
        raise ValueError(f"`vocab_size` is {config.vocab_size}, too small for the {len(tokenizer)} tokens there are.")
    for name, used in (("pad", "pad"), ("bos", "bos"), ("eos", "eos"), ("sep", "message_separator")):
        given, wanted = getattr(tokenizer, f"{name}_token_id"), getattr(config, f"{used}_token_id")
        if given != wanted and not (name == "sep" and wanted is None):
            raise ValueError(
                f"`tokenizer_name_or_path`: its {name} token is {given}, that of the model {wanted}; "
                "use a tokenizer that `hf_duplex.data.train_tokenizer` made."
            )


def compile_step(model: PreTrainedModel) -> None:
    """
    Compiles the expensive parts of a training step, for any lengths: the blocks (equal ones share their code, so it
    takes seconds), the update rule, and the loss.
    """
    for module in model.modules():
        if isinstance(module, DuplexDecoderLayer):
            module.compile(dynamic=True)
        elif isinstance(module, UpdateRule):
            setattr(module, "all_versions", torch.compile(module.all_versions, dynamic=True))  # noqa: B010  mypy
    model.loss_function = torch.compile(model.loss_function, dynamic=True)


def earlier_run(name: str | None) -> dict | None:
    """The recorded facts of the run that this one continues, if any."""
    path = Path(name or "", "training.json")
    if name is None or not path.is_file():
        return None
    return {key: value for key, value in json.loads(path.read_text()).items() if key != "log"}


def main(argv: Sequence[str] | None = None) -> None:
    """Parses the arguments, trains, evaluates, and saves model, tokenizer and the facts of the run."""
    argv = sys.argv[1:] if argv is None else argv
    if named_model_type(argv) == "adapter":
        from .adapter import main as train_adapter

        train_adapter(argv)
        return
    model_args, data_args, args = parse_arguments(argv)
    if data_args.serialized and model_args.model_type != "baseline":
        raise ValueError("`serialized` is for `model_type=baseline`: the others need the streams apart.")
    own = check_data(data_args.data)
    args.remove_unused_columns = False
    if args.ddp_find_unused_parameters is None:
        # In a phase without updates the encoder of the dual stream is unused.
        args.ddp_find_unused_parameters = True
    set_seed(args.seed)
    # A checkpoint keeps the tokenizer that it was trained with.
    tokenizer_name = data_args.tokenizer_name_or_path or model_args.model_name_or_path
    tokenizer = load_tokenizer(tokenizer_name, training_texts(data_args, own), model_args.vocab_size)
    if model_args.model_name_or_path:
        model = AutoModelForCausalLM.from_pretrained(model_args.model_name_or_path, dtype=torch.float32)
    else:
        model = AutoModelForCausalLM.from_config(model_args.config())
    check_fit(model.config, model_args, tokenizer)
    if model_args.compile_step:
        compile_step(model)

    longest = model.config.max_message_length
    train_dataset, eval_dataset = load_datasets(data_args, tokenizer, args.seed, own, longest)
    telemetry = None
    if data_args.telemetry_samples and model_args.model_type != "baseline":
        telemetry = Telemetry.from_samples(eval_dataset, ChannelCollator(tokenizer), data_args.telemetry_samples)
    trainer = DuplexTrainer(
        model=model,
        args=args,
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        data_collator=(SerializedCollator if data_args.serialized else ChannelCollator)(tokenizer),
        processing_class=tokenizer,
        telemetry=telemetry,
        muon=model_args.muon,
        capture_step=model_args.capture_step,
    )
    last = get_last_checkpoint(args.output_dir) if Path(args.output_dir).is_dir() else None
    checkpoint = args.resume_from_checkpoint or last
    if checkpoint and trainer.is_world_process_zero():
        print(f"Going on from {checkpoint}; another `output_dir` starts anew.", file=sys.stderr)
    # Once the model is sharded, each process counts only its own share.
    parameters = model.num_parameters()
    started = time.time()
    trainer.train(resume_from_checkpoint=checkpoint)
    # The Trainer turns the cache off for training; that setting must not be saved.
    model.config.use_cache = True
    metrics = trainer.evaluate()
    trainer.save_model()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    batch_size = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
    if trainer.is_world_process_zero():
        facts = {
            "command": f"hf-duplex train {shlex.join(argv)}",
            "model": asdict(model_args),
            "data": asdict(data_args),
            "parameters": parameters,
            "steps": trainer.state.global_step,
            "samples": min(len(train_dataset), trainer.state.global_step * batch_size),
            "batch_size": batch_size,
            "learning_rate": args.learning_rate,
            "seed": args.seed,
            "machine": describe_machine(),
            "versions": describe_versions(),
            "seconds_since_last_resume": round(time.time() - started, 1),
            "train_loss": losses[-1] if losses else None,
            "eval_loss": metrics["eval_loss"],
            "log": trainer.state.log_history,
            "earlier": earlier_run(model_args.model_name_or_path),
        }
        Path(args.output_dir, "training.json").write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
