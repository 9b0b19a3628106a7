"""Model cards, drawn from results files: no number in them is typed by hand."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from dataset_builder import FAMILIES

from ..evaluation.reporting.tables import metrics_table
from .disfl_qa import by_model, differences_table, read_disfl_qa, scores_table
from .report_heads import against_table, conditions_beside, folded_tables
from .tables import (
    NOT_MEASURED,
    REVISION_COLUMNS,
    basis,
    latency_table,
    only,
    read_results,
    revision_table,
    speed_table,
)


WHAT = {
    "duplex_workspace": (
        "Whatever is said to it, before or while it speaks, reaches this model through a bounded workspace that later "
        "messages revise. The generator never sees an incoming token, and nothing is read twice."
    ),
    "duplex_baseline": (
        "A Llama with a short convolution that hears in place: prompts and updates are spliced into its own stream as "
        "they come. It is the baseline that the workspace model is held against, of the same size and training."
    ),
    "duplex_dual_stream": (
        "The prompt stands in this model's own stream; updates come in beside it and are reached by cross-attention."
    ),
}

# What is told apart by family in the metadata; the results file holds all of it.
HEADLINES = ("revision_accuracy", "contradiction_rate")

# Held against the others too, folded; the report has the rest.
FOLDED = ("contradiction_rate", "recovery", "retention")

# What stands in the place of results; `push` knows a card by it that was drawn before there were any.

TEMPLATE = Path(__file__).with_name("card_template.md")


def families_of(runs: Sequence[dict[str, Any]]) -> list[str]:
    """The families that a model saw in training, in words; a phase that names none has all."""
    phases = [phase for run in runs for phase in run["data"].get("phases") or [{}]]
    seen = {family for phase in phases for family in phase.get("builder", {}).get("families", FAMILIES)}
    return [family.replace("_", " ") for family in FAMILIES if family in seen]


def name_in(results: dict[str, Any], folder: Path) -> str:
    """
    What results call the model of a folder: by the folder's name, or joined with its other training seeds.

    Raises:
        ValueError: They hold nothing of it.
    """
    for name, model in results["models"].items():
        if name == folder.name or folder.name in [Path(spec).name for spec in model["specs"]]:
            return name
    raise ValueError(
        f"{folder / 'results.json'} holds no results of {folder.name}, only of {', '.join(results['models'])}."
    )


def main_split(model: dict[str, Any]) -> str:
    """The split that a card tells apart by family: as in training, or the first."""
    return "test" if "test" in model["splits"] else next(iter(model["splits"]))


def evaluated(model: dict[str, Any]) -> list[EvalResult]:
    """A model's figures as metadata: every metric of every split, and of one split the headlines by family."""
    found = []
    for split, measured in model["splits"].items():
        parts = {"revision": (measured["metrics"], REVISION_COLUMNS)}
        if split == main_split(model):
            parts |= {family: (figures, HEADLINES) for family, figures in measured["families"].items()}
        for part, (figures, metrics) in parts.items():
            for metric in metrics:
                if figures[metric]["value"] is None:
                    continue
                found.append(
                    EvalResult(
                        task_type="text-generation",
                        dataset_type=f"hf_duplex/{part}",
                        dataset_name=f"{'all families' if part == 'revision' else part} ({split})",
                        dataset_split=split,
                        metric_type=metric,
                        metric_value=figures[metric]["value"],
                    )
                )
    return found


def draw_results(folder: Path, results: dict[str, Any], name: str) -> dict[str, Any]:
    """The tables of a card, by their names in the template."""
    own = only(results, name)
    split = main_split(own["models"][name])
    conditions = conditions_beside(folder, results, name)
    return {
        "head": against_table(conditions, name, "revision_accuracy"),
        "folded": folded_tables(conditions, name, FOLDED),
        "rivals": any(condition.rivals_of(name) for condition in conditions),
        "by_split": revision_table(own),
        "split": split,
        "by_family": metrics_table(own, split, "families"),
        "latency": latency_table(own),
        "basis": basis(own),
    }


