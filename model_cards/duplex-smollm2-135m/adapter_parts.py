"""Shared attributes of the parts of a duplex adapter, for type checkers only."""

from typing import Any

from .configuration_adapter import DuplexAdapterConfig


class AdapterParts:
    """Attributes and methods of [`~modeling_adapter.DuplexAdapterForCausalLM`] that its parts share."""

    config: DuplexAdapterConfig
    base: Any
    implementation: str
    routed: bool
    decoder: Any
    keeps_workspace: Any
    doubt: Any
    notice: Any
    device: Any
    dtype: Any
    embed: Any
    decode: Any
    logits: Any
    fold: Any
    named_parameters: Any
    _auto_class: Any
    _empty: Any
    _prompt_slots: Any
    _prompt_versions: Any
    _read: Any
    check_prompt: Any
    check_updates: Any


__all__ = ["AdapterParts"]
