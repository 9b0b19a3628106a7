"""The values that hold at one time: slots, and what is derived from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .expressions import evaluate
from .values import Style


class World(Mapping[str, Any]):
    """Maps each slot and each derived value to its value. Never changed: an update makes another world."""

    def __init__(self, slots: Mapping[str, Any], derived: Mapping[str, str], style: Style):
        self.slots, self.derived, self.style = slots, derived, style
        self.values_now: dict[str, Any] = dict(slots)
        for name, source in derived.items():
            self.values_now[name] = evaluate(source, self.values_now)

    def __getitem__(self, name: str) -> Any:
        return self.values_now[name]

    def __iter__(self) -> Any:
        return iter(self.values_now)

    def __len__(self) -> int:
        return len(self.values_now)

    def replaced(self, slots: Mapping[str, Any], style: Style | None = None) -> World:
        return World({**self.slots, **slots}, self.derived, {**self.style, **(style or {})})

    def changed(self, other: World) -> set[str]:
        """The names whose values differ."""
        return {name for name, value in self.values_now.items() if other.values_now[name] != value}


class Context(NamedTuple):
    """What a template is written with: the world, the values that `.old` stands for, and local names."""

    world: World
    old: Mapping[str, Any]
    local: Mapping[str, Any]
