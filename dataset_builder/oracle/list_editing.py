"""Lists in order that are edited: "put Paris right after Rome on the tour"."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from ..world import NONE
from .listener import Conversation, Listener, NotUnderstood, State


_CALLED = {
    "recipe": "step",
    "agenda": "topic",
    "menu": "course",
    "timetable": "lesson",
    "to-do list": "task",
    "shopping list": "item",
    "packing list": "item",
    "coin album": "coin",
    "flower bed": "flower",
    "zoo walk": "animal",
    "bird walk": "bird",
    "ball": "dance",
    "relay": "runner",
    "sports day": "event",
    "conference": "speaker",
    "language course": "language",
    "tour": "stop",
    "cruise": "river",
    "climbing plan": "peak",
    "travel plan": "country",
}
"""What one calls that which stands on a list."""
_PLURALS = {"country": "countries", **{noun: f"{noun}s" for noun in _CALLED.values() if noun != "country"}}
_NTH = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")

_LIST = re.compile(
    rf"(?P<where> ?\b(?:on|in|at|of|from|to) )?the (?P<all>whole |complete )?(?P<list>{'|'.join(_CALLED)})\b",
    re.IGNORECASE,
)
_NUMBER = rf"\d+|{'|'.join(_NTH)}"
_ITEM = r"[\w'-]+(?: [\w'-]+){0,2}"
_TOKENS = {
    "NOUN": rf"(?:{'|'.join(_PLURALS)})",
    "NOUNS": rf"(?:{'|'.join(_PLURALS.values())})",
    "K": rf"(?P<k>{_NUMBER})",
    "J": rf"(?P<j>{_NUMBER})",
    "X": rf"(?:the )?(?P<x>{_ITEM})",
    "Y": rf"(?:the )?(?P<y>{_ITEM})",
    "THERE": r"(?:(?P<end>at the (?:very )?(?:start|end)|first|last|in (?:first|last) place)"
    rf"|(?:right|straight|directly) (?P<side>after|before) (?:the )?(?P<y>{_ITEM}))",
}
"""What stands for numbers, items and places in a clause; of the name of its list, `_plain` leaves LIST or nothing."""


def _forms(*forms: str) -> list[re.Pattern[str]]:
    tokens = "|".join(_TOKENS)
    return [
        re.compile(re.sub(rf"\b(?:{tokens})\b", lambda token: _TOKENS[token[0]], form), re.IGNORECASE)
        for form in forms
    ]


def _match(forms: list[re.Pattern[str]], clause: str) -> re.Match[str] | None:
    return next(filter(None, (form.fullmatch(clause) for form in forms)), None)


_JOINT = re.compile(r" (?:then|and then|followed by|after that|and next) ")
_WHOLE = _forms(
    "(?:LIST (?:has|goes|reads|runs)|come|the NOUNS are in order|in order LIST has|the order is) (?P<all>.+)"
)
_PLACED = _forms(
    "NOUN (?:number )?K is X",
    "the K NOUN is X",
    "as NOUN K LIST has X",
    "LIST has X as NOUN K",
    "place K belongs to X",
)

_ASKS = (
    r"(?:(?:please |can you )?(?:tell me|say|give me|report|let me (?:know|hear)"
    r"|I (?:want to know|would like to hear|wonder about)))"
)
_ORDER = rf"(?:\(?\d+\)|{'|'.join(_NTH)}|(?:question|point) \d+ is|as answer \d+)"
_BEFORE_QUESTION = re.compile(rf"(?:{_ASKS} )?(?:{_ORDER} )?(?:{_ASKS} )?", re.IGNORECASE)
_BETWEEN = re.compile(rf"{_ASKS}|(?:report|answer) in this order|please say", re.IGNORECASE)
_WITH_COUNT = re.compile(
    r" (?:and how many there are|and the number of its \w+|and their number|with a count|and the sum of them)"
)
_ALL = _forms(
    "(?:all NOUNS|all LIST|everything) in order",
    "every NOUN from first to last",
    "the NOUNS one after the other",
    "all LIST NOUN by NOUN",
    "each NOUN in turn",
)
_COUNT = _forms("the (?:number|count) of NOUNS", "how many NOUNS (?:LIST has|there are)", "the length in NOUNS")
_LAST = _forms("the (?:last|final) NOUN", "which NOUN comes last", "what LIST ends with", "what closes LIST")
_AT = _forms(
    "the K NOUN",
    "what NOUN K is",
    "NOUN number K",
    "which NOUN is number K",
    "what has place K",
    "the NOUN at place K",
)
_AFTER = _forms("what (?:comes right after|follows|stands behind) X", "the NOUN after X", "the next NOUN behind X")
_BEFORE = _forms(
    "what (?:comes right before|stands in front of) X", "the NOUN (?:before|ahead of) X", "which NOUN leads up to X"
)
_PLACE = _forms("the (?:place|position) of X", "at what place X comes", "which number X has", "where X stands")

_OPENING = re.compile(
    r"(?:.*[,:!] )?(?:(?:and|please|could you|by now|in truth) "
    r"|(?:I (?:meant|just heard|forgot to say|can confirm)|it turns out|let me add) that )*",
    re.IGNORECASE,
)
_CLOSING = re.compile(r"(?:, to be exact| now)?[.?!]$")
Items = tuple[str, ...]


def _number(told: str) -> int:
    """Which place is meant, from 1."""
    return int(told) if told.isdigit() else _NTH.index(told.lower()) + 1


def _set(items: Items, place: int, item: str) -> Items:
    """Gives a place that is there to an item."""
    return (*items[: place - 1], item, *items[place:]) if 0 < place <= len(items) else items


def _set_one(items: Items, told: re.Match[str]) -> Items:
    return _set(items, _number(told["k"]), told["x"])


def _set_two(items: Items, told: re.Match[str]) -> Items:
    return _set(_set_one(items, told), _number(told["j"]), told["y"])


def _exchange(items: Items, told: re.Match[str]) -> Items:
    return tuple(told["x"] if item == told["y"] else item for item in items)


def _bring(items: Items, told: re.Match[str]) -> Items:
    """Puts an item, a new one or one from elsewhere on the list, where it is to be."""
    rest = tuple(item for item in items if item != told["x"])
    if told["end"]:
        at = 0 if re.search("start|first", told["end"], re.IGNORECASE) else len(rest)
    elif told["y"] in rest:
        at = rest.index(told["y"]) + (told["side"].lower() == "after")
    else:
        return items
    return (*rest[:at], told["x"], *rest[at:])


def _leave_out(items: Items, told: re.Match[str]) -> Items:
    return tuple(item for item in items if item != told["y"])


def _cut_behind_place(items: Items, told: re.Match[str]) -> Items:
    return items[: _number(told["k"])]


def _cut_behind_item(items: Items, told: re.Match[str]) -> Items:
    return items[: items.index(told["y"]) + 1] if told["y"] in items else items


_EDITS: list[tuple[list[re.Pattern[str]], Callable[[Items, re.Match[str]], Items]]] = [
    (
        _forms(
            "NOUN K is X and NOUN J is Y",
            "the K NOUN is X and the J is Y",
            "place K belongs to X and place J to Y",
            "(?:have|LIST has) X as NOUN K and Y as NOUN J",
            "(?:make|call) X NOUN K and Y NOUN J",
            "let X be NOUN K and Y NOUN J",
            "put X at place K and Y at place J",
        ),
        _set_two,
    ),
    (
        _forms(
            "LIST (?:ends|stops short) after NOUN K",
            "(?:keep )?only the first K NOUNS(?: stay)?",
            "there is room for only K NOUNS",
            "cut LIST off after NOUN K",
            "remove all NOUNS after NOUN K",
            "shorten LIST to its first K NOUNS",
        ),
        _cut_behind_place,
    ),
    (_forms("nothing comes after Y", "drop everything after Y", "let LIST be over after Y"), _cut_behind_item),
    (
        _forms(
            "X (?:takes the place of|stands in for) Y",
            "it is X (?:instead of|that was meant by) Y",
            "replace Y by X",
            "put X in place of Y",
            "(?:take|use) X (?:instead of|rather than) Y",
            "let X stand in for Y",
            "give the place of Y to X",
            "by Y I mean X",
            "Y stands for X",
        ),
        _exchange,
    ),
    (
        [
            *_PLACED,
            *_forms("change NOUN K to X", "change NOUN K from Y to X", "make X NOUN K instead of Y"),
        ],
        _set_one,
    ),
    (
        _forms(
            "LIST (?:goes without|no longer has|has to do without|can spare) Y",
            "there is no place for Y",
            "(?:remove|drop|strike|delete|do not keep) Y",
            "(?:leave|throw) Y out",
            "rid LIST of Y",
            "Y is out",
        ),
        _leave_out,
    ),
    (
        _forms(
            "X (?:comes|comes in|belongs|has its place|is to be found|goes) THERE",
            "THERE comes X",
            "the place of X is THERE",
            "LIST (?:has|needs) X THERE",
            "there (?:is|has to be) X THERE",
            "(?:move|shift) X (?:so that it comes|to come|until it comes) THERE",
            "(?:put|have|add|insert|include) X THERE",
            "let X come THERE",
            "see to it that X comes THERE",
            "fit X in THERE",
            "make room for X THERE",
        ),
        _bring,
    ),
]
_READ_OUT = "read out"  # among the rules: the lists of which all is asked


class ListEditing(Listener):
    """Facts are lists, by name, with their items in order. Keys are "stop 2", "last stop", "number of stops", "after
    Rome", "before Rome" and "place of Rome"; rules tell of which list each was asked. A list that is read out is asked
    for as far as it ever reaches."""

    task_type = "list_editing"
    skips_absent = True  # only what a list came to reach later, and no longer does; see `faults`

    def understand(self, prompt: str) -> State:
        placed: dict[str, dict[int, str]] = {}
        asked: list[tuple[str, str]] = []
        for clause in re.split(r"(?<=[.;,:?]) ", prompt):
            if _BETWEEN.fullmatch(clause.rstrip(",:")):
                continue
            name, plain = _plain(clause.rstrip(".;,?").removeprefix("and "))
            told = _told(plain)
            if name and told:
                placed.setdefault(name, {}).update(told)
            else:
                asked.append((name, plain))
        facts = {name: tuple(told[place] for place in sorted(told)) for name, told in placed.items()}
        gaps = [name for name, told in placed.items() if sorted(told) != [*range(1, len(told) + 1)]]
        if gaps or not asked or not all(name in facts for name, _ in asked):
            raise NotUnderstood(f"it asks {asked} of {facts}, and does not tell all of {gaps}.")
        rules: dict[str, object] = {}
        for name, question in asked:
            rules.update(dict.fromkeys(_keys(question, name, len(facts[name])), name))
        read_out = {name for name, question in asked if _match(_ALL, _WITH_COUNT.sub("", _question(question)))}
        return State(facts, tuple(rules), {**rules, _READ_OUT: read_out})

    def apply(self, state: State, text: str) -> State:
        clause = _CLOSING.sub("", text)
        name, plain = _plain(_OPENING.sub("", clause, count=1))
        if name not in state.facts:
            return state
        for forms, edit in _EDITS:
            told = _match(forms, plain)
            if told:
                return _grown(state, name, edit(state.facts[name], told))
        return state

    def value(self, state: State, key: str) -> str:
        place = re.fullmatch(r"(?P<noun>\w+) (?P<k>\d+)", key)
        last = re.fullmatch(r"last (?P<noun>\w+)", key)
        count = re.fullmatch(r"number of (?P<nouns>\w+)", key)
        beside = re.fullmatch(r"(?P<what>after|before|place of) (?P<item>.+)", key)
        if place:
            return _at(_called(state, place["noun"]), int(place["k"]))
        if last:
            items = _called(state, last["noun"])
            return _at(items, len(items))
        if count:
            nouns = {plural: noun for noun, plural in _PLURALS.items()}
            return str(len(_called(state, nouns.get(count["nouns"], ""))))
        items = state.facts.get(state.rules.get(key, ""), ())
        if not beside or beside["item"] not in items:
            return NONE
        at = items.index(beside["item"]) + 1
        return str(at) if beside["what"] == "place of" else _at(items, at + (1 if beside["what"] == "after" else -1))

    def may_say(self, state: State, key: str) -> bool:
        return key in state.questions

    def faults(self, conversation: Conversation) -> list[str]:
        """What was asked for and, now that it is not there, was left unsaid; and an end before the stop."""
        found = []
        said = {claim.key for claim in self.read(conversation.text)}
        first, last = conversation.states[0], conversation.states[-1]
        if conversation.stopped < 0:
            found = [
                f"{key} was asked for and never denied."
                for key in first.questions
                if key not in said and self.value(last, key) == NONE
            ]
        if conversation.endless and not 0 <= conversation.stopped <= conversation.text.find("<eos>"):
            found.append("The text ends before the stop.")
        return found


def _plain(clause: str) -> tuple[str, str]:
    """The list that a clause is about, and the clause without its name: "put Paris first on the tour" is "put Paris
    first", and "the whole tour" is "all LIST"."""
    named = _LIST.search(clause)
    name = named["list"].lower() if named else ""

    def short(match: re.Match[str]) -> str:
        return "" if match["where"] else "all LIST" if match["all"] else "LIST"

    return name, _LIST.sub(short, clause).strip()


