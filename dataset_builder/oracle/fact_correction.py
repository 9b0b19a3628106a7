"""Attributes of countries: "the capital of Norland is Velm"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..world import NONE
from .listener import Listener, NotUnderstood, State


_NOUN = r"(?P<noun>[a-z]+(?: [a-z]+)?)"
_WHO = r"(?P<who>[A-Z][\w-]*)"
_NO_VALUE = r"(?!(?:[Ww]h(?:at|ich|o)|[Ii]t|[Tt]hat|no|not|now)\b)"
_WHAT = rf"(?:[Tt]he )?{_NO_VALUE}(?P<what>[A-Z][\w-]*(?: [A-Z][\w-]*)*|[a-z][\w-]*)(?![\w'-])"
_TOLD = [
    re.compile(rf"(?<![\w'-]){form}")
    for form in (
        rf"[Tt]he {_NOUN} of {_WHO} is (?:now )?{_WHAT}",
        rf"{_WHO}'s {_NOUN} is (?:now )?{_WHAT}",
        rf"[Ff]or {_WHO}, the {_NOUN} is (?:now )?{_WHAT}",
        rf"[Ww]hen it comes to {_WHO}, {_WHAT} is (?:now )?the {_NOUN}(?! of )",
        rf"{_WHO} (?:has|counts) {_WHAT} as its {_NOUN}",
        rf"{_WHO} has changed its {_NOUN} to {_WHAT}",
        rf"(?:by|with) {_WHAT} as the {_NOUN} of {_WHO}",
        rf"{_WHAT} for the {_NOUN} of {_WHO}",
        rf"{_WHAT} (?:that )?is (?:now )?the {_NOUN} of {_WHO}",
    )
]
_SHORT = re.compile(rf"(?<![\w'-])[Tt]he {_NOUN} is (?:now )?{_WHAT}")
_NAMED = re.compile(rf"(?<![\w'-])[Tt]he {_NOUN} of {_WHO}")
_LOST = re.compile(r"\b(?:forget|disregard|no longer|any more|any longer|can't rely)\b", re.IGNORECASE)
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
            for match in _NAMED.finditer(prompt)
            if not any(start < match.end() and match.start() < end for start, end in told)
        ]
        if not facts or not asked:
            raise NotUnderstood(f"it tells {len(facts)} facts and asks {len(asked)} questions.")
        return State(facts, tuple(dict.fromkeys(asked)))

    def apply(self, state: State, text: str) -> State:
        if _LOST.search(text):
            named = _NAMED.search(text)
            return state.but({_fact(named): NONE}) if named else state
        for match in _tellings(text):
            return state.but({_fact(match): _what(match)})
        short = _SHORT.search(text)
        if short:
            known = [
                key
                for key in dict.fromkeys([*state.questions, *state.facts])
                if key.startswith(f"{short['noun']} of ")
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
            if not any(start < match.end() and match.start() < end for start, end in taken):
                taken.append(match.span())
                yield match


def _fact(match: re.Match[str]) -> str:
    return f"{match['noun']} of {match['who']}"


def _what(match: re.Match[str]) -> str:
    value = match["what"]
    return value[0].lower() + value[1:] if _WORDS.fullmatch(match["noun"]) else value


LISTENER = FactCorrection()
