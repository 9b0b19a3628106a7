"""What in a text of the everyday family does not follow from what had been heard.

Plain English is not understood here: which values hold when is taken from the row's `timeline`, and they are looked
for in the text by `reading.everyday`, whoever wrote it. The places of updates and of ends, and the arithmetic, are
checked on the text alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ...world.facts import NONE
from .reader import Mention, account, find


END = "<eos>"
_AMOUNT = r"-?[$€£]?-?\d[\d,]*(?:\.\d+)?"
_CHAIN = rf"{_AMOUNT}(?: [+\-x*/] {_AMOUNT})+"
_RESULT = rf"= ({_AMOUNT})(?![\d%])(?! [+\-x*/] [-$€£\d])"
_EQUATION = re.compile(rf"(?<![+\-x*/] )(?<![\w.,$€£-])({_CHAIN})(?: kg)? {_RESULT}")


def _number(text: str) -> Decimal:
    return Decimal(re.sub(r"[$€£,]", "", text))


def arithmetic(text: str, cuts: Collection[int] = ()) -> list[str]:
    """The equations in a text that are wrong, but for those that an update cut off at one of `cuts`."""
    made = []
    for found in _EQUATION.finditer(text):
        parts = re.split(r" ([+\-x*/]) ", found[1])
        terms, signs = [_number(parts[0])], [1]
        for operator, number in zip(parts[1::2], map(_number, parts[2::2])):
            if operator in "+-":
                terms.append(number)
                signs.append(1 if operator == "+" else -1)
            else:
                terms[-1] = terms[-1] * number if operator in "x*" else terms[-1] / number
        total = sum((sign * term for sign, term in zip(signs, terms)), Decimal(0))
        if found.end() not in cuts and abs(total - _number(found[2])) > Decimal("0.006"):
            made.append(f"wrong: {found[0]}")
    return made


def wrong_places(text: str, ends: Sequence[int]) -> list[str]:
    """What is wrong with the places of updates and of the marks of the end."""
    found = [] if list(ends) == sorted(ends) else ["the updates are out of order"]
    for at in ends:
        whole = at == 0 or text[at : at + 1].isspace() or text.startswith(END, at) or text[:at].endswith(END)
        if not whole or text[at - 1 : at].isspace():
            found.append(f"an update comes within a word, after {text[max(0, at - 20) : at]!r}")
    marks = [mark.end() for mark in re.finditer(re.escape(END), text)]
    if not text.endswith(END):
        found.append("the text has no end")
    if len(text) in ends:
        found.append("nothing follows the last update")
    found += [f"the end at {mark} is none" for mark in marks[:-1] if mark not in ends]
    return found


_DENIED = re.compile(r"\b(?:not|no longer|instead of|in place of|rather than)\b[^.!?\n]{0,25}$", re.IGNORECASE)
_TELLING = re.compile(r"[A-Z]|\d\D*\d")
"""Values that are hardly in a text by chance: names, days, and numbers of two digits."""


def disagreements(row: Mapping[str, Any]) -> list[str]:
    """
    A sentence for each thing in the gold text of a row that cannot be.

    Args:
        row (`Mapping[str, Any]`): A row of a data set, of the family `everyday`.
    """
    text = row["initial_target"] + row["revised_target"]
    heard_at = [update["position"] for update in row["updates"]]
    mentions = account(text, heard_at, row["timeline"])
    found = [*wrong_places(text, heard_at), *arithmetic(text, heard_at)]
    return [*found, *stale(text, heard_at, mentions), *unsaid(row, text, heard_at), *misplaced(row, text)]


def stale(text: str, heard_at: Sequence[int], mentions: Sequence[Mention]) -> Iterator[str]:
    """Values that no longer hold where they are written, but for those that are denied ("not Monday") and the rest of
    the line that was under way."""
    for (key, value, start, end), _, right in mentions:
        since = max((place for place in heard_at if place <= start), default=0)
        number = text[max(0, start - 1) : start] in ("", "\n") and text[end : end + 1] == "."
        if right or number or "\n" not in text[since:start] or not _TELLING.search(value):
            continue
        if not _DENIED.search(text[:start]):
            yield f"At {start} ({text[start:end]!r}), {key} is said to be {value}, which no longer holds."


def unsaid(row: Mapping[str, Any], text: str, heard_at: Sequence[int]) -> Iterator[str]:
    """What had to be right in the end and was not said since it last changed."""
    changed: dict[str, int] = {}
    for entry in row["timeline"]:
        changed[entry["key"]] = entry["version"]
    for answer in row["answers"]:
        key, value = answer["key"], answer["value"]
        since = changed.get(key, 0)
        start = heard_at[since - 1] if 0 < since <= len(heard_at) else 0
        start = max(0, start - len(value))  # an update may come behind a word that both values begin with
        if value != NONE and find(value, text, start) is None:
            yield f"{key} is {value} in the end, and that is never said."


def misplaced(row: Mapping[str, Any], text: str) -> Iterator[str]:
    """Claims that are not where they are told to be."""
    for claim in row["provenance"]:
        if find(claim["value"], text[claim["start"] : claim["end"]]) is None:
            yield (
                f"At {claim['start']}, {text[claim['start'] : claim['end']]!r} does not say that {claim['key']} is "
                f"{claim['value']}."
            )
