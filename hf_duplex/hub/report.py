"""
The report on the comparison: question, protocol, results, what was asked and what was reached, where others are
better, what failed. Every number in it is drawn from results files.

    python -m hf_duplex.hub report model_cards
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..evaluation.metrics.statistics import PERMUTATIONS, RESAMPLES
from ..evaluation.reporting.tables import ablation_table, markdown, metrics_table
from .disfl_qa import by_model, differences_table, scores_table
from .paths import without_paths
from .report_cells import cells
from .report_evidence import DUAL_STREAM, Condition, Evidence, read_evidence
from .report_figures import draw_figures
from .report_heads import against_table, folded_tables
from .report_outcomes import every_outcome, pairs
from .report_protocol import curricula, models_table, seeds_table, settings_table, size_difference, trainings_table
from .report_results import better, compared_table, failures_table, targets_table
from .report_sizes import COMPARED, size_models_table, sizes_table
from .report_targets import tally, tally_sentence
from .tables import latency_table, revision_table, speed_table
from .trials import trials_table


TEMPLATE = Path(__file__).with_name("report_template.md")
# Of more files than this it is told how many they are, not which.
MANY = 6


def write_report(cards: str | Path = "model_cards", trials: str | Path = "docs/trials") -> Path:
    """
    Writes `REPORT.md` into the folder of model cards, and its figures into `report/` beside it.

    Args:
        cards (`str` or `Path`): The folder: `comparison/`, `ablations/`, `disfl_qa/` and `trials/` in it hold results
            files; what is not there yet is named in the report.
        trials (`str` or `Path`): A folder with `trials.json`.

    Returns:
        Where the report is.

    Raises:
        ValueError: There is no such folder, or a file in it is of another kind or version.
    """
    import jinja2

    cards = Path(cards)
    if not cards.is_dir():
        raise ValueError(f"`cards`: there is no folder {cards}.")
    evidence = read_evidence(cards, Path(trials))
    facts = gather(evidence) | {"figures": draw_figures(evidence, cards / "report")}
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    path = cards / "REPORT.md"
    text = environment.from_string(TEMPLATE.read_text()).render(facts)
    path.write_text(without_paths(text).rstrip() + "\n")
    return path


def gather(evidence: Evidence) -> dict[str, Any]:
    """All that stands in the report, by its name in the template."""
    found = every_outcome(evidence)
    usual = evidence.in_training
    merged = evidence.merged()
    ours = usual.workspace if usual else None
    talked = by_model(evidence.disfl_qa, evidence.compared(sizes=True))
    every = [cell for condition in evidence.on(None) for cell in cells(condition)]
    return {
        "questions": questions_table(evidence),
        "tally": tally(found),
        "told": tally_sentence(found),
        "targets": targets_table(found),
        "models": models_table(evidence),
        "size_difference": size_difference(merged),
        "settings": settings_table(evidence),
        "curricula": curricula(evidence),
        "known_runs": len(evidence.known_runs),
        "trainings": trainings_table(evidence),
        "counts": {"resamples": RESAMPLES, "permutations": PERMUTATIONS},
        "results": revision_table(merged) if merged["models"] else None,
        "head": against_table(evidence.conditions, ours, "revision_accuracy") if ours else None,
        "folded": folded_tables(evidence.conditions, ours) if ours else [],
        "size_models": size_models_table(evidence),
        "sizes": sizes_table(evidence, COMPARED[:1]),
        "sizes_folded": sizes_table(evidence, COMPARED[1:]),
        "seeds": seeds_table(evidence),
        "comparison": compared_table(evidence),
        "label": usual.label if usual else None,
        "by_family": metrics_table(merged, usual.label, "families") if usual else None,
        "by_kind": metrics_table(merged, usual.label, "kinds") if usual else None,
        "latency": latency_table(evidence.merged(partly=False)) if usual else None,
        "better": better(every),
        "failures": failures_table(found),
        "ablations": {
            name: {"table": ablation_table(results), "failures": results["failures"], "command": results["command"]}
            for name, results in evidence.ablations.items()
        },
        "disfl_qa": scores_table(talked),
        "disfl_qa_pairs": differences_table(talked, pairs(evidence)),
        "speeds": {name: (speed_table(results), results["command"]) for name, results in evidence.speeds.items()},
        "trials": trials_table(evidence.trials) if evidence.trials else None,
        "commands": commands(evidence),
    }


def questions_table(evidence: Evidence) -> str:
    """What is asked, and which files answer it; or that nothing does yet."""
    compared = evidence.on(None)
    dual = [condition for condition in compared if condition.named(DUAL_STREAM)]
    usual = evidence.on("test")
    seeds = [condition for condition in compared if condition.seeds]
    held_out = [condition for condition in compared if condition.updates is None and condition not in usual]
    rows = [
        ("Does it revise as well, with as many updates as in training?", _files(usual), "comparison/"),
        *((f"Does it with {count:,} updates?", _files(evidence.on(count)), "comparison/") for count in (16, 64, 1000)),
        ("Does it on splits that ask what training did not?", _files(held_out), "comparison/"),
        ("How does it compare with the dual stream?", _files(dual), "comparison/"),
        ("How does the gap move with the size of models?", list(evidence.sizes), "comparison/"),
        ("Do training seeds agree?", _files(seeds), "comparison/*.seeds.json"),
        ("How was it trained, and does training converge?", evidence.known_runs, "trials/"),
        ("What is each part worth?", list(evidence.ablations), "ablations/"),
        ("Does it help with what people say (Disfl-QA)?", list(evidence.disfl_qa), "disfl_qa/"),
    ]
    told = [
        [question, _named(files, folder) or f"**no evidence yet**: nothing in `{folder}`"]
        for question, files, folder in rows
    ]
    return markdown(["question", "evidence"], told)


def _named(files: Sequence[str], folder: str) -> str:
    """The files that answer a question; of very many, how many and where."""
    if len(files) > MANY:
        return f"{len(files)} of `{folder}`"
    return ", ".join(f"`{file}`" for file in files)


def _files(conditions: Sequence[Condition]) -> list[str]:
    return list(dict.fromkeys(condition.file for condition in conditions))


def commands(evidence: Evidence) -> list[tuple[str, list[str]]]:
    """The commands that the files hold, by what they are for; a file without one is named."""
    trained = []
    for name in evidence.known_runs or list(evidence.trainings):
        run: Mapping[str, Any] | None = evidence.trainings[name]
        chain: list[str] = []
        while run:
            chain = [run["command"], *chain] if run.get("command") else chain
            run = run.get("earlier")
        trained += chain
    found = [("training", trained)]
    for what, files in (
        ("comparison", evidence.results),
        ("ablations", evidence.ablations),
        ("Disfl-QA", evidence.disfl_qa),
    ):
        found.append((what, [_command(name, results) for name, results in files.items()]))
    return [(what, list(dict.fromkeys(lines))) for what, lines in found if lines]


def _command(name: str, results: Mapping[str, Any]) -> str:
    """The command that a file holds, or what stands for it in files of the example on Disfl-QA: its settings."""
    if results.get("command"):
        return str(results["command"])
    settings = results.get("settings", {})
    told = " ".join(f"--{key} {value}" for key, value in settings.items() if value != "None")
    return f"python examples/finetune_disfl_qa.py DATA {told} --json {name}" if told else f"# {name} holds no command"
