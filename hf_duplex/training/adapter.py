"""
Trains a duplex adapter on a frozen base: `hf-duplex train CONFIG.yaml` with `model_type: adapter`.

    hf-duplex train examples/configs/adapter_smollm2.yaml --output_dir runs/duplex-smollm2-135m
    hf-duplex train examples/configs/adapter_smollm2.yaml --mode spliced --output_dir runs/spliced
"""

import json
import math
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import send_to_device
from safetensors.torch import load_file
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from transformers import HfArgumentParser, Trainer, TrainerCallback, TrainingArguments, set_seed
from transformers.trainer_utils import get_last_checkpoint

from ..bases import load_base
from ..data.chat_encoding import ChatEncoder
from ..data.collators import ChannelCollator
from ..data.mix import Drawer, MixedBatches, Source, read_sources
from ..modeling import DuplexAdapterConfig, DuplexAdapterForCausalLM, listen
from ..modeling.adapter_files import WEIGHTS
from ..modeling.packed_adapter import Budget, PackedBatch
from ..record import describe_machine, describe_versions
from .arguments import parse_with_file
from .graphs import GraphedSteps


@dataclass
class AdapterArguments:
    """
    Arguments of adapter training; fields of [`DuplexAdapterConfig`] have the same meaning as there.

    Args:
        model_type (`str`): `"adapter"`.
        base (`str`): The frozen base: `smollm2`, a folder, or a Hub name.
        base_name (`str`, *optional*): The name of the base stored in the adapter; by default `base`.
        adapter (`str`, *optional*): Continue from this adapter instead of a fresh one.
        data (`str`, *optional*): Conversations of your own, JSON lines, instead of `sources` in the YAML file.
        after_update (`float`): Share of batches in which the additions act only from the first update on.
        kl_weight (`float`): Weight of the divergence from the base on ordinary chat.
        compile_step (`bool`): Compile the expensive parts of a training step; it pays on a GPU.
        capture_step (`bool`): Replay training steps as CUDA graphs; it pays on a GPU.
        incoming_tokens, emitted_tokens (`int`): Capacity of a batch, in tokens for each conversation of
            `per_device_train_batch_size`. Batches are packed, so these are means.
        base_noise (`float`): Noise on the weights of the base during training, half of the time, in steps of 4-bit
            quantization: so that the adapter does not depend on the rounding of one copy.
        max_seconds (`float`, *optional*): Save and stop after so many seconds.
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
    base_noise: float = field(default=0.0, metadata={"help": "Noise on the base, in steps of 4-bit quantization."})
    capture_step: bool = field(default=False, metadata={"help": "Replay training steps as CUDA graphs."})
    incoming_tokens: int = field(default=110, metadata={"help": "Incoming tokens of a batch, a conversation."})
    emitted_tokens: int = field(default=58, metadata={"help": "Emitted tokens of a batch, a conversation."})
    eval_samples: int = field(default=512, metadata={"help": "Held-out samples for the loss at the end."})
    max_seconds: float | None = field(default=None, metadata={"help": "Stop, saved, after so many seconds."})
    sources: list[Source] = field(default_factory=list, metadata={"help": "In the YAML file only."}, init=False)

    def budget(self, rows: int) -> Budget:
        """The capacity of a batch of so many conversations."""
        # Allows more conversations where they are short, so that the token budget is used.
        most = rows + -(-rows // 4)
        if self.mode == "workspace":
            return Budget(self.incoming_tokens * rows, self.emitted_tokens * rows, most)
        return Budget(0, (self.incoming_tokens + self.emitted_tokens + 16) * rows, most, 1, 896)

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
        ValueError: A field is unknown, or there is no training data; the message names it.
    """
    parser = HfArgumentParser((AdapterArguments, TrainingArguments), prog="hf-duplex train")
    parser.usage = "hf-duplex train CONFIG.yaml [--any_field value ...]"
    (mine, training), sources = parse_with_file(parser, argv, "sources")
    if mine.data is not None:
        mine.sources = [Source("data", path=mine.data)] + [
            source for source in (read_sources(sources) if sources else []) if source.kind == "chat"
        ]
    else:
        mine.sources = read_sources(sources)
    return mine, training


