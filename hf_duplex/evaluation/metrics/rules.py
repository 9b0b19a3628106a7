"""
Rules for texts in natural English: what they must contain, and what they must not contain except after a word of
repair. Pure functions of texts.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple


# A word after which an old value is taken back or negated, rather than claimed.
REPAIR = re.compile(
    r"\b(not|no|never|instead of|no longer|rather than|sorry|wait|correction|scratch|changed from|was|were|without"
    r"|except|remove[sd]?|drop(?:ped)?|skip(?:ped)?|n't|forget|ignore[sd]?|take back|hold on|actually)\b",
    re.IGNORECASE,
)
SENTENCE_END = re.compile(r"[.!?\n]\s")


class Ruling(NamedTuple):
    """
    What a rule finds in a text.

    Attributes:
        missing (`list[str]`): Required regular expressions that do not match.
        stale (`list[str]`): Forbidden matches, as they stand in the text.
    """

    missing: list[str]
    stale: list[str]

    @property
    def right(self) -> bool:
        return not self.missing and not self.stale

    def to_dict(self) -> dict[str, Any]:
        return {"right": self.right, **self._asdict()}


def sentence_before(text: str, end: int) -> str:
    """The part of the sentence before a place, in characters."""
    start = max((match.end() for match in SENTENCE_END.finditer(text[:end])), default=0)
    return text[start:end]


def rule(text: str, must: Sequence[str], must_not: Sequence[str]) -> Ruling:
    """
    Checks a text against case-insensitive regular expressions.

    Args:
        text (`str`): What was emitted after the last update.
        must (`Sequence[str]`): Each has to occur in it.
        must_not (`Sequence[str]`): May match only after a word of repair or negation in the same sentence.
    """
    missing = [pattern for pattern in must if not re.search(pattern, text, re.IGNORECASE)]
    found = (match for pattern in must_not for match in re.finditer(pattern, text, re.IGNORECASE))
    stale = [match.group() for match in found if not REPAIR.search(sentence_before(text, match.start()))]
    return Ruling(missing, list(dict.fromkeys(stale)))
