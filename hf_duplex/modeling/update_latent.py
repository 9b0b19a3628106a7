"""
Update rules over latent slots: N learned vectors that read a message by attention. Each class defines how to write
what was read.
"""

from abc import abstractmethod

import torch
from torch import nn
from transformers import initialization as init

from .packing import PackedMessages, gather_versions
from .update_rule import LOG_ZERO, UpdateRule
from .workspace import Workspace


class LatentSlots(UpdateRule):
    """Base class of the latent rules: N learned slots that read a message by attention. Subclasses define `write`."""

    def __init__(self, config):
        super().__init__(config)
        width = config.hidden_size
        self.slots = nn.Parameter(torch.empty(config.n_slots, width))
        self.slot_norm = nn.RMSNorm(width, eps=config.rms_norm_eps)
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)

    def initial(self, batch_size: int) -> Workspace:
        """The workspace before any message: the learned slots, with full validity."""
        slots = self.slots.expand(batch_size, -1, -1)
        numbers = torch.arange(self.n_slots, device=slots.device).expand(batch_size, -1)
        return Workspace(
            slots=slots,
            log_validity=torch.zeros(batch_size, self.n_slots, device=slots.device),
            slot_ids=numbers,
            token_ids=torch.full_like(numbers, -1),
            doubts=torch.zeros(batch_size, self.n_slots, 0, device=slots.device),
            version=numbers.new_zeros(batch_size),
        )

    def weights(self, scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Attention weights over the tokens of a message, from scores and a mask of shapes (b, n, l) and (b, 1, l)."""
        return scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1)

    def read(self, slots: torch.Tensor, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """What each slot reads from a message: (b, n, d), (b, l, d), (b, l) -> (b, n, d)."""
        scores = self.query(self.slot_norm(slots)) @ self.key(states).transpose(1, 2) * slots.shape[-1] ** -0.5
        return self.weights(scores, mask[:, None]) @ self.value(states)

    @abstractmethod
    def write(self, slots: torch.Tensor, read: torch.Tensor) -> torch.Tensor:
        """The new slots, from the old ones and what each read: (b, n, d), (b, n, d) -> (b, n, d)."""

    def forward(
        self, workspace: Workspace, states: torch.Tensor, mask: torch.Tensor, token_ids: torch.LongTensor
    ) -> Workspace:
        """Folds one message into the workspace; latent slots ignore its `token_ids`."""
        heard = mask.any(-1)
        slots = self.write(workspace.slots, self.read(workspace.slots, states, mask))
        return Workspace(
            slots=torch.where(heard[:, None, None], slots, workspace.slots),
            log_validity=workspace.log_validity,
            slot_ids=workspace.slot_ids,
            token_ids=workspace.token_ids,
            doubts=workspace.doubts,
            version=workspace.version + heard,
        )

    def all_versions(self, states: torch.Tensor, messages: PackedMessages) -> tuple[torch.Tensor, torch.Tensor]:
        """
        The slots of every version side by side: `versions * n_slots` of them, with a log-validity of zero for the
        slots of the version and `LOG_ZERO` for the others.
        """
        slots = self.slots.expand(states.shape[0], -1, -1).to(states.dtype)
        after_each = [slots]
        for number in range(messages.numbers.shape[0]):
            own = messages.message == number
            new = self.write(slots, self.read(slots, states, own))
            slots = torch.where(own.any(-1)[:, None, None], new.to(slots.dtype), slots)
            after_each.append(slots)
        versions = gather_versions(torch.stack(after_each, dim=1), messages)
        own = torch.eye(versions.shape[1], device=states.device).repeat_interleave(self.n_slots, dim=1)
        log_validity = (1 - own) * LOG_ZERO
        return versions.flatten(1, 2), log_validity.expand(states.shape[0], -1, -1)

    def init_weights(self, std: float) -> None:
        init.normal_(self.slots, std=1.0)


class GatedUpdate(LatentSlots):
    """`W + sigmoid(g(update, W)) * delta(update, W)`."""

    def __init__(self, config):
        super().__init__(config)
        self.gate = nn.Linear(2 * config.hidden_size, config.hidden_size)
        self.delta = nn.Linear(2 * config.hidden_size, config.hidden_size)

    def write(self, slots, read):
        both = torch.cat([self.slot_norm(slots), read], dim=-1)
        return slots + self.gate(both).sigmoid() * self.delta(both)


class GRUUpdate(LatentSlots):
    """One step of a GRU cell for each slot, the read as its input."""

    def __init__(self, config):
        super().__init__(config)
        self.cell = nn.GRUCell(config.hidden_size, config.hidden_size)

    def write(self, slots, read):
        return self.cell(read.flatten(0, 1), slots.flatten(0, 1)).view_as(slots)


class ResidualUpdate(LatentSlots):
    """Cross-attention, then an MLP, each with a residual, as in a transformer block."""

    def __init__(self, config):
        super().__init__(config)
        width = config.hidden_size
        self.mlp_norm = nn.RMSNorm(width, eps=config.rms_norm_eps)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))

    def write(self, slots, read):
        slots = slots + read
        return slots + self.mlp(self.mlp_norm(slots))


class SlotUpdate(GRUUpdate):
    """Slots compete for the tokens of a message, then a GRU cell writes (slot attention, arXiv 2006.15055)."""

    def weights(self, scores, mask):
        share = scores.softmax(dim=1) * mask
        return share / share.sum(dim=-1, keepdim=True).clamp(min=1e-6)
