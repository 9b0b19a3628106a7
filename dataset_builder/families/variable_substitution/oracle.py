"""Letters with numbers, and expressions of them worked out step by step."""

from __future__ import annotations

import re
from math import prod

from ...oracle.listener import Listener, NotUnderstood, State, StatedValue
from ...reading import Claim
from ...world.facts import NONE


_X, _V = r"(?<![\w'+*-])(?P<x>[a-z])(?![\w'])", r"(?<![\w(])(?P<v>-?\d+)(?![\w)])(?! [-+*] )"
_TOLD = tuple(
    re.compile(form)
    for form in (
        rf"{_X} (?:=|is|equals|means|gets|comes to|stands for|stands at|was measured as|is known to be) {_V}",
        rf"{_X} (?:has been|was) found to be {_V}",
        rf"\b(?:[Ll]et|[Tt]ake|[Rr]ead|[Tt]reat) {_X} (?:be|stand for|to be|as) {_V}",
        rf"\b[Ww]hat {_X} stands for is {_V}",
        rf"\b(?:[Ff]or|[Bb]y|[Ii]n place of) {_X} we (?:have|mean) {_V}",
        rf"{_V} is what {_X} stands for",
        rf"{_V} that {_X} stands for",
        rf"{_V} is the number for {_X}",
        rf"\bwrite {_X} for {_V}",
        rf"{_V} (?:for|in place of|where you see) {_X}(?! [-+*] )",
    )
)
_EXPRESSION = re.compile(r"(?<!\w)(?:\d*[a-z]) [-+*] (?:\d*[a-z]|\d+)(?!\w)")
_OLD = (
    re.compile(r"\b(?:not|rather than|instead of|in place of|not for|from) -?\d+\b", re.IGNORECASE),
    re.compile(r"\breplace -?\d+ (?=by |with )", re.IGNORECASE),
    re.compile(r"\bwhen I said -?\d+"),
)
"""What a clause says that is not so any more. Of the numbers that are left, the last one is so from now on."""
_NUMBER = re.compile(r"(?<![\w-])-?\d+(?!\w)")
_LETTERS = (
    re.compile(r"(?<![\w'])[b-hj-zB-HJ-Z](?![\w'])"),
    re.compile(r"(?<![\w'])[aA](?= (?:=|is|equals)(?!\w))"),
    re.compile(r"\b[aA]\b"),
)
"""The last of these may be an article instead."""
_LOST = re.compile(
    r"\b(?:forget|disregard|drop|erase|cross out|unknown|nobody|no longer|no number|nothing|any more|any longer"
    r"|no telling|rely on|lost the value|open again|do not (?:know|use))\b",
    re.IGNORECASE,
)
_LINK = re.compile(r" = |: |,? which is | is now | is | equals ")


class VariableSubstitution(Listener):
    """Facts are letters; the key of a claim is a letter or an expression."""

    task_type = "variable_substitution"

    def understand(self, prompt: str) -> State:
        facts = {match["x"]: match["v"] for form in _TOLD for match in form.finditer(prompt)}
        questions = tuple(dict.fromkeys(match[0] for match in _EXPRESSION.finditer(prompt)))
        if not facts or not questions:
            raise NotUnderstood(f"it tells {len(facts)} numbers and asks {len(questions)} questions.")
        return State(facts, questions)

    def apply(self, state: State, text: str) -> State:
        letters = [match[0].lower() for match in (form.search(text) for form in _LETTERS) if match]
        for form in _OLD:
            text = form.sub("", text)
        numbers = _NUMBER.findall(text)
        if letters and numbers:
            return state.but({letters[0]: numbers[-1]})
        if letters and _LOST.search(text):
            return state.but({letters[0]: None})
        return state

    def value(self, state: State, key: str) -> str:
        total = 0
        for sign, factors in _summands(key):
            numbers = [factor if factor.isdigit() else state.facts.get(factor, NONE) for factor in factors]
            if NONE in numbers:
                return NONE
            total += sign * prod(int(number) for number in numbers)
        return str(total)

    def may_say(self, state: State, key: str) -> bool:
        return key in state.questions or key in state.facts or len(key) == 1

    def parts(self, claim: Claim, said: str) -> list[StatedValue]:
        """Every number of a chain: "3x + 2 = 3 * 7 + 2 = 21 + 2 = 23" speaks x, 3x, and the answer."""
        link = _LINK.search(said)
        if claim.value == NONE or not link:
            return super().parts(claim, said)
        found, start = [], link.end()
        for end, after in [*((link.start(), link.end()) for link in _LINK.finditer(said, start)), (len(said), 0)]:
            found += _step(claim.key, said[start:end], start)
            start = after
        return found


def _summands(expression: str) -> list[tuple[int, list[str]]]:
    """The sign and the factors of each summand: "4d - 3" is 4 * d and, taken away, 3."""
    found, sign = [], 1
    for part in re.split(r" ([-+]) ", expression):
        if part in ("+", "-"):
            sign = 1 if part == "+" else -1
        else:
            factors = [piece for factor in part.split(" * ") for piece in re.findall(r"-?\d+|[a-z]", factor)]
            found.append((sign, factors))
    return found


def _step(key: str, step: str, at: int) -> list[StatedValue]:
    """What each number of a step stands for: the letters, then what they are multiplied to, then the answer."""
    whole, step_shape = _summands(key), _summands(step)
    numbers = list(re.finditer(r"(?<![^ ])-?\d+", step))
    letters = [factor for _, factors in whole for factor in factors]
    products = [" * ".join(factors) for _, factors in whole]
    signs = [sign for sign, _ in whole]
    if len(numbers) == 1:
        meant = [key]
    elif [sign for sign, _ in step_shape] != signs:
        meant = []
    elif [len(factors) for _, factors in step_shape] == [len(factors) for _, factors in whole]:
        meant = letters
    else:
        meant = products
    if len(meant) != len(numbers):
        return [StatedValue(key, step, at)]
    return [StatedValue(name, number[0], at + number.start()) for name, number in zip(meant, numbers, strict=True)]


LISTENER = VariableSubstitution()
