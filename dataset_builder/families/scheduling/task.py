"""Scheduling: "The review starts at 9:30 and takes 45 minutes. When does it end?" and then "It starts at 10:00."

Facts are times, durations, days, places and guests of events; an event may begin when another one ends, so that one
change moves several. The key of a claim reads "end of the review", "gap between the review and the lunch".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING

from ...reading import Claim
from ...speech.grammar import Wordings, upper_first
from ...world import names
from ...world.facts import NONE, Values
from ...world.scene import Scene
from ..asking import ASK_MANY, ASK_ONE, FRAMES
from ..base import ORDINALS, Family, clauses, word_prompt
from . import wordings as wordings
from .answers import Answers
from .calendar import (
    CLOCK,
    CLOSED,
    LATEST,
    MINUTE,
    OPEN,
    RANGES,
    WEEKDAYS,
    Schedule,
    draw_date,
    draw_event,
    draw_minutes,
    draw_value,
    is_trip,
    split,
)
from .reader import read
from .terms import THINGS


if TYPE_CHECKING:
    from ...config import BuilderConfig


_ASK_ONE = Wordings(ASK_ONE, ("I would like to learn {q}.", "could you find {q}?", "I need to hear {q}."))
_ASK_MANY_UNSEEN = (
    ("list", "{n}) {q}"),
    ("explain", "{ordinal} {q}"),
    ("", "item {n} is {q}"),
)
_UPDATES = {
    kind: Wordings(wordings.UPDATES[kind], unseen)
    for kind, unseen in {
        "correction": (
            "Update {noun} to {new}.",
            "Replace {old} by {new} for {noun}.",
            "It turns out that {tell}.",
        ),
        "refinement": ("With more care, {tell}.", "On a closer look, {tell}."),
        "constraint": ("We have to respect something: {tell}.", "It was decided that {tell}."),
        "invalidation": ("{Noun} is up in the air.", "They dropped {old} as {noun}."),
        "addition": ("As for {noun}, it is {new}.", "They fixed {noun}: {new}."),
    }.items()
}
_LIFTED = {
    "earliest start of": Wordings(
        wordings.LIFTED["earliest start of"],
        ("Nothing limits the start of the {x} any longer.", "The {x} is free to start at any hour."),
    ),
    "break between": Wordings(
        wordings.LIFTED["break between"],
        ("The {x} and the {y} need nothing between them now.", "Leave out the break between the {x} and the {y}."),
    ),
}
"""A limit that no longer holds: what it limited does not become open."""
_PUT_OFF = Wordings(
    wordings.PUT_OFF,
    ("The {x} was postponed without a new time.", "Nobody can say when the {x} will start."),
)

_WEIGHTS = {"limit": 1.5, "copy": 2.0, "plus": 3.0, "minus": 3.0, "right": 3.0, "first": 4.0, "gap": 8.0}
"""How often a value is asked for that follows in each form; what was just told counts 1."""

_STARTS = ("start of", "planned start of")
_ENDS = ("end of", "arrival of")
_SIDES = ("North", "South", "East", "West", "Upper", "Lower")
_ASIDES = ("start of", "duration of", "day of", "place of", "guest of")
_WITHOUT_VALUE = ("right after", "same day", "same place")


class Scheduling(Family):
    name = "scheduling"

    def draw(self, rng: Random, config: BuilderConfig, accepts: Callable[[str], bool]) -> Scene | None:
        schedule = Schedule(rng, config)
        asked = self._ask(rng, schedule, config)
        prompt = word_prompt(
            lambda: self._prompt(rng, schedule, asked, config),
            lambda prompt: accepts(prompt) and _names_all(prompt, schedule),
        )
        if prompt is None:
            return None
        return Answers(rng, schedule, asked).scene(prompt)

    def _ask(self, rng: Random, schedule: Schedule, config: BuilderConfig) -> list[str]:
        """What is asked for; what has to be worked out more often than what was just told."""
        schedule.add_pairs()
        weights = {name: 1.0 for name in schedule.facts if THINGS[split(name)[0]].asked.known}
        weights.update((key, _WEIGHTS[step.form]) for key, step in schedule.steps.items())
        drawn = sorted(weights, key=lambda key: rng.random() ** (1 / weights[key]))
        asked = drawn[-rng.randint(*config.num_questions) :]
        rng.shuffle(asked)
        return schedule.in_order(asked)

    def _prompt(self, rng: Random, schedule: Schedule, asked: Sequence[str], config: BuilderConfig) -> str:
        told = [
            self._frame(rng, self._tell(rng, thing, name, schedule.facts.get(name, NONE), config), config)
            for thing, name in sorted(schedule.told, key=lambda _: rng.random())
            if thing in _WITHOUT_VALUE or schedule.facts[name] != NONE
        ]
        mark = rng.choice((".", ".", ".", ";", ","))
        if mark != "." and len(told) > 1:
            told[-1] = f"and {told[-1]}"
        told = [f"{clause}{mark}" for clause in told[:-1]] + [f"{told[-1]}."]
        if len(asked) == 1:
            ask = [self._question(rng, asked[0], config)]
        else:
            intro, item = rng.choice(_ASK_MANY_UNSEEN if config.paraphrase else ASK_MANY)
            stop = rng.choice((";", ";", ",")) if intro else rng.choice((";", ".", "."))
            items = [
                item.format(n=number + 1, ordinal=ORDINALS[number], q=self._topic(rng, key, config))
                for number, key in enumerate(asked)
            ]
            ask = [f"{intro} {items[0]}".strip() + stop, *(f"{item}{stop}" for item in items[1:])]
            ask[-1] = ask[-1][:-1] + "."
        return clauses(*told, *ask) if rng.random() < 0.7 else clauses(*ask, *told)

    def _frame(self, rng: Random, clause: str, config: BuilderConfig) -> str:
        """A clause of a prompt, with a few words around it now and then."""
        if config.paraphrase or rng.random() < 0.75:
            return clause
        return rng.choice(FRAMES).format(tell=clause)

    def _topic(self, rng: Random, key: str, config: BuilderConfig) -> str:
        thing, event, other = split(key)
        return THINGS[thing].asked.draw(rng, config).format(x=event, y=other)

    def _question(self, rng: Random, key: str, config: BuilderConfig) -> str:
        thing, event, other = split(key)
        if rng.random() < 0.45:
            return THINGS[thing].questions.draw(rng, config).format(x=event, y=other)
        return _ASK_ONE.draw(rng, config).format(q=self._topic(rng, key, config))

    def _tell(self, rng: Random, thing: str, name: str, value: str, config: BuilderConfig) -> str:
        _, event, other = split(name)
        ends = "arrives" if is_trip(event) else "ends"
        return THINGS[thing].told.draw(rng, config).format(x=event, y=other, v=value, ends=ends)

    def new_value(
        self,
        rng: Random,
        kind: str,
        scene: Scene,
        values: Values,
        fact: str,
        past: Sequence[str],
        config: BuilderConfig,
    ) -> str | None:
        """A value that leaves every time between 7:00 and 21:00, if a few tries find one."""
        if kind == "invalidation":
            return NONE
        thing, event, _ = split(fact)
        if THINGS[thing].type not in ("time", "number"):
            if kind == "refinement":
                return self._refine(rng, values[fact], config)
            return self._another(rng, fact, past, config)
        for _ in range(10):
            if THINGS[thing].type == "time":
                new = self._time(rng, kind, scene, values, fact, config)
            elif kind == "refinement":
                new = str(_nearby(rng, int(values[fact]), config))
                low, high = RANGES[thing]
                if not low <= int(new) <= high:
                    continue
            else:
                new = draw_value(rng, fact, config)
            if new not in past and _fits(scene, values, fact, new):
                return new
        return None

    def _time(self, rng: Random, kind: str, scene: Scene, values: Values, fact: str, config: BuilderConfig) -> str:
        ends = sum(key.startswith(_ENDS) and fact in rule.depends for key, rule in scene.rules.items())
        latest = LATEST[ends]
        now = values[fact]
        if kind == "constraint":
            planned = values[f"planned {fact.partition(' ')[2]}"]
            around = MINUTE[planned] if planned != NONE else 12 * 60
            low, high = (around + 5, around + 90) if rng.random() < 0.75 else (around - 60, around)
        elif kind == "refinement":
            return CLOCK[min(_nearby(rng, MINUTE[now], config), latest)]
        elif now != NONE and rng.random() < 0.5:
            low, high = MINUTE[now] - 60, MINUTE[now] + 60
        else:
            low, high = OPEN, CLOSED
        low = max(low, OPEN)
        high = max(min(high, latest), OPEN + 5)
        low = min(low - low % 5, high - high % 5 - 5)
        return CLOCK[draw_minutes(rng, low, high - high % 5, config.novel_values)]

    def _refine(self, rng: Random, old: str, config: BuilderConfig) -> str | None:
        """A day, a place or a guest, told more exactly."""
        first, _, rest = old.partition(" ")
        if first == "room":
            return old + rng.choice("abcdef") if old[-1].isdigit() else None
        if rest == "Hall":
            return f"{rng.choice(_SIDES)} {old}"
        if first in WEEKDAYS:
            return None if rest else f"{first} {draw_date(rng, config)}"
        if first.isdigit():
            return f"{rng.choice(WEEKDAYS)} {old}"
        return None if rest else f"{rng.choice(names.FIRST_NAMES)} {old}"

    def _another(self, rng: Random, fact: str, past: Sequence[str], config: BuilderConfig) -> str | None:
        for _ in range(10):
            value = draw_value(rng, fact, config)
            if value not in past and value not in fact:
                return value
        return None

    def word(self, rng: Random, kind: str, scene: Scene, fact: str, old: str, new: str, config: BuilderConfig) -> str:
        thing, event, other = split(fact)
        if kind == "invalidation" and thing in _LIFTED:
            return _LIFTED[thing].draw(rng, config).format(x=event, y=other)
        if kind == "invalidation" and thing in _STARTS and rng.random() < 0.4:
            return _PUT_OFF.draw(rng, config).format(x=event)
        if kind not in _UPDATES or rng.random() < 0.4:
            return super().word(rng, kind, scene, fact, old, new, config)
        unit = " minutes" if THINGS[thing].type == "number" else ""
        template = _UPDATES[kind].draw(rng, config)
        tell = self.tell(rng, scene, fact, new, config) if "ell}" in template else ""
        slots = {"tell": tell, "noun": f"the {fact}", "old": old + unit, "new": new + unit}
        return upper_first(
            template.format(**slots, **{name.title(): upper_first(text) for name, text in slots.items()})
        )

    def tell(self, rng: Random, scene: Scene, fact: str, value: str, config: BuilderConfig) -> str:
        return self._tell(rng, split(fact)[0], fact, value, config)

    def noun(self, scene: Scene, fact: str) -> str:
        return f"the {fact}"

    def aside(self, rng: Random, scene: Scene, config: BuilderConfig) -> str:
        taken = {word for fact in scene.facts for word in fact.split()}
        event = draw_event(rng, config)
        while event.rpartition(" ")[2] in taken:
            event = draw_event(rng, config)
        thing = rng.choice(("departure of", "duration of") if is_trip(event) else _ASIDES)
        fact = f"{thing} the {event}"
        if THINGS[thing].type == "time":
            value = CLOCK[draw_minutes(rng, OPEN, CLOSED, config.novel_values)]
        else:
            value = draw_value(rng, fact, config)
        return self.word(rng, "addition", scene, fact, NONE, value, config)

    def read(self, text: str) -> list[Claim]:
        return read(text)


def _names_all(prompt: str, schedule: Schedule) -> bool:
    """Whether a prompt speaks of all events: what is added of another one could not be told from an aside."""
    words = {word.rstrip(".,;:?") for word in prompt.split()}
    return all(event.name.rpartition(" ")[2] in words for event in schedule.events)


def _nearby(rng: Random, number: int, config: BuilderConfig) -> int:
    """A number close by; a novel one stays novel."""
    step = rng.randint(1, 4) - number % 5 if config.novel_values else rng.choice((-10, -5, 5, 10))
    return number + step


def _fits(scene: Scene, values: Values, fact: str, new: str) -> bool:
    """Whether all times lie within the day if `fact` is `new`."""
    if ":" in new and not OPEN <= MINUTE[new] <= CLOSED:
        return False
    trial = {**values, fact: new}
    for key, rule in scene.rules.items():
        value = trial[key] = rule.compute(trial)
        if ":" in value and fact in rule.depends and not OPEN <= MINUTE[value] <= CLOSED:
            return False
    return True
