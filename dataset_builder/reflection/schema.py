"""A dialogue (or any text in turns), and what is annotated in it."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


TYPES = ("NEW", "RECALL", "UPDATE", "CONFLICT")
OPERATIONS = ("PUSH", "POP", "UPDATE")
TIERS = ("dialogue", "narrative", "domain")


class AnnotationError(ValueError):
    """An annotation or a file of them is not what it must be."""


@dataclass(frozen=True)
class Turn:
    """Who says what; `speaker` is `user` or `assistant` in dialogues, `narrator` in narrative."""

    speaker: str
    text: str


@dataclass(frozen=True)
class Annotation:
    """
    One thought.

    Args:
        type: One of `TYPES`.
        summary: A sentence that would find this again.
        turn: The turn where it belongs.
        end: Characters of that turn that have been read when all it refers to was said.
        link: The number of the earlier annotation that it is about, -1 without one.
        operation: What it does to the memory: one of `OPERATIONS`.
    """

    type: str
    summary: str
    turn: int
    end: int
    link: int = -1
    operation: str = "PUSH"


@dataclass(frozen=True)
class Dialogue:
    """
    Args:
        turns: In order.
        annotations: In the order of their positions.
        source, tier: Where it is from.
        questions: What can be asked at the end, with the answer, an answer that is out of date, and the
            annotation that holds the answer.
    """

    turns: Sequence[Turn]
    annotations: Sequence[Annotation] = ()
    source: str = "synthetic"
    tier: str = "dialogue"
    questions: Sequence[Mapping[str, Any]] = field(default_factory=tuple)

    @property
    def key(self) -> str:
        """A name that follows from the text alone."""
        text = "\n".join(f"{turn.speaker}: {turn.text}" for turn in self.turns)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_row(self) -> dict[str, Any]:
        """As it is stored, one line of JSON."""
        return asdict(self) | {"key": self.key}


def from_row(row: Mapping[str, Any]) -> Dialogue:
    """
    A dialogue as it was stored.

    Raises:
        AnnotationError: It lacks a field, or an annotation points outside of it.
    """
    try:
        dialogue = Dialogue(
            [Turn(**turn) for turn in row["turns"]],
            [Annotation(**annotation) for annotation in row["annotations"]],
            row["source"],
            row["tier"],
            row.get("questions", ()),
        )
    except (KeyError, TypeError) as error:
        raise AnnotationError(f"not a dialogue with annotations: {error}") from error
    check(dialogue)
    return dialogue


def check(dialogue: Dialogue) -> None:
    """
    Raises:
        AnnotationError: A type, an operation, a position or a link is not possible.
    """
    before = (-1, -1)
    for number, annotation in enumerate(dialogue.annotations):
        where = f"annotation {number} of {dialogue.key}"
        if annotation.type not in TYPES:
            raise AnnotationError(f"{where}: type {annotation.type!r} is not one of {', '.join(TYPES)}")
        if annotation.operation not in OPERATIONS:
            raise AnnotationError(f"{where}: operation {annotation.operation!r} is not one of {', '.join(OPERATIONS)}")
        if not 0 <= annotation.turn < len(dialogue.turns):
            raise AnnotationError(f"{where}: there is no turn {annotation.turn}")
        if not 0 < annotation.end <= len(dialogue.turns[annotation.turn].text):
            raise AnnotationError(f"{where}: turn {annotation.turn} has no position {annotation.end}")
        if not -1 <= annotation.link < number:
            raise AnnotationError(f"{where}: {annotation.link} is not an earlier annotation")
        if (annotation.turn, annotation.end) < before:
            raise AnnotationError(f"{where}: it stands before the one that precedes it")
        before = (annotation.turn, annotation.end)


def sentence_ends(text: str) -> Iterator[int]:
    """Where the sentences of a turn end, in characters; the last is the end of the turn."""
    for index, character in enumerate(text):
        if character in ".!?\n" and (index + 1 == len(text) or text[index + 1].isspace()):
            yield index + 1
    if text and text[-1] not in ".!?\n":
        yield len(text)
