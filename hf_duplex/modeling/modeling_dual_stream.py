"""The dual stream: the prompt is in the decoder's stream; updates form a second stream for cross-attention."""

import copy
import math
from dataclasses import dataclass

import torch
from torch import nn
from transformers.modeling_outputs import BaseModelOutputWithPast
from transformers.utils.output_capturing import capture_outputs

from .cache import DuplexCache
from .configuration_duplex import DualStreamConfig
from .encoder import MessageEncoder
from .layers import CrossInputs, DuplexCrossDecoderLayer, EmittedAttention, with_null_column
from .layout import Layout
from .modeling_duplex import DuplexForCausalLM, DuplexModel
from .packing import PackedMessages, pack_apart, pack_messages
from .pipeline_duplex import DuplexGenerationPipeline  # noqa: F401  travels with the checkpoint
from .streams import Streams, visible_versions
from .update_rule import LOG_ZERO


@dataclass(frozen=True)
class UpdateStream:
    """
    The second stream so far.

    Attributes:
        mask (`torch.BoolTensor` of shape `(batch, columns)`): Which columns hold a token.
        count (`torch.LongTensor` of shape `(batch,)`): Number of updates that each row has received.
    """

    mask: torch.BoolTensor
    count: torch.LongTensor

    def map(self, function) -> "UpdateStream":
        return UpdateStream(function(self.mask), function(self.count))

    @property
    def nbytes(self) -> int:
        return self.mask.nbytes + self.count.nbytes


class MessageIndex(nn.Module):
    """Embeds the number of an update: sinusoids, then a learned projection."""

    def __init__(self, hidden_size: int):
        super().__init__()
        self.hidden_size = hidden_size
        self.proj = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, index: torch.LongTensor) -> torch.Tensor:
        """(batch, updates) to (batch, updates, hidden_size)."""
        half = torch.arange(0, self.hidden_size, 2, device=index.device, dtype=torch.float)
        angle = index[..., None] * torch.exp(-math.log(1e4) / self.hidden_size * half)
        sinusoid = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)[..., : self.hidden_size]
        return self.proj(sinusoid.to(self.proj.weight.dtype))


