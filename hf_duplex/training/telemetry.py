"""
Telemetry of the workspace during training: a few numbers at each logging step, measured on a small held-out batch, and
logged with the loss to whatever `report_to` names.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import torch
from torch import nn

from ..data import ChannelCollator, EncodedSample
from ..modeling import Workspace
from ..modeling.streams import sort_updates
from ..modeling.update_latent import LatentSlots
from ..pressure.probes import AttentionProbe, GateProbe


LOOKED_AT = ("duplex_workspace", "duplex_dual_stream")


class Telemetry:
    """
    Measures a model on a fixed batch. The model and all random number generators are left unchanged.

    Args:
        batch (`dict[str, torch.Tensor]`): Conversations from a [`~hf_duplex.data.ChannelCollator`].
        dead_below (`float`, *optional*, defaults to 0.01):
            A slot is dead if no emitted token gives it this share of its cross-attention.
        doubted_below (`float`, *optional*, defaults to 0.5): A slot is doubted if its validity is below this.

    Raises:
        ValueError: `batch` has no prompts, or a share is not between 0 and 1.
    """

    def __init__(self, batch: dict[str, torch.Tensor], dead_below: float = 0.01, doubted_below: float = 0.5):
        if "prompt_ids" not in batch or "input_ids" not in batch:
            raise ValueError("`batch` must have `prompt_ids` and `input_ids`: make it with a `ChannelCollator`.")
        for name, share in (("dead_below", dead_below), ("doubted_below", doubted_below)):
            if not 0 < share < 1:
                raise ValueError(f"`{name}` must be between 0 and 1, got {share}.")
        self.batch = {name: tensor for name, tensor in batch.items() if name != "labels"}
        self.dead_below, self.doubted_below = dead_below, doubted_below

    @classmethod
    def from_samples(cls, samples: Sequence[EncodedSample], collator: ChannelCollator, count: int = 8) -> "Telemetry":
        """
        Takes the first `count` samples that have updates, or the first samples if none has.

        Raises:
            ValueError: `count` is below 1, or there are no samples.
        """
        if count < 1:
            raise ValueError(f"`count` must be at least 1, got {count}: leave telemetry out instead.")
        all_samples = [samples[index] for index in range(min(len(samples), 16 * count))]
        chosen = list(islice((sample for sample in all_samples if sample["update_ids"]), count)) or all_samples[:count]
        if not chosen:
            raise ValueError("`samples` is empty: telemetry needs at least one.")
        return cls(collator(chosen))

    @torch.no_grad()
    def measure(self, model: Any) -> dict[str, float]:
        """
        Measures a model.

        Args:
            model (`PreTrainedModel`): Any of the three generators, with its head.

        Returns:
            By name, the mean over the conversations of the batch:

            - `workspace_norm`: norm of a slot's state, the mean over the slots that are occupied at the end;
            - `slot_diversity`: cosine distance between two of them, the mean over all pairs;
            - `mean_validity`, `doubted_slots`: their validity, and the share of doubted slots (rule `validity`);
            - `gate_openness`: how far the gates open at a message, 0 to 1 (rules with gates);
            - `dead_slots`: share of the written slots to which no emitted token attends;
            - `attention_to_heard`: share of cross-attention that does not go to the null column (dual stream too).

            A baseline has none of these: an empty dictionary.
        """
        kind = model.config.model_type
        if kind not in LOOKED_AT:
            return {}
        batch = {name: tensor.to(model.device) for name, tensor in self.batch.items()}
        modes = [(module, module.training) for module in model.modules()]
        model.eval()
        try:
            cross = self._cross_attention(model, batch)
            values = {}
            if kind == "duplex_workspace":
                cross = cross.masked_fill(batch["attention_mask"][..., None] == 0, 0.0)
                values = self._workspace(model, batch, cross[..., 1:])
            # Tokens before any message, and padding, cannot attend to incoming tokens.
            heard = cross[..., 1:].sum(-1)
            if bool(heard.any()):
                values["attention_to_heard"] = heard[heard > 0].mean()
        finally:
            for module, mode in modes:
                module.training = mode
        return {name: float(value) for name, value in values.items()}

    def _cross_attention(self, model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        with AttentionProbe(model, own=False) as probe:
            model(**batch, logits_to_keep=1, use_cache=False)
        assert probe.cross is not None
        return probe.cross

    def _workspace(self, model: Any, batch: dict[str, torch.Tensor], cross: torch.Tensor) -> dict[str, torch.Tensor]:
        rule = model.model.update_rule
        ids, mask = self._messages(model, batch)
        workspace, gates = fold(model, ids, mask)
        full = ~workspace.log_validity.isneginf()
        values = {
            "workspace_norm": workspace.slots.norm(dim=-1)[full].mean(),
            "slot_diversity": diversity(workspace.slots, full),
        }
        if gates is not None:
            values["gate_openness"] = gates
        largest = cross.amax(dim=1)
        if isinstance(rule, LatentSlots):
            # Versions are concatenated, each with all slots.
            largest = largest.unflatten(1, (-1, rule.n_slots)).amax(dim=1)
            values["dead_slots"] = (largest < self.dead_below).float().mean()
        else:
            values["mean_validity"] = workspace.validity[full].mean()
            values["doubted_slots"] = (workspace.validity[full] < self.doubted_below).float().mean()
            # Padding next to the written slots has zero weight.
            values["dead_slots"] = 1 - (largest >= self.dead_below).sum() / mask.sum()
        return values

    def _messages(self, model: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """All messages of the batch in order of arrival, `(batch, messages, length)`, and their mask."""
        prompts = model.model.split_prompt(batch["prompt_ids"], batch.get("prompt_mask"))
        if "update_ids" not in batch:
            return prompts
        update_ids, update_mask, _ = sort_updates(batch["update_ids"], batch["update_mask"], batch["update_positions"])
        return join_messages(prompts, (update_ids, update_mask))


def join_messages(first: tuple, second: tuple) -> tuple[torch.Tensor, torch.Tensor]:
    """Joins two batches of messages, ids and mask `(batch, messages, length)` each, padded to the longest message."""
    length = max(first[0].shape[-1], second[0].shape[-1])
    ids, mask = (
        torch.cat([nn.functional.pad(part[i], (0, length - part[i].shape[-1])) for part in (first, second)], dim=1)
        for i in (0, 1)
    )
    return ids, mask


def fold(model: Any, ids: torch.Tensor, mask: torch.Tensor) -> tuple[Workspace, torch.Tensor | None]:
    """The workspace after messages `(batch, messages, length)`, and the mean openness of gates, if there are any."""
    with GateProbe(model.model.update_rule) as probe:
        workspace = model.update_workspace(ids, mask.long())
    if not probe.openness:
        return workspace, None
    heard = mask.any(-1)
    return workspace, torch.stack(probe.openness, dim=1)[heard].mean()


def diversity(slots: torch.Tensor, full: torch.Tensor) -> torch.Tensor:
    """
    Mean cosine distance between two slots of one workspace, 0 if all are the same.

    Args:
        slots (`torch.Tensor` of shape `(batch, n_slots, hidden_size)`): The slots.
        full (`torch.BoolTensor` of shape `(batch, n_slots)`): Which of them are occupied.
    """
    unit = nn.functional.normalize(slots.float(), dim=-1) * full[..., None]
    count = full.sum(-1)
    several = count > 1
    # The similarities of all pairs add up to the square of the sum.
    similar = (unit.sum(1).square().sum(-1) - count)[several] / (count * (count - 1))[several]
    return (1 - similar).mean() if bool(several.any()) else unit.new_zeros(())
