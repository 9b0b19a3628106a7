"""JSON objects: some members told, some that follow from others, some asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from ..world import NONE
from .listener import Conversation, Listener, NotUnderstood, State


_KEY = r"(?!(?:this|that|it|there|someone|what)\b)(?P<key>[a-z][a-z_]*)"
_WORD = r"[\w'-]+"
_PROPER = rf"(?-i:[A-Z]){_WORD}"
_VALUE = rf"(?P<value>-?\d+|true|false|(?:{_PROPER}(?: {_PROPER})*|{_WORD})(?: and {_WORD})*)"


def _forms(*forms: str) -> list[re.Pattern[str]]:
    tokens = {"KEY": _KEY, "VALUE": _VALUE, "A": r"(?P<a>\w+)", "B": r"(?P<b>\w+)", "ITEM": rf"(?P<item>{_WORD})"}
    return [
        re.compile(re.sub(r"\b(?:KEY|VALUE|ITEM|A|B)\b", lambda token: tokens[token[0]], form), re.IGNORECASE)
        for form in forms
    ]


_WRAP = re.compile(
    r"(?:wrap it in|put all of it under|the object goes under the key|nest it below) (?P<name>[a-z_]+)\. ?",
    re.IGNORECASE,
)
_RULES: list[tuple[list[re.Pattern[str]], Callable[[int, int], int | bool]]] = [
    (
        _forms(
            "KEY is true if A is at least B",
            "KEY tells whether A is B or more",
            "KEY says if A has reached B",
            "KEY tells whether A (?:covers|reaches) B",
            "KEY says if B fits into A",
            "KEY says if B leaves no room for A",
        ),
        lambda a, b: a >= b,
    ),
    (
        _forms("KEY is A minus B", "KEY is the difference of A and B", "subtract B from A (?:to get|for) KEY"),
        lambda a, b: a - b,
    ),
    (_forms("KEY is (?P<b>one) less than A"), lambda a, b: a - b),
    (_forms("KEY is A times B", "KEY is the product of A and B", "multiply A by B to get KEY"), lambda a, b: a * b),
    (_forms("KEY is (?P<b>twice) (?:the )?A", "(?P<b>double) A to get KEY"), lambda a, b: a * b),
]
_NUMBERS = {"one": 1, "twice": 2, "double": 2}
_NTH = (
    r"(?:\(?\d+\)|first|second|third|fourth|fifth|sixth|seventh|eighth|as number \d+|(?:JSON )?member \d+ is|item \d+)"
)
_ASKED = _forms(
    rf"(?:[^,;:]*\bJSON\b[^,;:]*? )?{_NTH} (?:write |put )?KEY(?: in JSON| into the JSON)?",
    "(?:write|encode) KEY as JSON",
    "(?:give me|write|produce) (?:a )?JSON(?: object)? (?:with|that holds) KEY",
    "I need KEY in JSON",
)
_INTRO = re.compile(r"(?:write|turn this into|produce) JSON", re.IGNORECASE)
_GIVEN = _forms(
    "(?:the field )?KEY (?:is|=|should be|holds) VALUE",
    "the value of KEY is VALUE",
    "take VALUE for KEY",
    "VALUE goes into KEY",
)
_PUT_IN = _forms(
    "(?:add|append) ITEM to KEY", "also put ITEM into KEY", "KEY should include ITEM too", "let KEY hold ITEM as well"
)
_TAKE_OUT = _forms("(?:remove|delete|strike) ITEM from KEY", "KEY should not include ITEM", "take ITEM out of KEY")
_LOST = _forms(
    "(?:remove|delete|erase|drop|leave) KEY(?: out|, it is not known)?",
    r"(?:forget|disregard|what I said about|nobody knows|we can't rely on) KEY\b.*",
    "KEY is (?:no longer|not) known",
)
_SET = _forms(
    "(?:set|change) KEY to VALUE",
    "make KEY VALUE",
    "overwrite KEY with VALUE",
    "swap the .+ of KEY for VALUE",
    "(?:add|include) KEY(?::| =) VALUE",
    "also write KEY, which is VALUE",
    "append KEY with VALUE",
    r"(?:.*?[,:!] (?:in truth )?|.*\bthat )?KEY (?:is|=|should be|must be|holds) VALUE"
    r"(?:, not .+| now|, to be exact)?",
)
_NAME = "name of the object"  # among the rules
_ELSEWHERE = re.compile(r"in the (?P<name>[a-z]+) file, ", re.IGNORECASE)


class Rule(NamedTuple):
    """How a member follows from two others, or from one and a number."""

    operands: tuple[str, str]
    compute: Callable[[int, int], int | bool]


class StructuredTransformation(Listener):
    """Facts are members, their values JSON literals; the key of a claim is the name of its member."""

    task_type = "structured_transformation"
    written = True
    skips_absent = True

    def understand(self, prompt: str) -> State:
        facts: dict[str, str] = {}
        rules: dict[str, Rule] = {}
        asked: list[str] = []
        wrap = _WRAP.search(prompt)
        task = re.sub(r"\b(item \d+),", r"\1", _WRAP.sub("", prompt))
        for clause in re.split(r"[.,;:] ?", task):
            rule, question, given = _rule(clause), _match(_ASKED, clause), _match(_GIVEN, clause)
            if rule:
                rules[rule[0]] = rule[1]
            elif question:
                asked.append(question["key"].lower())
            elif given:
                facts[given["key"].lower()] = _literal(given)
            elif clause and not _INTRO.fullmatch(clause):
                raise NotUnderstood(repr(clause))
        if not asked:
            raise NotUnderstood("it asks for nothing.")
        return State(facts, tuple(dict.fromkeys(asked)), {**rules, _NAME: wrap["name"] if wrap else ""})

    def apply(self, state: State, text: str) -> State:
        text = text.rstrip(".")
        if _ELSEWHERE.match(text):
            return state
        for forms, change in ((_PUT_IN, _put_in), (_TAKE_OUT, _take_out)):
            match = _match(forms, text)
            if match:
                key = match["key"].lower()
                return state.but({key: change(state.facts.get(key, NONE), match["item"])})
        lost = _match(_LOST, text)
        if lost:
            return state.but({lost["key"].lower(): NONE})
        told = _match(_SET, text)
        if not told:
            return state
        key = told["key"].lower()
        if key not in state.facts and key not in state.questions:  # a member that nobody spoke of yet
            state = replace(state, questions=(*state.questions, key))
        return state.but({key: _literal(told)})

    def value(self, state: State, key: str) -> str:
        rule = state.rules.get(key)
        if not rule:
            value: str = state.facts.get(key, NONE)
            return value
        numbers = [_NUMBERS.get(name, name) for name in rule.operands]
        numbers = [number if str(number).isdigit() else state.facts.get(number, NONE) for number in numbers]
        return NONE if NONE in numbers else json.dumps(rule.compute(*map(int, numbers)))

    def may_say(self, state: State, key: str) -> bool:
        return key in state.questions

    def faults(self, conversation: Conversation) -> list[str]:
        """Objects that are no JSON, or do not lie under the name that was asked for."""
        name = conversation.states[0].rules[_NAME]
        for text in conversation.text.split("<eos>"):
            at = 0
            while text[at:].strip():
                at += len(text[at:]) - len(text[at:].lstrip())
                try:
                    made, at = json.JSONDecoder().raw_decode(text, at)
                except json.JSONDecodeError as error:
                    return [f"{text[at:]!r} is no JSON: {error}"]
                inside = made.get(name) if name and isinstance(made, dict) and len(made) == 1 else made
                if not isinstance(inside, dict) or any(isinstance(value, dict) for value in inside.values()):
                    return [f"{json.dumps(made)} is not what was asked for."]
                if name and inside is made:
                    return [f"{json.dumps(made)} does not lie under {name!r}."]
        return []


def _match(forms: list[re.Pattern[str]], text: str) -> re.Match[str] | None:
    return next(filter(None, (form.fullmatch(text) for form in forms)), None)


def _rule(clause: str) -> tuple[str, Rule] | None:
    for forms, compute in _RULES:
        match = _match(forms, clause)
        if match:
            operands = match["a"].lower(), match["b"].lower()
            return match["key"].lower(), Rule(operands, compute)
    return None


def _literal(match: re.Match[str]) -> str:
    """What was said, as JSON: words for a key in the plural are a list."""
    said, key = match["value"], match["key"]
    if re.fullmatch(r"-?\d+|true|false", said, re.IGNORECASE):
        return said.lower()
    words = said.split(" and ")
    if len(words) > 1 or key.lower().endswith("s"):
        return json.dumps([word[0].lower() + word[1:] for word in words])
    return json.dumps(said)


def _put_in(value: str, item: str) -> str:
    items = [] if value == NONE else json.loads(value)
    return value if item in items else json.dumps([*items, item])


def _take_out(value: str, item: str) -> str:
    items = [] if value == NONE else json.loads(value)
    left = [other for other in items if other != item]
    return json.dumps(left) if left else NONE


LISTENER = StructuredTransformation()
