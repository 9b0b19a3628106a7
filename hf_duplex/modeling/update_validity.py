"""
The `validity` rule: evidence slots whose validity later messages revise.

Nothing is pooled: the token states of a message are the slots. What is revised is how far each slot is still believed.
A message with token states E_i casts doubt on every older slot S_n,

    log_validity_n -= softplus(logsumexp_i(q(E_i) . k(S_n) / sqrt(d)) + b),

then takes slots of its own, and a generator's cross-attention adds the log-validity to its logits. Since a doubt
depends on the two messages alone, the doubts of a whole conversation form one matrix, and a cumulative sum over
messages is the validity at every version: training needs no recurrence.
"""

import torch
from torch import nn
from transformers import initialization as init

from .workspace import Workspace


class ValidityUpdate(nn.Module):
    """Slots are the tokens of messages, at most N of them; the least valid go first, among equals the oldest."""

    remembered = 0  # numbers kept of each slot, beside its validity

    def __init__(self, config):
        super().__init__()
        width = config.hidden_size
        self.n_slots, self.stride, self.width = config.n_slots, config.max_message_length, width
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        # How many messages ago a slot was written: "ignore that last change" names nothing else.
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
        # A finite filler: the gradient of logsumexp over nothing but infinities would be undefined.
        scores = (scores.float() * self.width**-0.5).masked_fill(~mask, torch.finfo(torch.float32).min)
        return nn.functional.softplus(scores.logsumexp(dim=-2) + self.bias.float())

    def _distance_index(self, new: torch.LongTensor, old: torch.LongTensor) -> torch.LongTensor:
        return (new - old - 1).clamp(0, self.distance.num_embeddings - 1)

    def _most_valid(self, log_validity: torch.Tensor) -> torch.LongTensor:
        """
        Columns of the N most valid slots, the newest of equals chosen first: (b, s) -> (b, n_slots). They come in
        their old order, empty ones in front, so that padding leaves no trace.
        """
        size = log_validity.shape[-1]
        newest_first = log_validity.detach().flip(-1).sort(dim=-1, descending=True, stable=True).indices
        columns = size - 1 - newest_first[:, : self.n_slots]
        empty = log_validity.gather(1, columns).isneginf()
        return (columns - size * empty).sort(dim=-1).values % size

    def forward(
        self, workspace: Workspace, states: torch.Tensor, mask: torch.Tensor, token_ids: torch.LongTensor
    ) -> Workspace:
        """
        Folds one message into the workspace. A row whose message is masked out keeps its slots and its version.

        Args:
            workspace (`Workspace`): The version before, W_{k-1}.
            states (`torch.Tensor` of shape `(batch, length, hidden_size)`): The encoded message U_k.
            mask (`torch.BoolTensor` of shape `(batch, length)`): Which tokens are there.
            token_ids (`torch.LongTensor` of shape `(batch, length)`): The message itself.
        """
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
        log_validity = self._believed(log_validity, doubts, after, all_slots["slot_ids"])
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
        """What is kept of the doubts of each slot, once a message has cast its own: here nothing, they are final."""
        return workspace.doubts

    def _believed(
        self, log_validity: torch.Tensor, doubts: torch.Tensor, version: torch.LongTensor, slot_ids: torch.LongTensor
    ) -> torch.Tensor:
        """How far slots are believed, given the doubts of all messages counted in full: here just so far."""
        return log_validity

    def all_versions(
        self, states: torch.Tensor, mask: torch.Tensor, first: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.LongTensor]:
        """
        Every message's slots side by side, and how far each is believed at every version.

        Args:
            states (`torch.Tensor` of shape `(batch, messages, length, hidden_size)`): The encoded messages.
            mask (`torch.BoolTensor` of shape `(batch, messages, length)`): Which tokens are there.
            first (`int`): The first version wanted is the one after this many messages.

        Returns:
            Slots `(batch, slots, hidden_size)`, those of a row side by side, padding behind them; the logarithm of
            their validity at each version, `(batch, versions, slots)`, minus infinity where a version does not hold a
            slot; and which message, of those that are there, wrote each slot, `(batch, slots)`.
        """
        slots, taken, message, writer, doubt = self._lay_out(states, mask)
        messages = torch.arange(mask.shape[1], device=states.device)[:, None]
        written = taken[:, None] & (message[:, None] <= messages)
        log_validity = (-doubt.cumsum(dim=1)).masked_fill(~written, -torch.inf)
        if slots.shape[1] > self.n_slots:
            log_validity = self._forget(log_validity)
        before_any = torch.full_like(log_validity[:, :1], -torch.inf)
        return slots, torch.cat([before_any, log_validity], dim=1)[:, first:], writer

    def _lay_out(self, states: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """
        All tokens of a row side by side, as slots: their states `(batch, slots, hidden_size)`; which are there, which
        message each is from, counted with and without those that are none, `(batch, slots)` each; and the doubt that
        each message casts on each older slot, `(batch, messages, slots)`.
        """
        n_messages, length = mask.shape[1:]
        number = mask.any(-1).cumsum(-1) - 1
        flat = mask.flatten(1)
        n_slots = max(1, int(flat.sum(1).max()))
        place = flat.int().argsort(dim=1, descending=True, stable=True)[:, :n_slots]
        taken, message = flat.gather(1, place), place // length
        writer = number.gather(1, message)
        slots = states.flatten(1, 2).gather(1, place[..., None].expand(-1, -1, states.shape[-1]))

        # Scores of every token against every slot, and against the distance between their messages.
        queries, keys = self.query(slots), self.key(slots)
        distance = self._distance_index(writer[:, :, None], writer[:, None, :])
        scores = queries @ keys.transpose(1, 2) + (queries @ self.distance.weight.T).gather(-1, distance)
        doubt = self._doubt_by_message(scores, message.masked_fill(~taken, n_messages), n_messages)

        messages = torch.arange(n_messages, device=states.device)[:, None]
        doubt = doubt.masked_fill(message[:, None] >= messages, 0.0)
        return slots, taken, message, writer, doubt

    def _doubt_by_message(self, scores: torch.Tensor, message: torch.LongTensor, n_messages: int) -> torch.Tensor:
        """
        Doubt of each message from the scores of all tokens side by side, `message` telling whose token each is (one
        behind the last for padding): (b, tokens, slots), (b, tokens) -> (b, messages, slots). As in [`_doubt`], a
        logsumexp over the tokens of each message; a message without tokens doubts nothing.
        """
        scores = scores.float() * self.width**-0.5
        index = message[..., None].expand_as(scores)
        top = scores.new_full((len(scores), n_messages + 1, scores.shape[-1]), torch.finfo(torch.float32).min)
        top = top.scatter_reduce(1, index, scores.detach(), "amax", include_self=True)
        weights = (scores - top.gather(1, index)).exp()
        own = nn.functional.one_hot(message, n_messages + 1).to(weights.dtype)
        with torch.autocast(scores.device.type, enabled=False):
            total = own.transpose(1, 2) @ weights
        doubt = nn.functional.softplus(total.clamp(min=1e-30).log() + top + self.bias.float())
        return doubt[:, :n_messages]

    def _forget(self, log_validity: torch.Tensor) -> torch.Tensor:
        """Drops, version after version, what a workspace of N slots would have: (b, versions, s) -> the same."""
        kept = torch.ones_like(log_validity[:, 0], dtype=torch.bool)
        versions = []
        for version in log_validity.unbind(dim=1):
            version = version.masked_fill(~kept, -torch.inf)
            chosen = torch.zeros_like(kept).scatter(1, self._most_valid(version), True)
            # A slot that is not yet written is no loser.
            kept = kept & (chosen | version.isneginf())
            versions.append(version.masked_fill(~chosen, -torch.inf))
        return torch.stack(versions, dim=1)

    def init_weights(self, std: float) -> None:
        init.zeros_(self.distance.weight)
        init.constant_(self.bias, -4.0)
