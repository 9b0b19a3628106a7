"""Reads what is said of things: "the bridge is not open", "Ada is late", "the answer to whether Ada is late is yes";
what is said not to be known, not to follow or to remain open is `NONE`."""

from __future__ import annotations

import re

from ...reading.threads import Claim, threads
from ...world.facts import NONE


_NO_NAME = r"(?!(?:It|This|That|These|There|What|Who|Which|Whether|He|She|They|Here|Nothing|So|If)\b)"
_WHO = rf"(?:[Tt]he (?P<thing>(?!answer\b)[a-z]\w*)|(?P<name>{_NO_NAME}[A-Z]\w*))"
_NOW = r"(?:now |then |still |therefore |thus )?"
_WHAT = r"(?P<what>(?:not )?(?!(?:not|no|yes|known|unknown|an?|the|that|true|false|what)\b)\w+)"
_ASIDE = r"(?<!\bif )(?<!\bIf )(?<!ether )"  # a clause behind these states nothing
_PLAIN = re.compile(rf"{_ASIDE}\b{_WHO} is {_NOW}{_WHAT}")
_ABSENT = re.compile(rf"\b[Nn]othing follows for {_WHO}")
_UNKNOWN = re.compile(rf"\b[Ii]t is (?:{_NOW}not|no longer) known whether {_WHO} is {_WHAT}")
_ANSWER = re.compile(rf"\b(?:[Tt]he answer to )?(?P<key>[Ww]hether {_WHO} is {_WHAT}) is {_NOW}(?P<answer>yes|no)\b")
_OPEN = re.compile(rf"\b(?P<key>[Ww]hether {_WHO} is {_WHAT}) (?:remains|is) {_NOW}open\b")


def read(text: str) -> list[Claim]:
    """What a text states of things and people, and its answers to questions of yes or no; what was cut before its
    value is no claim."""
    claims = []
    for thread in threads(text):
        for form in (_PLAIN, _ABSENT, _UNKNOWN):
            for match in form.finditer(thread.text):
                value = match["what"] if form is _PLAIN else NONE
                claims.append(thread.claim(match["thing"] or match["name"], value, match.start(), match.end()))
        for form in (_ANSWER, _OPEN):
            for match in form.finditer(thread.text):
                key = match["key"][0].lower() + match["key"][1:]
                value = match["answer"] if form is _ANSWER else NONE
                claims.append(thread.claim(key, value, match.start(), match.end()))
    return sorted(claims, key=lambda claim: claim.start)
