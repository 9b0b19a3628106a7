"""
Trials: what was trained on the way to a release. Their facts are kept in one file, and drawn as a page of tables.

    python -m hf_duplex.hub trials docs/trials runs/workspace runs/baseline
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..evaluation.reporting.tables import GROUPINGS, comparison_table, markdown
from ..record import write_json
from .tables import basis, fill, read_results, revision_table


# What a table tells of a trial, from its training.json.
FACTS = ("parameters", "samples", "steps", "batch_size", "learning_rate", "seed", "train_loss", "eval_loss")
# Compared in the page, of all that a benchmark measures.
HEADLINES = ("revision_accuracy", "contradiction_rate", "recovery", "retention", "answer_accuracy")


def read_trial(run: str | Path) -> dict[str, Any]:
    """
    The facts of a training run.

    Raises:
        ValueError: `run` holds no finished training.
    """
    path = Path(run, "training.json")
    if not path.is_file():
        raise ValueError(f"`runs`: {run} holds no training.json; is the training finished?")
    training = json.loads(path.read_text())
    log = [{"step": entry["step"], "loss": entry["loss"]} for entry in training.get("log", []) if "loss" in entry]
    kept = {name: training[name] for name in (*FACTS, "model", "machine", "versions")}
    kept["phases"] = training["data"]["phases"]
    return {"name": Path(run).name, **kept, "seconds": training["seconds_since_last_resume"], "losses": log[::10]}


def settings_that_differ(trials: Sequence[dict[str, Any]]) -> dict[str, str]:
    """For each trial, by name, the settings of its model that not all have in common."""
    settings = {name for trial in trials for name in trial["model"]}
    differing = [name for name in sorted(settings) if len({str(trial["model"].get(name)) for trial in trials}) > 1]
    return {
        trial["name"]: ", ".join(
            f"{name} {trial['model'][name]}"
            for name in differing
            if name != "model_type" and trial["model"].get(name) is not None
        )
        for trial in trials
    }


def trials_table(trials: Sequence[dict[str, Any]]) -> str:
    """A row for each trial: those of as many samples together, the lowest held-out loss first."""
    told = settings_that_differ(trials)
    rows = []
    for trial in sorted(trials, key=lambda trial: (-trial["samples"], trial["eval_loss"])):
        rate = trial["samples"] / trial["seconds"]
        cells = [trial["name"], trial["model"]["model_type"].replace("_", " "), told[trial["name"]] or "–"]
        cells += [f"{trial[name]:,}" for name in ("parameters", "samples", "batch_size")]
        cells += [f"{trial['learning_rate']:g}", f"{rate:,.0f}"]
        rows.append([*cells, f"{trial['train_loss']:.4f}", f"{trial['eval_loss']:.4f}"])
    head = ["trial", "model", "set apart by", "parameters", "samples", "batch", "learning rate", "samples a second"]
    return markdown([*head, "training loss", "held-out loss"], rows)


def draw_trials(folder: str | Path, runs: Sequence[str | Path] = (), whole_splits: bool = False) -> None:
    """
    Draws the page of a folder of trials, `README.md`, from its `trials.json` and `revision.json`.

    Args:
        folder (`str` or `Path`): The folder; its page has places marked `trials`, `revision` and `comparison`.
        runs (`Sequence[str | Path]`, *optional*): Training runs to take into `trials.json` first; one of the same name
            is replaced.
        whole_splits (`bool`, *optional*, defaults to `False`): Keep in `revision.json` what the page tells, whole
            splits and their comparisons, and not what each is made of, which is most of the file.

    Raises:
        ValueError: A run is not finished, or the folder lacks a file.
    """
    folder = Path(folder)
    for name in ("README.md", "revision.json"):
        if not (folder / name).is_file():
            raise ValueError(f"`folder`: {folder} has no {name}, which the page is drawn from.")
    added = [read_trial(run) for run in runs]
    path = folder / "trials.json"
    before = json.loads(path.read_text())["trials"] if path.is_file() else []
    trials = [trial for trial in before if trial["name"] not in {new["name"] for new in added}] + added
    if not trials:
        raise ValueError(f"`runs` is empty, and {folder} holds no trials yet: name the folders of training runs.")
    results = read_results(folder / "revision.json")
    entries = [entry for entry in results["comparisons"] if entry["metric"] in HEADLINES and not entry.get("family")]
    text = fill((folder / "README.md").read_text(), "trials", trials_table(trials))
    text = fill(text, "revision", f"{revision_table(results)}\n\n{basis(results)}\n\n`{results['command']}`")
    text = fill(text, "comparison", comparison_table({"comparisons": entries}))
    if added:
        write_json({"trials": trials}, path)
    if whole_splits:
        for model in results["models"].values():
            for split, found in model["splits"].items():
                model["splits"][split] = {name: value for name, value in found.items() if name not in GROUPINGS}
        results["comparisons"] = entries
        write_json(results, folder / "revision.json")
    (folder / "README.md").write_text(text)
