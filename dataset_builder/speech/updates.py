"""Draws the user's updates, of every kind, for a scene that is being emitted."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import NamedTuple

from ..config import BuilderConfig
from ..families import Family
from ..world.facts import NONE
from ..world.kinds import HELD_OUT
from ..world.scene import GOING, Scene
from .discourse import Changes, Speech
from .grammar import CHATTER, SAYS, STOP, TAKE_BACK, TAKE_BACK_LAST


class PlacedUpdate(NamedTuple):
    """An update: its position, text and source, and what it changes."""

    position: int
    text: str
    kind: str
    source: str
    changes: Changes


@dataclass
class Change:
    """A change in effect: the facts it set, their values before, and whether an aside arrived since, to which "the
    last change" might also refer."""

    text: str
    source: str
    after: dict[str, str]
    before: dict[str, str]
    buried: bool = False


Said = tuple[str, str, Changes]
"""The text of an update, its source, and what it changes."""


class Mix:
    """The kinds of update that a family gets under a configuration, and their frequencies."""

    def __init__(self, family: Family, config: BuilderConfig):
        drawn = {kind: weight for kind, weight in config.kinds.items() if weight > 0}
        usual = {kind: weight for kind, weight in drawn.items() if (family.name, kind) not in HELD_OUT}
        self.held_out = [kind for kind in drawn if (family.name, kind) in HELD_OUT] if config.composition else []
        self.usual = list(usual) or ["correction"]
        self.weights = list(accumulate(usual.values())) or [1.0]

    def draw(self, rng: Random, first: bool) -> str:
        if self.held_out and (first or rng.random() < 0.7):
            return rng.choice(self.held_out)
        return self.usual[bisect(self.weights, rng.random() * self.weights[-1])]


