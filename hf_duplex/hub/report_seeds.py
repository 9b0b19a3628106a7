"""
What each training seed of a model came to. A results file of the revision benchmark holds seeds together; the cases
beside it know them apart, and are too large to be kept. What is kept of them is a small file beside the results:

    comparison.json    comparison.cases.jsonl    ->    comparison.seeds.json
"""

import json
from pathlib import Path
from typing import Any

from ..evaluation.benchmarks.cases import FORMAT, CaseFile
from ..evaluation.metrics.revision import RATIOS
from ..evaluation.reporting.tables import COLUMNS
from ..record import write_json


ENDING = ".seeds.json"

# Settings of a results file that its cases do not depend on.
NOT_OF_CASES = ("splits", "batch_size", "device")


def read_seeds(path: Path, results: dict[str, Any]) -> dict[str, dict[str, dict[str, list[float | None]]]]:
    """
    By model, split and metric, the value of each training seed. Where cases lie beside the results, what is kept of
    them is written first; where neither is there, or no model has two seeds, nothing is known.

    Args:
        path (`Path`): The results file.
        results (`dict`): What it holds.

    Raises:
        ValueError: What lies beside it belongs to other results.
    """
    kept, cases = path.with_suffix(ENDING), path.with_suffix(".cases.jsonl")
    if all(len(model["specs"]) == 1 for model in results["models"].values()):
        return {}
    if cases.is_file():
        write_json(condense(cases, results) | {"of": path.name}, kept)
    if not kept.is_file():
        return {}
    found = json.loads(kept.read_text())
    specs = {name: model["specs"] for name, model in results["models"].items()}
    if found.get("commit") != results["commit"] or found.get("specs") != specs:
        raise ValueError(f"{kept} belongs to other results than {path}: delete it, or draw it anew from the cases.")
    return found["models"]


def condense(path: Path, results: dict[str, Any]) -> dict[str, Any]:
    """The metrics of each training seed, from the cases of a benchmark."""
    settings = {name: value for name, value in results["settings"].items() if name not in NOT_OF_CASES}
    cases = CaseFile(path, settings)
    models: dict[str, Any] = {}
    for name, model in results["models"].items():
        runs = range(len(model["specs"]))
        called = [name] if len(runs) == 1 else [f"{name}#{run}" for run in runs]
        models[name] = {
            split: _by_metric([[case["counts"] for case in cases.of(run, split)] for run in called])
            for split in model["splits"]
        }
    specs = {name: model["specs"] for name, model in results["models"].items()}
    return {
        "benchmark": "revision seeds",
        "format": FORMAT,
        "commit": results["commit"],
        "specs": specs,
        "models": models,
    }


def _by_metric(runs: list[list[dict[str, int]]]) -> dict[str, list[float | None]]:
    found: dict[str, list[float | None]] = {}
    for metric in COLUMNS:
        part, whole = RATIOS[metric]
        sums = [(sum(counts[part] for counts in run), sum(counts[whole] for counts in run)) for run in runs]
        found[metric] = [parts / wholes if wholes else None for parts, wholes in sums]
    return found
