"""
Attention of a pretrained model over slots and its stream, in the model's own attention layers.

`"duplex"` is registered with transformers' `AttentionInterface` without a mask function, so models that use it build
no masks. The keyword `visibility` defines what each query can see, and the configured attention of the base computes
the result.
"""

import sys
from dataclasses import dataclass, field

import torch
from torch import nn
from transformers import AttentionInterface

from .packed_adapter import PackedVisibility, packed_attention


NAME = "duplex"
ALL_ATTENTION = AttentionInterface()
# The bias that hides a key; finite, because it is also multiplied.
HIDDEN = -1e4


@dataclass
class Part:
    """
    Slots in addition to the columns that the cache returns.

    Attributes:
        key_values (`tuple`): Keys and values `(batch, kv_heads, n, head_dim)`, a pair per layer.
        positions (`torch.LongTensor` of shape `(batch, n)`): Their positions.
        used (`torch.BoolTensor` of the same shape): Which hold a token.
        bias (`torch.Tensor` of the same shape): Added to the attention logits.
    """

    key_values: tuple
    positions: torch.LongTensor
    used: torch.BoolTensor
    bias: torch.Tensor

    def mask(self, positions: torch.LongTensor, window: int | None, dtype: torch.dtype) -> torch.Tensor:
        """What is added to the logits of queries at these positions, `(batch, 1, queries, n)`."""
        seen = self.used[:, None]
        if window is not None:
            seen = seen & (positions[:, :, None] - self.positions[:, None] < window)
        mask = torch.where(seen, self.bias[:, None].to(dtype), torch.finfo(dtype).min)
        return mask[:, None].expand(-1, -1, positions.shape[1], -1)


@dataclass
class Visibility:
    """
    What the queries of one forward can see. Without `allowed` and `bias` it is the causal attention of the base.

    Attributes:
        implementation (`str`): The attention implementation: `"sdpa"` or `"eager"`.
        query_positions (`torch.LongTensor` of shape `(batch, queries)`): Positions of the queries.
        key_positions (`torch.LongTensor` of shape `(batch, keys)`): Positions of all keys, slots first.
        allowed (`torch.BoolTensor` of shape `(batch, queries, keys)`, *optional*): Which keys each query can see.
            Defaults to causal: keys up to the query's own column.
        bias (`torch.Tensor` of shape `(batch, 1 or queries, keys)`, *optional*): Added to the attention logits: the
            log-validity of slots, 0 for the stream.
        parts (`list[Part]`): Further slots that all queries can see.
    """

    implementation: str
    query_positions: torch.LongTensor
    key_positions: torch.LongTensor
    allowed: torch.BoolTensor | None = None
    bias: torch.Tensor | None = None
    parts: list[Part] = field(default_factory=list)
    _masks: dict = field(default_factory=dict)

    def mask(self, window: int | None, dtype: torch.dtype) -> torch.Tensor | None:
        """The mask `(batch, 1, queries, keys)` of layers with that sliding window; None if causal suffices."""
        if (window, dtype) not in self._masks:
            self._masks[window, dtype] = self._mask(window, dtype)
        return self._masks[window, dtype]

    def added(self, window: int | None, dtype: torch.dtype) -> list[torch.Tensor]:
        """The masks added to the logits: one for each part, then one for the columns of the cache."""
        if ("added", window, dtype) not in self._masks:
            own = self.mask(window, dtype)
            if own is None:
                own = self._allowed()[:, None]
            if own.dtype == torch.bool:
                own = torch.zeros((), dtype=dtype).masked_fill(~own, torch.finfo(dtype).min)
            parts = [part.mask(self.query_positions, window, dtype) for part in self.parts]
            self._masks["added", window, dtype] = [*parts, own.expand(len(self.query_positions), -1, -1, -1)]
        return self._masks["added", window, dtype]

    def _allowed(self) -> torch.BoolTensor:
        if self.allowed is not None:
            return self.allowed
        queries, keys = self.query_positions.shape[1], self.key_positions.shape[1]
        column = torch.arange(keys, device=self.key_positions.device)
        return (column <= column[keys - queries :, None])[None]

    def _mask(self, window: int | None, dtype: torch.dtype) -> torch.Tensor | None:
        queries, keys = self.query_positions.shape[1], self.key_positions.shape[1]
        distance = None
        if window is not None:
            distance = self.query_positions[:, :, None] - self.key_positions[:, None]
            if bool((distance < window).all()):
                distance = None
        whole = self.allowed is None and self.bias is None and distance is None
        if whole and self.implementation == "sdpa" and (queries == 1 or queries == keys):
            return None
        allowed = self._allowed()
        if distance is not None:
            allowed = allowed & (distance < window)
        if self.bias is None and self.implementation == "sdpa":
            return allowed[:, None]
        bias = torch.zeros((), device=allowed.device) if self.bias is None else self.bias
        return torch.where(allowed, bias.to(dtype), torch.finfo(dtype).min)[:, None]


