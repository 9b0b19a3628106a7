"""Coherence after an update: see docs/metrics.md."""

from typing import Any

from datasets import Value

from hf_duplex.evaluation.metrics.perplexity import load_judge, perplexity
from hf_duplex.evaluation.metrics.revision import coherence
from hf_duplex.metrics.judged import JudgedMetric, judged_texts, shares


class Coherence(JudgedMetric):
    """Coherence, a ratio of counts, and optionally the perplexity of the text emitted after the first update."""

    description = (
        "The share of texts that hold together by themselves: they end, do not loop, can be read, add up, and parse "
        "where they are JSON. With `perplexity_model`, also how surprised that language model is by what was said "
        "after the first update."
    )
    further = {"ended": Value("bool")}

    def _compute(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> dict[str, Any]:
        heard_at, judge = kwargs["heard_at"], kwargs.get("perplexity_model")
        found = shares(judged_texts(predictions, references, heard_at, kwargs["ended"]), coherence, "coherence")
        if judge is not None:
            chosen = [(text, places[0]) for text, places in zip(predictions, heard_at, strict=True) if places]
            texts, starts = [text for text, _ in chosen], [start for _, start in chosen]
            model, tokenizer = load_judge(judge, kwargs.get("device", "cpu"))
            found["perplexity"] = perplexity(model, tokenizer, texts, starts, kwargs.get("batch_size", 8))
        return found
