"""The Trainer, with the order of a curriculum kept."""

from typing import Any

from torch.utils.data import Sampler
from transformers import Trainer

from ..data import CurriculumDataset, CurriculumSampler
from .telemetry import Telemetry


class DuplexTrainer(Trainer):
    """
    [`~transformers.Trainer`] for the three generators. A curriculum is an order of samples, and each sample is drawn
    at random already: so a [`CurriculumDataset`] is gone through in order, samples of like length batched.

    Args:
        telemetry ([`Telemetry`], *optional*): What it measures is logged beside the loss, to whatever `report_to`
            names. A model that is sharded over processes is not looked into.

    All other arguments are those of the Trainer.
    """

    def __init__(self, *args: Any, telemetry: Telemetry | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.telemetry = telemetry

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Logs the loss of training with the telemetry of that step."""
        whole = not self.is_fsdp_enabled and not self.is_deepspeed_enabled
        if self.telemetry is not None and "loss" in logs and whole and self.is_world_process_zero():
            logs = {**logs, **self.telemetry.measure(self.model)}
        super().log(logs, start_time)

    def _get_train_sampler(self, train_dataset=None) -> Sampler | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if not isinstance(dataset, CurriculumDataset):
            return super()._get_train_sampler(train_dataset)
        batch_size = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        return CurriculumSampler(dataset.lengths, batch_size, seed=self.args.seed)
