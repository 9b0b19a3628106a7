"""All that was asked, held against all that was found: of revisions, of ablations, of Disfl-QA."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..evaluation.metrics.statistics import ratio
from ..evaluation.reporting.tables import difference_cell, figure_cell, p_cell
from .disfl_qa import by_model, difference, scores_of
from .report_evidence import BASELINE, Evidence
from .report_targets import UNKNOWN, Outcome, outcomes, verdict_of


# Variants of an ablation that hear no update, and the one that says what chance is: it hears noise for each.
UNHEARD = ("no update", "frozen after the prompt")
CHANCE = "noise for updates"


def every_outcome(evidence: Evidence) -> list[Outcome]:
    """Every target, wherever it is asked."""
    return [*outcomes(evidence), *ablation_outcomes(evidence), *disfl_qa_outcomes(evidence)]


def ablation_outcomes(evidence: Evidence) -> list[Outcome]:
    """Whether a workspace that hears no update is at chance on what changed: no better than one that hears noise."""
    what, asked = "chance on what changed, without updates", f"≤ the interval of *{CHANCE}*"
    found = []
    for file, results in evidence.ablations.items():
        chance = _figure(results, CHANCE)
        for name in UNHEARD:
            figure = _figure(results, name)
            if figure is None:
                continue
            where = name if len(evidence.ablations) == 1 else f"{name} (`{file}`)"
            if chance is None:
                found.append(
                    Outcome(what, asked, where, f"{UNKNOWN} of chance", "revision_accuracy", figure_cell(figure))
                )
                continue
            # The interval of chance is what is asked; that of the value overlaps it, or not, all the same.
            verdict = verdict_of([(chance["interval"][1] - figure["value"], None)])
            told = f"{figure_cell(figure)}, chance {figure_cell(chance)}"
            found.append(Outcome(what, asked, where, verdict, "revision_accuracy", told))
    return found or [Outcome(what, asked, " and ".join(UNHEARD), UNKNOWN, "revision_accuracy")]


def _figure(results: Mapping[str, Any], variant: str) -> Mapping[str, Any] | None:
    figure = results["variants"].get(variant, {}).get("metrics", {}).get("revision_accuracy")
    return None if figure is None or figure["value"] is None else figure


def pairs(evidence: Evidence) -> list[tuple[str, str]]:
    """The workspace of each size with each of its rivals."""
    every = [*evidence.conditions, *(one for conditions in evidence.sizes.values() for one in conditions)]
    found = [(one.workspace, rival) for one in every if one.workspace for rival in one.rivals]
    return list(dict.fromkeys(found))


def disfl_qa_outcomes(evidence: Evidence) -> list[Outcome]:
    """Whether the workspace, fine-tuned on Disfl-QA, says more questions as they were meant than the baseline does."""
    what, asked, metric = "Disfl-QA, exact match", "better than the baseline", "exact match"
    runs = by_model(evidence.disfl_qa, evidence.compared())
    usual = evidence.in_training
    ours = usual.workspace if usual else None
    theirs = usual.named(BASELINE) if usual else None
    if ours not in runs or ours is None:
        return [Outcome(what, asked, "dev", UNKNOWN, "exact_match")]
    shown = _mean(scores_of(runs[ours])[metric])
    if theirs not in runs or theirs is None:
        return [Outcome(what, asked, "dev", f"{UNKNOWN} of a baseline", "exact_match", shown)]
    paired = difference(runs[ours], runs[theirs], metric)
    # Level is not better.
    verdict = verdict_of([(paired["value"] or -1.0, paired["interval"])])
    baseline = _mean(scores_of(runs[theirs])[metric])
    told = difference_cell(paired), p_cell(paired["p"])
    return [Outcome(what, asked, "dev", verdict, "exact_match", shown, baseline, *told)]


def _mean(found: np.ndarray) -> str:
    return figure_cell(ratio(found, np.ones_like(found)))
