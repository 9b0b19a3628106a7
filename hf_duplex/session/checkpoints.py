"""Finding and loading the models that a command talks to."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from .. import modeling  # noqa: F401  registers the three generators
from ..released import SHIPPED


def find_checkpoint(name: str | None, shipped: str, argument: str) -> str:
    """
    The folder or Hub name of a model.

    Args:
        name (`str`, *optional*): What the user named; where it is not given, the one that the source checkout ships.
        shipped (`str`): Which one that is, a folder of `model_cards`.
        argument (`str`): What the user calls `name`, for errors.

    Raises:
        ValueError: The folder is not there; the message names the argument and the remedy.
    """
    if name is None:
        if not (SHIPPED / shipped / "config.json").is_file():
            raise ValueError(
                f"`{argument}`: {shipped} is not in {SHIPPED}: it comes with a clone of the repository. "
                "Run this there, or name a model folder or a Hub model."
            )
        return str(SHIPPED / shipped)
    on_hub = name.count("/") == 1 and not name.startswith((".", "/", "~"))
    if Path(name).is_dir() or not on_hub:
        if not Path(name, "config.json").is_file():
            state = "has no config.json" if Path(name).is_dir() else "does not exist"
            raise ValueError(f"`{argument}`: the folder {name!r} {state}: name a model folder or a Hub model.")
    return name


def load_checkpoint(path: str, argument: str, model_type: str | None = None) -> tuple[Any, Any]:
    """
    A model, ready to speak, and its tokenizer.

    Args:
        path (`str`): Folder or Hub name.
        argument (`str`): What the user calls it, for errors.
        model_type (`str`, *optional*): The only `config.model_type` that will do; any of ours if it is not given.

    Raises:
        ValueError: There is no such model, or it cannot listen; the message names the argument and the remedy.
    """
    logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(path)
        found = config.model_type
        if found != model_type if model_type else not found.startswith("duplex_"):
            wanted = model_type or "duplex_*"
            raise ValueError(f"`{argument}`: {path} is a {found} model: name one of the type {wanted}.")
        tokenizer = AutoTokenizer.from_pretrained(path)
        model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
    except OSError as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"`{argument}`: {path} cannot be loaded, neither from a folder nor from the Hub: {reason}"
        ) from error
    finally:
        logging.enable_progress_bar()
    if getattr(tokenizer, "update_token_id", None) is None:
        raise ValueError(f"`{argument}`: the tokenizer of {path} has no `update_token`: name a model that has one.")
    return model, tokenizer


def describe_model(model: Any) -> dict[str, Any]:
    """Name, kind and size, as a program reads them."""
    return {
        "name": Path(model.config._name_or_path).name,
        "model_type": model.config.model_type,
        "parameters": model.num_parameters(),
    }
