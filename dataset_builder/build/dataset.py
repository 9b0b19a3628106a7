"""Builds a data set: all shards, then repeated rows again, then the manifest, the card and the search for leaks.

An interrupted build resumes from the finished shards, and always ends with the same bytes.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from .config import BuildConfig, differences
from .pairs import find_repeated
from .shards import WORKING, BuildError, ShardMaker, ShardPlan, fingerprint_of, plan_shards, whole_file
from .stored import DATA, MANIFEST, StoredDataset
from .workers import Task as Work
from .workers import Workers


def build_dataset(
    config: BuildConfig, out: str | Path, *, num_workers: int = 1, overwrite: bool = False, progress: bool = True
) -> dict[str, Any]:
    """
    Builds a data set, or resumes an interrupted build.

    Args:
        config (`BuildConfig`): What to build.
        out (`str` or `Path`): Folder to build into: new, empty, or holding a build of the same config.
        num_workers (`int`, *optional*, defaults to 1): Processes that make shards.
        overwrite (`bool`, *optional*, defaults to `False`): Remove a build of another config first.
        progress (`bool`, *optional*, defaults to `True`): Show progress on the error stream.

    Returns:
        `dict[str, Any]`: The manifest, as written to `build.json`.

    Raises:
        ValueError: An argument or a field of the config is invalid; nothing was written.
        ModuleNotFoundError: A package is missing; nothing was written.
        BuildError: The build stopped: the disk is full, a sample cannot be made, a worker died, or the search for
            leaks found one. Finished shards are kept.
    """
    folder = Path(out)
    if num_workers < 1:
        raise ValueError(f"`num_workers` must be at least 1, got {num_workers}.")
    _need("jinja2", "matplotlib")
    _try_every_split(config, folder)
    _check_folder(config, folder, overwrite)
    try:
        with _only_build(folder):
            if overwrite:
                _remove_build(folder)
            return _Build(config, folder, num_workers, progress).run()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise BuildError(
                f"The disk of {folder} is full. Finished shards are kept: make room, run the same command to resume."
            ) from error
        if error.errno == errno.EFBIG:
            raise BuildError(
                f"`samples_per_shard` of {config.samples_per_shard} makes files larger than {folder} may hold. Lower "
                "it, or raise that limit (`ulimit -f`) and run the same command to resume. Finished shards are kept."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT):
            raise BuildError(f"`out`: {folder} cannot be written into ({error.strerror}).") from error
        raise


def finished_shards(config: BuildConfig, out: str | Path) -> tuple[int, int]:
    """Number of finished shards in a folder, and their number at the end."""
    plans = plan_shards(config)
    return sum((Path(out) / plan.file).is_file() for plan in plans), len(plans)


def _need(*packages: str) -> None:
    """Checks now that the packages that the card needs at the end are installed."""
    for package in packages:
        if find_spec(package) is None:
            raise ModuleNotFoundError(f"{package} is not installed: pip install {package}.", name=package)


def _try_every_split(config: BuildConfig, folder: Path) -> None:
    """Makes one sample of each split, so that a config that the builder cannot fulfil fails now and not after an
    hour."""
    maker = ShardMaker(config, folder)
    for split in config.splits:
        try:
            maker.row(split, 0)
        except BuildError as error:
            if isinstance(error.__cause__, ValueError):
                raise ValueError(f"`builder` cannot give split {split!r}: {error.__cause__}") from error
            raise


def _check_folder(config: BuildConfig, folder: Path, overwrite: bool) -> None:
    """
    Raises:
        ValueError: The folder is a file, holds something else, or a build of another config.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"`out`: {folder} is a file; give a folder.")
    ours = _recipe_in(folder)
    shards = sorted((folder / DATA).glob("*.parquet"))
    if ours is None and not any(map(fingerprint_of, shards)):
        others = [path.name for path in folder.glob("[!.]*")]  # hidden files of a repository are allowed
        if others:
            raise ValueError(
                f"`out`: {folder} holds other files ({sorted(others)[0]}); give a new or an empty folder."
            )
        return
    if overwrite:
        return
    if ours is not None:
        differ = differences(ours, config.recipe())
        if differ:
            raise ValueError(
                f"`out`: {folder} holds a build of another config: {'; '.join(differ)}. Give another --out, or remove "
                "that build with --overwrite."
            )
    elif config.fingerprint() not in map(fingerprint_of, shards):
        raise ValueError(
            f"`out`: {folder} holds shards of another config. Give another --out, or remove them with --overwrite."
        )


