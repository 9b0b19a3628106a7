"""Schedules: when events start and end, how long they take, where and with whom, and what follows from that.

A clause is understood by what it holds: its events, its value, and a few words around them. With a time and the word
"ends", for example, it tells when its event ends.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from ...oracle.listener import Conversation, Listener, NotUnderstood, State, StatedValue
from ...reading import CUT, Claim, threads
from ...world.facts import NONE


_NAME = r"[A-Z][\w-]*"
_NAMES = rf"(?:{_NAME} )?{_NAME}"
_NO_NAMES = "Replace|Forget|In|At|On|For|From|As|Instead|With|The|It|I|We|They|Now|Here|Make|Change|Put|Drop|No"
"""What opens a sentence and is no part of a name behind it."""
_TIME = r"\d{1,2}:\d\d"
_DATE = r"\d{1,2} (?:January|February|March|April|May|June|July|August|September|October|November|December)"
_VALUE = re.compile(
    rf"(?<![\w:-])(?:(?P<time>{_TIME})|(?P<minutes>\d+)(?: free)? minutes"
    rf"|(?P<day>(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day(?: {_DATE})?|{_DATE})"
    r"|(?P<stop>(?:platform|stop|pier|gate) \d+[a-z]?)"
    rf"|(?P<room>room \d+[a-z]?|(?:(?!(?:{_NO_NAMES}) ){_NAME} )+Hall))(?![\w:-])"
)
_GUEST = re.compile(
    rf"^(?!(?:Who|{_NO_NAMES}) )(?P<first>{_NAMES}) "
    r"(?:attends|comes to|visits|joins|will|was|is(?! the guest @)|no longer|it is)"
    rf"|(?<!^)(?<![\w-])(?!(?:{_NO_NAMES})\b)(?P<later>{_NAMES})(?![\w-])"
)
_WITH_GUEST = re.compile(
    r"\b(?:guest|attend(?:s|ed)?|com(?:es|ing) to|welcomes|is expected|visit(?:s|ed)|joins|invited)\b"
)
_ANY = rf"(?:{re.sub(r'[?]P<[a-z]+>', '?:', _VALUE.pattern)}|{_NAMES})"
_OLD = re.compile(
    rf"(?:(?:, not|\b(?:changed from|[Ii]nstead of|rather than|[Rr]eplace|I said|I had)) {_ANY}"
    rf"|\bfrom {_ANY}(?= to )|\bis not {_ANY}(?= but )|\b(?:was|is no more) {_ANY}(?=, ))"
)
_NO_EVENTS = (
    "start|end|departure|arrival|planned|earliest|earlier|duration|day|place|boarding|guest|way|time|break|gap|first"
    "|same|air|answers|minutes|length|walk|hour|one|plan|clock|calendar|limit|exact|number|right|moment|size|rule|trip"
    "|date|second|third|fourth|fifth|sixth|seventh|eighth|question|last|latest|record|times?|other|contrary|truth|back"
)
_EVENT = re.compile(rf"\b[Tt]he (?!(?:{_NO_EVENTS})\b)((?:{_NAME} )?[a-z]+)\b")


def _cues(**cues: str) -> dict[str, re.Pattern[str]]:
    """Words that point at a thing, which is named with a _ for each space."""
    return {thing.replace("_", " "): re.compile(rf"\b(?:{words})", re.IGNORECASE) for thing, words in cues.items()}


_POINTS = _cues(
    start_of=r"(?:start|begin)s?\b",
    end_of=r"(?:ends?|finish(?:es)?)\b",
    departure_of=r"(?:departure|leaves?(?! the )|departs?)\b",
    arrival_of=r"(?:arrival|arrives?|gets? in)\b",
)
_TOPICS = {
    **_cues(
        time_to_leave_for=r"(?:leave|set off|head) for\b",
        guest_of=r"(?:guest|whom?)\b",
        way_to=r"(?:way to|reaching|walks?)\b|to @",
        boarding_place_of=r"(?:boards?|boarding|from (?:where|which place)|(?:leaves?|departs?) from|get on|waits?)\b",
        day_of=r"(?:day|date)\b",
        place_of=r"(?:place|where)\b",
        duration_of=r"(?:duration|how long|minutes|how much time|length)\b",
    ),
    **_POINTS,
}
"""What a clause without a value is about: the first of these that its words point at."""
_STRAY_NAME = re.compile(rf"(?<=[a-z,:] )(?<![Tt]he ){_NAME}")
_HALF_A_GUEST = re.compile(rf" has {_NAMES}(?: as(?: its)?)?{CUT}")
_PLANNED = re.compile(r"\bplan(?:ned)?\b|\bschedule|\bsupposed\b|\bintend\b|\bmeant to start\b|\bshould start\b")
_LIMIT = re.compile(
    rf"\bbefore\b|\bor later\b|\bearliest\b|\bahead of\b|\buntil\b|\bsooner\b|\bfrom {_TIME} on\b", re.IGNORECASE
)
_UNLIMITED = re.compile(r"\bearliest\b|\bat any\b|\blimits?\b", re.IGNORECASE)
_BREAK = re.compile(r"\bbreak\b|\bmust\b|\bwe want\b|\bnothing between\b|\bor later\b|\bsooner\b")
_DISTANCE = re.compile(r"\bgap\b|\boverlap\b|\bapart\b|\bmiss\b")
_BEHIND = re.compile(r"\b(?:when|as soon as|after|behind|once|from)(?: the end of)? @(\d)", re.IGNORECASE)
_SHARED = re.compile(r"\b(?:[Tt]he same|shares?|use one|on one|that of|falls on the|meets where)\b")
_LOST = re.compile(
    r"\b(?:open|nobody|nothing|no longer|does not start|settled any more|not settled|any (?:more|longer|time"
    r"|hour)|forget|disregard|rely on|put (?:@\d )?off"
    r"|has been moved|moved(?= @\d but)|postponed|drop(?:ped)?|up in the air|is gone|no break|leave out)\b",
    re.IGNORECASE,
)
_ALSO = re.compile(rf"{_VALUE.pattern}|(?<! )\d|(?<=[a-z] )(?!I\b){_NAME}|(?i:{_LOST.pattern})|^{_NAMES}\.?$")
_AROUND = re.compile(
    r"(?:and )?(?:nothing new|wrong|no|wait|correction|sorry|actually|careful|oops|hmm|well|look|listen|ah|oh"
    r"|before I forget|not to forget|I forgot|I nearly forgot|don't|no matter|no change)\b",
    re.I,
)
"""Parts of an update beside that which names an event: what matters, and what does not."""
_ORDINARY = {"departure of": "start of", "arrival of": "end of"}
"""A journey starts and ends too."""
_RECKONED = re.compile(
    rf"(?P<time>{_TIME}) (?P<sign>plus|minus) (?P<minutes>\d+) minutes"
    rf"|(?P<minutes_2>\d+) minutes (?P<sign_2>after|before) (?P<time_2>{_TIME})"
)
_FROM, _BY, _WAY = "time that leads to the ", "minutes that lead to the ", "way that leads to the "
"""Before the key of a time: the time that it is reckoned from, the minutes, and "on" or "back"."""


class Clause(NamedTuple):
    """
    A clause as it was heard.

    Args:
        words (`str`): Its words; @0 stands for its first event, without what was and is no longer.
        events (`tuple[str, ...]`): Its events, in the order in which they are first named.
        sort (`str`): "time", "minutes", "day", "stop", "room" or "guest"; "" if it has no value.
        value (`str`): Its value.
    """

    words: str
    events: tuple[str, ...]
    sort: str
    value: str

    def pair(self) -> tuple[str, str]:
        """Two events, the earlier one first."""
        behind = _BEHIND.search(self.words)
        return self.events[::-1] if behind and behind[1] == "1" else self.events  # type: ignore[return-value]


class Reckoning(NamedTuple):
    """How a time follows: from another time, by some minutes, on or back."""

    time: str
    minutes: str
    way: str


class Scheduling(Listener):
    """The key of a claim, and the name of a fact, is "start of the review" or "gap between the talk and the exam".

    Facts of journeys are called as those of other events; what two events share is called as that of the first one.
    """

    task_type = "scheduling"

    def understand(self, prompt: str) -> State:
        facts: dict[str, str] = {}
        follows: dict[str, str] = {}
        shared: dict[str, str] = {}
        events: dict[str, bool] = {}
        asked: list[str] = []
        for text in filter(None, re.split(r"[.,;:?!](?: |$)", prompt)):
            clause = _clause(text)
            events.update(dict.fromkeys(clause.events, True))
            told = _told(clause)
            if told:
                facts[told[0]] = told[1]
            elif not clause.events and not clause.sort:
                continue  # "tell me", "as far as I know"
            elif clause.sort or len(clause.events) not in (1, 2):
                raise NotUnderstood(repr(text))
            elif len(clause.events) == 2 and _SHARED.search(clause.words):
                _share(shared, "day" if "day" in clause.words else "place", *clause.events)
            elif len(clause.events) == 2 and _BEHIND.search(clause.words):
                first, second = clause.pair()
                follows[second] = first
            else:
                asked.append(_topic(clause))
        if not asked or "" in asked:
            raise NotUnderstood("it is not clear what it asks for.")
        state = State({}, tuple(dict.fromkeys(asked)), {"follows": follows, "shared": shared, "events": events})
        return state.but({_name(state, name): value for name, value in facts.items()})

    def apply(self, state: State, text: str) -> State:
        clause = _clause(_core(text))
        if not clause.events or not all(event in state.rules["events"] for event in clause.events):
            return state
        if not _LOST.search(clause.words):
            told = _told(clause)
            return state.but({_name(state, told[0]): told[1]}) if told else state
        lost = _name(state, _lost(clause))
        return state.but({lost: NONE}) if lost in state.facts else state

    def refers(self, state: State, noun: str) -> Collection[str]:
        return {_name(state, noun.removeprefix("the "))}

    def value(self, state: State, key: str) -> str:
        thing, _, rest = key.partition(" the ")
        if f"{thing} the " in (_FROM, _BY, _WAY):
            return _reason(state, f"{thing} the ", rest)
        first, _, second = rest.partition(" and the ")
        if thing == "gap between":
            return _gap(_span(state, first), _span(state, second))
        if thing == "first of":
            return _first((first, _start(state, first)), (second, _start(state, second)))
        if thing in _POINTS or thing == "time to leave for":
            time = _time(state, key)
            return NONE if time is None else _show(time)
        return _fact(state, key)

    def may_say(self, state: State, key: str) -> bool:
        return key in state.questions or _name(state, key) in {
            name for question in state.questions for name in _behind(state, question)
        }

    def faults(self, conversation: Conversation) -> list[str]:
        """Sentences that name an event and say nothing of it, or that have a name that makes no sense."""
        found = []
        for thread in threads(conversation.text):
            rest = list(thread.text)
            for claim in self.read(thread.text):
                rest[claim.start : claim.end] = " " * (claim.end - claim.start)
            unsaid = _HALF_A_GUEST.sub(CUT, "".join(rest))
            if _STRAY_NAME.search(unsaid) or (thread.text[-1] != CUT and _EVENT.search(unsaid)):
                found.append(f"{thread.text!r} makes no sense.")
        return found

    def parts(self, claim: Claim, said: str) -> list[StatedValue]:
        """Everything in "9:30 plus 45 minutes is 10:15, so the review ends at 10:15" counts."""
        step = _RECKONED.search(said)
        if claim.value == NONE or not step:
            return super().parts(claim, said)
        found = {group.removesuffix("_2"): group for group, value in step.groupdict().items() if value}
        time, minutes, sign = (step.start(found[group]) for group in ("time", "minutes", "sign"))
        way = "on" if step[found["sign"]] in ("plus", "after") else "back"
        results = [match for match in re.finditer(_TIME, said) if match.start() != time]
        return [
            StatedValue(_FROM + claim.key, step[found["time"]], time),
            StatedValue(_BY + claim.key, step[found["minutes"]], minutes),
            StatedValue(_WAY + claim.key, way, sign),
            *(StatedValue(claim.key, match[0], match.start()) for match in results),
        ]


def _core(text: str) -> str:
    """An update without what is said around it, such as "before I forget" or "sorry about that"."""
    parts = [part for part in re.split(r"(?<=[,:;.?!])(?: |$)", text) if part]
    core = [part for part in parts if _EVENT.search(part) or (_ALSO.search(part) and not _AROUND.match(part))]
    return re.sub(r"(?:Word has it|[Nn]obody told you|It has come out) that ", "", " ".join(core)).rstrip(".,:;?!")


def _clause(text: str) -> Clause:
    """Takes a clause apart."""
    events: dict[str, int] = {}
    words = _EVENT.sub(lambda match: f"@{events.setdefault(match[1], len(events))}", text)
    words = _OLD.sub("", words)
    guest = _GUEST.search(words) if _WITH_GUEST.search(words) else None
    if guest:
        return Clause(words, tuple(events), "guest", guest["first"] or guest["later"])
    value = _VALUE.search(words)
    if value and value.lastgroup:
        return Clause(words, tuple(events), value.lastgroup, value[value.lastgroup])
    return Clause(words, tuple(events), "", "")


def _told(clause: Clause) -> tuple[str, str] | None:
    """The fact that a clause tells, and its value."""
    words, sort = clause.words, clause.sort
    if len(clause.events) == 2 and sort == "minutes":
        thing = "break between" if _BREAK.search(words) else "time between"
        return f"{thing} the {' and the '.join(clause.pair())}", clause.value
    if len(clause.events) != 1 or not sort:
        return None
    if sort == "time":
        thing = "planned start of" if _PLANNED.search(words) else "earliest start of" if _LIMIT.search(words) else ""
        thing = thing or next((point for point, verbs in _POINTS.items() if verbs.search(words)), "")
    elif sort == "minutes":
        thing = "way to" if _TOPICS["way to"].search(words) else "duration of"
    else:
        thing = {"day": "day of", "stop": "boarding place of", "room": "place of", "guest": "guest of"}[sort]
    return (f"{thing} the {clause.events[0]}", clause.value) if thing else None


def _lost(clause: Clause) -> str:
    """The fact that is said to hold no longer."""
    if len(clause.events) == 2:
        thing = "break between" if _BREAK.search(clause.words) else "time between"
        return f"{thing} the {' and the '.join(clause.events)}"
    if _UNLIMITED.search(clause.words):
        return f"earliest start of the {clause.events[0]}"
    return _topic(clause) or f"start of the {clause.events[0]}"


def _topic(clause: Clause) -> str:
    """What a clause without a value is about; "" if that is not clear."""
    if len(clause.events) == 2:
        thing = "gap between" if _DISTANCE.search(clause.words) else "first of"
        return f"{thing} the {' and the '.join(clause.events)}"
    thing = next((thing for thing, cues in _TOPICS.items() if cues.search(clause.words)), "")
    return f"{thing} the {clause.events[0]}" if thing and clause.events else ""


def _share(shared: dict[str, str], what: str, one: str, other: str) -> None:
    """Notes that two events, and those that they share it with already, have one day or place."""
    first, second = (_root(shared, f"{what} of the {event}") for event in (one, other))
    if first != second:
        shared[second] = first


def _root(shared: Mapping[str, str], name: str) -> str:
    while name in shared:
        name = shared[name]
    return name


def _name(state: State, key: str) -> str:
    """What the fact is called that a key stands for. A start that was planned changes with the plan."""
    thing, _, event = key.partition(" the ")
    name = f"{_ORDINARY.get(thing, thing)} the {event}"
    planned = f"planned {name}"
    return planned if planned in state.facts else _root(state.rules["shared"], name)


def _fact(state: State, name: str) -> str:
    value: str = state.facts.get(_name(state, name), NONE)
    return value


def _start(state: State, event: str) -> int | None:
    return _time(state, f"start of the {event}")


def _span(state: State, event: str) -> tuple[int | None, int | None]:
    return _start(state, event), _time(state, f"end of the {event}")


def _time(state: State, key: str, seen: tuple[str, ...] = ()) -> int | None:
    """A time in minutes since midnight, told or reckoned; None if it is not known."""
    name = _name(state, key)
    if name in seen:
        return None
    if name in state.facts:
        told = state.facts[name]
        earliest = state.facts.get(name.replace("planned", "earliest"), NONE)
        return None if told == NONE else max(_minute(told), _minute(earliest if earliest != NONE else told))
    reckoning = _reckoning(state, name)
    if reckoning is None:
        return None
    start, minutes = _time(state, reckoning.time, (*seen, name)), _fact(state, reckoning.minutes)
    if minutes == NONE and reckoning.minutes.startswith("break"):
        minutes = "0"  # without one, the next event begins at once
    if start is None or minutes == NONE:
        return None
    return start + int(minutes) if reckoning.way == "on" else start - int(minutes)


def _reckoning(state: State, key: str) -> Reckoning | None:
    """How a time that was not told follows from others, whether these are known or not."""
    thing, _, event = key.partition(" the ")
    start, end, duration = (f"{thing} the {event}" for thing in ("start of", "end of", "duration of"))
    if thing == "time to leave for":
        return Reckoning(start, f"way to the {event}", "back")
    if thing == "end of":
        return Reckoning(start, duration, "on")
    if event in state.rules["follows"]:
        before = state.rules["follows"][event]
        return Reckoning(f"end of the {before}", f"break between the {before} and the {event}", "on")
    for name in state.facts:
        if name.startswith("time between the ") and name.endswith(f" and the {event}"):
            before = name.removeprefix("time between the ").removesuffix(f" and the {event}")
            return Reckoning(f"end of the {before}", name, "on")
    return Reckoning(end, duration, "back") if end in state.facts else None


def _reason(state: State, what: str, key: str) -> str:
    """What a time is reckoned from, by how many minutes, and which way."""
    reckoning = _reckoning(state, _name(state, key))
    if reckoning is None:
        return NONE
    if what == _WAY:
        return reckoning.way
    if what == _BY:
        return _fact(state, reckoning.minutes)
    time = _time(state, reckoning.time)
    return NONE if time is None else _show(time)


def _behind(state: State, key: str) -> set[str]:
    """The names of all that helps to know a value, itself among them."""
    found: set[str] = set()
    names = [_name(state, key)]
    thing, _, events = key.partition(" the ")
    if thing in ("gap between", "first of"):
        names = [f"{point} the {event}" for event in events.split(" and the ") for point in ("start of", "end of")]
    while names:
        name = _name(state, names.pop())
        if name in found:
            continue
        found.add(name)
        reckoning = None if name in state.facts else _reckoning(state, name)
        names += [reckoning.time, reckoning.minutes] if reckoning else []
    return found


def _gap(one: tuple[int | None, int | None], other: tuple[int | None, int | None]) -> str:
    """What lies between two events, from start to end each."""
    (start, end), (other_start, other_end) = one, other
    if start is None or end is None or other_start is None or other_end is None:
        return NONE
    between = max(start, other_start) - min(end, other_end)
    if not between:
        return "no gap"
    minutes = str(abs(between))
    article = "an" if minutes[0] == "8" or minutes in ("11", "18") else "a"
    return f"{article} {minutes}-minute {'gap' if between > 0 else 'overlap'}"


def _first(one: tuple[str, int | None], other: tuple[str, int | None]) -> str:
    """The event that starts first."""
    if one[1] is None or other[1] is None:
        return NONE
    return "neither" if one[1] == other[1] else f"the {one[0] if one[1] < other[1] else other[0]}"


def _minute(time: str) -> int:
    hours, minutes = time.split(":")
    return 60 * int(hours) + int(minutes)


def _show(time: int) -> str:
    return f"{time // 60}:{time % 60:02}"


LISTENER = Scheduling()
