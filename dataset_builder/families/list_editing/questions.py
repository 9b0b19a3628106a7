"""What is asked of a list, and how it is answered: "the second stop is Oslo", "after Rome comes Bern"."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import NamedTuple

from ...speech.grammar import Wordings, upper_first
from ...world.facts import NONE, Rule, Values
from ...world.scene import Part, Phrase, Sentence, phrase
from ..base import ORDINALS
from . import wordings as list_wordings
from .edits import SEPARATOR, SORTS, WORDS, Sort, capacity


_PLAIN = {
    "all": Wordings(
        (
            "all {ns} of the {L} in order",
            "every {n} of the {L} from first to last",
            "the whole {L} in order",
            "the {ns} of the {L} one after the other",
            "everything {on} in order",
        ),
        ("the complete {L} {n} by {n}", "each {n} of the {L} in turn"),
    ),
    "all and count": Wordings(
        (
            "all {ns} of the {L} in order and how many there are",
            "the whole {L} in order and the number of its {ns}",
            "every {n} of the {L} from first to last and their number",
        ),
        ("the complete {L} {n} by {n} with a count", "each {n} of the {L} in turn and the sum of them"),
    ),
    "count": Wordings(
        ("the number of {ns} {on}", "how many {ns} the {L} has", "how many {ns} there are {on}"),
        ("the length of the {L} in {ns}", "the count of {ns} {on}"),
    ),
    "last": Wordings(
        ("the last {n} of the {L}", "which {n} {on} comes last", "what the {L} ends with"),
        ("the final {n} of the {L}", "what closes the {L}"),
    ),
    "at": Wordings(
        (
            "the {nth} {n} of the {L}",
            "what {n} {k} of the {L} is",
            "{n} number {k} {on}",
            "which {n} {on} is number {k}",
        ),
        ("what has place {k} {on}", "the {n} at place {k} of the {L}"),
    ),
    "after": Wordings(
        ("what comes right after {X} {on}", "the {n} after {X} {on}", "what follows {X} {on}"),
        ("the next {n} behind {X} {on}", "what stands behind {X} {on}"),
    ),
    "before": Wordings(
        ("what comes right before {X} {on}", "the {n} before {X} {on}", "which {n} {on} leads up to {X}"),
        ("the {n} ahead of {X} {on}", "what stands in front of {X} {on}"),
    ),
    "place": Wordings(
        ("the place of {X} {on}", "at what place {X} comes {on}", "which number {X} has {on}"),
        ("the position of {X} {on}", "where {X} stands {on}"),
    ),
}

QUESTIONS = {
    what: Wordings((*plain.known, *list_wordings.QUESTIONS[what]), plain.unseen) for what, plain in _PLAIN.items()
}

_INTROS = ("Here is the {L}:", "The {L} in order:", "This is the {L}:")

_POSITIONS = (
    "{n} {k} is {v}",
    "the {nth} {n} is {v}",
    "{n} number {k} is {v}",
    "as {n} {k} comes {v}",
    "the {nth} {n} of the {L} is {v}",
    "{n} {k} of the {L} is {v}",
)
_SHORT = 4
"""So many of the positions do not name the list; they read out whole lists, and restate."""
_STATEMENTS = {
    "count": ("the {L} has {v} {ns}", "there are {v} {ns}", "the number of {ns} is {v}", "I count {v} {ns}"),
    "last": ("the last {n} is {v}", "the last {n} of the {L} is {v}", "the {L} ends with {v}"),
    "after": ("after {X} comes {v}", "right after {X} comes {v}", "the {n} after {X} is {v}"),
    "before": ("before {X} comes {v}", "right before {X} comes {v}", "the {n} before {X} is {v}"),
    "place": ("the place of {X} is {v}", "{on} {X} has place {v}", "{on} {X} comes at place {v}"),
}
_ABSENT = {
    "after": "after {X} comes nothing",
    "before": "before {X} comes nothing",
    "place": "there is no {item} {on}",
}


class Question(NamedTuple):
    """What is asked of a list: one of `QUESTIONS`, and which item or place (from 0) it is about."""

    list: str
    what: str
    item: str = ""
    at: int = 0

    @property
    def sort(self) -> Sort:
        return SORTS[self.list]

    def key(self) -> str:
        """The claim that answers it; "at" answers the whole list place by place."""
        if self.what in ("after", "before"):
            return f"{self.what} {self.item}"
        noun = self.sort.noun
        named = {"count": f"number of {self.sort.plural}", "last": f"last {noun}", "place": f"place of {self.item}"}
        return named.get(self.what, f"{noun} {self.at + 1}")

    def words(self) -> dict[str, str]:
        """What stands for it in any wording; `v` is its answer."""
        key, article = self.key(), self.sort.article
        shown = f"{{{key}}}" if self.what in ("count", "place") else f"{article}{{{key}}}"
        at, item = self.at, self.item
        own = {"k": str(at + 1), "nth": ORDINALS[at], "X": article + item, "item": item, "key": key, "v": shown}
        return {**WORDS[self.list], **own}

    def rule(self) -> Rule:
        """How the answer follows from the list."""
        fact, what, item, index = self.list, self.what, self.item, self.at

        def compute(values: Values) -> str:
            items = values[fact].split(SEPARATOR)
            if what == "count":
                return str(len(items))
            if what == "last":
                return items[-1]
            if what == "at":
                return items[index] if index < len(items) else NONE
            if item not in items:
                return NONE
            at = items.index(item)
            if what == "place":
                return str(at + 1)
            at += 1 if what == "after" else -1
            return items[at] if 0 <= at < len(items) else NONE

        return Rule((fact,), compute)


class _Answer(NamedTuple):
    """All that it takes to answer a question and to answer it again."""

    key: str
    rule: Rule
    sentence: Sentence
    body: str
    absence: str


def _answer(question: Question, wording: str, body: str, before: str, denied: bool) -> _Answer:
    """In a sentence that `before` opens. While there is no answer, it says so if `denied`, or nothing."""
    words = question.words()
    key = words["key"]
    absent = _ABSENT.get(question.what, "there is no {nth} {n}" if "{nth}" in body else "there is no {n} {k}")
    absence = f"{absent.format(**words)}{{!{key}}}"
    said = Sentence(_open(before, (key, wording.format(**words))), key, _open("", (key, absence)) if denied else None)
    return _Answer(key, question.rule(), said, body.format(**words), absence)


_answer_once = lru_cache(maxsize=1 << 13)(_answer)
"""The same for questions that name no item: there are only so many."""


@lru_cache(maxsize=1 << 10)
def _first_two(name: str, wording: str, before: str) -> Sentence:
    """The first two items of a list in one sentence; no list has less."""
    two = [Question(name, "at", at=number).words() for number in range(2)]
    return Sentence(_open(before, *((words["key"], wording.format(**words)) for words in two)))


def _open(before: str, *claims: tuple[str, str]) -> Phrase:
    """Claims in a sentence; the first opens it where nothing stands before."""
    (key, text), *others = claims
    parts: list[Part] = [before, (key, text)] if before else [(key, upper_first(text))]
    for claim in others:
        parts += ["and", claim]
    return phrase(*parts, ".")


class Plan:
    """What a scene needs to answer questions, one after the other."""

    def __init__(self) -> None:
        self.sentences: list[Sentence] = []
        self.rules: dict[str, Rule] = {}
        self.bodies: dict[str, str] = {}
        self.absences: dict[str, str] = {}
        self.answers: list[str] = []

    def answer(self, rng: Random, question: Question) -> None:
        """Answers what is asked of one item or of the number of items."""
        wordings = _STATEMENTS.get(question.what, _POSITIONS)
        body = rng.choice(_POSITIONS[:2]) if question.what == "at" else wordings[0]
        before = "And" if self.sentences and rng.random() < 0.12 else ""
        make = _answer if question.item else _answer_once
        answer = make(question, rng.choice(wordings), body, before, question.what not in ("count", "last"))
        self._add(answer)
        self.sentences.append(answer.sentence)
        self.answers.append(answer.key)

    def read_out(self, rng: Random, name: str, count: int) -> None:
        """Tells a list that has `count` items, one sentence an item. Places beyond its end are told once the list
        reaches them; those that it reached at the start and no longer does are denied, so that every answer is
        heard."""
        wording = rng.choice(_POSITIONS[:_SHORT]) if rng.random() < 0.7 else _POSITIONS[0]
        body = wording if rng.random() < 0.5 else _POSITIONS[0]
        intro = rng.choice(_INTROS).format(L=name) if rng.random() < 0.25 else ""
        then = rng.choice(("", "", "", "Then", "Next,"))
        together = rng.random() < 0.3
        if together:
            self.sentences.append(_first_two(name, wording, intro))
        for number in range(capacity(count)):
            place = Question(name, "at", at=number)
            answer = _answer_once(place, wording, body, then if number else intro, number < count)
            self._add(answer)
            if number > 1 or not together:
                self.sentences.append(answer.sentence)
            if number < count:
                self.answers.append(answer.key)

    def _add(self, answer: _Answer) -> None:
        self.rules[answer.key], self.bodies[answer.key] = answer.rule, answer.body
        self.absences[answer.key] = answer.absence
