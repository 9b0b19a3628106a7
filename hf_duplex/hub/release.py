"""
Turns a training run into a model folder that can be published: small weights, code, tokenizer, facts, card.

    python -m hf_duplex.hub release runs/workspace model_cards/duplex-workspace-5m --n-slots 256
"""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from ..record import rounded, write_json
from .cards import name_in, write_card
from .paths import without_paths
from .tables import read_results


# How long a released model speaks where nothing else is asked for.
MAX_NEW_TOKENS = 256

KEPT_OF_OTHERS = ("metrics", "updates", "latency", "median_milliseconds")
"""What the results of a model folder hold of the models that it is compared with."""


def released_facts(training: dict[str, Any]) -> dict[str, Any]:
    """What goes out of `training.json`: all but the log, of which the losses on held-out samples stay."""
    facts = {name: value for name, value in training.items() if name != "log"}
    log = [entry for entry in training.get("log", []) if "eval_loss" in entry]
    facts["eval_losses"] = [{"step": entry["step"], "eval_loss": entry["eval_loss"]} for entry in log]
    return dict(without_paths(facts))


def released_config(run: Path, n_slots: int | None, sliding_window: int | None = None) -> Any:
    """
    The configuration that is published: as trained, but made for speaking.

    Raises:
        ValueError: `n_slots` was given for a model whose weights depend on it or that has no slots, or is too small;
            or `sliding_window` is below 1.
    """
    config = AutoConfig.from_pretrained(run)
    # A trainer turns the cache off, and saves that.
    config.use_cache = True
    if n_slots is not None:
        if getattr(config, "update_type", None) != "validity":
            raise ValueError(
                f"`n_slots`: {run} is no workspace whose slots are token states (update_type `validity`), so that "
                "their number is not free after training; leave it out."
            )
        if n_slots < config.max_message_length:
            raise ValueError(f"`n_slots` must hold at least one message ({config.max_message_length}), got {n_slots}.")
        config.n_slots = n_slots
    if sliding_window is not None:
        if sliding_window < 1:
            raise ValueError(f"`sliding_window` must be at least 1 token, got {sliding_window}.")
        config.sliding_window = sliding_window
    return config


def release(
    run: str | Path, folder: str | Path, n_slots: int | None = None, sliding_window: int | None = None
) -> None:
    """
    Args:
        run (`str` or `Path`): What `hf-duplex train` left: model, tokenizer, training.json.
        folder (`str` or `Path`): Where the release goes: bf16 weights, the model's code, tokenizer, `training.json`
            and the card. Benchmark results that are there already stay, and are drawn into the card.
        n_slots (`int`, *optional*): How many slots a workspace keeps, other than in training, where all that a batch
            says may be kept.
        sliding_window (`int`, *optional*): How far the generator reaches back in what it has said, other than in
            training, where texts are short. What stands in its own stream and is farther back is out of its sight.

    Raises:
        ValueError: `run` holds no finished training; `n_slots` does not go with its model.
    """
    run, folder = Path(run), Path(folder)
    if not (run / "training.json").is_file():
        raise ValueError(f"`run`: {run} holds no training.json; is the training finished?")
    config = released_config(run, n_slots, sliding_window)
    model = AutoModelForCausalLM.from_pretrained(run, config=config, dtype=torch.float32).to(torch.bfloat16)
    model.generation_config.max_new_tokens = MAX_NEW_TOKENS
    model.generation_config.use_cache = True
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(run).save_pretrained(folder)
    write_json(released_facts(json.loads((run / "training.json").read_text())), folder / "training.json")
    write_card(folder)


def keep_results(comparison: str | Path, folder: str | Path) -> Path:
    """
    Writes `results.json` of a model folder: of a comparison what was measured of this model, of the others their
    overall figures, and the differences between it and them. Of each figure five digits are kept, here and in the
    comparison itself, which is more than it is worth.

    Raises:
        ValueError: The comparison holds nothing of this model.
    """
    folder, results = Path(folder), read_results(Path(comparison))
    name = name_in(results, folder)
    models = {name: results["models"][name]}
    for other, model in results["models"].items():
        if other != name:
            splits = {
                split: {key: measured[key] if key in KEPT_OF_OTHERS else {} for key in measured}
                for split, measured in model["splits"].items()
            }
            models[other] = model | {"splits": splits}
    compared = [entry for entry in results["comparisons"] if name in (entry["a"], entry["b"])]
    path = folder / "results.json"
    write_json(rounded(results | {"models": models, "comparisons": compared}), path)
    write_json(rounded(results), comparison)
    return path
