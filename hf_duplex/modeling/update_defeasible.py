"""
The `defeasible` rule: evidence slots as with `validity`, but each doubt is weighted by the validity of its message.

If a later message doubts a message, the doubts of the latter are revoked, as in a truth maintenance system (Doyle, "A
truth maintenance system", 1979): after "ignore that last change", the fact that the change contradicted is valid
again. With p[m, n] the doubt of message m on slot n as a probability, and q[m, j] its mean over slots of message j,

    belief_j = product over later m of (1 - q[m, j] * belief_m)
    validity_n = product over later m of (1 - p[m, n] * belief_m)

computed newest first. The doubts of the last `max_message_distance` messages can be revoked; older ones are final, so
the state is bounded.
"""

import torch
from torch import nn

from .packing import PackedMessages, gather_versions
from .update_rule import LOG_ZERO
from .update_validity import ValidityUpdate
from .workspace import Workspace


def log_one_minus(share: torch.Tensor) -> torch.Tensor:
    return torch.log1p(-share.clamp(max=1 - 1e-6))


class DefeasibleUpdate(ValidityUpdate):
    """
    For each slot, `doubts` holds the log-validity after all final doubts, then the doubt of each of the last R
    messages, newest first.
    """

    def __init__(self, config):
        super().__init__(config)
        self.revisable = config.max_message_distance
        self.remembered = 1 + self.revisable

    def _belief(self, ring: torch.Tensor, age: torch.LongTensor, present: torch.BoolTensor) -> torch.Tensor:
        """
        The validity of each of the last R messages, `(batch, R)`, newest first. `ring` `(batch, slots, R)` holds their
        doubts; `age` `(batch, slots)` is the age of each slot in messages, counted from 1.
        """
        own = nn.functional.one_hot((age - 1).clamp(0, self.revisable), self.revisable + 1)[..., :-1]
        own = own.to(ring.dtype) * present[..., None]
        doubt = ring.transpose(1, 2) @ own / own.sum(1, keepdim=True).clamp(min=1)  # (b, doubter, doubted)
        beliefs = [torch.ones_like(ring[:, 0, 0])]
        for message in range(1, self.revisable):
            newer = torch.stack(beliefs, dim=-1)
            beliefs.append((1 - doubt[:, :message, message] * newer).prod(dim=-1))
        return torch.stack(beliefs, dim=-1)

    def _cast(
        self, doubts: torch.Tensor, doubt: torch.Tensor, age: torch.LongTensor, present: torch.BoolTensor
    ) -> torch.Tensor:
        """Updates the doubts of each slot after a message casts doubt; the oldest revocable doubt becomes final."""
        final, ring = doubts[..., :1], doubts[..., 1:]
        last = ring[..., -1:] * self._belief(ring, age, present)[:, None, -1:]
        return torch.cat([final + log_one_minus(last), 1 - (-doubt[..., None]).exp(), ring[..., :-1]], dim=-1)

    def _validity(self, doubts: torch.Tensor, age: torch.LongTensor, present: torch.BoolTensor) -> torch.Tensor:
        ring = doubts[..., 1:]
        return doubts[..., 0] + log_one_minus(ring * self._belief(ring, age, present)[:, None]).sum(-1)

    def _age(self, version: torch.LongTensor, slot_ids: torch.LongTensor) -> torch.LongTensor:
        return version[:, None] - slot_ids.div(self.stride, rounding_mode="floor")

    def _remember(self, workspace: Workspace, doubt: torch.Tensor, heard: torch.BoolTensor) -> torch.Tensor:
        present = workspace.slot_ids >= 0
        age = self._age(workspace.version, workspace.slot_ids)
        cast = self._cast(workspace.doubts, doubt * present, age, present)
        return torch.where(heard[:, None, None], cast, workspace.doubts)

    def _believed(self, log_validity, doubts, version, slot_ids) -> torch.Tensor:
        return self._validity(doubts, self._age(version, slot_ids), slot_ids >= 0)

    def all_versions(self, slots: torch.Tensor, messages: PackedMessages) -> tuple[torch.Tensor, torch.Tensor]:
        """As [`ValidityUpdate.all_versions`], but message by message, since doubts can be revoked."""
        doubt = self._doubts(slots, messages)
        if slots.shape[1] > self.n_slots or messages.numbers.shape[0] > self.revisable:
            return slots, self._believed_after_each(doubt, messages)
        share = 1 - (-doubt).exp()
        members = messages.members(share.dtype)
        between = share @ members.transpose(1, 2) / members.sum(-1).clamp(min=1)[:, None]  # (b, doubter, doubted)
        belief = self._beliefs(between, messages.heard().to(share.dtype))
        log_validity = log_one_minus(share[:, None] * belief[..., None]).sum(2)
        return slots, log_validity.masked_fill(~messages.held(), LOG_ZERO)

    def _beliefs(self, doubt: torch.Tensor, heard: torch.Tensor) -> torch.Tensor:
        """
        The validity of each message at each version, `(batch, versions, messages)`, computed newest first, from doubts
        `(batch, doubter, doubted)` and the messages received by each version, `(batch, versions, messages)`.
        """
        beliefs = [heard[..., -1]]
        for message in range(doubt.shape[1] - 2, -1, -1):
            newer = torch.stack(beliefs, dim=-1)
            doubted = doubt[:, None, message + 1 :, message] * newer
            beliefs.insert(0, heard[..., message] * log_one_minus(doubted).sum(-1).exp())
        return torch.stack(beliefs, dim=-1)

    @torch.compiler.disable
    def _believed_after_each(self, doubt: torch.Tensor, messages: PackedMessages) -> torch.Tensor:
        there = messages.mask
        doubts = doubt.new_zeros(*there.shape, self.remembered)
        present = torch.zeros_like(there)
        heard = torch.zeros_like(messages.first)
        after_each = [torch.full_like(doubt[:, 0], LOG_ZERO)]
        for number in range(doubt.shape[1]):
            own = there & (messages.message == number)
            here = own.any(-1)
            cast = self._cast(doubts, doubt[:, number] * present, heard[:, None] - messages.message, present)
            doubts = torch.where(here[:, None, None], cast, doubts)
            present = present | own
            heard = heard + here
            validity = self._validity(doubts, heard[:, None] - messages.message, present)
            validity = validity.masked_fill(~present, -torch.inf)
            if there.shape[1] > self.n_slots:
                present = present & torch.zeros_like(present).scatter(1, self._most_valid(validity), True)
            after_each.append(validity.masked_fill(~present, LOG_ZERO))
        return gather_versions(torch.stack(after_each, dim=1), messages)
