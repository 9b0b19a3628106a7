"""Measures the speed of the builder, and whether its memory use stays constant."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from ..builder import Builder
from ..config import BuilderConfig
from .config import load_build_config


if TYPE_CHECKING:
    from rich.console import Console

WARM_UP = 100
POLL_SECONDS = 0.05


def measure_speed(config: BuilderConfig, num: int, repeats: int) -> dict[str, dict[str, float]]:
    """
    Samples per second of one core, made and written as `build` does it, by the processor time of this process.

    Other processes on the machine slow this down at times. So each family has several runs, interleaved with those of
    the other families; the best run shows the speed of the core, the median the typical speed.

    Args:
        config (`BuilderConfig`): What samples to make; each of its families is measured alone.
        num (`int`): Samples per run.
        repeats (`int`): Runs of each family, after a short run to warm up.

    Returns:
        `dict[str, dict[str, float]]`: For each family, in samples per second, `made`, as Python objects, and
        `written`, as parquet in memory, of the best run, and `median`, `written` of the median run; `updates` and
        `characters`, means per sample; `repaired`, the share with a repair.
    """
    builders = {family: Builder(replace(config, families=(family,))) for family in dict.fromkeys(config.families)}
    for builder in builders.values():
        _run(builder, range(num, num + WARM_UP))
    runs: dict[str, list[_Run]] = {family: [] for family in builders}
    for _ in range(repeats):
        for family, builder in builders.items():
            runs[family].append(_run(builder, range(num)))
    results = {}
    for family, told in runs.items():
        seconds = [run.made + run.written for run in told]
        results[family] = {
            "made": num / min(run.made for run in told),
            "written": num / min(seconds),
            "median": num / median(seconds),
            "updates": told[0].updates / num,
            "characters": told[0].characters / num,
            "repaired": told[0].repaired / num,
        }
    return results


class _Run(NamedTuple):
    """Processor time to make samples, and then to write them as parquet; and what was made."""

    made: float
    written: float
    updates: int
    characters: int
    repaired: int


def _run(builder: Builder, indices: range) -> _Run:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from .pairs import pair_hash
    from .schema import SCHEMA
    from .shards import ROWS_PER_GROUP, garbage_kept

    made = written = 0.0
    updates = characters = repaired = 0
    with pq.ParquetWriter(BytesIO(), SCHEMA, compression="zstd") as writer:
        for first in range(0, len(indices), ROWS_PER_GROUP):
            start = time.process_time()
            with garbage_kept():
                rows = [builder.sample(index).to_row() for index in indices[first : first + ROWS_PER_GROUP]]
            between = time.process_time()
            for row in rows:
                pair_hash(row)
            writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
            written += time.process_time() - between
            made += between - start
            updates += sum(len(row["updates"]) for row in rows)
            characters += sum(len(row["initial_target"] + row["revised_target"]) for row in rows)
            repaired += sum(row["requires_revision"] for row in rows)
        start = time.process_time()
    return _Run(made, written + time.process_time() - start, updates, characters, repaired)


def describe() -> dict[str, Any]:
    """Metadata of every result: the command, the commit, the machine, and its load."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "commit": _commit(),
        "machine": {
            "cpu": models[0] if models else platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "system": platform.system(),
            "python": platform.python_version(),
            "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        },
    }


def _commit() -> str | None:
    """The commit of this source, with a + if the builder has uncommitted changes; None outside of a repository."""
    here = Path(__file__).parent
    try:
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True)
        changes = subprocess.run(["git", "status", "--porcelain", "."], cwd=here, capture_output=True, text=True)
    except OSError:
        return None
    return commit.stdout.strip() + "+" * bool(changes.stdout.strip()) if commit.returncode == 0 else None


def sizes_of(text: str) -> list[int]:
    """
    Parses a comma-separated list of numbers of samples.

    Raises:
        ValueError: It is not such a list, or this system does not report the memory of a process.
    """
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f"`--memory` must be whole numbers with commas, as in 10000,100000, got {text!r}.")
    if not Path("/proc/self/status").exists():
        raise ValueError("`--memory` reads /proc, which only Linux has; leave it out.")
    return [int(part) for part in parts]


