"""Building blocks of all three generators and of the message encoder."""

from dataclasses import dataclass

import torch
from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaMLP, eager_attention_forward


def additive_mask(allowed: torch.BoolTensor, dtype: torch.dtype) -> torch.Tensor:
    """Zero where attention is allowed, the lowest finite number elsewhere (finite, so that no row becomes NaN)."""
    # The lowest float32 would become minus infinity when autocast rounds it to bfloat16.
    lowest = max(torch.finfo(dtype).min, torch.finfo(torch.bfloat16).min)
    return torch.zeros(allowed.shape, dtype=dtype, device=allowed.device).masked_fill(~allowed, lowest)


def causal_mask(
    query_positions: torch.LongTensor,
    key_positions: torch.LongTensor,
    key_mask: torch.Tensor | None,
    window: int | None,
    dtype: torch.dtype,
) -> torch.Tensor:
    """
    Causal attention by position, not by column: padding inside the cache of a row does not affect that row.

    Args:
        query_positions (`(batch or 1, queries)`), key_positions (`(batch or 1, keys)`): Positions of the tokens.
        key_mask (`(batch, keys)`, *optional*): Non-zero where a column holds a token.
        window (`int`, *optional*): How many positions a query reaches back, itself included.

    Returns:
        Additive mask `(batch or 1, 1, queries, keys)`.
    """
    distance = query_positions[:, :, None] - key_positions[:, None, :]
    allowed = distance >= 0
    if window is not None:
        allowed &= distance < window
    if key_mask is not None:
        allowed = allowed & key_mask[:, None, :].bool()
    return additive_mask(allowed[:, None], dtype)


def padding_that_matters(mask: torch.Tensor | None) -> torch.Tensor | None:
    """
    The mask `(batch, length)` of a whole stream, or None if it is not needed: causal attention never reaches padding
    on the right, and attention without a mask has faster kernels.
    """
    if mask is None or not bool((mask[:, 1:] > mask[:, :-1]).any()):
        return None
    return mask


def left_pad_shift(pads: torch.LongTensor, length: int, width: int) -> torch.LongTensor:
    """
    Source index of each column of `[state, block]` when row b starts with `pads[b]` columns of padding: the state of
    `width` columns moves directly before the first token of the row. Shape `(batch, width + length)`.
    """
    column = torch.arange(width + length, device=pads.device)[None]
    pads = pads[:, None]
    return torch.where((column >= pads) & (column < pads + width), column - pads, column)


class ShortConvolution(nn.Module):
    """
    Depthwise causal convolution with a residual (Canon-A of "Physics of Language Models 4.1", arXiv 2512.17351): each
    token also reads the `width - 1` tokens before it. Without it, associative recall takes far longer to train.
    """

    def __init__(self, hidden_size: int, width: int):
        super().__init__()
        self.width = width
        self.weight = nn.Parameter(torch.empty(width, hidden_size))

    def forward(
        self,
        hidden_states,
        layer_idx: int,
        cache=None,
        shift: torch.LongTensor | None = None,
        reach: torch.BoolTensor | None = None,
    ):
        """
        (batch, length, hidden_size) to the same; `shift` as from [`left_pad_shift`], None without left padding;
        `reach` as from [`~packing.reach_mask`], if several messages are packed in a row.
        """
        state = None if cache is None else cache.conv_state(layer_idx)
        if state is None:
            window = nn.functional.pad(hidden_states, (0, 0, self.width, 0))
        else:
            window = torch.cat([state, hidden_states], dim=1)
        if shift is not None:
            window = window.gather(1, shift[..., None].expand(-1, -1, window.shape[-1]))
        length = hidden_states.shape[1]
        if cache is not None:
            cache.update_conv(layer_idx, hidden_states, window[:, length:])
        if length == 1:
            # Kernel launches dominate a decoding step: compute all taps at once.
            return hidden_states + (window[:, 1:] * self.weight).sum(dim=1, keepdim=True)
        for tap in range(self.width):
            earlier = window[:, tap + 1 : tap + 1 + length] * self.weight[tap]
            hidden_states = hidden_states + (earlier if reach is None else earlier * reach[..., tap : tap + 1])
        return hidden_states


