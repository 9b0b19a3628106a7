"""A sample of the family under the columns that all families share: facts, claims, a timeline, repairs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Any

from ...world.facts import NONE
from ...world.kinds import PHASE_3
from .expressions import compiled
from .reader import find
from .sample import sample
from .values import Date, Day, Money, Time, filtered, item_name, show
from .wordings import Scenario, domain
from .world import World


FORM = "form"
"""The fact that an update of that kind changes: how the answer is written."""
_TYPES = ((Money, "money"), (Time, "time"), (Date, "date"), (Day, "day"), (bool, "boolean"), (tuple, "list"))
_Claim = dict[str, Any]


def columns(rng: Random, *, split: str, num_updates: tuple[int, int]) -> dict[str, Any]:
    """
    The columns of a row that its place does not decide.

    Args:
        rng (`Random`): What it is drawn with.
        split (`str`): One of `SPLITS`.
        num_updates (`tuple[int, int]`): Fewest and most updates.
    """
    made = sample(rng, split=split, num_updates=num_updates)
    scenario, worlds, text = domain(made["domain"]).scenarios[made["scenario"]], made["worlds"], made["text"]
    forms = any(update["kind"] == "form" for update in made["updates"])
    told = [_told(world, worlds[0] if forms else None) for world in worlds]
    heard = [update["after_chars"] for update in made["updates"]]
    claims = list(_claims(made["provenance"], text, heard, worlds, told, scenario))
    updates = [_update(update, worlds[0], world) for update, world in zip(made["updates"], worlds[1:], strict=True)]
    cut = updates[0]["position"] if updates else len(text)
    return {
        "prompt": made["prompt"],
        "initial_target": text[:cut],
        "updates": updates,
        "revised_target": text[cut:],
        "facts": _facts(worlds, told[0]),
        "provenance": claims,
        "repairs": made["repairs"],
        "timeline": list(_timeline(told)),
        "answers": _answers(scenario, claims, told[-1]),
        "task_type": "everyday",
        "update_step": cut if updates else -1,
        "requires_revision": any(update["repair"] for update in updates),
        "phase": 1 if not updates else 3 if any(update["kind"] in PHASE_3 for update in updates) else 2,
    }


def canonical(value: Any) -> str:
    """A value as columns hold it, however it is written in the text: "19:30", "4.5", "03-14", "egg/eggs"."""
    if value is None:
        return NONE
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return ", ".join(" ".join(told for _, told in _parts("", item)) for item in value) or NONE
    if isinstance(value, Money):
        return str(filtered(Money(round(value, 2)), "plain", {}))
    if isinstance(value, Time | Date):
        return str(filtered(value, "h24" if isinstance(value, Time) else "iso", {}))
    return show(value, {}).replace(",", "")


def _type_of(value: Any) -> str:
    named = next((name for kind, name in _TYPES if isinstance(value, kind)), None)
    return named or ("number" if isinstance(value, int | Decimal) else "text")


def _parts(slot: str, item: Any) -> list[tuple[str, str]]:
    """The keys and values of an item of a list: its word, or each of its fields."""
    name = item_name(slot, item)
    if not isinstance(item, Mapping):
        return [(name, canonical(item))]
    return [(f"{name}.{field}", canonical(value)) for field, value in item.items() if field != "show"]


def _told(world: World, first: World | None) -> dict[str, str]:
    """The value of each key in a world; `first`: the world at the start, if the form may change."""
    made: dict[str, str] = {}
    for name, value in world.items():
        made[name] = canonical(value)
        if isinstance(value, tuple):
            made[f"number of {name}"] = str(len(value))
            made |= {key: told for item in value for key, told in _parts(name, item)}
    if first is not None:
        made[FORM] = _form(first, world)
    return made


def _form(first: World, world: World) -> str:
    changed = [key for key, value in world.style.items() if value != first.style.get(key)]
    return ", ".join(changed) or NONE


def _update(update: Mapping[str, Any], first: World, world: World) -> dict[str, Any]:
    changes = [{"fact": slot, "value": canonical(world[slot])} for slot in update["slots"]]
    if update["kind"] == "form":
        changes = [{"fact": FORM, "value": _form(first, world)}]
    return {
        "text": update["text"],
        "kind": update["kind"],
        "source": "someone else" if update["kind"] == "other_speaker" else "user",
        "position": update["after_chars"],
        "earliest": update["after_chars"],  # it comes between two words
        "repair": update["repair"],
        "changes": changes,
    }


def _facts(worlds: Sequence[World], told: Mapping[str, str]) -> list[dict[str, str]]:
    made = []
    for name in worlds[0].slots:
        value = next((world[name] for world in worlds if world[name] is not None), None)
        made.append({"name": name, "value": told[name], "type": _type_of(value)})
    return made + [{"name": FORM, "value": NONE, "type": "text"}] * (FORM in told)


def _timeline(told: Sequence[Mapping[str, str]]) -> Iterator[dict[str, Any]]:
    for key in dict.fromkeys(key for one in told for key in one):
        last = None
        for version, one in enumerate(told):
            value = one.get(key, NONE)
            if value != last:
                yield {"key": key, "version": version, "value": value}
            last = value


def _claims(
    spans: Sequence[Mapping[str, Any]],
    text: str,
    heard: Sequence[int],
    worlds: Sequence[World],
    told: Sequence[Mapping[str, str]],
    scenario: Scenario,
) -> Iterator[_Claim]:
    """What was stated; old values that were said on purpose are no claims."""
    for span in spans:
        if span["old"]:
            continue
        written = span["version"]
        at, facts = 0, _sources(scenario, span["slot"])
        for group in _keys(span["slot"], span["path"], worlds[written], told[written]):
            places = []
            for key, value in group:
                place = find(value, text[span["start"] : span["end"]], at)
                if place is None:
                    continue
                places.append(place[1])
                start, end = (span["start"] + edge for edge in place)
                version = min(written, bisect_right(heard, end - 1))  # an update may come in the middle of a list
                later = (v for v in range(version + 1, len(told)) if told[v].get(key, NONE) != value)
                yield {
                    "key": key,
                    "value": value,
                    "start": start,
                    "end": end,
                    "version": version,
                    "stale_version": next(later, -1),
                    "complete": True,
                    "facts": facts,
                }
            at = max(places, default=at)


def _keys(slot: str, path: str, world: World, told: Mapping[str, str]) -> list[list[tuple[str, str]]]:
    """The keys and values that a span of this path states: a group for each item of a list, in their order."""
    if path.endswith("|len"):
        return [[(f"number of {slot}", told[f"number of {slot}"])]]
    value = world[slot] if slot in world else None
    if not isinstance(value, tuple):
        return [[(slot, told[slot])]] if slot in told else []
    if path == slot:
        return [_parts(slot, item) for item in value]
    if path in told:
        return [[(path, told[path])]]
    groups = [_parts(slot, item) for item in value]
    field = path.removeprefix(f"{slot}.")
    if field != path:  # one field of all items
        return [[part for part in group if part[0].endswith(f".{field}")] for group in groups]
    return [group for group in groups if group[0][0].startswith(f"{path}.")]


def _sources(scenario: Scenario, name: str) -> list[str]:
    """The slots that a value depends on, in their order."""
    names = {name}
    for derived in reversed(scenario.derived):
        if derived in names:
            names |= compiled(scenario.derived[derived])[1]
    return [slot for slot in scenario.slots if slot in names]


def _answers(scenario: Scenario, claims: Sequence[_Claim], told: Mapping[str, str]) -> list[dict[str, str]]:
    """What had to be right in the end: the results, and all that an update may change, where they were stated."""
    asked = [*scenario.results, *(slot for slot in scenario.slots if slot in scenario.updatable())]
    said = {claim["key"]: claim["value"] for claim in sorted(claims, key=lambda claim: int(claim["end"]))}
    keys = [key for name in asked for key in said if key == name or key.startswith(f"{name}: ")]
    return [{"key": key, "value": told[key]} for key in dict.fromkeys(keys) if told.get(key) == said[key]]
