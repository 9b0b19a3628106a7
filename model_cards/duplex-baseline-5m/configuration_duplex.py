"""Configurations of the three generators."""

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig


@strict
class DuplexConfig(PreTrainedConfig):
    r"""
    Shared configuration of the three generators: a Llama-like decoder with a short causal convolution.

    Args:
        vocab_size (`int`, *optional*, defaults to 1024):
            Number of token ids, shared by the emitted and the incoming stream.
        hidden_size (`int`, *optional*, defaults to 256):
            Width D of the hidden states and of the workspace slots.
        intermediate_size (`int`, *optional*, defaults to 688):
            Inner width of the feed-forward blocks.
        num_hidden_layers (`int`, *optional*, defaults to 4):
            Number of blocks in the generator.
        num_attention_heads (`int`, *optional*, defaults to 8):
            Number of query heads, in self-attention and in cross-attention.
        num_key_value_heads (`int`, *optional*):
            Number of key and value heads. Defaults to the number of query heads.
        conv_width (`int`, *optional*, defaults to 4):
            Width of the depthwise causal convolution before each self-attention (Canon-A of "Physics of Language
            Models 4.1", arXiv 2512.17351). 0 leaves it out.
        sliding_window (`int`, *optional*):
            Number of emitted tokens that the generator's self-attention reaches back. Defaults to all.
        max_message_length (`int`, *optional*, defaults to 64):
            Longest message, in tokens. A longer clause of the prompt is split; a longer update is refused.
        message_separator_token_id (`int`, *optional*):
            The token that ends a message in a prompt. Without one, a prompt is split at `max_message_length` only.
    """

    keys_to_ignore_at_inference = ["past_key_values"]

    vocab_size: int = 1024
    hidden_size: int = 256
    intermediate_size: int = 688
    num_hidden_layers: int = 4
    num_attention_heads: int = 8
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    hidden_act: str = "silu"
    max_position_embeddings: int = 2048
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-6
    use_cache: bool = True
    pad_token_id: int | None = 0
    bos_token_id: int | None = 1
    eos_token_id: int | list[int] | None = 2
    tie_word_embeddings: bool = True
    rope_parameters: dict | None = None
    attention_bias: bool = False
    attention_dropout: float | int = 0.0
    mlp_bias: bool = False
    conv_width: int = 4
    sliding_window: int | None = None
    max_message_length: int = 64
    message_separator_token_id: int | None = 3

    def __post_init__(self, **kwargs):
        if self.num_key_value_heads is None:
            self.num_key_value_heads = self.num_attention_heads
        if self.head_dim is None:
            self.head_dim = self.hidden_size // self.num_attention_heads
        self._set_code_defaults(kwargs)
        super().__post_init__(**kwargs)

    def _set_code_defaults(self, kwargs: dict) -> None:
        """Names the code of a checkpoint, so that `trust_remote_code=True` finds every class and the pipeline."""
        stem = type(self).__name__.removesuffix("Config")
        module = {"DuplexBaseline": "modeling_baseline", "DualStream": "modeling_dual_stream"}.get(
            stem, f"modeling_{stem.lower()}"
        )
        kwargs.setdefault(
            "auto_map",
            {
                "AutoConfig": f"configuration_duplex.{stem}Config",
                "AutoModel": f"{module}.{stem}Model",
                "AutoModelForCausalLM": f"{module}.{stem}ForCausalLM",
            },
        )
        # The installed package registers its pipeline, so no remote code is needed.
        if not type(self).__module__.startswith("transformers_modules."):
            kwargs.pop("custom_pipelines", None)

    def to_dict(self) -> dict:
        """The configuration as saved, including the pipeline in the checkpoint."""
        impl = "pipeline_duplex.DuplexGenerationPipeline"
        task = {"impl": impl, "pt": ["AutoModelForCausalLM"], "type": "text"}
        return {**super().to_dict(), "custom_pipelines": {"duplex-generation": task}}

    def validate_architecture(self):
        """Raises `ValueError` if sizes are inconsistent (part of the strict validation of configurations)."""
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size ({self.hidden_size}) must be a multiple of "
                f"num_attention_heads ({self.num_attention_heads})."
            )
        if self.num_key_value_heads is None or self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"num_attention_heads ({self.num_attention_heads}) must be a multiple of "
                f"num_key_value_heads ({self.num_key_value_heads})."
            )
        if self.conv_width < 0:
            raise ValueError(f"conv_width must be 0 (no convolution) or more, got {self.conv_width}.")
        if self.max_message_length < 1:
            raise ValueError(f"max_message_length must be at least 1 token, got {self.max_message_length}.")
        if self.sliding_window is not None and self.sliding_window < 1:
            raise ValueError(f"sliding_window must be at least 1 token or None, got {self.sliding_window}.")


