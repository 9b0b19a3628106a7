"""Attributes of countries: "the capital of Norland is Velm"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...oracle.listener import Listener, NotUnderstood, State
from ...world.facts import NONE


_NOUN = (
    r"(?P<noun>(?i:capital|largest port|oldest city|president|founder|longest river|highest peak|official language"
    r"|currency|main export|national (?:bird|flower|sport|dish)))(?![\w-])"
)
_WHO = r"(?P<who>[A-Z][\w-]*)"
_NO_VALUE = (
    r"(?!(?:[Ww]h(?:at|ich|o|en|ere)|[Ii]t|[Tt]h(?:at|is|e|ere|ese|ose)|no|not|now|known|said|considered|called|just"
    r"|still|likewise|people|question|item|number|place|as|for|to|an?|ask(?:ed|ing)?|about|need|want|be|my|you|your"
    r"|first|second|third|fourth|fifth|sixth|seventh|eighth|[Uu]se|[Tt]ake|[Mm]ake|[Ww]rite|[Nn]ote|[Ss]ay|[Pp]lease"
    r"|[Aa]nd|[Bb]ut|[Ss]o|[Nn]ow)(?![\w-]))"
)
_VALUE = r"(?:[A-Z][\w-]*(?: [A-Z][\w-]*)*|[a-z][\w-]*)(?![\w'-])"
_WHAT = rf"(?:[Tt]he )?{_NO_VALUE}(?P<what>{_VALUE})"
_OTHER = rf"(?:the )?{_NO_VALUE}{_VALUE}"
_OF_WHO, _WHOSE = rf"[Tt]he {_NOUN} of {_WHO}", rf"{_WHO}'s {_NOUN}"
_IS = r"(?:is|was|should be|should have been|has to be|is (?:said|known|held|considered|thought) to be) (?:now )?"
_TOLD = [
    re.compile(rf"(?<![\w'-]){form}")
    for named in (_OF_WHO, _WHOSE)
    for form in (
        rf"(?:[Ll]et ){named} be {_WHAT}",
        rf"(?:[Cc]hange|[Cc]orrect) {named} to {_WHAT}",
        rf"{named} {_IS}{_WHAT}",
        rf"[Aa]sked for {named}, people name {_WHAT}",
        rf"(?:[Ff]or )?{named},? I meant {_WHAT}",
        rf"I meant {_WHAT} (?:as|for) {named}",
        rf"{named}, but (?:it|that) is {_WHAT}",
        rf"(?:[Uu]se|[Tt]ake|that|[Ww]rite|[Nn]ote|[Ss]ay|meant|by|with) {_WHAT} (?:down )?(?:as|for) {named}",
        rf"{_WHAT} (?:that )?{_IS}{named}",
        rf"{_WHAT} is (?:known as|considered|called|what people call) {named}",
    )
] + [
    re.compile(rf"(?<![\w'-]){form}")
    for form in (
        rf"[Ff]or {_WHO}, the {_NOUN} is (?:now )?{_WHAT}",
        rf"[Ww]hen it comes to {_WHO}, {_WHAT} is (?:now )?the {_NOUN}(?! of )",
        rf"[Aa]s its {_NOUN}, {_WHO} (?:now )?has {_WHAT}(?! as its )",
        rf"[Ww]hat {_WHO} (?:now )?has as its {_NOUN} {_IS}{_WHAT}",
        rf"[Tt]he {_NOUN} that {_WHO} (?:now )?has {_IS}{_WHAT}",
        rf"{_WHAT} that {_WHO} (?:now )?has as its {_NOUN}",
        rf"{_WHAT} is what {_WHO} (?:now )?has as its {_NOUN}",
        rf"{_WHO} (?:now )?(?:has|counts) {_WHAT} as its {_NOUN}",
        rf"{_WHO} (?:now )?calls {_WHAT} its {_NOUN}",
        rf"{_WHO} is the country whose {_NOUN} {_IS}{_WHAT}",
        rf"{_WHO} has changed its {_NOUN} to {_WHAT}",
        rf"[Pp]eople in {_WHO} call {_WHAT} their {_NOUN}",
        rf"[Ee]veryone in {_WHO} knows {_WHAT} as the {_NOUN}",
        rf"{_NOUN} of {_WHO}: {_WHAT}",
        rf"{_WHO}, {_NOUN}: {_WHAT}",
    )
]
_SHORT = (
    re.compile(rf"(?<![\w'-])[Tt]he {_NOUN} {_IS}{_WHAT}"),
    re.compile(rf"(?<![\w'-]){_WHAT} (?:that )?{_IS}the {_NOUN}(?! of )"),
)
_NAMED = tuple(re.compile(rf"(?<![\w'-]){named}") for named in (_OF_WHO, _WHOSE))
_OLD = (
    (re.compile(rf"\bnot {_OTHER} but "), ""),
    (re.compile(rf"\bfrom {_OTHER} to "), "to "),
    (re.compile(rf" (?:instead of|rather than) {_OTHER}(?=[ .!?]|, (?!\w+ (?:now )?has ))"), ""),
    (re.compile(rf"\b[Ii]nstead of {_OTHER}, "), ""),
    (re.compile(rf", not {_OTHER}, (?=is |as |that )"), " "),
    (re.compile(rf", not {_OTHER}(?=[,.!?])"), ""),
)
"""What a clause says that is not so any more, and what is left of it."""
_LOST = re.compile(
    r"\b(?:forget|disregard|no longer|any more|any longer|can't rely|no telling|drop what)\b", re.IGNORECASE
)
_WORDS = re.compile(r"national (?:bird|flower|sport|dish)|currency|main export")
"""What these are is a word, written small, rather than a name."""


class FactCorrection(Listener):
    """The key of a claim, and the name of a fact, is "capital of Norland"."""

    task_type = "fact_correction"

    def understand(self, prompt: str) -> State:
        told = {match.span(): match for match in _tellings(prompt)}
        facts = {_fact(match): _what(match) for match in told.values()}
        asked = [
            _fact(match)
            for match in sorted((match for form in _NAMED for match in form.finditer(prompt)), key=re.Match.start)
            if not any(start < match.end() and match.start() < end for start, end in told)
        ]
        if not facts or not asked:
            raise NotUnderstood(f"it tells {len(facts)} facts and asks {len(asked)} questions.")
        return State(facts, tuple(dict.fromkeys(asked)))

    def apply(self, state: State, text: str) -> State:
        for form, left in _OLD:
            text = form.sub(left, text)
        for match in _tellings(text):
            return state.but({_fact(match): _what(match)})
        if _LOST.search(text):
            named = next(filter(None, (form.search(text) for form in _NAMED)), None)
            return state.but({_fact(named): NONE}) if named else state
        short = next(filter(None, (form.search(text) for form in _SHORT)), None)
        if short:
            known = [
                key
                for key in dict.fromkeys([*state.questions, *state.facts])
                if key.startswith(f"{short['noun'].lower()} of ")
            ]
            if known:
                return state.but({known[0]: _what(short)})
        return state

    def value(self, state: State, key: str) -> str:
        value: str = state.facts.get(key, NONE)
        return value

    def may_say(self, state: State, key: str) -> bool:
        return key in state.questions


def _tellings(text: str) -> Iterator[re.Match[str]]:
    """What a text tells, each once."""
    taken: list[tuple[int, int]] = []
    for form in _TOLD:
        for match in form.finditer(text):
            free = not any(start < match.end() and match.start() < end for start, end in taken)
            if free and (match["what"][0].isupper() or _WORDS.fullmatch(match["noun"].lower())):
                taken.append(match.span())
                yield match


def _fact(match: re.Match[str]) -> str:
    return f"{match['noun'].lower()} of {match['who']}"


def _what(match: re.Match[str]) -> str:
    value = match["what"]
    return value[0].lower() + value[1:] if _WORDS.fullmatch(match["noun"].lower()) else value


LISTENER = FactCorrection()
