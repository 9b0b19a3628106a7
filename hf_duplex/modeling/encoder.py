"""The message encoder: reads one message at a time, knowing nothing of the others."""

import torch
from torch import nn
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from .layers import DuplexDecoderLayer, additive_mask


class MessageEncoder(nn.Module):
    """Blocks of the generator's own kind, but attending both ways within a message."""

    def __init__(self, config):
        super().__init__()
        self.layers = nn.ModuleList(DuplexDecoderLayer(config, index) for index in range(config.encoder_layers))
        for layer in self.layers:
            layer.self_attn.is_causal = False
        self.norm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.rotary_emb = LlamaRotaryEmbedding(config)

    def forward(self, embeddings: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """
        Args:
            embeddings (`torch.Tensor` of shape `(batch, messages, length, hidden_size)`): Embedded messages.
            mask (`torch.Tensor` of shape `(batch, messages, length)`): Non-zero where there is a token; tokens stand
                at the front of their message.

        Returns:
            States of the same shape as `embeddings`.
        """
        batch, messages, length, width = embeddings.shape
        hidden_states = embeddings.reshape(batch * messages, length, width)
        attention_mask = additive_mask(mask.bool().view(batch * messages, 1, 1, length), hidden_states.dtype)
        positions = torch.arange(length, device=embeddings.device)[None]
        position_embeddings = self.rotary_emb(hidden_states, positions)
        for layer in self.layers:
            hidden_states = layer(
                hidden_states,
                attention_mask=attention_mask,
                position_embeddings=position_embeddings,
                past_key_values=None,
                shift=None,
            )
        return self.norm(hidden_states).view(batch, messages, length, width)
