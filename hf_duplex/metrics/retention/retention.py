"""Retention: see docs/metrics.md."""

from typing import Any

from hf_duplex.evaluation.metrics.revision import retention
from hf_duplex.metrics.judged import JudgedMetric, judged_texts, shares


class Retention(JudgedMetric):
    """Retention, a ratio of counts."""

    description = (
        "Of the questions that no update touched, the share that is answered right each time; and the other side "
        "of it, over-revision: the share of updates that must change nothing after which something was revised."
    )

    def _compute(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> dict[str, Any]:
        hearings = judged_texts(predictions, references, kwargs["heard_at"])
        return shares(hearings, retention, "retention", "over_revision")