class CrossAttention(nn.Module):
    """Attention of the emitted stream to incoming text: slots of a workspace, or tokens of a second stream."""

    is_causal = False

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.head_dim = config.head_dim
        self.num_key_value_groups = config.num_attention_heads // config.num_key_value_heads
        self.scaling = self.head_dim**-0.5
        self.attention_dropout = config.attention_dropout
        self.q_proj = nn.Linear(config.hidden_size, config.num_attention_heads * self.head_dim, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, config.num_key_value_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, config.num_key_value_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(config.num_attention_heads * self.head_dim, config.hidden_size, bias=False)

    def project(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values, each `(batch, kv_heads, slots, head_dim)`, of states `(batch, slots, hidden_size)`."""
        shape = (*states.shape[:-1], self.config.num_key_value_heads, self.head_dim)
        return self.k_proj(states).view(shape).transpose(1, 2), self.v_proj(states).view(shape).transpose(1, 2)

    def forward(
        self,
        hidden_states,
        key_values: tuple[torch.Tensor, torch.Tensor],
        bias: torch.Tensor | None,
        known: torch.Tensor | None = None,
        **kwargs,
    ):
        """
        Attention of `(batch, length, hidden_size)` to keys and values as from [`project`]. With `known`, the
        visible version of each query, one-hot `(batch, length, versions)`, the bias `(batch, 1 or heads, versions,
        slots)` has a row for each version; without it, one row for all queries, or one for each.
        """
        shape = (*hidden_states.shape[:-1], -1, self.head_dim)
        query = self.q_proj(hidden_states).view(shape).transpose(1, 2)
        keys, values = key_values
        if known is not None and bias is not None:
            query, keys, values = self._with_bias(query, keys, values, bias, known)
            bias = None
        attention = ALL_ATTENTION_FUNCTIONS.get_interface(self.config._attn_implementation, eager_attention_forward)
        output, weights = attention(
            self,
            query,
            keys,
            values,
            None if bias is None else bias.to(query.dtype),
            dropout=self.attention_dropout if self.training else 0.0,
            scaling=self.scaling,
            **kwargs,
        )
        output = output[..., : self.head_dim]
        return self.o_proj(output.reshape(*hidden_states.shape[:-1], -1)), weights

    def _with_bias(self, query, keys, values, bias, known):
        """
        Appends the bias to queries and keys as columns, one per version. Their product adds it to the logits, so
        neither a bias per query nor its gradient is materialized.
        """
        asked = (known / self.scaling).to(query.dtype)[:, None].expand(-1, query.shape[1], -1, -1)
        added = bias.to(keys.dtype).transpose(2, 3).expand(-1, keys.shape[1], -1, -1)
        query, keys = torch.cat([query, asked], dim=-1), torch.cat([keys, added], dim=-1)
        return query, keys, nn.functional.pad(values, (0, known.shape[-1]))


@dataclass
class CrossInputs:
    """
    What cross-attention attends to: the states of all versions in training, cached keys and values in generation; and
    a bias for each slot, which contains its log-validity.

    Attributes:
        states (`torch.Tensor` of shape `(batch, slots, hidden_size)`, *optional*): To be projected by each layer.
        key_values (`list[tuple[torch.Tensor, torch.Tensor]]`, *optional*): Already projected, one pair per layer.
        bias (`torch.Tensor` of shape `(batch, 1 or heads, versions or queries or 1, slots)`): Added to the attention
            logits.
        known (`torch.Tensor` of shape `(batch, queries, versions)`, *optional*): The visible version of each
            query, one-hot, if the bias has a row for each version.
    """

    bias: torch.Tensor
    states: torch.Tensor | None = None
    key_values: list | None = None
    known: torch.Tensor | None = None


def with_null_column(key_values: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Prepends a column of zeros, to attend to when there is no message or none is relevant."""
    return tuple(nn.functional.pad(tensor, (0, 0, 1, 0)) for tensor in key_values)


class DuplexDecoderLayer(GradientCheckpointingLayer):
    """A Llama block with a short convolution before its self-attention."""

    attention_class: type[LlamaAttention] = LlamaAttention

    def __init__(self, config, layer_idx: int):
        super().__init__()
        self.layer_idx = layer_idx
        self.self_attn = self.attention_class(config, layer_idx)
        self.mlp = LlamaMLP(config)
        self.input_layernorm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_attention_layernorm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.conv = ShortConvolution(config.hidden_size, config.conv_width) if config.conv_width else None

    def attend_to_itself(
        self, hidden_states, attention_mask, position_embeddings, past_key_values, shift, reach=None, **kwargs
    ):
        normed = self.input_layernorm(hidden_states)
        if self.conv is not None:
            normed = self.conv(normed, self.layer_idx, past_key_values, shift, reach)
        attended, _ = self.self_attn(
            normed,
            position_embeddings=position_embeddings,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            **kwargs,
        )
        return hidden_states + attended

    def feed_forward(self, hidden_states):
        return hidden_states + self.mlp(self.post_attention_layernorm(hidden_states))

    # Checkpointing passes gradients through positional arguments only: the subclass below uses `states`.
    def forward(self, hidden_states, states=None, bias=None, key_values=None, known=None, **kwargs):
        return self.feed_forward(self.attend_to_itself(hidden_states, **kwargs))


class EmittedAttention(LlamaAttention):
    """Self-attention of the emitted stream. Its class lets output recording skip the message encoder."""


class DuplexCrossDecoderLayer(DuplexDecoderLayer):
    """The same block with gated cross-attention to incoming text, between self-attention and feed-forward."""

    attention_class = EmittedAttention

    def __init__(self, config, layer_idx: int):
        super().__init__(config, layer_idx)
        self.cross_attn = CrossAttention(config)
        self.cross_attention_layernorm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.cross_gate = nn.Parameter(torch.empty(()))

    def forward(self, hidden_states, states=None, bias=None, key_values=None, known=None, **kwargs):
        hidden_states = self.attend_to_itself(hidden_states, **kwargs)
        if key_values is None:
            key_values = with_null_column(self.cross_attn.project(states))
        heard, _ = self.cross_attn(self.cross_attention_layernorm(hidden_states), key_values, bias, known)
        hidden_states = hidden_states + self.cross_gate.tanh() * heard
        return self.feed_forward(hidden_states)