def draw_disfl_qa(folder: Path, results: dict[str, Any] | None, name: str) -> dict[str, str | None] | None:
    """
    What came of fine-tuning this model on Disfl-QA, beside the others of its benchmark and rules: drawn from
    `disfl_qa/` beside its folder, None where it was not fine-tuned.
    """
    models = results["models"] if results else {name: {"specs": []}}
    seeds = {other: [Path(spec.partition("@")[0]).name for spec in model["specs"]] for other, model in models.items()}
    runs = by_model(read_disfl_qa(folder.absolute().parent / "disfl_qa"), seeds)
    if name not in runs:
        return None
    shown = {other: runs[other] for other in (name, *seeds) if other in runs}
    pairs = [(name, other) for other in shown if other != name]
    return {"scores": scores_table(shown), "differences": differences_table(shown, pairs)}


def write_card(folder: str | Path) -> None:
    """
    Writes `README.md` of a model folder from its `training.json` and, where they are there, its `config.json`,
    `results.json` as `hf-duplex bench revision` and `speed.json` as `hf-duplex bench speed` write them; and from what
    lies beside the folder, `comparison/` and `disfl_qa/`, as far as it is of this model. Without a `config.json` the
    folder holds no weights, and the card says how to train the model again. Of a duplex adapter, see
    [`~adapter_card.adapter_card`].

    Raises:
        ValueError: There is no `training.json`, or weights without a `config.json`; `results.json` is of another
            version, or holds nothing of this model; a file of `disfl_qa/` contradicts itself.
    """
    folder = Path(folder)
    stored = (folder / "config.json").is_file()
    if stored and json.loads((folder / "config.json").read_text()).get("model_type") == "duplex_adapter":
        from .adapter_card import adapter_card

        adapter_card(folder).save(folder / "README.md")
        return
    needed = {"training.json": True, "config.json": any(folder.glob("*.safetensors"))}
    for file in needed:
        if needed[file] and not (folder / file).is_file():
            raise ValueError(f"`folder`: {folder} has no {file}, which a card is drawn from.")
    training = json.loads((folder / "training.json").read_text())
    trained = {"model_type": f"duplex_{training['model']['model_type']}"}
    config = json.loads((folder / "config.json").read_text()) if stored else trained
    path = folder / "results.json"
    results = read_results(path) if path.is_file() else None
    name = name_in(results, folder) if results else folder.name
    speed_path = folder / "speed.json"
    speed = json.loads(speed_path.read_text()) if speed_path.is_file() else None
    runs = [training]
    while runs[0].get("earlier"):
        runs.insert(0, runs[0]["earlier"])
    data = ModelCardData(
        language="en",
        license="apache-2.0",
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["full-duplex", "interruptible", "revision", "trained-from-scratch"],
        model_name=folder.name,
        eval_results=(evaluated(results["models"][name]) or None) if results else None,
    )
    card = ModelCard.from_template(
        data,
        template_path=str(TEMPLATE),
        name=folder.name,
        what=WHAT[config["model_type"]],
        stored=stored,
        parameters=f"{training['parameters']:,}",
        families=families_of(runs),
        n_slots=config.get("n_slots"),
        trained_slots=training["model"].get("n_slots"),
        window=config.get("sliding_window"),
        trained_window=training["model"].get("sliding_window"),
        runs=runs,
        dtype=config.get("dtype", "float32"),
        results=results,
        not_measured=NOT_MEASURED,
        drawn=draw_results(folder, results, name) if results else None,
        disfl_qa=draw_disfl_qa(folder, results, name),
        speed=speed_table(speed) if speed else None,
        speed_command=speed["command"] if speed else None,
    )
    # What a template leaves of its own lines.
    card.text = re.sub(r"\n{3,}", "\n\n", card.text)
    card.save(folder / "README.md")
