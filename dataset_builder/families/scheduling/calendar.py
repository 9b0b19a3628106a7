"""Draws schedules: events, what is told of them, and how each value that can be asked for follows from that.

A fact, and a value that follows, is called what it is of which event: "start of the review". Its thing is what stands
before the first " the ".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from ...world import names
from ...world.facts import NONE, Fact, Rule, Values
from .terms import THINGS


if TYPE_CHECKING:
    from ...config import BuilderConfig


EVENTS = """audition auction assembly banquet breakfast briefing brunch ceremony class concert conference contest
course debate demo dinner drill exam exhibition fair film gala game hearing inspection interview lecture lesson lunch
match meeting opera parade party performance picnic play practice premiere presentation quiz race reading reception
recital rehearsal review seminar session show speech talk tasting test tour training trial tutorial wedding
workshop""".split()
TRIPS = {"train": "platform", "tram": "platform", "bus": "stop", "coach": "stop", "ferry": "pier", "flight": "gate"}
"""Events that are journeys, and where they leave from."""

CLOCK = [f"{minute // 60}:{minute % 60:02}" for minute in range(24 * 60)]
MINUTE = {time: minute for minute, time in enumerate(CLOCK)}
OPEN, CLOSED = 7 * 60, 21 * 60
"""Between these, in minutes since midnight, lies all that is said of a day."""

LATEST = (20 * 60, 19 * 60 + 30, 16 * 60 + 30, 14 * 60 + 30)
"""Latest time that is told, by the number of ends that follow from it: midnight is never reached, however long all of
that takes."""

RANGES = {"duration of": (10, 120), "way to": (5, 60), "time between": (5, 60), "break between": (5, 60)}
"""Fewest and most minutes."""

WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()

_LIMITS = ("earliest start of", "break between")
"""Facts that come only as a new constraint; there is none while they are `NONE`."""
_LIMIT_KINDS = ("constraint", "correction", "invalidation")
_KINDS = ("correction", "refinement", "invalidation", "addition")

_DATES = [f"{day} {month}" for month in MONTHS for day in range(1, 29)]
_DAYS = {
    False: [date for date in _DATES if not names.is_novel(date)],
    True: [date for date in _DATES if names.is_novel(date)],
}
_NOVEL_EVENTS = [word for word in EVENTS if names.is_novel(word)]
_USUAL_EVENTS = [word for word in EVENTS if not names.is_novel(word)]
_OF_TRIPS = tuple(permutations(("day of", "boarding place of")))
_OF_OTHERS = tuple(permutations(("day of", "place of", "guest of")))
_EARLIEST = 8 * 60
_MORNING = 9 * 60  # an end that may be told instead of the start


class Step(NamedTuple):
    """How a value follows from `inputs`, all of which it needs, and from a `limit`, if there is one by then."""

    form: str
    inputs: tuple[str, ...]
    limit: str = ""


STEPPED = ("plus", "minus")
"""Forms in which two inputs are reckoned with aloud."""


@lru_cache(maxsize=4096)
def split(name: str) -> tuple[str, str, str]:
    """The thing and the events in the name of a fact or a value; the second event is "" mostly."""
    thing, _, events = name.partition(" the ")
    first, _, second = events.partition(" and the ")
    return thing, first, second


def is_trip(event: str) -> bool:
    return event.rpartition(" ")[2] in TRIPS


def draw_event(rng: Random, config: BuilderConfig) -> str:
    """The name of an event: "review", "Sato interview", "Lima flight"."""
    novel = config.novel_values
    trip = rng.random() < 0.15
    if trip or rng.random() < (0.8 if novel else 0.18):
        noun = rng.choice(tuple(TRIPS) if trip else EVENTS)
        name = names.draw(rng, "city" if trip else "person", novel=novel, made_up=config.made_up)
        return f"{name} {noun}"
    return rng.choice(_NOVEL_EVENTS if novel else _USUAL_EVENTS)


def draw_minutes(rng: Random, low: int, high: int, novel: bool) -> int:
    """A number from `low` to `high` that can be divided by five, unless it is to be a novel one."""
    fives = (high - low) // 5
    return low + 5 * rng.randint(0, fives - 1) + rng.randint(1, 4) if novel else low + 5 * rng.randint(0, fives)


def draw_value(rng: Random, name: str, config: BuilderConfig) -> str:
    """A value of a fact that is not a time."""
    thing, event, _ = split(name)
    novel = config.novel_values
    if thing in RANGES:
        return str(draw_minutes(rng, *RANGES[thing], novel))
    if thing == "guest of":
        return names.draw(rng, "person", novel=novel, made_up=config.made_up)
    if thing == "boarding place of":
        return f"{TRIPS[event.rpartition(' ')[2]]} {rng.randint(13, 20) if novel else rng.randint(1, 12)}"
    if thing == "place of":
        if rng.random() < 0.5:
            return f"room {rng.randint(41, 60) if novel else rng.randint(1, 40)}"
        return f"{names.draw(rng, 'city', novel=novel, made_up=config.made_up)} Hall"
    return rng.choice(WEEKDAYS) if not novel and rng.random() < 0.6 else draw_date(rng, config)


def draw_date(rng: Random, config: BuilderConfig) -> str:
    return rng.choice(_DAYS[config.novel_values])


@dataclass(slots=True)
class _Event:
    """An event while its schedule is drawn.

    Attributes:
        name: what it is called.
        place: its place in a chain of events, from 1.
        start, end: what its start and end are called, "" while they are not known.
        dated: whether its day is told.
        followed: whether another event begins at its end, or some time after.
        root: the first event of its chain.
        given: the fact that all times of a chain follow from; only the root has one.
        span: minutes from there to the end of the chain.
    """

    name: str
    place: int = 1
    start: str = ""
    end: str = ""
    dated: bool = False
    followed: bool = False
    root: _Event | None = None
    given: str = ""
    span: int = 0

    def first(self) -> _Event:
        return self.root or self


class Schedule:
    """
    Events, and what is told of them.

    Args:
        rng (`Random`): The source of chance.
        config (`BuilderConfig`): Its `num_facts` bounds the number of clauses that tell something.

    Attributes:
        facts (`dict[str, str]`): Values of the facts, `NONE` where one may only come later.
        told (`list[tuple[str, str]]`): Thing and name of what the prompt tells.
        steps (`dict[str, Step]`): How each value that is no fact follows.
    """

    def __init__(self, rng: Random, config: BuilderConfig):
        self.rng, self.config = rng, config
        self.facts: dict[str, str] = {}
        self.told: list[tuple[str, str]] = []
        self.steps: dict[str, Step] = {}
        self.events: list[_Event] = []
        self.chained = rng.random() < 0.5  # whether events rather follow each other
        wanted = rng.randint(*config.num_facts)
        nouns: set[str] = set()
        while len(self.told) < wanted:
            name = draw_event(rng, config)
            noun = name.rpartition(" ")[2]
            if noun not in nouns:  # so that no two events can be taken for each other
                nouns.add(noun)
                self._add(_Event(name), wanted)
        for event in self.events:
            if event.given:
                self._fix(event)
        if wanted > 1 and config.kinds.get("addition") and rng.random() < 0.18:
            # what links two events stays: nobody could tell what the later one is reckoned from
            known = [
                name for thing, name in self.told if self.facts.get(name, NONE) != NONE and thing != "time between"
            ]
            if known:
                self.facts[rng.choice(known)] = NONE

    def _tell(self, name: str, value: str) -> str:
        self.facts[name] = value
        self.told.append((split(name)[0], name))
        return name

    def _add(self, event: _Event, wanted: int) -> None:
        rng = self.rng
        timed = rng.random() < 0.85
        if timed:
            self._set_times(event, wanted)
        if len(self.told) < wanted:
            self._set_others(event, wanted, timed)
        self.events.append(event)

    def _set_others(self, event: _Event, wanted: int, timed: bool) -> None:
        rng = self.rng
        for number, thing in enumerate(rng.choice(_OF_TRIPS if is_trip(event.name) else _OF_OTHERS)):
            if len(self.told) == wanted:
                break
            if rng.random() < (0.15 if timed or number else 1.0) and not (thing == "day of" and event.root):
                self._tell_thing(event, thing)

    def _tell_thing(self, event: _Event, thing: str) -> None:
        """Tells the day, the place or the guest of an event; or that it shares it with another one."""
        rng, name = self.rng, f"{thing} the {event.name}"
        event.dated |= thing == "day of"
        others = [other.name for other in self.events if f"{thing} the {other.name}" in self.facts]
        if others and thing in ("day of", "place of") and rng.random() < 0.5:
            other = rng.choice(others)
            self.told.append((f"same {thing[:-3]}", f"{name[: -len(event.name)]}{other} and the {event.name}"))
            self.steps[name] = Step("copy", (f"{thing} the {other}",))
        else:
            self._tell(name, draw_value(rng, name, self.config))

    def _set_times(self, event: _Event, wanted: int) -> None:
        """Tells when an event is, and perhaps how long it takes and how long the way to it is."""
        rng, trip = self.rng, is_trip(event.name)
        start = f"{'departure' if trip else 'start'} of the {event.name}"
        end = f"{'arrival' if trip else 'end'} of the {event.name}"
        duration = f"duration of the {event.name}"
        parents = [other for other in self.events if other.end and not other.followed and other.place < 3]
        event.start = start
        if parents and not trip and rng.random() < (0.85 if self.chained else 0.15):
            self._follow(event, rng.choice(parents))
        elif len(self.told) + 1 < wanted and rng.random() < 0.2:
            event.given = event.end = self._tell(end, "")
            self.steps[start] = Step("minus", (end, duration))
        elif not trip and self.config.kinds.get("constraint") and rng.random() < 0.22:
            event.given, limit = self._tell(f"planned {start}", ""), f"earliest {start}"
            self.facts[limit] = NONE
            self.steps[start] = Step("limit", (event.given,), limit)
        else:
            event.given = self._tell(start, "")
        if event.end:
            self._tell(duration, draw_value(rng, duration, self.config))
        elif len(self.told) < wanted and rng.random() < 0.85:
            minutes = draw_value(rng, duration, self.config)
            event.end = end
            self.steps[end] = Step("plus", (start, self._tell(duration, minutes)))
            event.first().span += int(minutes)
        if len(self.told) < wanted and rng.random() < 0.2:
            way = f"way to the {event.name}"
            self._tell(way, draw_value(rng, way, self.config))
            self.steps[f"time to leave for the {event.name}"] = Step("minus", (start, way))

    def _follow(self, event: _Event, parent: _Event) -> None:
        """Lets an event begin when another one ends, or some time after."""
        between = f"between the {parent.name} and the {event.name}"
        event.root, event.place, parent.followed = parent.first(), parent.place + 1, True
        if self.rng.random() < 0.5:
            name = f"break {between}"
            self.facts[name] = NONE
            self.told.append(("right after", name))
            self.steps[event.start] = Step("right", (parent.end,), name)
        else:
            name = f"time {between}"
            minutes = draw_minutes(self.rng, 5, 45, self.config.novel_values)
            self._tell(name, str(minutes))
            self.steps[event.start] = Step("plus", (parent.end, name))
            event.root.span += minutes

    def _fix(self, event: _Event) -> None:
        """Draws the time that all others of a chain follow from."""
        low = _EARLIEST
        if event.given == event.end:
            low = _MORNING + RANGES["duration of"][1]
        high = min(LATEST[1], CLOSED - event.span)
        self.facts[event.given] = CLOCK[draw_minutes(self.rng, low, high - high % 5, self.config.novel_values)]

    def add_pairs(self) -> None:
        """Adds what can be asked of two events of one day that do not follow from each other."""
        events = [event for event in self.events if event.start and not event.first().dated]
        if len(events) < 2:
            return
        one, other = self.rng.sample(events, 2)
        if one.first() is other.first():
            return
        both = f"the {one.name} and the {other.name}"
        if one.end and other.end and self.rng.random() < 0.7:
            self.steps[f"gap between {both}"] = Step("gap", (one.start, one.end, other.start, other.end))
        else:
            self.steps[f"first of {both}"] = Step("first", (one.start, other.start))

    def needs(self, key: str) -> list[str]:
        """What has to be reckoned aloud right before a value can be told."""
        found: list[str] = []
        if key in self.steps:
            for name in self.steps[key].inputs:
                stepped = name in self.steps and self.steps[name].form in STEPPED
                found += [name] if stepped else self.needs(name)
        return found

    def in_order(self, keys: list[str]) -> list[str]:
        """The keys with each of them behind those that it needs."""
        made: dict[str, None] = {}

        def add(key: str) -> None:
            for name in self.needs(key):
                add(name)
            made[key] = None

        for key in keys:
            add(key)
        return [key for key in made if key in keys]

    def fact(self, name: str) -> Fact:
        """A fact as it is at the start."""
        thing = split(name)[0]
        return Fact(self.facts[name], THINGS[thing].type, _LIMIT_KINDS if thing in _LIMITS else _KINDS)

    def rules(self, keys: list[str]) -> dict[str, Rule]:
        """The rules behind some values, in an order in which they can be computed."""
        made: dict[str, Rule] = {}
        for key in keys:
            self._add_rule(key, made)
        return made

    def _add_rule(self, key: str, made: dict[str, Rule]) -> tuple[str, ...]:
        """Adds the rule behind a value, those that it needs first; gives the facts that the value depends on."""
        step = self.steps.get(key)
        if step is None:
            return (key,)
        if key not in made:
            behind = [fact for name in step.inputs for fact in self._add_rule(name, made)]
            behind += [step.limit] if step.limit else []
            made[key] = Rule(tuple(dict.fromkeys(behind)), _compute(key, step))
        return made[key].depends


def _compute(key: str, step: Step) -> Callable[[Values], str]:
    inputs, limit = step.inputs, step.limit
    if step.form in STEPPED:
        (time, minutes), sign = inputs, 1 if step.form == "plus" else -1

        def reckon(values: Values) -> str:
            if values[time] == NONE or values[minutes] == NONE:
                return NONE
            return CLOCK[MINUTE[values[time]] + sign * int(values[minutes])]

        return reckon
    if step.form == "limit":

        def restrict(values: Values) -> str:
            planned, earliest = values[inputs[0]], values[limit]
            return planned if NONE in (planned, earliest) else max(planned, earliest, key=MINUTE.__getitem__)

        return restrict
    if step.form == "right":

        def follow(values: Values) -> str:
            end, pause = values[inputs[0]], values[limit]
            return end if NONE in (end, pause) else CLOCK[MINUTE[end] + int(pause)]

        return follow
    if step.form == "copy":
        return lambda values: values[inputs[0]]
    find = _gap if step.form == "gap" else _earlier(key)

    def compare(values: Values) -> str:
        times = [values[name] for name in inputs]
        return NONE if NONE in times else find(*[MINUTE[time] for time in times])

    return compare


def _gap(start: int, end: int, other_start: int, other_end: int) -> str:
    """What lies between two events, or how far they overlap."""
    between = max(start, other_start) - min(end, other_end)
    if between == 0:
        return "no gap"
    minutes, what = abs(between), "gap" if between > 0 else "overlap"
    article = "an" if minutes in (8, 11, 18) or 80 <= minutes < 90 else "a"
    return f"{article} {minutes}-minute {what}"


def _earlier(key: str) -> Callable[[int, int], str]:
    _, one, other = split(key)
    return lambda start, other_start: (
        "neither" if start == other_start else f"the {one if start < other_start else other}"
    )
