"""Draws what a scene of business is about: subjects, figures with values, rules for advice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import permutations
from random import Random
from typing import TYPE_CHECKING

from ...world import names
from ...world.facts import NONE, Values
from .terms import COMPANY, FIGURES, LEVELS, MIDDLE, MILLION, PEOPLE, TOPICS, Policy, amount_of


if TYPE_CHECKING:
    from ...config import BuilderConfig


_USUAL = {MILLION: (2, 149), PEOPLE: (20, 299)}
_NOVEL = {MILLION: (150, 599), PEOPLE: (300, 599)}
_APART = {MILLION: (-20, 40), PEOPLE: (-30, 30)}
_APART_NOVEL = {MILLION: (-200, 400), PEOPLE: (-150, 150)}
_LIMITS, _LIMITS_NOVEL = (2, 30), (150, 300)
"""Ranges of figures, of the first figure of a topic minus the second, and of the limits of differences."""
_PARTNERS = {
    figure: tuple((topic.second, 1) for topic in TOPICS.values() if topic.first == figure)
    + tuple((topic.first, -1) for topic in TOPICS.values() if topic.second == figure)
    for figure in FIGURES
}
_ORDERS = tuple(permutations(TOPICS))
_IN_ORDER = {order: tuple(dict.fromkeys(figure for name in order for figure in TOPICS[name][:2])) for order in _ORDERS}
"""The topics in every order, and their figures in that order."""
_SUBJECTS = ((0.75, "person", "{}"), (0.9, "city", "the {} branch"), (1.0, "export", "the {} line"))
"""Pools of names, and how subjects are made of them; the numbers are shares, summed up."""


@dataclass
class Case:
    """
    The start of a scene.

    Attributes:
        subjects: who it is about.
        figures: the names of the figures of each, those that are missing too.
        facts: the figures and limits with their values.
        policies: the rule for advice of each subject that has one.
    """

    subjects: list[str]
    figures: dict[str, list[str]] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)

    def limits(self) -> dict[str, Policy]:
        """The rule behind each limit that may change."""
        return {policy.limit: policy for policy in self.policies.values() if policy.limit}


def draw_case(rng: Random, config: BuilderConfig) -> Case:
    """A case with as many facts as `config.num_facts` calls for, one of which may be missing."""
    wanted = rng.randint(*config.num_facts)
    count = 1 if wanted == 1 else rng.choice((1, 2)) if wanted <= 8 else 2 if wanted <= 16 else 3
    case = Case(draw_subjects(rng, count, config))
    topics, alike = rng.choice(_ORDERS), rng.random() < 0.5
    for number, subject in enumerate(case.subjects):
        if number and not alike:
            topics = rng.choice(_ORDERS)
        _add_facts(rng, case, subject, (wanted - len(case.facts)) // (count - number), topics, config)
    spare = [fact for fact in case.facts if " of " in fact and _spare(case, fact)]
    if spare and config.kinds.get("addition") and rng.random() < 0.15:
        case.facts[rng.choice(spare)] = NONE
    _open_limits(rng, case, config)
    return case


def _spare(case: Case, fact: str) -> bool:
    """Whether a prompt without that figure still tells one, and still names the subject."""
    subject = fact.partition(" of ")[2]
    known = len(case.figures[subject])
    return known > 1 or (subject in case.policies and len(case.figures) > 1)


def draw_subjects(rng: Random, count: int, config: BuilderConfig) -> list[str]:
    """So many names of companies, of branches, or of lines of goods."""
    form = rng.random()
    if count == 1 and form < 0.35:
        return [COMPANY]
    kind, text = next((kind, text) for share, kind, text in _SUBJECTS if form < share)
    subjects: list[str] = []
    while len(subjects) < count:
        name = text.format(names.draw(rng, kind, novel=config.novel_values, made_up=config.made_up))
        if name not in subjects:
            subjects.append(name)
    return subjects


def _add_facts(
    rng: Random, case: Case, subject: str, wanted: int, topics: tuple[str, ...], config: BuilderConfig
) -> None:
    topic = TOPICS[topics[0]]
    level = rng.choice([figure for figure in (topic.first, topic.second) if figure in LEVELS] or list(LEVELS))
    if wanted == 1:
        figures, about = [level if rng.random() < 0.8 else topic.first], level
    elif rng.random() < 0.25:
        figures, about = [level], level
    else:
        figures, about = [topic.first, topic.second], topics[0]
    ruled = rng.random() < 0.85 and (about in TOPICS or about in figures)
    limited = ruled and len(figures) < wanted and rng.random() < 0.6
    limited = limited and (about in LEVELS or TOPICS[about].reached != "")
    more = [figure for figure in _IN_ORDER[topics] if figure not in figures]
    figures += more[: max(0, wanted - limited - len(figures))]
    case.figures[subject] = figures
    known: dict[str, int] = {}
    for figure in figures:
        known[figure] = draw_amount(rng, figure, known, config)
        case.facts[f"{figure} of {subject}"] = f"{known[figure]} {FIGURES[figure].unit}"
    if ruled:
        case.policies[subject] = policy = _policy(rng, subject, about, limited, known.get(about, 0), config)
        if policy.limit:
            case.facts[policy.limit] = draw_limit(rng, policy, known.get(about, 0), config)


def _policy(rng: Random, subject: str, about: str, limited: bool, amount: int, config: BuilderConfig) -> Policy:
    topic = TOPICS["result" if about in LEVELS else about]
    good, bad, middle = rng.choice(topic.good), rng.choice(topic.bad), rng.choice(MIDDLE)
    compared = (about,) if about in LEVELS else (topic.first, topic.second)
    policy = Policy(subject, about, tuple(f"{figure} of {subject}" for figure in compared), good, bad)
    if limited:
        policy = policy._replace(limit=f"limit for {subject}")
    elif about in LEVELS or (topic.reached and rng.random() < 0.3):
        policy = policy._replace(fixed=draw_limit(rng, policy, amount, config))
    if about in LEVELS or (not policy.limit and policy.fixed == NONE):
        return policy
    if rng.random() < 0.3 and middle != bad:
        return policy._replace(middle=middle)
    return policy._replace(loose=limited and rng.random() < 0.5)


def _open_limits(rng: Random, case: Case, config: BuilderConfig) -> None:
    """Makes some rules without a limit ready for one."""
    for subject, policy in case.policies.items():
        if policy.limit or policy.fixed != NONE or not TOPICS[policy.about].reached:
            continue
        if config.kinds.get("constraint") and rng.random() < 0.8:
            case.policies[subject] = policy = policy._replace(limit=f"limit for {subject}", loose=True)
            case.facts[policy.limit] = NONE


def draw_amount(rng: Random, figure: str, known: Mapping[str, int], config: BuilderConfig) -> int:
    """A figure, most often not far from another one that it is compared with."""
    unit = FIGURES[figure].unit
    low, high = (_NOVEL if config.novel_values else _USUAL)[unit]
    partners = [(known[other], sign) for other, sign in _PARTNERS[figure] if other in known]
    if partners and rng.random() < 0.8:
        other, sign = rng.choice(partners)
        amount = other + sign * rng.randint(*(_APART_NOVEL if config.novel_values else _APART)[unit])
        if low <= amount <= high and amount != other:
            return amount
    return rng.randint(low, high)


def draw_limit(rng: Random, policy: Policy, amount: int, config: BuilderConfig) -> str:
    """A limit: for a difference, a small number; for a figure of `amount` million (0: not known), one close to it."""
    low, high = (_NOVEL if config.novel_values else _USUAL)[MILLION]
    if policy.about not in LEVELS:
        low, high = _LIMITS_NOVEL if config.novel_values else _LIMITS
    elif amount:
        low, high = max(low, amount - 30), min(high, amount + 30)
    return f"{rng.randint(low, high)} {MILLION}"


def new_amount(rng: Random, case_facts: Values, fact: str, near: bool, config: BuilderConfig) -> str:
    """Another value of a figure; with `near`, one close to the one that it has."""
    figure, _, subject = fact.partition(" of ")
    unit = FIGURES[figure].unit
    if near:
        low, high = (_NOVEL if config.novel_values else _USUAL)[unit]
        old = amount_of(case_facts[fact])
        return f"{rng.randint(max(low, old - 3), min(high, old + 3))} {unit}"
    known = {
        other: amount_of(case_facts[name])
        for other, _ in _PARTNERS[figure]
        if case_facts.get(name := f"{other} of {subject}", NONE) != NONE
    }
    return f"{draw_amount(rng, figure, known, config)} {unit}"
