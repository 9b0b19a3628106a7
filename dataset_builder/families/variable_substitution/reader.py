"""Reads equalities: "3x + 2 = 3 * 7 + 2 = 23", in any of their wordings; what is said not to be computable is
`NONE`."""

from __future__ import annotations

import re

from ...reading.threads import CUT, Claim, threads
from ...world.facts import NONE


_NUMBER = r"-?\d+"
_TERM = rf"{_NUMBER}(?: [-+*] {_NUMBER})*"
_LINK = r"(?: = |,? which is |,? that is | is )"
_CHAIN = re.compile(
    r"(?<![-+*=] )(?<!\w)(?P<key>\d*[a-z](?: [-+*] (?:\d+[a-z]?|[a-z]))*)"
    rf"(?: = |: | is now | is | equals )(?P<chain>{_TERM}(?:{_LINK}{_TERM})*)"
)
_ABSENT = re.compile(
    r"(?<![-+*=] )(?<!\w)(?P<key>\d*[a-z](?: [-+*] (?:\d+[a-z]?|[a-z]))*) (?:is unknown|cannot be computed)\b"
)


def read(text: str) -> list[Claim]:
    """The equalities that a text states, chains first to last; one that was cut before its answer is no claim."""
    claims = []
    for thread in threads(text):
        for match in _CHAIN.finditer(thread.text):
            terms = re.split(_LINK, match["chain"])
            number, follows = terms[-1], thread.text[match.end()]
            if not re.fullmatch(_NUMBER, number):
                continue
            one_step_left = len(terms) > 1 and len(re.findall(r" [-+*] ", terms[-2])) == 1
            is_fact = len(match["key"]) == 1 and len(terms) == 1
            if follows == CUT and not (one_step_left or (is_fact and match.end() < len(text))):
                continue
            if follows == " " and not re.match(" (?:and|so|then)\\b", thread.text[match.end() :]):
                continue
            claims.append(thread.claim(match["key"], number, match.start(), match.end()))
        for match in _ABSENT.finditer(thread.text):
            claims.append(thread.claim(match["key"], NONE, match.start(), match.end()))
    return sorted(claims, key=lambda claim: claim.start)
