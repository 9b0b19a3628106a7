"""Model cards, drawn from results files: no number in them is typed by hand."""

import json
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from .tables import figure, revision_table, speed_table


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

COLUMNS = {"revision": "revision_accuracy", "contradiction": "contradiction_rate", "answer": "answer_accuracy"}

TEMPLATE = Path(__file__).with_name("card_template.md")


def write_card(folder: str | Path) -> None:
    """
    Writes `README.md` of a model folder from its `config.json`, `training.json` and, where there is one,
    `results.json` as `hf-duplex bench revision` and `speed.json` as `hf-duplex bench speed` write them.
    """
    folder = Path(folder)
    config = json.loads((folder / "config.json").read_text())
    training = json.loads((folder / "training.json").read_text())
    path = folder / "results.json"
    results = json.loads(path.read_text()) if path.is_file() else None
    speed_path = folder / "speed.json"
    speed = json.loads(speed_path.read_text()) if speed_path.is_file() else None
    model = results["models"].get(folder.name) if results else None
    if results and model is None:
        raise ValueError(f"{path} holds no results of {folder.name}, only of {', '.join(results['models'])}.")
    rows, evaluated, n = [], [], 0
    runs = [training]
    while runs[0].get("earlier"):
        runs.insert(0, runs[0]["earlier"])
    if results and model:
        n = model["revision_accuracy"]["n"]
        for family, figures in [("all", model), *model["families"].items()]:
            rows.append({"family": family} | {short: figure(figures[name]) for short, name in COLUMNS.items()})
        for family, figures in model["families"].items():
            for metric in ("revision_accuracy", "contradiction_rate"):
                if figures[metric]["value"] is None:
                    continue
                evaluated.append(
                    EvalResult(
                        task_type="text-generation",
                        dataset_type=f"hf_duplex/{family}",
                        dataset_name=f"{family} ({results['settings']['builder']['split']})",
                        metric_type=metric,
                        metric_value=figures[metric]["value"],
                    )
                )
    data = ModelCardData(
        language="en",
        license="apache-2.0",
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["full-duplex", "interruptible", "revision", "trained-from-scratch"],
        model_name=folder.name,
        eval_results=evaluated or None,
    )
    card = ModelCard.from_template(
        data,
        template_path=str(TEMPLATE),
        name=folder.name,
        what=WHAT[config["model_type"]],
        parameters=f"{training['parameters']:,}",
        runs=runs,
        results=results,
        comparison=revision_table(results) if results and len(results["models"]) > 1 else None,
        speed=speed_table(speed) if speed else None,
        speed_command=speed["command"] if speed else None,
        rows=rows,
        n=n,
    )
    card.save(folder / "README.md")
