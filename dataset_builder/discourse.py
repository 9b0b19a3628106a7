"""Saying a plan aloud while the world changes: the rule of speech.

A `Scene` is all that is settled before the first word: the facts, the sentences to say, and how each of their claims
would be said again. A `Speech` says it word by word and hears updates at any character. An update takes effect at
once:

- a word that has begun is finished;
- if nothing stale was said, the text goes on with the new values;
- if something stale was said, one repair takes it back: a lead-in, the changed facts in short where the restatement
  does not say them itself, and each stale claim once. A sentence that was cut short and is stale is replaced by its
  restatement; one that is not stale goes on, behind " --", exactly where it stopped;
- an update heard during a repair lengthens that repair, unless it makes the repair itself stale: then a new one
  starts. A claim that is being restated, and is still right, is finished first. What a repair was to restate is
  restated even if its value came back meanwhile.

The module knows nothing about any family, nor about chance.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .world import Rule, Values, World


END = "<eos>"
_CLOSING = (",", ".", ":", ";")
_WORD = re.compile(r"(?=\S)([^\s{]*)(?:\{([^}]*)\}(\S*))?")


Word = tuple[str, str, str]
"""One word: what stands before a value, the name of the value ("" if there is none), and what stands behind it."""


class Phrase:
    """Words with the punctuation behind each (`tails`) and the claim that each belongs to (`owners`, "" for none)."""

    __slots__ = ("owners", "tails", "words")

    def __init__(self) -> None:
        self.words: list[Word] = []
        self.tails: list[str] = []
        self.owners: list[str] = []

    def keys(self) -> list[str]:
        return list(dict.fromkeys(owner for owner in self.owners if owner))

    def length(self, values: Values, start: int = 0) -> int:
        """Characters of the words from `start` on, a leading space each."""
        words, tails = self.words[start:], self.tails[start:]
        literal = sum([len(before) + len(after) for before, _, after in words]) + len("".join(tails)) + len(words)
        return literal + sum([len(values[slot]) for _, slot, _ in words if slot])


Part = str | tuple[str, str] | Phrase


def phrase(*parts: Part) -> Phrase:
    """Builds a phrase from plain text, claims `(key, text)` and other phrases, joined by spaces.

    Text between braces is the name of a value. Plain text that begins with punctuation closes up to the word before
    it: `phrase("Since", ("x", "x = {x}"), ",", ("2x", "2x = 2 * {x} = {2x}"), ".")`.
    """
    made = Phrase()
    for part in parts:
        if isinstance(part, Phrase):
            made.words += part.words
            made.tails += part.tails
            made.owners += part.owners
            continue
        key, text = ("", part) if isinstance(part, str) else part
        if not key and text[:1] in _CLOSING and made.words:
            mark, _, text = text.partition(" ")
            made.tails[-1] += mark
        words = _WORD.findall(text)
        made.words += words
        made.tails += [""] * len(words)
        made.owners += [key] * len(words)
    return made


@dataclass(frozen=True)
class Scene:
    """All that is settled before the first word.

    Attributes:
        prompt: what sets the facts and asks the questions.
        facts: the facts at the start.
        rules: what is derived from them.
        sentences: what is said, in order; at most one question is answered in each.
        bodies: for the key of each claim, the text that restates it in a repair.
        mentions: for each fact, the text that tells it in short ahead of the restatements; empty where these tell it.
        repairs: pairs of lead-in and link from the mentions to the restatements, used in turn.
        questions: the keys of the claims that were asked for, in order.
    """

    prompt: str
    facts: dict[str, str]
    rules: Mapping[str, Rule]
    sentences: Sequence[Phrase]
    bodies: Mapping[str, str]
    mentions: Mapping[str, str]
    repairs: Sequence[tuple[str, str]]
    questions: Sequence[str]


@dataclass
class Statement:
    """A claim as it was stated: its span in the text, the version it came from, and whether it is stale since."""

    key: str
    value: str
    start: int
    end: int
    version: int
    depends: tuple[str, ...]
    stale: bool = False
    complete: bool = False
    said: dict[str, str] = field(default_factory=dict)  # the values it spoke, by name

    def differs(self, values: Values) -> bool:
        return any(values[name] != value for name, value in self.said.items())


class Utterance:
    """A phrase that is being said: the next word, and the statements made so far."""

    __slots__ = ("at", "claim", "phrase", "start", "statements")

    def __init__(self, content: Phrase):
        self.phrase = content
        self.at = 0
        self.start = 0  # where the claim of the last word begins
        self.claim: Statement | None = None  # that claim, once it has spoken a value
        self.statements: dict[str, Statement] = {}

    def unsaid(self) -> list[str]:
        """The claims to come of which no value has been spoken yet."""
        owners, at = self.phrase.owners, self.at
        if self.inside():
            while at < len(owners) and owners[at] == owners[self.at]:
                at += 1
        return list(dict.fromkeys(owner for owner in owners[at:] if owner))

    def inside(self) -> Statement | None:
        """The statement that is being made: at least one value spoken, at least one word to come."""
        owners = self.phrase.owners
        if 0 < self.at < len(owners) and owners[self.at] == owners[self.at - 1]:
            return self.claim
        return None


class Speech:
    """Says a scene word by word (`speak`) and hears updates on the way (`hear`)."""

    def __init__(self, scene: Scene):
        self.scene = scene
        self.world = World(scene.facts, scene.rules)
        self.version = 0
        self.length = 0
        self.ended = False
        self.claims: list[Statement] = []
        self._pieces: list[str] = []
        self._latest: dict[str, Statement] = {}
        self._plan = iter(scene.sentences)
        self._sentence: Utterance | None = None
        self._repair: Utterance | None = None
        self._repairs = 0
        self._advance()

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def remaining(self) -> int:
        """Characters to come before the end, if no further update is heard."""
        values, total = self.world.values, 0
        repair, sentence = self._repair, self._sentence
        if repair:
            total += repair.phrase.length(values, repair.at)
            total += len(" --") if self._in_progress() else len(".")
        if sentence:
            total += sentence.phrase.length(values, sentence.at)
            position = self.scene.sentences.index(sentence.phrase)
            total += sum(later.length(values) for later in self.scene.sentences[position + 1 :])
        return max(0, total - (self.length == 0))

    def speak(self, until: float = math.inf) -> None:
        """Says whole words until at least `until` characters are out, or up to the end."""
        while not self.ended and self.length < until:
            utterance = self._repair or self._sentence
            if utterance is None:
                self._emit(END)
                self.ended = True
            elif utterance.at < len(utterance.phrase.words):
                self._say(utterance, until)
            else:  # a repair is out, and the sentence that it cut goes on
                self._emit(" --")
                self._repair = None

    def hear(self, position: int, changes: Iterable[tuple[str, str]]) -> None:
        """Speaks up to `position`, then takes in what changes there: pairs of a fact and its new value."""
        self.speak(position)
        for fact, value in changes:
            self.world.set(fact, value)
            self.version += 1
        self.ended = False
        values = self.world.values
        for claim in self.claims:
            claim.stale = claim.stale or claim.differs(values)
        stale = [key for key, claim in self._latest.items() if claim.differs(values)]
        pending = self._repair.unsaid() if self._repair else []
        fresh = [key for key in stale if key not in pending]
        if fresh:
            self._take_back(stale, fresh, pending)

    def _take_back(self, stale: list[str], fresh: list[str], pending: list[str]) -> None:
        """Starts a repair of all that is stale, or lengthens the one that is running by what is freshly stale."""
        running, values = self._repair, self.world.values
        inside = running.inside() if running else None
        on_course = inside is not None and not inside.differs(values)
        restart = running is None or (not on_course and any(key in running.statements for key in fresh))
        midway = running is not None or self._in_progress()

        keys = list(dict.fromkeys(stale + pending)) if restart else fresh
        sentence = self._sentence
        if sentence and any(key in fresh and self._latest[key] is made for key, made in sentence.statements.items()):
            own = sentence.phrase.keys()
            keys = [key for key in keys if key not in own] + own
            self._advance()

        facts = self._facts_to_mention(stale if restart else fresh, [] if restart else pending)
        bodies = [(key, self.scene.bodies[key]) for key in keys if key in self.scene.bodies]
        lead, link = self.scene.repairs[self._repairs % len(self.scene.repairs)]
        if restart:
            self._repairs += 1
            open_ended = self._pieces[-1].endswith((",", ":", ";", "--"))
            parts: list[Part] = [(lead if open_ended else f"-- {lead}") if midway else lead.capitalize()]
        else:
            assert running is not None
            parts = [running.phrase, "," if running.at < len(running.phrase.words) else "", "and"]
        for number, fact in enumerate(facts):
            parts += ["and"] * (number > 0) + [(fact, self.scene.mentions[fact])]
        if facts and bodies:
            parts.append(link)
        for number, body in enumerate(bodies):
            parts += [", and"] * (number > 0) + [body]
        if restart:
            self._repair = Utterance(phrase(*parts))
        elif running is not None:
            running.phrase = phrase(*parts)

    def _facts_to_mention(self, keys: Iterable[str], pending: Sequence[str]) -> list[str]:
        """Facts that made `keys` stale and whose present value was neither told nor is about to be."""
        values, told = self.world.values, self._latest
        facts = dict.fromkeys(
            name
            for key in keys
            for name, value in told[key].said.items()
            if name in self.scene.mentions and values[name] != value
        )
        return [fact for fact in facts if fact not in pending and (fact not in told or told[fact].differs(values))]

    def _in_progress(self) -> bool:
        return self._sentence is not None and self._sentence.at > 0

    def _advance(self) -> None:
        following = next(self._plan, None)
        self._sentence = Utterance(following) if following else None

    def _emit(self, text: str) -> None:
        self._pieces.append(text)
        self.length += len(text)

    def _say(self, utterance: Utterance, until: float) -> None:
        """Says words of one utterance up to its end or to `until`, and keeps the record of its claims."""
        words, tails, owners = utterance.phrase.words, utterance.phrase.tails, utterance.phrase.owners
        values, count = self.world.values, len(words)
        while utterance.at < count and self.length < until:
            at = utterance.at
            before, slot, after = words[at]
            key, tail = owners[at], tails[at]
            text = before + values[slot] + after if slot else before
            space = " " if self.length else ""
            start = self.length + len(space)
            if key:
                if at == 0 or owners[at - 1] != key:
                    utterance.start, utterance.claim = start, None
                if slot:
                    self._state(utterance, key, slot)
                if utterance.claim:
                    utterance.claim.end = start + len(text)
                    utterance.claim.complete = at + 1 == count or owners[at + 1] != key
            utterance.at = at + 1
            if at + 1 == count and utterance is self._repair and not self._in_progress():
                tail += "."
                self._repair = None
            text = space + text + tail
            self._pieces.append(text)
            self.length += len(text)
        if utterance.at == count and utterance is self._sentence:
            self._advance()

    def _state(self, utterance: Utterance, key: str, slot: str) -> None:
        """Notes that the claim `key` has just spoken the value `slot`."""
        values, claim = self.world.values, utterance.claim
        if claim is None:
            claim = Statement(key, "", utterance.start, 0, self.version, self.world.depends(key))
            utterance.claim = utterance.statements[key] = self._latest[key] = claim
            self.claims.append(claim)
        claim.said[slot] = values[slot]
        claim.value, claim.version = values[key], self.version
