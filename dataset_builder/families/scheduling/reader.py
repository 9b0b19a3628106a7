"""Reads what is said of events: when they start and end, how long they take, on which day, where, with whom, what lies
between two of them, which comes first, and when to leave; what is said to be open is `NONE`."""

from __future__ import annotations

import re

from ...reading.threads import Claim, threads
from ...world.facts import NONE


_EVENT = r"(?:[A-Z][\w-]* )?[a-z]+"
_TIME = r"\d{1,2}:\d\d(?!\d)"
_X = rf"[Tt]he (?P<x>{_EVENT})"
_PAIR = rf"the (?P<x>{_EVENT}) and the (?P<y>{_EVENT})"
_VERBS = {
    "starts": "start of",
    "begins": "start of",
    "ends": "end of",
    "finishes": "end of",
    "leaves": "departure of",
    "departs": "departure of",
    "arrives": "arrival of",
    "gets in": "arrival of",
}
_POINTS = r"(?P<thing>(?:start|end|departure|arrival) of)"
_DOES = rf"(?:{_X} (?P<verb>{'|'.join(_VERBS)})|[Yy]ou (?:have to|must|should) leave for the (?P<leave>{_EVENT}))"
_SUM = (
    rf"(?:(?:{_TIME} (?:plus|minus) \d+ minutes|\d+ minutes (?:after|before) {_TIME}) is {_TIME}, so "
    rf"(?=the |you ))?"
)
_LATER = rf"(?:\d+ minutes (?:after|before) {_TIME}, (?:which is|so|at) )?"
_AT = rf"(?:at )?(?P<value>{_TIME})"
_MINUTES = r"(?P<value>\d+) minutes"
_DAY = r"(?P<value>(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day(?: \d{1,2} [A-Z][a-z]+)?|\d{1,2} [A-Z][a-z]+)(?![\w-])"
_PLACE = r"(?P<value>(?:[A-Z][\w-]* )+Hall|(?:room|platform|stop|pier|gate) \d+[a-z]?)(?![\w-])"
_GUEST = r"(?P<value>[A-Z][\w-]*(?: [A-Z][\w-]*)?)(?![\w-])"
_GAP = r"(?P<value>an? \d+-minute (?:gap|overlap)|no gap)"
_FIRST = rf"(?P<value>the {_EVENT}|neither)(?![\w-])"

_WORDINGS = [
    ("", rf"{_SUM}{_DOES} {_LATER}{_AT}"),
    ("", rf"[Tt]he {_POINTS} the (?P<x>{_EVENT}) (?:is|comes) {_AT}"),
    ("time to leave for", rf"[Tt]he time to leave for the (?P<x>{_EVENT}) is {_AT}"),
    ("duration of", rf"(?<!to )(?<!of ){_X} (?:takes|needs|goes on for) {_MINUTES}"),
    ("duration of", rf"{_X} (?:{'|'.join(_VERBS)}) at {_TIME} and (?P<claim>takes {_MINUTES})"),
    ("duration of", rf"[Tt]he duration of the (?P<x>{_EVENT}) is {_MINUTES}"),
    ("way to", rf"[Tt]he way to the (?P<x>{_EVENT}) is {_MINUTES}"),
    ("way to", rf"[Ii]t is {_MINUTES} to the (?P<x>{_EVENT})"),
    ("way to", rf"(?:[Yy]ou need|[Ii]t takes) {_MINUTES} to get to the (?P<x>{_EVENT})"),
    ("time between", rf"[Tt]he time between {_PAIR} is {_MINUTES}"),
    ("time between", rf"[Bb]etween {_PAIR} it is {_MINUTES}"),
    ("day of", rf"{_X} is (?:on|down for) {_DAY}"),
    ("day of", rf"[Tt]he day of the (?P<x>{_EVENT}) is {_DAY}"),
    ("day of", rf"[Tt]he calendar has the (?P<x>{_EVENT}) on {_DAY}"),
    ("place of", rf"{_X} (?:is|takes place) in {_PLACE}"),
    ("place of", rf"[Tt]he place of the (?P<x>{_EVENT}) is {_PLACE}"),
    ("place of", rf"[Yy]ou find the (?P<x>{_EVENT}) in {_PLACE}"),
    ("boarding place of", rf"{_X} (?:leaves|departs) from {_PLACE}"),
    ("boarding place of", rf"[Tt]he boarding place of the (?P<x>{_EVENT}) is {_PLACE}"),
    ("boarding place of", rf"[Yy]ou board the (?P<x>{_EVENT}) at {_PLACE}"),
    ("guest of", rf"[Tt]he guest of the (?P<x>{_EVENT}) is {_GUEST}"),
    ("guest of", rf"{_X} has {_GUEST} as its guest"),
    ("guest of", rf"{_X} is attended by {_GUEST}"),
    ("guest of", rf"[Tt]he one who attends the (?P<x>{_EVENT}) is {_GUEST}"),
    ("gap between", rf"[Bb]etween {_PAIR} (?:there is|we have) {_GAP}"),
    ("gap between", rf"[Tt]he (?P<x>{_EVENT}) and the (?P<y>{_EVENT}) have {_GAP}"),
    ("gap between", rf"[Ww]hat {_PAIR} have is {_GAP}"),
    ("first of", rf"[Tt]he first of {_PAIR} is {_FIRST}"),
    ("first of", rf"(?:[Oo]f|[Bb]etween) {_PAIR} the (?:first|earlier) is {_FIRST}"),
]
_FORMS = [(thing, re.compile(rf"(?<![\w'-])(?:{form})")) for thing, form in _WORDINGS]
_THINGS = (
    r"(?:(?:start|end|departure|arrival|duration|day|(?:boarding )?place|guest|first) of|way to|time to leave for"
    r"|(?:gap|time) between)"
)
_ABSENT = re.compile(
    rf"\b[Tt]he (?P<key>{_THINGS} the {_EVENT}(?: and the {_EVENT})?) is (?:still )?"
    r"(?:open|unknown|not known|not settled|undecided)\b"
)


def read(text: str) -> list[Claim]:
    """What a text says of events; a sentence that was cut before its value is no claim."""
    claims = []
    for thread in threads(text):
        for thing, form in _FORMS:
            for match in form.finditer(thread.text):
                found = match.groupdict()
                key = _key(thing, found)
                start, end = match.span("claim" if "claim" in found else 0)
                claims.append(thread.claim(key, match["value"], start, end))
        for match in _ABSENT.finditer(thread.text):
            claims.append(thread.claim(match["key"], NONE, match.start(), match.end()))
    return sorted(claims, key=lambda claim: claim.start)


def _key(thing: str, found: dict[str, str | None]) -> str:
    """What a claim is about, from the parts of it that were found."""
    if found.get("leave"):
        return f"time to leave for the {found['leave']}"
    thing = thing or found.get("thing") or _VERBS[found["verb"] or ""]
    if found.get("y"):
        return f"{thing} the {found['x']} and the {found['y']}"
    return f"{thing} the {found['x']}"