class DualStreamModel(DuplexModel):
    """Decoder, message encoder, and the cross-attention between them, of [`DualStreamForCausalLM`]."""

    config_class = DualStreamConfig
    config: DualStreamConfig
    layer_class = DuplexCrossDecoderLayer
    _can_record_outputs = {"hidden_states": DuplexCrossDecoderLayer, "attentions": EmittedAttention}

    def __init__(self, config: DualStreamConfig):
        super().__init__(config)
        # A row without updates is all padding; fused GPU kernels gave NaN gradients for its queries.
        encoder_config = copy.deepcopy(config)
        encoder_config._attn_implementation = "eager"
        self.encoder = MessageEncoder(encoder_config)
        self.message_index = MessageIndex(config.hidden_size)
        self.post_init()

    def encode_updates(self, ids: torch.LongTensor, mask: torch.BoolTensor, heard_before: torch.LongTensor):
        """States `(batch, updates, length, hidden_size)` of updates `(batch, updates, length)`."""
        if ids.shape[-1] > self.config.max_message_length:
            raise ValueError(
                f"`update_ids` holds updates of {ids.shape[-1]} tokens, more than max_message_length "
                f"({self.config.max_message_length}): send them as several updates."
            )
        index = heard_before[:, None] + mask.any(-1).cumsum(-1) - 1
        states = self.encoder(self.embed_tokens(ids).flatten(0, 1), *pack_apart(mask.flatten(0, 1)))
        return states.unflatten(0, ids.shape[:2]) + self.message_index(index.clamp(min=0))[:, :, None]

    @capture_outputs
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        prompt_ids: torch.LongTensor | None = None,
        prompt_mask: torch.Tensor | None = None,
        update_ids: torch.LongTensor | None = None,
        update_mask: torch.Tensor | None = None,
        update_positions: torch.LongTensor | None = None,
        past_key_values: DuplexCache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        layout: Layout | None = None,
        use_cache: bool | None = None,
        **kwargs,
    ) -> BaseModelOutputWithPast:
        """Hidden states along the emitted stream; arguments as in [`DuplexForCausalLM.forward`]."""
        cache = self.open_cache(
            past_key_values, use_cache, prompt_ids=prompt_ids, update_ids=update_ids, layout=layout
        )
        if prompt_ids is None and update_ids is None and layout is None:
            embeds = self.mark_update(self.embed(input_ids, inputs_embeds), attention_mask, cache)
            heard = self.cross_inputs(cache, embeds)
            hidden_states = self.decode(embeds, attention_mask, cache, heard, **kwargs)
            return BaseModelOutputWithPast(last_hidden_state=hidden_states, past_key_values=cache)

        if layout is None:
            told = prompt_ids, prompt_mask, update_ids, update_mask, update_positions
            layout = self.laid_out(self.config, Streams(input_ids, attention_mask, *told))
        return BaseModelOutputWithPast(last_hidden_state=self.run(layout, **kwargs))

    @classmethod
    def laid_out(cls, config, streams: Streams) -> Layout:
        # Causal attention never reaches padding on the right: no mask is needed.
        line, predictor = streams.line()
        updates = streams.updates()
        if updates is None:
            return Layout(line, predictor)
        *updates, positions = updates
        messages = pack_messages(None, updates, None, config.max_message_length)
        known = visible_versions(predictor.shape[1], positions)
        # Along the line: no update is visible before the emitted stream.
        return Layout(line, predictor, messages, torch.zeros_like(line).scatter(1, predictor, known))

    def heard_in(self, layout: Layout) -> CrossInputs:
        if layout.messages is None:
            return self.nothing_heard(layout.line.shape[0])
        return self.cross_inputs_by_version(*self.all_versions(layout.messages), layout.known)

    def all_versions(self, messages: PackedMessages) -> tuple[torch.Tensor, torch.Tensor]:
        """
        The tokens of the second stream, `(batch, tokens, hidden_size)`, and what cross-attention adds to its logits
        after each update, `(batch, 1, versions, 1 + tokens)`.
        """
        states = self.encoder(self.embed_tokens(messages.ids), messages.message, messages.offset)
        states = states + self.message_index(messages.message.clamp(min=0))
        held = messages.held()
        bias = torch.zeros(held.shape, device=states.device).masked_fill(~held, LOG_ZERO)
        return states, nn.functional.pad(bias, (1, 0))[:, None]

    def nothing_heard(self, batch_size: int) -> CrossInputs:
        """An empty second stream."""
        empty = self.embed_tokens.weight.new_zeros(batch_size, 0, self.config.hidden_size)
        return CrossInputs(empty.new_zeros(batch_size, 1, 1, 1), states=empty)

    def cross_inputs(self, cache: DuplexCache | None, embeds: torch.Tensor) -> CrossInputs:
        if cache is not None and cache.cross is not None:
            return CrossInputs(cache.cross_bias, key_values=cache.cross)
        heard = self.nothing_heard(embeds.shape[0])
        if cache is None:
            return heard
        cache.cross = [with_null_column(layer.cross_attn.project(heard.states)) for layer in self.layers]
        cache.cross_bias = heard.bias
        return CrossInputs(cache.cross_bias, key_values=cache.cross)

    def read_messages(self, cache: DuplexCache, ids: torch.LongTensor, mask: torch.BoolTensor) -> None:
        """Appends updates `(batch, updates, length)` to the second stream of a cache."""
        past = cache.memory or UpdateStream(mask.new_zeros(ids.shape[0], 0), torch.zeros_like(cache.version))
        states = self.encode_updates(ids, mask, past.count).flatten(1, 2)
        before = self.cross_inputs(cache, states).key_values or []
        new = [layer.cross_attn.project(states) for layer in self.layers]
        memory = UpdateStream(torch.cat([past.mask, mask.flatten(1)], dim=1), past.count + mask.any(-1).sum(-1))
        bias = torch.zeros(memory.mask.shape, device=ids.device).masked_fill(~memory.mask, -torch.inf)
        cache.cross = [
            tuple(torch.cat(pair, dim=2) for pair in zip(old, added, strict=True))
            for old, added in zip(before, new, strict=True)
        ]
        cache.cross_bias = nn.functional.pad(bias, (1, 0))[:, None, None]
        cache.memory = memory


class DualStreamForCausalLM(DuplexForCausalLM):
    """
    A decoder with a second stream: prompts are in the decoder's stream, updates are encoded separately and read by
    gated cross-attention. Its state grows with every update.
    """

    config_class = DualStreamConfig
    config: DualStreamConfig
    model_class = DualStreamModel

    def read_updates(self, cache, ids, mask):
        self.model.read_messages(cache, ids, mask)
        cache.version = cache.version + mask.any(-1).sum(-1)
        cache.notice = mask.flatten(1).any(1)
        return []


DualStreamModel.register_for_auto_class("AutoModel")
DualStreamForCausalLM.register_for_auto_class("AutoModelForCausalLM")

__all__ = ["DualStreamForCausalLM", "DualStreamModel", "UpdateStream"]
