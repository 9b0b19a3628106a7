"""How fast the builder is, and whether its memory stays flat."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from .build_config import load_build_config
from .builder import Builder
from .config import BuilderConfig


if TYPE_CHECKING:
    from rich.console import Console

GROUP = 1000
POLL_SECONDS = 0.05


def measure_speed(config: BuilderConfig, num: int) -> dict[str, dict[str, float]]:
    """
    Samples a second of one core, by the processor time of this process, so that neighbours do not count.

    Args:
        config (`BuilderConfig`): What samples to make; each of its families is measured alone.
        num (`int`): Samples of each family.

    Returns:
        `dict[str, dict[str, float]]`: For each family `made`, samples a second as Python objects, and `written`, as
        parquet in memory; `updates` and `characters`, means of a sample; `repaired`, the share with a repair.
    """
    results = {}
    for family in dict.fromkeys(config.families):
        builder = Builder(replace(config, families=(family,)))
        for sample in builder.samples(50, num):  # caches
            sample.to_row()
        start = time.process_time()
        samples = list(builder.samples(num))
        made = time.process_time() - start
        results[family] = {
            "made": num / made,
            "written": num / (made + _seconds_to_write(samples)),
            "updates": sum(len(sample.updates) for sample in samples) / num,
            "characters": sum(len(sample.target) for sample in samples) / num,
            "repaired": sum(sample.requires_revision for sample in samples) / num,
        }
    return results


def _seconds_to_write(samples: list[Any]) -> float:
    """Processor time from samples to parquet, the hash of each pair included."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from .pairs import pair_hash
    from .schema import SCHEMA

    pa.Table.from_pylist([samples[0].to_row()], schema=SCHEMA)  # arrow's first conversion loads what it needs
    start = time.process_time()
    with pq.ParquetWriter(BytesIO(), SCHEMA, compression="zstd") as writer:
        for first in range(0, len(samples), GROUP):
            rows = [sample.to_row() for sample in samples[first : first + GROUP]]
            for row in rows:
                pair_hash(row)
            writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
    return time.process_time() - start


def sizes_of(text: str) -> list[int]:
    """
    Numbers of samples from a list with commas.

    Raises:
        ValueError: It is none, or this system does not tell the memory of a process.
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
        `parent` and of the largest `worker` process (0 if there is none); `slope`, MB for each million samples more,
        of both, by least squares (only for two sizes or more); `num_workers`.

    Raises:
        ValueError: The config cannot be taken.
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


def print_speed(results: dict[str, dict[str, float]], console: Console) -> None:
    """Prints what [`measure_speed`] gives."""
    from rich.table import Table

    table = Table(title="Samples a second and core", title_justify="left", box=None, pad_edge=False)
    for column in ("family", "made", "written", "updates", "characters", "with repair"):
        table.add_column(column, justify="left" if column == "family" else "right")
    for family, told in results.items():
        numbers = [f"{told['made']:,.0f}", f"{told['written']:,.0f}", f"{told['updates']:.1f}"]
        table.add_row(family, *numbers, f"{told['characters']:,.0f}", f"{told['repaired']:.0%}")
    console.print(table)


def print_memory(results: dict[str, Any], console: Console) -> None:
    """Prints what [`measure_memory`] gives."""
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
