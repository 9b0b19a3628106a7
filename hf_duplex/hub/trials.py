"""
Trials: what was tried on the way to a release, drawn as one page from one tidy table.

    python -m hf_duplex.hub trials docs/trials runs/workspace runs/baseline
    python -m hf_duplex.hub trials docs/trials --results revision.json --trial depth
"""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..evaluation.reporting.tables import markdown
from ..record import write_json
from .tables import fill, read_results


# What a table tells of a trial, from its training.json.
FACTS = ("parameters", "samples", "steps", "batch_size", "learning_rate", "seed", "train_loss", "eval_loss")
# Compared in the page, of all that a benchmark measures.
COLUMNS = ("trial", "model", "split", "metric", "value", "low", "high", "n", "seeds")
HEADLINES = ("revision_accuracy", "contradiction_rate", "recovery", "retention", "answer_accuracy")
# What the page shows of a trial.
SHOWN = (*HEADLINES, "exact_match")


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


def tidy_rows(trial: str, results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """
    What `hf-duplex bench revision` measured in a trial, as rows of [`COLUMNS`]: one for each model, split and headline
    metric, then one for each difference between two models on a whole split.
    """
    rows = []
    for name, model in results["models"].items():
        for split, found in model["splits"].items():
            for metric in HEADLINES:
                one = found["metrics"][metric]
                low, high = one["interval"] or (None, None)
                rows.append([trial, name, split, metric, one["value"], low, high, one["n"], one["seeds"]])
    for one in results["comparisons"]:
        if one["metric"] in HEADLINES and not one.get("family"):
            low, high = one["interval"] or (None, None)
            names = f"{one['a']} - {one['b']}"
            rows.append([trial, names, one["split"], one["metric"], one["value"], low, high, one["n"], None])
    return [dict(zip(COLUMNS, map(cell, row), strict=True)) for row in rows]


def cell(value: Any) -> str:
    """A value as the table holds it."""
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a table of trials; none where there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_table(rows: Sequence[dict[str, str]], path: Path) -> None:
    """Writes the rows as [`read_table`] reads them."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def tried_table(rows: Sequence[dict[str, str]]) -> str:
    """A row for each model and split of each trial, a column for each headline metric with its interval."""
    found: dict[tuple[str, str, str, str], dict[str, str]] = {}
    for row in rows:
        if row["seeds"]:
            low, high = row["low"], row["high"]
            told = "–" if not row["value"] else f"{float(row['value']):.3f}"
            told += f" ({float(low):.2f}–{float(high):.2f})" if low else ""
            found.setdefault((row["trial"], row["model"], row["split"], row["seeds"]), {})[row["metric"]] = told
    cells = [[*key, *(values.get(metric, "–") for metric in SHOWN)] for key, values in found.items()]
    return markdown(["trial", "model", "split", "seeds", *(name.replace("_", " ") for name in SHOWN)], cells)


def draw_trials(
    folder: str | Path,
    runs: Sequence[str | Path] = (),
    results: str | Path | None = None,
    trial: str | None = None,
) -> None:
    """
    Draws the page of trials, `README.md`, from `trials.json` (the runs) and `trials.csv` (what was measured).

    Args:
        folder (`str` or `Path`): The folder; its page has places marked `trials` and `tried`.
        runs (`Sequence[str | Path]`, *optional*): Training runs to take into `trials.json` first; one of the same name
            is replaced.
        results (`str` or `Path`, *optional*): A results file of `hf-duplex bench revision` to take into `trials.csv`.
        trial (`str`, *optional*): What the trial of `results` is called; one of the same name is replaced.

    Raises:
        ValueError: A run is not finished, the folder lacks a file, or only one of `results` and `trial` is given.
    """
    folder = Path(folder)
    if not (folder / "README.md").is_file():
        raise ValueError(f"`folder`: {folder} has no README.md, which the page is drawn into.")
    if (results is None) != (trial is None):
        raise ValueError("`results` and `trial` go together: a results file, and what its trial is called.")
    added = [read_trial(run) for run in runs]
    path = folder / "trials.json"
    before = json.loads(path.read_text())["trials"] if path.is_file() else []
    trials = [one for one in before if one["name"] not in {new["name"] for new in added}] + added
    if not trials:
        raise ValueError(f"`runs` is empty, and {folder} holds no trials yet: name the folders of training runs.")
    rows = read_table(folder / "trials.csv")
    if results is not None and trial is not None:
        rows = [row for row in rows if row["trial"] != trial] + tidy_rows(trial, read_results(Path(results)))
    text = fill((folder / "README.md").read_text(), "trials", trials_table(trials))
    text = fill(text, "tried", tried_table(rows))
    if added:
        write_json({"trials": trials}, path)
    if results is not None:
        write_table(rows, folder / "trials.csv")
    (folder / "README.md").write_text(text)
