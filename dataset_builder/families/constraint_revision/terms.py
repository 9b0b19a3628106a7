"""What money is spent on in constraint revision."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from ...speech.grammar import Wordings
from ...world.facts import NONE, Values
from ...world.names import COSTS, COSTS_BY_UNIT
from .wordings import AMOUNT, BUDGET, FLAT, GUESTS, LIMIT, NIGHTS, RATE, WEEKS


Range = tuple[int, int, int]
"""Least, most, and step."""


class Theme(NamedTuple):
    """What a budget is for.

    Attributes:
        units: what prices of its items may be for.
        quantity: the fact that says how many of these there are; "" if each item has an amount of its own.
        counts: numbers of units: the usual ones, then novel ones.
        rates, flats: prices a unit, and other prices, in dollars.
        tells: clauses that tell a number of units.
    """

    units: tuple[str, ...]
    quantity: str
    counts: tuple[Range, Range]
    rates: Range
    flats: Range
    tells: Wordings


class Item(NamedTuple):
    """What money is spent on.

    Attributes:
        name: a word.
        unit, units: what its price is for, one and several; "" if it is bought once.
        price, quantity, limit: the names of facts; `quantity` is "" if it is bought once.
        told: those without which its cost is not known.
        novel: whether it is set aside for novel values.
    """

    name: str
    unit: str
    units: str
    price: str
    quantity: str
    limit: str
    told: tuple[str, ...]
    novel: bool

    def need(self, values: Values) -> str:
        """What it costs in all; `NONE` without a price."""
        price = values[self.price]
        return f"${dollars(price) * int(values[self.quantity])}" if self.quantity and price != NONE else price

    def say(self, wording: str) -> str:
        """What is said of its share, with the names of values in braces."""
        return _say(self.name, wording)


class Term(NamedTuple):
    """A fact.

    Attributes:
        role: "budget", "count", "price" or "limit".
        item: what it is about, if it is about one item.
        noun: what it is called.
        tells: clauses that tell it, with its value as `{v}`.
        usual, novel: which numbers it may have, of which `settle` takes dollars to others nearby.
    """

    role: str
    item: Item | None
    noun: str
    tells: Wordings
    usual: Range
    novel: Range


def dollars(value: str) -> int:
    """The number in "$80"."""
    return int(value[1:])


def settle(number: int, novel: bool) -> int:
    """The nearest number of dollars that may be drawn: those that end in 6 or 7 are set aside for novel values."""
    tens, ones = divmod(number, 10)
    if novel:
        return 10 * tens + (7 if ones > 6 else 6)
    return 10 * tens + (5 if ones in (6, 7) else ones)


_PACKAGES = ("bag", "box", "bottle", "jar", "pack")
THEMES = {
    "trip": Theme(("night",), "nights", ((2, 5, 1), (6, 9, 1)), (20, 60, 10), (10, 120, 10), NIGHTS),
    "party": Theme(("guest",), "guests", ((5, 12, 1), (13, 16, 1)), (2, 9, 1), (10, 90, 5), GUESTS),
    "house": Theme(("week",), "weeks", ((2, 5, 1), (6, 9, 1)), (10, 50, 10), (20, 150, 10), WEEKS),
    "shopping": Theme(_PACKAGES, "", ((2, 9, 1), (11, 14, 1)), (1, 9, 1), (2, 30, 1), AMOUNT),
}
_LIMITS = (1, 150, 1)
_BUDGETS = (5, 990, 5)


def _items(theme: str) -> list[Item]:
    made = []
    for unit in (*THEMES[theme].units, ""):
        words = COSTS_BY_UNIT[unit] if unit else COSTS[theme]
        usual = len(words) - (1 if unit in _PACKAGES else 5)
        for number, name in enumerate(words):
            units = unit and unit + ("es" if unit == "box" else "s")
            quantity = unit and (THEMES[theme].quantity or f"amount of {name}")
            price, limit = f"price of {name}", f"limit for {name}"
            told = (quantity, price) if quantity else (price,)
            made.append(Item(name, unit, units, price, quantity, limit, told, number >= usual))
    return made


def _terms() -> dict[str, Term]:
    made = {"budget": Term("budget", None, "the budget", BUDGET, _BUDGETS, _BUDGETS)}
    for name, theme in THEMES.items():
        if theme.quantity:
            made[theme.quantity] = Term("count", None, f"the number of {theme.quantity}", theme.tells, *theme.counts)
        for item in _items(name):
            x = f"the {item.name}"
            if item.quantity not in ("", theme.quantity):
                tells = _filled(theme.tells, us=item.units, n=item.name)
                made[item.quantity] = Term("count", item, f"the {item.quantity}", tells, *theme.counts)
            if item.unit:
                tells, noun = _filled(RATE, x=x, u=item.unit), f"the price of {x} per {item.unit}"
                made[item.price] = Term("price", item, noun, tells, theme.rates, theme.rates)
            else:
                tells = _filled(FLAT, x=x)
                made[item.price] = Term("price", item, f"the price of {x}", tells, theme.flats, theme.flats)
            tells = _filled(LIMIT, x=x)
            made[item.limit] = Term("limit", item, f"the limit for {x}", tells, _LIMITS, _LIMITS)
    return made


@cache
def _say(name: str, wording: str) -> str:
    item = ITEMS[name]
    return wording.format(
        x=f"the {name}",
        u=item.unit,
        us=item.units,
        c=f"{{{item.quantity}}}",
        p=f"{{{item.price}}}",
        need=f"{{{name}#need}}",
        so=f"{{{name}#so}}",
        gets=f"{{{name}#gets}}",
        none=f"{{!{name}}}",
    )


def _filled(wordings: Wordings, **words: str) -> Wordings:
    known, unseen = (tuple(wording.format(v="{v}", **words) for wording in part) for part in wordings)
    return Wordings(known, unseen)


ITEMS = {item.name: item for theme in THEMES for item in _items(theme)}
POOLS = {
    (theme, novel, once): [item for item in _items(theme) if item.novel == novel and not (once and item.unit)]
    for theme in THEMES
    for novel in (False, True)
    for once in (False, True)
}
"""Items by theme, whether they are set aside for novel values, and whether all are bought once."""
TERMS = _terms()
"""All facts that there may be."""