@strict
class DuplexBaselineConfig(DuplexConfig):
    r"""
    Configuration of [`DuplexBaselineForCausalLM`]: every incoming token is spliced into the decoder's stream.
    With `conv_width=0` the model is a plain Llama.
    """

    model_type = "duplex_baseline"


@strict
class DualStreamConfig(DuplexConfig):
    r"""
    Configuration of [`DualStreamForCausalLM`]: the prompt is in the decoder's stream; updates reach it through
    cross-attention to the encoded tokens of a second stream.

    Args:
        encoder_layers (`int`, *optional*, defaults to 2):
            Number of blocks in the message encoder.
        notice_updates (`bool`, *optional*, defaults to `False`):
            Add a learned vector to the embedding of the first emitted token to which a new update is visible. It
            marks where a repair may begin, which is hard to detect after many updates.
    """

    model_type = "duplex_dual_stream"

    encoder_layers: int = 2
    notice_updates: bool = False


@strict
class WorkspaceConfig(DuplexConfig):
    r"""
    Configuration of [`WorkspaceForCausalLM`]: every incoming token reaches the decoder through a bounded, revisable
    workspace.

    Args:
        encoder_layers (`int`, *optional*, defaults to 2):
            Number of blocks in the message encoder.
        update_type (`str`, *optional*, defaults to `"validity"`):
            How a message changes the workspace: `"validity"`, `"defeasible"` (each doubt is weighted by the
            validity of its message), `"gated"`, `"gru"`, `"residual"` or `"slot"`.
        n_slots (`int`, *optional*, defaults to 256):
            Number N of slots. With `"validity"` and `"defeasible"` a slot holds one token of a message and the least
            valid slot is evicted first; with the other rules, slots are learned latents, usually 8 to 32.
        max_message_distance (`int`, *optional*, defaults to 16):
            With these two: the largest message distance that doubt can distinguish; older messages get this distance.
            With `"defeasible"`, also the number of messages whose doubts can be revoked.
        recency_bias (`bool`, *optional*, defaults to `True`):
            With these two: cross-attention adds to its logits, besides the log-validity of a slot, a learned bias per
            head that depends on the age of the slot in messages.
        notice_updates (`bool`, *optional*, defaults to `False`):
            Add a learned vector to the embedding of the first emitted token to which a new update is visible. It
            marks where a repair may begin, which is hard to detect after many updates.
    """

    model_type = "duplex_workspace"

    encoder_layers: int = 2
    update_type: str = "validity"
    n_slots: int = 256
    max_message_distance: int = 16
    recency_bias: bool = True
    notice_updates: bool = False

    @property
    def slots_are_tokens(self) -> bool:
        """Whether a slot holds a token of a message, rather than a learned latent."""
        return self.update_type in ("validity", "defeasible")

    def validate_architecture(self):
        super().validate_architecture()
        if self.n_slots < 1:
            raise ValueError(f"n_slots must be at least 1, got {self.n_slots}.")
        if self.slots_are_tokens and self.n_slots < self.max_message_length:
            raise ValueError(
                f"n_slots ({self.n_slots}) must hold at least one whole message: "
                f"raise it to max_message_length ({self.max_message_length}) or lower that."
            )


DuplexBaselineConfig.register_for_auto_class()
DualStreamConfig.register_for_auto_class()
WorkspaceConfig.register_for_auto_class()

__all__ = ["DualStreamConfig", "DuplexBaselineConfig", "DuplexConfig", "WorkspaceConfig"]
