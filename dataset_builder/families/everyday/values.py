"""Values of slots: how they are drawn, and how they are written."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

from ...world.number_words import to_words


DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
Style = Mapping[str, str]
"""How values are written in one sample: `clock`, `currency`, `date`, `caps`, `bullet`."""


class Money(Decimal):
    """An amount of money."""


class Time(int):
    """A time of day, in minutes after midnight."""

    def plus(self, minutes: int) -> Time:
        return Time((int(self) + minutes) % 1440)

    def minus(self, other: Time) -> int:
        return int(self) - int(other)


class Day(int):
    """A day of the week, 0 is Monday."""

    def plus(self, days: int) -> Day:
        return Day((int(self) + days) % 7)

    def minus(self, other: Day) -> int:
        return (int(self) - int(other)) % 7


class Date(datetime.date):
    """A day of the year; the year itself is never written."""

    def plus(self, days: int) -> Date:
        other = datetime.date(self.year, self.month, self.day) + datetime.timedelta(days=days)
        return Date(other.year, other.month, other.day)

    def minus(self, other: Date) -> int:
        return (self - other).days


def plain(value: Any) -> Any:
    """A number without its unit."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Money):
        return Decimal(value)
    return int(value) if isinstance(value, int) else value


def typed(number: Any, like: Any) -> Any:
    """A number with the unit of another value."""
    return Money(number) if isinstance(like, Money) else number


def _draw_number(spec: Mapping[str, Any], rng: Random, novel: bool) -> Any:
    low, high, step = (Decimal(str(spec.get(key, usual))) for key, usual in (("from", 2), ("to", 12), ("step", 1)))
    if novel and "novel" in spec:
        low, high = (Decimal(str(edge)) for edge in spec["novel"])
    number = low + step * rng.randint(0, int((high - low) / step))
    return int(number) if spec["type"] == "int" else number


def _minutes(text: str | int) -> int:
    if isinstance(text, int):  # YAML reads an unquoted 8:30 as a number of base 60
        return text if text > 24 else text * 60
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes or 0)


def draw_value(spec: Mapping[str, Any], words: Mapping[str, Any], rng: Random, novel: bool) -> Any:
    """A value of a slot: of its `choices`, of its type, or of the word list that its type names."""
    if "list" in spec:
        return _draw_list(spec, words, rng, novel)
    if "fields" in spec:
        return {name: draw_value(field, words, rng, novel) for name, field in spec["fields"].items()}
    if "choices" in spec:
        return rng.choice(spec["novel"] if novel and spec.get("novel") else spec["choices"])
    kind = spec["type"]
    if kind in ("int", "decimal"):
        return _draw_number(spec, rng, novel)
    if kind == "money":
        return Money(_draw_number(spec, rng, novel))
    if kind == "time":
        low, high = _minutes(spec.get("from", "8:00")), _minutes(spec.get("to", "20:00"))
        return Time(rng.randrange(low, high + 1, spec.get("step", 30)))
    if kind == "day":
        return Day(rng.randrange(*spec.get("range", (0, 7))))
    if kind == "date":
        return Date(2025, 1, 1).plus(rng.randrange(365))
    if kind == "month":
        return rng.choice(MONTHS)
    group = words[kind]
    return rng.choice(group["novel"] if novel and group.get("novel") else group["known"])


def _draw_list(spec: Mapping[str, Any], words: Mapping[str, Any], rng: Random, novel: bool) -> tuple[Any, ...]:
    items: list[Any] = []
    for _ in range(rng.randint(*spec.get("size", (3, 5)))):
        item = draw_item(spec, items, words, rng, novel)
        if item is not None:
            items.append(item)
    return tuple(items)


def item_key(item: Any) -> Any:
    """What makes an item of a list different from the others: its words, not its numbers."""
    if isinstance(item, Mapping):
        named = [value for value in item.values() if isinstance(value, str)]
        return named[0] if named else tuple(item.values())
    return item


def item_name(slot: str, item: Any) -> str:
    """What an item of a list is called: "items: milk"."""
    word = item_key(item)
    return f"{slot}: {many(word) if isinstance(word, str) else word}"


def draw_item(
    spec: Mapping[str, Any], items: Sequence[Any], words: Mapping[str, Any], rng: Random, novel: bool
) -> Any:
    """An item that a list does not have yet; None if none was found."""
    taken = {item_key(item) for item in items}
    for _ in range(20):
        item = draw_value(spec["list"], words, rng, novel)
        if item_key(item) not in taken:
            return item
    return None


