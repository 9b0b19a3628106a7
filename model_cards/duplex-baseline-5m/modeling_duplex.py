"""
Shared parts of the three generators: the decoder and the language-model head.

The generators differ in how incoming text reaches this decoder. A generator's `*Model` overrides `forward`; its
`*ForCausalLM` overrides the two reading hooks of [`DuplexGenerationMixin`].
"""

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaRotaryEmbedding
from transformers.utils import can_return_tuple

from .cache import DuplexCache
from .configuration_duplex import DuplexConfig
from .generation import DuplexGenerationMixin
from .layers import (
    CrossInputs,
    DuplexCrossDecoderLayer,
    DuplexDecoderLayer,
    ShortConvolution,
    causal_mask,
    left_pad_shift,
)
from .layout import Layout
from .streams import Streams, missing_prompt
from .update_rule import UpdateRule


# The largest head dimension that fused attention supports.
LARGEST_HEAD = 256


class DuplexPreTrainedModel(PreTrainedModel):
    """Initialization, and the transformers features that these models support."""

    config_class = DuplexConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["DuplexDecoderLayer", "DuplexCrossDecoderLayer"]
    _skip_keys_device_placement = ["past_key_values"]
    _supports_sdpa = True
    # Flash attention does not support a mask by token and version.
    _supports_flash_attn = False
    _supports_attention_backend = True
    _can_record_outputs = {"hidden_states": DuplexDecoderLayer, "attentions": LlamaAttention}

    def _init_weights(self, module):
        super()._init_weights(module)
        if isinstance(module, ShortConvolution):
            init.uniform_(module.weight, -(module.width**-0.5), module.width**-0.5)
        elif isinstance(module, DuplexCrossDecoderLayer):
            # Half open: a closed gate before projections with small initial weights would block the gradient.
            init.constant_(module.cross_gate, 0.5)
        elif isinstance(module, nn.GRUCell):
            for parameter in module.parameters():
                init.uniform_(parameter, -(module.hidden_size**-0.5), module.hidden_size**-0.5)
        elif isinstance(module, UpdateRule):
            module.init_weights(self.config.initializer_range)
        elif isinstance(module, DuplexModel) and module.notice is not None:
            init.normal_(module.notice, std=self.config.initializer_range)


