"""Training a duplex adapter on packed batches: one forward over all incoming tokens, one over all emitted ones."""

import torch
from torch import nn

from .adapter_parts import AdapterParts
from .attention_duplex import HIDDEN
from .packed_adapter import PackedBatch, PackedVisibility, Permuted


def table(states: torch.Tensor, batch: PackedBatch) -> torch.Tensor:
    """States of packed incoming tokens `(I, size)`, row by row: `(rows, longest, size)`, zero for padding."""
    rows, longest = batch.messages.shape
    cells = states.new_zeros(rows * longest + 1, states.shape[-1]).index_copy(0, batch.cell, states)
    return cells[:-1].view(rows, longest, -1)


class AdapterPacked(AdapterParts):
    """The training forward of [`~modeling_adapter.DuplexAdapterForCausalLM`]."""

    @property
    def can_pack(self) -> bool:
        """Whether training can omit padding: attention is sdpa and no layer has a sliding window."""
        windows = (getattr(module, "sliding_window", None) for module in self.decoder.modules())
        return self.implementation == "sdpa" and all(window is None for window in windows)

    def packed_hidden(self, batch: PackedBatch) -> torch.Tensor:
        """Last hidden states of the emitted tokens of a packed batch, `(E, hidden_size)`."""
        key_values: list = []
        order = known = bias = None
        longest = batch.messages.shape[1]
        if len(batch.ids):
            seen = PackedVisibility(batch.ends, batch.ends, longest, longest, key_values=key_values)
            embeds = self.embed(batch.ids)[None]
            factors = None if batch.factors is None else batch.factors[None, :, None]
            hidden = self.decode(embeds, batch.positions[None], seen, None, factors)[0]
            order = batch.order
            if len(batch.numbers) > 1:
                bias = nn.functional.pad(self._packed_bias(hidden, batch), (0, 0, 0, len(batch.emitted_ids)))
                bias = Permuted.apply(bias, batch.order, batch.inverse)
                known = nn.functional.one_hot(batch.known, len(batch.numbers))
        embeds = self.embed(batch.emitted_ids)
        if hasattr(self, "notice"):
            embeds = embeds + (batch.marked[:, None] * self.notice).to(embeds.dtype)
        span = len(batch.span)
        keys = (batch.key_ends, span + longest) if len(batch.ids) else (batch.emitted_ends, span)
        seen = PackedVisibility(
            batch.emitted_ends, keys[0], span, keys[1], order, batch.inverse, known, bias, key_values
        )
        factors = None if batch.emitted_factors is None else batch.emitted_factors[None, :, None]
        return self.decode(embeds[None], batch.emitted_positions[None], seen, None, factors)[0]

    def _packed_bias(self, hidden: torch.Tensor, batch: PackedBatch) -> torch.Tensor:
        """The bias of each version for each incoming token, `(I, V)`; `hidden` is `(I, hidden_size)`."""
        held = (batch.messages[:, None] <= batch.numbers[:, None]) & (batch.messages >= 0)[:, None]
        validity = torch.zeros(held.shape, device=hidden.device)
        if hasattr(self, "doubt"):
            queries, keys = (table(states, batch) for states in (self.doubt.queries(hidden), self.doubt.keys(hidden)))
            validity = self.doubt.by_version(queries, keys, batch.messages, batch.numbers, batch.protected)
        bias = validity.masked_fill(~held, HIDDEN).transpose(1, 2).flatten(0, 1)
        return nn.functional.pad(bias, (0, 0, 0, 1)).index_select(0, batch.cell)

    def packed_loss(self, batch: PackedBatch) -> torch.Tensor:
        """Mean loss over the labels of a packed batch."""
        total = self.summed_loss(self.logits(self.packed_hidden(batch)), batch.labels)
        return total / (batch.labels != -100).sum().clamp(min=1)

    @staticmethod
    def summed_loss(logits: torch.Tensor, labels: torch.LongTensor) -> torch.Tensor:
        """The loss of logits `(tokens, vocabulary)`, summed over the labels. Training can compile it."""
        return nn.functional.cross_entropy(logits.float(), labels, ignore_index=-100, reduction="sum")


__all__ = ["AdapterPacked"]
