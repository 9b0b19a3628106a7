"""
Rules for texts in natural English: what has to be in them, and what must not be, other than behind a word of repair.
Pure functions of texts.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple


# A word behind which an old value is taken back or negated, rather than claimed.
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
        missing (`list[str]`): What has to be said and is not: regular expressions.
        stale (`list[str]`): What must not be said and is, in the words of the text.
    """

    missing: list[str]
    stale: list[str]

    @property
    def right(self) -> bool:
        return not self.missing and not self.stale

    def to_dict(self) -> dict[str, Any]:
        return {"right": self.right, **self._asdict()}


def sentence_before(text: str, end: int) -> str:
    """What stands before a place, in characters, in its sentence."""
    start = max((match.end() for match in SENTENCE_END.finditer(text[:end])), default=0)
    return text[start:end]


def rule(text: str, must: Sequence[str], must_not: Sequence[str]) -> Ruling:
    """
    Holds a text against regular expressions, in which case does not matter.

    Args:
        text (`str`): What was emitted after the last update.
        must (`Sequence[str]`): Each has to occur in it.
        must_not (`Sequence[str]`): A match has to stand behind a word of repair or negation in its sentence.
    """
    missing = [pattern for pattern in must if not re.search(pattern, text, re.IGNORECASE)]
    found = (match for pattern in must_not for match in re.finditer(pattern, text, re.IGNORECASE))
    stale = [match.group() for match in found if not REPAIR.search(sentence_before(text, match.start()))]
    return Ruling(missing, list(dict.fromkeys(stale)))
