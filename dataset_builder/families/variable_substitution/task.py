"""Variable substitution: "Given x = 5, compute 3x + 2 step by step." and then "Actually x = 7."

Facts are single letters with whole numbers, questions are short expressions, answers are chains of equalities. The key
of an answer is its expression as written ("3x + 2"), that of a fact is its letter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from ...reading import Claim
from ...world.facts import NONE, Fact, Rule, Values, needing
from ...world.scene import Part, Phrase, Scene, Sentence, phrase
from ..base import ORDINALS, Family, clauses, in_every_order, word_prompt
from .reader import read
from .wordings import (
    ASK_MANY,
    ASK_MANY_UNSEEN,
    ASK_ONE,
    DEMANDED,
    GIVEN,
    GIVEN_UNSEEN,
    JOINED,
    NO_VERB,
    SENTENCES,
    STATED,
    TELL,
    UPDATES,
)


if TYPE_CHECKING:
    from ...config import BuilderConfig


LETTERS = "abcdfghkmnprstuvwxyz"
_OPENERS = ("Let's see.", "Sure.", "All right.", "Okay.", "Step by step.")
_CLOSERS = ("That is all.", "Done.", "That's it.", "These are the answers.")
_REPAIRS = in_every_order(
    ("wait,", "sorry,", "no,", "hold on,", "correction:", "scratch that,"), (":", ":", ", so", ", so")
)


class Question(NamedTuple):
    """An expression, the steps that answer it (the last one is the answer), and the rules of the values in the
    steps."""

    key: str
    letters: tuple[str, ...]
    steps: tuple[str, ...]
    rules: dict[str, Rule]


def _rule(letters: tuple[str, ...], compute: Callable[..., int]) -> Rule:
    return needing(letters, lambda values: str(compute(*[int(values[letter]) for letter in letters])))


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


class VariableSubstitution(Family):
    name = "variable_substitution"
    updates = UPDATES

    def draw(self, rng: Random, config: BuilderConfig, accepts: Callable[[str], bool]) -> Scene | None:
        low, high = (21, 30) if config.novel_values else (1, 20)
        letters = rng.sample(LETTERS, min(rng.randint(*config.num_facts), len(LETTERS)))
        told = {letter: str(rng.randint(low, high)) for letter in letters}
        questions: dict[str, Question] = {}
        wanted = rng.randint(*config.num_questions)
        for _ in range(50 * wanted):
            if len(questions) == wanted:
                break
            question = self._question(rng, told)
            questions[question.key] = question
        if len(told) > 1 and config.kinds.get("addition") and rng.random() < 0.15:
            told[rng.choice(letters)] = NONE
        prompt = word_prompt(lambda: self._prompt(rng, told, list(questions), config), accepts)
        if prompt is None:
            return None
        asked = list(questions.values())
        is_now = rng.choice(("{0} is {{{0}}}", "{0} = {{{0}}}", "{0} is now {{{0}}}"))
        link = rng.choice((" = ", " is "))
        kinds = ("correction", "refinement", "invalidation", "addition")
        opening, sentences, closing = self._sentences(rng, asked)
        return Scene(
            prompt=prompt,
            facts={letter: Fact(value, "number", kinds) for letter, value in told.items()},
            rules={name: rule for question in asked for name, rule in question.rules.items()},
            sentences=sentences,
            bodies={item.key: item.key + link + " = ".join(item.steps) for item in asked},
            mentions={letter: is_now.format(letter) for letter in letters},
            absences={letter: f"{letter} is unknown{{!{letter}}}" for letter in letters}
            | {key: f"{key} cannot be computed{{!{key}}}" for key in questions},
            repairs=rng.choice(_REPAIRS),
            questions=list(questions),
            opening=opening,
            closing=closing,
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

    def _prompt(self, rng: Random, facts: Values, keys: Sequence[str], config: BuilderConfig) -> str:
        facts_first = rng.random() < 0.75
        joined = not (facts_first or config.paraphrase or len(keys) > 1) and rng.random() < 0.3
        if config.paraphrase:
            given = rng.choice(GIVEN_UNSEEN)
        elif joined:
            given = rng.choice(JOINED)
        else:
            given = rng.choice(GIVEN if facts_first else SENTENCES)
        opened = config.paraphrase or joined or rng.random() < 0.8
        told = self._told(rng, facts, given if opened else "", config)
        if opened:
            told[0] = f"{given} {told[0]}"
        comma = rng.choice((",", ",", ",", ";"))
        end = (
            rng.choice((",", ":")) if facts_first and given in GIVEN[len(SENTENCES) :] else rng.choice((",", ":", "."))
        )
        end = end if facts_first else "."
        if len(told) > 1 and rng.random() < 0.3:
            told[-1] = f"and {told[-1]}"
        head = f"{comma} ".join(told) + end
        if len(keys) == 1:
            ask = ASK_ONE.draw(rng, config).format(keys[0])
        else:
            (intro, ordered) = rng.choice(ASK_MANY_UNSEEN if config.paraphrase else ASK_MANY)
            semicolon = rng.choice((";", ";", ","))
            items = [ordered.format(n=number + 1, ordinal=ORDINALS[number], q=key) for number, key in enumerate(keys)]
            ask = f"{intro} {f'{semicolon} '.join(items)}.".strip()
        if joined:
            while not ask.endswith(f"{keys[0]}."):
                ask = ASK_ONE.draw(rng, config).format(keys[0])
            return clauses(f"{ask[:-1]},", head)
        return clauses(head, ask) if facts_first else clauses(ask, head)

    def _told(self, rng: Random, facts: Values, given: str, config: BuilderConfig) -> list[str]:
        """The clauses of a prompt that tell values, the first of which is to stand behind `given`."""
        forms: tuple[str, ...] = ("{x} = {v}",) if given in NO_VERB else ("{x} = {v}", "{x} is {v}")
        if not config.paraphrase and given not in NO_VERB and rng.random() < 0.5:
            forms = STATED if given or rng.random() < 0.6 else DEMANDED
        form = rng.choice(forms) if len(forms) == 2 or rng.random() < 0.7 else None
        told = [
            (form or rng.choice(forms)).format(x=letter, v=value) for letter, value in facts.items() if value != NONE
        ]
        rng.shuffle(told)
        return told

    def _sentences(
        self, rng: Random, asked: Sequence[Question]
    ) -> tuple[Phrase | None, list[Sentence], Phrase | None]:
        opening = phrase(rng.choice(_OPENERS)) if rng.random() < 0.15 else None
        closing = phrase(rng.choice(_CLOSERS)) if rng.random() < 0.1 else None
        numbered = len(asked) > 1 and rng.random() < 0.25
        sentences = []
        for number, question in enumerate(asked):
            place = ("First,", "Then,", "Next,", "Then,")[min(number, 3)] if number + 1 < len(asked) else "Finally,"
            before: list[Part] = []
            if numbered:
                before = [f"{number + 1})"]
            elif len(asked) > 1 and rng.random() < 0.2:
                before = [place]
            said = phrase(*before, *self._answer(rng, question, opens=not before), ".")
            absent = phrase(*before, (question.key, f"{question.key} cannot be computed{{!{question.key}}}"), ".")
            sentences.append(Sentence(said, question.key, absent))
        return opening, sentences, closing

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
        kind: str,
        scene: Scene,
        values: Values,
        fact: str,
        past: Sequence[str],
        config: BuilderConfig,
    ) -> str | None:
        """A value that keeps every answer between 0 and 200, if a few tries find one."""
        if kind == "invalidation":
            return NONE
        low, high = (21, 30) if config.novel_values else (1, 20)
        if kind == "refinement":
            low, high = max(low, int(values[fact]) - 2), min(high, int(values[fact]) + 2)
        fresh = [value for value in map(str, range(low, high + 1)) if value not in past]
        if not fresh and kind == "refinement":
            return None
        for _ in range(6):
            new = rng.choice(fresh or [str(high + len(past))])
            trial = {**values, fact: new}
            concerned = [rule.compute(trial) for rule in scene.rules.values() if fact in rule.depends]
            if all(value == NONE or 0 <= int(value) <= 200 for value in concerned):
                break
        return new

    def tell(self, rng: Random, scene: Scene, fact: str, value: str, config: BuilderConfig) -> str:
        return TELL.draw(rng, config).format(x=fact, v=value)

    def noun(self, scene: Scene, fact: str) -> str:
        return fact

    def aside(self, rng: Random, scene: Scene, config: BuilderConfig) -> str:
        letter = rng.choice([letter for letter in LETTERS if letter not in scene.facts] or ["z"])
        value = str(rng.randint(21, 30) if config.novel_values else rng.randint(1, 20))
        return self.word(rng, "addition", scene, letter, NONE, value, config)

    def read(self, text: str) -> list[Claim]:
        return read(text)
