"""Letters with numbers, and expressions of them worked out step by step."""

from __future__ import annotations

import re
from math import prod

from ..reading import Claim
from ..world import NONE
from .listener import Listener, NotUnderstood, Said, State


_TOLD = re.compile(r"(?<![\w+*-])([a-z]) (?:=|is|equals) (-?\d+)(?![\w)])(?! [-+*] )")
_EXPRESSION = re.compile(r"(?<!\w)(?:\d*[a-z]) [-+*] (?:\d*[a-z]|\d+)(?!\w)")
_SET = (
    re.compile(r"\b(?P<x>[a-z]) (?:=|is|equals|should be|must be|be|to) (?:now )?(?P<v>-?\d+)\b", re.IGNORECASE),
    re.compile(r"\breplace -?\d+ (?:by|with) (?P<v>-?\d+) for (?P<x>[a-z])\b", re.IGNORECASE),
    re.compile(r"\bfor (?P<x>[a-z]), take (?P<v>-?\d+)\b", re.IGNORECASE),
)
_LOST = (
    re.compile(
        r"\b(?:forget|disregard|about|knows|rely on|value of) (?P<x>[a-z])\b(?! (?:is|=|equals)\b)", re.IGNORECASE
    ),
    re.compile(r"\b(?P<x>[a-z]) is (?:no longer known|unknown|open again)\b", re.IGNORECASE),
)
_LINK = re.compile(r" = |: |,? which is | is now | is | equals ")


class VariableSubstitution(Listener):
    """Facts are letters; the key of a claim is a letter or an expression."""

    task_type = "variable_substitution"

    def understand(self, prompt: str) -> State:
        facts = {match[1]: match[2] for match in _TOLD.finditer(prompt)}
        questions = tuple(dict.fromkeys(match[0] for match in _EXPRESSION.finditer(prompt)))
        if not facts or not questions:
            raise NotUnderstood(f"it tells {len(facts)} numbers and asks {len(questions)} questions.")
        return State(facts, questions)

    def apply(self, state: State, text: str) -> State:
        for form in _SET:
            match = form.search(text)
            if match:
                return state.but({match["x"].lower(): match["v"]})
        for form in _LOST:
            match = form.search(text)
            if match:
                return state.but({match["x"].lower(): None})
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

    def parts(self, claim: Claim, said: str) -> list[Said]:
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


def _step(key: str, step: str, at: int) -> list[Said]:
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
        return [Said(key, step, at)]
    return [Said(name, number[0], at + number.start()) for name, number in zip(meant, numbers, strict=True)]


LISTENER = VariableSubstitution()
