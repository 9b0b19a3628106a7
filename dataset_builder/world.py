"""Facts that may change, and what follows from them.

A world maps names to written values. Facts are set from outside; a derived value names the facts that it depends on
and is computed again whenever one of them changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple


Values = Mapping[str, str]


class Rule(NamedTuple):
    """How a derived value follows from the facts that it depends on."""

    depends: tuple[str, ...]
    compute: Callable[[Values], str]


class World:
    """The values of all facts and of all that is derived from them, now."""

    def __init__(self, facts: Values, rules: Mapping[str, Rule]):
        self.rules = rules
        self.values = dict(facts)
        for name, rule in rules.items():
            self.values[name] = rule.compute(self.values)

    def set(self, fact: str, value: str) -> None:
        self.values[fact] = value
        for name, rule in self.rules.items():
            if fact in rule.depends:
                self.values[name] = rule.compute(self.values)

    def depends(self, name: str) -> tuple[str, ...]:
        """The facts that `name` depends on: itself, if it is a fact."""
        rule = self.rules.get(name)
        return rule.depends if rule else (name,)