def other_item(
    spec: Mapping[str, Any], items: Sequence[Any], place: int, words: Mapping[str, Any], rng: Random, novel: bool
) -> Any:
    """An item to stand in the place of another: another word, and the same fields else; None if none was found."""
    made, old = draw_item(spec, items, words, rng, novel), items[place]
    if not isinstance(made, Mapping):
        return made
    word = next((name for name, value in made.items() if isinstance(value, str) and name != "show"), None)
    return {**old, word: made[word]} if word else None


def _number(value: Any) -> str:
    if isinstance(value, Decimal):
        value = value.quantize(Decimal("0.001"), ROUND_HALF_UP)
        text = f"{value:f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if text == "-0" else text
    return f"{value:,}" if abs(value) >= 10000 else str(value)


def _money(value: Decimal, style: Style, decimals: bool = False) -> str:
    amount = Decimal(value).quantize(Decimal("0.01"), ROUND_HALF_UP)
    sign, amount = ("-" if amount < 0 else ""), abs(amount)
    whole = amount == amount.to_integral_value() and not decimals
    written = f"{amount:,.0f}" if whole else f"{amount:,.2f}"
    return f"{sign}{style.get('currency', '$')}{written}"


def _time(value: Time, clock: str) -> str:
    hour, minute = divmod(int(value), 60)
    if clock == "24":
        return f"{hour:02d}:{minute:02d}"
    half = "am" if hour < 12 else "pm"
    space = "" if clock == "12tight" else " "
    return f"{hour % 12 or 12}{f':{minute:02d}' if minute else ''}{space}{half}"


def _date(value: Date, form: str) -> str:
    if form == "iso":
        return f"{value.month:02d}-{value.day:02d}"
    month = MONTHS[value.month - 1]
    return f"{month} {value.day}" if form == "month first" else f"{value.day} {month}"


def one(noun: str) -> str:
    """The singular of "egg/eggs"."""
    return noun.partition("/")[0]


def many(noun: str) -> str:
    """The plural of "egg/eggs"."""
    single, _, plural = noun.partition("/")
    return plural or single


def show(value: Any, style: Style) -> str:
    """How a value is written."""
    if isinstance(value, str):
        return many(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Money):
        return _money(value, style)
    if isinstance(value, Time):
        return _time(value, style.get("clock", "12"))
    if isinstance(value, Day):
        return DAYS[value]
    if isinstance(value, Date):
        return _date(value, style.get("date", "month first"))
    if isinstance(value, int | Decimal):
        return _number(value)
    raise ValueError(f"A value of type {type(value).__name__} cannot be written on its own.")


def filtered(value: Any, name: str, style: Style) -> Any:
    """A value as one filter writes it."""
    if name == "word":
        small = isinstance(value, int) and type(value) is int and 0 <= value <= 12
        return to_words(value) if small else show(value, style)
    if name == "h24":
        return _time(value, "24")
    if name == "h12":
        return _time(value, "12")
    if name == "iso":
        return _date(value, "iso")
    if name == "plain":
        return _number(Decimal(value)) if isinstance(value, Money) else show(plain(value), style)
    if name == "cents":
        return _money(value, style, True)
    if name == "raw":
        return str(value)
    if name == "one":
        return one(value)
    text = value if isinstance(value, str) and name != "a" else show(value, style)
    text = many(text) if name != "a" else one(value) if isinstance(value, str) else text
    if name == "cap":
        return text[:1].upper() + text[1:]
    if name == "upper":
        return text.upper()
    if name == "lower":
        return text.lower()
    if name == "title":
        return text.title()
    if name == "a":
        return article(text)
    raise ValueError(f"There is no filter {name!r}.")


_LIKE_CONSONANT = ("uni", "use", "eu", "one", "u-", "ukulele")
_LIKE_VOWEL = ("hour", "honest", "heir", "8", "11", "18")


def article(text: str) -> str:
    """A phrase behind "a" or "an"."""
    low = text.lower()
    vowel = low.startswith(_LIKE_VOWEL) or (low[:1] in "aeiou" and not low.startswith(_LIKE_CONSONANT))
    return f"{'an' if vowel else 'a'} {text}"


def joined(texts: Sequence[str], how: str) -> str:
    """A list in one line."""
    if how in ("and", "or"):
        if len(texts) < 3:
            return f" {how} ".join(texts)
        return ", ".join(texts[:-1]) + f" {how} {texts[-1]}"
    if how == "semi and":
        return "; ".join(texts[:-1]) + f"; and {texts[-1]}"
    return {"comma": ", ", "semi": "; ", "plus": " + ", "times": " x ", "slash": " / "}[how].join(texts)


JOINS = ("and", "or", "comma", "semi", "plus", "times", "slash")
