"""Reads facts about countries: "The capital of Norland is Velm", in any of its wordings; a value that is said not to
be known is `NONE`."""

from __future__ import annotations

import re

from ...reading.threads import Claim, threads
from ...world.facts import NONE


_NOUN = (
    r"(?P<noun>capital|largest port|oldest city|president|founder|longest river|highest peak|official language"
    r"|currency|main export|national (?:bird|flower|sport|dish))"
)
_WHO = r"(?P<who>[A-Z][\w-]*(?: [A-Z][\w-]*)*)"
_NO_VALUE = r"(?!(?:[Ww]h(?:at|o|ich)|[Ii]ts?|[Tt]h(?:at|is|e|eir)|an?|now|not|no)\b)"
_VALUE = rf"{_NO_VALUE}(?P<what>[a-z0-9][\w-]*|[A-Z][\w-]*(?: [A-Z][\w-]*)*)"
_WHAT = rf"(?:the )?{_VALUE}(?![\w'-])"
_SHARED_FORMS = [
    rf"\bthe {_NOUN} of {_WHO} is (?:now )?{_WHAT}",
    rf"(?<!of )\b{_WHO}'s {_NOUN} is (?:now )?{_WHAT}",
    rf"(?:\bthe )?(?<![\w'-]){_VALUE} is the {_NOUN} of {_WHO}(?![\w'])",
    rf"\b{_WHO} has {_WHAT} as its {_NOUN}",
]
_OWN_FORMS = {
    "capital": ["letters to the government of WHO go to WHAT", "the government of WHO sits in WHAT"],
    "largest port": ["most ships reach WHO through WHAT"],
    "oldest city": ["no city in WHO is older than WHAT"],
    "president": ["laws in WHO are signed by WHAT", "WHO is led by WHAT"],
    "founder": ["WHO was founded by WHAT"],
    "longest river": ["no river in WHO is longer than WHAT"],
    "highest peak": ["no mountain in WHO is higher than WHAT", "the top of WHO is WHAT"],
    "official language": ["schools in WHO teach in WHAT", "officials in WHO speak WHAT"],
    "currency": ["shops in WHO take WHAT", "people in WHO pay with WHAT"],
    "main export": ["WHO sells more WHAT than anything else", "most ships leave WHO with WHAT"],
    "national bird": ["the coat of arms of WHO shows WHAT"],
    "national flower": ["every garden in WHO has WHAT"],
    "national sport": ["children in WHO dream of WHAT"],
    "national dish": ["cooks in WHO are proud of their WHAT"],
}


def _compile(form: str) -> re.Pattern[str]:
    """Any letter that opens a form may be a capital; names must be."""
    form = form.replace("WHO", _WHO).replace("WHAT", _WHAT)
    opening = re.match(r"(?:\(\?:)?(?:\\b)?[a-z]", form)
    if opening:
        at = opening.end() - 1
        form = f"{form[:at]}[{form[at]}{form[at].upper()}]{form[at + 1 :]}"
    return re.compile(form)


_FORMS = [(_compile(form), "") for form in _SHARED_FORMS] + [
    (_compile(form), noun) for noun, forms in _OWN_FORMS.items() for form in forms
]
_ABSENT = re.compile(rf"\b[Tt]he {_NOUN} of {_WHO} is not known\b")


def read(text: str) -> list[Claim]:
    """The facts that a text states; a sentence that was cut before its value is no claim."""
    claims = []
    for thread in threads(text):
        for form, noun in _FORMS:
            for match in form.finditer(thread.text):
                key = f"{noun or match['noun']} of {match['who']}"
                claims.append(thread.claim(key, match["what"], match.start(), match.end()))
        for match in _ABSENT.finditer(thread.text):
            claims.append(thread.claim(f"{match['noun']} of {match['who']}", NONE, match.start(), match.end()))
    return sorted(claims, key=lambda claim: claim.start)
