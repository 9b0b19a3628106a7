"""Arguments: premises, rules that conclude one thing from another, and the order in which a chain of them is said.

Every two ways that a step can go are told apart by the prompt alone, and what is not settled by it stays open: two
branches never agree, and no reason comes twice within a chain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from ...speech.grammar import SPEAKERS, upper_first
from ...world import names
from ...world.facts import NONE, Fact, Rule, Values
from ...world.scene import Part, Phrase, Sentence, phrase


if TYPE_CHECKING:
    from ...config import BuilderConfig


_REAL = {
    (kind, novel): [word for word in words if names.is_novel(word) == novel]
    for kind, words in {
        "thing": names.THINGS,
        "quality": names.QUALITIES,
        "mood": names.MOODS,
        "role": names.ROLES,
        "name": names.FIRST_NAMES,
    }.items()
    for novel in (False, True)
}
_MADE_UP = {"thing": 0.5, "quality": 0.1, "mood": 0.1, "role": 0.0, "name": 1.0}
"""Shares of `config.made_up`."""
_HEADS = [onset + vowel for onset in "b d f g k l m n p r s t v z br dr gl kr pl st tr".split() for vowel in "aeiou"]
_TAILS = [
    link + onset + vowel + coda
    for link in ("", "n", "r", "l")
    for onset in "b d f g k m p s t v z".split()
    for vowel in "aeiou"
    for coda in ("", "n", "r", "l", "s", "m")
]
"""What made-up words consist of."""
_ON_THE_WAY = ((0, 1, 1, 2), (0, 1, 1), (0, 0, 1), (0,))
"""How many steps stand between premises and answers, for one, two, three and more questions."""
KINDS = ("correction", "invalidation", "addition")
"""What may change a premise; a rule may also come as a constraint."""
_REASONS = (
    ("", ", so"),
    ("since", ","),
    ("as", ","),
    ("because", ","),
    ("given that", ","),
    ("", ", which means that"),
    ("", "and therefore"),
)
"""What stands before and behind the reason of a conclusion."""
_CONCLUDE = ("so", "so", "therefore", "thus", "hence", "it follows that", "this means that")


def draw_word(rng: Random, kind: str, taken: set[str], config: BuilderConfig) -> str:
    """A "thing", "quality", "mood", "role" or "name" that is not taken; from then on, it is."""
    word = rng.choice(_REAL[kind, config.novel_values])
    if word in taken or rng.random() < config.made_up * _MADE_UP[kind]:
        word = ""
    while not word:
        word = rng.choice(_HEADS) + rng.choice(_TAILS)
        if names.is_novel(word) != config.novel_values or word in taken:
            word = ""
        elif kind == "name":
            word = word.capitalize() if word.capitalize() not in SPEAKERS else ""
    taken.add(word)
    return word


class Subject(NamedTuple):
    """Of whom or what something is said, and the two things that may be.

    Attributes:
        exclusive: whether the one holds just where the other does not, so that "otherwise" has a clear sense.
    """

    key: str
    text: str
    values: tuple[str, str]
    exclusive: bool
    kind: str

    def clause(self, value: str) -> str:
        return f"{self.text} is {value}"


class Step(NamedTuple):
    """What follows for a subject.

    Attributes:
        reasons: one or two subjects and the value of each that is looked for.
        link: "and" or "or" between two.
        outcomes: what follows if they are met, and if not; `NONE` where there is no rule.
        together: whether one rule tells both.
        fact: the name of the first of the two rules, if that is a fact.
    """

    subject: Subject
    reasons: tuple[tuple[Subject, str], ...]
    link: str
    outcomes: tuple[str, str]
    together: bool = False
    fact: str = ""

    def condition(self) -> str:
        return f" {self.link} ".join([subject.clause(value) for subject, value in self.reasons])

    def opposite(self) -> str:
        """What the only reason is if it is not met."""
        subject, value = self.reasons[0]
        return subject.clause(subject.values[value == subject.values[0]])

    def compute(self, values: Values) -> str:
        """Of two reasons, one that is known may settle it."""
        settles = self.link == "or"
        met: bool | None = not settles
        for subject, value in self.reasons:
            known = values[subject.key]
            if known != NONE and (known == value) == settles:
                met = settles
                break
            if known == NONE:
                met = None
        if met is None:
            return NONE
        return values[self.fact] if met and self.fact else self.outcomes[not met]


class Argument:
    """The premises, rules and questions of one scene, drawn at random."""

    def __init__(self, rng: Random, config: BuilderConfig):
        self.rng, self.config = rng, config
        self.taken: set[str] = set()
        self.facts: dict[str, Fact] = {}
        self.steps: dict[str, Step] = {}
        self.depends: dict[str, tuple[str, ...]] = {}
        wanted, told = rng.randint(*config.num_questions), rng.randint(*config.num_facts)
        with_rule = told > 1 and rng.random() < 0.3
        self.premises = [self._subject("thing", exclusive=True) for _ in range(told - with_rule)]
        wanted = min(wanted, told)
        for premise in self.premises:
            self.facts[premise.key] = Fact(premise.values[rng.random() < 0.4], "boolean", KINDS)
            self.depends[premise.key] = (premise.key,)
        self.leaves = self._draw_steps(wanted, with_rule)
        inner = [key for key in self.steps if key not in self.leaves and rng.random() < 0.2]
        mixed = sorted(self.leaves + inner, key=lambda _: rng.random())
        self.asked = [self.steps[key] for key in mixed[:wanted]]
        if len(self.premises) > 1 and config.kinds.get("addition") and rng.random() < 0.15:
            key = rng.choice(self.premises).key
            self.facts[key] = self.facts[key]._replace(value=NONE)

    def _subject(self, kind: str, exclusive: bool) -> Subject:
        rng, config = self.rng, self.config
        key = draw_word(rng, kind, self.taken, config)
        text = key if kind == "name" else f"the {key}"
        if kind == "role":
            first, second = (draw_word(rng, "name", self.taken, config) for _ in range(2))
            return Subject(key, text, (first, second), True, kind)
        said: set[str] = set()
        of = "mood" if kind == "name" else "quality"
        value = draw_word(rng, of, said, config)
        other = f"not {value}" if exclusive else draw_word(rng, of, said, config)
        return Subject(key, text, (value, other), exclusive, kind)

    def _draw_steps(self, wanted: int, with_rule: bool) -> list[str]:
        """Steps on the way, then those that end a chain; returns the keys of these."""
        rng = self.rng
        inner: list[Subject] = []
        unused: list[Subject] = []
        on_the_way = rng.choice(_ON_THE_WAY[min(wanted, len(_ON_THE_WAY)) - 1])
        for _ in range(on_the_way):
            reason = unused.pop() if unused and rng.random() < 0.6 else rng.choice(self.premises)
            kind = "role" if rng.random() < 0.15 else "thing"
            inner.append(self._step(kind, reason))
            unused.append(inner[-1])
        leaves = []
        for number in range(wanted):
            if unused:
                reason = unused.pop()
            elif inner and rng.random() < 0.4:
                reason = rng.choice(inner)
            else:
                reason = rng.choice(self.premises)
            kind = rng.choice(("name", "name", "name", "role", "thing", "thing"))
            leaves.append(self._step(kind, reason, with_rule and number == 0).key)
        return leaves

    def _step(self, kind: str, reason: Subject, with_fact: bool = False) -> Subject:
        """Adds a step behind `reason`, and perhaps behind another premise."""
        rng = self.rng
        subject = self._subject(kind, exclusive=not with_fact and rng.random() < 0.5)
        first, second = subject.values if rng.random() < 0.5 else subject.values[::-1]
        wanted = rng.choice(reason.values)
        behind = self.depends[reason.key]
        others = [premise for premise in self.premises if premise.key not in behind] if rng.random() < 0.25 else []
        if with_fact:
            fact = f"{subject.text} if {reason.clause(wanted)}"
            may_come = self.config.kinds.get("addition") or self.config.kinds.get("constraint")
            value = NONE if may_come and rng.random() < 0.6 else first
            self.facts[fact] = Fact(value, "name" if kind == "role" else "text", (*KINDS, "constraint"))
            behind = (*behind, fact)
            step = Step(subject, ((reason, wanted),), "", (first, second), fact=fact)
        elif others:
            other = rng.choice(others)
            behind = (*behind, other.key)
            reasons = ((reason, wanted), (other, rng.choice(other.values)))
            together = reason.exclusive and rng.random() < 0.75
            link = rng.choice(("and", "and", "or"))
            step = Step(subject, reasons, link, (first, second if together else NONE), together)
        elif rng.random() < 0.12:
            step = Step(subject, ((reason, wanted),), "", (first, NONE))
        else:
            together = reason.exclusive and rng.random() < 0.6
            step = Step(subject, ((reason, wanted),), "", (first, second), together)
        self.steps[subject.key], self.depends[subject.key] = step, behind
        return subject

    def rules(self, questions: Mapping[str, Step]) -> dict[str, Rule]:
        made = {key: Rule(self.depends[key], step.compute) for key, step in self.steps.items()}
        for question, step in questions.items():
            if question != step.subject.key:
                made[question] = Rule(self.depends[step.subject.key], _answer(step.subject))
        return made


def _answer(subject: Subject) -> Callable[[Values], str]:
    """Whether the first of its two values is the one."""
    answers = {subject.values[0]: "yes", subject.values[1]: "no"}
    return lambda values: answers.get(values[subject.key], NONE)


class Talk:
    """The plan of what is said for an argument: every reason is told before what follows from it."""

    def __init__(self, rng: Random, argument: Argument, questions: Mapping[str, Step]):
        self.rng, self.steps = rng, argument.steps
        self.mentions: dict[str, str] = {}
        self.bodies: dict[str, str] = {}
        self.absences: dict[str, str] = {}
        for premise in argument.premises:
            key = premise.key
            self.mentions[key] = f"the {key} is {{{key}}}"
            self.absences[key] = f"it is not known whether the {key} is {premise.values[0]}{{!{key}}}"
        for key, step in argument.steps.items():
            subject = step.subject.text
            self.bodies[key] = f"{subject} is {{{key}}}"
            self.absences[key] = f"nothing follows for {subject}{{!{key}}}"
        for key in questions:
            if key not in argument.steps:
                self.bodies[key] = f"the answer to {key} is {{{key}}}"
                self.absences[key] = f"{key} remains open{{!{key}}}"
        self.claims = self.mentions | self.bodies
        self.sentences: list[Sentence] = []
        self.argued: set[str] = set()
        self.last: set[str] = set()  # said since the last conclusion, that one included
        self.reasons: list[str] = []  # of that conclusion
        self.before = ""  # of the next sentence
        style = rng.random() if len(questions) > 1 else 1.0
        for number, (key, step) in enumerate(questions.items()):
            if style < 0.25:
                place = ("First,", "Then,", "Next,", "Then,")[min(number, 3)]
                self.before = f"{number + 1})" if style < 0.1 else place
            self._answer(key, step, step.subject.key in argument.leaves)

    def _answer(self, key: str, step: Step, ends: bool) -> None:
        own = step.subject.key
        argued = own in self.argued
        for reason, _ in step.reasons:
            self._argue_for(reason.key)
        if not argued:
            self._argue(step, key if ends else own)
        if argued or (key != own and not ends):
            self._say(key)

    def _argue_for(self, key: str) -> None:
        """Says what leads to `key`, unless it was said already."""
        if key in self.steps and key not in self.argued:
            step = self.steps[key]
            for reason, _ in step.reasons:
                self._argue_for(reason.key)
            self._argue(step, key)

    def _argue(self, step: Step, key: str) -> None:
        rng = self.rng
        reasons = [reason.key for reason, _ in step.reasons]
        first = reasons[0]
        follows = first in self.steps
        whole = NONE not in step.outcomes
        self.argued.add(step.subject.key)
        if reasons == self.reasons and not self.before and rng.random() < 0.8:
            self._say(key, "also,", "also,")
        elif len(reasons) == 1 and not step.fact and (follows or whole) and rng.random() < 0.8:
            lead, link = rng.choice(_REASONS)
            said = self._open(lead, first, self.claims[first], link, (key, self.claims[key]))
            if follows:
                denied = self._open("so" if first in self.last else "", key, self.absences[key])
            else:
                denied = self._open("", first, self.absences[first], ", so", (key, self.absences[key]))
            self._add(said, key, denied)
        else:
            for reason in reasons:
                if reason not in self.last:
                    self._say(reason)
            self._say(key, rng.choice(_CONCLUDE), "so")
        self.last, self.reasons = {key}, reasons

    def _say(self, key: str, lead: str = "", denial: str = "") -> None:
        """Plans one claim, with what leads to it, or to its absence."""
        self._add(self._open(lead, key, self.claims[key]), key, self._open(denial, key, self.absences[key]))

    def _open(self, lead: str, key: str, text: str, *rest: Part) -> Phrase:
        """A sentence, with a capital at its head or in what stands before it."""
        if self.before[-1:] != ",":
            lead, text = (upper_first(lead), text) if lead else ("", upper_first(text))
        return phrase(self.before, lead, (key, text), *rest, ".")

    def _add(self, said: Phrase, key: str, denied: Phrase) -> None:
        self.sentences.append(Sentence(said, key, denied))
        self.last.add(key)
        self.before = ""
