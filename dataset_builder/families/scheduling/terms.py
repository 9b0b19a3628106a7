"""How a user and a speaker word each thing that can be known of events.

`{x}` is an event, `{y}` another one that comes after it, `{v}` a value. A thing is called as its key begins: "start
of", in the key "start of the review".
"""

from __future__ import annotations

from typing import NamedTuple

from ...speech.grammar import Wordings
from .wordings import MORE, More


class Thing(NamedTuple):
    """Something that can be known of an event; what is left empty never comes.

    Attributes:
        type: the type of its values.
        told: how a user tells it.
        asked: what a user asks for, behind "tell me".
        questions: how a user asks for it, in a question of its own.
        said: how it is said.
        does: what is said of it before "at" and a time.
    """

    type: str = ""
    told: Wordings = Wordings((), ())
    asked: Wordings = Wordings((), ())
    questions: Wordings = Wordings((), ())
    said: tuple[str, ...] = ()
    does: tuple[str, ...] = ()


def _point(noun: str, verb: str, other: str, plain: str) -> Thing:
    """The start or the end of an event."""
    return Thing(
        "time",
        Wordings(
            (
                f"the {{x}} {verb} at {{v}}",
                f"the {{x}} {other} at {{v}}",
                f"at {{v}} the {{x}} {verb}",
                f"the {noun} of the {{x}} is at {{v}}",
                f"we have {{v}} for the {noun} of the {{x}}",
            ),
            (f"{{v}} is when the {{x}} {verb}", f"the clock says {{v}} when the {{x}} {verb}"),
        ),
        Wordings(
            (
                f"when the {{x}} {verb}",
                f"the {noun} of the {{x}}",
                f"at what time the {{x}} {other}",
                f"the time at which the {{x}} {verb}",
            ),
            (f"what time the {{x}} {verb}", f"the hour and minute at which the {{x}} {other}"),
        ),
        Wordings(
            (
                f"when does the {{x}} {plain}?",
                f"at what time does the {{x}} {plain}?",
                f"when is the {noun} of the {{x}}?",
            ),
            (f"what time does the {{x}} {plain}?", f"when by the clock does the {{x}} {plain}?"),
        ),
        (
            f"the {{x}} {verb} at {{v}}",
            f"the {{x}} {other} at {{v}}",
            f"the {noun} of the {{x}} is at {{v}}",
            f"the {noun} of the {{x}} comes at {{v}}",
        ),
        (f"the {{x}} {verb}", f"the {{x}} {other}"),
    )


