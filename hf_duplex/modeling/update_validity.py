"""
The `validity` rule: evidence slots whose validity later messages revise.

Nothing is pooled: the token states of a message are the slots. Messages revise only the validity of slots. A message
with token states E_i casts doubt on every older slot S_n,

    log_validity_n -= softplus(logsumexp_i(q(E_i) . k(S_n) / sqrt(d)) + b),

then adds its own slots. The generator's cross-attention adds the log-validity to its logits. A doubt depends only on
two messages, so the doubts of a whole conversation form one matrix, and its negative cumulative sum over messages is
the log-validity at every version: training needs no recurrence.
"""

import torch
from torch import nn
from transformers import initialization as init

from .packing import PackedMessages, gather_versions
from .update_rule import LOG_ZERO, UpdateRule
from .workspace import Workspace


LARGEST_SCORE = 30.0


class ValidityUpdate(UpdateRule):
    """Slots are the tokens of messages, at most N. The least valid are evicted first; among equals, the oldest."""

    remembered = 0  # numbers stored per slot in addition to its validity

    def __init__(self, config):
        super().__init__(config)
        width = config.hidden_size
        self.stride, self.width = config.max_message_length, width
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        # The age of a slot in messages: "ignore that last change" refers to nothing else.
        self.distance = nn.Embedding(config.max_message_distance, width)
        self.bias = nn.Parameter(torch.empty(()))

    def initial(self, batch_size: int) -> Workspace:
        """The workspace before any message: N empty slots."""
        device, dtype = self.key.weight.device, self.key.weight.dtype
        empty = torch.full((batch_size, self.n_slots), -1, device=device)
        return Workspace(
            slots=torch.zeros(batch_size, self.n_slots, self.width, device=device, dtype=dtype),
            log_validity=torch.full((batch_size, self.n_slots), -torch.inf, device=device),
            slot_ids=empty,
            token_ids=empty,
            doubts=torch.zeros(batch_size, self.n_slots, self.remembered, device=device),
            version=empty.new_zeros(batch_size),
        )

    def _doubt(self, scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Doubt from the scores of a message's tokens: (..., length, slots) and (..., length, 1) -> (..., slots)."""
        # A finite filler: the gradient of logsumexp over infinities only is undefined.
        scores = self._bounded(scores.float()).masked_fill(~mask, torch.finfo(torch.float32).min)
        return nn.functional.softplus(scores.logsumexp(dim=-2) + self.bias.float())

    def _bounded(self, scores: torch.Tensor) -> torch.Tensor:
        # The bound keeps sums of exponentials from overflowing.
        return (scores * self.width**-0.5).clamp(max=LARGEST_SCORE)

    def _distance_index(self, new: torch.LongTensor, old: torch.LongTensor) -> torch.LongTensor:
        return (new - old - 1).clamp(0, self.distance.num_embeddings - 1)

    def _most_valid(self, log_validity: torch.Tensor) -> torch.LongTensor:
        """
        Columns of the N most valid slots, newest first among equals: (b, s) -> (b, n_slots). They keep their order,
        empty ones first, so padding has no effect.
        """
        size = log_validity.shape[-1]
        newest_first = log_validity.detach().flip(-1).sort(dim=-1, descending=True, stable=True).indices
        columns = size - 1 - newest_first[:, : self.n_slots]
        empty = log_validity.gather(1, columns).isneginf()
        return (columns - size * empty).sort(dim=-1).values % size

    def forward(
        self, workspace: Workspace, states: torch.Tensor, mask: torch.Tensor, token_ids: torch.LongTensor
    ) -> Workspace:
        """Folds one message into the workspace: it casts doubt on older slots, then adds its own slots."""
        version = workspace.version[:, None]
        distance = self._distance_index(version, workspace.slot_ids // self.stride)
        keys = self.key(workspace.slots) + self.distance(distance)
        doubt = self._doubt(self.query(states) @ keys.transpose(1, 2), mask[..., None])

        offset = mask.cumsum(-1) - 1
        doubts = self._remember(workspace, doubt, mask.any(-1))
        old_and_new = {
            "slot_ids": (workspace.slot_ids, version * self.stride + offset, -1),
            "token_ids": (workspace.token_ids, token_ids, -1),
        }
        all_slots = {
            name: torch.cat([old, new.masked_fill(~mask, filler)], dim=1)
            for name, (old, new, filler) in old_and_new.items()
        }
        doubts = nn.functional.pad(doubts, (0, 0, 0, mask.shape[1]))
        after = workspace.version + mask.any(-1)
        log_validity = nn.functional.pad(workspace.log_validity - doubt, (0, mask.shape[1]))
        believed = self._believed(log_validity, doubts, after, all_slots["slot_ids"])
        log_validity = torch.where(mask.any(-1)[:, None], believed, log_validity)
        log_validity = log_validity.masked_fill(all_slots["slot_ids"] < 0, -torch.inf)
        keep = self._most_valid(log_validity)
        states = (states * mask[..., None]).to(workspace.slots.dtype)
        slots = torch.cat([workspace.slots, states], dim=1)
        return Workspace(
            slots=slots.gather(1, keep[..., None].expand(-1, -1, self.width)),
            log_validity=log_validity.gather(1, keep),
            **{name: value.gather(1, keep) for name, value in all_slots.items()},
            doubts=doubts.gather(1, keep[..., None].expand(-1, -1, self.remembered)),
            version=after,
        )

    def _remember(self, workspace: Workspace, doubt: torch.Tensor, heard: torch.BoolTensor) -> torch.Tensor:
        """The doubts to store per slot after a message casts doubt. By default none, since doubts are final."""
        return workspace.doubts

    def _believed(
        self, log_validity: torch.Tensor, doubts: torch.Tensor, version: torch.LongTensor, slot_ids: torch.LongTensor
    ) -> torch.Tensor:
        """The log-validity of slots, given the one with all doubts in full: the same, by default."""
        return log_validity

    def all_versions(self, slots: torch.Tensor, messages: PackedMessages) -> tuple[torch.Tensor, torch.Tensor]:
        """The log-validity of the slots of all messages at every version; the slots are the tokens of the messages."""
        doubt = self._doubts(slots, messages)
        if slots.shape[1] > self.n_slots:
            return slots, self._believed_after_each(doubt, messages)
        log_validity = -(messages.heard().to(doubt.dtype) @ doubt)
        return slots, log_validity.masked_fill(~messages.held(), LOG_ZERO)

    def _doubts(self, slots: torch.Tensor, messages: PackedMessages) -> torch.Tensor:
        """The doubt that each message casts on each older slot, `(batch, messages, slots)`; 0 on others."""
        members = messages.members(torch.float32)
        queries, keys = self.query(slots), self.key(slots)
        # Scores of every token against every slot, and against the distance of their messages.
        age = self._distance_index(messages.message[..., None], messages.numbers)
        by_age = (queries @ self.distance.weight.to(queries.dtype).T).gather(-1, age.expand(*queries.shape[:2], -1))
        scores = queries @ keys.transpose(1, 2)
        with torch.autocast(slots.device.type, enabled=False):
            scores = self._bounded(scores.float() + by_age.float() @ members)
            doubt = (members @ scores.exp() * self.bias.float().exp()).log1p()
        older = messages.message[:, None] < messages.numbers[:, None]
        return doubt.masked_fill(~(older & messages.mask[:, None]), 0.0)

    @torch.compiler.disable
    def _believed_after_each(self, doubt: torch.Tensor, messages: PackedMessages) -> torch.Tensor:
        """
        The log-validity of slots at each version if there are more slots than a workspace holds. Computed message by
        message, since evicted slots do not return. (b, messages, slots) -> (b, versions, slots)
        """
        numbers = messages.numbers[:, None]
        written = (messages.message[:, None] <= numbers) & messages.mask[:, None]
        log_validity = (-doubt.cumsum(dim=1)).masked_fill(~written, -torch.inf)
        log_validity = nn.functional.pad(self._forget(log_validity), (0, 0, 1, 0), value=-torch.inf)
        return gather_versions(log_validity, messages).clamp(min=LOG_ZERO)

    def _forget(self, log_validity: torch.Tensor) -> torch.Tensor:
        """Evicts what a workspace of N slots would evict, version by version: (b, versions, s) -> the same."""
        kept = torch.ones_like(log_validity[:, 0], dtype=torch.bool)
        versions = []
        for version in log_validity.unbind(dim=1):
            version = version.masked_fill(~kept, -torch.inf)
            chosen = torch.zeros_like(kept).scatter(1, self._most_valid(version), True)
            # Unwritten slots are never evicted.
            kept = kept & (chosen | version.isneginf())
            versions.append(version.masked_fill(~chosen, -torch.inf))
        return torch.stack(versions, dim=1)

    def init_weights(self, std: float) -> None:
        init.zeros_(self.distance.weight)
        init.constant_(self.bias, -4.0)
