"""The message encoder: encodes each message independently of the others."""

import torch
from torch import nn
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from .layers import DuplexDecoderLayer, additive_mask
from .packing import reach_mask


class MessageEncoder(nn.Module):
    """The generator's blocks, with bidirectional attention within a message."""

    def __init__(self, config):
        super().__init__()
        self.conv_width = config.conv_width
        self.layers = nn.ModuleList(DuplexDecoderLayer(config, index) for index in range(config.encoder_layers))
        for layer in self.layers:
            layer.self_attn.is_causal = False
        self.norm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.rotary_emb = LlamaRotaryEmbedding(config)

    def forward(self, embeddings: torch.Tensor, message: torch.LongTensor, offset: torch.LongTensor) -> torch.Tensor:
        """
        Args:
            embeddings (`torch.Tensor` of shape `(batch, tokens, hidden_size)`): Embedded messages, packed.
            message (`torch.LongTensor` of shape `(batch, tokens)`): The message of each token, -1 for padding.
            offset (`torch.LongTensor` of the same shape): The offset of each token in its message.

        Returns:
            States of the shape of `embeddings`.
        """
        same = message[:, None, :, None] == message[:, None, None, :]
        attention_mask = additive_mask(same, embeddings.dtype)
        position_embeddings = self.rotary_emb(embeddings, offset)
        reach = reach_mask(offset, self.conv_width) if self.conv_width else None
        hidden_states = embeddings
        for layer in self.layers:
            hidden_states = layer(
                hidden_states,
                attention_mask=attention_mask,
                position_embeddings=position_embeddings,
                past_key_values=None,
                shift=None,
                reach=reach,
            )
        return self.norm(hidden_states)