class DuplexModel(DuplexPreTrainedModel):
    """The decoder: embeddings, blocks, norm. `layer_class` decides whether the blocks have cross-attention."""

    layer_class: type[DuplexDecoderLayer] = DuplexDecoderLayer

    def __init__(self, config):
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)
        self.layers = nn.ModuleList(self.layer_class(config, index) for index in range(config.num_hidden_layers))
        self.norm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.rotary_emb = LlamaRotaryEmbedding(config)
        noticing = getattr(config, "notice_updates", False)
        self.notice = nn.Parameter(torch.empty(config.hidden_size)) if noticing else None
        self.gradient_checkpointing = False

    def decode(
        self,
        inputs_embeds: torch.Tensor,
        attention_mask: torch.Tensor | None,
        cache: DuplexCache | None,
        heard: CrossInputs | None = None,
        **kwargs,
    ) -> torch.Tensor:
        """
        Runs the decoder over new columns of its stream.

        Args:
            inputs_embeds (`torch.Tensor` of shape `(batch, length, hidden_size)`): The new columns.
            attention_mask (`torch.Tensor` of shape `(batch, cached + length)`, *optional*):
                Non-zero where a column, cached or new, holds a token.
            cache (`DuplexCache`, *optional*): The stream so far, extended in place.
            heard (`CrossInputs`, *optional*): What cross-attention attends to.

        Returns:
            Hidden states `(batch, length, hidden_size)`.
        """
        length = inputs_embeds.shape[1]
        columns = length + (0 if cache is None else cache.get_seq_length())
        offset = 0 if cache is None else cache.offset
        shift = None
        if attention_mask is None:
            positions = torch.arange(columns, device=inputs_embeds.device)[None] + offset
        else:
            attention_mask = attention_mask[:, -columns:]
            positions = (attention_mask.cumsum(-1) - 1).clamp(min=0) + offset
            pads = (attention_mask[:, -length:].cumsum(-1) == 0).sum(-1)
            if self.config.conv_width and bool(pads.any()):
                shift = left_pad_shift(pads, length, self.config.conv_width)
        mask = self._self_attention_mask(positions, attention_mask, length, inputs_embeds.dtype)
        position_embeddings = self.rotary_emb(inputs_embeds, positions[:, -length:])

        hidden_states = inputs_embeds
        for index, layer in enumerate(self.layers):
            hidden_states = layer(
                hidden_states,
                None if heard is None else heard.states,
                None if heard is None else heard.bias,
                key_values=None if heard is None or heard.key_values is None else heard.key_values[index],
                known=None if heard is None else heard.known,
                attention_mask=mask,
                position_embeddings=position_embeddings,
                past_key_values=cache,
                shift=shift,
                **kwargs,
            )
        if cache is not None and self.config.sliding_window is not None:
            cache.drop_columns_before(self.config.sliding_window)
        return self.norm(hidden_states)

    @classmethod
    def lay_out(cls, config, **streams: torch.Tensor) -> Layout:
        """
        The layout of streams for this decoder. It depends on the streams only, not on any parameter. Arguments as in
        [`DuplexForCausalLM.forward`].
        """
        return cls.laid_out(config, Streams(**streams))

    @classmethod
    def laid_out(cls, config, streams: Streams) -> Layout:
        """As [`lay_out`], from [`~streams.Streams`]; by default only the emitted stream, without incoming text."""
        return Layout(streams.input_ids)

    def heard_in(self, layout: Layout) -> CrossInputs | None:
        """Cross-attention inputs of a layout; None by default."""
        return None

    def run(self, layout: Layout, attention_mask: torch.Tensor | None = None, **kwargs) -> torch.Tensor:
        """Hidden states `(batch, length, hidden_size)` along the emitted stream of a layout."""
        embeds = self.embed_tokens(layout.line)
        if self.notice is not None and layout.known is not None:
            before = nn.functional.pad(layout.known, (1, 0))[:, :-1]
            embeds = embeds + (layout.known > before)[..., None] * self.notice
        hidden_states = self.decode(embeds, attention_mask, None, self.heard_in(layout), **kwargs)
        if layout.predictor is None:
            return hidden_states
        return hidden_states.gather(1, layout.predictor[..., None].expand(-1, -1, hidden_states.shape[-1]))

    def mark_update(self, embeds: torch.Tensor, attention_mask, cache: DuplexCache | None) -> torch.Tensor:
        """Marks the first new column `(batch, length, hidden_size)` in the rows that have received an update."""
        if self.notice is None or cache is None or cache.notice is None:
            return embeds
        mask = torch.ones_like(embeds[..., 0]) if attention_mask is None else attention_mask[:, -embeds.shape[1] :]
        marked = (mask.cumsum(-1) == 1) & (mask != 0) & cache.notice[:, None]
        cache.notice = None
        return embeds + marked[..., None] * self.notice

    def cross_inputs_by_version(
        self, states: torch.Tensor, bias: torch.Tensor, known: torch.LongTensor
    ) -> CrossInputs:
        """Cross-attention inputs of each emitted token, given its visible version `known`, `(batch, length)`."""
        fused = bias.shape[1] in (1, self.config.num_key_value_heads)
        # Pad with unused versions: fused attention needs a head dimension that is a multiple of 8.
        fill = -(self.config.head_dim + bias.shape[2]) % 8
        if fused and self.config.head_dim + bias.shape[2] + fill <= LARGEST_HEAD:
            known = nn.functional.one_hot(known, bias.shape[2] + fill).to(bias.dtype)
            return CrossInputs(nn.functional.pad(bias, (0, 0, 0, fill)), states=states, known=known)
        known = nn.functional.one_hot(known, bias.shape[2]).to(bias.dtype)
        return CrossInputs(known[:, None] @ bias, states=states)

    def _self_attention_mask(self, positions, attention_mask, length, dtype):
        columns, window = positions.shape[1], self.config.sliding_window
        whole = attention_mask is None and (window is None or columns <= window)
        fused = self.config._attn_implementation == "sdpa" and length == columns
        if whole and (length == 1 or fused):
            return None
        return causal_mask(positions[:, -length:], positions, attention_mask, window, dtype)

    def embed(self, input_ids, inputs_embeds) -> torch.Tensor:
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("Give exactly one of `input_ids` and `inputs_embeds`.")
        return self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds

    def open_cache(self, past_key_values, use_cache: bool | None, **not_cached) -> DuplexCache | None:
        """The cache to use, if any. It cannot be combined with arguments that describe a whole stream."""
        given = [name for name, value in not_cached.items() if value is not None]
        if given:
            if past_key_values is not None:
                raise ValueError(
                    f"`{given[0]}` lays out a whole stream at once and cannot be combined with `past_key_values`: "
                    "use `generate(..., interrupt_callback=...)` to go on from a cache."
                )
            return None
        if past_key_values is None:
            use_cache = self.config.use_cache if use_cache is None else use_cache
            return DuplexCache() if use_cache and not self.training else None
        if not isinstance(past_key_values, DuplexCache):
            raise ValueError(f"`past_key_values` must be a `DuplexCache`, got {type(past_key_values).__name__}.")
        return past_key_values


