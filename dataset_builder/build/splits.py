"""The named splits: how each differs from training."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from ..config import SPLITS, BuilderConfig


DESCRIPTIONS = {
    "train": "what models learn from",
    "validation": "other prompts, the same settings",
    "test": "other prompts again, the same settings",
    "more_updates": "4 or 16 times as many updates as training has at most, in texts long enough for them",
    "late": "updates come only later in a text than they ever do in training",
    "long": "8 times as much is emitted as in training on average",
    "paraphrase": "prompts and updates in wordings that were never trained on",
    "novel_values": "names and numbers that were never trained on",
    "composition": "pairs of family and kind of update that were never trained on",
    "distractor": "most updates must change nothing: confirmation, chatter, repetition, immaterial, false",
    "adversarial": "most updates contradict what was just said, correct a correction, or come from a liar",
    "retraction": "many updates take an earlier one back",
}
"""A one-line description of each split."""

_KINDS: dict[str, dict[str, float]] = {
    "distractor": {
        "correction": 2,
        "confirmation": 2,
        "chatter": 2,
        "repetition": 2,
        "immaterial": 2,
        "untrusted": 2,
    },
    "adversarial": {"adversarial": 6, "recorrection": 3, "untrusted": 3, "correction": 1},
    "retraction": {"correction": 3, "refinement": 1, "addition": 1, "retraction": 15},
}


def split_config(base: BuilderConfig, split: str) -> BuilderConfig:
    """
    The configuration of a split.

    Args:
        base (`BuilderConfig`): The configuration of training.
        split (`str`): One of `SPLITS`.

    Raises:
        ValueError: There is no such split.
    """
    if split not in SPLITS:
        raise ValueError(f"`split` must be one of {', '.join(SPLITS)}, got {split!r}.")
    most = max(1, base.num_updates[1])
    at_least_one, at_least_two = ((max(least, base.num_updates[0]), max(least, most)) for least in (1, 2))
    late = 4 * base.rounds[1]
    usual = 1 + base.keep_going * (sum(base.rounds) / 2 - 1)  # rounds of a text in training, on average
    long = math.ceil(8 * 1.5 * usual)  # repairs make texts of training longer too
    changes: dict[str, dict[str, Any]] = {
        "more_updates": {"update_counts": (4 * most, 16 * most), "keep_going": 1.0, "rounds": (2, 2)},
        "late": {"num_updates": at_least_one, "keep_going": 1.0, "rounds": (late, late), "window": (0.6, 1.0)},
        "long": {"num_updates": at_least_one, "keep_going": 1.0, "rounds": (long, long)},
        "paraphrase": {"num_updates": at_least_one, "paraphrase": True},
        "novel_values": {"num_updates": at_least_one, "novel_values": True},
        "composition": {"num_updates": at_least_two, "composition": True, "sources": 0.5},
        "distractor": {"num_updates": at_least_one, "kinds": _KINDS["distractor"], "sources": 0.5},
        "adversarial": {"num_updates": at_least_one, "kinds": _KINDS["adversarial"], "sources": 0.8},
        "retraction": {"num_updates": at_least_two, "kinds": _KINDS["retraction"]},
    }
    return replace(base, split=split, **changes.get(split, {}))
