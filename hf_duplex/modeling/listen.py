"""`hf_duplex.listen(model)`: an open input for an existing causal language model."""

import copy
import os
from typing import Any

from transformers import PreTrainedModel

from .adapter_files import check_same_base
from .base_model import check_base, fingerprint_of
from .configuration_adapter import DuplexAdapterConfig
from .modeling_adapter import DuplexAdapterForCausalLM


def listen(
    model: PreTrainedModel,
    adapter: str | os.PathLike | DuplexAdapterConfig | None = None,
    *,
    n_slots: int | None = None,
    scope: str | None = None,
    **kwargs: Any,
) -> DuplexAdapterForCausalLM:
    """
    Gives a decoder-only language model an open input. The model itself is not modified; its weights are shared.

    ```python
    >>> model = AutoModelForCausalLM.from_pretrained("HuggingFaceTB/SmolLM2-135M-Instruct")
    >>> duplex = hf_duplex.listen(model, "path/to/duplex-smollm2-135m")
    ```

    Args:
        model (`PreTrainedModel`): Any decoder-only model of transformers.
        adapter (`str`, `PathLike` or [`DuplexAdapterConfig`], *optional*): A trained adapter, by folder or Hub name;
            or the configuration of a new one, to train. Without one, updates are spliced into the model's stream,
            which needs no training and works for any decoder-only model.
        n_slots (`int`, *optional*): Maximum number of incoming tokens kept. Defaults to the adapter's value.
        scope (`str`, *optional*): `"always"`, or `"after_update"`: until the first update, the model is exactly its
            base. Defaults to the adapter's value.

    Returns:
        A model with the same `generate`, which also takes `prompt_ids` and `interrupt_callback`.

    Raises:
        CannotListen: The model cannot get an open input; the message names the reason.
        ValueError: The adapter was made for another architecture, or an argument is unusable.
    """
    check_base(model)
    if isinstance(adapter, str | os.PathLike):
        return DuplexAdapterForCausalLM.from_pretrained(adapter, base=model, n_slots=n_slots, scope=scope, **kwargs)
    if kwargs:
        raise TypeError(f"`{next(iter(kwargs))}` goes with a trained adapter, by folder or Hub name.")
    if adapter is None:
        if n_slots is not None or scope is not None:
            name = "n_slots" if n_slots is not None else "scope"
            raise ValueError(f"`{name}` goes with an adapter: without one, updates are spliced into the stream.")
        config = DuplexAdapterConfig(mode="spliced", lora_rank=0, doubt_size=0, notice_updates=False)
    else:
        config = copy.deepcopy(adapter)
        config.n_slots = config.n_slots if n_slots is None else n_slots
        config.scope = scope or config.scope
        config.validate_architecture()
        check_same_base(config, model)
        config.base_fingerprint = config.base_fingerprint or fingerprint_of(model)
    # Do not save the local path of the base.
    config.base_config = {name: value for name, value in model.config.to_dict().items() if name != "_name_or_path"}
    config.base_model_name_or_path = config.base_model_name_or_path or model.config._name_or_path or None
    return DuplexAdapterForCausalLM(config, model)


__all__ = ["listen"]
