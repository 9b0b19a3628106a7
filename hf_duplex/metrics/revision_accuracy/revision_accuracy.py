"""Revision accuracy: see docs/metrics.md."""

from typing import Any

from hf_duplex.evaluation.metrics.revision import revision
from hf_duplex.metrics.judged import JudgedMetric, judged_texts, shares


class RevisionAccuracy(JudgedMetric):
    """Revision accuracy, a ratio of counts."""

    description = (
        "Of what is said after an update and depends on it, the share that states the new value; a question that an "
        "update changed and that is not answered since counts as wrong."
    )

    def _compute(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> dict[str, Any]:
        hearings = judged_texts(predictions, references, kwargs["heard_at"])
        return shares(hearings, revision, "revision_accuracy")
