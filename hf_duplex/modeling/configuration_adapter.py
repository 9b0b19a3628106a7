"""Configuration of the duplex adapter, which gives a pretrained causal language model an open input."""

from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig


MODES = ("workspace", "spliced")
SCOPES = ("always", "after_update")


@strict
class DuplexAdapterConfig(PreTrainedConfig):
    r"""
    Configuration of [`DuplexAdapterForCausalLM`]. It holds the configuration of the base, not its weights.

    Args:
        base_config (`dict`, *optional*):
            The configuration of the base, from its `to_dict()`.
        base_model_name_or_path (`str`, *optional*):
            Where the weights of the base are: a folder, a name on the Hub, or `"smollm2"`.
        base_fingerprint (`str`, *optional*):
            A digest of the base weights that the adapter was trained on. Other weights of the same shape are
            accepted with a warning.
        mode (`str`, *optional*, defaults to `"workspace"`):
            `"workspace"`: incoming text is read into slots, separately from the emitted stream, and later updates cast
            doubt on slots. `"spliced"`: incoming text is written into the stream that the base reads.
        scope (`str`, *optional*, defaults to `"always"`):
            Where the low-rank additions act: `"always"`, or `"after_update"`, from the first update on; until then
            the model is exactly its base.
        n_slots (`int`, *optional*, defaults to 2048):
            With `mode="workspace"`, the maximum number of incoming tokens kept; the least valid is evicted first.
        lora_rank (`int`, *optional*, defaults to 16):
            Rank of the low-rank additions; 0 leaves them out.
        lora_alpha (`int`, *optional*, defaults to 32):
            Their scale: the additions are multiplied by `lora_alpha / lora_rank`.
        lora_targets (`list[str]`, *optional*):
            Names of the linear layers that get them. Defaults to all in the decoder blocks.
        doubt_size (`int`, *optional*, defaults to 128):
            Width of the queries and keys from which doubt is computed; 0 leaves the doubt head out.
        max_message_distance (`int`, *optional*, defaults to 16):
            The largest distance in updates that doubt can distinguish; older updates get this distance.
        notice_updates (`bool`, *optional*, defaults to `True`):
            Add a learned vector to the embedding of the token after which an update becomes visible.
        max_message_length (`int`, *optional*, defaults to 512):
            Longest update, in tokens.
        system_prefix_ids (`list[int]`, *optional*):
            The first tokens of a system prompt. A prompt that begins with them is protected from doubt and
            eviction up to `turn_end_token_id`.
        turn_end_token_id (`int`, *optional*):
            The token that ends a turn of the chat template.
    """

    model_type = "duplex_adapter"
    keys_to_ignore_at_inference = ["past_key_values"]

    base_config: dict | None = None
    base_model_name_or_path: str | None = None
    base_fingerprint: str | None = None
    mode: str = "workspace"
    scope: str = "always"
    n_slots: int = 2048
    lora_rank: int = 16
    lora_alpha: int = 32
    lora_targets: list[str] | None = None
    doubt_size: int = 128
    max_message_distance: int = 16
    notice_updates: bool = True
    max_message_length: int = 512
    message_separator_token_id: int | None = None
    system_prefix_ids: list[int] | None = None
    turn_end_token_id: int | None = None

    def __post_init__(self, **kwargs):
        kwargs.setdefault(
            "auto_map",
            {
                "AutoConfig": "configuration_adapter.DuplexAdapterConfig",
                "AutoModelForCausalLM": "modeling_adapter.DuplexAdapterForCausalLM",
            },
        )
        super().__post_init__(**kwargs)

    def validate_architecture(self):
        """Raises `ValueError` if values are invalid (part of the strict validation of configurations)."""
        for name, value, choices in (("mode", self.mode, MODES), ("scope", self.scope, SCOPES)):
            if value not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}.")
        for name in ("n_slots", "max_message_length", "max_message_distance"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")
        for name in ("lora_rank", "doubt_size"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 (left out) or more, got {getattr(self, name)}.")

    def base_settings(self) -> PreTrainedConfig:
        """The configuration of the base, as an object."""
        if not self.base_config:
            raise ValueError("`base_config` is empty: make a model with `hf_duplex.listen(model, adapter=...)`.")
        fields: dict[str, Any] = dict(self.base_config)
        return AutoConfig.for_model(fields.pop("model_type"), **fields)

    def get_text_config(self, *args, **kwargs) -> PreTrainedConfig:
        """The text configuration of the base, which has the sizes that transformers needs."""
        return self.base_settings().get_text_config(*args, **kwargs) if self.base_config else self


DuplexAdapterConfig.register_for_auto_class()

__all__ = ["DuplexAdapterConfig"]
