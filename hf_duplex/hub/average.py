"""
Averages two adapters of one base, as in "Robust fine-tuning of zero-shot models" (Wortsman et al., 2022): between an
earlier and a later point of a training lies one that keeps more of what the base knows.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ..modeling.adapter_files import WEIGHTS


SAME = ("mode", "lora_rank", "lora_alpha", "doubt_size", "notice_updates", "base_model_name_or_path")


def read_weights(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The weights of an adapter and their metadata."""
    if not (folder / WEIGHTS).is_file():
        raise ValueError(f"{folder} holds no adapter: there is no {WEIGHTS} in it.")
    with safe_open(folder / WEIGHTS, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()


def read_facts(folder: Path) -> dict[str, Any]:
    """The facts of an adapter's training; empty where none were kept."""
    path = folder / "training.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def average(
    first: str | Path, second: str | Path, share: float, out: str | Path, chosen_on: str | None = None
) -> Path:
    """
    Writes an adapter whose weights lie between those of two others.

    Args:
        first, second (`str` or `Path`): Folders of adapters, the second trained further from the first.
        share (`float`): How much of the second, above 0 and below 1.
        out (`str` or `Path`): Where the average goes, with the configuration and training.json of the second, which
            says what was averaged.
        chosen_on (`str`, *optional*): The cases on which `share` was chosen; the card says that figures on these are
            optimistic.

    Returns: `out`.

    Raises:
        ValueError: The adapters are not of one base and shape, or `share` is out of range; nothing is written.
    """
    first, second, out = Path(first), Path(second), Path(out)
    if not 0 < share < 1:
        raise ValueError(f"`share` must be above 0 and below 1, got {share}.")
    (ours, _), (theirs, metadata) = read_weights(first), read_weights(second)
    configs = [json.loads((folder / "config.json").read_text()) for folder in (first, second)]
    unlike = [name for name in SAME if configs[0].get(name) != configs[1].get(name)]
    if unlike or {name: value.shape for name, value in ours.items()} != {
        name: value.shape for name, value in theirs.items()
    }:
        raise ValueError(f"{first} and {second} are adapters of different shapes or bases ({', '.join(unlike)}).")
    mixed = {
        name: torch.lerp(ours[name].float(), value.float(), share).to(value.dtype) for name, value in theirs.items()
    }
    trained = [read_facts(folder) for folder in (first, second)]
    names = ("command", "samples", "seconds")
    facts: dict[str, Any] = {"share": share, "chosen_on": chosen_on} | {
        place: {name: run.get(name) for name in names} for place, run in zip(("first", "second"), trained)
    }
    out.mkdir(parents=True, exist_ok=True)
    for path in second.glob("*.json"):
        if path.name in ("config.json", "generation_config.json") and path.resolve() != (out / path.name).resolve():
            shutil.copyfile(path, out / path.name)
    save_file(mixed, out / WEIGHTS, metadata=metadata)
    (out / "training.json").write_text(json.dumps(trained[1] | {"average": facts}, indent=2) + "\n")
    return out