def _told(plain: str) -> dict[int, str]:
    """The items that a clause of the prompt tells, by their places."""
    one, whole = _match(_PLACED, plain), _match(_WHOLE, plain)
    if whole and _JOINT.search(whole["all"]):
        items = _JOINT.split(whole["all"])
        return {place: item.removeprefix("the ") for place, item in enumerate(items, 1)}
    return {_number(one["k"]): one["x"]} if one else {}


def _question(plain: str) -> str:
    """A question without what introduces it."""
    return _BEFORE_QUESTION.sub("", plain.removesuffix(" to me"), count=1)


def _keys(plain: str, name: str, length: int) -> list[str]:
    """
    The keys of what is asked of a list.

    Raises:
        NotUnderstood: The question makes no sense.
    """
    question, noun = _question(plain), _CALLED[name]
    count = [f"number of {_PLURALS[noun]}"]
    alone = _WITH_COUNT.sub("", question)
    if _match(_ALL, alone):
        return [f"{noun} {place}" for place in range(1, length + 1)] + count * (alone != question)
    if _match(_COUNT, question):
        return count
    if _match(_LAST, question):
        return [f"last {noun}"]
    at = _match(_AT, question)
    if at:
        return [f"{noun} {_number(at['k'])}"]
    for what, forms in (("after", _AFTER), ("before", _BEFORE), ("place of", _PLACE)):
        told = _match(forms, question)
        if told:
            return [f"{what} {told['x']}"]
    raise NotUnderstood(f"{plain!r} is no question.")


def _grown(state: State, name: str, items: Items) -> State:
    """The state with another list, of which further places are asked for if it is read out."""
    more = [f"{_CALLED[name]} {place}" for place in range(1, len(items) + 1)] if name in state.rules[_READ_OUT] else []
    questions = tuple(dict.fromkeys([*state.questions, *more]))
    return replace(state, questions=questions).but({name: items})


def _called(state: State, noun: str) -> Items:
    """The list whose items are called so; none if there is none."""
    return next((items for name, items in state.facts.items() if _CALLED[name] == noun), ())


def _at(items: Items, place: int) -> str:
    return items[place - 1] if 0 < place <= len(items) else NONE


LISTENER = ListEditing()
