"""The thought track through a frozen backbone: its own low-rank additions, its own positions, one softmax over both
tracks."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from .configuration_dual_track import LORA_TARGETS


@dataclass
class Content:
    """What a thought sees of the content.

    Args:
        keys (`list[torch.Tensor]`): For each layer `[batch, key heads, tokens, head size]`, before rotation.
        values (`list[torch.Tensor]`): Likewise.
        visible (`torch.Tensor`): `[batch, thought tokens, tokens]`, true where a thought token may look.
        current (`torch.Tensor`): Likewise, true for what was said since the thought before.
    """

    keys: list[torch.Tensor]
    values: list[torch.Tensor]
    visible: torch.Tensor
    current: torch.Tensor


class LowRank(nn.Module):
    """What the thought track adds to one projection (LoRA, arXiv 2106.09685): zero at first."""

    def __init__(self, inputs: int, outputs: int, rank: int, alpha: float):
        super().__init__()
        self.down = nn.Linear(inputs, rank, bias=False)
        self.up = nn.Linear(rank, outputs, bias=False)
        self.scale = alpha / rank

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """`[..., inputs]` to `[..., outputs]`."""
        return self.up(self.down(hidden)) * self.scale


class ThoughtLayer(nn.Module):
    """One layer of the thought track; the frozen layer of the backbone is handed in, and shared with the content."""

    def __init__(self, config, rank: int, alpha: float):
        super().__init__()
        self.heads, self.key_heads = config.num_attention_heads, config.num_key_value_heads
        self.head_size = getattr(config, "head_dim", None) or config.hidden_size // self.heads
        sizes = {
            "q_proj": (config.hidden_size, self.heads * self.head_size),
            "k_proj": (config.hidden_size, self.key_heads * self.head_size),
            "v_proj": (config.hidden_size, self.key_heads * self.head_size),
            "o_proj": (self.heads * self.head_size, config.hidden_size),
        }
        self.lora = nn.ModuleDict({name: LowRank(*sizes[name], rank, alpha) for name in LORA_TARGETS})
        self.current_bias = nn.Parameter(torch.zeros(self.heads))

    def _project(self, name: str, layer: nn.Module, hidden: torch.Tensor) -> torch.Tensor:
        return getattr(layer.self_attn, name)(hidden) + self.lora[name](hidden)

    def forward(self, layer, hidden, rotation, content, index, past, thought_mask, watch):
        """
        Args:
            layer: The backbone's layer.
            hidden: `[batch, tokens, hidden]`.
            rotation: Cosine and sine of the thought's own positions.
            content, index: [`Content`] and the number of this layer.
            past: Keys (rotated) and values of the thoughts before, or None.
            thought_mask: `[batch, tokens, thoughts before and these]`, true where a token may look.
            watch: Return the attention, `[batch, tokens, thoughts and content]`, mean over heads.

        Returns: the hidden states, the keys and values of these tokens, and the attention or None.
        """
        batch, tokens, _ = hidden.shape
        normed = layer.input_layernorm(hidden)
        query = self._project("q_proj", layer, normed).view(batch, tokens, self.heads, -1).transpose(1, 2)
        key = self._project("k_proj", layer, normed).view(batch, tokens, self.key_heads, -1).transpose(1, 2)
        value = self._project("v_proj", layer, normed).view(batch, tokens, self.key_heads, -1).transpose(1, 2)
        rotated, key = apply_rotary_pos_emb(query, key, *rotation)
        own = key, value
        if past is not None:
            key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
        raw, said = content.keys[index].to(key.dtype), content.values[index].to(value.dtype)

        # One softmax over both: rotated queries meet the thoughts' keys, raw ones the content's; zeros fill the rest.
        queries = torch.cat([rotated, query], dim=-1)
        keys = torch.cat([functional.pad(key, (0, self.head_size)), functional.pad(raw, (self.head_size, 0))], dim=2)
        values = torch.cat([value, said], dim=2)
        bias = torch.zeros(batch, self.heads, tokens, keys.shape[2], dtype=query.dtype, device=query.device)
        near = self.current_bias.view(1, -1, 1, 1).to(query.dtype) * content.current.unsqueeze(1)
        allowed = torch.cat([thought_mask, content.visible], dim=-1).unsqueeze(1)
        bias = torch.cat([bias[..., : key.shape[2]], near], dim=-1)
        bias = bias.masked_fill(~allowed, torch.finfo(query.dtype).min)
        attention = None
        scale = self.head_size**-0.5
        groups = self.heads // self.key_heads
        keys, values = keys.repeat_interleave(groups, 1), values.repeat_interleave(groups, 1)
        if watch:
            weights = (queries @ keys.transpose(-1, -2) * scale + bias).softmax(-1)
            mixed = weights @ values
            attention = weights.detach().mean(1)
        else:
            # The values are as wide as the keys, since the fused kernels want both alike.
            mixed = functional.scaled_dot_product_attention(
                queries, keys, functional.pad(values, (0, self.head_size)), attn_mask=bias, scale=scale
            )[..., : self.head_size]
        mixed = mixed.transpose(1, 2).reshape(batch, tokens, -1)
        hidden = hidden + self._project("o_proj", layer, mixed)
        hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
        return hidden, own, attention
