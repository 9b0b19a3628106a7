"""
Trains a generator on a curriculum.

    hf-duplex train examples/configs/two_families.yaml --model_type baseline --output_dir runs/baseline
    accelerate launch -m hf_duplex.training.train examples/configs/two_families.yaml --output_dir runs/workspace
"""

import json
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from dataset_builder import Builder, BuilderConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase, set_seed
from transformers.trainer_utils import get_last_checkpoint

from ..data import ChannelCollator, CurriculumDataset, Phase, SerializedCollator, train_tokenizer
from ..evaluation.record import describe_machine, describe_versions
from .arguments import parse_arguments
from .trainer import DuplexTrainer


TOKENIZER_SAMPLES = 10_000


def texts(phases: Sequence[Phase], count: int) -> Iterator[str]:
    """Prompts, updates and emitted texts of the last phase, which has the widest variety."""
    for sample in Builder(BuilderConfig(**phases[-1].builder)).samples(count):
        yield sample.prompt
        yield sample.target
        yield from (update["text"] for update in sample.updates)


def load_tokenizer(name: str | None, phases: Sequence[Phase], vocab_size: int) -> PreTrainedTokenizerBase:
    if name is not None:
        return AutoTokenizer.from_pretrained(name)
    return train_tokenizer(texts(phases, TOKENIZER_SAMPLES), vocab_size)


def main(argv: Sequence[str] | None = None) -> None:
    """Parses the arguments, trains, evaluates, and saves model, tokenizer and the facts of the run."""
    argv = sys.argv[1:] if argv is None else argv
    model_args, data_args, args = parse_arguments(argv)
    if data_args.serialized and model_args.model_type != "baseline":
        raise ValueError("`serialized` is for `model_type=baseline`: the others need the streams apart.")
    args.remove_unused_columns = False
    set_seed(args.seed)
    tokenizer = load_tokenizer(data_args.tokenizer_name_or_path, data_args.phases, model_args.vocab_size)
    if model_args.model_name_or_path:
        model = AutoModelForCausalLM.from_pretrained(model_args.model_name_or_path)
    else:
        model = AutoModelForCausalLM.from_config(model_args.config())

    made = {"num_proc": data_args.num_proc, "cache_dir": data_args.cache_dir}
    seed = args.seed + data_args.data_seed_offset
    train_dataset = CurriculumDataset(data_args.phases, tokenizer, seed=seed, **made)
    held_out = [Phase(data_args.eval_samples, data_args.phases[-1].builder)]
    eval_dataset = CurriculumDataset(held_out, tokenizer, split="validation", **made)
    trainer = DuplexTrainer(
        model=model,
        args=args,
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        data_collator=(SerializedCollator if data_args.serialized else ChannelCollator)(tokenizer),
        processing_class=tokenizer,
    )
    last = get_last_checkpoint(args.output_dir) if Path(args.output_dir).is_dir() else None
    started = time.time()
    result = trainer.train(resume_from_checkpoint=args.resume_from_checkpoint or last)
    metrics = trainer.evaluate()
    trainer.save_model()
    if trainer.is_world_process_zero():
        facts = {
            "command": f"hf-duplex train {shlex.join(argv)}",
            "model": asdict(model_args),
            "data": asdict(data_args),
            "parameters": model.num_parameters(),
            "steps": trainer.state.global_step,
            "samples": len(train_dataset),
            "batch_size": args.train_batch_size * args.gradient_accumulation_steps * args.world_size,
            "learning_rate": args.learning_rate,
            "seed": args.seed,
            "machine": describe_machine(),
            "versions": describe_versions(),
            "seconds_since_last_resume": round(time.time() - started, 1),
            "train_loss": result.training_loss,
            "eval_loss": metrics["eval_loss"],
            "log": trainer.state.log_history,
        }
        Path(args.output_dir, "training.json").write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
