"""Contradiction rate: see docs/metrics.md."""

from typing import Any

from hf_duplex.evaluation.metrics.revision import contradiction
from hf_duplex.metrics.judged import JudgedMetric, judged_texts, shares


class ContradictionRate(JudgedMetric):
    """Contradiction rate, a ratio of counts."""

    description = (
        "Of what is said after an update that changed it, the share that still states what the update replaced, "
        "before and after the repair counted apart."
    )

    def _compute(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> dict[str, Any]:
        hearings = judged_texts(predictions, references, kwargs["heard_at"])
        return shares(
            hearings,
            contradiction,
            "contradiction_rate",
            "contradiction_rate_before_repair",
            "contradiction_rate_after_repair",
        )