class Listener:
    """
    Draws updates one after the other, and records what they changed.

    Args:
        rng (`Random`): The random number generator.
        family (`Family`): Words the updates.
        scene (`Scene`): The scene that is being emitted.
        config (`BuilderConfig`): How values are drawn.
        mix (`Mix`): How often each kind is drawn.
        speakers (`tuple[str, str]`, *optional*): A trusted person, and one whom the prompt declares untrusted.
    """

    def __init__(
        self,
        rng: Random,
        family: Family,
        scene: Scene,
        config: BuilderConfig,
        mix: Mix,
        speakers: tuple[str, str] | None = None,
    ):
        self.rng, self.family, self.scene, self.config, self.mix = rng, family, scene, config, mix
        self.speakers = speakers
        self.values: dict[str, str] = {name: fact.value for name, fact in scene.facts.items()}
        self.past: dict[str, list[str]] = {name: [fact.value] for name, fact in scene.facts.items()}
        self.standing: list[Change] = []
        self.corrected: list[str] = []
        relevant = dict.fromkeys(
            fact for key in scene.questions for fact in (scene.rules[key].depends if key in scene.rules else (key,))
        )
        self.relevant = [fact for fact in relevant if fact in scene.facts]

    def draw(self, speech: Speech, first: bool) -> tuple[str, Said]:
        """The kind and the content of the next update."""
        for attempt in range(12):
            kind = self.mix.draw(self.rng, first and attempt == 0)
            said = self.propose(kind, speech)
            if said is not None:
                break
        else:
            kind = "chatter"
            said = CHATTER.draw(self.rng, self.config), "user", ()
        self._note(kind, said)
        return kind, said

    def stop(self) -> tuple[str, Said]:
        return "stop", (STOP.draw(self.rng, self.config), "user", ((GOING, "no"),))

    def propose(self, kind: str, speech: Speech) -> Said | None:
        """The content of an update of that kind; None if the kind is not possible now."""
        rng, family, scene, config = self.rng, self.family, self.scene, self.config
        if kind == "chatter":
            return CHATTER.draw(rng, config), "user", ()
        if kind == "immaterial":
            return family.aside(rng, scene, config), "user", ()
        if kind == "retraction":
            return self._take_back()
        if kind == "repetition":
            standing = [
                change
                for change in self.standing
                if all(self.values[fact] == value for fact, value in change.after.items())
            ]
            if not standing:
                return None
            again = rng.choice(standing)
            return again.text, again.source, ()
        if kind == "confirmation":
            known = [fact for fact in self.relevant if self.values[fact] != NONE and self._may(fact, "correction")]
            if not known:
                return None
            fact = rng.choice(known)
            value = self.values[fact]
            return family.word(rng, kind, scene, fact, value, value, config), "user", ()
        if kind == "recorrection":
            facts = [fact for fact in dict.fromkeys(self.corrected) if self._may(fact, "correction")]
            return self._change(kind, "correction", facts)
        if kind == "adversarial":
            latest = next((claim for claim in reversed(speech.claims) if claim.stale_version < 0), None)
            facts = [fact for fact in latest.facts if self._may(fact, "correction")] if latest else []
            return self._change(kind, "correction", facts)
        if kind == "untrusted":
            said = self._change("correction", "correction", self._facts("correction"))
            return self._quote(said, self.speakers[1], ()) if said and self.speakers else None
        said = self._change(kind, kind, self._facts(kind))
        if said and self.speakers and rng.random() < 0.15:
            return self._quote(said, self.speakers[0], said[2])
        return said

    def _quote(self, said: Said, name: str, changes: Changes) -> Said:
        return SAYS.draw(self.rng, self.config).format(name=name, text=said[0]), name, changes

    def _may(self, fact: str, kind: str) -> bool:
        """Whether an update of that kind can change the fact now."""
        entry, value = self.scene.facts[fact], self.values[fact]
        if kind not in entry.kinds:
            return False
        if entry.type == "list":
            return True
        return (value == NONE) == (kind in ("addition", "constraint"))

    def _facts(self, kind: str) -> list[str]:
        asked = self.rng.random() < self.config.asked
        facts = [fact for fact in (self.relevant if asked else self.scene.facts) if self._may(fact, kind)]
        return facts or [fact for fact in self.scene.facts if self._may(fact, kind)]

    def _change(self, kind: str, way: str, facts: list[str]) -> Said | None:
        """An update worded as `kind` that changes one of the facts as `way`, one of `kinds.CHANGING`, does."""
        rng, family, scene, config = self.rng, self.family, self.scene, self.config
        if not facts:
            return None
        fact = rng.choice(facts)
        old, past = self.values[fact], self.past[fact]
        gone = [value for value in past if value not in (old, NONE)]
        new: str | None
        if way == "correction" and gone and scene.facts[fact].type != "list" and rng.random() < config.going_back:
            new = rng.choice(gone)
        else:
            new = family.new_value(rng, way, scene, self.values, fact, past, config)
        if new is None or new == old:
            return None
        text = family.word(rng, kind, scene, fact, old, new, config)
        return text, "user", ((fact, new),)

    def _take_back(self) -> Said | None:
        """Retracts the last change in effect, or the last one of some fact."""
        if not self.standing:
            return None
        facts = list(dict.fromkeys(fact for change in self.standing for fact in change.after))
        if not self.standing[-1].buried and (self.rng.random() < 0.65 or len(facts) == 1 and self.rng.random() < 0.5):
            change = self.standing[-1]
            text = TAKE_BACK_LAST.draw(self.rng, self.config)
        else:
            fact = self.rng.choice(facts)
            change = next(change for change in reversed(self.standing) if fact in change.after)
            text = TAKE_BACK.draw(self.rng, self.config).format(noun=self.family.noun(self.scene, fact))
        return text, "user", tuple(change.before.items())

    def _note(self, kind: str, said: Said) -> None:
        text, source, changes = said
        if kind == "retraction":
            undone = dict(changes)
            index = max(i for i, change in enumerate(self.standing) if change.before == undone)
            del self.standing[index]
        elif changes:
            after = dict(changes)
            self.standing.append(Change(text, source, after, {fact: self.values[fact] for fact in after}))
            self.corrected += after
        elif kind == "immaterial":
            for change in self.standing:
                change.buried = True
        for fact, value in changes:
            self.values[fact] = value
            if value not in self.past[fact]:
                self.past[fact].append(value)
