"""
Attention of a pretrained model over slots and its own stream, in the model's own attention layers.

`"duplex"` is registered with transformers' `AttentionInterface`, and no mask function of that name exists, so models
that use it build no masks of their own. What each query may see comes as the keyword `visibility` instead, and the
attention that the base was configured with does the arithmetic.
"""

import sys
from dataclasses import dataclass, field

import torch
from torch import nn
from transformers import AttentionInterface

from .packed_adapter import PackedVisibility, packed_attention


NAME = "duplex"
ALL_ATTENTION = AttentionInterface()
# Added to a logit, it leaves nothing of it; finite, since it is also multiplied.
HIDDEN = -1e4


@dataclass
class Visibility:
    """
    What the queries of one forward see. Without `allowed`, `bias` and `padding` it is causal attention, as the base
    has it.

    Attributes:
        implementation (`str`): The attention that computes: `"sdpa"` or `"eager"`.
        query_positions (`torch.LongTensor` of shape `(batch, queries)`): Positions of the queries.
        key_positions (`torch.LongTensor` of shape `(batch, keys)`): Positions of all keys, slots first.
        allowed (`torch.BoolTensor` of shape `(batch, queries, keys)`, *optional*): Which keys each query sees; causal
            (each query sees the keys up to its own column) where it is not given.
        bias (`torch.Tensor` of shape `(batch, 1 or queries, keys)`, *optional*): What is added to the attention
            logits: the log-validity of slots, 0 for the own stream.
    """

    implementation: str
    query_positions: torch.LongTensor
    key_positions: torch.LongTensor
    allowed: torch.BoolTensor | None = None
    bias: torch.Tensor | None = None
    _masks: dict = field(default_factory=dict)

    def mask(self, window: int | None, dtype: torch.dtype) -> torch.Tensor | None:
        """The mask `(batch, 1, queries, keys)` of layers with that sliding window; None if plain causal will do."""
        if (window, dtype) not in self._masks:
            self._masks[window, dtype] = self._mask(window, dtype)
        return self._masks[window, dtype]

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
        allowed = self.allowed
        if allowed is None:
            column = torch.arange(keys, device=self.key_positions.device)
            allowed = (column <= column[keys - queries :, None])[None]
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
    mask = visibility.mask(sliding_window, query.dtype)
    if visibility.implementation == "eager":
        attend = sys.modules[type(module).__module__].eager_attention_forward
    else:
        attend = ALL_ATTENTION[visibility.implementation]
    return attend(module, query, key, value, mask, *args, scaling=scaling, sliding_window=sliding_window, **kwargs)


AttentionInterface.register(NAME, duplex_attention)

__all__ = ["HIDDEN", "NAME", "Visibility", "duplex_attention"]
