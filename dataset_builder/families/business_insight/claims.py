"""What a model says of a case of business: figures, what follows from them, advice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import NamedTuple

from ...speech.grammar import Wordings, upper_first
from ...world.facts import Rule, Values, needing
from .questions import ADVICE_NOUNS, LEADER_NOUNS, TOTAL_NOUNS
from .terms import COMPANY, FIGURES, MILLION, NOUNS, SAID, TOPICS, Policy, amount_of


_SAID = {name: SAID + figure.said for name, figure in FIGURES.items()}
_SAID_OF_COMPANY = {name: (*said, "the {n} is {v}") for name, said in _SAID.items()}
_ADVISE = (
    "{s} should {v}",
    "{s} should {v}",
    "I advise {s} to {v}",
    "my advice for {s} is to {v}",
    "the advice for {s} is to {v}",
    "the right move for {s} is to {v}",
)
_ADVISE_BY_LIMIT = ("with a limit of {l}, {s} should {v}", "at a limit of {l}, my advice for {s} is to {v}")
_SUM = (
    "the total {n} is {v}",
    "the total {n} comes to {v}",
    "{all} have a total {n} of {v}",
    "{terms} is a total {n} of {v}",
)
_LEADER = (
    "the leader in {n} is {v}",
    "in {n}, the leader is {v}",
    "the higher {n} belongs to {v}",
    "the higher {n} is that of {v}",
)
NOT_KNOWN = ("is not known", "is not yet known", "cannot be told")
_NO_ADVICE = ("no advice for {s} can be given", "the advice for {s} cannot yet be given")


class Topical(NamedTuple):
    """Something that can be asked: its key, what a question calls it, the wordings that state it and their slots, the
    rules behind it, and what is said of it while it is `NONE`."""

    key: str
    nouns: Wordings
    said: Sequence[str]
    slots: Mapping[str, str]
    rules: Mapping[str, Rule]
    absent: str

    def state(self, rng: Random, opens: bool = False) -> tuple[str, str]:
        """The claim in one of its wordings."""
        text = rng.choice(self.said).format_map(self.slots)
        return self.key, upper_first(text) if opens else text

    def lack(self, opens: bool = False) -> tuple[str, str]:
        text = f"{self.absent}{{!{self.key}}}"
        return self.key, upper_first(text) if opens else text


def _slot(name: str) -> str:
    return f"{{{name}}}"


def say_figure(fact: str, absent: str) -> Topical:
    figure, _, subject = fact.partition(" of ")
    said = _SAID_OF_COMPANY[figure] if subject == COMPANY else _SAID[figure]
    slots = {"n": figure, "s": subject, "v": _slot(fact)}
    return Topical(fact, NOUNS, said, slots, {}, f"the {fact} {absent}")


def say_difference(name: str, subject: str, absent: str) -> Topical:
    topic, key = TOPICS[name], f"{name} of {subject}"
    x, y = f"{topic.first} of {subject}", f"{topic.second} of {subject}"
    unit = f" {MILLION}" if FIGURES[topic.first].unit == MILLION else ""  # "20 too few people"

    def minus(values: Values) -> str:
        difference = amount_of(values[x]) - amount_of(values[y])
        return topic.sides[difference < 0].format(f"{abs(difference)}{unit}")

    slots = {"s": subject, "x": _slot(x), "y": _slot(y), "v": _slot(key)}
    return Topical(key, topic.nouns, topic.said, slots, {key: needing((x, y), minus)}, f"the {key} {absent}")


def say_advice(rng: Random, policy: Policy) -> Topical:
    key = f"advice for {policy.subject}"
    slots = {"s": policy.subject, "v": _slot(key), "l": _slot(policy.limit)}
    said = _ADVISE_BY_LIMIT if policy.limit and not policy.loose and rng.random() < 0.25 else _ADVISE
    rules = {key: Rule(policy.depends, policy.advise)}
    return Topical(key, ADVICE_NOUNS, said, slots, rules, rng.choice(_NO_ADVICE).format_map(slots))


def say_total(figure: str, subjects: Sequence[str], absent: str) -> Topical:
    key, facts = f"total {figure}", tuple(f"{figure} of {subject}" for subject in subjects)
    unit = FIGURES[figure].unit
    rule = needing(facts, lambda values: f"{sum(amount_of(values[fact]) for fact in facts)} {unit}")
    slots = {
        "n": figure,
        "v": _slot(key),
        "all": f"{', '.join(subjects[:-1])} and {subjects[-1]}",
        "terms": " plus ".join(_slot(fact) for fact in facts),
    }
    return Topical(key, TOTAL_NOUNS, _SUM, slots, {key: rule}, f"the {key} {absent}")


def say_leader(figure: str, subjects: Sequence[str], absent: str) -> Topical:
    key, facts = f"leader in {figure}", tuple(f"{figure} of {subject}" for subject in subjects)

    def ahead(values: Values) -> str:
        first, second = (amount_of(values[fact]) for fact in facts)
        return "neither" if first == second else subjects[first < second]

    slots = {"n": figure, "v": _slot(key)}
    return Topical(key, LEADER_NOUNS, _LEADER, slots, {key: needing(facts, ahead)}, f"the {key} {absent}")
