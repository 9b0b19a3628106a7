"""What is asked of the workspace model, and whether it was reached: a table of targets, held against the evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataset_builder.config import HELD_OUT_SPLITS

from ..evaluation.metrics.revision import LOWER_IS_BETTER
from ..evaluation.reporting.tables import NOTHING, difference_cell, figure_cell, p_cell
from .report_evidence import BASELINE, Condition, Evidence, Figure
from .tables import tokens_cell


LATENCY, NEVER = "median_latency", "updates_never_shown"
REACHED, MISSED, UNKNOWN = "reached", "missed", "no evidence"
OPEN = ", interval open"

# A training seed has converged if its held-out loss is at most so many times that of the best seed of its model.
CONVERGED = 1.25


@dataclass(frozen=True)
class Target:
    """
    What is asked.

    Args:
        what (`str`): In words.
        metric (`str`): One of `RATIOS`, `median_latency` or `updates_never_shown`.
        bound (`float`): What the metric has to reach; where lower is better, not to exceed.
        on (`str`, `int` or None): A split with as many updates as in training, a number of updates, or every split.
        ahead (`float`, *optional*): By how much it has to be better than the baseline's; 0 asks that it is not worse.
    """

    what: str
    metric: str
    bound: float
    on: str | int | None
    ahead: float | None = None

    @property
    def asked(self) -> str:
        """The bound, and what is asked of the difference to the baseline."""
        sign = "≤" if lower_is_better(self.metric) else "≥"
        bound = f"{self.bound:g}" if self.metric == LATENCY else f"{self.bound:.3f}"
        ahead = "" if self.ahead is None else f", {100 * self.ahead:g} points better" if self.ahead else ", not worse"
        return f"{sign} {bound}{ahead}"


TARGETS = (
    Target("revision accuracy, as in training", "revision_accuracy", 0.98, "test", 0.0),
    Target("with 4 times as many updates", "revision_accuracy", 0.98, 16, 0.15),
    Target("with 16 times as many updates", "revision_accuracy", 0.95, 64, 0.30),
    Target("with 1,000 updates", "revision_accuracy", 0.90, 1000),
    Target("contradiction rate on every split", "contradiction_rate", 0.01, None, 0.0),
    Target("median update latency, tokens", LATENCY, 1.0, "test", 0.0),
    Target("recovery", "recovery", 0.97, "test", 0.0),
    Target("retention", "retention", 0.97, "test", 0.0),
    Target("retractions", "revision_accuracy", 0.95, "retraction"),
    Target("distractors", "revision_accuracy", 0.95, "distractor"),
    Target("unseen wordings", "revision_accuracy", 0.90, "paraphrase"),
    Target("unseen pairs of family and kind", "revision_accuracy", 0.90, "composition"),
)


@dataclass(frozen=True)
class Outcome:
    """A target, held against one condition."""

    what: str
    asked: str
    on: str
    verdict: str
    metric: str
    measured: str = NOTHING
    baseline: str = NOTHING
    difference: str = NOTHING
    p: str = NOTHING
    condition: Condition | None = None

    @property
    def missed(self) -> bool:
        return self.verdict.startswith(MISSED)

    @property
    def known(self) -> bool:
        return not self.verdict.startswith(UNKNOWN)


def lower_is_better(metric: str) -> bool:
    """Whether a lower value is the better one."""
    return metric in (LATENCY, NEVER) or metric in LOWER_IS_BETTER


def figure_of(measured: Mapping[str, Any], metric: str) -> Figure | None:
    """
    A figure of what was measured, None where nothing was counted. A latency that is never counts as infinite.
    """
    if metric != LATENCY:
        figure = measured["latency"].get("never") if metric == NEVER else measured["metrics"].get(metric)
        return None if figure is None or figure["value"] is None else figure
    latency = measured["latency"]
    if not latency["n"]:
        return None
    median, *bounds = [_or_never(value) for value in (latency["median"], *latency["interval"])]
    return {"value": median, "interval": bounds, "n": latency["n"]}


def _or_never(value: float | None) -> float:
    return float("inf") if value is None else value


def cell(measured: Mapping[str, Any], metric: str) -> str:
    """A figure with its interval, as a table shows it."""
    if metric == LATENCY:
        return tokens_cell(measured["latency"], "median")
    return figure_cell(figure_of(measured, metric))


def better_by(ours: float, theirs: float, metric: str) -> float:
    """By how much one value is better than another."""
    if ours == theirs:  # both never, too
        return 0.0
    return theirs - ours if lower_is_better(metric) else ours - theirs


def verdict_of(clauses: Sequence[tuple[float, Sequence[float] | None]]) -> str:
    """
    Reached, if no margin is below 0. Open, if the interval of a margin that decides holds both sides of 0.

    Args:
        clauses (`Sequence[tuple[float, Sequence[float] | None]]`): For each thing that is asked, by how much it is
            exceeded, and the interval of that, if there is one.
    """
    failed = [clause for clause in clauses if clause[0] < -1e-9]
    intervals = [interval for _, interval in failed or clauses if interval is not None]
    undecided = [min(interval) < -1e-9 <= max(interval) for interval in intervals]
    # One that fails for certain is enough to miss it; to reach it for certain, none may be open.
    is_open = bool(undecided) and (all(undecided) if failed else any(undecided))
    return (MISSED if failed else REACHED) + (OPEN if is_open else "")


def _margin(figure: Figure, bound: float, metric: str) -> tuple[float, list[float]]:
    low, high = (better_by(value, bound, metric) for value in figure["interval"])
    return better_by(figure["value"], bound, metric), [low, high]


def _lead(
    target: Target, ours: Figure, theirs: Figure, paired: Mapping[str, Any] | None
) -> tuple[float, list[float] | None]:
    """By how much more than asked the workspace is better than the baseline."""
    asked = target.ahead or 0.0
    interval = None
    if paired is not None and paired["value"] is not None:
        sign = -1 if lower_is_better(target.metric) else 1
        interval = [sign * bound - asked for bound in paired["interval"]]
    return better_by(ours["value"], theirs["value"], target.metric) - asked, interval


def outcome(target: Target, condition: Condition) -> Outcome:
    """Holds a target against a condition."""
    name, rival = condition.workspace, condition.named(BASELINE)
    mine = None if name is None else condition.measured(name)
    other = None if rival is None else condition.measured(rival)
    ours = None if mine is None else figure_of(mine, target.metric)
    theirs = None if other is None else figure_of(other, target.metric)
    paired = None if rival is None else condition.difference(rival, target.metric)
    clauses: list[tuple[float, Sequence[float] | None]] = []
    if ours is not None:
        clauses.append(_margin(ours, target.bound, target.metric))
        if target.ahead is not None and theirs is not None:
            clauses.append(_lead(target, ours, theirs, paired))
    verdict = verdict_of(clauses) if clauses else f"{UNKNOWN}: nothing was counted"
    if target.ahead is not None and theirs is None and verdict.startswith(REACHED):
        verdict = f"{UNKNOWN} of a baseline"
    difference = difference_cell(paired)
    if difference == NOTHING and ours is not None and theirs is not None and ours["value"] != theirs["value"]:
        difference = f"{ours['value'] - theirs['value']:+.3f}".replace("-", "−")
    return Outcome(
        target.what,
        target.asked,
        condition.label,
        verdict,
        target.metric,
        NOTHING if mine is None else cell(mine, target.metric),
        NOTHING if other is None else cell(other, target.metric),
        difference,
        p_cell(None if paired is None else paired["p"]),
        condition,
    )


def _without(target: Target) -> Outcome:
    """A target of which nothing was measured."""
    on = "every split" if target.on is None else f"{target.on:,} updates" if type(target.on) is int else target.on
    return Outcome(target.what, target.asked, str(on), UNKNOWN, target.metric)


def convergence(evidence: Evidence) -> list[Outcome]:
    """Whether all training seeds of each model ended near the best of them, by their held-out loss."""
    what, asked = "all training seeds converge", f"held-out loss ≤ {CONVERGED:g} times that of the best seed"
    found = []
    for name, runs in evidence.compared().items():
        losses = [evidence.trainings.get(run, {}).get("eval_loss") for run in runs]
        known = [loss for loss in losses if loss is not None]
        if len(known) < len(runs):
            verdict = f"{UNKNOWN} of {len(runs) - len(known)} of {len(runs)} runs"
        elif len(runs) < 2:
            verdict = f"{UNKNOWN}: one seed"
        else:
            # Not a number is never within bounds.
            verdict = REACHED if all(loss <= CONVERGED * min(known) for loss in known) else MISSED
        told = ", ".join(NOTHING if loss is None else f"{loss:.4f}" for loss in losses)
        found.append(Outcome(what, asked, name, verdict, "eval_loss", told))
    return found or [Outcome(what, asked, "every model", UNKNOWN, "eval_loss")]


def outcomes(evidence: Evidence) -> list[Outcome]:
    """Every target on every condition that it is asked on."""
    found = []
    for target in TARGETS:
        conditions = evidence.on(target.on)
        found += [outcome(target, condition) for condition in conditions] or [_without(target)]
        if target.on is None and conditions:
            found += _not_played(target, conditions)
    return found + convergence(evidence)


def _not_played(target: Target, conditions: Sequence[Condition]) -> list[Outcome]:
    """Of a target on every split, the splits without a measurement, in one row. Many updates are a split too."""
    played = {"more_updates" if condition.updates else condition.split for condition in conditions}
    played |= {condition.split for condition in conditions}
    left = [split for split in ("test", *HELD_OUT_SPLITS) if split not in played]
    return [Outcome(target.what, target.asked, ", ".join(left), UNKNOWN, target.metric)] if left else []


def tally(found: Sequence[Outcome]) -> dict[str, int]:
    """How many targets were reached everywhere, missed somewhere, and not known yet."""
    by_target: dict[str, list[Outcome]] = {}
    for entry in found:
        by_target.setdefault(entry.what, []).append(entry)
    missed = sum(any(entry.missed for entry in entries) for entries in by_target.values())
    reached = sum(all(entry.verdict.startswith(REACHED) for entry in entries) for entries in by_target.values())
    return {
        "targets": len(by_target),
        REACHED: reached,
        MISSED: missed,
        "unknown": len(by_target) - missed - reached,
    }


def tally_sentence(found: Sequence[Outcome]) -> str:
    """The same in words."""
    count = tally(found)
    told = f"{count[REACHED]} of {count['targets']} targets are reached, {count[MISSED]} are missed"
    return told + (f"; for {count['unknown']} the evidence is not there or not complete." if count["unknown"] else ".")
