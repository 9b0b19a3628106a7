"""Reads what is said of lists: "the second stop is Oslo", "after Rome comes Bern", "the tour has 4 stops", in any of
their wordings; what is said not to be there is `NONE`."""

from __future__ import annotations

import re

from ...reading.threads import Claim, threads
from ...world.facts import NONE


_NOUNS = {
    "shopping list": "item",
    "packing list": "item",
    "to-do list": "task",
    "recipe": "step",
    "agenda": "topic",
    "tour": "stop",
    "ball": "dance",
    "menu": "course",
    "timetable": "lesson",
    "zoo walk": "animal",
    "bird walk": "bird",
    "flower bed": "flower",
    "sports day": "event",
    "relay": "runner",
    "conference": "speaker",
    "language course": "language",
    "cruise": "river",
    "climbing plan": "peak",
    "travel plan": "country",
    "coin album": "coin",
}
"""What the items of each list are called."""
_NTH = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_WORD = (
    r"(?!(?:an?|and|at|as|comes|has|is|it|not?|nothing|now|of|so|the|then|there|what|which|who"
    r"|[Cc]orrection|[Hh]old|[Nn]o|[Ss]cratch|[Ss]orry|[Ww]ait)\b)[\w'-]+"
)
_ITEM = rf"{_WORD}(?: {_WORD}){{0,2}}"
_ENDS = r"(?=[.,;:!?<\0\n]| and\b| so\b| --|$)"
_X = rf"(?:the )?(?P<x>{_ITEM})"
_VALUE = rf"(?:now )?(?:the )?(?P<v>{_ITEM}){_ENDS}"
_NUMBER = r"(?:now )?(?P<v>\d+)\b(?![.,]\d)"
_LIST = rf"the (?P<list>{'|'.join(_NOUNS)})\b"
_ANY_NOUN = "|".join(dict.fromkeys(_NOUNS.values()))
_NOUN = rf"(?P<noun>(?i:{_ANY_NOUN}))"
_PLURAL = rf"(?P<plural>countries|(?:{_ANY_NOUN})s)\b"
_WHERE = rf"(?: (?:of|on|in|at) {_LIST})?"
_SIDE = r"(?:[Rr]ight )?(?P<side>[Aa]fter|[Bb]efore)"
_ORDINAL = rf"(?P<nth>{'|'.join(_NTH)}|last)"

_POSITIONS = [
    rf"[Tt]he {_ORDINAL} {_NOUN}{_WHERE} (?:is|comes) {_VALUE}",
    rf"(?:[Aa]s )?{_NOUN} (?:number )?(?P<k>\d+){_WHERE} (?:is|comes) {_VALUE}",
    rf"[Tt]here is no {_ORDINAL} {_NOUN}\b",
    rf"[Tt]here is no {_NOUN} (?:number )?(?P<k>\d+)\b",
]
_LAST = [rf"[Tt]he {_LIST[4:]} ends with {_VALUE}"]
_COUNTS = [
    rf"(?:[Tt]he {_LIST[4:]} has|[Tt]here are|I count) {_NUMBER} {_PLURAL}",
    rf"[Tt]he number of {_PLURAL}{_WHERE} is {_NUMBER}",
]
_BESIDE = [
    rf"{_SIDE} {_X}{_WHERE} comes {_VALUE}",
    rf"[Tt]he {_NOUN} {_SIDE} {_X}{_WHERE} is {_VALUE}",
    rf"{_SIDE} {_X}{_WHERE} comes nothing\b",
    rf"[Nn]othing comes {_SIDE} {_X}(?=[.,;!?])",  # behind what was cut off, a longer name may have been begun
]
_PLACES = [
    rf"[Tt]he place of {_X}{_WHERE} is {_NUMBER}",
    rf"(?:[Oo]n|[Ii]n|[Aa]t) {_LIST} {_X} (?:has|comes at) place {_NUMBER}",
    rf"[Tt]here is no (?!(?:{'|'.join(_NTH)}) |(?:{_ANY_NOUN}) (?:number )?\d)(?P<x>{_ITEM}) (?:on|in|at) {_LIST}",
]


def _position(match: re.Match[str]) -> str:
    told = match.groupdict()
    number = told.get("k") or _NTH.index(told["nth"]) + 1 if told.get("nth") != "last" else 0
    return f"{match['noun'].lower()} {number}" if number else f"last {match['noun'].lower()}"


def _last(match: re.Match[str]) -> str:
    return f"last {_NOUNS[match['list']]}"


def _count(match: re.Match[str]) -> str:
    return f"number of {match['plural']}"


def _beside(match: re.Match[str]) -> str:
    return f"{match['side'].lower()} {match['x']}"


def _place(match: re.Match[str]) -> str:
    return f"place of {match['x']}"


_FORMS = [
    (re.compile(rf"(?<![\w'-]){form}"), key)
    for forms, key in (
        (_POSITIONS, _position),
        (_LAST, _last),
        (_COUNTS, _count),
        (_BESIDE, _beside),
        (_PLACES, _place),
    )
    for form in forms
]


def read(text: str) -> list[Claim]:
    """What a text says of lists; a sentence that was cut before its value is no claim."""
    claims = [
        thread.claim(key(match), match.groupdict().get("v") or NONE, match.start(), match.end())
        for thread in threads(text)
        for form, key in _FORMS
        for match in form.finditer(thread.text)
    ]
    return sorted(claims, key=lambda claim: claim.start)