def measure_memory(config: str, sizes: list[int], num_workers: int) -> dict[str, Any]:
    """
    Builds the training split of a config in different sizes, each by a fresh process into a temporary folder.

    Args:
        config (`str`): A YAML file, or the name of a shipped config.
        sizes (`list[int]`): Numbers of samples.
        num_workers (`int`): Processes of the build.

    Returns:
        `dict[str, Any]`: `builds`, for each size `samples`, `seconds`, and the peak resident memory in MB of the
        `parent` and of the largest `worker` process (0 if there is none); `slope` of both, in MB per million samples,
        by least squares (only for two sizes or more); `num_workers`.

    Raises:
        ValueError: The config is invalid.
        RuntimeError: A build failed.
    """
    import numpy as np

    told = load_build_config(config).to_dict()
    builds = [_build_one({**told, "tokenizer": None}, size, num_workers) for size in sizes]
    results: dict[str, Any] = {"num_workers": num_workers, "builds": builds}
    if len(set(sizes)) > 1:
        results["slope"] = {
            who: float(np.polyfit([size / 1e6 for size in sizes], [build[who] for build in builds], 1)[0])
            for who in ("parent", "worker")
        }
    return results


def _build_one(config: dict[str, Any], size: int, num_workers: int) -> dict[str, float]:
    with TemporaryDirectory(prefix="dataset-builder-") as temporary:
        path = Path(temporary, "config.yaml")
        path.write_text(json.dumps({**config, "splits": {"train": size}}), encoding="utf-8")  # JSON is YAML too
        command = [sys.executable, "-m", "dataset_builder", "build", "--quiet", "--config", str(path)]
        command += ["--out", f"{temporary}/out", "--num_workers", str(num_workers)]
        start = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            parent = worker = 0.0
            while process.poll() is None:
                parent = max(parent, _peak_mb(process.pid))
                worker = max([worker, *map(_peak_mb, _children(process.pid))])
                time.sleep(POLL_SECONDS)
            assert process.stderr is not None
            errors = process.stderr.read().strip()
        if process.returncode:
            raise RuntimeError(f"Building {size} samples failed: {errors}")
        return {"samples": size, "seconds": time.perf_counter() - start, "parent": parent, "worker": worker}


def _peak_mb(pid: int) -> float:
    """Peak resident memory of a process so far; 0 if it has ended."""
    with suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        if found:
            return int(found[1]) / 1024
    return 0.0


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def print_machine(told: dict[str, Any], console: Console) -> None:
    """Prints the result of [`describe`]."""
    machine = told["machine"]
    busy = "" if machine["load"] is None else f", load {machine['load']}"
    console.print(f"{machine['cpu']}, {machine['cores']} cores{busy}, Python {machine['python']}, {told['commit']}")


def print_speed(results: dict[str, dict[str, float]], repeats: int, console: Console) -> None:
    """Prints the result of [`measure_speed`]."""
    from rich.table import Table

    title = f"Samples a second and core, best of {repeats} runs"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("family", "made", "written", "median", "updates", "letters", "repaired"):
        table.add_column(column, justify="left" if column == "family" else "right")
    for family, told in results.items():
        numbers = [f"{told[name]:,.0f}" for name in ("made", "written", "median")]
        table.add_row(
            family, *numbers, f"{told['updates']:.1f}", f"{told['characters']:,.0f}", f"{told['repaired']:.0%}"
        )
    console.print(table)


def print_memory(results: dict[str, Any], console: Console) -> None:
    """Prints the result of [`measure_memory`]."""
    from rich.table import Table

    title = f"Peak memory in MB, {results['num_workers']} workers"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("samples", "parent", "largest worker", "seconds"):
        table.add_column(column, justify="right")
    for build in results["builds"]:
        numbers = (f"{build[name]:,.0f}" for name in ("samples", "parent", "worker", "seconds"))
        table.add_row(*numbers)
    console.print(table)
    if "slope" in results:
        slope = results["slope"]
        console.print(f"Slope in MB a million samples: parent {slope['parent']:.1f}, worker {slope['worker']:.1f}")
