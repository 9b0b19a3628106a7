"""Variable substitution: "Given x = 5, compute 3x + 2 step by step." and then "Actually x = 7."

Facts are single letters with whole numbers, questions are short expressions, answers are chains of equalities. The key
of an answer is its expression as written ("3x + 2"), that of a fact is its letter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from ..discourse import Part, Phrase, Scene, phrase
from ..reading import CUT, Claim, threads
from ..world import Rule, Values
from .base import ORDINALS, clauses


if TYPE_CHECKING:
    from ..config import BuilderConfig


LETTERS = "abcdfghkmnprstuvwxyz"
_GIVEN = ("let", "take", "suppose", "we have", "here", "given", "if", "with")
_SENTENCES = 5  # so many of these may also open a sentence of their own
_NO_VERB = ("let", "take", "with", "given", "we have")  # "is" does not fit behind these
_ASK_ONE = (
    "compute {} step by step.",
    "compute {}.",
    "what is {}?",
    "find {}.",
    "work out {} step by step.",
    "tell me {}.",
    "evaluate {}.",
    "calculate {} step by step.",
)
_ASK_MANY = (
    ("compute, in order,", "{n}) {q}"),
    ("compute", "{n}) {q}"),
    ("work out, one by one,", "{n}) {q}"),
    ("please find", "({n}) {q}"),
    ("evaluate step by step:", "({n}) {q}"),
    ("tell me,", "{n}) {q}"),
    ("I need", "{q} {ordinal}"),
    ("compute", "{q} {ordinal}"),
    ("find", "{ordinal} {q}"),
    ("", "{ordinal} compute {q}"),
    ("", "question {n} is {q}"),
    ("answer in this order:", "as number {n} {q}"),
)
"""What opens the questions, and how each carries its place within its own clause."""
_OPENERS = ("Let's see.", "Sure.", "All right.", "Okay.", "Step by step.")
_CLOSERS = ("That is all.", "Done.", "That's it.", "These are the answers.")
_LEADS = ("wait,", "sorry,", "no,", "hold on,", "correction:", "scratch that,")
_UPDATES = (
    "Actually {x} = {new}.",
    "Actually, {x} is {new}.",
    "Correction: {x} is {new}, not {old}.",
    "Correction: {x} = {new}.",
    "Sorry, {x} should be {new}.",
    "No, {x} = {new}.",
    "Make that {x} = {new}.",
    "Wait, {x} is {new}.",
    "Oh, {x} is {new} now.",
    "I meant {x} = {new}.",
    "Let {x} be {new} instead of {old}.",
    "Change {x} to {new}.",
)


class Question(NamedTuple):
    """An expression, the steps that answer it (the last one is the answer), and the rules of the values in the
    steps."""

    key: str
    letters: tuple[str, ...]
    steps: tuple[str, ...]
    rules: dict[str, Rule]


def _rule(letters: tuple[str, ...], compute: Callable[..., int]) -> Rule:
    return Rule(letters, lambda values: str(compute(*(int(values[letter]) for letter in letters))))


def _linear(a: int, x: str, sign: str, b: int) -> Question:
    key, offset = f"{a}{x} {sign} {b}", b if sign == "+" else -b
    product = f"{key}#1"
    return Question(
        key,
        (x,),
        (f"{a} * {{{x}}} {sign} {b}", f"{{{product}}} {sign} {b}", f"{{{key}}}"),
        {product: _rule((x,), lambda value: a * value), key: _rule((x,), lambda value: a * value + offset)},
    )


def _pair(x: str, sign: str, y: str) -> Question:
    key, letters = f"{x} {sign} {y}", (x, y)
    compute = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}[sign]
    return Question(key, letters, (f"{{{x}}} {sign} {{{y}}}", f"{{{key}}}"), {key: _rule(letters, compute)})


def _combination(a: int, x: str, b: int, y: str) -> Question:
    key = f"{a}{x} + {b}{y}"
    left, right = f"{key}#1", f"{key}#2"
    return Question(
        key,
        (x, y),
        (f"{a} * {{{x}}} + {b} * {{{y}}}", f"{{{left}}} + {{{right}}}", f"{{{key}}}"),
        {
            left: _rule((x,), lambda value: a * value),
            right: _rule((y,), lambda value: b * value),
            key: _rule((x, y), lambda first, second: a * first + b * second),
        },
    )


class VariableSubstitution:
    name = "variable_substitution"

    def draw(self, rng: Random, config: BuilderConfig, accepts: Callable[[str], bool]) -> Scene | None:
        low, high = (21, 30) if config.novel_values else (1, 20)
        letters = rng.sample(LETTERS, min(rng.randint(*config.num_facts), len(LETTERS)))
        facts = {letter: str(rng.randint(low, high)) for letter in letters}
        questions: dict[str, Question] = {}
        wanted = rng.randint(*config.num_questions)
        for _ in range(50 * wanted):
            if len(questions) == wanted:
                break
            question = self._question(rng, facts)
            questions[question.key] = question
        prompt = self._prompt(rng, facts, list(questions))
        if not accepts(prompt):
            return None
        asked = list(questions.values())
        rules = {name: rule for question in asked for name, rule in question.rules.items()}
        is_now = rng.choice(("{0} is {{{0}}}", "{0} = {{{0}}}", "{0} is now {{{0}}}"))
        link = rng.choice((" = ", " is "))
        return Scene(
            prompt=prompt,
            facts=facts,
            rules=rules,
            sentences=self._sentences(rng, asked),
            bodies={item.key: item.key + link + " = ".join(item.steps) for item in asked},
            mentions={letter: is_now.format(letter) for letter in letters},
            repairs=[(lead, rng.choice((":", ", so"))) for lead in rng.sample(_LEADS, len(_LEADS))],
            questions=list(questions),
        )

    def _question(self, rng: Random, facts: Values) -> Question:
        x = rng.choice(list(facts))
        y = rng.choice([letter for letter in facts if letter != x] or [x])
        form = rng.randrange(6) if x != y else rng.randrange(2)
        if form == 0:
            return _linear(rng.randint(2, 9), x, "+", rng.randint(1, 20))
        if form == 1:
            a = rng.randint(2, 9)
            return _linear(a, x, "-", rng.randint(1, min(20, a * int(facts[x]))))
        if form == 2:
            return _pair(x, "+", y)
        if form == 3:
            return _pair(x, "-", y) if int(facts[x]) >= int(facts[y]) else _pair(y, "-", x)
        if form == 4:
            return _combination(rng.randint(2, 9), x, rng.randint(2, 9), y)
        return _pair(x, "*", y)

    def _prompt(self, rng: Random, facts: Values, keys: Sequence[str]) -> str:
        facts_first = rng.random() < 0.75
        given = rng.choice(_GIVEN if facts_first else _GIVEN[:_SENTENCES])
        equals = " = " if given in _NO_VERB else rng.choice((" = ", " is "))
        told = [letter + equals + value for letter, value in facts.items()]
        rng.shuffle(told)
        if rng.random() < 0.8:
            told[0] = f"{given} {told[0]}"
        comma = rng.choice((",", ",", ",", ";"))
        end = rng.choice((",", ":")) if facts_first and given in _GIVEN[_SENTENCES:] else rng.choice((",", ":", "."))
        end = end if facts_first else "."
        if len(told) > 1 and rng.random() < 0.3:
            told[-1] = f"and {told[-1]}"
        head = f"{comma} ".join(told) + end
        if len(keys) == 1:
            ask = rng.choice(_ASK_ONE).format(keys[0])
        else:
            (intro, ordered), semicolon = rng.choice(_ASK_MANY), rng.choice((";", ";", ","))
            items = [ordered.format(n=number + 1, ordinal=ORDINALS[number], q=key) for number, key in enumerate(keys)]
            ask = f"{intro} {f'{semicolon} '.join(items)}.".strip()
        return clauses(head, ask) if facts_first else clauses(ask, head)

    def _sentences(self, rng: Random, asked: Sequence[Question]) -> list[Phrase]:
        sentences = [phrase(rng.choice(_OPENERS))] if rng.random() < 0.15 else []
        numbered = len(asked) > 1 and rng.random() < 0.25
        for number, question in enumerate(asked):
            place = ("First,", "Then,", "Next,", "Then,")[min(number, 3)] if number + 1 < len(asked) else "Finally,"
            before: list[Part] = []
            if numbered:
                before = [f"{number + 1})"]
            elif len(asked) > 1 and rng.random() < 0.2:
                before = [place]
            sentences.append(phrase(*before, *self._answer(rng, question, opens=not before), "."))
        if rng.random() < 0.1:
            sentences.append(phrase(rng.choice(_CLOSERS)))
        return sentences

    def _answer(self, rng: Random, question: Question, opens: bool) -> list[Part]:
        key, steps = question.key, question.steps
        form = rng.randrange(7)
        chain = (key, f"{key} = {' = '.join(steps)}")
        if form == 0:
            return [(key, f"{key} is {', which is '.join(steps)}")]
        if form == 1:
            return [(key, f"{key} is {' = '.join(steps)}")]
        if form == 2:
            since = rng.choice(("Since", "As", "With"))
            reasons: list[Part] = [since if opens else since.lower()]
            for number, letter in enumerate(question.letters):
                reasons += ["and"] * (number > 0) + [(letter, f"{letter} = {{{letter}}}")]
            return [*reasons, ",", chain]
        if form == 3:
            return ["For" if opens else "for", (key, f"{key}: {' = '.join(steps)}")]
        return [chain]

    def new_value(
        self,
        rng: Random,
        scene: Scene,
        values: Mapping[str, str],
        fact: str,
        past: Sequence[str],
        config: BuilderConfig,
    ) -> str:
        """A value that keeps every answer between 0 and 200, if a few tries find one."""
        low, high = (21, 30) if config.novel_values else (1, 20)
        fresh = [value for value in map(str, range(low, high + 1)) if value not in past]
        for _ in range(6):
            new = rng.choice(fresh or [str(high + len(past))])
            trial = {**values, fact: new}
            concerned = (rule for rule in scene.rules.values() if fact in rule.depends)
            if all(0 <= int(rule.compute(trial)) <= 200 for rule in concerned):
                break
        return new

    def word_update(self, rng: Random, scene: Scene, fact: str, old: str, new: str) -> str:
        return rng.choice(_UPDATES).format(x=fact, old=old, new=new)

    def read(self, text: str) -> list[Claim]:
        return read(text)


_NUMBER = r"-?\d+"
_TERM = rf"{_NUMBER}(?: [-+*] {_NUMBER})*"
_LINK = r"(?: = |,? which is |,? that is | is )"
_CHAIN = re.compile(
    r"(?<![-+*=] )(?<!\w)(?P<key>\d*[a-z](?: [-+*] (?:\d+[a-z]?|[a-z]))*)"
    rf"(?: = |: | is now | is | equals )(?P<chain>{_TERM}(?:{_LINK}{_TERM})*)"
)


def read(text: str) -> list[Claim]:
    """The equalities that a text states, chains first to last; one that was cut before its answer is no claim."""
    claims = []
    for thread in threads(text):
        for match in _CHAIN.finditer(thread.text):
            terms = re.split(_LINK, match["chain"])
            number, follows = terms[-1], thread.text[match.end()]
            if not re.fullmatch(_NUMBER, number):
                continue
            one_step_left = len(terms) > 1 and len(re.findall(r" [-+*] ", terms[-2])) == 1
            is_fact = len(match["key"]) == 1 and len(terms) == 1
            if follows == CUT and not (one_step_left or (is_fact and match.end() < len(text))):
                continue
            if follows == " " and not re.match(" (?:and|so|then)\\b", thread.text[match.end() :]):
                continue
            claims.append(thread.claim(match["key"], number, match.start(), match.end()))
    return sorted(claims, key=lambda claim: claim.start)
