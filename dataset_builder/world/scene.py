"""What is fixed before the first word is emitted: phrases, sentences, and the restatement of each claim."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .facts import NONE, Fact, Rule, Values


GOING = "going on"
"""The fact of an endless scene that a stop changes: "yes", then "no"."""

_CLOSING = (",", ".", ":", ";")
_WORD = re.compile(r"(?=\S)([^\s{]*)(?:\{([^}]*)\}(\S*))?")


Word = tuple[str, str, str]
"""One word: the text before a value, the name of the value ("" if there is none), and the text after it. A name with
an exclamation mark before it is stated without being printed: "there is no{!third} third step"."""


class Phrase:
    """Words with the punctuation after each (`tails`) and the claim that each belongs to (`owners`, "" for none).

    It is parsed on first access: most phrases are never emitted.
    """

    __slots__ = ("_owners", "_parts", "_tails", "_words")

    def __init__(self, parts: tuple[Part, ...] = ()):
        self._parts: tuple[Part, ...] | None = parts

    def _parse(self) -> None:
        words: list[Word] = []
        tails: list[str] = []
        owners: list[str] = []
        for part in self._parts or ():
            if isinstance(part, tuple):
                key, text = part
            elif isinstance(part, str):
                key, text = "", part
                if part[:1] in _CLOSING and words:
                    mark, _, text = part.partition(" ")
                    tails[-1] += mark
                if not text:
                    continue
            else:
                words += part.words
                tails += part.tails
                owners += part.owners
                continue
            found = _WORD.findall(text) if "{" in text else [(word, "", "") for word in text.split()]
            words += found
            tails += [""] * len(found)
            owners += [key] * len(found)
        self._words, self._tails, self._owners, self._parts = words, tails, owners, None

    @property
    def words(self) -> list[Word]:
        if self._parts is not None:
            self._parse()
        return self._words

    @property
    def tails(self) -> list[str]:
        if self._parts is not None:
            self._parse()
        return self._tails

    @property
    def owners(self) -> list[str]:
        if self._parts is not None:
            self._parse()
        return self._owners

    def keys(self) -> list[str]:
        return list(dict.fromkeys(owner for owner in self.owners if owner))

    def head(self, count: int) -> Phrase:
        """The first words, without the punctuation after the last of them."""
        made = Phrase()
        made._parse()
        made._words, made._owners, made._tails = self.words[:count], self.owners[:count], self.tails[:count]
        made._tails[-1:] = [""]
        return made

    def length(self, values: Values, start: int = 0) -> int:
        """Number of characters of the words from `start` on, each with a leading space."""
        words, tails = self.words, self.tails
        if start:
            words, tails = words[start:], tails[start:]
        slots = [slot for _, slot, _ in words if slot]
        literal = len("".join(map("".join, words))) - len("".join(slots)) + len("".join(tails)) + len(words)
        return literal + sum([len(values[slot]) for slot in slots if slot[0] != "!"])


Part = str | tuple[str, str] | Phrase


def phrase(*parts: Part) -> Phrase:
    """Builds a phrase from plain text, claims `(key, text)` and other phrases, joined by spaces.

    Text between braces is the name of a value. Plain text that begins with punctuation follows the word before it
    without a space: `phrase("Since", ("x", "x = {x}"), ",", ("2x", "2x = 2 * {x} = {2x}"), ".")`.
    """
    return Phrase(parts)


def one_word(text: str) -> Phrase:
    """Plain text of any length as one word, which no update can cut."""
    made = Phrase()
    made._parse()
    made._words, made._tails, made._owners = [(text, "", "")], [""], [""]
    return made


class Sentence(NamedTuple):
    """What is emitted at one place of the plan.

    Attributes:
        phrase: its words.
        key: the value that it requires; "" if there is none.
        absent: the phrase to emit instead while that value is `NONE`; without it, nothing is emitted then.
    """

    phrase: Phrase
    key: str = ""
    absent: Phrase | None = None

    def words(self, values: Values) -> Phrase | None:
        """The words to emit at this place of the plan under the current values."""
        return self.absent if self.key and values[self.key] == NONE else self.phrase


@dataclass(eq=False)
class Scene:
    """Everything that is fixed before the first word.

    Attributes:
        prompt: sets the facts and asks the questions.
        facts: the facts, also those that only an update can set.
        rules: the derived values, in an order in which they can be computed.
        sentences: the plan, in order.
        bodies: for the key of each claim, the text that restates it in a repair.
        repairs: pairs of lead-in and link from the mentions to the restatements, used in turn.
        questions: the keys of the claims that were asked for, in order.
        mentions: for each fact, the text that states it briefly before the restatements; empty if these state it.
        absences: for each claim or fact that can lose its value, the text that then replaces its body or mention.
        opening, closing: emitted once, before the first sentence and after the last.
        frame: the text that opens and closes an object, for a JSON scene.
        endless: whether the plan is repeated until `GOING` is "no".
    """

    prompt: str
    facts: Mapping[str, Fact]
    rules: Mapping[str, Rule]
    sentences: Sequence[Sentence]
    bodies: Mapping[str, str]
    repairs: Sequence[tuple[str, str]]
    questions: Sequence[str]
    mentions: Mapping[str, str]
    absences: Mapping[str, str]
    opening: Phrase | None = None
    closing: Phrase | None = None
    frame: tuple[str, str] | None = None
    endless: bool = False

    def body(self, key: str, values: Values) -> str:
        """The text that restates a claim under the current values."""
        return self.absences[key] if values[key] == NONE else self.bodies[key]

    def mention(self, fact: str, values: Values) -> str:
        """The text that states a fact briefly under the current values."""
        return self.absences[fact] if values[fact] == NONE else self.mentions[fact]