def duplex_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *args,
    visibility: Visibility | PackedVisibility | None = None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **kwargs,
):
    """
    The attention function: queries `(batch, heads, queries, head_dim)`, keys and values `(batch, kv_heads, keys,
    head_dim)`, slots first. Returns `(batch, queries, heads, head_dim)` and the attention weights, if there are any.
    """
    if visibility is None:
        raise ValueError("this model attends through its duplex wrapper: call the model that `listen` returned.")
    if isinstance(visibility, PackedVisibility):
        return packed_attention(module, query, key, value, visibility, scaling), None
    if visibility.parts:
        masks = visibility.added(sliding_window, query.dtype)
        pairs = [*(part.key_values[module.layer_idx] for part in visibility.parts), (key, value)]
        plain = visibility.implementation == "sdpa" and not torch.is_grad_enabled()
        if plain and query.device.type == "cpu":
            return merged_attention(query, pairs, masks, scaling), None
        key, value = (torch.cat(tensors, dim=2) for tensors in zip(*pairs, strict=True))
        mask = torch.cat(masks, dim=3)
    else:
        mask = visibility.mask(sliding_window, query.dtype)
    if mask is not None and query.device.type == "cpu" and visibility.implementation == "sdpa":
        # Avoids repeating the keys and values of many slots for every head.
        output = nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, scale=scaling, enable_gqa=query.shape[1] != key.shape[1]
        )
        return output.transpose(1, 2), None
    if visibility.implementation == "eager":
        attend = sys.modules[type(module).__module__].eager_attention_forward
    else:
        attend = ALL_ATTENTION[visibility.implementation]
    return attend(module, query, key, value, mask, *args, scaling=scaling, sliding_window=sliding_window, **kwargs)


def merged_attention(
    query: torch.Tensor, pairs: list[tuple], masks: list[torch.Tensor], scaling: float | None
) -> torch.Tensor:
    """
    Attention to several key segments as if concatenated, but without copying: attends to each separately, then
    averages by the sums of exponentials. Returns `(batch, queries, heads, head_dim)`.
    """
    batch, heads, queries, head_dim = query.shape
    groups = pairs[0][0].shape[1]
    # Treat heads that share keys as additional queries.
    query = query.reshape(batch, groups, -1, head_dim)
    attend = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    outputs, sums = [], []
    for (keys, values), mask in zip(pairs, masks, strict=True):
        if keys.shape[2]:
            mask = mask.repeat(1, 1, heads // groups, 1)
            output, total = attend(query, keys, values, 0.0, False, attn_mask=mask, scale=scaling)
            outputs.append(output.float())
            sums.append(total.float())
    weights = torch.stack(sums).softmax(dim=0)[..., None]
    output = (torch.stack(outputs) * weights).sum(0).to(query.dtype)
    return output.view(batch, heads, queries, head_dim).transpose(1, 2)


AttentionInterface.register(NAME, duplex_attention)

__all__ = ["HIDDEN", "NAME", "Visibility", "duplex_attention"]
