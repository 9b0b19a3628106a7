"""Finding and loading the models of the commands."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from .. import bases
from ..modeling import listen
from ..released import ADAPTER, RELEASED, SHIPPED, WORKSPACE


NO_ADAPTER = "none"
"""Value of `--model` for a base with an open input and no adapter."""
HUB_NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""The model in the package `smollm2`."""


class BaseMissing(ValueError):
    """The base of an adapter is not installed; the message says what to install."""


class Opened(NamedTuple):
    """
    The model of a command.

    Attributes:
        model, tokenizer: A model with an open input, and its tokenizer.
        base (`PreTrainedModel`, *optional*): The base of a duplex adapter, untouched; None for a model from scratch.
    """

    model: Any
    tokenizer: Any
    base: Any = None


def find_checkpoint(name: str | None, shipped: str, argument: str) -> str:
    """
    The folder or Hub name of a model.

    Args:
        name (`str`, *optional*): A folder, a Hub name, or the name of a model that ships; `shipped` if not given.
        shipped (`str`): The default model, a folder of `model_cards` in the source checkout.
        argument (`str`): The name of the option, for errors.

    Raises:
        ValueError: The folder does not exist; the message names the argument and the remedy.
    """
    if name is None or (name in (*RELEASED, ADAPTER) and not Path(name).is_dir()):
        wanted = name or shipped
        if not (SHIPPED / wanted / "config.json").is_file():
            raise ValueError(
                f"`{argument}`: {wanted} is not in {SHIPPED}: it comes with a clone of the repository. "
                "Run this there, or name a model folder or a Hub model."
            )
        return str(SHIPPED / wanted)
    on_hub = name.count("/") == 1 and not name.startswith((".", "/", "~"))
    if Path(name).is_dir() or not on_hub:
        if not Path(name, "config.json").is_file():
            state = "has no config.json" if Path(name).is_dir() else "does not exist"
            raise ValueError(f"`{argument}`: the folder {name!r} {state}: name a model folder or a Hub model.")
    return name


def load_checkpoint(
    path: str, argument: str, model_type: str | Sequence[str] | None = None, base: str | None = None
) -> tuple[Any, Any]:
    """
    Loads a model with an open input, in evaluation mode, and its tokenizer: a duplex adapter on its base, or a model
    trained from scratch.

    Args:
        path (`str`): Folder or Hub name.
        argument (`str`): The name of the option, for errors.
        model_type (`str` or `Sequence[str]`, *optional*): The accepted `config.model_type` or types; any of ours if
            not given.
        base (`str`, *optional*): The base of an adapter: `smollm2`, a folder or a Hub name; the one named in its
            configuration if not given.

    Raises:
        BaseMissing: The base of the adapter cannot be loaded; the message names the remedy.
        ValueError: There is no such model, or it has no open input; the message names the argument and the remedy.
    """
    opened = open_checkpoint(path, argument, model_type, base)
    return opened.model, opened.tokenizer


def open_checkpoint(
    path: str, argument: str, model_type: str | Sequence[str] | None = None, base: str | None = None
) -> Opened:
    """As [`load_checkpoint`], but also returns the unchanged base."""
    types = (model_type,) if isinstance(model_type, str) else model_type
    logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(path)
        found = config.model_type
        if found not in types if types else not found.startswith("duplex_"):
            wanted = " or ".join(types or ("duplex_*",))
            remedy = "" if types else f"; for a base without an adapter, `--base {path} --model {NO_ADAPTER}`"
            raise ValueError(f"`{argument}`: {path} is a {found} model: name one of the type {wanted}{remedy}.")
        if found == "duplex_adapter":
            return open_adapter(path, config, base)
        if base is not None:
            raise ValueError(f"`--base` is for a duplex adapter, and {path} is a {found} model: leave it out.")
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
    return Opened(model, tokenizer)


def open_adapter(path: str, config: Any, base: str | None = None) -> Opened:
    """Loads a duplex adapter on its base; arguments and errors as for [`load_checkpoint`]."""
    name = base or config.base_model_name_or_path
    if not name:
        raise ValueError(f"{path} is an adapter that does not name its base: give one with `--base`.")
    model, tokenizer = load_base(name)
    adapter = listen(model, path).eval()
    adapter.config._name_or_path = str(path)
    return Opened(adapter, tokenizer, model)


def load_base(name: str) -> tuple[Any, Any]:
    """
    Loads a base and its tokenizer. SmolLM2-135M-Instruct is loaded from the package `smollm2` if that is installed: it
    holds the weights that the shipped adapter was trained on, and needs no network.

    Raises:
        BaseMissing: It cannot be loaded; the message names the remedy.
    """
    missing: ValueError | None = None
    for place in (bases.SMOLLM2, name) if name == HUB_NAME else (name,):
        try:
            return bases.load_base(place)
        except ValueError as error:
            # Report the first of two errors: its remedy is shorter.
            missing = missing or error
    raise BaseMissing(str(missing)) from missing


def open_model(
    model: str | None = None,
    base: str | None = None,
    model_type: str | Sequence[str] | None = None,
    instead: str = WORKSPACE,
) -> Opened:
    """
    Loads the model of a command; the shipped adapter if none is named. If the adapter's base is not installed, prints
    a note to standard error and loads a model from scratch instead.

    Args:
        model (`str`, *optional*): The option `--model`: the name of a model that ships, a folder, a Hub name, or
            `none` for a base without an adapter, where updates are spliced into its stream.
        base (`str`, *optional*): The option `--base`: `smollm2`, a folder or a Hub name.
        model_type (`str` or `Sequence[str]`, *optional*): As in [`load_checkpoint`]; applies to a named model only.
        instead (`str`, *optional*): The shipped model that replaces the adapter if its base is missing.

    Raises:
        ValueError: There is no such model; the message names the option and the remedy.
    """
    if model == NO_ADAPTER:
        bare, tokenizer = load_base(base or bases.SMOLLM2)
        return Opened(listen(bare), tokenizer, bare)
    if model is not None:
        return open_checkpoint(find_checkpoint(model, instead, "--model"), "--model", model_type, base)
    try:
        return open_checkpoint(find_checkpoint(None, ADAPTER, "--model"), "--model", base=base)
    except BaseMissing as error:
        if base is not None:
            raise
        print(f"Note: {error} Until then {instead} takes the place of {ADAPTER}.", file=sys.stderr)
        return open_checkpoint(find_checkpoint(None, instead, "--model"), "--model")


def is_from_scratch(model: Any) -> bool:
    """Whether it is a model trained from scratch, which can read only the phrasings of the task families."""
    return model.config.model_type != "duplex_adapter"


def set_threads(threads: int | None, model: Any) -> None:
    """Sets the threads of torch; if not given, 1 for models from scratch (two do not help them), otherwise up to 2."""
    torch.set_num_threads(threads or (1 if is_from_scratch(model) else min(2, os.cpu_count() or 1)))


def describe_model(model: Any) -> dict[str, Any]:
    """Name, type and size as a dictionary; for an adapter, or a base with an open input, also the base."""
    name, base = Path(model.config._name_or_path).name, getattr(model.config, "base_model_name_or_path", None)
    facts = {"name": name or Path(base or "").name, "model_type": model.config.model_type}
    return facts | {"parameters": model.num_parameters()} | ({"base": Path(base).name} if base else {})
