"""Facts that may change, and the values derived from them.

A world maps names to values, as text. Facts are set from outside; a derived value names the facts that it depends on
and is recomputed whenever one of them changes. A name without a value, not yet or no longer, has the value `NONE`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple


Values = Mapping[str, str]
NONE = "none"
TYPES = ("number", "money", "date", "time", "name", "place", "boolean", "list", "text")


class Fact(NamedTuple):
    """A fact at the start: its value (`NONE` if only an update can set it), its type (one of `TYPES`), and the kinds
    of update, out of `kinds.CHANGING`, that may change it."""

    value: str
    type: str
    kinds: tuple[str, ...] = ("correction",)


class Rule(NamedTuple):
    """How to compute a derived value: `compute` reads all facts and the values derived by earlier rules. `depends`
    names all facts it depends on, also through other derived values."""

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
    """The current values of all facts and all derived values."""

    def __init__(self, facts: Mapping[str, Fact], rules: Mapping[str, Rule]):
        self.rules = rules
        self.values = {name: fact.value for name, fact in facts.items()}
        for name, rule in rules.items():
            self.values[name] = rule.compute(self.values)

    def set(self, fact: str, value: str) -> list[str]:
        """Sets the value of a fact. Returns the names of all values that changed."""
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
        """The facts that `name` depends on; a fact depends on itself."""
        rule = self.rules.get(name)
        return rule.depends if rule else (name,)
