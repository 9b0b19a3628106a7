"""Reads figures, what follows from them, and advice: "Tarvik makes a profit of 5 million, so Tarvik should expand.",
in any of their wordings; what is said not to be known is `NONE`.

Keys and values: "revenue of Tarvik" (and other figures) "15 million", "result of Tarvik" "profit of 5 million",
"gap of Tarvik" "5 million over", "growth of Tarvik" "up 5 million", "reserve of Tarvik" "5 million more",
"staffing of Tarvik" "5 too few", "advice for Tarvik" "expand", "limit for Tarvik" "10 million", "total revenue"
"65 million", "leader in revenue" "Tarvik" or "neither". Who is not named is "the company". Numbers in words count as
digits.
"""

from __future__ import annotations

import re

from ...reading.threads import Claim, threads
from ...world.facts import NONE
from ...world.number_words import from_words


_WORD = (
    "(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen"
    "|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred)"
)
_NUMBER = rf"(?<![\w.])(?:\d{{1,4}}|{_WORD}(?:(?:-| and | ){_WORD})*)\b"
_AMOUNT = rf"{_NUMBER} (?:million|people)\b"
_FIGURE = "prior revenue|planned staff|revenue|cost|target|cash|debt|staff"
_NO_NAME = (
    r"(?!(?:The|An?|Its?|They|We|You|I|In|At|By|For|From|With|There|Th[ai]t|This|Then|Next|First|Finally|So|And|But|My"
    r"|Our|Last|All|No|Now|Since|As|If|Wait|Sorry|Hold|Correction|Scratch)\b)"
)
_WHO = rf"(?-i:[Tt]he company|[Tt]he [A-Z][\w-]* branch|[Tt]he [a-z]+ line|{_NO_NAME}[A-Z][\w-]*)(?!\w)"
_ACTION = (
    r"(?-i:(?P<value>[a-z]+(?: [a-z]+){0,2}?))"
    r"(?=[,.;:!?<\0]|\s*--|\s*$| (?:and|so|as|because|since|while|but|now|then)\b)"
)
_UNKNOWN = r"(?:is not (?:yet )?known|cannot (?:yet )?be told|is (?:still )?unknown)"
_TOKENS = {
    "WHO": f"(?P<who>{_WHO})",
    "FIGURE": f"(?P<figure>{_FIGURE})",
    "VALUE": f"(?P<value>{_AMOUNT})",
    "NUMBER": f"(?P<value>{_NUMBER})",
    "LEADER": f"(?P<value>{_WHO}|neither)",
    "ACTION": _ACTION,
    "AMOUNT": _AMOUNT,  # said in passing
    "IS": "(?:is now|is|was)",
    "UNKNOWN": _UNKNOWN,
    "ALL": rf"{_WHO}(?:, {_WHO})* and {_WHO}",
    "TOPIC": "(?P<topic>result|gap|growth|reserve|staffing)",
}
_FORMS = {
    # A figure, unless it is the amount of something else.
    "{figure} of {who}": [
        form + "(?! (?:over|under|more|less|too|plus|minus|against))"
        for form in (
            "the FIGURE of WHO IS VALUE",
            "the FIGURE IS VALUE",
            "WHO's FIGURE IS VALUE",
            "WHO ha[sd] a FIGURE of VALUE",
        )
    ],
    "prior revenue of {who}": ["last year WHO took in VALUE"],
    "revenue of {who}": ["(?<!last year )WHO (?:takes|took) in VALUE"],
    "cost of {who}": ["WHO (?:spends|spent) VALUE"],
    "target of {who}": ["WHO aims at VALUE"],
    "cash of {who}": ["WHO (?:holds|keeps) VALUE in cash"],
    "debt of {who}": ["WHO owes VALUE"],
    "staff of {who}": ["WHO employs VALUE"],
    "planned staff of {who}": ["WHO plans with VALUE"],
    "limit for {who}": ["the limit for WHO IS VALUE", "the limit IS VALUE"],
    "result of {who}": [
        "(?:with a revenue of AMOUNT and a cost of AMOUNT, )?WHO (?:makes|ends up with) a SIDE of VALUE",
        "the result of WHO IS a SIDE of VALUE",
        "for WHO, AMOUNT minus AMOUNT is a SIDE of VALUE",
    ],
    "gap of {who}": [
        "(?:with a revenue of AMOUNT and a target of AMOUNT, )?WHO (?:is|ends up) VALUE SIDE (?:its )?target",
        "the gap of WHO IS VALUE SIDE target",
        "for WHO, AMOUNT against AMOUNT is VALUE SIDE target",
    ],
    "growth of {who}": [
        "(?:from AMOUNT to AMOUNT, )?WHO (?:IS|has gone) SIDE(?: by)? VALUE",
        "the revenue of WHO IS SIDE(?: by)? VALUE",
        "WHO's revenue IS SIDE(?: by)? VALUE",
    ],
    "reserve of {who}": [
        "(?:with AMOUNT in cash and AMOUNT to pay back, )?WHO (?:has|holds) VALUE SIDE cash than debt",
        "the reserve of WHO IS VALUE SIDE cash than debt",
        "for WHO, AMOUNT against AMOUNT is VALUE SIDE cash than debt",
    ],
    "staffing of {who}": [
        "(?:with AMOUNT against AMOUNT planned, )?WHO (?:has|ends up with) NUMBER SIDE people",
        "there are NUMBER SIDE people at WHO",
        "the staffing of WHO IS NUMBER SIDE people",
    ],
    "advice for {who}": [
        "(?:(?:with|at) a limit of AMOUNT, )?WHO should (?:now )?ACTION",
        "(?:(?:with|at) a limit of AMOUNT, )?(?:my|the)(?: best)? advice for WHO is (?:now )?to ACTION",
        "I advise WHO to ACTION",
        "the (?:right|best) move for WHO is to ACTION",
    ],
    "total {figure}": [
        "the total FIGURE (?:IS|comes to) VALUE",
        "ALL have a total FIGURE of VALUE",
        "AMOUNT(?: plus AMOUNT)+ is a total FIGURE of VALUE",
    ],
    "leader in {figure}": [
        "the leader in FIGURE is (?:now )?LEADER",
        "in FIGURE, the leader is LEADER",
        "the higher FIGURE (?:belongs to|is that of) LEADER",
    ],
}
_SIDES = {
    "result": ("profit|loss", "{side} of {value}"),
    "gap": ("over|under", "{value} {side}"),
    "growth": ("up|down", "{side} {value}"),
    "reserve": ("more|less", "{value} {side}"),
    "staffing": ("too many|too few", "{value} {side}"),
}
_ABSENT = {
    "{figure} of {who}": ["the FIGURE of WHO UNKNOWN", "the FIGURE UNKNOWN"],
    "{topic} of {who}": ["the TOPIC of WHO UNKNOWN", "the TOPIC UNKNOWN"],
    "limit for {who}": ["the limit for WHO UNKNOWN"],
    "advice for {who}": ["no advice for WHO can (?:yet )?be given", "the advice for WHO cannot (?:yet )?be given"],
    "total {figure}": ["the total FIGURE UNKNOWN"],
    "leader in {figure}": ["the leader in FIGURE UNKNOWN"],
}


