"""Logic redirection: "The bridge is open. If the bridge is open then the mill is busy. ..." and then "Drop the
assumption that the bridge is open."

Premises, and what rules conclude from them, are said of a subject, whose name is the key of the claim: that of "the
bridge is not open" is "bridge", its value "not open". A question that is answered with yes or no has its own: "whether
the mill is busy". A rule that may change is a fact too: "Ada if the mill is busy", with the value "late". What rests
on something that is not known, or has no rule, does not follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import permutations
from random import Random
from typing import TYPE_CHECKING

from ..discourse import Speech, Utterance
from ..grammar import Wordings, upper_first
from ..reading import Claim
from ..reading.logic_redirection import read
from ..scene import Scene, phrase
from ..world import NONE, Values
from .base import ORDINALS, Family, clauses, word_prompt
from .logic_argument import Argument, Step, Talk, draw_word


if TYPE_CHECKING:
    from ..config import BuilderConfig


# No comma within a clause of the prompt: it would be heard as two.
_PREMISE = Wordings(
    ("{p}", "{p}", "{p}", "we know that {p}", "it holds that {p}", "assume that {p}", "take it that {p}", "{truth}"),
    ("let us say that {p}", "it is given that {p}", "as far as we know {p}"),
)
_RULE = Wordings(
    (
        "if {c} then {d}",
        "{d} if {c}",
        "when {c} then {d}",
        "{d} whenever {c}",
        "{d} when {c}",
        "in case {c} {d}",
    ),
    ("given that {c} we have that {d}", "{d} as soon as {c}", "assuming that {c} it is true that {d}"),
)
_RULE_OTHERWISE = Wordings(
    (
        "if {c} then {d} and otherwise {w}",
        "if {c} then {d} and if not then {w}",
        "{d} if {c} but {w} otherwise",
        "when {c} then {d} but otherwise {w}",
    ),
    (
        "given that {c} we have that {d} and failing that {w}",
        "assuming that {c} it is true that {d} but failing that {w}",
    ),
)
_ASK_VALUE = Wordings(
    (
        "what follows for {s}",
        "what we know of {s}",
        "what is true of {s}",
        "what the rules say of {s}",
        "what to conclude for {s}",
    ),
    ("what can be said of {s}", "what holds for {s}"),
)
_ASK_NAME = Wordings(("who {s} is", "who is {s}", "which person is {s}"), ("who must be {s}", "who serves as {s}"))
_ASK_WHICH = Wordings(
    ("whether {s} is {a} or {b}", "whether {s} is {a} or rather {b}", "whether to call {s} {a} or {b}"),
    ("what {s} is out of {a} and {b}", "which one is true of {s} {a} or {b}"),
)
_ASK_WHETHER = Wordings(
    ("whether {s} is {a}", "whether it follows that {s} is {a}", "whether it is true that {s} is {a}"),
    ("whether {s} must be {a}", "whether it is the case that {s} is {a}"),
)
_ASK_ONE = Wordings(
    (
        "tell me {q}.",
        "find out {q}.",
        "work out step by step {q}.",
        "I want to know {q}.",
        "can you tell me {q}?",
        "say {q}.",
        "reason step by step and tell me {q}.",
    ),
    ("explain to me {q}.", "I wonder {q}.", "please determine {q}."),
)
_ASK_MANY = (
    ("tell me,", "{n}) {q}"),
    ("tell me", "{n}) {q}"),
    ("please find out", "({n}) {q}"),
    ("work out step by step:", "{n}) {q}"),
    ("I want to know,", "{ordinal} {q}"),
    ("say", "{ordinal} {q}"),
    ("", "question {n} is {q}"),
    ("", "{ordinal} tell me {q}"),
    ("answer in this order:", "as number {n} {q}"),
)
_ASK_MANY_UNSEEN = (("explain", "{n}) {q}"), ("work out", "{ordinal} {q}"), ("", "item {n} is {q}"))
"""What opens the questions, and how each carries its place within its own clause."""
_OPENERS = ("Let's see.", "Let me think.", "Sure.", "All right.", "Step by step.")
_CLOSERS = ("That is all.", "Done.", "That's it.", "This is what follows.")
_LEADS = permutations(("wait,", "sorry,", "no,", "correction:"))  # of one word, so that none is ever cut
_REPAIRS = [tuple(zip(leads, links)) for leads in _LEADS for links in permutations((", so", ", so", ", so", ":"))]
_CHANGES = {
    "correction": Wordings(
        (
            "Assumption: {p} after all.",
            "{P} after all.",
            "New assumption: {p}.",
            "Assume instead that {p}.",
            "Suppose from now on that {p}.",
            "As it turns out, {p}.",
            "It is wrong that {was}.",
            "It is no longer true that {was}.",
            "I take it back that {was}, the opposite is true.",
            "Drop that assumption, {p}.",
        ),
        (
            "Let us assume the contrary, that {p}.",
            "On second thought, {p}.",
            "Swap the assumption that {was} for its opposite.",
        ),
    ),
    "invalidation": Wordings(
        (
            "Drop the assumption that {was}.",
            "Withdraw the assumption that {was}.",
            "Do not assume any more that {was}.",
            "It is uncertain now whether {plain}.",
            "Nobody knows any more whether {plain}.",
            "We no longer know whether {plain}.",
        ),
        ("Set the premise aside that {was}.", "Now we cannot tell whether {plain}."),
    ),
    "addition": Wordings(
        (
            "We now know that {p}.",
            "One more premise: {p}.",
            "Assume also that {p}.",
            "It has become known that {p}.",
            "Add the assumption that {p}.",
        ),
        ("As a further premise, {p}.", "Suppose in addition that {p}."),
    ),
}
"""For a premise: `{p}` is the clause that tells it now, `{was}` the one before, `{plain}` the one without "not"."""
_RULE_CHANGES = {
    "correction": Wordings(
        ("I got a rule wrong: {p}.", "Correction of a rule: {p}.", "Change a rule: {p}.", "The rule is now that {p}."),
        ("One rule should have been that {p}.", "Please rewrite a rule: {p}."),
    ),
    "constraint": Wordings(
        (
            "New rule: {p}.",
            "One more rule: {p}.",
            "There is a new rule: {p}.",
            "Add a rule: {p}.",
            "From now on this holds too: {p}.",
            "Respect this rule as well: {p}.",
        ),
        ("A further rule: {p}.", "The rules have grown by one: {p}."),
    ),
    "invalidation": Wordings(
        ("Drop the rule that {was}.", "The rule that {was} is void.", "Do not use the rule any more that {was}."),
        ("Strike the rule that {was}.", "Set the rule aside that {was}."),
    ),
}
_TELL = Wordings(("{p}", "{p}", "{p}", "{truth}"), ("it is the case that {p}", "it is so that {p}"))
_TELL_RULE = Wordings(("{d} if {c}", "if {c} then {d}"), ("{d} as soon as {c}", "given that {c} we have that {d}"))


class Arguing(Speech):
    """A premise that a dropped sentence or repair was about to tell is told in the repair that takes its place."""

    _dropped: Sequence[str] = ()
    _pending: Sequence[str] = ()

    def _take_back(
        self, stale: list[str], fresh: list[str], pending: list[str], dropped: Utterance | None, broken: bool
    ) -> None:
        self._dropped, self._pending = dropped.phrase.keys() if dropped else (), pending
        super()._take_back(stale, fresh, pending, dropped, broken)

    def _facts_to_mention(self, keys: Iterable[str], pending: Sequence[str]) -> list[str]:
        facts, told, values = super()._facts_to_mention(keys, pending), self._latest, self.world.values
        lost = [key for key in self._dropped if key not in told or told[key].differs(values)]
        lost += [] if pending else self._pending  # those of a running repair, unless it goes on
        return list(dict.fromkeys(facts + [key for key in lost if key in self.scene.mentions and key not in pending]))


class LogicRedirection(Family):
    name = "logic_redirection"
    speech = Arguing

    def draw(self, rng: Random, config: BuilderConfig, accepts: Callable[[str], bool]) -> Scene | None:
        argument = Argument(rng, config)
        questions: dict[str, Step] = {}
        asked = []
        for step in argument.asked:
            key, text = _question(rng, step, config)
            questions[key] = step
            asked.append(text)
        prompt = word_prompt(lambda: _prompt(rng, argument, asked, config), accepts)
        if prompt is None:
            return None
        talk = Talk(rng, argument, questions)
        return Scene(
            prompt=prompt,
            facts=argument.facts,
            rules=argument.rules(questions),
            sentences=talk.sentences,
            bodies=talk.bodies,
            mentions=talk.mentions,
            absences=talk.absences,
            repairs=rng.choice(_REPAIRS),
            questions=list(questions),
            opening=phrase(rng.choice(_OPENERS)) if rng.random() < 0.15 else None,
            closing=phrase(rng.choice(_CLOSERS)) if rng.random() < 0.1 else None,
        )

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
        """The opposite for a premise; a word that the prompt does not have for a rule."""
        if kind == "invalidation":
            return NONE
        if " if " in fact:
            of = "name" if scene.facts[fact].type == "name" else "quality" if fact.startswith("the ") else "mood"
            value = draw_word(rng, of, set(past), config)
            return None if f" {value}" in scene.prompt else value
        value = scene.absences[fact].partition("{")[0].rpartition(" ")[2]
        return rng.choice((value, f"not {value}")) if values[fact] == NONE else _opposite(values[fact])

    def word(self, rng: Random, kind: str, scene: Scene, fact: str, old: str, new: str, config: BuilderConfig) -> str:
        subject, rule, condition = fact.partition(" if ")
        wordings = _RULE_CHANGES if rule else _CHANGES
        if kind not in wordings or (kind != "constraint" and rng.random() < 0.4):
            return super().word(rng, kind, scene, fact, old, new, config)
        tell = self.tell(rng, scene, fact, new, config) if new != NONE else ""
        if rule:
            was = plain = f"{subject} is {old} if {condition}"
        else:
            was = f"the {fact} is {old}"
            plain = f"the {fact} is {(old if new == NONE else new).removeprefix('not ')}"
        return upper_first(wordings[kind].draw(rng, config).format(p=tell, P=upper_first(tell), was=was, plain=plain))

    def tell(self, rng: Random, scene: Scene, fact: str, value: str, config: BuilderConfig) -> str:
        subject, rule, condition = fact.partition(" if ")
        if rule:
            return _TELL_RULE.draw(rng, config).format(c=condition, d=f"{subject} is {value}")
        return _premise(_TELL, rng, fact, value, config)

    def noun(self, scene: Scene, fact: str) -> str:
        subject, rule, condition = fact.partition(" if ")
        return f"what it means for {subject} if {condition}" if rule else f"the state of the {fact}"

    def aside(self, rng: Random, scene: Scene, config: BuilderConfig) -> str:
        taken = {*scene.prompt.replace(".", " ").replace(";", " ").split(), *scene.facts}
        thing, value = draw_word(rng, "thing", taken, config), draw_word(rng, "quality", set(), config)
        fact = thing
        if rng.random() < 0.3:
            other, quality = draw_word(rng, "thing", taken, config), draw_word(rng, "quality", set(), config)
            fact = f"the {thing} if the {other} is {quality}"
        return self.word(rng, "addition", scene, fact, NONE, rng.choice((value, f"not {value}")), config)

    def read(self, text: str) -> list[Claim]:
        return read(text)


def _opposite(value: str) -> str:
    return value[4:] if value.startswith("not ") else f"not {value}"


def _premise(wordings: Wordings, rng: Random, fact: str, value: str, config: BuilderConfig) -> str:
    """A clause that tells a premise; some say its opposite is not true."""
    plain = value.removeprefix("not ")
    truth = f"it is {'' if plain == value else 'not '}true that the {fact} is {plain}"
    return wordings.draw(rng, config).format(p=f"the {fact} is {value}", truth=truth)


def _question(rng: Random, step: Step, config: BuilderConfig) -> tuple[str, str]:
    """The key of a claim that answers, and the question."""
    subject = step.subject
    first, second = subject.values
    wordings, key = _ASK_VALUE, subject.key
    if subject.exclusive and not step.fact and rng.random() < 0.7:
        wordings = _ASK_WHETHER
        if rng.random() < 0.4:
            key = f"whether {subject.clause(first)}"
    elif subject.kind == "role":
        wordings = _ASK_NAME
    elif not subject.exclusive and not step.fact and rng.random() < 0.4:
        wordings = _ASK_WHICH
        first, second = rng.sample(subject.values, 2)
    return key, wordings.draw(rng, config).format(s=subject.text, a=first, b=second)


def _rules(rng: Random, argument: Argument, config: BuilderConfig) -> list[str]:
    """The rules as the prompt tells them."""
    told = []
    for step in argument.steps.values():
        subject, condition = step.subject, step.condition()
        first = argument.facts[step.fact].value if step.fact else step.outcomes[0]
        second = step.outcomes[1]
        if step.together:
            told.append(_RULE_OTHERWISE.draw(rng, config).format(c=condition, d=subject.clause(first), w=second))
            continue
        if first != NONE:
            told.append(_RULE.draw(rng, config).format(c=condition, d=subject.clause(first)))
        if second != NONE:
            told.append(_RULE.draw(rng, config).format(c=step.opposite(), d=subject.clause(second)))
    return told


def _prompt(rng: Random, argument: Argument, asked: Sequence[str], config: BuilderConfig) -> str:
    told = [
        _premise(_PREMISE, rng, premise.key, argument.facts[premise.key].value, config)
        for premise in argument.premises
        if argument.facts[premise.key].value != NONE
    ]
    told += _rules(rng, argument, config)
    told.sort(key=lambda _: rng.random())
    mark = rng.choice((".", ".", ".", ";"))
    told = [f"{clause}{mark}" for clause in told[:-1]] + [f"{told[-1]}."]
    if len(asked) == 1:
        ask = [_ASK_ONE.draw(rng, config).format(q=asked[0])]
    else:
        intro, item = rng.choice(_ASK_MANY_UNSEEN if config.paraphrase else _ASK_MANY)
        stop = rng.choice((";", ";", ",")) if intro else rng.choice((";", ".", "."))
        items = [
            item.format(n=number + 1, ordinal=ORDINALS[number], q=question) + stop
            for number, question in enumerate(asked)
        ]
        ask = [f"{intro} {items[0]}".strip(), *items[1:-1], items[-1][:-1] + "."]
    return clauses(*told, *ask) if rng.random() < 0.75 else clauses(*ask, *told)
