"""Draws what the user says while the answer is being emitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from .expressions import evaluate
from .forms import Form
from .templates import template, write
from .values import draw_item, draw_value, other_item
from .wordings import Domain, Scenario, changed_slots, common, words
from .world import Context, World


class Update(NamedTuple):
    """What is said, its kind, the world that holds from then on, and the slots that it sets."""

    text: str
    kind: str
    world: World
    slots: tuple[str, ...]
    template: str


_TRIES = 30
_OFTEN = {"caps": 0.6, "upper": 0.3, "dashes": 2, "numbered": 3}
"""How often a change of form is drawn, next to one that few answers allow."""


class User:
    """Says updates in turn, and remembers what may be taken back."""

    def __init__(self, domain: Domain, scenario: Scenario, world: World, rng: Random, paraphrase: bool, novel: bool):
        self.domain, self.scenario, self.rng = domain, scenario, rng
        self.paraphrase, self.novel = paraphrase, novel
        self.first, self.world = world, world
        self.past: list[tuple[World, tuple[str, ...]]] = []
        self.formed = False
        self.worlds = [world]

    def update(self, forms: Callable[[], Sequence[Form]], wanted: str = "") -> Update:
        """The next update. `forms`: the changes of form that fit; `wanted`: "nothing" or "change", or any."""
        draw = self.rng.random()
        made: Update | None = None
        if wanted:
            made = self._nothing() if wanted == "nothing" else None
        elif self.past and draw < 0.2 and not self.formed:
            made = self._retract()
        elif 0.2 <= draw < 0.42:
            made = self._nothing()
        elif 0.42 <= draw < 0.53:
            made = self._form(forms())
        made = made or self._change() or self._nothing()
        self.formed = made.kind == "form" or (self.formed and made.world is self.world)
        self.world = made.world
        self.worlds.append(made.world)
        return made

    def _nothing(self) -> Update:
        kind = self.rng.choice(("confirmation", "chatter", "other_speaker"))
        choices = common()[kind]
        if kind == "confirmation" and self.scenario.confirm.all and self.rng.random() < 0.4:
            choices = self.scenario.confirm
        elif kind == "chatter" and self.domain.nothing.all and self.rng.random() < 0.4:
            choices = self.domain.nothing
        source = choices.draw(self.rng, self.paraphrase)
        return Update(self._say(source, self.world, self.world, {}), kind, self.world, (), source)

    def _form(self, forms: Sequence[Form]) -> Update | None:
        if not forms:
            return None
        names = sorted({form.name for form in forms})
        name = self.rng.choices(names, [_OFTEN.get(one, 1) for one in names])[0]
        form = self.rng.choice([form for form in forms if form.name == name])
        world = self.world.replaced({}, form.style)
        source = common()[f"forms {name}"].draw(self.rng, self.paraphrase)
        return Update(self._say(source, self.world, world, form.local), "form", world, (), source)

    def _retract(self) -> Update | None:
        before, slots = self.past[-1]
        back = {slot: before.slots[slot] for slot in slots}
        world = self.world.replaced(back)
        lists = ["retraction"]
        scalar = len(slots) == 1 and back[slots[0]] is not None and not isinstance(back[slots[0]], tuple)
        local: dict[str, Any] = {}
        if scalar:
            lists.append("retraction one")
            local["new"] = back[slots[0]]
        if len({slots for _, slots in self.past}) == 1 and all(self.first.slots[s] == back[s] for s in slots):
            lists.append("retraction first")
        source = common()[self.rng.choice(lists)].draw(self.rng, self.paraphrase)
        self.past.pop()
        return Update(self._say(source, self.world, world, local), "retraction", world, slots, source)

    def _change(self) -> Update | None:
        keys = list(self.scenario.updates)
        again = [key for key in keys if self.past and changed_slots(key) == self.past[-1][1]]
        for _ in range(_TRIES):
            key = self.rng.choice(again if again and self.rng.random() < 0.4 else keys)
            made = self._change_by(key)
            if made and all(made[0].values_now != world.values_now for world in self.worlds):
                break
        else:
            return None
        world, local, old, kind = made
        slots = changed_slots(key)
        if kind == "correction" and any(past == slots for _, past in self.past):
            kind = "recorrection"
        choices = self.scenario.updates[key]
        plain_words = isinstance(local.get("item"), str)
        if key.startswith("replace ") and plain_words and self.rng.random() < 0.3:
            choices = common()["replace"]
        source = choices.draw(self.rng, self.paraphrase)
        if kind == "addition" and key in self.scenario.slots:  # an optional slot has no old value yet
            usable = [one for one in choices.of(self.paraphrase) if not template(one).old_names]
            if not usable:
                return None
            source = self.rng.choice(usable)
        text = self._say(source, {**self.world, **old}, world, local)
        self.past.append((self.world, slots))
        return Update(text, kind, world, slots, source)

    def _change_by(self, key: str) -> tuple[World, dict[str, Any], dict[str, Any], str] | None:
        """The world after a change, local names, what `.old` stands for in these, and the kind."""
        rng, specs, now = self.rng, self.scenario.slots, self.world.slots
        verb, _, name = key.partition(" ")
        local: dict[str, Any] = {}
        old: dict[str, Any] = {}
        new: dict[str, Any] = {}
        kind = "correction"
        if not name:
            for slot in key.split("+"):
                value = draw_value(specs[slot], words(), rng, self.novel)
                if value == now[slot] or (isinstance(value, str) and value in [*now.values(), *new.values()]):
                    return None
                if now[slot] is None:
                    kind = "addition"
                new[slot] = value
        elif verb == "add":
            item = draw_item(specs[name], now[name], words(), rng, self.novel)
            if item is None:
                return None
            local, new[name], kind = {"item": item}, (*now[name], item), "addition"
        elif verb == "replace":
            place = rng.randrange(len(now[name]))
            item = other_item(specs[name], now[name], place, words(), rng, self.novel)
            if item is None:
                return None
            local, old = {"item": item}, {"item": now[name][place]}
            new[name] = (*now[name][:place], item, *now[name][place + 1 :])
        elif verb == "remove":
            if isinstance(now[name], tuple):
                if len(now[name]) < 3:
                    return None
                item = rng.choice(now[name])
                local, new[name] = {"item": item}, tuple(one for one in now[name] if one is not item)
            elif now[name] is None:
                return None
            else:
                new[name] = None
            kind = "removal"
        elif verb in ("more", "fewer"):
            by = specs[name].get("by", [1, 4])
            amount = rng.randint(*by)
            value = now[name] + amount if verb == "more" else now[name] - amount
            if value < 1:
                return None
            local, new[name] = {"by": amount}, type(now[name])(value)
            kind = "addition" if verb == "more" else "correction"
        else:
            raise ValueError(f"{self.scenario.place}: `updates` has a key {key!r} that says nothing.")
        if local.get("item") and isinstance(local["item"], Mapping):
            local |= local["item"]
        world = self.world.replaced(new)
        return (world, local, old, kind) if holds(self.scenario, world) else None

    def _say(self, source: str, before: Mapping[str, Any], world: World, local: Mapping[str, Any]) -> str:
        plain = World(world.slots, world.derived, {**world.style, "caps": "", "upper": ""})
        return informal(source, Context(plain, before, local), self.rng, self.scenario.keep_case)


def holds(scenario: Scenario, world: World) -> bool:
    """Whether the conditions of a scenario hold."""
    return all(evaluate(condition, world) for condition in scenario.where)


def draw_slots(scenario: Scenario, rng: Random, novel: bool) -> dict[str, Any]:
    """First values of all slots, no value twice among slots that share a type."""
    made: dict[str, Any] = {}
    for name, spec in scenario.slots.items():
        if spec.get("optional"):
            made[name] = None
            continue
        for _ in range(_TRIES):
            value = draw_value(spec, words(), rng, novel)
            if not (isinstance(value, str) and value in [other for other in made.values() if isinstance(other, str)]):
                break
        made[name] = value
    return made


def informal(source: str, context: Context, rng: Random, keep_case: bool) -> str:
    """Text as it is typed: with a capital and a full stop or without, a word misspelled now and then."""
    made = write(template(source), context)
    text = made.text
    if rng.random() < 0.035:
        text = misspelled(text, [(span.start, span.end) for span in made.spans], rng)
    draw = rng.random()
    if keep_case:
        return text
    if draw < 0.25:
        text = text[:1].upper() + text[1:]
        return text if text[-1] in ".?!" or draw < 0.12 else text + "."
    return text.lower() if draw > 0.7 else text


def misspelled(text: str, kept: list[tuple[int, int]], rng: Random) -> str:
    """One letter dropped, doubled or swapped in a word that is no value."""
    taken = [range(start, end) for start, end in kept]
    places = [
        index
        for index in range(1, len(text) - 2)
        if text[index - 1 : index + 2].isalpha()
        and not any(at in span for span in taken for at in range(index - 1, index + 3))
    ]
    if not places:
        return text
    at = rng.choice(places)
    how = rng.randrange(3)
    if how == 0 and text[at + 1].isalpha():
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + text[at + 1 :] if how == 1 else text[: at + 1] + text[at:]
