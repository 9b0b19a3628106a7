"""Shared by the `evaluate` modules in this folder: their inputs, and how a ratio is reported."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import evaluate
from datasets import Features, List, Value

from ..evaluation.metrics.judging import JudgedText
from ..evaluation.metrics.revision import RATIOS, Counts


CITATION = """\
@software{hf_duplex,
  title = {hf_duplex: full-duplex language models for the Hugging Face ecosystem},
  author = {The hf_duplex authors},
  note = {Definitions in docs/metrics.md}
}
"""

_TEXT, _NUMBER, _FLAG = Value("string"), Value("int64"), Value("bool")

REFERENCE = {
    "task_type": _TEXT,
    "updates": List({"kind": _TEXT}),
    "timeline": List({"key": _TEXT, "version": _NUMBER, "value": _TEXT}),
    "answers": List({"key": _TEXT, "value": _TEXT}),
    "provenance": List({"key": _TEXT, "complete": _FLAG}),
}
"""The columns of a data set row that judging needs; a row may hold more."""

INPUTS_DESCRIPTION = """
Args:
    predictions (`list[str]`): What was said, one text a conversation.
    references (`list[dict]`): The rows that were played, as the data set has them: `task_type`, `updates`, `timeline`,
        `answers` and `provenance`. Other columns are ignored.
    heard_at (`list[list[int]]`): For each update of a row, how many characters had been said when it was heard.
"""


def _cut(found: Any, wanted: Any, name: str) -> Any:
    """The part of a nested value that is named by the features."""
    if isinstance(wanted, dict):
        if not isinstance(found, Mapping):
            raise ValueError(f"`{name}` must be a dict with {', '.join(wanted)}; give the row as the data set has it.")
        missing = [key for key in wanted if found.get(key) is None]
        if missing:
            raise ValueError(f"`{name}` lacks {', '.join(missing)}; give the row as the data set has it.")
        return {key: _cut(found[key], inner, f"{name}.{key}") for key, inner in wanted.items()}
    if isinstance(wanted, List):
        return [_cut(entry, wanted.feature, name) for entry in found]
    return found


class JudgedMetric(evaluate.Metric, ABC):
    """
    A metric over texts; each claim is compared with what was true when it was emitted.

    Attributes:
        description (`str`): What it measures.
        further (`dict`): Its own inputs, in addition to the three that all metrics have.
    """

    description: str
    further: Mapping[str, Any] = {}

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self.description,
            citation=CITATION,
            inputs_description=INPUTS_DESCRIPTION,
            features=Features(
                {"predictions": _TEXT, "references": REFERENCE, "heard_at": List(_NUMBER), **self.further}
            ),
            reference_urls=["docs/metrics.md"],
        )

    def add_batch(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> None:
        """Adds conversations; nothing is added if one of them cannot be judged."""
        batch = {"predictions": predictions, "references": references, **kwargs}
        lacking = [name for name in self._feature_names() if batch.get(name) is None]
        if lacking:
            raise ValueError(f"`{lacking[0]}` is missing; {self.name} takes {', '.join(self._feature_names())}.")
        texts, rows = list(predictions), [_cut(row, REFERENCE, "references") for row in references]
        for name in self._feature_names():
            if len(batch[name]) != len(texts):
                raise ValueError(f"`{name}` has {len(batch[name])} entries for {len(texts)} texts; give one each.")
        for number, text in enumerate(texts):
            JudgedText(rows[number], text, batch["heard_at"][number], True)  # raises if the inputs are inconsistent
        super().add_batch(predictions=texts, references=rows, **kwargs)

    def add(self, *, prediction: Any = None, reference: Any = None, **kwargs: Any) -> None:
        """Adds one conversation."""
        alone = {name: [value] for name, value in kwargs.items()}
        self.add_batch(predictions=[prediction], references=[reference], **alone)

    @abstractmethod
    def _compute(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> dict[str, Any]: ...


def judged_texts(
    texts: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    heard_at: Sequence[Sequence[int]],
    ended: Sequence[bool] | None = None,
) -> list[JudgedText]:
    """Conversations in the form that is judged. Without `ended`, which some metrics do not use, all count as ended."""
    ends = [True] * len(texts) if ended is None else ended
    return [JudgedText(*heard) for heard in zip(rows, texts, heard_at, ends, strict=True)]


def shares(hearings: Sequence[JudgedText], count: Callable[[JudgedText], Counts], *names: str) -> dict[str, Any]:
    """
    Metrics by name, as ratios of counts summed over conversations (None where the denominator is 0), and the counts.
    """
    totals: Counts = {}
    for hearing in hearings:
        for name, number in count(hearing).items():
            totals[name] = totals.get(name, 0) + number
    found: dict[str, Any] = {}
    for name in names:
        part, whole = RATIOS[name]
        found[name] = totals[part] / totals[whole] if totals.get(whole) else None
    return found | totals
