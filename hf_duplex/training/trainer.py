"""A Trainer that keeps the order of a curriculum, and that of shards on disk."""

import math
import time
from collections import defaultdict
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Sampler
from transformers import Trainer

from ..data import (
    CurriculumDataset,
    CurriculumSampler,
    LayoutCollator,
    OwnDataset,
    OwnSampler,
    ShardDataset,
    ShardSampler,
)
from .graphs import GraphedSteps
from .muon import MuonAdamW, matrices_of
from .telemetry import Telemetry


def widen_scalars(model: nn.Module) -> list[str]:
    """
    Reshapes 0-dimensional parameters to size 1, since FSDP cannot shard them. They broadcast as before.

    Args:
        model (`nn.Module`): Changed in place, before it is sharded.

    Returns:
        `list[str]`: Their names.
    """
    names = [name for name, parameter in model.named_parameters() if parameter.dim() == 0]
    for name in names:
        owner, _, own = name.rpartition(".")
        module = model.get_submodule(owner)
        scalar = getattr(module, own)
        setattr(module, own, nn.Parameter(scalar.detach().reshape(1), requires_grad=scalar.requires_grad))
    return names


class DuplexTrainer(Trainer):
    """
    [`~transformers.Trainer`] for the three generators. A [`CurriculumDataset`] is read in its order, since each sample
    was already drawn at random; samples of similar length are batched. A [`ShardDataset`] is read shard by shard, in
    an order that depends on the data seed and the epoch. An [`OwnDataset`] is shuffled for each epoch; samples of
    similar length are batched.

    The global batch does not depend on the number of processes, and a resumed run continues with the next sample. If
    the last batch of an epoch is not full, accelerate fills it with samples of the first, so that all processes have
    equally many; `dataloader_drop_last` drops it instead.

    Args:
        telemetry ([`Telemetry`], *optional*): Its measurements are logged with the loss, to whatever `report_to`
            names. A model that is sharded over processes is not measured.
        muon (`bool`, *optional*, defaults to `False`): Update matrices with [`MuonAdamW`], regardless of `optim`.
        capture_step (`bool`, *optional*, defaults to `False`): Compute the layout of training batches beforehand, and
            replay their forward and backward as CUDA graphs; see [`GraphedSteps`].

    Raises:
        ValueError: Muon is combined with FSDP (it needs whole matrices), or steps cannot be captured here.

    All other arguments are those of the Trainer.
    """

    data_collator: Any
    optimizer: Any

    def __init__(
        self,
        *args: Any,
        telemetry: Telemetry | None = None,
        muon: bool = False,
        capture_step: bool = False,
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        self.telemetry, self.muon = telemetry, muon
        self.graphed = self._graphed() if capture_step else None
        if muon and self.is_fsdp_enabled:
            raise ValueError("`muon` needs every matrix whole and cannot go with FSDP: leave it out, or use DDP.")
        self.size: int | None = None
        self.logged_at: tuple[int, float] | None = None
        self.skipped = 0
        self.whole_class = type(self.model)
        self.widened = widen_scalars(self.model) if self.is_fsdp_enabled else []

    def _graphed(self) -> GraphedSteps:
        alone = self.args.world_size == 1 and self.args.n_gpu == 1 and self.args.gradient_accumulation_steps == 1
        if not alone or self.args.device.type != "cuda":
            raise ValueError(
                "`capture_step` needs one process with one CUDA device, and no gradient accumulation: leave it out."
            )

        def loss_of(batch: dict) -> torch.Tensor:
            with self.compute_loss_context_manager():
                return self.compute_loss(self.model, batch)

        return GraphedSteps(self.model, loss_of)

    def get_train_dataloader(self) -> DataLoader:
        """Batches of the collator, with the model's layout where steps are captured."""
        if self.graphed is None:
            return super().get_train_dataloader()
        collator, decoder = self.data_collator, self.model.base_model
        # Depends on the configuration alone: workers have no model.
        self.data_collator = LayoutCollator(collator, partial(type(decoder).lay_out, decoder.config))
        try:
            return super().get_train_dataloader()
        finally:
            self.data_collator = collator

    def training_step(self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch=None) -> torch.Tensor:
        """Forward and backward of one batch."""
        if self.graphed is None:
            return super().training_step(model, inputs, num_items_in_batch)
        model.train()
        return self.graphed(self._prepare_inputs(inputs))

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """An estimate for one batch, by its labels: the library's own counts all parameters at every step."""
        if self.size is None:
            self.size = self.model.num_parameters(exclude_embeddings=True)
        return 6 * inputs["labels"].numel() * self.size

    def create_optimizer(self, *args: Any, **kwargs: Any) -> torch.optim.Optimizer:
        """The optimizer named by `optim`, or the one that updates matrices with Muon."""
        if not self.muon or self.optimizer is not None:
            return super().create_optimizer(*args, **kwargs)
        matrices = matrices_of(self.model)
        decay = set(self.get_decay_parameter_names(self.model))
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = defaultdict(list)
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                groups[parameter in matrices, name in decay].append(parameter)
        self.optimizer = MuonAdamW(
            [
                {"params": parameters, "muon": muon, "weight_decay": self.args.weight_decay if decays else 0.0}
                for (muon, decays), parameters in groups.items()
            ],
            lr=self.args.learning_rate,
            betas=(self.args.adam_beta1, self.args.adam_beta2),
            eps=self.args.adam_epsilon,
            fused=self.args.optim == "adamw_torch_fused",
        )
        return self.optimizer

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """
        Logs the training loss with the telemetry of that step, the samples per second since the previous entry
        (including compilation and evaluation), and the number of captured steps skipped so far.

        Raises:
            FloatingPointError: The loss is not finite, or many steps in a row are skipped; training cannot recover.
        """
        skipped = 0
        if self.graphed is not None and "loss" in logs:
            before, self.skipped = self.skipped, int(self.graphed.skipped)
            skipped = self.skipped - before
            logs = {**logs, "skipped_steps": self.skipped} if self.skipped else logs
        if not math.isfinite(logs.get("loss", 0.0)) or skipped > max(1, self.args.logging_steps // 2):
            raise FloatingPointError(
                f"the loss is {'no number' if skipped else logs['loss']} at step {self.state.global_step}: go on from "
                "a checkpoint before it, with a lower `learning_rate`."
            )
        if "loss" in logs:
            step, now = self.state.global_step, time.perf_counter()
            if self.logged_at is not None and step > self.logged_at[0]:
                batch_size = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
                rate = (step - self.logged_at[0]) * batch_size / (now - self.logged_at[1])
                logs = {**logs, "samples_per_second": round(rate, 1)}
            self.logged_at = step, now
        whole = not self.is_fsdp_enabled and not self.is_deepspeed_enabled
        if self.telemetry is not None and "loss" in logs and whole and self.is_world_process_zero():
            logs = {**logs, **self.telemetry.measure(self.model)}
        super().log(logs, start_time)

    def _save(self, output_dir: str | None = None, state_dict: dict | None = None) -> None:
        """Saves parameters in the shapes in which they are loaded, together with the code of the model."""
        if not self.is_fsdp_enabled:
            super()._save(output_dir, state_dict)
            return
        # Only the process that writes the parameters has them.
        if state_dict:
            state_dict = {**state_dict, **{name: state_dict[name].reshape(()) for name in self.widened}}
        # FSDP has replaced the model's class by its own.
        sharded_class = type(self.model)
        self.model.__class__ = self.whole_class
        try:
            super()._save(output_dir, state_dict)
        finally:
            self.model.__class__ = sharded_class

    def _get_train_sampler(self, train_dataset=None) -> Sampler | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        batch_size = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        if isinstance(dataset, CurriculumDataset):
            return CurriculumSampler(dataset.lengths, batch_size, emitted=dataset.emitted, seed=self.args.seed)
        seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        if isinstance(dataset, OwnDataset):
            return OwnSampler(dataset, batch_size, seed=seed)
        if isinstance(dataset, ShardDataset):
            return ShardSampler(dataset, batch_size, seed=seed)
        return super()._get_train_sampler(train_dataset)
