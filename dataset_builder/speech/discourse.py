"""Emits a plan while the facts change: the emission rule.

A `Speech` emits a scene word by word and receives updates at any character. An update takes effect at once:

- a word that has begun is finished;
- if nothing emitted is stale, the text continues with the new values;
- if something emitted is stale, one repair takes it back: a lead-in, the changed facts in brief unless the restatement
  states them itself, and each stale claim once. A sentence that was cut short and is stale, or can no longer be
  finished, is replaced by its restatement; one that is not stale continues, after " --", exactly where it stopped;
- an update received during a repair lengthens that repair, unless it makes the repair itself stale: then a new one
  starts. A claim that is being restated, and is still right, is finished first. A claim due for restatement is
  restated even if its value has changed back meanwhile.

The module depends on no family and uses no randomness.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..world.facts import NONE, Values, World
from ..world.scene import GOING, Part, Phrase, Scene, one_word, phrase


END = "<eos>"
Changes = Sequence[tuple[str, str]]
"""The effect of one update: facts and their new values."""


@dataclass
class Statement:
    """A stated claim: its span in the text, the version it was stated in, and the version that made it stale (-1 while
    it is not)."""

    key: str
    value: str
    start: int
    end: int
    version: int
    facts: tuple[str, ...]
    stale_version: int = -1
    complete: bool = False
    said: dict[str, str] = field(default_factory=dict)  # the values it has emitted, by name

    def differs(self, values: Values) -> bool:
        for name, value in self.said.items():
            if values[name] != value:
                return True
        return False


@dataclass
class Repair:
    """The span of a repair, and the version that required it."""

    start: int
    end: int
    version: int


class Utterance:
    """A phrase that is being emitted: the next word, and the statements made so far."""

    __slots__ = ("at", "claim", "phrase", "start", "statements")

    def __init__(self, content: Phrase):
        self.phrase = content
        self.at = 0
        self.start = 0  # start of the claim of the last word
        self.claim: Statement | None = None  # that claim, once it has emitted a value
        self.statements: dict[str, Statement] = {}

    def unsaid(self) -> list[str]:
        """The claims still to come of which no value has been emitted."""
        owners, at = self.phrase.owners, self.at
        if self.inside():
            while at < len(owners) and owners[at] == owners[self.at]:
                at += 1
        return list(dict.fromkeys(owner for owner in owners[at:] if owner))

    def inside(self) -> Statement | None:
        """The statement in progress: at least one value emitted, at least one word left."""
        owners = self.phrase.owners
        if 0 < self.at < len(owners) and owners[self.at] == owners[self.at - 1]:
            return self.claim
        return None

    def broken(self, values: Values) -> bool:
        """Whether a remaining word has lost its value, or denies a value that now exists."""
        for _, slot, _ in self.phrase.words[self.at :]:
            if slot and ((values[slot[1:]] != NONE) if slot[0] == "!" else (values[slot] == NONE)):
                return True
        return False


class Speech:
    """
    Emits a scene word by word (`speak`) and receives updates on the way (`receive`).

    Attributes:
        version (`int`): Number of updates received.
        length (`int`), ended (`bool`): Number of characters emitted, and whether nothing is left to emit.
        claims (`list[Statement]`), repairs (`list[Repair]`): What was emitted.
        history (`list[tuple[str, int, str]]`): Each value with its name and the first version in which it holds.
        nothing (`str`): The word for the value `NONE`.
    """

    nothing = NONE

    def __init__(self, scene: Scene):
        self.scene = scene
        self.world = World(scene.facts, scene.rules)
        self.version = 0
        self.length = 0
        self.ended = False
        self.claims: list[Statement] = []
        self.repairs: list[Repair] = []
        self.history: list[tuple[str, int, str]] = [(name, 0, value) for name, value in self.world.values.items()]
        self._pieces: list[str] = []
        self._latest: dict[str, Statement] = {}
        self._said: set[int] = set()  # places of the plan that were emitted in this round
        self._opening, self._closing = scene.opening, scene.closing
        self._sentence: Utterance | None = None
        self._repair: Utterance | None = None

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def remaining(self) -> int:
        """Number of characters up to the end of this round, if no further update arrives."""
        values, total = self.world.values, 0
        repair, sentence = self._repair, self._sentence
        if repair:
            total += repair.phrase.length(values, repair.at)
            total += len(" --") if self._in_progress() else len(".")
        if sentence:
            total += sentence.phrase.length(values, sentence.at)
        for words in (self._opening, *(words for _, words in self._due()), self._closing):
            if words:
                total += words.length(values)
        return max(0, total - (self.length == 0))

    def speak(self, until: float = math.inf) -> None:
        """Emits whole words until there are at least `until` characters, or to the end."""
        if until == math.inf and self.scene.endless and self.world.values[GOING] == "yes":
            raise ValueError("`until` is needed while a scene without end goes on: it never stops by itself.")
        while not self.ended and self.length < until:
            utterance = self._current() or self._next()
            if utterance is None:
                self._finish()
            elif utterance.at < len(utterance.phrase.words):
                self._say(utterance, until)
            else:  # a repair is complete; the sentence that it cut continues
                self._emit(" --")
                self.repairs[-1].end = self.length
                self._repair = None

    def receive(self, position: int, updates: Iterable[Changes]) -> list[str]:
        """Emits text up to `position`, then applies the updates that arrive there. Returns the keys of everything that
        a repair now takes back."""
        self.speak(position)
        world = self.world
        before = len(self.history)
        for changes in updates:
            self.version += 1
            for fact, value in changes:
                self.history += [(name, self.version, world.values[name]) for name in world.set(fact, value)]
        self.ended = False
        if len(self.history) == before:
            return []  # nothing has changed
        values = world.values
        for claim in self.claims:
            if claim.stale_version < 0 and claim.differs(values):
                claim.stale_version = self.version
        stale = [key for key, claim in self._latest.items() if claim.differs(values)]
        pending = self._repair.unsaid() if self._repair else []
        fresh = [key for key in stale if key not in pending]
        sentence = self._sentence if self._must_drop(fresh) else None
        broken = self._repair is not None and self._repair.broken(values)
        for utterance in (sentence, self._repair if broken else None):
            cut = utterance.inside() if utterance else None
            if cut and cut.stale_version < 0:  # it can no longer be finished
                cut.stale_version = self.version
        if broken and self._repair:
            cut = self._repair.inside()
            pending = [cut.key, *pending] if cut and cut.key not in pending else pending
        if fresh or sentence or broken:
            self._take_back(stale, fresh, pending, sentence, broken)
        return fresh + pending * broken + (sentence.phrase.keys() if sentence else [])

    def _take_back(
        self, stale: list[str], fresh: list[str], pending: list[str], dropped: Utterance | None, broken: bool
    ) -> None:
        """Starts a repair of everything stale, or adds what has just become stale to the current repair."""
        running, values = self._repair, self.world.values
        inside = running.inside() if running else None
        on_course = inside is not None and not inside.differs(values)
        restart = running is None or broken or (not on_course and any(key in running.statements for key in fresh))
        midway = bool(self._pieces) and not self._pieces[-1].endswith((".", END))

        keys = list(dict.fromkeys(stale + pending)) if restart else list(fresh)
        if dropped:
            own = dropped.phrase.keys()
            keys = [key for key in keys if key not in own] + own
            self._sentence = None
        facts = self._facts_to_mention(stale if restart else fresh, [] if restart else pending)
        bodies = [(key, self.scene.body(key, values)) for key in keys if key in self.scene.bodies]
        mentions = [(fact, self.scene.mention(fact, values)) for fact in facts]
        if restart and running is not None and running.at == 0:
            self.repairs.pop()  # none of it was emitted
        lead, link = self.scene.repairs[len(self.repairs) % len(self.scene.repairs)]
        if restart:
            self._repair = Utterance(
                phrase(one_word(self._lead_in(lead, midway)), *self._join(mentions, bodies, link))
            )
            self.repairs.append(Repair(-1, -1, self.version))
        elif running is not None:
            more = self._join(mentions, bodies, link)
            running.phrase = phrase(
                running.phrase, "," if running.at < len(running.phrase.words) else "", "and", *more
            )

    def _lead_in(self, lead: str, midway: bool) -> str:
        if not midway:
            return lead.capitalize()
        return lead if self._pieces[-1].endswith((",", ":", ";", "--")) else f"-- {lead}"

    def _join(self, mentions: list[tuple[str, str]], bodies: list[tuple[str, str]], link: str) -> list[Part]:
        """Changed facts in brief, then the claims that follow from them."""
        parts: list[Part] = []
        for number, mention in enumerate(mentions):
            parts += ["and"] * (number > 0) + [mention]
        if mentions and bodies:
            parts.append(link)
        for number, body in enumerate(bodies):
            parts += [", and"] * (number > 0) + [body]
        return parts

    def _facts_to_mention(self, keys: Iterable[str], pending: Sequence[str]) -> list[str]:
        """Facts that made `keys` stale and whose current value is neither stated yet nor about to be."""
        values, told = self.world.values, self._latest
        facts = dict.fromkeys(
            name
            for key in keys
            for name, value in told[key].said.items()
            if name in self.scene.mentions and values[name] != value
        )
        return [fact for fact in facts if fact not in pending and (fact not in told or told[fact].differs(values))]

    def _must_drop(self, fresh: Sequence[str]) -> bool:
        """Whether the current sentence has become stale, or can no longer be finished."""
        sentence = self._sentence
        if sentence is None:
            return False
        stale = any(key in fresh and self._latest[key] is made for key, made in sentence.statements.items())
        return stale or sentence.broken(self.world.values)

    def _in_progress(self) -> bool:
        return self._sentence is not None and self._sentence.at > 0

    def _current(self) -> Utterance | None:
        """The utterance in progress."""
        return self._repair or self._sentence

    def _due(self) -> Iterator[tuple[int, Phrase]]:
        """The phrases of the plan up to the end of this round."""
        values = self.world.values
        if self.scene.endless and values[GOING] != "yes":
            return
        for number, sentence in enumerate(self.scene.sentences):
            if number not in self._said:
                words = sentence.words(values)
                if words:
                    yield number, words

    def _next(self) -> Utterance | None:
        """The next sentence; None at the end."""
        content, self._opening = self._opening, None
        if content is None:
            due = next(self._due(), None)
            if due is None and self._said and self.scene.endless and self.world.values[GOING] == "yes":
                self._said.clear()
                due = next(self._due(), None)
            if due:
                self._said.add(due[0])
                content = due[1]
            else:
                content, self._closing = self._closing, None
        self._sentence = Utterance(content) if content else None
        return self._sentence

    def _finish(self) -> None:
        self._emit(END)
        self.ended = True

    def _emit(self, text: str) -> None:
        self._pieces.append(text)
        self.length += len(text)

    def _opens(self) -> str:
        """The text before the first word of an utterance."""
        return " " if self.length else ""

    def _stop(self) -> str:
        """The text after a repair that ends the current utterance."""
        return "."

    def _say(self, utterance: Utterance, until: float) -> None:
        """Emits words of one utterance, at least one, up to its end or to `until`, and records its claims."""
        words, tails, owners = utterance.phrase.words, utterance.phrase.tails, utterance.phrase.owners
        values, count = self.world.values, len(words)
        at, length, claim = utterance.at, self.length, utterance.claim
        owner = owners[at - 1] if at else None
        repairing, say = utterance is self._repair, self._pieces.append
        while True:
            before, slot, after = words[at]
            text = (" " if at else self._opens()) + before
            if repairing and not at:
                self.repairs[-1].start = length + len(text) - len(before)
            if owners[at] != owner:
                if claim:
                    claim.complete = True
                owner, claim = owners[at], None
                utterance.start = length + len(text) - len(before)
            if slot:
                if slot[0] != "!":
                    value = values[slot]
                    text += self.nothing if value == NONE else value
                if owner:
                    claim = self._state(utterance, claim, owner, slot.lstrip("!"))
            text += after
            length += len(text)
            if claim:
                claim.end = length
            if tails[at]:
                text += tails[at]
                length += len(tails[at])
            say(text)
            at += 1
            if at == count or length >= until:
                break
        if claim and (at == count or owners[at] != owner):
            claim.complete = True
        utterance.at, utterance.claim, self.length = at, claim, length
        if repairing:
            if at == count and not self._in_progress():
                self._emit(self._stop())
                self._repair = None
            self.repairs[-1].end = self.length
        if at == count and utterance is self._sentence:
            self._sentence = None

    def _state(self, utterance: Utterance, claim: Statement | None, key: str, slot: str) -> Statement:
        """Records that the claim `key`, which may have begun before, has just stated the value `slot`."""
        values = self.world.values
        if claim is None:
            claim = Statement(key, "", utterance.start, 0, self.version, self.world.depends(key))
            utterance.statements[key] = self._latest[key] = claim
            self.claims.append(claim)
        claim.said[slot] = values[slot]
        claim.value, claim.version = values[key], self.version
        return claim
