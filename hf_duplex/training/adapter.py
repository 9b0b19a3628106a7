"""
Trains a duplex adapter on a frozen base: `hf-duplex train CONFIG.yaml` with `model_type: adapter`.

    hf-duplex train examples/configs/adapter_smollm2.yaml --output_dir runs/duplex-smollm2-135m
    hf-duplex train examples/configs/adapter_smollm2.yaml --mode spliced --output_dir runs/spliced
"""

import json
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset
from transformers import HfArgumentParser, Trainer, TrainerCallback, TrainingArguments, set_seed
from transformers.trainer_utils import get_last_checkpoint

from ..bases import load_base
from ..data.chat_encoding import ChatEncoder
from ..data.mix import MixedBatches, Source, read_sources
from ..modeling import DuplexAdapterConfig, DuplexAdapterForCausalLM, listen
from ..record import describe_machine, describe_versions


@dataclass
class AdapterArguments:
    """
    What is trained, and on what; the fields of [`DuplexAdapterConfig`] have its meaning.

    Args:
        model_type (`str`): `"adapter"`.
        base (`str`): The frozen base: `smollm2`, a folder, or a Hub name.
        base_name (`str`, *optional*): What the adapter calls its base; `base` where it is not given.
        adapter (`str`, *optional*): Go on from this adapter instead of a fresh one.
        data (`str`, *optional*): Conversations of your own, JSON lines, instead of `sources` in the YAML file.
        after_update (`float`): Share of batches in which the additions act from the first update on only.
        kl_weight (`float`): Weight of the divergence from the base on ordinary chat.
        compile_step (`bool`): Compile what a training step costs; it pays on a GPU.
        eval_samples (`int`): Held-out samples for the loss at the end.
    """

    model_type: str = field(default="adapter", metadata={"help": "adapter."})
    base: str = field(default="smollm2", metadata={"help": "Frozen base: smollm2, a folder, or a Hub name."})
    base_name: str | None = field(default=None, metadata={"help": "What the adapter calls its base."})
    adapter: str | None = field(default=None, metadata={"help": "Adapter to go on from."})
    data: str | None = field(default=None, metadata={"help": "Own conversations, JSON lines, instead of sources."})
    mode: str = field(default="workspace", metadata={"help": "workspace or spliced."})
    scope: str = field(default="always", metadata={"help": "always or after_update."})
    n_slots: int = field(default=2048, metadata={"help": "Incoming tokens that are kept."})
    lora_rank: int = field(default=16, metadata={"help": "Rank of the low-rank additions."})
    lora_alpha: int = field(default=32, metadata={"help": "Their scale, times the rank."})
    doubt_size: int = field(default=128, metadata={"help": "Width of the doubt head; 0 leaves it out."})
    notice_updates: bool = field(default=True, metadata={"help": "Mark the token that has just received an update."})
    after_update: float = field(default=0.0, metadata={"help": "Share of batches that act after an update only."})
    kl_weight: float = field(default=1.0, metadata={"help": "Weight of the divergence on ordinary chat."})
    compile_step: bool = field(default=False, metadata={"help": "Compile the training step; it pays on a GPU."})
    max_tokens: int = field(default=640, metadata={"help": "Longer samples are left out."})
    eval_samples: int = field(default=512, metadata={"help": "Held-out samples for the loss at the end."})
    max_seconds: float | None = field(default=None, metadata={"help": "Stop, saved, after so many seconds."})
    sources: list[Source] = field(default_factory=list, metadata={"help": "In the YAML file only."}, init=False)

    def config(self) -> DuplexAdapterConfig:
        """The configuration of a fresh adapter."""
        names = ("mode", "scope", "n_slots", "lora_rank", "lora_alpha", "doubt_size", "notice_updates")
        config = DuplexAdapterConfig(**{name: getattr(self, name) for name in names})
        config.base_model_name_or_path = self.base_name or self.base
        return config


