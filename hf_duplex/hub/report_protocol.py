"""The tables of a report that say what was compared, and how: models, training, what was played."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..evaluation.reporting.tables import NOTHING, markdown
from .report_evidence import BASELINE, DUAL_STREAM, WORKSPACE, Evidence


WORDS = {WORKSPACE: "workspace", BASELINE: "baseline", DUAL_STREAM: "dual stream"}
FACTS_SHOWN = ("parameters", "samples", "steps", "batch_size")
# Apart by training seed, of all that is kept by seed.
BY_SEED = ("revision_accuracy", "contradiction_rate", "recovery", "retention")


def models_table(evidence: Evidence) -> str | None:
    """The models of the comparison: what they are, how large, how many training seeds."""
    models = evidence.merged()["models"]
    runs = evidence.compared()
    rows = [
        [name, WORDS.get(model["model_type"], model["model_type"]), f"{model['parameters']:,}", ", ".join(runs[name])]
        for name, model in models.items()
    ]
    return markdown(["model", "kind", "parameters", "training runs, one a seed"], rows) if rows else None


def size_difference(merged: Mapping[str, Any]) -> str | None:
    """By how much the largest model is larger than the smallest."""
    sizes = [model["parameters"] for model in merged["models"].values()]
    return f"{max(sizes) / min(sizes) - 1:.2%}" if len(sizes) > 1 else None


def settings_table(evidence: Evidence) -> str | None:
    """What was played, file by file."""
    rows = []
    for name, results in evidence.results.items():
        settings, machine, versions = results["settings"], results["machine"], results["versions"]
        builder = settings.get("builder", {})
        families = f"{len(set(builder['families']))} families" if builder else settings["data"]
        cells = [f"`{name}`", families, ", ".join(settings["splits"]), f"{settings['samples']:,}"]
        where = f"{machine.get('accelerator') or machine['cpu']}, {settings['device']}"
        software = f"torch {versions['torch']}, transformers {versions['transformers']}"
        rows.append([*cells, str(settings["seed"]), settings["decoding"], where, software, str(results["commit"])])
    head = ["file", "data", "splits", "samples a split", "seed", "decoding", "machine", "versions", "commit"]
    return markdown(head, rows) if rows else None


def curricula(evidence: Evidence) -> list[dict[str, Any]]:
    """The curricula that the compared models were trained by, or all that are known: the runs of each, its phases."""
    named = evidence.known_runs or list(evidence.trainings)
    found: dict[str, dict[str, Any]] = {}
    for name in named:
        phases = evidence.trainings[name]["phases"]
        if phases:
            entry = found.setdefault(json.dumps(phases, sort_keys=True), {"runs": [], "table": phases_table(phases)})
            entry["runs"].append(name)
    return list(found.values())


def phases_table(phases: Sequence[Mapping[str, Any]]) -> str:
    """The phases of a curriculum: how much of what."""
    rows = []
    for number, phase in enumerate(phases, 1):
        told = [f"{name.replace('_', ' ')} {_told(value)}" for name, value in phase.get("builder", {}).items()]
        samples = f"{phase['samples']:,}" + (f" × {phase['passes']}" if phase.get("passes", 1) > 1 else "")
        rows.append(
            [phase.get("name") or str(number), samples, "; ".join(told) or "what the builder makes by default"]
        )
    return markdown(["phase", "samples", "made with"], rows)


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {share:g}" for name, share in value.items())
    if isinstance(value, list):
        return " to ".join(map(str, value)) if len(value) == 2 else ", ".join(map(str, value))
    return str(value)


def trainings_table(evidence: Evidence) -> str | None:
    """What each training run that is known cost and came to; those of the comparison, if any is known."""
    named = evidence.known_runs or list(evidence.trainings)
    rows = []
    for name in named:
        run = evidence.trainings[name]
        rate = NOTHING if not run["seconds"] else f"{run['samples'] / run['seconds']:,.0f}"
        machine = run["machine"] or {}
        cells = [NOTHING if run[key] is None else f"{run[key]:,}" for key in FACTS_SHOWN]
        losses = [NOTHING if run[key] is None else f"{run[key]:.4f}" for key in ("train_loss", "eval_loss")]
        where = machine.get("accelerator") or machine.get("cpu") or NOTHING
        rows.append([name, *cells, f"{run['learning_rate']:g}", str(run["seed"]), rate, where, *losses])
    head = ["run", *(name.replace("_", " ") for name in FACTS_SHOWN), "learning rate", "seed"]
    head += ["samples a second", "machine", "training loss", "held-out loss"]
    return markdown(head, rows) if rows else None


def seeds_table(evidence: Evidence) -> str | None:
    """The value of each training seed, where files tell them apart."""
    rows = []
    for condition in evidence.on(None):
        for name, values in condition.seeds.items():
            if len(condition.models[name]["specs"]) < 2:
                continue
            told = [", ".join(_share(value) for value in values[metric]) for metric in BY_SEED]
            known = [value for value in values["revision_accuracy"] if value is not None]
            spread = f"{max(known) - min(known):.3f}" if known else NOTHING
            rows.append([condition.label, name, *told, spread])
    head = ["on", "model", *(metric.replace("_", " ") for metric in BY_SEED), "spread of revision accuracy"]
    return markdown(head, rows) if rows else None


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"
