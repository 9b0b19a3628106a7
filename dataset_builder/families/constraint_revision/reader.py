"""Reads shares of a budget: "3 nights at $80 make $240, but the hotel gets the last $210, which leaves $0", in any of
its wordings; an item that nothing is planned for, and a budget that there is not, is `NONE`."""

from __future__ import annotations

import re

from ...reading.threads import Claim, Thread, threads
from ...world.facts import NONE


_ITEM = r"the (?P<item>[a-z]+)"
_MONEY = r"\$\d+(?!\d)"
_AMOUNT = rf"(?:the (?:allowed|last) |only |all )?(?P<value>{_MONEY})"
_PRODUCT = rf"(?:{_MONEY} \* \d+|\d+ \* {_MONEY}) ="
_NEED = rf"(?:\d+ [a-z]+(?: at {_MONEY})? make|{_PRODUCT}) {_MONEY}, (?:so|but|and) "
_CHAIN = rf"(?:{_MONEY} [-+] ){{1,9}}{_MONEY} = "
_DONE = r"(?! [-+*=])"
_SUM = rf"(?:{_CHAIN}(?P<value>{_MONEY}){_DONE}|(?P<plain>{_MONEY})(?=[.,;]))"
"""A result, worked out or not; without working, only what follows shows that no working was to come."""


def _compile(*forms: str) -> list[re.Pattern[str]]:
    return [re.compile(rf"(?<![\w$]){form}", re.IGNORECASE) for form in forms]


_SHARES = _compile(
    rf"(?:at {_MONEY} an? [a-z]+, )?(?:{_NEED})?{_ITEM} (?:gets|takes|is given) {_AMOUNT}",
    rf"for {_ITEM}, {_NEED}(?:it gets|we spend) {_AMOUNT}",
    rf"{_ITEM} needs {_NEED}it gets {_AMOUNT}",
    rf"(?:on|for) {_ITEM},? we (?:spend|pay) {_AMOUNT}",
    rf"we give {_ITEM} {_AMOUNT}",
    rf"nothing is planned for {_ITEM}\b",
    rf"{_ITEM} is not planned\b",
)
_RESTS = _compile(rf"after {_ITEM},? (?P<value>{_MONEY}) is left\b", rf"which leaves (?P<value>{_MONEY})")
_OTHERS = {
    "budget": _compile(
        rf"(?:the|our) budget is (?P<value>{_MONEY})",
        rf"we have (?P<value>{_MONEY})",
        rf"there is (?P<value>{_MONEY}) to spend\b",
        r"there is no budget\b",
    ),
    "total": _compile(
        rf"(?:the total is|together that makes) {_SUM}",
        rf"we spend {_CHAIN}(?P<value>{_MONEY}){_DONE}",
    ),
    "left": _compile(
        rf"(?:what is left is|the rest is|we keep) {_SUM}",
        rf"(?:in the end )?(?:{_CHAIN})?(?P<value>{_MONEY}) is left\b",
    ),
}


def read(text: str) -> list[Claim]:
    """What a text gives to each item, in all, and what it leaves; a statement that was cut before its value is no
    claim."""
    claims: list[Claim] = []
    for thread in threads(text):
        claims += [thread.claim(key, value, start, end) for start, end, key, value in _statements(thread)]
    return sorted(claims, key=lambda claim: claim.start)


def _statements(thread: Thread) -> list[tuple[int, int, str, str]]:
    """Span, key and value of each statement in a thread; of two that overlap, the one that starts first."""
    matches = [("", match) for form in _SHARES for match in form.finditer(thread.text)]
    matches += [("left after", match) for form in _RESTS for match in form.finditer(thread.text)]
    matches += [
        (key, match) for key, forms in _OTHERS.items() for form in forms for match in form.finditer(thread.text)
    ]
    found: list[tuple[int, int, str, str]] = []
    end, item = 0, ""
    for key, match in sorted(matches, key=lambda entry: (entry[1].start(), -entry[1].end())):
        named = match.groupdict()
        if match.start() < end:
            continue
        if key in ("", "left after"):
            item = (named.get("item") or item).lower()
            if not item:
                continue
            key = f"{key} {item}".strip()
        end = match.end()
        found.append((match.start(), end, key, named.get("value") or named.get("plain") or NONE))
    return found
