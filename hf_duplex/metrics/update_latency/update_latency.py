"""Update latency: see docs/metrics.md."""

from typing import Any

from hf_duplex.evaluation.benchmarks.cases import token_places
from hf_duplex.evaluation.metrics.revision import latencies
from hf_duplex.evaluation.metrics.statistics import latency_summary
from hf_duplex.metrics.judged import JudgedMetric, judged_texts


class UpdateLatency(JudgedMetric):
    """Words and punctuation marks from an update until the text reflects it."""

    description = (
        "For each update that changed something which was said or had to be said: the words and marks between the "
        "first place that could reflect it and the first that does."
    )

    def _compute(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> dict[str, Any]:
        hearings = judged_texts(predictions, references, kwargs["heard_at"])
        found = [latencies(hearing, token_places(hearing.text)) for hearing in hearings]
        summary = latency_summary(found)
        return {
            "update_latency": summary["median"],
            "mean": summary["mean"],
            "p95": summary["p95"],
            "never": summary["never"]["value"],
            "updates": summary["n"],
            "latencies": found,
        }