def parse(argv: Sequence[str]) -> tuple[AdapterArguments, TrainingArguments]:
    """
    Reads `CONFIG.yaml --any_field value ...`; the command line wins.

    Raises:
        ValueError: A field is unknown, or there is nothing to train on; the message names it.
    """
    parser = HfArgumentParser((AdapterArguments, TrainingArguments), prog="hf-duplex train")
    argv = list(argv)
    path = argv.pop(0) if argv and not argv[0].startswith("-") else None
    settings: dict[str, Any] = {}
    if path is not None:
        settings = yaml.safe_load(Path(path).read_text()) or {}
    sources = settings.pop("sources", None)
    unknown = sorted(settings.keys() - {action.dest for action in parser._actions})
    if unknown:
        raise ValueError(f"{path}: no such field: {', '.join(unknown)}. `hf-duplex train --help` lists them all.")
    parser.set_defaults(**settings)
    for action in parser._actions:
        if action.dest in settings:
            action.required = False
    mine, training = parser.parse_args_into_dataclasses(args=argv)
    if mine.data is not None:
        mine.sources = [Source("data", path=mine.data)] + [
            source for source in (read_sources(sources) if sources else []) if source.kind == "chat"
        ]
    else:
        mine.sources = read_sources(sources)
    return mine, training


def divergence(model: DuplexAdapterForCausalLM, labels: torch.LongTensor, **streams: torch.Tensor) -> torch.Tensor:
    """
    KL divergence of the adapted model from its base, a token of ordinary chat: scalar, in nats.

    Args:
        labels (`torch.LongTensor` of shape `(batch, length)`): -100 where a token does not count.
        streams: As [`DuplexAdapterForCausalLM.forward`] takes them; without updates.
    """
    rows = len(labels)
    wanted = labels[:, 1:] != -100
    hidden = {}
    for acts in (False, True):
        with torch.set_grad_enabled(acts):
            flags = torch.full((rows,), acts, device=labels.device)
            hidden[acts] = model.hidden_states_of(acts=flags, **streams)[:, :-1][wanted]
    with torch.no_grad():
        target = model.logits(hidden[False]).float().log_softmax(-1)
    given = model.logits(hidden[True]).float().log_softmax(-1)
    return functional.kl_div(given, target, log_target=True, reduction="sum") / wanted.sum().clamp(min=1)


