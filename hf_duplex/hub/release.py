"""
Turns a training run into a model folder that can be published: small weights, code, tokenizer, facts, card.

    python -m hf_duplex.hub release runs/workspace model_cards/duplex-workspace-4m
"""

import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ..record import write_json
from .cards import write_card


# How long a released model speaks where nothing else is asked for.
MAX_NEW_TOKENS = 256


def release(run: str | Path, folder: str | Path) -> None:
    """
    Args:
        run (`str` or `Path`): What `hf-duplex train` left: model, tokenizer, training.json.
        folder (`str` or `Path`): Where the release goes: bf16 weights, the model's code, tokenizer, `training.json`
            and the card. Benchmark results that are there already stay, and are drawn into the card.

    Raises:
        ValueError: `run` holds no finished training.
    """
    run, folder = Path(run), Path(folder)
    if not (run / "training.json").is_file():
        raise ValueError(f"`run`: {run} holds no training.json; is the training finished?")
    model = AutoModelForCausalLM.from_pretrained(run, dtype=torch.float32).to(torch.bfloat16)
    model.generation_config.max_new_tokens = MAX_NEW_TOKENS
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(run).save_pretrained(folder)
    facts = json.loads((run / "training.json").read_text())
    evaluations = [entry for entry in facts.pop("log", []) if "eval_loss" in entry]
    facts["eval_losses"] = [{"step": entry["step"], "eval_loss": entry["eval_loss"]} for entry in evaluations]
    write_json(facts, folder / "training.json")
    write_card(folder)
