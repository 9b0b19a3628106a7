"""Builds a suite as a data set: parquet files, a card, and a manifest that holds the sha256 of every file.

The same suite and seed give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .check import check_examples
from .example import Example
from .streams import STREAMS
from .suite_config import SPLITS, SuiteConfig
from .suites import make_pairs, suite_of


CARD, MANIFEST, DATA = "README.md", "manifest.json", "data"

_FORMAT = "dataset_builder.interaction"
_VERSION = 1


def build_suite(suite: str | SuiteConfig, out: str | Path, *, seed: int = 0, progress: bool = True) -> dict[str, Any]:
    """
    Builds all splits of a suite, or builds them again.

    Args:
        suite (`str` or `SuiteConfig`): What to build.
        out (`str` or `Path`): Folder to build into: new, empty, or holding a whole build of the same suite and seed.
        seed (`int`, *optional*, defaults to 0): Another seed gives other examples.
        progress (`bool`, *optional*, defaults to `True`): Show on the error stream what is being done.

    Returns:
        `dict[str, Any]`: The manifest, as it lies in `manifest.json`.

    Raises:
        ValueError: An argument cannot be taken, or the folder holds something else, another suite, or files that do
            not match its manifest; nothing was written.
        ModuleNotFoundError: `pyarrow`, `jinja2` or `huggingface_hub` is not installed; nothing was written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from .card import render_card

    suite, folder = suite_of(suite), Path(out)
    config = json.loads(json.dumps(asdict(suite)))
    _check_folder(folder, config, seed)
    splits = _make_splits(suite, seed, progress)
    check_examples([example for examples in splits.values() for example in examples])
    card = render_card(suite, seed, splits)

    try:
        (folder / DATA).mkdir(parents=True, exist_ok=True)
        files = []
        for split, examples in splits.items():
            files.append(folder / DATA / f"{split}-00000-of-00001.parquet")
            rows = [example.to_row() for example in examples]
            pq.write_table(pa.Table.from_pylist(rows, schema=_schema()), files[-1], compression="zstd")
        files.append(folder / CARD)
        files[-1].write_text(card.rstrip("\n") + "\n", encoding="utf-8", newline="\n")
        manifest = {
            "format": _FORMAT,
            "version": _VERSION,
            "suite": config,
            "seed": seed,
            "examples": {split: len(examples) for split, examples in splits.items()},
            "sha256": {path.relative_to(folder).as_posix(): _sha256(path) for path in files},
        }
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8", newline="\n")
    except PermissionError as error:
        raise ValueError(f"`out`: {folder} cannot be written into ({error.strerror}); give another folder.") from error
    return manifest


def verify_folder(folder: str | Path) -> dict[str, Any]:
    """
    Compares every file of a built suite with its manifest.

    Returns:
        `dict[str, Any]`: The manifest.

    Raises:
        ValueError: There is no manifest, or it cannot be read; a file is missing, has changed, or is not in it.
    """
    folder = Path(folder)
    manifest = _read_manifest(folder)
    for name, told in manifest["sha256"].items():
        path = folder / name
        if not path.is_file():
            raise ValueError(f"{path} is missing, its manifest tells of it; remove {folder} and build it again.")
        if _sha256(path) != told:
            raise ValueError(
                f"{path} has changed: its sha256 is not that of {MANIFEST}; remove {folder} and build it again."
            )
    for path in sorted((folder / DATA).glob("*")):
        if path.relative_to(folder).as_posix() not in manifest["sha256"]:
            raise ValueError(f"{path} is not in {MANIFEST}; remove it.")
    return manifest


def load_suite(folder: str | Path) -> dict[str, list[Example]]:
    """
    Reads a built suite back, split by split.

    Raises:
        ValueError: The files do not match the manifest, or do not hold alias pairs; see [`check_examples`].
    """
    import pyarrow.parquet as pq

    folder = Path(folder)
    manifest, splits = verify_folder(folder), {}
    for split in manifest["examples"]:
        rows = pq.read_table(folder / DATA / f"{split}-00000-of-00001.parquet").to_pylist()
        splits[split] = [Example.from_row(row) for row in rows]
    check_examples([example for examples in splits.values() for example in examples])
    return splits


def _make_splits(suite: SuiteConfig, seed: int, progress: bool) -> dict[str, list[Example]]:
    splits: dict[str, list[Example]] = {}
    columns = (TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True, quiet=not progress)) as bar:
        for split in SPLITS:
            pairs = bar.track(
                make_pairs(suite, split, seed=seed), total=suite.pairs[split], description=f"{suite.name} {split}"
            )
            splits[split] = [example for pair in pairs for example in pair]
    return splits


def _schema() -> Any:
    import pyarrow as pa

    from .card import COLUMNS

    kinds = {"pair": pa.int64(), "member": pa.int64()} | {name: pa.list_(pa.string()) for name in STREAMS}
    return pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])


def _check_folder(folder: Path, config: dict[str, Any], seed: int) -> None:
    """
    Raises:
        ValueError: The folder cannot be built into.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"`out`: {folder} is a file; give a folder.")
    others = sorted(path.name for path in folder.glob("[!.]*"))  # a repository's hidden files are no harm
    if not others:
        return
    if MANIFEST not in others:
        raise ValueError(
            f"`out`: {folder} holds other files ({others[0]}) and no {MANIFEST}; give a new or empty folder."
        )
    manifest = verify_folder(folder)
    if (manifest["suite"], manifest["seed"]) != (config, seed):
        found = f"suite {manifest['suite'].get('name')!r}, seed {manifest['seed']}"
        raise ValueError(f"`out`: {folder} holds another build ({found}); give another folder.")


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        whole = manifest["format"] == _FORMAT and {"suite", "seed", "examples", "sha256"} <= set(manifest)
    except FileNotFoundError:
        raise ValueError(f"{folder} holds no {MANIFEST}; give the folder of a built suite.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} cannot be read ({error}); remove {folder} and build it again.") from error
    if not whole:
        raise ValueError(f"{path} is not the manifest of a built suite; give the folder of one.")
    return manifest


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
