"""How the answers to questions about a schedule are said: the plan, and what restates each claim in a repair."""

from __future__ import annotations

from random import Random

from ...world.scene import Part, Scene, Sentence, phrase
from ..base import in_every_order
from .calendar import STEPPED, Schedule, split
from .terms import THINGS


_OPENERS = ("Sure.", "Let's see.", "All right.", "Gladly.", "Here is the plan.")
_CLOSERS = ("That is all.", "That's it.", "That is the plan.", "These are the answers.")
_LEADS = ("wait,", "sorry,", "no,", "correction:")  # of one word, so that none is ever cut
_REPAIRS = in_every_order(_LEADS, (":", ":", ", so", ", so"))
_REPAIRS_WITHOUT_SO = in_every_order(_LEADS, (":",))
_OPEN = ("is open", "is not known", "is not settled")
_RECKONED = (
    "{does} {n} minutes {after} {t}, which is {v}",
    "{does} {n} minutes {after} {t}, at {v}",
    "{t} {plus} {n} minutes is {v}, so {does} at {v}",
    "{n} minutes {after} {t} is {v}, so {does} at {v}",
)
"""A time and some minutes make another time."""
_WITHOUT_SO = 2  # of these the first ones


class Answers:
    """
    Says what was asked for, in order, each value that it takes to work it out first, and nothing twice.

    Args:
        rng (`Random`): The source of chance.
        schedule (`Schedule`): What there is to say.
        asked (`list[str]`): The keys of the answers, none of which is needed for one before it.
    """

    def __init__(self, rng: Random, schedule: Schedule, asked: list[str]):
        self.rng, self.steps = rng, schedule.steps
        self.schedule, self.asked = schedule, asked
        self.open = rng.choice(_OPEN)
        self.in_short = rng.random() < 0.4  # a repair tells what was changed ahead of what follows from it
        self.numbered = len(asked) > 1 and rng.random() < 0.1
        self.said: dict[str, None] = {}  # keys of the claims of the plan
        self.spoken: dict[str, None] = {}  # values that others are reckoned from

    def scene(self, prompt: str) -> Scene:
        """All that is settled before the first word, with this prompt."""
        rng, schedule = self.rng, self.schedule
        opening = phrase(rng.choice(_OPENERS)) if rng.random() < 0.12 else None
        closing = phrase(rng.choice(_CLOSERS)) if rng.random() < 0.08 else None
        sentences = self._sentences()
        mentions = {name: self._plain(name) for name in self.spoken if self._is_told_in_short(name)}
        bodies = {key: self._body(key) for key in self.said if key not in mentions}
        repairs = _REPAIRS_WITHOUT_SO if any(" so " in body for body in bodies.values()) else _REPAIRS
        return Scene(
            prompt=prompt,
            facts={name: schedule.fact(name) for name in schedule.facts},
            rules=schedule.rules(self.asked),
            sentences=sentences,
            bodies=bodies,
            mentions=mentions,
            absences={key: self._absence(key) for key in (*bodies, *mentions)},
            repairs=rng.choice(repairs),
            questions=self.asked,
            opening=opening,
            closing=closing,
        )

    def _is_told_in_short(self, name: str) -> bool:
        return (
            self.in_short and name not in self.asked and (name not in self.steps or self.steps[name].form == "limit")
        )

    def _sentences(self) -> list[Sentence]:
        made: list[Sentence] = []
        for number, key in enumerate(self.asked):
            self._say_before(key, made)
            before = [f"{number + 1})"] if self.numbered else []
            absent = phrase(*before, (key, _capital(self._absence(key))), ".")
            made.append(Sentence(phrase(*before, *self._answer(key), "."), key, absent))
            self.said[key] = None
        return made

    def _say_before(self, key: str, made: list[Sentence]) -> None:
        """Says what has to be reckoned before `key` can be."""
        for name in self.schedule.needs(key):
            if name not in self.said:
                self._say_before(name, made)
                made.append(Sentence(phrase(*self._answer(name), "."), name))
                self.said[name] = None

    def _answer(self, key: str) -> list[Part]:
        """The words of a sentence that says `key`, without the full stop."""
        step, rng = self.steps.get(key), self.rng
        if step is None or step.form in ("limit", "right", "copy"):
            return [(key, _capital(self._plain(key)))]
        told = any(name in self.said or name in self.asked for name in step.inputs)  # in another sentence
        if step.form in STEPPED:
            self.spoken.update(dict.fromkeys(step.inputs))
            if told or rng.random() < 0.6:
                return [(key, _capital(self._reckon(key, rng.choice(_RECKONED))))]
            time, minutes = step.inputs
            first, more = f"{self._does(time)} at {{{time}}}", self._plain(minutes)
            if split(minutes)[:2] == ("duration of", split(time)[1]):
                more = f"takes {{{minutes}}} minutes"
            self.said.update(dict.fromkeys(step.inputs))
            return [(time, _capital(first)), "and", (minutes, more), ", so", (key, f"{self._does(key)} at {{{key}}}")]
        if step.form == "first" and not told and rng.random() < 0.8:
            one, other = step.inputs
            self.spoken.update(dict.fromkeys(step.inputs))
            self.said.update(dict.fromkeys(step.inputs))
            return [
                (one, _capital(self._plain(one))),
                "and",
                (other, self._plain(other)),
                ", so",
                (key, self._plain(key)),
            ]
        if not self.numbered and rng.random() < 0.5 and self.schedule.needs(key):
            return ["So", (key, self._plain(key))]
        return [(key, _capital(self._plain(key)))]

    def _body(self, key: str) -> str:
        step = self.steps.get(key)
        if step is None or step.form not in STEPPED:
            return self._plain(key)
        return self._reckon(key, self.rng.choice(_RECKONED[:_WITHOUT_SO] if self.in_short else _RECKONED))

    def _reckon(self, key: str, wording: str) -> str:
        step = self.steps[key]
        time, minutes = step.inputs
        plus, after = ("plus", "after") if step.form == "plus" else ("minus", "before")
        does = self._does(key)
        return wording.format(does=does, plus=plus, after=after, t=f"{{{time}}}", n=f"{{{minutes}}}", v=f"{{{key}}}")

    def _does(self, key: str) -> str:
        thing, event, _ = split(key)
        return self.rng.choice(THINGS[thing].does).format(x=event)

    def _plain(self, key: str) -> str:
        thing, event, other = split(key)
        return self.rng.choice(THINGS[thing].said).format(x=event, y=other, v=f"{{{key}}}")

    def _absence(self, key: str) -> str:
        return f"the {key} {self.open}{{!{key}}}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
