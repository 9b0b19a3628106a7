"""Recovery quality: see docs/metrics.md."""

from typing import Any

from hf_duplex.evaluation.metrics.revision import recovery
from hf_duplex.metrics.judged import JudgedMetric, judged_texts, shares


class RecoveryQuality(JudgedMetric):
    """Recovery quality, a ratio of counts."""

    description = (
        "Of what had been said and went stale, the share that was taken back at once, once, cleanly, and restated "
        "right."
    )

    def _compute(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> dict[str, Any]:
        hearings = judged_texts(predictions, references, kwargs["heard_at"])
        return shares(hearings, recovery, "recovery")
