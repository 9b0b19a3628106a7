"""What goes with every result: where and with what it was measured, and how it is written down."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers


def describe_machine() -> dict[str, Any]:
    """Processor, number of cores, system, and the accelerator if there is one."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    machine = {
        "cpu": models[0] if models else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
    }
    if torch.cuda.is_available():
        machine["accelerator"] = torch.cuda.get_device_name()
    return machine


def describe_versions() -> dict[str, str]:
    """Versions of python, torch and transformers."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def describe_commit() -> str | None:
    """The commit of the source tree, with a + if it has uncommitted changes; None outside of one."""
    here = Path(__file__).parent
    try:
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True)
        changes = subprocess.run(["git", "status", "--porcelain"], cwd=here, capture_output=True, text=True)
    except OSError:
        return None
    return commit.stdout.strip() + ("+" if changes.stdout.strip() else "") if commit.returncode == 0 else None


def command_line() -> str:
    """The command that started this process, as a user types it."""
    program = Path(sys.argv[0])
    name = program.name
    if name == "__main__.py":
        name = "hf-duplex" if program.parent.name == "cli" else f"python -m hf_duplex.{program.parent.name}"
    return " ".join([name, *sys.argv[1:]])


def rounded(value: Any, digits: int = 5) -> Any:
    """The same with so many significant digits of each figure that is not whole."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, Mapping):
        return {key: rounded(part, digits) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(part, digits) for part in value]
    return value


def write_json(results: dict[str, Any], path: str | Path | None) -> None:
    """Writes results in one move, so that an interruption leaves a whole file; `path` may be None for nowhere.

    On one line: results of many models would else be white space for the most part.
    """
    if path is None:
        return
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_text(json.dumps(results, separators=(",", ":")) + "\n")
    unfinished.replace(path)