def _recipe_in(folder: Path) -> dict[str, Any] | None:
    """The recipe of the build in a folder; None if there is none, or it cannot be determined."""
    try:
        recipe: dict[str, Any] = json.loads((folder / WORKING / "recipe.json").read_text(encoding="utf-8"))
        return recipe
    except (OSError, ValueError):
        pass
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        told = {key: value for key, value in manifest["config"].items() if key not in ("name", "license")}
        return {"version": manifest["version"], **told}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None


@contextmanager
def _only_build(folder: Path) -> Iterator[None]:
    """Locks the folder against a second build."""
    (folder / WORKING).mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / WORKING / "lock", timeout=0):
            yield
    except Timeout:
        raise BuildError(f"Another build is writing into {folder}; wait for it, or give another --out.") from None


def _remove_build(folder: Path) -> None:
    """Removes the files of a build, and nothing else."""
    from .card import CARD, PLOTS

    for name in (MANIFEST, CARD, PLOTS, f"{WORKING}/recipe.json"):
        (folder / name).unlink(missing_ok=True)
    for path in [*(folder / DATA).glob("*.parquet*"), *(folder / WORKING).glob("*.npy*")]:
        path.unlink()


class _Build:
    """The steps of one build."""

    def __init__(self, config: BuildConfig, folder: Path, num_workers: int, progress: bool):
        self.config, self.folder, self.num_workers = config, folder, num_workers
        self.console = Console(stderr=True, quiet=not progress)
        self.plans = plan_shards(config)
        self.maker = ShardMaker(config, folder)
        self.known = self._known_hashes()

    def run(self) -> dict[str, Any]:
        (self.folder / DATA).mkdir(exist_ok=True)
        _write_json(self.folder / WORKING / "recipe.json", self.config.recipe())
        for leftover in [*(self.folder / DATA).glob("*.part"), *(self.folder / WORKING).glob("*.part")]:
            leftover.unlink()
        manifest = self._manifest_if_finished() or self._build()
        _write_json(self.folder / MANIFEST, manifest)
        self._write_card()
        self._search_leaks()
        shutil.rmtree(self.folder / WORKING, ignore_errors=True)
        return manifest

    def _manifest_if_finished(self) -> dict[str, Any] | None:
        """The manifest in the folder, if all shards match it; a name or a license may have changed."""
        if set(self.known) != {plan.file for plan in self.plans} or any(map(self._changed, self.plans)):
            return None
        self._say("All shards are there already.")
        manifest = StoredDataset(self.folder).manifest
        return {**manifest, "config": self.config.to_dict()}

    def _build(self) -> dict[str, Any]:
        with Workers(self.config, self.folder, self.num_workers) as workers:
            self._make(workers, self._missing(workers))
            self._redraw(workers)
        return self._manifest()

    def _missing(self, workers: Workers) -> list[ShardPlan]:
        """The shards that have to be made; existing ones are checked."""
        there = [plan for plan in self.plans if (self.folder / plan.file).is_file()]
        whole: set[ShardPlan] = set()
        if there:
            with self._progress("looking at shards", sum(plan.samples for plan in there)) as advance:
                for plan, wrong in workers.run([Work(ShardMaker.look, plan) for plan in there], advance):
                    wrong = wrong or self._changed(plan)
                    if wrong:
                        self._say(f"{plan.file} is broken: {wrong}. It is made again.", "yellow")
                    else:
                        whole.add(plan)
            self._say(f"{len(whole)} of {len(self.plans)} shards are there already.")
        return [plan for plan in self.plans if plan not in whole]

    def _known_hashes(self) -> dict[str, str]:
        """The hash of each shard in the manifest of a finished build."""
        try:
            return {shard.file: shard.sha256 for shard in StoredDataset(self.folder).all_shards}
        except ValueError:
            return {}

    def _changed(self, plan: ShardPlan) -> str | None:
        """What is wrong with a shard, judged by its hash; None if no hash is known."""
        if plan.file not in self.known:
            return None
        if not (self.folder / plan.file).is_file():
            return "it is gone"
        return (
            None if self.known[plan.file] == self._sha256(plan) else f"its bytes are not those that {MANIFEST} tells"
        )

    def _make(self, workers: Workers, missing: list[ShardPlan]) -> None:
        if not missing:
            return
        # From here on the folder holds no finished data set.
        (self.folder / MANIFEST).unlink(missing_ok=True)
        with self._progress("samples", sum(plan.samples for plan in missing)) as advance:
            for _ in workers.run([Work(ShardMaker.make, plan) for plan in missing], advance):
                pass

    def _redraw(self, workers: Workers) -> None:
        """Redraws rows until no pair repeats; this terminates, since a row has a limited number of attempts."""
        while repeated := find_repeated([self.maker.pairs_file(plan) for plan in self.plans]):
            (self.folder / MANIFEST).unlink(missing_ok=True)
            tasks = [Work(ShardMaker.redraw, self.plans[number], (places,)) for number, places in repeated.items()]
            with self._progress("rows that repeat another", sum(map(len, repeated.values()))) as advance:
                for _ in workers.run(tasks, advance):
                    pass

    def _manifest(self) -> dict[str, Any]:
        """The manifest; it does not depend on when, where or by how many workers the data set was built."""
        splits: dict[str, dict[str, Any]] = {
            split: {"samples": 0, "redrawn": 0, "shards": []} for split in self.config.splits
        }
        for plan in self.plans:
            told = splits[plan.split]
            told["samples"] += plan.samples
            told["redrawn"] += int(np.count_nonzero(np.load(self.maker.pairs_file(plan))["attempt"]))
            told["shards"].append({"file": plan.file, "samples": plan.samples, "sha256": self._sha256(plan)})
        return {
            "version": self.config.recipe()["version"],
            "fingerprint": self.config.fingerprint(),
            "config": self.config.to_dict(),
            "samples": sum(told["samples"] for told in splits.values()),
            "redrawn": sum(told["redrawn"] for told in splits.values()),
            "splits": splits,
        }

    def _sha256(self, plan: ShardPlan) -> str:
        with open(self.folder / plan.file, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _write_card(self) -> None:
        from .card import write_card

        self._say("Writing the card.")
        write_card(self.folder)

    def _search_leaks(self) -> None:
        """
        Raises:
            BuildError: A pair occurs twice, or a prompt of training is in another split.
        """
        from .leaks import LeakSearch

        stored = StoredDataset(self.folder)
        with LeakSearch(stored.all_shards) as search, self._progress("searched for leaks", stored.samples) as advance:
            for shard in stored.all_shards:
                for first, table in shard.batches(["prompt", "updates"]):
                    rows = table.to_pylist()
                    updates = [[update["text"] for update in row["updates"]] for row in rows]
                    search.add(shard, first, [row["prompt"] for row in rows], updates)
                    advance(len(rows))
            leak = next(search.leaks(), None)
        if leak:
            same = "the same prompt and updates" if leak.what == "pair" else "the same prompt"
            raise BuildError(
                f"The data set leaks: {leak.first} and {leak.second} have {same}. This is a fault of the builder; "
                "report it with the config. `check` lists all leaks."
            )

    def _say(self, text: str, style: str = "dim") -> None:
        self.console.print(Text(text, style), soft_wrap=True)

    @contextmanager
    def _progress(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """A progress bar with samples per second; yields the function that advances it."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
        with Progress(*columns, console=self.console) as bar:
            task = bar.add_task(what, total=total)
            yield lambda rows: bar.advance(task, rows)


class _Rate(ProgressColumn):
    """Samples per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", "progress.data.speed")


def _write_json(path: Path, value: dict[str, Any]) -> None:
    with whole_file(path) as file:
        file.write((json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())