def divergence(model: DuplexAdapterForCausalLM, batch: PackedBatch) -> torch.Tensor:
    """KL divergence of the adapted model from its base per label of ordinary chat without updates: scalar, in nats."""
    off = replace(
        batch, factors=torch.zeros_like(batch.ids).float(), emitted_factors=torch.zeros_like(batch.labels).float()
    )
    wanted = batch.labels != -100
    with torch.no_grad():
        target = model.logits(model.packed_hidden(off))
    away = summed_divergence(model.logits(model.packed_hidden(batch)), target, wanted)
    return away / wanted.sum().clamp(min=1)


def summed_divergence(given: torch.Tensor, target: torch.Tensor, wanted: torch.BoolTensor) -> torch.Tensor:
    """KL divergence between two sets of logits `(tokens, vocabulary)`, summed over the selected tokens."""
    target, given = target.float().log_softmax(-1), given.float().log_softmax(-1)
    away = functional.kl_div(given, target, log_target=True, reduction="none")
    return away.masked_fill(~wanted[:, None], 0.0).sum()


class AdapterTrainer(Trainer):
    """
    [`~transformers.Trainer`] on a stream of packed batches, with the divergence from the base added to the loss.

    Args:
        kl_weight (`float`, *optional*, defaults to 1.0): Weight of the divergence.
        capture_step (`bool`, *optional*, defaults to `False`): Replay forward and backward as CUDA graphs; see
            [`~hf_duplex.training.graphs.GraphedSteps`].
        seconds (`float`, *optional*): Duration of training; the learning rate then follows the clock.

    All other arguments are those of the Trainer.
    """

    lr_scheduler: Any

    def __init__(
        self,
        *args: Any,
        kl_weight: float = 1.0,
        capture_step: bool = False,
        seconds: float | None = None,
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        self.seconds = seconds
        self.kl_weight = kl_weight
        self.model_accepts_loss_kwargs = False
        self.divergence = torch.zeros((), device=self.args.device)
        self.samples = 0
        self.graphed = GraphedSteps(self.model, self.loss_of) if capture_step else None

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

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> Any:
        """The schedule of the arguments; with `max_seconds` a cosine over that time, regardless of speed."""
        seconds = self.seconds
        if seconds is None or self.lr_scheduler is not None:
            return super().create_scheduler(num_training_steps, optimizer)
        began, warm = time.time(), max(1, self.args.warmup_steps)

        def share(step: int) -> float:
            passed = min(1.0, (time.time() - began) / seconds)
            return min(1.0, (step + 1) / warm) * (0.02 + 0.98 * (1 + math.cos(math.pi * passed)) / 2)

        self.lr_scheduler = LambdaLR(optimizer or self.optimizer, share)
        return self.lr_scheduler

    def loss_of(self, batch: dict[str, Any]) -> torch.Tensor:
        """The loss of one batch that is on the device."""
        # The Trainer applies this around `forward`, which packed batches bypass.
        with torch.autocast(self.args.device.type, torch.bfloat16, enabled=self.args.bf16):
            model = self.accelerator.unwrap_model(self.model, keep_torch_compile=False)
            loss = model.packed_loss(PackedBatch(**batch["layout"]))
            if "chat" in batch and self.kl_weight:
                away = divergence(model, PackedBatch(**batch["chat"]))
                self.divergence.copy_(away.detach())
                loss = loss + self.kl_weight * away
        return loss

    def training_step(self, model, inputs, num_items_in_batch=None) -> torch.Tensor:
        """Forward and backward of one batch."""
        self.samples += int(inputs.pop("samples"))
        model.train()
        inputs = send_to_device(inputs, self.args.device, non_blocking=True)
        if self.graphed is not None:
            return self.graphed(inputs)
        loss = self.loss_of(inputs)
        self.accelerator.backward(loss)
        return loss.detach()

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        if "loss" in logs:
            logs["kl"], logs["samples"] = float(self.divergence), self.samples
        super().log(logs, *args, **kwargs)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        return 0

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        unwrapped = self.accelerator.unwrap_model(self.model if model is None else model)
        unwrapped.load_additions(load_file(Path(resume_from_checkpoint, WEIGHTS)))

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        self.accelerator.unwrap_model(self.model).save_pretrained(output_dir or self.args.output_dir)


class Clock(TrainerCallback):
    """Measures samples per second after warm-up, and stops after so many seconds."""

    def __init__(self, seconds: float | None, warm: int = 100):
        self.seconds, self.warm = seconds, warm
        self.trainer: AdapterTrainer | None = None
        self.began = time.time()
        self.marks: list[tuple[int, float]] = []

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step % 20 == 0 and state.global_step >= self.warm and self.trainer is not None:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.marks.append((self.trainer.samples, time.time()))
        if self.seconds is not None and time.time() - self.began > self.seconds:
            control.should_training_stop = True

    def samples_per_second(self) -> float | None:
        """Over the steps after the first few; None if there were not enough."""
        if len(self.marks) < 2:
            return None
        (first, start), (last, end) = self.marks[0], self.marks[-1]
        return round((last - first) / (end - start), 1)


def quantization_steps(weight: torch.Tensor, block: int = 32) -> torch.Tensor:
    """The step of 4-bit quantization (Q4_1) at each weight of a matrix `(out, in)`: range of its block / 15."""
    blocks = weight.float().unflatten(-1, (-1, block))
    steps = (blocks.amax(-1, keepdim=True) - blocks.amin(-1, keepdim=True)) / 15
    return steps.expand_as(blocks).flatten(-2)


class NoisyBase(TrainerCallback):
    """Adds noise of the size of a rounding error, or none, to the matrices of the base; redrawn every few steps."""

    def __init__(self, model: DuplexAdapterForCausalLM, size: float, every: int = 20):
        self.every, self.size = every, size
        matrices = (p for name, p in model.decoder.layers.named_parameters() if p.dim() == 2 and "lora_" not in name)
        self.matrices = [(p, p.detach().clone()) for p in matrices if p.shape[1] % 32 == 0]

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step % self.every == 0:
            noisy = state.global_step // self.every % 2 == 1
            for parameter, clean in self.matrices:
                parameter.data.copy_(clean)
                if noisy:
                    noise = (torch.rand_like(clean, dtype=torch.float32) - 0.5) * quantization_steps(clean)
                    parameter.data.add_(self.size * noise)

    def on_train_end(self, args, state, control, **kwargs):
        for parameter, clean in self.matrices:
            parameter.data.copy_(clean)


def compile_step(model: DuplexAdapterForCausalLM) -> None:
    """Compiles the blocks, for any lengths, and the loss, but not attention."""
    # With and without gradient, with and without additions, for each sequence of a batch.
    torch._dynamo.config.recompile_limit = 64
    for layer in model.decoder.layers:
        layer.compile(dynamic=True)
    # The loss then reads the logits once, without a copy in full precision.
    model.summed_loss = torch.compile(model.summed_loss)  # type: ignore[method-assign]


@torch.no_grad()
def held_out_loss(
    model: DuplexAdapterForCausalLM, sources: Sequence[Source], encoder: ChatEncoder, samples: int, batch_size: int
) -> dict[str, float]:
    """Loss per token on the validation split of each synthetic source."""
    collator, losses = ChannelCollator(encoder.tokenizer), {}
    # Logits at labels only, as in training.
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
    if args.max_steps <= 0:
        raise ValueError("`max_steps` must be given: batches are drawn without end.")
    for source in mine.sources:
        if source.path is not None:
            # Report a wrong line before anything is loaded.
            source.load()
    args.remove_unused_columns = False
    # This would wait for the device after each step.
    args.logging_nan_inf_filter = False
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
            # Autocast does this without a copy in full precision.
            module.cast_input_dtype_enabled = False
    if mine.compile_step:
        compile_step(model)
    seed = args.data_seed if args.data_seed is not None else args.seed
    budget = mine.budget(args.per_device_train_batch_size)
    batches = MixedBatches(mine.sources, encoder, model.config, budget, seed, mine.after_update)
    clock = Clock(mine.max_seconds)
    trainer = AdapterTrainer(
        model=model,
        args=args,
        train_dataset=batches,
        processing_class=tokenizer,
        kl_weight=mine.kl_weight,
        capture_step=mine.capture_step,
        seconds=mine.max_seconds,
        callbacks=[clock, *([NoisyBase(model, mine.base_noise)] if mine.base_noise else [])],
    )
    clock.trainer = trainer
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
        "samples": trainer.samples,
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
