"""Saving and loading a duplex adapter without its base."""

import os
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.dynamic_module_utils import custom_object_save
from transformers.utils import logging
from transformers.utils.hub import cached_file

from .adapter_parts import AdapterParts
from .base_model import fingerprint_of
from .configuration_adapter import DuplexAdapterConfig


logger = logging.get_logger(__name__)

WEIGHTS = "model.safetensors"


class AdapterFiles(AdapterParts):
    """Saving and loading for [`~modeling_adapter.DuplexAdapterForCausalLM`]."""

    def additions(self) -> dict[str, torch.Tensor]:
        """The parameters that the adapter adds to its base, by name."""
        parts = {name: value for name, value in self.named_parameters() if value.requires_grad or "lora_" in name}
        mine = ("doubt.", "notice")
        parts.update({name: value for name, value in self.named_parameters() if name.startswith(mine)})
        return {name.replace(".default", ""): value for name, value in parts.items()}

    def save_pretrained(self, save_directory: str | os.PathLike, dtype: torch.dtype | None = None, **kwargs) -> None:
        """
        Saves the adapter without its base: the configuration, the additions, and the code that they need.

        Args:
            save_directory (`str` or `PathLike`): The folder.
            dtype (`torch.dtype`, *optional*): Precision of the matrices. Defaults to their current one.
        """
        folder = Path(save_directory)
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            name: value.detach().to("cpu", dtype if dtype and value.dim() > 1 else value.dtype).contiguous()
            for name, value in self.additions().items()
        }
        save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
        self.config.architectures = [type(self).__name__]
        if self._auto_class is not None:
            custom_object_save(self, folder, config=self.config)
        self.config.save_pretrained(folder)
        if self.base.generation_config is not None:
            self.base.generation_config.save_pretrained(folder)
        if kwargs.get("push_to_hub"):
            raise ValueError("`push_to_hub`: use `hf-duplex push FOLDER`, which writes card and code too.")

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike,
        *args,
        base: PreTrainedModel | str | None = None,
        config: DuplexAdapterConfig | None = None,
        dtype: torch.dtype | str | None = None,
        **kwargs,
    ) -> Any:
        """
        Loads an adapter onto its base.

        Args:
            pretrained_model_name_or_path (`str` or `PathLike`): A folder, or a name on the Hub.
            base (`PreTrainedModel` or `str`, *optional*): The base, or its location. Defaults to the base named
                in the configuration.
            dtype (`torch.dtype`, *optional*): Precision of a base that is loaded here. Defaults to float32.

        Raises:
            ValueError: There is no base, or its architecture is not that of the adapter's base.
        """
        hub = {name: kwargs[name] for name in ("revision", "token", "cache_dir", "local_files_only") if name in kwargs}
        if config is None:
            config = DuplexAdapterConfig.from_pretrained(pretrained_model_name_or_path, **hub)
        fields = ("n_slots", "scope")
        for name in fields:
            if kwargs.get(name) is not None:
                setattr(config, name, kwargs[name])
        config.validate_architecture()
        if base is None:
            base = config.base_model_name_or_path
            if base is None:
                raise ValueError("the adapter does not name its base: hand it over as `base=...`.")
        if not isinstance(base, PreTrainedModel):
            base = load_base_weights(str(base), torch.float32 if dtype in (None, "auto") else dtype)
        check_same_base(config, base)
        path = cached_file(str(pretrained_model_name_or_path), WEIGHTS, **hub)
        model = cls(config, base)  # type: ignore[call-arg]
        model.load_additions(load_file(path))
        return model

    def load_additions(self, state: dict[str, torch.Tensor]) -> None:
        """
        Loads additions, with the names of [`additions`].

        Raises:
            ValueError: Some are missing, unknown, or of another shape.
        """
        mine = self.additions()
        missing, unknown = sorted(mine.keys() - state.keys()), sorted(state.keys() - mine.keys())
        if missing or unknown:
            raise ValueError(
                f"the weights do not fit this adapter: {len(missing)} missing ({', '.join(missing[:3])}), "
                f"{len(unknown)} not known ({', '.join(unknown[:3])})."
            )
        for name, value in state.items():
            if value.shape != mine[name].shape:
                raise ValueError(f"{name} has the shape {tuple(value.shape)}, not {tuple(mine[name].shape)}.")
            mine[name].data.copy_(value)


def load_base_weights(name: str, dtype: torch.dtype | str) -> PreTrainedModel:
    """Loads a base by name: a folder, a name on the Hub, or a base built into hf_duplex."""
    if name == "smollm2":
        try:
            return import_module("hf_duplex.bases").load_base(name, dtype=dtype)[0]
        except ModuleNotFoundError as error:
            raise ValueError(
                "the base `smollm2` comes with hf_duplex: install it, or hand over `base=...`."
            ) from error
    return AutoModelForCausalLM.from_pretrained(name, dtype=dtype)


def check_same_base(config: DuplexAdapterConfig, base: PreTrainedModel) -> None:
    """
    Raises `ValueError` unless the base has the architecture that the adapter was made for; warns if its weights
    differ.
    """
    if not config.base_config:
        return
    mine, given = config.get_text_config(), base.config.get_text_config()
    names: Iterable[str] = (
        "model_type",
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "intermediate_size",
    )
    for name in names:
        wanted, found = getattr(mine, name, None), getattr(given, name, None)
        if wanted != found:
            raise ValueError(
                f"`base` has {name} {found}, but the adapter was made for {wanted}: use the base that it names, "
                f"{config.base_model_name_or_path or 'see its card'}."
            )
    if config.base_fingerprint and fingerprint_of(base) != config.base_fingerprint:
        logger.warning(
            "The weights of the base are not those that the adapter was trained on (another precision, or another "
            "copy): it should work as well on the same model, and may not on a fine-tuned one."
        )


__all__ = ["AdapterFiles", "check_same_base", "load_base_weights"]
