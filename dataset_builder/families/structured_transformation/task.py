"""Structured transformation: "Write JSON for a user: age is 25 ..." and then "Set age to 19, and add student: true."

Facts are fields; their values are JSON literals (`25`, `"Oslo"`, `["red", "blue"]`), their ids the names of the
members that state them. Some members follow from others by a rule that the prompt tells ("total is price times
quantity").
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from ...reading import Claim
from ...speech.grammar import Wordings, upper_first
from ...speech.writing import Writing
from ...world import names
from ...world.facts import NONE, Fact, Rule, Values, needing
from ...world.scene import Scene, Sentence, phrase
from ..base import ORDINALS, Family, clauses, in_every_order, word_prompt
from . import wordings as structured_wordings
from .reader import read
from .wordings import at_least, difference, times


if TYPE_CHECKING:
    from ...config import BuilderConfig


class Field(NamedTuple):
    """A field: its type, and where its values come from: a pool of names or words, or a range of numbers."""

    type: str
    source: str | tuple[int, int] = ""


class Derived(NamedTuple):
    """A member that follows from others."""

    depends: tuple[str, ...]
    rule: Wordings
    compute: Callable[..., int | bool]


class Thing(NamedTuple):
    """What an object describes: its name, its fields, and what can be derived from them."""

    name: str
    fields: Mapping[str, Field]
    derived: Mapping[str, Derived]


THINGS = (
    Thing(
        "user",
        {
            "name": Field("name", "person"),
            "age": Field("number", (10, 60)),
            "city": Field("place", "city"),
            "language": Field("text", "language"),
            "student": Field("boolean"),
            "height": Field("number", (140, 190)),
            "sports": Field("list", "sport"),
        },
        {
            "adult": Derived(
                ("age",),
                Wordings(
                    (*at_least("adult", "age", "18"), "adult tells whether age is 18 or more"),
                    ("adult says if age has reached 18",),
                ),
                lambda age: age >= 18,
            ),
            "born": Derived(
                ("age",),
                Wordings(
                    difference("born", "2030", "age"),
                    ("subtract age from 2030 to get born",),
                ),
                lambda age: 2030 - age,
            ),
        },
    ),
    Thing(
        "item",
        {
            "maker": Field("name", "person"),
            "price": Field("money", (2, 40)),
            "quantity": Field("number", (2, 9)),
            "origin": Field("place", "country"),
            "sold": Field("boolean"),
            "stock": Field("number", (10, 90)),
            "parts": Field("list", "export"),
        },
        {
            "total": Derived(
                ("price", "quantity"),
                Wordings(
                    times("total", "price", "quantity"),
                    ("multiply price by quantity to get total",),
                ),
                lambda price, quantity: price * quantity,
            ),
            "enough": Derived(
                ("stock", "quantity"),
                Wordings(
                    (*at_least("enough", "stock", "quantity"), "enough tells whether stock covers quantity"),
                    ("enough says if quantity fits into stock",),
                ),
                lambda stock, quantity: stock >= quantity,
            ),
        },
    ),
    Thing(
        "event",
        {
            "host": Field("name", "person"),
            "guests": Field("number", (10, 60)),
            "seats": Field("number", (20, 70)),
            "city": Field("place", "city"),
            "day": Field("date", "day"),
            "outdoor": Field("boolean"),
            "dishes": Field("list", "dish"),
        },
        {
            "free": Derived(
                ("seats", "guests"),
                Wordings(
                    difference("free", "seats", "guests"),
                    ("subtract guests from seats to get free",),
                ),
                lambda seats, guests: seats - guests,
            ),
            "full": Derived(
                ("seats", "guests"),
                Wordings(
                    (*at_least("full", "guests", "seats"), "full tells whether guests reaches seats"),
                    ("full says if seats leaves no room for guests",),
                ),
                lambda seats, guests: guests >= seats,
            ),
        },
    ),
    Thing(
        "trip",
        {
            "guide": Field("name", "person"),
            "start": Field("place", "city"),
            "goal": Field("place", "city"),
            "days": Field("number", (2, 12)),
            "distance": Field("number", (10, 90)),
            "paid": Field("boolean"),
            "birds": Field("list", "bird"),
        },
        {
            "both_ways": Derived(
                ("distance",),
                Wordings(
                    (*times("both_ways", "distance", "2"), "both_ways is twice the distance"),
                    ("double distance to get both_ways",),
                ),
                lambda distance: 2 * distance,
            ),
            "nights": Derived(
                ("days",),
                Wordings(
                    (*difference("nights", "days", "1"), "nights is one less than days"),
                    ("subtract 1 from days for nights",),
                ),
                lambda days: days - 1,
            ),
        },
    ),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_NOVEL_DAYS = ("Saturday", "Sunday")
_REPAIRS = in_every_order(("wait", "sorry", "no", "hold on", "correction", "scratch that"))


def plain(value: str) -> str:
    """A JSON literal as one says it."""
    said = json.loads(value)
    if isinstance(said, list):
        return " and ".join(said)
    return said if isinstance(said, str) else value


class StructuredTransformation(Family):
    name = "structured_transformation"
    speech = Writing
    updates = structured_wordings.UPDATES

    def draw(self, rng: Random, config: BuilderConfig, accepts: Callable[[str], bool]) -> Scene | None:
        thing = rng.choice(THINGS)
        keys = rng.sample(list(thing.fields), min(rng.randint(*config.num_facts), len(thing.fields)))
        told = {key: self._value(rng, thing.fields[key], [], config) for key in keys}
        derived = {key: item for key, item in thing.derived.items() if set(item.depends) <= told.keys()}
        asked = rng.sample([*told, *derived], min(rng.randint(*config.num_questions), len(told) + len(derived)))
        derived = {key: item for key, item in derived.items() if key in asked}
        name = thing.name if rng.random() < 0.2 else ""
        prompt = word_prompt(lambda: self._prompt(rng, told, derived, asked, name, config), accepts)
        if prompt is None:
            return None
        extra = [key for key in thing.fields if key not in told] if config.kinds.get("addition") else []
        extra = rng.sample(extra, min(len(extra), rng.randint(0, 2)))
        kinds = ("correction", "addition", "invalidation")
        facts = {key: Fact(told.get(key, NONE), thing.fields[key].type, kinds) for key in [*told, *extra]}
        members = {key: f'"{key}": {{{key}}}' for key in [*asked, *extra]}
        return Scene(
            prompt=prompt,
            facts=facts,
            rules={key: _rule(item) for key, item in derived.items()},
            sentences=[Sentence(phrase((key, member)), key) for key, member in members.items()],
            bodies=members,
            mentions={},
            absences={key: f'"{key}": null{{!{key}}}' for key in members},
            repairs=rng.choice(_REPAIRS),
            questions=asked,
            frame=(f'{{"{name}": {{', "}}") if name else ("{", "}"),
        )

    def _value(self, rng: Random, field: Field, past: Sequence[str], config: BuilderConfig) -> str:
        """A value that is none of `past`, if a few tries find one."""
        for _ in range(20):
            value = self._any_value(rng, field, config)
            if value not in past:
                break
        return value

    def _any_value(self, rng: Random, field: Field, config: BuilderConfig) -> str:
        if field.type == "boolean":
            return rng.choice(("true", "false"))
        if isinstance(field.source, tuple):
            low, high = field.source
            span = high - low + 1
            return str(
                rng.randrange(high + 1, high + 1 + span // 2) if config.novel_values else rng.randint(low, high)
            )
        if field.source == "day":
            return json.dumps(rng.choice(_NOVEL_DAYS if config.novel_values else _DAYS))
        if field.type == "list":
            words = names.words(field.source, config.novel_values)
            return json.dumps(rng.sample(words, min(rng.randint(1, 3), len(words))))
        return json.dumps(names.draw(rng, field.source, novel=config.novel_values, made_up=config.made_up))

    def _prompt(
        self,
        rng: Random,
        told: Values,
        derived: Mapping[str, Derived],
        asked: Sequence[str],
        name: str,
        config: BuilderConfig,
    ) -> str:
        wording = structured_wordings.GIVEN.draw(rng, config)
        facts = [wording.format(key=key, v=plain(value)) for key, value in told.items()]
        facts += [item.rule.draw(rng, config) for item in derived.values()]
        rng.shuffle(facts)
        mark = rng.choice((".", ";", ","))
        head = [f"{fact}{mark}" for fact in facts[:-1]] + [f"{facts[-1]}."]
        if len(asked) == 1:
            ask = [structured_wordings.ASK_ONE.draw(rng, config).format(key=asked[0])]
        else:
            intro, item = rng.choice(structured_wordings.ASK_UNSEEN if config.paraphrase else structured_wordings.ASK)
            stop = rng.choice((";", ",")) if intro else rng.choice((";", "."))
            ask = [
                item.format(n=number + 1, ordinal=ORDINALS[number], key=key) + stop for number, key in enumerate(asked)
            ]
            ask[0] = f"{intro} {ask[0]}".strip()
            ask[-1] = ask[-1][:-1] + "."
        if name:
            ask.append(structured_wordings.WRAP.draw(rng, config).format(name=name))
        return clauses(*head, *ask) if rng.random() < 0.6 else clauses(*ask, *head)

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
        old, field = values[fact], next(thing.fields[fact] for thing in THINGS if fact in thing.fields)
        if field.type == "list" and old != NONE and kind != "correction":
            items = json.loads(old)
            if kind == "invalidation":
                items.remove(rng.choice(items))
                return json.dumps(items) if items else NONE
            fresh = [word for word in names.words(str(field.source), config.novel_values) if word not in items]
            return json.dumps([*items, rng.choice(fresh)]) if fresh and len(items) < 4 else None
        if kind == "invalidation":
            return NONE if old != NONE else None
        if (kind == "addition") != (old == NONE):
            return None
        if field.type == "boolean":
            return "true" if old == "false" else "false" if old == "true" else rng.choice(("true", "false"))
        return self._value(rng, field, past, config)

    def word(self, rng: Random, kind: str, scene: Scene, fact: str, old: str, new: str, config: BuilderConfig) -> str:
        if scene.facts[fact].type == "list" and NONE not in (old, new) and kind in structured_wordings.LIST_UPDATES:
            before, after = json.loads(old), json.loads(new)
            (item,) = set(before) ^ set(after)
            return upper_first(structured_wordings.LIST_UPDATES[kind].draw(rng, config).format(item=item, fact=fact))
        old, new = (value if value == NONE else plain(value) for value in (old, new))
        return super().word(rng, kind, scene, fact, old, new, config)

    def tell(self, rng: Random, scene: Scene, fact: str, value: str, config: BuilderConfig) -> str:
        return structured_wordings.TELL.draw(rng, config).format(key=fact, v=value)

    def noun(self, scene: Scene, fact: str) -> str:
        return fact

    def aside(self, rng: Random, scene: Scene, config: BuilderConfig) -> str:
        """Something about another thing."""
        known = {key for thing in THINGS for key in thing.fields if key in scene.facts}
        thing = rng.choice([thing for thing in THINGS if not known & thing.fields.keys()])
        key = rng.choice(list(thing.fields))
        value = plain(self._value(rng, thing.fields[key], [], config))
        return f"In the {thing.name} file, {structured_wordings.TELL.draw(rng, config).format(key=key, v=value)}."

    def read(self, text: str) -> list[Claim]:
        return read(text)


def _rule(item: Derived) -> Rule:
    return needing(
        item.depends, lambda values: json.dumps(item.compute(*(json.loads(values[fact]) for fact in item.depends)))
    )
