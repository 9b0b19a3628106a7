"""Turn-action accuracy: see docs/interaction_bottleneck.md."""

from typing import Any

import evaluate
from datasets import Features, Value

from hf_duplex.interaction.evaluation.metrics import turn_action_accuracy
from hf_duplex.metrics.judged import CITATION


INPUTS = """
Args:
    predictions (`list[str]`): The predicted action of each example.
    references (`list[str]`): The action that is right in each.
"""


class TurnActionAccuracy(evaluate.Metric):
    """Turn-action accuracy, a share of examples."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="The share of examples in which the predicted action of an assistant is the right one.",
            citation=CITATION,
            inputs_description=INPUTS,
            features=Features({"predictions": Value("string"), "references": Value("string")}),
            reference_urls=["docs/interaction_bottleneck.md"],
        )

    def _compute(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> dict[str, Any]:
        return {"turn_action_accuracy": turn_action_accuracy(predictions, references), "n": len(references)}
