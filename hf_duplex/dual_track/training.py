"""Trains the tracks of a dual-track model on an annotated corpus, with the Trainer.

    # Step 1 (a and b), step 2, stage B:
    python -m hf_duplex.dual_track.training BASE CORPUS --output_dir runs/reflect
    python -m hf_duplex.dual_track.training BASE CORPUS --adapter runs/reflect --step connect ...
    python -m hf_duplex.dual_track.training BASE CORPUS --adapter runs/connect --step latent --latent_tokens 2 ...

BASE is a language model of the Llama family; CORPUS a folder with train.jsonl and validation.jsonl as `hf-duplex data
reflection` makes them. Weights of the base are not stored.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import HfArgumentParser, Trainer, TrainingArguments

from ..bases import find_base
from ..record import command_line, describe_machine, describe_versions
from .data import ReflectionCollator, base_tokenizer, encode_dialogue, read_rows
from .modeling.configuration_dual_track import DualTrackConfig
from .modeling.modeling_dual_track import STEPS, DualTrackForCausalLM
from .modeling.reflection import boundary_ids_of, forbidden_ids_of


@dataclass
class ReflectionArguments:
    """
    Args:
        base (`str`): The base: `smollm2`, a folder or a Hub name.
        corpus (`str`): Folder of the corpus.
        adapter (`str`, *optional*): Tracks to go on from.
        step (`str`, *optional*, defaults to `"reflect"`): What to train, of `STEPS`.
        max_length (`int`, *optional*, defaults to 1024): Content tokens of a sample.
        samples (`int`, *optional*): Dialogues to train on, all if not given.
        latent_tokens (`int`, *optional*, defaults to 0): Query tokens of a thought, in stage B.
        settings (`str`, *optional*, defaults to `"{}"`): Other fields of `DualTrackConfig`, as JSON.
    """

    base: str
    corpus: str
    adapter: str | None = None
    step: str = "reflect"
    max_length: int = 1024
    samples: int | None = None
    latent_tokens: int = 0
    settings: str = field(default="{}")


class Corpus(torch.utils.data.Dataset):
    """Rows of a file, encoded once."""

    def __init__(self, path: Path, tokenizer, config: DualTrackConfig, max_length: int, samples: int | None = None):
        encoded = [encode_dialogue(row, tokenizer, config, max_length) for row in read_rows(path, samples)]
        self.rows = [row for row in encoded if row["thoughts"]]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.rows[index]


class ReflectionTrainer(Trainer):
    """Keeps the last value of each loss for the log."""

    def compute_loss(self, model, inputs, return_outputs=False, **kwargs):
        """As in Trainer; the parts of the loss are logged beside it."""
        output = model(**inputs)
        for name in ("thought_loss", "activation_loss", "connection_loss", "operation_loss", "attention_entropy"):
            if output.get(name) is not None:
                self.parts = getattr(self, "parts", {}) | {name: round(float(output[name].detach()), 4)}
        return (output.loss, output) if return_outputs else output.loss

    def log(self, logs, *args, **kwargs):
        """As in Trainer."""
        super().log(logs | (getattr(self, "parts", {}) if "loss" in logs else {}), *args, **kwargs)


def make_model(args: ReflectionArguments, tokenizer) -> DualTrackForCausalLM:
    """
    New tracks, or those of an adapter, ready for a step.

    Raises:
        ValueError: A step after the first has no adapter to go on from; the base is of another family.
    """
    if args.step not in STEPS:
        raise ValueError(f"`step` must be one of {', '.join(STEPS)}, not {args.step!r}.")
    settings = json.loads(args.settings)
    base = str(find_base(args.base))
    if args.adapter is None:
        if args.step != "reflect":
            raise ValueError(
                f"`adapter`: step {args.step!r} goes on from tracks that were trained to reflect; name them."
            )
        model = DualTrackForCausalLM.from_base(base, boundary_ids=boundary_ids_of(tokenizer), **settings)
        model.config.base_model = args.base
    else:
        model = DualTrackForCausalLM.from_pretrained(args.adapter, base=base, dtype=torch.float32)
        if args.step == "latent" and not model.config.latent_tokens:
            if args.latent_tokens < 1:
                raise ValueError(f"`latent_tokens` must be at least 1 in stage B, not {args.latent_tokens}.")
            settings["latent_tokens"] = args.latent_tokens
        if settings:
            model = with_settings(model, **settings)
    model.forbid(forbidden_ids_of(tokenizer))
    model.freeze_for(args.step)
    return model


def with_settings(model: DualTrackForCausalLM, **settings: Any) -> DualTrackForCausalLM:
    """
    The same tracks with other settings. Query tokens that are new (stage B) begin near the mean of the control tokens,
    a codebook that is new (stage C) at random.
    """
    changed = DualTrackForCausalLM(type(model.config).from_dict(model.config.to_dict() | settings))
    old = model.control_embeddings.weight
    state = {name: value for name, value in model.state_dict().items() if name != "control_embeddings.weight"}
    changed.load_state_dict(state, strict=False)
    with torch.no_grad():
        new = changed.control_embeddings.weight
        noise = torch.randn(len(new) - len(old), old.shape[1], generator=torch.Generator().manual_seed(0)) * old.std()
        new.copy_(torch.cat([old, old.mean(0) + noise.to(old)]))
    changed.generation_config = model.generation_config
    return changed


def main(arguments: list[str] | None = None) -> None:
    """Parses arguments, trains, saves the tracks and `training.json`."""
    import sys

    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) >= 2 and not given[0].startswith("-") and not given[1].startswith("-"):
        given = ["--base", given[0], "--corpus", given[1], *given[2:]]
    args, training = HfArgumentParser((ReflectionArguments, TrainingArguments)).parse_args_into_dataclasses(given)
    training.remove_unused_columns = False
    training.label_names = ["thought_ids"]
    tokenizer = base_tokenizer(args.base)
    model = make_model(args, tokenizer)
    if training.bf16:
        model.backbone.to(torch.bfloat16)
    corpus = Path(args.corpus)
    train = Corpus(corpus / "train.jsonl", tokenizer, model.config, args.max_length, args.samples)
    held = Corpus(corpus / "validation.jsonl", tokenizer, model.config, args.max_length, 64)
    trainer = ReflectionTrainer(
        model=model,
        args=training,
        train_dataset=train,
        eval_dataset=held,
        data_collator=ReflectionCollator(model.config, tokenizer.pad_token_id),
    )
    result = trainer.train(resume_from_checkpoint=training.resume_from_checkpoint)
    model.to(torch.float32).save_pretrained(training.output_dir)
    facts = {
        "command": command_line(),
        "step": args.step,
        "dialogues": len(train),
        "steps": trainer.state.global_step,
        "batch_size": training.per_device_train_batch_size,
        "learning_rate": training.learning_rate,
        "seconds": round(result.metrics["train_runtime"], 1),
        "trained_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "machine": describe_machine(),
        "versions": describe_versions(),
        "log": trainer.state.log_history,
    }
    Path(training.output_dir, f"training_{args.step}.json").write_text(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main()