class AdapterTrainer(Trainer):
    """[`~transformers.Trainer`] on a stream of batches, with the divergence from the base beside the loss."""

    def __init__(self, *args: Any, kl_weight: float = 1.0, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.kl_weight = kl_weight
        self.model_accepts_loss_kwargs = False
        self.divergences: list[torch.Tensor] = []

    def get_train_dataloader(self) -> DataLoader:
        batches = self.train_dataset
        assert isinstance(batches, MixedBatches)
        batches.start = self.state.global_step
        workers = self.args.dataloader_num_workers
        return DataLoader(
            batches,
            batch_size=None,
            num_workers=workers,
            pin_memory=self.args.device.type == "cuda",
            prefetch_factor=4 if workers else None,
        )

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        chat = inputs.pop("chat", None)
        outputs = model(**inputs)
        loss = outputs.loss
        if chat is not None and self.kl_weight:
            chat.pop("attention_mask", None)
            away = divergence(self.accelerator.unwrap_model(model), **chat)
            self.divergences.append(away.detach())
            loss = loss + self.kl_weight * away
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        if self.divergences and "loss" in logs:
            logs["kl"] = float(torch.stack(self.divergences).mean())
            self.divergences = []
        super().log(logs, *args, **kwargs)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        return 0

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        self.accelerator.unwrap_model(self.model).save_pretrained(output_dir or self.args.output_dir)


class Clock(TrainerCallback):
    """Measures samples a second, once everything is warm, and stops after so many seconds."""

    def __init__(self, batch_size: int, seconds: float | None, warm: int = 60):
        self.batch_size, self.seconds, self.warm = batch_size, seconds, warm
        self.began = time.time()
        self.marks: list[tuple[int, float]] = []

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step % 20 == 0:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.marks.append((state.global_step, time.time()))
        if self.seconds is not None and time.time() - self.began > self.seconds:
            control.should_training_stop = True

    def samples_per_second(self) -> float | None:
        """Over the steps after the first few; None where there were not enough."""
        marks = self.marks[self.warm // 20 :]
        if len(marks) < 2:
            return None
        return round((marks[-1][0] - marks[0][0]) * self.batch_size / (marks[-1][1] - marks[0][1]), 1)


def compile_step(model: DuplexAdapterForCausalLM) -> None:
    """Compiles what repeats in every block, for any lengths: feed-forward, norms."""
    for layer in model.decoder.layers:
        for name, part in layer.named_children():
            if "norm" in name or name == "mlp":
                part.compile(dynamic=True)


class HeldOut(IterableDataset):
    """A few batches of the validation split."""

    def __init__(self, batches: list[dict[str, Any]]):
        self.batches = batches

    def __iter__(self):
        yield from self.batches


@torch.no_grad()
def held_out_loss(
    model: DuplexAdapterForCausalLM, sources: Sequence[Source], encoder: ChatEncoder, samples: int, batch_size: int
) -> dict[str, float]:
    """Loss a token on the validation split of each synthetic source."""
    from ..data.mix import ChannelCollator, Drawer

    collator, losses = ChannelCollator(encoder.tokenizer), {}
    # Logits at labels alone, as in training.
    model.train()
    for source in sources:
        if source.kind not in ("families", "everyday"):
            continue
        drawer = Drawer(source, encoder, seed=0, split="validation")
        drawn = [drawer(index) for index in range(samples)]
        total = count = 0.0
        for start in range(0, samples, batch_size):
            batch = {k: v.to(model.device) for k, v in collator(drawn[start : start + batch_size]).items()}
            tokens = int((batch["labels"][:, 1:] != -100).sum())
            total, count = total + float(model(**batch).loss) * tokens, count + tokens
        losses[source.kind] = total / count
    model.eval()
    return losses


def main(argv: Sequence[str] | None = None) -> None:
    """Parses the arguments, trains, and saves the adapter and the facts of the run."""
    argv = sys.argv[1:] if argv is None else list(argv)
    mine, args = parse(argv)
    args.remove_unused_columns = False
    args.label_names = ["labels"]
    set_seed(args.seed)
    on_gpu = args.device.type == "cuda"
    base, tokenizer = load_base(mine.base, dtype=torch.bfloat16 if on_gpu else torch.float32)
    base.to(args.device)
    if mine.adapter:
        model = listen(base, mine.adapter, scope=mine.scope)
    else:
        model = listen(base, mine.config())
    encoder = ChatEncoder(tokenizer, model.config.mode)
    model.config.system_prefix_ids = encoder.format.system_prefix()
    model.config.turn_end_token_id = tokenizer.eos_token_id
    for value in model.additions().values():
        value.requires_grad_(True)
        value.data = value.data.float()
    for module in model.modules():
        if hasattr(module, "cast_input_dtype_enabled"):
            # Autocast does it, without a copy in full precision.
            module.cast_input_dtype_enabled = False
    if mine.compile_step:
        compile_step(model)
    batches = MixedBatches(
        mine.sources,
        encoder,
        args.per_device_train_batch_size,
        seed=args.data_seed if args.data_seed is not None else args.seed,
        max_tokens=mine.max_tokens,
        after_update=mine.after_update,
    )
    if args.max_steps <= 0:
        raise ValueError("`max_steps` must be given: batches are drawn without end.")
    clock = Clock(args.per_device_train_batch_size, mine.max_seconds)
    trainer = AdapterTrainer(
        model=model,
        args=args,
        train_dataset=batches,
        processing_class=tokenizer,
        kl_weight=mine.kl_weight,
        callbacks=[clock],
    )
    last = get_last_checkpoint(args.output_dir) if Path(args.output_dir).is_dir() else None
    trainer.train(resume_from_checkpoint=args.resume_from_checkpoint or last)
    with torch.autocast(args.device.type, torch.bfloat16, enabled=args.bf16):
        losses = held_out_loss(model, mine.sources, encoder, mine.eval_samples, 128)
    model.eval()
    model.save_pretrained(args.output_dir, dtype=torch.bfloat16)
    earlier = Path(mine.adapter or "", "training.json")
    facts = {
        "command": f"hf-duplex train {shlex.join(argv)}",
        "model": {key: value for key, value in asdict(mine).items() if key != "sources"},
        "sources": [asdict(source) for source in mine.sources],
        "parameters": sum(value.numel() for value in model.additions().values()),
        "steps": trainer.state.global_step,
        "batch_size": args.per_device_train_batch_size,
        "samples": trainer.state.global_step * args.per_device_train_batch_size,
        "samples_per_second": clock.samples_per_second(),
        "learning_rate": args.learning_rate,
        "seed": args.seed,
        "machine": describe_machine(),
        "versions": describe_versions(),
        "seconds": round(time.time() - clock.began, 1),
        "validation_loss": losses,
        "log": trainer.state.log_history,
        "earlier": json.loads(earlier.read_text()) if mine.adapter and earlier.is_file() else None,
    }
    Path(args.output_dir, "training.json").write_text(json.dumps(facts, indent=2) + "\n")
