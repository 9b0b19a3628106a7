"""
Cases: each is the score of one transcript, saved at once as a line of JSON.

A case is the only input of statistics: the `model`, the sample (`split`, `seed`, `index`) with its `family`,
`updates`, `kinds` and `places`, and the results (`counts`, `latencies`, `milliseconds`). It includes the text, so that
it can be judged again.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dataset_builder import END, Sample

from ..metrics.judging import JudgedText
from ..metrics.revision import all_counts, latencies
from .conversation import Transcript


Case = dict[str, Any]

FORMAT = 2
"""Format version of results and cases; files of another one are rejected."""

_TOKEN = re.compile(rf"{END}|\w+|[^\w\s]")


def token_places(text: str) -> list[int]:
    """Where each word and mark of a text begins, with the space before it. Latency is counted in these, so that it
    does not depend on a model's own tokens."""
    return [match.start() - (text[match.start() - 1 : match.start()] == " ") for match in _TOKEN.finditer(text)]


def score(sample: Sample, transcript: Transcript, model: str = "") -> Case:
    """
    The case of a transcript. It depends on the text and the places of updates, not on the model.

    Args:
        sample (`Sample`): The sample.
        transcript (`Transcript`): Its transcript.
        model (`str`, *optional*): The name of the model.

    Raises:
        ValueError: The transcript does not belong to the sample.
    """
    hearing = JudgedText(sample.to_row(), transcript.text, transcript.heard_at, transcript.ended)
    said = max(1, sample.target.find(END))
    return {
        "model": model,
        "split": sample.split,
        "seed": sample.seed,
        "index": sample.index,
        "family": sample.task_type,
        "updates": sum(update["kind"] != "stop" for update in sample.updates),
        "kinds": sorted({update["kind"] for update in sample.updates} - {"stop"}),
        "places": sorted({min(1.0, update["position"] / said) for update in sample.updates}),
        "counts": all_counts(hearing),
        "latencies": latencies(hearing, token_places(transcript.text)),
        "milliseconds": [round(value, 3) for value in transcript.milliseconds],
        "text": transcript.text,
        "heard_at": list(transcript.heard_at),
    }


class CaseFile:
    """
    Cases on disk, one per line after a first line of settings. Existing cases are read, so that an interrupted run is
    resumed; an incomplete line is dropped.

    Args:
        path (`str` or `Path`, *optional*): The file; by default cases are kept in memory only.
        settings (`dict`): What the cases depend on, except model and sample.

    Raises:
        ValueError: The file holds cases of other settings or of another version.
    """

    def __init__(self, path: str | Path | None, settings: dict[str, Any]):
        self.path = None if path is None else Path(path)
        self.cases: dict[tuple[str, str, int, int], Case] = {}
        head = json.dumps({"format": FORMAT, "settings": settings}, sort_keys=True)
        if self.path is None:
            return
        if self.path.is_file():
            text = self.path.read_text(encoding="utf-8")
            first, *lines = text.split("\n")
            if first != head:
                raise ValueError(
                    f"`json`: {self.path} holds cases of other settings or of another version; "
                    "delete it, or write somewhere else."
                )
            for line in lines[:-1]:
                self._keep(json.loads(line))
            if lines[-1:] != [""]:
                self.path.write_text(text[: text.rfind("\n") + 1], encoding="utf-8")
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(head + "\n", encoding="utf-8")

    def _keep(self, case: Case) -> None:
        self.cases[case["model"], case["split"], case["seed"], case["index"]] = case

    def __contains__(self, key: tuple[str, str, int, int]) -> bool:
        return key in self.cases

    def check_spec(self, model: str, spec: str) -> None:
        """
        Raises:
            ValueError: There are cases of another model with this name.
        """
        others = {case.get("spec", spec) for case in self.cases.values() if case["model"] == model} - {spec}
        if others:
            raise ValueError(
                f"`json`: {self.path} holds cases of {', '.join(sorted(others))} under the name {model}; "
                "write somewhere else, or call this one NAME=PATH."
            )

    def add(self, cases: Sequence[Case]) -> None:
        """Adds cases, and writes them to disk at once."""
        for case in cases:
            self._keep(case)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(case) + "\n" for case in cases)

    def of(self, model: str, split: str) -> list[Case]:
        """The cases of a model on a split, by seed and index."""
        found = [case for (name, part, _, _), case in self.cases.items() if (name, part) == (model, split)]
        return sorted(found, key=lambda case: (case["seed"], case["index"]))
