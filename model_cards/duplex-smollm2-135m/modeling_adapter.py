"""
The duplex adapter: an open input for a pretrained causal language model.

`mode="workspace"`: incoming text is read separately from the emitted stream. Its keys and values, in the model's own
layers, are the slots. Emitted tokens attend to [slots of their version | emitted tokens so far] in one softmax, and
later updates cast doubt on older slots. `mode="spliced"`: incoming text is written into the stream that the base
reads. Neither mode adds layers: only low-rank additions by peft, a doubt head and a notice vector are trained.
"""

import threading
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from .adapter_files import AdapterFiles
from .adapter_packed import AdapterPacked
from .adapter_reading import AdapterReading
from .adapter_stream import AdapterStream
from .adapter_versions import AdapterVersions
from .attention_duplex import Visibility
from .base_model import (
    CannotListen,
    attention_of,
    check_base,
    find_decoder,
    head_logits,
    linear_names,
    route_attention,
    shared_copy,
    why_no_workspace,
)
from .cache import DuplexCache
from .configuration_adapter import DuplexAdapterConfig
from .generation import DuplexGenerationMixin
from .packed_adapter import PackedBatch
from .pipeline_duplex import DuplexGenerationPipeline  # noqa: F401  travels with the checkpoint
from .slots_adapter import DoubtHead
from .streams import Streams


