"""
Training a duplex adapter without padding: the tokens of all rows of a batch are concatenated, and the flash kernel
computes a differentiable bias by version and key.

The kernel takes no mask, so the bias is a product: queries get extra columns with a one-hot of their version, keys get
the bias of each version, values get zeros.

[`PackedBatch`] depends on the streams only, so the processes that load the data can compute it. Padded to a
[`Budget`], all batches have the same shape, as a captured CUDA graph requires.
"""

from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import nn

from .layout_adapter import incoming_line, protected_columns
from .streams import Streams, serialize


@dataclass(frozen=True)
class Budget:
    """
    Sizes to which all batches are padded.

    Args:
        incoming, emitted (`int`): Tokens per batch.
        rows (`int`): Conversations per batch.
        longest_incoming, longest_emitted (`int`): Maximum tokens per conversation.
        versions (`int`): Maximum number of updates per conversation, plus one; a multiple of 8.
    """

    incoming: int
    emitted: int
    rows: int
    longest_incoming: int = 384
    longest_emitted: int = 512
    versions: int = 8

    @property
    def spare_rows(self) -> int:
        """Number of rows that hold only padding."""
        return 1 + max(self.incoming // self.longest_incoming, self.emitted // self.longest_emitted)


@dataclass
class PackedBatch:
    """
    A batch of conversations without padding: I incoming tokens and E emitted ones, in R rows; V versions.

    Attributes:
        ids, positions, message (`torch.LongTensor` of shape `(I,)`): The incoming tokens, and the message of each.
        cell (`torch.LongTensor` of shape `(I,)`): The cell of each in a table of `rows * longest` cells, row by row;
            the index after its end for padding.
        ends (`torch.IntTensor` of shape `(R + 1,)`): Start of the incoming tokens of each row, and the total.
        messages (`torch.LongTensor` of shape `(rows, longest)`): The message of each cell, -1 for padding.
        protected (`torch.BoolTensor` of the same shape): Which cells are never doubted.
        emitted_ids, emitted_positions, known (`torch.LongTensor` of shape `(E,)`): The emitted tokens, and the
            number of updates visible to each when it predicts the next.
        marked (`torch.BoolTensor` of shape `(E,)`): Which tokens precede a newly visible update.
        labels (`torch.LongTensor` of shape `(E,)`): The token that each predicts; -100 for no loss.
        emitted_ends, key_ends (`torch.IntTensor` of shape `(R + 1,)`): As `ends`, of emitted tokens and of all keys.
        order, inverse (`torch.LongTensor` of shape `(I + E,)`): Permutation of keys to row order, incoming tokens
            before emitted ones; and its inverse.
        span (`torch.BoolTensor` of shape `(longest,)`): Its length is the maximum row length of emitted tokens.
        numbers (`torch.LongTensor` of shape `(V,)`): The versions.
        factors, emitted_factors (`torch.Tensor` of shape `(I,)` and `(E,)`, *optional*): Where the additions act.
    """

    ids: torch.LongTensor
    positions: torch.LongTensor
    message: torch.LongTensor
    cell: torch.LongTensor
    ends: torch.Tensor
    messages: torch.LongTensor
    protected: torch.BoolTensor
    emitted_ids: torch.LongTensor
    emitted_positions: torch.LongTensor
    known: torch.LongTensor
    marked: torch.BoolTensor
    labels: torch.LongTensor
    emitted_ends: torch.Tensor
    key_ends: torch.Tensor
    order: torch.LongTensor
    inverse: torch.LongTensor
    span: torch.BoolTensor
    numbers: torch.LongTensor
    factors: torch.Tensor | None = None
    emitted_factors: torch.Tensor | None = None

    def tensors(self) -> dict[str, torch.Tensor]:
        """All tensors by name."""
        named = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {name: tensor for name, tensor in named.items() if tensor is not None}

    @classmethod
    def of(
        cls,
        streams: Streams,
        labels: torch.LongTensor | None,
        config: Any,
        acts: torch.Tensor | None = None,
        budget: Budget | None = None,
    ) -> "PackedBatch":
        """
        Packs a batch.

        Args:
            streams (`Streams`): The conversations.
            labels (`torch.LongTensor` of shape `(batch, length)`, *optional*): As in `forward`.
            config (`DuplexAdapterConfig`): Its mode, scope and protected tokens are used.
            acts (`torch.BoolTensor` of shape `(batch,)`, *optional*): In which rows the additions act from the start.
            budget (`Budget`, *optional*): Sizes to pad to.

        Raises:
            ValueError: The batch exceeds the budget, or prompt and updates exceed the slots.
        """
        emitted = streams.input_ids
        mask = torch.ones_like(emitted) if streams.attention_mask is None else streams.attention_mask
        targets = torch.full_like(emitted, -100)
        if labels is not None:
            targets[:, :-1] = labels[:, 1:].masked_fill(mask[:, 1:] == 0, -100)
        gated = config.lora_rank > 0 and (config.scope != "always" if acts is None else not bool(acts.all()))
        always = torch.zeros(len(emitted)) if acts is None else acts.float().to("cpu")
        if config.mode == "workspace":
            line = incoming_line(streams)
            known = line.known
            longest = int((line.message >= 0).sum(1).max())
            if longest > config.n_slots:
                raise ValueError(
                    f"prompt and updates of a row have {longest} tokens, more than n_slots ({config.n_slots}): "
                    "raise n_slots, or train on shorter conversations."
                )
            before = nn.functional.pad(known, (1, 0))[:, :-1]
            parts = {
                "ids": line.ids,
                "positions": line.positions,
                "message": line.message,
                "emitted_ids": emitted,
                "emitted_positions": line.prompt_length[:, None] + torch.arange(emitted.shape[1], device=mask.device),
                "known": known,
                "marked": known > before,
                "labels": targets,
            }
            incoming_mask, emitted_mask, versions = line.message >= 0, mask.bool(), line.versions
            protected = protected_columns(
                line.ids, line.message == 0, config.system_prefix_ids, config.turn_end_token_id
            )
            acting, acting_emitted = line.message > 0, known > 0
        else:
            updates = streams.updates()
            ids, emitted_mask, predictor = serialize(
                emitted, streams.attention_mask, streams.prompt_ids, streams.prompt_mask, updates
            )
            aware = torch.zeros_like(emitted)
            if updates is not None:
                aware = (torch.arange(1, 1 + emitted.shape[1], device=mask.device) >= updates[2][:, :1]).long()
            acting_emitted = line_acts(streams, ids, predictor, aware)
            # Padding shares its predictor with the last token, whose label must be kept.
            wanted = targets != -100
            spread = torch.full_like(ids, -100)
            rows = torch.arange(len(ids), device=ids.device)[:, None].expand_as(predictor)
            spread[rows[wanted], predictor[wanted]] = targets[wanted]
            nothing = ids.new_zeros(len(ids), 0)
            parts = {name: nothing for name in ("ids", "positions", "message")}
            parts |= {
                "emitted_ids": ids,
                "emitted_positions": torch.arange(ids.shape[1], device=ids.device).expand_as(ids),
                "known": torch.zeros_like(ids),
                "marked": torch.zeros_like(ids, dtype=torch.bool),
                "labels": spread,
            }
            incoming_mask, protected, versions = nothing.bool(), nothing.bool(), 1
            acting = nothing.bool()
        if gated:
            parts["factors"] = torch.maximum(acting.float(), always.to(acting.device)[:, None])
            parts["emitted_factors"] = torch.maximum(acting_emitted.float(), always.to(acting.device)[:, None])
        return cls._filled(parts, incoming_mask, emitted_mask, protected, versions, budget)

    @classmethod
    def _filled(cls, parts, incoming_mask, emitted_mask, protected, versions: int, budget: Budget | None):
        rows = len(emitted_mask)
        lengths, emitted_lengths = incoming_mask.sum(1), emitted_mask.sum(1)
        longest, emitted_longest = (max(1, int(sizes.max())) for sizes in (lengths, emitted_lengths))
        width = -(-versions // 8) * 8 if versions > 1 else 1
        all_rows = rows
        if budget is not None:
            all_rows, width = budget.rows, budget.versions
            given = (rows, int(lengths.sum()), int(emitted_lengths.sum()), longest, emitted_longest, versions)
            most = (
                budget.rows,
                budget.incoming,
                budget.emitted,
                budget.longest_incoming,
                budget.longest_emitted,
                budget.versions,
            )
            if any(one > limit for one, limit in zip(given, most)):
                raise ValueError(f"a batch of the sizes {given} does not fit into the budget {most}.")
            longest, emitted_longest = budget.longest_incoming, budget.longest_emitted
            lengths = filled_rows(lengths, budget, budget.incoming, budget.longest_incoming)
            emitted_lengths = filled_rows(emitted_lengths, budget, budget.emitted, budget.longest_emitted)
        packed: dict[str, torch.Tensor] = {}
        for name, tensor in parts.items():
            own = emitted_mask if name in EMITTED else incoming_mask
            tokens = tensor[own]
            missing = int((emitted_lengths if name in EMITTED else lengths).sum()) - len(tokens)
            value = {"labels": -100, "message": -1}.get(name, 0)
            packed[name] = nn.functional.pad(tokens, (0, missing), value=value)
        device = emitted_mask.device
        row = torch.arange(len(lengths), device=device).repeat_interleave(lengths)
        emitted_row = torch.arange(len(lengths), device=device).repeat_interleave(emitted_lengths)
        ends, emitted_ends = row_ends(lengths), row_ends(emitted_lengths)
        column = torch.arange(len(row), device=device) - ends[row]
        cells = all_rows * longest
        cell = torch.where(row < all_rows, row * longest + column, cells)
        order = torch.cat([row, emitted_row]).argsort(stable=True)
        messages = cell.new_full((cells + 1,), -1).index_copy(0, cell, packed["message"])
        filler = nn.functional.pad(protected, (0, max(0, longest - protected.shape[1]), 0, all_rows - rows))
        return cls(
            **packed,
            cell=cell,
            ends=ends,
            messages=messages[:cells].view(all_rows, longest),
            protected=filler[:, :longest],
            emitted_ends=emitted_ends,
            key_ends=row_ends(lengths + emitted_lengths),
            order=order,
            inverse=order.argsort(),
            span=torch.zeros(emitted_longest, dtype=torch.bool, device=device),
            numbers=torch.arange(width, device=device),
        )


EMITTED = ("emitted_ids", "emitted_positions", "known", "marked", "labels", "emitted_factors")


def row_ends(lengths: torch.LongTensor) -> torch.Tensor:
    """Start of each row, and the total, as 32-bit integers."""
    return nn.functional.pad(lengths.cumsum(0), (1, 0)).int()


def filled_rows(lengths: torch.LongTensor, budget: Budget, total: int, longest: int) -> torch.LongTensor:
    """The lengths of all rows of a budget: those of the batch, empty rows, and padding in spare rows."""
    missing = total - int(lengths.sum())
    full = torch.full((budget.spare_rows,), longest, device=lengths.device).cumsum(0).clamp(max=missing)
    filling = full.diff(prepend=full.new_zeros(1))
    return torch.cat([lengths, lengths.new_zeros(budget.rows - len(lengths)), filling])


def line_acts(streams: Streams, ids, predictor, known) -> torch.Tensor:
    """The columns of a spliced line in which additions act: from the token before the first update on."""
    # As in generation, the emitted token before the splice is processed with it.
    before = nn.functional.pad(predictor, (1, 0))
    before[:, 0] = -1
    if streams.prompt_ids is not None:
        mask = torch.ones_like(streams.prompt_ids) if streams.prompt_mask is None else streams.prompt_mask
        before[:, 0] += mask.bool().sum(1)
    start = 1 + before.gather(1, (known == 0).sum(1, keepdim=True))
    column = torch.arange(ids.shape[1], device=ids.device)
    return (column >= start) & (known.sum(1, keepdim=True) > 0)


@dataclass
class PackedVisibility:
    """
    What packed queries can see: the slots of their version, and their row up to themselves.

    Attributes:
        ends, key_ends (`torch.IntTensor` of shape `(rows + 1,)`): Start of each row, for queries and keys.
        longest, longest_key (`int`): Maximum number of tokens per row.
        order, inverse (`torch.LongTensor`, *optional*): Permutation of slots and stream tokens to row order, and
            its inverse; None without slots.
        known, bias (`torch.Tensor` of shape `(queries, V)` and `(keys, V)`, *optional*): A one-hot of the version of
            each query, and the bias of each version for each key.
        key_values (`list`): A pair `(tokens, kv_heads, head_dim)` per layer. Recorded without `order`, attended to
            with it.
    """

    ends: torch.Tensor
    key_ends: torch.Tensor
    longest: int
    longest_key: int
    order: torch.LongTensor | None = None
    inverse: torch.LongTensor | None = None
    known: torch.Tensor | None = None
    bias: torch.Tensor | None = None
    key_values: list[tuple[torch.Tensor, torch.Tensor]] = field(default_factory=list)


class Permuted(torch.autograd.Function):
    """Permutes the rows of a tensor. The gradient is permuted back, without the sums that indexing needs."""

    @staticmethod
    def forward(ctx, tensor: torch.Tensor, order: torch.LongTensor, inverse: torch.LongTensor) -> torch.Tensor:
        ctx.save_for_backward(inverse)
        return tensor[order]

    @staticmethod
    def backward(ctx, gradient: torch.Tensor):
        (inverse,) = ctx.saved_tensors
        return gradient[inverse], None, None


@torch.compiler.disable
def packed_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    seen: PackedVisibility,
    scaling: float | None,
) -> torch.Tensor:
    """
    Attention of packed tokens, `(1, heads, tokens, head_dim)`, to their slots and their own rows. Returns
    `(1, tokens, heads, head_dim)`.
    """
    head_dim = query.shape[-1]
    scaling = head_dim**-0.5 if scaling is None else scaling
    query, key, value = (tensor[0].transpose(0, 1) for tensor in (query, key, value))
    if seen.order is None:
        seen.key_values.append((key, value))
    else:
        slot_keys, slot_values = seen.key_values[module.layer_idx]
        key = Permuted.apply(torch.cat([slot_keys, key]), seen.order, seen.inverse)
        value = Permuted.apply(torch.cat([slot_values, value]), seen.order, seen.inverse)
    if seen.known is not None and seen.bias is not None:
        known = seen.known.to(query.dtype)[:, None].expand(-1, query.shape[1], -1)
        query = torch.cat([query, known], dim=-1)
        bias = (seen.bias / scaling).to(key.dtype)[:, None].expand(-1, key.shape[1], -1)
        key = torch.cat([key, bias], dim=-1)
        value = nn.functional.pad(value, (0, known.shape[-1]))
    attend = _flash_attention if query.device.type == "cuda" else _dense_attention
    return attend(query.contiguous(), key.contiguous(), value.contiguous(), seen, scaling)[None, ..., :head_dim]


def _flash_attention(query, key, value, seen: PackedVisibility, scaling: float) -> torch.Tensor:
    lengths = seen.ends, seen.key_ends, seen.longest, seen.longest_key
    attend = torch.ops.aten._flash_attention_forward
    return attend(query, key, value, *lengths, 0.0, True, False, scale=scaling)[0]


def _dense_attention(query, key, value, seen: PackedVisibility, scaling: float) -> torch.Tensor:
    """The same with a mask over all pairs, for devices without a flash kernel."""
    device = query.device
    own, all_keys = seen.ends.diff().long(), seen.key_ends.diff().long()
    number = torch.arange(len(own), device=device)
    rows, key_rows = number.repeat_interleave(own), number.repeat_interleave(all_keys)
    # Causal, aligned at the end of each row.
    left = seen.ends[1:][rows] - torch.arange(len(rows), device=device)
    key_left = seen.key_ends[1:][key_rows] - torch.arange(len(key_rows), device=device)
    allowed = (rows[:, None] == key_rows) & (key_left >= left[:, None])
    repeats = query.shape[1] // key.shape[1]
    key, value = (tensor.repeat_interleave(repeats, dim=1).transpose(0, 1) for tensor in (key, value))
    scores = query.transpose(0, 1) @ key.transpose(1, 2) * scaling
    return (scores.masked_fill(~allowed, -torch.inf).softmax(-1) @ value).transpose(0, 1)


__all__ = ["Budget", "PackedBatch", "PackedVisibility", "packed_attention"]
