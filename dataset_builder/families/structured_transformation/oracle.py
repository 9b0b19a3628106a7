"""JSON objects: some members told, some that follow from others, some asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from ...oracle.listener import Conversation, Listener, NotUnderstood, State
from ...world.facts import NONE


_KEY = r"(?!(?:this|that|it|there|here|someone|nothing|what|which|word)\b)(?P<key>[a-z][a-z_]*)"
_WORD = r"[\w'-]+"
_PROPER = rf"(?-i:[A-Z]){_WORD}"
_NO_VALUE = r"(?!(?:and|wrong|missing|not|no|unknown|what|to|the|right|meant)\b)"
_VALUE = rf"{_NO_VALUE}(?P<value>-?\d+|true|false|(?:{_PROPER}(?: {_PROPER})*|{_WORD})(?: and {_WORD})*)"
_ORDINAL = r"(?:first|second|third|fourth|fifth|sixth|seventh|eighth)"
_LEAD = r"(?:.*?(?:[,:!?.]|\b(?:that|but|and|stand)) )??(?:in (?:truth|fact),? )?(?:please )?"
_TAIL = (
    r"(?: (?:now|for now|too|as well|to begin with|in our records|as I was told|as far as I can see|I think"
    r"|instead of [^,]+|from now on|and belongs in there too))?(?:,.*)?"
)


def _forms(*forms: str) -> list[re.Pattern[str]]:
    tokens = {"KEY": _KEY, "VALUE": _VALUE, "A": r"(?P<a>\w+)", "B": r"(?P<b>\w+)", "ITEM": rf"(?P<item>{_WORD})"}
    return [
        re.compile(re.sub(r"\b(?:KEY|VALUE|ITEM|A|B)\b", lambda token: tokens[token[0]], form), re.IGNORECASE)
        for form in forms
    ]


def _said(*forms: str) -> list[re.Pattern[str]]:
    """The same behind any lead-in, and before what may follow such a clause."""
    return _forms(*(f"{_LEAD}(?:{form}){_TAIL}" for form in forms))


_WRAP = re.compile(
    r"(?:(?:wrap it in|put all of it under|the object goes under the key|nest it below|everything belongs"
    r" under the key|let the whole object sit under|the outer key is|all of this should lie under|place the object"
    r" inside|please enclose it in|around it there should be) (?P<last>[a-z_]+)"
    r"|(?:use |make )?(?P<first>[a-z_]+) (?:as the outer key|the outer key|is the key of the whole object))\. ?",
    re.IGNORECASE,
)
_RULES: list[tuple[list[re.Pattern[str]], Callable[[int, int], int | bool]]] = [
    (
        _forms(
            "KEY (?:is true if|is true when|tells whether|shows whether) A is (?:at least|not below|no less than) B",
            "KEY is true unless A is below B",
            "KEY is false if A is below B and otherwise true",
            "if A is at least B then KEY is true and otherwise false",
            "make KEY true if A is at least B and false if not",
            "whether A is at least B decides about KEY",
            "KEY depends on whether A is at least B",
            "KEY tells whether A is B or more",
            "KEY says if A has reached B",
            "KEY tells whether A (?:covers|reaches) B",
            "KEY says if B fits into A",
            "KEY says if B leaves no room for A",
        ),
        lambda a, b: a >= b,
    ),
    (
        _forms(
            "KEY (?:is|equals) A minus B",
            "KEY is the difference of A and B",
            "KEY = A - B",
            "A minus B gives KEY",
            "calculate KEY as A minus B",
            "take B away from A and you have KEY",
            "reduce A by B and you have KEY",
            "for KEY take A and deduct B",
            "KEY is what is left of A without B",
            "subtract B from A (?:to get|for) KEY",
        ),
        lambda a, b: a - b,
    ),
    (_forms("KEY is (?P<b>one) less than A"), lambda a, b: a - b),
    (
        _forms(
            "KEY (?:is|equals) A times B",
            "KEY is the product of A and B",
            r"KEY = A \* B",
            "A times B gives KEY",
            "calculate KEY as A times B",
            "take A times B and you have KEY",
            "for KEY take A times B",
            "KEY comes from A multiplied with B",
            "multiply A by B to get KEY",
        ),
        lambda a, b: a * b,
    ),
    (_forms("KEY is (?P<b>twice) (?:the )?A", "(?P<b>double) A to get KEY"), lambda a, b: a * b),
]
_NUMBERS = {"one": 1, "twice": 2, "double": 2}
_NTH = rf"(?:\(?\d+\)|{_ORDINAL}|as number \d+|(?:JSON )?member \d+ is|item \d+)"
_BY_JSON = r"(?:[^,;:]*\bJSON\b[^,;:]*? )?"
_ASKED = _forms(
    rf"{_BY_JSON}KEY (?:as number \d+|in place \d+|as the {_ORDINAL} member)",
    rf"{_BY_JSON}{_NTH} (?:write |put |give me )?KEY(?: (?:in|as|into the) JSON)?",
    r"(?:please write )?KEY (?:is|as) JSON member \d+",
    rf"the {_ORDINAL} member of the JSON is KEY",
    rf"KEY comes {_ORDINAL} in the JSON",
    r"in place \d+ of the JSON I need KEY",
    "KEY is what I need in JSON",
    "(?:[^,;:]* )?KEY (?:in|as|into|belongs in the) JSON",
    "[^,;:]*JSON(?: object)? (?:with|that holds|that has|from|should just have|is|please write) KEY",
)
_INTRO = re.compile(
    r"(?:write|turn this into|convert this into|answer in|produce) JSON|output JSON with these members"
    r"|I need JSON like this",
    re.IGNORECASE,
)
_TOLD = (
    "(?:the field )?KEY (?:is|=|should be|must be|has to be|ought to be|needs to be|equals|reads|counts as|holds"
    "|has the value|was given as) VALUE",
    "VALUE (?:is right for|belongs under|is meant for|is to be used for|goes into) KEY",
    "VALUE is what KEY should be",
    "(?:we need|take|use|put|write|I have) VALUE (?:for|as|under) KEY",
    "(?:for|as|under) KEY (?:we have|please take|please put|use|there is) VALUE",
    "the right entry for KEY is VALUE",
    "the value of KEY is VALUE",
    "(?:set|let) KEY (?:to|be) VALUE",
)
_GIVEN = _said(*_TOLD)
_PUT_IN = _said(
    "(?:add|append) ITEM to KEY",
    "also put ITEM into KEY",
    "put ITEM on the list of KEY",
    "KEY should include ITEM",
    "ITEM (?:belongs to|is missing in|should be in) KEY",
    "KEY lacks ITEM",
    "let KEY (?:hold|include) ITEM",
    "include ITEM in KEY",
    "there is also ITEM in KEY",
    "extend KEY by ITEM",
)
_TAKE_OUT = _said(
    "(?:remove|delete|strike|drop) ITEM from KEY",
    "cross ITEM off KEY",
    "get rid of ITEM in KEY",
    "take ITEM out of KEY",
    "KEY should not include ITEM",
    "ITEM (?:does not belong to|is no longer in|has to go from) KEY",
    "KEY (?:must do|goes) without ITEM",
    "there should be no ITEM in KEY",
)
_LOST = _said(
    "(?:remove|delete|erase|drop|leave|discard|omit|cross out|get rid of) KEY(?: out)?",
    "KEY (?:has to go|can go|is unknown|should not be in there|does not belong in the object)",
    "we do not know KEY any more",
    "(?:there is )?no KEY any (?:longer|more)",
    "KEY is (?:no longer|not) known",
)
_LOSES = re.compile(
    r"(?<!I )(?<!to )\b(?:forget|disregard)\b|\bno longer (?:holds|known|know|stand)\b|\bnobody knows\b"
    r"|\bno telling\b|\bcan't rely on\b",
    re.IGNORECASE,
)
_SET = _said(
    "(?:set|change|correct|turn) KEY (?:in)?to VALUE",
    "make KEY VALUE",
    "overwrite KEY with VALUE",
    "swap the .+ of KEY for VALUE",
    "replace .+ by VALUE in KEY",
    "(?:update |.+ is wrong for )?KEY(?: was wrong| is missing)?, it is VALUE",
    "KEY is not .+ but VALUE",
    "KEY (?:has changed|is to be changed) to VALUE",
    "it should say VALUE for KEY",
    "(?:add|include|insert|we also have|the object also has) KEY(?::| =) VALUE",
    "(?:put in )?KEY(?: comes in)? as well: VALUE",
    "(?:also write|I forgot) KEY, which is VALUE",
    "write KEY too, namely VALUE",
    "(?:append|add a member) KEY with (?:the value )?VALUE",
    "(?:add|enter) VALUE as KEY",
    "VALUE should be in there as KEY",
    *_TOLD,
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
        name = (wrap["last"] or wrap["first"]).lower() if wrap else ""
        task = re.sub(r"\b(item \d+),", r"\1", _WRAP.sub("", prompt))
        for clause in re.split(r"[.,;:?] ?", task):
            rule, question, given = _rule(clause), _match(_ASKED, clause), _match(_GIVEN, clause)
            if not clause or _INTRO.fullmatch(clause):
                continue
            if rule:
                rules[rule[0]] = rule[1]
            elif question:
                asked.append(question["key"].lower())
            elif given:
                facts[given["key"].lower()] = _literal(given)
            else:
                raise NotUnderstood(repr(clause))
        if not asked:
            raise NotUnderstood("it asks for nothing.")
        return State(facts, tuple(dict.fromkeys(asked)), {**rules, _NAME: name})

    def apply(self, state: State, text: str) -> State:
        text = text.rstrip(".")
        if _ELSEWHERE.match(text):
            return state
        for forms, change in ((_PUT_IN, _put_in), (_TAKE_OUT, _take_out)):
            match = _match(forms, text)
            if match:
                key = match["key"].lower()
                return state.but({key: change(state.facts.get(key, NONE), match["item"].lower())})
        lost = _match(_LOST, text)
        if lost:
            return state.but({lost["key"].lower(): NONE})
        if _LOSES.search(text):
            return state.but({word: NONE for word in re.findall(r"\w+", text.lower()) if word in state.facts})
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
