"""The baseline: a Llama with a short convolution, with all incoming tokens in the decoder's stream."""

import torch
from transformers.modeling_outputs import BaseModelOutputWithPast
from transformers.utils.output_capturing import capture_outputs

from .configuration_duplex import DuplexBaselineConfig
from .layers import padding_that_matters
from .layout import Layout
from .modeling_duplex import DuplexForCausalLM, DuplexModel
from .pipeline_duplex import DuplexGenerationPipeline  # noqa: F401  travels with the checkpoint
from .streams import Streams, is_serialized, missing_prompt


class DuplexBaselineModel(DuplexModel):
    """The decoder of [`DuplexBaselineForCausalLM`]. With `conv_width=0` its weights are those of a `LlamaModel`."""

    config_class = DuplexBaselineConfig
    config: DuplexBaselineConfig

    def __init__(self, config: DuplexBaselineConfig):
        super().__init__(config)
        self.post_init()

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
        past_key_values=None,
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
            if cache is None:
                attention_mask = padding_that_matters(attention_mask)
            hidden_states = self.decode(self.embed(input_ids, inputs_embeds), attention_mask, cache, **kwargs)
            return BaseModelOutputWithPast(last_hidden_state=hidden_states, past_key_values=cache)

        if layout is None:
            told = prompt_ids, prompt_mask, update_ids, update_mask, update_positions
            layout = self.laid_out(self.config, Streams(input_ids, attention_mask, *told))
        return BaseModelOutputWithPast(last_hidden_state=self.run(layout, **kwargs))

    @classmethod
    def laid_out(cls, config, streams: Streams) -> Layout:
        if streams.prompt_ids is None and streams.update_ids is None:
            return super().laid_out(config, streams)
        # Causal attention never reaches padding on the right: no mask is needed.
        return Layout(*streams.line(streams.updates()))


class DuplexBaselineForCausalLM(DuplexForCausalLM):
    """
    A decoder with prompts and updates spliced into its stream as they arrive. Its state grows with every token. This
    is the best that a plain language model can do without being stopped.
    """

    config_class = DuplexBaselineConfig
    config: DuplexBaselineConfig
    model_class = DuplexBaselineModel

    def check_line(self, input_ids, labels):
        if not is_serialized(input_ids, labels, self.config.bos_token_id):
            raise missing_prompt(or_serialized=True)


DuplexBaselineModel.register_for_auto_class("AutoModel")
DuplexBaselineForCausalLM.register_for_auto_class("AutoModelForCausalLM")

__all__ = ["DuplexBaselineForCausalLM", "DuplexBaselineModel"]