class DuplexForCausalLM(DuplexGenerationMixin, DuplexPreTrainedModel):
    """A generator with its language-model head. Subclasses set `model_class`."""

    model_class: type[DuplexModel]
    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}

    def __init__(self, config):
        super().__init__(config)
        self.model = self.model_class(config)
        self.vocab_size = config.vocab_size
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def check_line(self, input_ids: torch.LongTensor, labels: torch.LongTensor) -> None:
        """
        Called in training for a batch without `prompt_ids`, `(batch, length)` each.

        Raises:
            ValueError: The model cannot be trained on such a batch.
        """
        raise missing_prompt()

    def _positions(self, cache, columns):
        # The decoder computes positions from the mask, which covers the cached columns too.
        return {}

    @can_return_tuple
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
        layout: Layout | dict[str, torch.Tensor] | None = None,
        labels: torch.LongTensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **kwargs,
    ) -> CausalLMOutputWithPast:
        r"""
        All versions of a conversation in one forward.

        Args:
            input_ids (`torch.LongTensor` of shape `(batch, length)`): The emitted stream.
            attention_mask (`torch.Tensor` of shape `(batch, length)`, *optional*): Non-zero where it holds a token.
            prompt_ids (`torch.LongTensor` of shape `(batch, prompt_length)`, *optional*): The prompt. In training it
                is required with `labels`; shape `(batch, 0)` means no prompt. Only the baseline also accepts prompts
                in `input_ids`, as laid out by a `SerializedCollator`.
            prompt_mask (`torch.Tensor` of the same shape, *optional*): Non-zero where `prompt_ids` holds a token.
            update_ids (`torch.LongTensor` of shape `(batch, updates, update_length)`, *optional*): The updates.
            update_mask (`torch.Tensor` of the same shape, *optional*): Non-zero where `update_ids` holds a token. An
                update whose mask is all zeros is ignored.
            update_positions (`torch.LongTensor` of shape `(batch, updates)`, *optional*): The index in `input_ids` of
                the first token to which each update is visible.
            labels (`torch.LongTensor` of shape `(batch, length)`, *optional*): As in transformers: `input_ids`, with
                -100 for tokens without loss.
            layout ([`~layout.Layout`] or its `tensors()`, *optional*): The layout computed by
                [`DuplexModel.lay_out`], given instead of all streams.

        Returns:
            Logits `(batch, length, vocab_size)` along the emitted stream: at index i they predict token i + 1, given
            every update whose position is at most i + 1.

        Raises:
            ValueError: Arguments are inconsistent, or in training mode `labels` are given without `prompt_ids`. The
                message names the arguments.
        """
        alone = input_ids is not None and prompt_ids is None and layout is None and past_key_values is None
        if self.training and labels is not None and alone:
            self.check_line(input_ids, labels)
        for name, value, needed, given in (
            ("prompt_mask", prompt_mask, "prompt_ids", prompt_ids),
            ("update_mask", update_mask, "update_ids", update_ids),
            ("update_positions", update_positions, "update_ids", update_ids),
        ):
            if value is not None and given is None:
                raise ValueError(f"`{name}` was given without `{needed}`: give both or neither.")
        if isinstance(layout, dict):
            layout = Layout.from_tensors(layout)
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            prompt_ids=prompt_ids,
            prompt_mask=prompt_mask,
            update_ids=update_ids,
            update_mask=update_mask,
            update_positions=update_positions,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            layout=layout,
            use_cache=use_cache,
            **kwargs,
        )
        keep = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(outputs.last_hidden_state[:, keep])
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size, **kwargs)
        return CausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )


__all__ = ["DuplexForCausalLM", "DuplexModel", "DuplexPreTrainedModel"]