_PLAIN = {
    "start of": _point("start", "starts", "begins", "start"),
    "end of": _point("end", "ends", "finishes", "end"),
    "departure of": _point("departure", "leaves", "departs", "leave"),
    "arrival of": _point("arrival", "arrives", "gets in", "arrive"),
    "planned start of": Thing(
        "time",
        Wordings(
            (
                "the {x} is planned for {v}",
                "the plan has the {x} at {v}",
                "we planned the {x} for {v}",
                "by plan the {x} is at {v}",
            ),
            ("the {x} is meant to start at {v}", "the {x} should start at {v}"),
        ),
    ),
    "earliest start of": Thing(
        "time",
        Wordings(
            (
                "the {x} must not start before {v}",
                "the {x} cannot start before {v}",
                "the {x} has to start at {v} or later",
                "the {x} may start at {v} at the earliest",
            ),
            ("{v} is the earliest that the {x} is allowed to start", "no start of the {x} ahead of {v} is allowed"),
        ),
    ),
    "duration of": Thing(
        "number",
        Wordings(
            (
                "the {x} takes {v} minutes",
                "the {x} needs {v} minutes",
                "the duration of the {x} is {v} minutes",
                "{v} minutes is what the {x} takes",
                "we count {v} minutes for the {x}",
            ),
            ("the {x} is over after {v} minutes", "{v} minutes are reserved for the {x}"),
        ),
        Wordings(
            (
                "how long the {x} takes",
                "the duration of the {x}",
                "how many minutes the {x} takes",
                "how much time the {x} needs",
            ),
            ("for how many minutes the {x} goes on", "the minutes that the {x} takes up"),
        ),
        Wordings(
            ("how long does the {x} take?", "how many minutes does the {x} take?", "how much time does the {x} need?"),
            ("for how long does the {x} go on?", "what is the length of the {x}?"),
        ),
        (
            "the {x} takes {v} minutes",
            "the {x} needs {v} minutes",
            "the duration of the {x} is {v} minutes",
            "the {x} goes on for {v} minutes",
        ),
    ),
    "day of": Thing(
        "date",
        Wordings(
            (
                "the {x} is on {v}",
                "the day of the {x} is {v}",
                "on {v} there is the {x}",
                "the {x} is down for {v}",
            ),
            ("the {x} falls on {v}", "{v} is the day of the {x}"),
        ),
        Wordings(
            (
                "on which day the {x} is",
                "the day of the {x}",
                "which day the {x} is down for",
                "what day the {x} is on",
            ),
            ("which date or day the {x} has", "the day to note for the {x}"),
        ),
        Wordings(
            ("on which day is the {x}?", "which day is the {x} on?", "what is the day of the {x}?"),
            ("on what date or day is the {x}?", "which day should I note for the {x}?"),
        ),
        (
            "the {x} is on {v}",
            "the day of the {x} is {v}",
            "the {x} is down for {v}",
            "the calendar has the {x} on {v}",
        ),
    ),
    "place of": Thing(
        "place",
        Wordings(
            (
                "the {x} is in {v}",
                "the {x} takes place in {v}",
                "the place of the {x} is {v}",
                "you find the {x} in {v}",
            ),
            ("the {x} meets in {v}", "the {x} is held in {v}"),
        ),
        Wordings(
            ("where the {x} is", "the place of the {x}", "where the {x} takes place", "in which place the {x} is"),
            ("where to go for the {x}", "in what place one finds the {x}"),
        ),
        Wordings(
            ("where is the {x}?", "where does the {x} take place?", "in which place is the {x}?"),
            ("where should I go for the {x}?", "in what place does one find the {x}?"),
        ),
        (
            "the {x} is in {v}",
            "the {x} takes place in {v}",
            "the place of the {x} is {v}",
            "you find the {x} in {v}",
        ),
    ),
    "boarding place of": Thing(
        "place",
        Wordings(
            (
                "the {x} leaves from {v}",
                "the {x} departs from {v}",
                "the boarding place of the {x} is {v}",
                "you board the {x} at {v}",
            ),
            ("passengers get on the {x} at {v}", "the {x} waits at {v}"),
        ),
        Wordings(
            (
                "where the {x} leaves from",
                "the boarding place of the {x}",
                "where to board the {x}",
                "from where the {x} departs",
            ),
            ("where passengers get on the {x}", "the place at which the {x} waits"),
        ),
        Wordings(
            ("where does the {x} leave from?", "where do I board the {x}?", "from where does the {x} depart?"),
            ("where does one get on the {x}?", "at which place does the {x} wait?"),
        ),
        (
            "the {x} leaves from {v}",
            "the {x} departs from {v}",
            "the boarding place of the {x} is {v}",
            "you board the {x} at {v}",
        ),
    ),
    "guest of": Thing(
        "name",
        Wordings(
            (
                "{v} attends the {x}",
                "the guest of the {x} is {v}",
                "the {x} has {v} as its guest",
                "{v} comes to the {x}",
            ),
            ("the {x} welcomes {v}", "{v} is expected at the {x}"),
        ),
        Wordings(
            ("who attends the {x}", "the guest of the {x}", "who comes to the {x}", "who is the guest of the {x}"),
            ("whom the {x} welcomes", "whom to expect at the {x}"),
        ),
        Wordings(
            ("who attends the {x}?", "who comes to the {x}?", "who is the guest of the {x}?"),
            ("whom does the {x} welcome?", "whom do we expect at the {x}?"),
        ),
        (
            "the guest of the {x} is {v}",
            "the {x} has {v} as its guest",
            "the {x} is attended by {v}",
            "the one who attends the {x} is {v}",
        ),
    ),
    "way to": Thing(
        "number",
        Wordings(
            (
                "the way to the {x} is {v} minutes",
                "it takes {v} minutes to get to the {x}",
                "you need {v} minutes to get to the {x}",
                "it is {v} minutes to the {x}",
            ),
            ("the walk to the {x} is {v} minutes", "reaching the {x} takes {v} minutes"),
        ),
        Wordings(
            (
                "how long the way to the {x} is",
                "the length of the way to the {x}",
                "how many minutes it is to the {x}",
                "how long it takes to get to the {x}",
            ),
            ("how long one walks to the {x}", "the minutes to allow for reaching the {x}"),
        ),
        Wordings(
            (
                "how long is the way to the {x}?",
                "how long does it take to get to the {x}?",
                "how many minutes is it to the {x}?",
            ),
            ("how long is the walk to the {x}?", "how many minutes do I allow for reaching the {x}?"),
        ),
        (
            "the way to the {x} is {v} minutes",
            "it is {v} minutes to the {x}",
            "you need {v} minutes to get to the {x}",
            "it takes {v} minutes to get to the {x}",
        ),
    ),
    "time between": Thing(
        "number",
        Wordings(
            (
                "the {y} starts {v} minutes after the {x} {ends}",
                "the {y} begins {v} minutes after the {x} {ends}",
                "there are {v} minutes between the {x} and the {y}",
                "the time between the {x} and the {y} is {v} minutes",
            ),
            ("when the {x} {ends} it is {v} minutes until the {y}", "from the {x} to the {y} it is {v} minutes"),
        ),
        said=("the time between the {x} and the {y} is {v} minutes", "between the {x} and the {y} it is {v} minutes"),
    ),
    "break between": Thing(
        "number",
        Wordings(
            (
                "there must be a break of {v} minutes between the {x} and the {y}",
                "the {y} must not start earlier than {v} minutes after the {x}",
                "everybody needs a break of {v} minutes between the {x} and the {y}",
                "a break of {v} minutes has to lie between the {x} and the {y}",
            ),
            (
                "{v} minutes of rest must separate the {x} and the {y}",
                "after the {x} we want {v} free minutes before the {y}",
            ),
        ),
    ),
    "right after": Thing(
        told=Wordings(
            (
                "the {y} starts when the {x} {ends}",
                "the {y} begins as soon as the {x} {ends}",
                "the {y} follows right after the {x}",
                "right after the {x} comes the {y}",
            ),
            ("once the {x} {ends} the {y} starts", "the {y} comes directly behind the {x}"),
        ),
    ),
    "same day": Thing(
        told=Wordings(
            (
                "the {y} is on the same day as the {x}",
                "the {x} and the {y} share a day",
                "the {y} has the same day as the {x}",
                "the day of the {y} is that of the {x}",
            ),
            ("the {y} falls on the day of the {x}", "the {x} and the {y} fall on one day"),
        ),
    ),
    "same place": Thing(
        told=Wordings(
            (
                "the {y} is in the same place as the {x}",
                "the {x} and the {y} share a place",
                "the {y} has the same place as the {x}",
                "the place of the {y} is that of the {x}",
            ),
            ("the {y} meets where the {x} meets", "the {x} and the {y} use one place"),
        ),
    ),
    "time to leave for": Thing(
        "time",
        asked=Wordings(
            (
                "when to leave for the {x}",
                "the time to leave for the {x}",
                "when I have to leave for the {x}",
                "at what time I must leave for the {x}",
            ),
            ("when to set off for the {x}", "how late I can head for the {x}"),
        ),
        questions=Wordings(
            (
                "when do I have to leave for the {x}?",
                "at what time must I leave for the {x}?",
                "when should I leave for the {x}?",
            ),
            ("when must I set off for the {x}?", "when do I need to head for the {x}?"),
        ),
        said=(
            "you have to leave for the {x} at {v}",
            "you must leave for the {x} at {v}",
            "you should leave for the {x} at {v}",
            "the time to leave for the {x} is {v}",
        ),
        does=("you have to leave for the {x}", "you must leave for the {x}", "you should leave for the {x}"),
    ),
    "gap between": Thing(
        "text",
        asked=Wordings(
            (
                "what gap there is between the {x} and the {y}",
                "the gap between the {x} and the {y}",
                "how long the gap between the {x} and the {y} is",
                "the gap or overlap between the {x} and the {y}",
            ),
            ("by how much the {x} and the {y} miss each other", "how far apart the {x} and the {y} are"),
        ),
        questions=Wordings(
            (
                "how long is the gap between the {x} and the {y}?",
                "is there a gap between the {x} and the {y}?",
                "do the {x} and the {y} overlap?",
            ),
            ("how far apart are the {x} and the {y}?", "by how much do the {x} and the {y} miss each other?"),
        ),
        said=(
            "between the {x} and the {y} there is {v}",
            "between the {x} and the {y} we have {v}",
            "the {x} and the {y} have {v}",
            "what the {x} and the {y} have is {v}",
        ),
    ),
    "first of": Thing(
        "text",
        asked=Wordings(
            (
                "which of the {x} and the {y} comes first",
                "the first of the {x} and the {y}",
                "whether the {x} or the {y} comes first",
                "which is the earlier of the {x} and the {y}",
            ),
            ("which of the {x} and the {y} opens the day", "whether the {x} or the {y} is ahead"),
        ),
        questions=Wordings(
            (
                "which of the {x} and the {y} comes first?",
                "does the {x} or the {y} come first?",
                "is the {x} or the {y} the earlier one?",
            ),
            ("which of the {x} and the {y} is ahead?", "is the {x} or the {y} ahead?"),
        ),
        said=(
            "the first of the {x} and the {y} is {v}",
            "of the {x} and the {y} the first is {v}",
            "between the {x} and the {y} the earlier is {v}",
            "of the {x} and the {y} the earlier is {v}",
        ),
    ),
}


def _extended(thing: Thing, more: More) -> Thing:
    """A thing with further known wordings."""
    told, asked, questions = (
        Wordings((*plain.known, *others), plain.unseen)
        for plain, others in zip((thing.told, thing.asked, thing.questions), more, strict=True)
    )
    return thing._replace(told=told, asked=asked, questions=questions)


THINGS = {name: _extended(thing, MORE[name]) for name, thing in _PLAIN.items()}
