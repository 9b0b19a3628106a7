"""
What came of fine-tuning on Disfl-QA: kept small, and read back question by question.

    python -m hf_duplex.hub disfl-qa DATA runs/disfl/*.json --out model_cards/disfl_qa

A file of `examples/finetune_disfl_qa.py` holds all that was said. Kept of it is what was wrong: what is not listed was
right, so that with the public questions every score can be checked, and two models can be held against each other
question by question.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dataset_builder import END
from dataset_builder.build.disfl_qa import exact_match, load_disfl_qa, token_f1

from ..evaluation.metrics.statistics import paired_difference, ratio
from ..evaluation.reporting.tables import NOTHING, comparison_table, figure_cell, markdown
from ..record import write_json
from .paths import without_paths


RULES = {"copy": "copying the input", "repair": "a rule written by hand"}
# Scores of a file and of what was wrong in it may differ by how they were summed.
ROUNDING = 1e-6

Runs = Mapping[str, Sequence[Mapping[str, Any]]]
"""The results files of each model, one for each training seed."""


def condense(results: Mapping[str, Any], meant: Sequence[str]) -> dict[str, Any]:
    """
    What is kept of a results file: all but what was said right.

    Args:
        results (`Mapping`): As `examples/finetune_disfl_qa.py` writes it.
        meant (`Sequence[str]`): The questions as meant, in the order in which they were asked.

    Returns:
        `dict`: The same, and `wrong` in the place of `said`: of each question that was not matched exactly, its place
        (`question`), its `f1`, and what was `said`.

    Raises:
        ValueError: The scores in it are not those of what was said, so it was asked something else.
    """
    said = results.get("said")
    if said is None or len(said) != len(meant):
        held = "nothing that was said" if said is None else f"{len(said):,} answers to {len(meant):,} questions"
        raise ValueError(f"`results` holds {held}: give a file of `examples/finetune_disfl_qa.py` and its data.")
    wrong = [
        {"question": place, "f1": round(token_f1(text, wanted), 6), "said": text}
        for place, (text, wanted) in enumerate(zip(said, meant, strict=True))
        if not exact_match(text, wanted)
    ]
    kept = {name: value for name, value in results.items() if name != "said"} | {"wrong": wrong}
    if problem := disagreement(kept):
        raise ValueError(f"`results` {problem}: is this the data set that it was scored on?")
    return kept | {"settings": without_paths(kept.get("settings", {}))}


def disagreement(results: Mapping[str, Any]) -> str | None:
    """What is wrong with a results file whose scores are not those of what it lists as wrong; None if they agree."""
    if "wrong" not in results:
        return "does not list what was said wrong"
    n, f1 = results["questions"], [entry["f1"] for entry in results["wrong"]]
    for name, found in (("exact_match", 1 - len(f1) / n), ("f1", 1 - (len(f1) - sum(f1)) / n)):
        if abs(found - results["scores"]["model"][name]) > ROUNDING:
            return f"says {name} {results['scores']['model'][name]:.4f}, what was said comes to {found:.4f}"
    return None


def keep_disfl_qa(data: str | Path, files: Sequence[str | Path], out: str | Path) -> list[Path]:
    """
    Writes what is kept of results files into a folder, under their names.

    Args:
        data (`str` or `Path`): The folder with `dev.json`, on which they were scored.
        files (`Sequence[str | Path]`): As `examples/finetune_disfl_qa.py --json` writes them.
        out (`str` or `Path`): Where it goes.

    Raises:
        ValueError: A file holds something else, or was scored on something else; nothing is written then.
    """
    meant = [row["revised_target"].removesuffix(END) for row in load_disfl_qa(data, "dev")]
    kept = {}
    for file in map(Path, files):
        results = json.loads(file.read_text())
        if not isinstance(results, dict) or results.get("benchmark") != "disfl_qa":
            raise ValueError(f"`files`: {file} holds no results of disfl_qa.")
        try:
            kept[Path(out) / file.name] = condense(results, meant[: results["questions"]])
        except ValueError as error:
            raise ValueError(f"`files`: {file}: {error}") from error
    for path, results in kept.items():
        write_json(results, path)
    return list(kept)


def read_disfl_qa(folder: Path) -> dict[str, dict[str, Any]]:
    """
    What is kept in a folder, by the name of the file; nothing where there is no folder.

    Raises:
        ValueError: A file holds something else, or its scores are not those of what it lists as wrong.
    """
    found = {}
    for path in sorted(folder.glob("*.json")):
        results = json.loads(path.read_text())
        if not isinstance(results, dict) or results.get("benchmark") != "disfl_qa":
            raise ValueError(f"{path} holds no results of disfl_qa: move it elsewhere.")
        if problem := disagreement(results):
            raise ValueError(f"{path} {problem}: draw it anew with `python -m hf_duplex.hub disfl-qa`.")
        found[path.name] = results
    return found


def by_model(files: Mapping[str, Mapping[str, Any]], seeds: Mapping[str, Sequence[str]]) -> Runs:
    """
    The files of each model: those of its training seeds together, in their order.

    Args:
        files (`Mapping`): What was read, by the name of the file.
        seeds (`Mapping`): By the name of a model the runs that are its training seeds. A file of a run that is none of
            them stands for a model of its own.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for name, runs in seeds.items():
        # A file may name the model that was released, which is one of the seeds.
        mine = [
            results for run in dict.fromkeys((name, *runs)) for results in files.values() if results["model"] == run
        ]
        if mine:
            found[name] = mine
    taken = [id(results) for runs in found.values() for results in runs]
    for results in files.values():
        if id(results) not in taken:
            found.setdefault(results["model"], []).append(results)
    return found