def _compile(key: str, form: str) -> re.Pattern[str]:
    sides = {"SIDE": f"(?P<side>{_SIDES[key.partition(' ')[0]][0]})"} if "SIDE" in form else {}
    for token, pattern in {**sides, **_TOKENS}.items():
        form = re.sub(rf"\b{token}\b", pattern.replace("\\", r"\\"), form)
    return re.compile(rf"(?<![\w'-]){form}", re.IGNORECASE)


_READERS = [(key, _compile(key, form), False) for key, forms in _FORMS.items() for form in forms]
_READERS += [(key, _compile(key, form), True) for key, forms in _ABSENT.items() for form in forms]


def read(text: str) -> list[Claim]:
    """The claims that a text makes; a sentence that was cut before its value is no claim."""
    claims: list[Claim] = []
    for thread in threads(text):
        found: dict[tuple[str, int], tuple[int, str]] = {}  # of claims that end alike, the longest
        for form, pattern, absent in _READERS:
            for match in pattern.finditer(thread.text):
                key = form.format(**{"who": "the company", **_lower(match)})
                value = NONE if absent else _value(form, match)
                at = key, match.end()
                if at not in found or match.start() < found[at][0]:
                    found[at] = match.start(), value
        claims += [thread.claim(key, value, start, end) for (key, end), (start, value) in found.items()]
    return sorted(claims, key=lambda claim: claim.start)


def _lower(match: re.Match[str]) -> dict[str, str]:
    """What the groups say, in the way in which it is written in the middle of a sentence."""
    groups = {name: value for name, value in match.groupdict().items() if value is not None}
    for name in ("figure", "topic", "side"):
        if name in groups:
            groups[name] = groups[name].lower()
    if "who" in groups:
        groups["who"] = re.sub(r"^The\b", "the", groups["who"])
    return groups


def _value(form: str, match: re.Match[str]) -> str:
    """The value of a claim, numbers in digits."""
    said, groups = match["value"], _lower(match)
    unit = re.search(r"(?: million| people)?$", said, re.IGNORECASE)
    words = said[: unit.start()] if unit else said
    number = from_words(words)
    if number is not None:
        said = f"{number}{said[len(words) :].lower()}"
    if "side" in groups:
        return _SIDES[form.partition(" ")[0]][1].format(side=groups["side"], value=said)
    return re.sub(r"^(?:The|Neither)\b", lambda word: word[0].lower(), said)