class Gate(threading.local):
    """
    Where the low-rank additions act in the current forward: factors `(batch, tokens, 1)`; None for everywhere. Each
    thread has its own value.
    """

    factors: torch.Tensor | None = None

    def __reduce__(self):
        return Gate, ()

    def __call__(self, module: nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        """A forward hook on the second matrix of an addition."""
        return output if self.factors is None else output * self.factors.to(output.dtype)


class DuplexAdapterForCausalLM(
    AdapterFiles, AdapterReading, AdapterStream, AdapterVersions, AdapterPacked, DuplexGenerationMixin, PreTrainedModel
):
    """
    A pretrained causal language model with an open input. Made by [`~hf_duplex.listen`] or [`from_pretrained`].

    Args:
        config ([`DuplexAdapterConfig`]): The adapter.
        base (`PreTrainedModel`, *optional*): The base, which is not modified; its weights are shared. Defaults to a
            model with random weights from `config.base_config`.

    Raises:
        CannotListen: The base cannot get an open input in this mode; the message names the reason.
    """

    config_class = DuplexAdapterConfig
    config: DuplexAdapterConfig
    base_model_prefix = "base"
    main_input_name = "input_ids"
    # Gradient checkpointing recomputes blocks after the gate is reset.
    supports_gradient_checkpointing = False
    _supports_sdpa = True
    _supports_attention_backend = True
    _skip_keys_device_placement = ["past_key_values"]

    def __init__(self, config: DuplexAdapterConfig, base: PreTrainedModel | None = None):
        if base is None:
            base = AutoModelForCausalLM.from_config(config.base_settings())
        check_base(base)
        reason = why_no_workspace(base)
        needs_attention = config.mode == "workspace" or config.lora_rank > 0
        if reason and needs_attention:
            raise CannotListen(f"{reason}. Without an adapter, `hf_duplex.listen(model)`, it can listen all the same.")
        super().__init__(config)
        self.implementation = attention_of(base)
        self.routed = reason is None
        self.base = shared_copy(base)
        self.gate, self.gated = Gate(), False
        text = self.base.config.get_text_config()
        if self.routed:
            route_attention(self.base)
            device, dtype = base.device, torch.float32
            if config.lora_rank:
                self._inject(config)
            if config.mode == "workspace" and config.doubt_size:
                self.doubt = DoubtHead(text.hidden_size, config.doubt_size, config.max_message_distance).to(device)
            if config.mode == "workspace" and config.notice_updates:
                self.notice = nn.Parameter(torch.zeros(text.hidden_size, device=device, dtype=dtype))
        self.generation_config = self.base.generation_config
        self.train(False)

    def _inject(self, config: DuplexAdapterConfig) -> None:
        from peft import LoraConfig, inject_adapter_in_model

        targets = config.lora_targets or linear_names(self.decoder)
        lora = LoraConfig(r=config.lora_rank, lora_alpha=config.lora_alpha, target_modules=targets)
        inject_adapter_in_model(lora, self.decoder)

    def _hold_back(self) -> None:
        """Registers the gate as a hook of the additions, when first needed."""
        from peft.tuners.lora import LoraLayer

        self.gated = True
        for module in self.decoder.modules():
            if isinstance(module, LoraLayer):
                module.lora_B["default"].register_forward_hook(self.gate)

    def _init_weights(self, module):
        """Does nothing: base and additions are already initialized."""

    @property
    def decoder(self) -> nn.Module:
        """The base's stack of blocks."""
        decoder = find_decoder(self.base)
        assert decoder is not None
        return decoder

    @property
    def dtype(self) -> torch.dtype:
        return self.base.dtype

    @property
    def device(self) -> torch.device:
        return self.base.device

    @property
    def keeps_workspace(self) -> bool:
        """Whether incoming text is stored in a workspace, rather than in the stream."""
        return self.config.mode == "workspace"

    def get_input_embeddings(self):
        return self.base.get_input_embeddings()

    def get_output_embeddings(self):
        return self.base.get_output_embeddings()

    # Reading

    def embed(self, ids: torch.LongTensor) -> torch.Tensor:
        """Embeddings of tokens `(batch, length)`, the input of the decoder."""
        return self.base.get_input_embeddings()(ids)

    def decode(
        self,
        embeds: torch.Tensor,
        positions: torch.LongTensor,
        visibility: Visibility,
        cache: DuplexCache | None,
        factors: torch.Tensor | None = None,
        **kwargs,
    ) -> torch.Tensor:
        """Last hidden states of new columns `(batch, length, hidden_size)`; `factors` as in [`Gate`]."""
        if factors is not None and not self.gated:
            self._hold_back()
        self.gate.factors = factors
        try:
            return self.decoder(
                inputs_embeds=embeds,
                position_ids=positions,
                past_key_values=cache,
                use_cache=cache is not None,
                visibility=visibility,
                **kwargs,
            ).last_hidden_state
        finally:
            self.gate.factors = None

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits of last hidden states."""
        return head_logits(self.base, hidden)

    def _check_generate_arguments(self, inputs, generation_config, kwargs) -> None:
        super()._check_generate_arguments(inputs, generation_config, kwargs)
        cache = kwargs.get("past_key_values")
        if cache is not None and (cache.emitted or cache.get_seq_length()):
            return
        name, ids, mask, last = "prompt_ids", kwargs.get("prompt_ids"), kwargs.get("prompt_mask"), 0
        if ids is None:
            # The prompt is all but the last token.
            name, ids, mask, last = "input_ids", inputs, kwargs.get("attention_mask"), 1
        if ids is not None:
            lengths = torch.ones_like(ids).sum(1) if mask is None else (mask != 0).sum(1)
            self.check_prompt(name, lengths - last)

    def check_prompt(self, name: str, lengths: torch.LongTensor) -> None:
        """Raises `ValueError` if a prompt, `lengths` `(batch,)`, exceeds the positions or the slots."""
        longest = int(lengths.max())
        positions = getattr(self.base.config.get_text_config(), "max_position_embeddings", None)
        if self.keeps_workspace and longest > self.config.n_slots:
            raise ValueError(
                f"`{name}` holds a prompt of {longest} tokens, more than n_slots ({self.config.n_slots}): shorten it, "
                "or raise `n_slots` of `listen`."
            )
        if positions is not None and longest >= positions:
            raise ValueError(
                f"`{name}` holds a prompt of {longest} tokens, which leaves none of the {positions} positions of the "
                "base (max_position_embeddings): shorten it."
            )

    def check_updates(self, name: str, mask: torch.BoolTensor) -> None:
        """Raises `ValueError` if an update, mask `(batch, updates, length)`, is longer than `max_message_length`."""
        most = self.config.max_message_length
        if mask.shape[-1] > most and int(mask.sum(-1).max()) > most:
            raise ValueError(
                f"`{name}` holds an update of {int(mask.sum(-1).max())} tokens, more than max_message_length "
                f"({most}): send it as several updates."
            )

    # All versions in one forward

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
        labels: torch.LongTensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        acts: torch.Tensor | None = None,
        **kwargs,
    ) -> CausalLMOutputWithPast:
        r"""
        All versions of a conversation in one forward.

        Args:
            input_ids (`torch.LongTensor` of shape `(batch, length)`): The emitted stream, padded on the right.
            attention_mask (`torch.Tensor` of shape `(batch, length)`, *optional*): Non-zero where it holds a token.
            prompt_ids (`torch.LongTensor` of shape `(batch, prompt_length)`, *optional*): The prompt.
            prompt_mask (`torch.Tensor` of the same shape, *optional*): Non-zero where `prompt_ids` holds a token.
            update_ids (`torch.LongTensor` of shape `(batch, updates, update_length)`, *optional*): The updates.
            update_mask (`torch.Tensor` of the same shape, *optional*): Non-zero where `update_ids` holds a token.
            update_positions (`torch.LongTensor` of shape `(batch, updates)`, *optional*): The index in `input_ids` of
                the first token to which each update is visible.
            labels (`torch.LongTensor` of shape `(batch, length)`, *optional*): `input_ids`, with -100 for tokens
                without loss. In training, logits are computed for tokens with loss only, and none are returned.
            acts (`torch.BoolTensor` of shape `(batch,)`, *optional*): In which rows the additions act from the start,
                rather than from the first update on. Defaults to `config.scope`.

        Returns:
            Logits `(batch, length, vocab_size)` along the emitted stream: at index i they predict token i + 1, given
            every update whose position is at most i + 1.

        Raises:
            ValueError: Arguments are inconsistent; the message names them.
        """
        streams = {"prompt_ids": prompt_ids, "update_ids": update_ids}
        given = [name for name, value in streams.items() if value is not None]
        for name, value, needed in (
            ("prompt_mask", prompt_mask, "prompt_ids"),
            ("update_mask", update_mask, "update_ids"),
            ("update_positions", update_positions, "update_ids"),
        ):
            if value is not None and streams[needed] is None:
                raise ValueError(f"`{name}` was given without `{needed}`: give both or neither.")
        if past_key_values is not None:
            if given:
                raise ValueError(
                    f"`{given[0]}` lays out a whole stream at once and cannot be combined with `past_key_values`."
                )
            return self._step_output(input_ids, past_key_values, logits_to_keep)
        if not self.routed:
            raise ValueError("this base takes no adapter: its `forward` is the base's own, `model.base(...)`.")
        if input_ids is None:
            raise ValueError("`input_ids` is missing: embeddings cannot be laid out beside other streams.")
        if update_ids is not None:
            mask = torch.ones_like(update_ids) if update_mask is None else update_mask
            self.check_updates("update_ids", mask.bool())
        incoming = prompt_ids, prompt_mask, update_ids, update_mask, update_positions
        streams_ = Streams(input_ids, attention_mask, *incoming)
        if self.training and labels is not None and self.can_pack:
            batch = PackedBatch.of(streams_, labels, self.config, acts)
            return CausalLMOutputWithPast(loss=self.packed_loss(batch))
        return self._output(self.hidden_states(streams_, acts), labels, logits_to_keep, **kwargs)

    def hidden_states(self, streams: Streams, acts: torch.Tensor | None = None) -> torch.Tensor:
        """Last hidden states along the emitted stream, `(batch, length, hidden_size)`; arguments as in [`forward`]."""
        apart = streams.prompt_ids is not None or streams.update_ids is not None
        read = self._emitted_by_version if self.keeps_workspace and apart else self._emitted_in_line
        return read(streams, acts)

    def _step_output(self, input_ids, cache, logits_to_keep) -> CausalLMOutputWithPast:
        hidden = self._step(input_ids, cache)
        if self.routed:
            keep = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
            hidden = self.logits(hidden[:, keep])
        return CausalLMOutputWithPast(logits=hidden, past_key_values=cache)

    def _output(self, hidden, labels, logits_to_keep, num_items_in_batch=None, **kwargs) -> CausalLMOutputWithPast:
        loss = logits = None
        if labels is not None:
            wanted = labels[:, 1:] != -100
            chosen = self.logits(hidden[:, :-1][wanted]).float()
            total = nn.functional.cross_entropy(chosen, labels[:, 1:][wanted], reduction="sum")
            loss = total / (wanted.sum().clamp(min=1) if num_items_in_batch is None else num_items_in_batch)
        if labels is None or not self.training:
            keep = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
            logits = self.logits(hidden[:, keep])
        return CausalLMOutputWithPast(loss=loss, logits=logits)


DuplexAdapterForCausalLM.register_for_auto_class("AutoModelForCausalLM")

__all__ = ["DuplexAdapterForCausalLM"]
