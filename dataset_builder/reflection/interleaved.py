"""Text and thoughts in one line, as dual_track_reflection.md, 3.4.3, formats them for models that read one stream.

    user: My dog is called Rex. [DSL_START] NEW | the user's dog is called Rex [DSL_END] It is raining.

A thought stands after the first sentence end at or after its position. Speakers open a line of their own.
"""

import re
from collections.abc import Mapping
from typing import Any

from .schema import AnnotationError, Dialogue, from_row, sentence_ends


OPEN, CLOSE = "[DSL_START]", "[DSL_END]"
_THOUGHT = re.compile(rf" ?{re.escape(OPEN)} (\w+) \| (.*?) {re.escape(CLOSE)}", re.DOTALL)


def interleave(dialogue: Dialogue) -> str:
    """
    A dialogue and its thoughts as one text.

    Raises:
        AnnotationError: The dialogue itself, or a summary, holds a mark of the format.
    """
    texts = [turn.text for turn in dialogue.turns] + [annotation.summary for annotation in dialogue.annotations]
    if any(mark in text for text in texts for mark in (OPEN, CLOSE)):
        raise AnnotationError(f"{dialogue.key} holds {OPEN} or {CLOSE} already.")
    lines = []
    for number, turn in enumerate(dialogue.turns):
        ends = list(sentence_ends(turn.text))
        said, begin = "", 0
        for annotation in (a for a in dialogue.annotations if a.turn == number):
            end = next((end for end in ends if end >= annotation.end), len(turn.text))
            said += turn.text[begin:end] + f" {OPEN} {annotation.type} | {annotation.summary} {CLOSE}"
            begin = end
        lines.append(f"{turn.speaker}: {said}{turn.text[begin:]}")
    return "\n".join(lines)


def separate(text: str) -> tuple[str, list[tuple[str, str]]]:
    """The text without its thoughts, and the type and summary of each, in order."""
    return _THOUGHT.sub("", text), [(found[1], found[2]) for found in _THOUGHT.finditer(text)]


def interleaved_row(row: Mapping[str, Any]) -> dict[str, str]:
    """A row of a corpus as one with a `text` alone."""
    return {"key": row["key"], "text": interleave(from_row(row))}
