"""Paired separation: see docs/interaction_bottleneck.md."""

from typing import Any

import evaluate
from datasets import Features, Value

from hf_duplex.interaction.evaluation.metrics import paired_separation
from hf_duplex.metrics.judged import CITATION


INPUTS = """
Args:
    predictions (`list[str]`): The predicted action of each example.
    references (`list[str]`): The action that is right in each.
    pairs (`list[int]`): The number of the alias pair that each example belongs to.
"""


class PairedSeparation(evaluate.Metric):
    """Paired separation, a share of alias pairs."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=(
                "The share of alias pairs (two examples with one transcript, in which different actions are right) "
                "in both members of which the predicted action is the right one."
            ),
            citation=CITATION,
            inputs_description=INPUTS,
            features=Features(
                {"predictions": Value("string"), "references": Value("string"), "pairs": Value("int64")}
            ),
            reference_urls=["docs/interaction_bottleneck.md"],
        )

    def _compute(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> dict[str, Any]:
        separation = paired_separation(predictions, references, kwargs["pairs"])
        return {"paired_separation": separation, "pairs": len(set(kwargs["pairs"]))}
