"""What money is spent on in constraint revision, and what a user says of it."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from ..grammar import Wordings
from ..names import COSTS, COSTS_BY_UNIT
from ..world import NONE, Values


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


_NIGHTS = Wordings(
    ("we stay {v} nights", "the trip takes {v} nights", "there are {v} nights to plan", "we are away for {v} nights"),
    ("the trip lasts {v} nights", "we come home after {v} nights"),
)
_GUESTS = Wordings(
    ("we expect {v} guests", "there are {v} guests", "{v} guests will come", "the party is for {v} guests"),
    ("{v} guests are on the list", "our table is for {v} guests"),
)
_WEEKS = Wordings(
    (
        "we plan for {v} weeks",
        "there are {v} weeks to plan",
        "we need money for {v} weeks",
        "the money is for {v} weeks",
    ),
    ("the plan covers {v} weeks", "the money has to last {v} weeks"),
)
_AMOUNT = Wordings(
    ("we need {v} {us} of {n}", "we buy {v} {us} of {n}", "the list says {v} {us} of {n}", "we want {v} {us} of {n}"),
    ("the kitchen needs {v} {us} of {n}", "{v} {us} of {n} are on the list"),
)
_PACKAGES = ("bag", "box", "bottle", "jar", "pack")
_BUDGET = Wordings(
    (
        "the budget is {v}",
        "we have {v} to spend",
        "our budget is {v}",
        "there is {v} to spend",
        "we can spend {v} in all",
    ),
    ("{v} is all the money we have", "the whole may cost {v}"),
)
_RATE = Wordings(
    ("{x} costs {v} a {u}", "the price of {x} is {v} a {u}", "we pay {v} a {u} for {x}", "{x} is {v} a {u}"),
    ("{x} comes to {v} for each {u}", "each {u} adds {v} for {x}"),
)
_FLAT = Wordings(
    ("{x} costs {v}", "the price of {x} is {v}", "we pay {v} for {x}", "we need {v} for {x}"),
    ("{x} comes to {v}", "{v} is the price of {x}"),
)
_LIMIT = Wordings(
    ("{x} gets at most {v}", "the limit for {x} is {v}", "at most {v} may go to {x}", "{x} must not get over {v}"),
    ("{v} is the most that {x} may take", "{x} is limited to {v}"),
)
THEMES = {
    "trip": Theme(("night",), "nights", ((2, 5, 1), (6, 9, 1)), (20, 60, 10), (10, 120, 10), _NIGHTS),
    "party": Theme(("guest",), "guests", ((5, 12, 1), (13, 16, 1)), (2, 9, 1), (10, 90, 5), _GUESTS),
    "house": Theme(("week",), "weeks", ((2, 5, 1), (6, 9, 1)), (10, 50, 10), (20, 150, 10), _WEEKS),
    "shopping": Theme(_PACKAGES, "", ((2, 9, 1), (11, 14, 1)), (1, 9, 1), (2, 30, 1), _AMOUNT),
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
    made = {"budget": Term("budget", None, "the budget", _BUDGET, _BUDGETS, _BUDGETS)}
    for name, theme in THEMES.items():
        if theme.quantity:
            made[theme.quantity] = Term("count", None, f"the number of {theme.quantity}", theme.tells, *theme.counts)
        for item in _items(name):
            x = f"the {item.name}"
            if item.quantity not in ("", theme.quantity):
                tells = _filled(theme.tells, us=item.units, n=item.name)
                made[item.quantity] = Term("count", item, f"the {item.quantity}", tells, *theme.counts)
            if item.unit:
                tells, noun = _filled(_RATE, x=x, u=item.unit), f"the price of {x} per {item.unit}"
                made[item.price] = Term("price", item, noun, tells, theme.rates, theme.rates)
            else:
                tells = _filled(_FLAT, x=x)
                made[item.price] = Term("price", item, f"the price of {x}", tells, theme.flats, theme.flats)
            tells = _filled(_LIMIT, x=x)
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

ASK_ONE = Wordings(
    (
        "how much goes to {x}?",
        "what does {x} get?",
        "how much can we spend on {x}?",
        "plan the money for {x}.",
        "set money aside for {x}.",
        "tell me the share of {x}.",
        "how much is there for {x}?",
        "work out what {x} gets.",
    ),
    ("how much may {x} take?", "find the money for {x}.", "decide what {x} is given."),
)
ASK_MANY = (
    ("tell me,", "{n}) {q}"),
    ("plan", "{n}) {q}"),
    ("please work out", "({n}) {q}"),
    ("report in this order:", "{n}) {q}"),
    ("I want to know,", "{ordinal} {q}"),
    ("work out", "{ordinal} {q}"),
    ("", "number {n} is {q}"),
    ("", "{ordinal} tell me {q}"),
    ("plan", "{q} {ordinal}"),
    ("tell me these:", "as number {n} {q}"),
)
ASK_MANY_UNSEEN = (("find out", "{n}) {q}"), ("list", "{ordinal} {q}"), ("", "item {n} is {q}"))
SHARE = Wordings(
    ("the money for {x}", "what {x} gets", "the share of {x}", "how much goes to {x}"),
    ("the part of {x}", "how much {x} may have"),
)
TOTAL = Wordings(("the total", "what we spend in all", "the sum"), ("all that we spend", "the whole amount"))
LEFT = Wordings(("what is left", "the rest", "how much is left"), ("what remains", "the remainder"))
RULE = Wordings(
    (
        "Spend in that order while the money lasts.",
        "What comes first is paid first.",
        "The last ones get less if the money is short.",
        "What comes last is cut first.",
    ),
    ("When the money is short cut from the end.", "Serve them in order until the money is gone."),
)
CHANGE = Wordings(
    (
        "Change {noun} to {new}.",
        "Make {noun} {new}.",
        "Correction: {noun} is {new}, not {old}.",
        "{Noun} is {new}, not {old}.",
        "{Noun} should be {new}.",
        "{Noun} has changed to {new}.",
        "Please set {noun} to {new}.",
        "Let {noun} be {new} instead of {old}.",
    ),
    ("Replace {old} by {new} as {noun}.", "Reckon with {new} as {noun}.", "{Noun} moves from {old} to {new}."),
)
ADD = Wordings(
    ("Add {x}: {tell}.", "We want {x} too, {tell}.", "Plan {x} as well, {tell}.", "{X} is on the list now, {tell}."),
    ("Let us include {x}, {tell}.", "Make room for {x}: {tell}."),
)
DROP = {
    "item": Wordings(
        ("Drop {x}.", "We skip {x}.", "Leave out {x}.", "Take {x} off the list.", "We do without {x}."),
        ("{X} is off the plan.", "Cross out {x}."),
    ),
    "price": Wordings(
        (
            "Forget the price of {x}.",
            "The price of {x} no longer holds.",
            "Nobody knows the price of {x} any more.",
            "There is no price for {x} now.",
        ),
        ("The price of {x} is unknown now.", "No price of {x} holds any longer."),
    ),
    "limit": Wordings(
        (
            "There is no limit for {x} any more.",
            "Lift the limit for {x}.",
            "The limit for {x} is gone.",
            "Forget the limit for {x}.",
        ),
        ("{X} needs no limit now.", "No limit holds for {x} any longer."),
    ),
    "budget": Wordings(
        ("There is no budget any more.", "Forget the budget.", "Lift the budget.", "We need no budget now."),
        ("No budget holds any longer.", "Let us do without a budget."),
    ),
}
"""By what is lost; "price" for an item that has a limit too, so that it is clear which of them is meant."""
CONSTRAIN = {
    "limit": Wordings(
        (
            "Spend at most {new} on {x}.",
            "No more than {new} for {x}, please.",
            "Keep {x} within {new}.",
            "Give {x} at most {new}.",
        ),
        ("Do not let {x} go over {new}.", "{X} is capped at {new}."),
    ),
    "budget": Wordings(
        (
            "Spend at most {new} in all.",
            "Keep it all within {new}.",
            "We have only {new}.",
            "No more than {new} in all, please.",
        ),
        ("Do not go over {new} in all.", "All of it is capped at {new}."),
    ),
}
