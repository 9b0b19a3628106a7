"""
The code that travels with a model: the files of a folder `modeling` that its configuration names, and their imports.

    python -m hf_duplex.hub code
    python -m hf_duplex.hub code model_cards/duplex-workspace-5m --check
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers.dynamic_module_utils import get_relative_import_files


PACKAGE = Path(__file__).parents[1]
SOURCES = tuple(PACKAGE / name for name in ("modeling", "dual_track/modeling", "interaction/modeling"))


def find_source(module: str) -> Path:
    """The file of a module that travels with a checkpoint."""
    for folder in SOURCES:
        if (folder / f"{module}.py").is_file():
            return folder / f"{module}.py"
    raise ValueError(f"`auto_map` or `custom_pipelines` names the module {module}; no folder `modeling` has one.")


def code_of(config: Mapping[str, Any]) -> dict[str, bytes]:
    """
    The files that load a model where this package is not installed.

    Args:
        config (`Mapping`): What its `config.json` holds; `auto_map` and `custom_pipelines` name classes.

    Returns:
        `dict[str, bytes]`: The content of each file by its name: the modules of these classes, and, followed from file
        to file, all that they import with one dot.

    Raises:
        ValueError: A module is in no folder `modeling`.
    """
    pipelines = config.get("custom_pipelines") or {}
    classes = [*(config.get("auto_map") or {}).values(), *(pipeline["impl"] for pipeline in pipelines.values())]
    named = [find_source(name.rpartition(".")[0]) for name in classes]
    imported = [Path(path) for file in dict.fromkeys(named) for path in get_relative_import_files(file)]
    return {path.name: path.read_bytes() for path in sorted({*named, *imported})}


def folders_with_code(cards: Path) -> list[Path]:
    """The model folders, at any depth, whose configuration has an `auto_map`."""
    return [path.parent for path in sorted(cards.rglob("config.json")) if json.loads(path.read_text()).get("auto_map")]


def write_code(folder: str | Path, check: bool = False) -> dict[Path, str]:
    """
    Makes the code in a model folder equal to its source. Files that are equal already are not written.

    Args:
        folder (`str` or `Path`): A folder with a `config.json`; its other `.py` files are removed.
        check (`bool`, *optional*, defaults to `False`): Write and remove nothing.

    Returns:
        `dict[Path, str]`: Each file that differed, and how: `"missing"`, `"changed"` or `"not needed"`.

    Raises:
        ValueError: There is no `config.json`, it names no code, or code that is in no folder `modeling`.
    """
    folder = Path(folder)
    path = folder / "config.json"
    if not path.is_file():
        raise ValueError(f"`folder`: {folder} has no config.json; name a model folder.")
    try:
        needed = code_of(json.loads(path.read_text()))
    except ValueError as error:
        raise ValueError(f"`folder`: {path}: {error}") from error
    if not needed:
        raise ValueError(f"`folder`: {path} has no `auto_map`, so the model needs no code.")
    differs = {file: "not needed" for file in folder.glob("*.py") if file.name not in needed}
    for name, source in needed.items():
        file = folder / name
        if not file.is_file():
            differs[file] = "missing"
        elif file.read_bytes() != source:
            differs[file] = "changed"
    for file in () if check else differs:
        if file.name in needed:
            file.write_bytes(needed[file.name])
        else:
            file.unlink()
    return dict(sorted(differs.items()))
