"""Which activation head to keep: figures of a head, and the decision table of dual_track_reflection.md, 5.6.6."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..modeling.configuration_dual_track import THOUGHT_TYPES


def f1(predicted: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    """Precision, recall and F1."""
    right = float((predicted & labels).sum())
    precision, recall = right / max(1, predicted.sum()), right / max(1, labels.sum())
    return precision, recall, 2 * precision * recall / max(1e-12, precision + recall)


def best_threshold(logits: Sequence[float], labels: Sequence[int]) -> float:
    """The probability above which F1 is best; to be taken from validation, never from test."""
    chances = 1 / (1 + np.exp(-np.asarray(logits, float)))
    truth = np.asarray(labels, bool)
    steps = np.unique(
        np.round(np.concatenate([np.linspace(0.05, 0.95, 91), np.quantile(chances, np.linspace(0.5, 1, 51))]), 4)
    )
    return float(max(steps, key=lambda step: f1(chances > step, truth)[2]))


def activation_figures(found: Mapping[str, Sequence[Any]], threshold: float) -> dict[str, Any]:
    """F1, precision and recall at a threshold, the recall of each type, and a 95 % interval of F1 over boundaries."""
    chances = 1 / (1 + np.exp(-np.asarray(found["logits"], float)))
    truth, kinds = np.asarray(found["labels"], bool), np.asarray(found["kinds"])
    fired = chances > threshold
    precision, recall, score = f1(fired, truth)
    rng = np.random.default_rng(0)
    draws = [f1(fired[rows], truth[rows])[2] for rows in rng.integers(0, len(truth), (300, len(truth)))]
    return {
        "f1": score,
        "interval": [float(value) for value in np.percentile(draws, [2.5, 97.5])],
        "precision": precision,
        "recall": recall,
        "recall_by_type": {
            name: float(fired[kinds == index].mean()) if (kinds == index).any() else None
            for index, name in enumerate(THOUGHT_TYPES)
        },
        "boundaries": len(truth),
        "share": float(truth.mean()),
    }


def decide(figures: Mapping[str, Any], data_fixed: bool = False) -> str:
    """
    What to do next, by the table of the design.

    Args:
        figures: As [`activation_figures`] returns them, of the head of tier 1 on validation.
        data_fixed: Whether hard negatives and oversampling have been tried.
    """
    recalls = [value for value in figures["recall_by_type"].values() if value is not None]
    score = figures["f1"]
    if score >= 0.70 and min(recalls) >= 0.60:
        return "Stay with the MLP; work on what the thoughts say."
    if score >= 0.65:
        return "More data first: write more dialogues with the types of low recall, and measure again."
    if not data_fixed:
        return "Mend the data: add hard negatives, draw RECALL, UPDATE and CONFLICT three times, train the MLP again."
    return "Take the head of tier 2, sliding-window attention (`head_tier: 2`)."
