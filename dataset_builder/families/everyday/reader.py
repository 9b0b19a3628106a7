"""Reads claims of plain English by value: where a text writes one of the values that a key has or had.

Any text will do, by whom ever, in whatever words; what a value means there, the keys tell that it is a value of. All
other families can tell a key from the sentence around it. Here a value that two keys have is a claim of each of them,
and `account` takes the one that is right by then.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from ...reading.threads import Claim
from ...world.facts import NONE


_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_AMOUNT = re.compile(r"(-?)(\d+)(\.\d+)?")
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_DATE = re.compile(r"(0[1-9]|1[0-2])-([0-3]\d)")


def forms(value: str) -> tuple[str, ...]:
    """The ways in which a value is written: "4.5" also as "$4.50", "19:30" as "7:30 pm", "03-14" as "March 14"."""
    made = [value]
    if found := _AMOUNT.fullmatch(value):
        made += _amounts(*found.groups(""))
    elif found := _TIME.fullmatch(value):
        hour, minute = int(found[1]), found[2]
        half = f"{hour % 12 or 12}" + f":{minute}" * (minute != "00")
        made += [f"{half}{space}{'am' if hour < 12 else 'pm'}" for space in (" ", "")]
    elif found := _DATE.fullmatch(value):
        month, day = _MONTHS[int(found[1]) - 1], int(found[2])
        made += [f"{month} {day}", f"{day} {month}"]
    elif re.fullmatch(r"[^/]+/[^/]+", value):  # a noun, one and many
        made += value.split("/")
    return tuple(sorted(dict.fromkeys(made), key=len, reverse=True))


def _amounts(sign: str, whole: str, rest: str) -> list[str]:
    made = []
    for digits in (whole, f"{int(whole):,}"):
        exact = digits + rest
        cents = f"{digits}{rest or '.'}".ljust(len(digits) + 3, "0")
        made += [sign + exact, sign + cents]
        made += [f"{sign}{currency}{amount}" for currency in "$€£" for amount in (exact, cents)]
    word = not sign and not rest and int(whole) < len(_WORDS)
    return [*made, _WORDS[int(whole)]] if word else made


@cache
def _pattern(value: str) -> re.Pattern[str]:
    return re.compile("|".join(map(_whole, forms(value))), re.IGNORECASE)


def _whole(form: str) -> str:
    """A form where it is no part of a longer word or number; a unit may follow a number at once ("35s")."""
    before = after = ""
    if form[0].isdigit():
        before = r"(?<!\w)(?<!\d[.:])(?<![$€£])(?<![$€£]-)"
    elif form[0].isalpha():
        before = r"(?<!\w)"
    if form[-1].isdigit():
        after = r"(?!\d|[.:]\d|,\d{3}(?!\d))"
    elif form[-1].isalpha():
        after = r"(?!\w)"
    return before + re.escape(form) + after


def find(value: str, text: str, start: int = 0) -> tuple[int, int] | None:
    """Where a text first writes a value, from `start` on."""
    found = _pattern(value).search(text, start)
    return found.span() if found else None


def read(text: str, values: Mapping[str, Iterable[str]]) -> list[Claim]:
    """
    The claims that a text makes, in order of their start. Never raises.

    Args:
        text (`str`): Any text.
        values (`Mapping[str, Iterable[str]]`): For each key, the values that it may have.
    """
    claims = [
        Claim(key, value, *found.span())
        for key, known in values.items()
        for value in dict.fromkeys(known)
        if value not in (NONE, "")
        for found in _pattern(value).finditer(text)
    ]
    return sorted(claims, key=lambda claim: (claim.start, -claim.end))


class Mention(NamedTuple):
    """A claim next to what had been heard: how many updates, and whether the value held then."""

    claim: Claim
    version: int
    right: bool


def account(text: str, heard_at: Sequence[int], timeline: Sequence[Mapping[str, Any]]) -> list[Mention]:
    """
    What a text says next to the worlds of the moment: for each place one claim, a right one if there is any.

    Args:
        text (`str`): All that was emitted.
        heard_at (`Sequence[int]`): For each update, how many characters had been emitted, ascending.
        timeline (`Sequence[Mapping]`): From which `version` on each `key` has which `value`, as rows hold it.
    """
    values: dict[str, list[tuple[int, str]]] = {}
    for entry in timeline:
        values.setdefault(entry["key"], []).append((entry["version"], entry["value"]))
    made: list[Mention] = []
    for claim in read(text, {key: [value for _, value in known] for key, known in values.items()}):
        version = bisect_right(heard_at, claim.start)
        held = [value for since, value in values[claim.key] if since <= version]
        mention = Mention(claim, version, held[-1:] == [claim.value])
        last = made[-1].claim if made else None
        if last is None or claim.start >= last.end:
            made.append(mention)
        elif mention.right and not made[-1].right and claim.end >= last.end:
            made[-1] = mention
    return made
