"""Facts that may change, and what follows from them.

A world maps names to written values. Facts are set from outside; a derived value names the facts that it depends on
and is computed again whenever one of them changes. What has no value, not yet or no longer, has the value `NONE`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple


Values = Mapping[str, str]
NONE = "none"
TYPES = ("number", "money", "date", "time", "name", "place", "boolean", "list", "text")


class Fact(NamedTuple):
    """A fact at the start: its value (`NONE` if it may only come later), its type (one of `TYPES`), and the kinds of
    update, out of `kinds.CHANGING`, that may change it."""

    value: str
    type: str
    kinds: tuple[str, ...] = ("correction",)


class Rule(NamedTuple):
    """How a derived value follows: `compute` sees all facts, and what was derived by rules before it. `depends` names
    all facts behind it, those behind such derived values too."""

    depends: tuple[str, ...]
    compute: Callable[[Values], str]


def needing(depends: tuple[str, ...], compute: Callable[[Values], str]) -> Rule:
    """A rule that gives `NONE` while one of the facts that it depends on is `NONE`."""

    def computed(values: Values) -> str:
        for fact in depends:
            if values[fact] == NONE:
                return NONE
        return compute(values)

    return Rule(depends, computed)


class World:
    """The values of all facts and of all that is derived from them, now."""

    def __init__(self, facts: Mapping[str, Fact], rules: Mapping[str, Rule]):
        self.rules = rules
        self.values = {name: fact.value for name, fact in facts.items()}
        for name, rule in rules.items():
            self.values[name] = rule.compute(self.values)

    def set(self, fact: str, value: str) -> list[str]:
        """Gives a fact a value. Returns the names of all values that are others now."""
        values = self.values
        changed = [] if values[fact] == value else [fact]
        values[fact] = value
        for name, rule in self.rules.items():
            if fact in rule.depends:
                derived = rule.compute(values)
                if derived != values[name]:
                    values[name] = derived
                    changed.append(name)
        return changed

    def depends(self, name: str) -> tuple[str, ...]:
        """The facts that `name` depends on: itself, if it is a fact."""
        rule = self.rules.get(name)
        return rule.depends if rule else (name,)
