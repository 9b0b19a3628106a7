"""Who gets what: money is spent on one item after the other.

An item gets what it costs, but no more than its limit and than what is left; so shares always add up to the total, and
fit, whatever is heard. Without a price nothing is planned for it. While there is no budget, only the limits count.
"""

from __future__ import annotations

from typing import NamedTuple

from ...world.facts import NONE, Fact, Rule, Values
from .terms import Item, dollars


class Line(NamedTuple):
    """An item in the plan.

    Attributes:
        item: what money is spent on.
        before: the value that says what is left when its turn comes.
        facts: all that its share depends on.
    """

    item: Item
    before: str
    facts: tuple[str, ...]

    @property
    def after(self) -> str:
        return f"left after {self.item.name}"

    @property
    def need(self) -> str:
        return f"{self.item.name}#need" if self.item.quantity else self.item.price

    def share(self, values: Values) -> str:
        need = values[self.need]
        if need == NONE:
            return NONE
        bounds = (values.get(self.item.limit, NONE), values[self.before])
        return f"${min([dollars(need), *(dollars(bound) for bound in bounds if bound != NONE)])}"

    def link(self, values: Values) -> str:
        share = values[self.item.name]
        return NONE if share == NONE else "so" if share == values[self.need] else "but"

    def gets(self, values: Values) -> str:
        """The share as it is spoken: with the reason, if it is less than what the item costs."""
        share = values[self.item.name]
        if share in (NONE, "$0", values[self.need]):
            return share
        return f"the allowed {share}" if share == values.get(self.item.limit) else f"the last {share}"

    def paid(self, values: Values) -> str:
        share = values[self.item.name]
        return "$0" if share == NONE else share

    def rest(self, values: Values) -> str:
        before, share = values[self.before], values[self.item.name]
        return before if NONE in (before, share) else f"${dollars(before) - dollars(share)}"


class Plan(NamedTuple):
    """What a scene is about.

    Attributes:
        items: what is asked for, in order.
        facts: all facts at the start.
        summary: which of "total" and "left" are asked for behind the items, in order.
        running: whether each item is followed by what it leaves.
    """

    items: list[Item]
    facts: dict[str, Fact]
    summary: list[str]
    running: bool

    @property
    def questions(self) -> list[str]:
        return [*(item.name for item in self.items), *self.summary]

    def lines(self) -> list[Line]:
        lines: list[Line] = []
        for item in self.items:
            own = [name for name in (item.price, item.quantity, item.limit) if name in self.facts]
            told = lines[-1].facts if lines else ("budget",)
            before = lines[-1].after if lines else "budget"
            lines.append(Line(item, before, tuple(dict.fromkeys((*told, *own)))))
        return lines

    def rules(self, lines: list[Line]) -> dict[str, Rule]:
        """What is said or needed to say it; other values would only cost time."""
        made: dict[str, Rule] = {}
        for line in lines:
            item, name = line.item, line.item.name
            if item.quantity:
                made[line.need] = Rule((item.price, item.quantity), item.need)
            made[name] = Rule(line.facts, line.share)
            made[f"{name}#gets"] = Rule(line.facts, line.gets)
            if item.quantity:
                made[f"{name}#so"] = Rule(line.facts, line.link)
            if line is not lines[-1] or self.summary:
                made[line.after] = Rule(line.facts, line.rest)
            if self.summary and not self.running:
                made[f"{name}#paid"] = Rule(line.facts, line.paid)
        last = lines[-1]
        if self.summary:
            made["total"] = Rule(last.facts, lambda values: f"${sum([dollars(line.paid(values)) for line in lines])}")
            made["left"] = Rule(last.facts, lambda values: values[last.after])
        return made