def scores_of(runs: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Exact match and F1 of every question that all runs were asked, each of shape `(training seeds, questions)`."""
    n = min(results["questions"] for results in runs)
    scores = {name: np.ones((len(runs), n)) for name in ("exact match", "F1")}
    for seed, results in enumerate(runs):
        for entry in results["wrong"]:
            if entry["question"] < n:
                scores["exact match"][seed, entry["question"]] = 0.0
                scores["F1"][seed, entry["question"]] = entry["f1"]
    return scores


def scores_table(runs: Runs) -> str | None:
    """Exact match and F1 of each fine-tuned model, seed by seed and together, beside copying the input and a rule."""
    rows, rules = [], []
    for name, files in runs.items():
        cells = [name, str(len(files)), f"{min(results['questions'] for results in files):,}"]
        for found in scores_of(files).values():
            cells += [
                ", ".join(f"{value:.3f}" for value in found.mean(1)),
                figure_cell(ratio(found, np.ones_like(found))),
            ]
        rows.append(cells)
        for results in files:
            n = results["questions"]
            for who, told in RULES.items():
                scored = results["scores"].get(who)
                if scored is None:
                    continue
                right = round(scored["exact_match"] * n)
                exact = figure_cell(ratio([1] * right + [0] * (n - right), [1] * n))
                row = [told, NOTHING, f"{n:,}", NOTHING, exact, NOTHING, f"{scored['f1']:.3f}"]
                rules += [row] if row not in rules else []
    head = ["who", "seeds", "questions", "exact match by seed", "exact match", "F1 by seed", "F1"]
    return markdown(head, [*rows, *sorted(rules)]) if rows else None


def difference(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]], metric: str) -> dict[str, Any]:
    """How much higher a score is for one model than for another, paired over the questions that both were asked."""

    def cases(runs: Sequence[Mapping[str, Any]]) -> list[list[dict[str, Any]]]:
        return [
            [
                {"split": "dev", "seed": 0, "index": place, "counts": {"score": value, "asked": 1}}
                for place, value in enumerate(seed)
            ]
            for seed in scores_of(runs)[metric]
        ]

    return paired_difference(cases(ours), cases(theirs), "score", "asked")


def differences_table(runs: Runs, pairs: Sequence[tuple[str, str]]) -> str | None:
    """Models held against each other, a row for each score of each pair of which both were fine-tuned."""
    entries = [
        difference(runs[a], runs[b], metric) | {"a": a, "b": b, "split": "Disfl-QA dev", "metric": metric}
        for a, b in pairs
        if a in runs and b in runs
        for metric in ("exact match", "F1")
    ]
    return comparison_table({"comparisons": entries}) if entries else None
