"""Business insight: "Revenue was 50 million. ..." and then "Correction, fifteen million.": the advice changes.

A fact is a figure of a company, a branch or a line of goods ("revenue of Tarvik", "15 million"), or the limit of a
rule for advice ("limit for Tarvik"). From them follow differences ("result of Tarvik", "profit of 5 million"), totals
("total revenue"), who is ahead ("leader in revenue") and advice ("advice for Tarvik", "expand"). A limit that is
`NONE` counts as 0; advice that lacks a figure is `NONE`. The user may spell numbers out; the model writes digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import permutations, product
from random import Random
from typing import TYPE_CHECKING

from ...reading import Claim
from ...speech.grammar import UPDATES, Wordings, upper_first
from ...world.facts import NONE, Fact, Values
from ...world.number_words import to_words
from ...world.scene import Part, Phrase, Scene, Sentence, phrase
from ..base import ORDINALS, Family, clauses, word_prompt
from .case import Case, draw_amount, draw_case, draw_limit, draw_subjects, new_amount
from .claims import NOT_KNOWN, Topical, say_advice, say_difference, say_figure, say_leader, say_total
from .questions import ASK_MANY_UNSEEN, ASK_ONE, ASK_OWN, asks
from .reader import read
from .terms import (
    COMPANY,
    FIGURES,
    LEADERS,
    LEVELS,
    PEOPLE,
    TELL,
    TELL_OF_COMPANY,
    TOLD,
    TOLD_OF_COMPANY,
    TOPICS,
    TOTALS,
    Policy,
    amount_of,
    of_people,
)
from .wordings import CASE, FIGURE_UPDATES, FILLERS, LIMIT_UPDATES, REST, RULE, SHORT_UPDATES, TELL_LIMIT


if TYPE_CHECKING:
    from ...config import BuilderConfig


_OPENERS = ("Let's see.", "Sure.", "Of course.", "Here are the figures.", "I looked at the figures.")
_CLOSERS = ("That is all.", "That's it.", "That is my report.", "That is what the figures say.")
_TOLD = {
    name: Wordings((of_people(TOLD.known) if figure.unit == PEOPLE else TOLD.known) + figure.told, TOLD.unseen)
    for name, figure in FIGURES.items()
}
"""How a prompt tells each figure."""
_TELL_OF_PEOPLE = TELL._replace(known=of_people(TELL.known))
_REPAIRS = tuple(
    tuple(zip(leads, links))
    for leads in permutations(("wait,", "sorry,", "no,", "correction:"))
    for links in product((":", ", so"), repeat=4)
)
"""Lead-ins of repairs and links to what follows, in every order."""
_COUNTED = ("customers", "shops", "suppliers", "offices", "products", "trucks")
"""What an aside may count; never a figure of a scene."""
_FIGURE_KINDS = ("correction", "refinement", "invalidation", "addition")
_LIMIT_KINDS = ("correction", "invalidation", "constraint")  # the first one alone where a limit is there to stay


@dataclass(eq=False)
class BusinessScene(Scene):
    """A scene with the rule behind each limit that may change."""

    limits: Mapping[str, Policy] = field(default_factory=dict)


def _limits(scene: Scene) -> Mapping[str, Policy]:
    return scene.limits if isinstance(scene, BusinessScene) else {}


def _alone(scene: Scene) -> bool:
    """Whether there is but one figure, and no limit: a value without a name can only mean that one."""
    told = [fact for fact in scene.facts if " of " in fact or fact in _limits(scene)]
    return len(told) == 1


def _spoken(rng: Random, value: str) -> str:
    """A value as a user says it, the number in words now and then."""
    if value == NONE or rng.random() < 0.6:
        return value
    number, _, unit = value.partition(" ")
    return f"{to_words(int(number))} {unit}"


def _told(rng: Random, fact: str, value: str, config: BuilderConfig) -> str:
    """A clause of the prompt that tells a figure."""
    figure, _, subject = fact.partition(" of ")
    wordings = TOLD_OF_COMPANY if subject == COMPANY and rng.random() < 0.5 else _TOLD[figure]
    clause = wordings.draw(rng, config).format(n=figure, s=subject, v=_spoken(rng, value))
    if config.paraphrase or rng.random() > 0.15:
        return clause
    return rng.choice(FILLERS).format(clause)


def _rule_clauses(rng: Random, policy: Policy, limit: str, config: BuilderConfig) -> list[str]:
    """The clauses of the prompt that state a rule for advice."""
    subject, good, bad = policy.subject, policy.good, policy.bad
    if limit == NONE:
        return [RULE.draw(rng, config).format(s=subject, x=bad, c=policy.failed, y=good)]
    reached = policy.reached(_spoken(rng, limit))
    if not policy.middle:
        return [RULE.draw(rng, config).format(s=subject, x=good, c=reached, y=bad)]
    return [
        CASE.draw(rng, config).format(s=subject, x=good, c=reached),
        CASE.draw(rng, config).format(s=subject, x=bad, c=policy.failed),
        REST.draw(rng, config).format(s=subject, x=policy.middle),
    ]


class BusinessInsight(Family):
    name = "business_insight"
    updates = FIGURE_UPDATES

    def draw(self, rng: Random, config: BuilderConfig, accepts: Callable[[str], bool]) -> Scene | None:
        case, absent = draw_case(rng, config), rng.choice(NOT_KNOWN)
        asked = self._ask(rng, case, absent, config)
        prompt = word_prompt(lambda: self._prompt(rng, case, asked, config), accepts)
        if prompt is None:
            return None
        spoken = {item.key: item for item in asked}
        opening, sentences, closing = self._sentences(rng, case, asked, spoken, absent)
        rules = {name: rule for item in spoken.values() for name, rule in item.rules.items()}
        limits = case.limits()
        bodies = {key: item.state(rng)[1] for key, item in spoken.items()}
        mentioned = dict.fromkeys(fact for rule in rules.values() for fact in rule.depends if fact not in bodies)
        is_now = rng.choice(("{0} is {{{1}}}", "{0} is now {{{1}}}"))
        return BusinessScene(
            prompt=prompt,
            facts={fact: self._fact(limits.get(fact), fact, value) for fact, value in case.facts.items()},
            rules=rules,
            sentences=sentences,
            bodies=bodies,
            mentions={fact: is_now.format(f"the {fact}", fact) for fact in mentioned},
            absences={fact: f"the {fact} {absent}{{!{fact}}}" for fact in mentioned}
            | {key: item.lack()[1] for key, item in spoken.items()},
            repairs=rng.choice(_REPAIRS),
            questions=[item.key for item in asked],
            opening=opening,
            closing=closing,
            limits=limits,
        )

    def _fact(self, policy: Policy | None, fact: str, value: str) -> Fact:
        if policy:
            return Fact(value, "money", _LIMIT_KINDS if policy.loose else _LIMIT_KINDS[:1])
        unit = FIGURES[fact.partition(" of ")[0]].unit
        return Fact(value, "number" if unit == PEOPLE else "money", _FIGURE_KINDS)

    def _ask(self, rng: Random, case: Case, absent: str, config: BuilderConfig) -> list[Topical]:
        """What is asked, in order."""
        pool: list[tuple[float, Callable[[], Topical]]] = []
        weigh, subjects = rng.random, case.subjects
        for subject in subjects:
            figures = case.figures[subject]
            if policy := case.policies.get(subject):
                pool.append((weigh() ** (1 / 5), partial(say_advice, rng, policy)))
            for name, topic in TOPICS.items():
                if topic.first in figures and topic.second in figures:
                    pool.append((weigh() ** (1 / 3), partial(say_difference, name, subject, absent)))
            pool += [(weigh(), partial(say_figure, f"{figure} of {subject}", absent)) for figure in figures]
        if len(subjects) > 1:
            shared = [figure for figure in TOTALS if all(figure in case.figures[subject] for subject in subjects)]
            pool += [(weigh(), partial(say_total, figure, subjects, absent)) for figure in shared]
            leaders = [figure for figure in shared if figure in LEADERS and len(subjects) == 2]
            pool += [(weigh(), partial(say_leader, figure, subjects, absent)) for figure in leaders]
        wanted = rng.randint(*config.num_questions)
        chosen = sorted(pool, key=lambda entry: entry[0], reverse=True)[:wanted]
        return [make() for _, make in rng.sample(chosen, len(chosen))]

    def _prompt(self, rng: Random, case: Case, asked: Sequence[Topical], config: BuilderConfig) -> str:
        figures = [fact for fact, value in case.facts.items() if value != NONE and " of " in fact]
        told = [_told(rng, fact, case.facts[fact], config) for fact in figures]
        for policy in case.policies.values():
            limit = case.facts[policy.limit] if policy.limit else policy.fixed
            told += _rule_clauses(rng, policy, limit, config)
        rng.shuffle(told)
        mark = rng.choice((".", ".", ".", ";", ","))
        if mark != "." and len(told) > 1:
            told[-1] = f"and {told[-1]}"
        head = [f"{clause}{mark}" for clause in told[:-1]] + [f"{told[-1]}."]
        ask = self._questions(rng, asked, config)
        return clauses(*head, *ask) if rng.random() < 0.75 else clauses(*ask, *head)

    def _questions(self, rng: Random, asked: Sequence[Topical], config: BuilderConfig) -> list[str]:
        nouns = [item.nouns.draw(rng, config).format_map(item.slots) for item in asked]
        if len(asked) == 1:
            own = ASK_OWN.get(asked[0].key.partition(" ")[0])
            if own and rng.random() < 0.4:
                ask = own.draw(rng, config)
            else:
                ask = ASK_ONE.draw(rng, config) if config.paraphrase else rng.choice(asks(nouns)[0])
            return [ask.format(q=nouns[0], s=asked[0].slots.get("s"))]
        intro, item = rng.choice(ASK_MANY_UNSEEN if config.paraphrase else asks(nouns)[1])
        stop = rng.choice((";", ";", ",")) if intro else rng.choice((";", ".", "."))
        items = [item.format(n=n + 1, ordinal=ORDINALS[n], q=noun) for n, noun in enumerate(nouns)]
        return [f"{intro} {items[0]}".strip() + stop, *(f"{text}{stop}" for text in items[1:-1]), f"{items[-1]}."]

    def _sentences(
        self, rng: Random, case: Case, asked: Sequence[Topical], spoken: dict[str, Topical], absent: str
    ) -> tuple[Phrase | None, list[Sentence], Phrase | None]:
        """The plan; adds to `spoken` what is said in passing and follows from facts."""
        opening = phrase(rng.choice(_OPENERS)) if rng.random() < 0.12 else None
        closing = phrase(rng.choice(_CLOSERS)) if rng.random() < 0.1 else None
        style = rng.random() if len(asked) > 1 else 1
        keys = {item.key for item in asked}
        policies = {f"advice for {subject}": policy for subject, policy in case.policies.items()}
        sentences: list[Sentence] = []
        said: set[str] = set()
        for number, item in enumerate(asked):
            if item.key in said:
                continue
            after = asked[number + 1] if number + 1 < len(asked) else None
            before: list[Part] = []
            if style < 0.1:
                before = [f"{number + 1})"]
            elif style < 0.25:
                before = [("First,", "Then,", "Next,")[min(number, 2)] if after else "Finally,"]
            opens, policy = style < 0.1 or not before, policies.get(item.key)
            claims = [item]
            if policy and policy.reason not in keys and rng.random() < 0.4:
                if policy.about in LEVELS:
                    reason = say_figure(policy.reason, absent)
                else:
                    reason = spoken[policy.reason] = say_difference(policy.about, policy.subject, absent)
                words = phrase(*before, reason.state(rng, opens), ", so", item.state(rng), ".")
                sentences.append(Sentence(words, item.key, phrase(*before, item.lack(opens), ".")))
                continue
            if after and after.key in policies and policies[after.key].reason == item.key and style >= 0.1:
                claims += [after] * (rng.random() < 0.6)
            first, rest = claims[0], claims[1:]
            more = [part for claim in rest for part in (", so", claim.state(rng))]
            lacks = [part for claim in rest for part in (", so", claim.lack())]
            words = phrase(*before, first.state(rng, opens), *more, ".")
            sentences.append(Sentence(words, item.key, phrase(*before, first.lack(opens), *lacks, ".")))
            said.update(claim.key for claim in rest)
        return opening, sentences, closing

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
        if kind == "invalidation":
            return NONE
        policy = _limits(scene).get(fact)
        for _ in range(8):
            if policy:
                now = values[policy.figures[0]]
                value = draw_limit(rng, policy, 0 if now == NONE else amount_of(now), config)
            else:
                value = new_amount(rng, values, fact, kind == "refinement", config)
            if value not in past:
                return value
        return None

    def word(self, rng: Random, kind: str, scene: Scene, fact: str, old: str, new: str, config: BuilderConfig) -> str:
        old, new, policy = _spoken(rng, old), _spoken(rng, new), _limits(scene).get(fact)
        wordings = None
        if policy and (kind == "invalidation" or rng.random() < 0.6):
            wordings = LIMIT_UPDATES.get(kind)
        elif kind in SHORT_UPDATES and _alone(scene) and rng.random() < 0.5:
            wordings = SHORT_UPDATES[kind]
        if wordings is None:
            # The wordings of this family are about figures.
            return super().word(rng, kind, scene, fact, old, new, config)
        slots = {"old": old, "new": new, "New": upper_first(new)}
        if policy:
            noun = self.noun(scene, fact)
            slots |= {"noun": noun, "Noun": upper_first(noun), "s": policy.subject, "x": policy.good, "y": policy.bad}
            slots |= {"c": policy.reached(new), "f": policy.failed if policy.loose else ""}
        return upper_first(wordings.draw(rng, config).format_map(slots))

    def tell(self, rng: Random, scene: Scene, fact: str, value: str, config: BuilderConfig) -> str:
        if policy := _limits(scene).get(fact):
            return TELL_LIMIT.draw(rng, config).format(s=policy.subject, x=policy.good, c=policy.reached(value))
        figure, _, subject = fact.partition(" of ")
        of_company = subject == COMPANY and rng.random() < 0.5
        wordings = TELL_OF_COMPANY if of_company else _TELL_OF_PEOPLE if FIGURES[figure].unit == PEOPLE else TELL
        return wordings.draw(rng, config).format(n=figure, s=subject, v=value)

    def noun(self, scene: Scene, fact: str) -> str:
        for company in (f" of {COMPANY}", f" for {COMPANY}"):
            fact = fact.removesuffix(company)
        return f"the {fact}"

    def aside(self, rng: Random, scene: Scene, config: BuilderConfig) -> str:
        """A figure of somebody else, or a count of what no scene is about."""
        subjects = {fact.partition(" of ")[2] for fact in scene.facts}
        other = COMPANY
        while other in subjects or other == COMPANY:
            (other,) = draw_subjects(rng, 1, config)
        figure = rng.choice(list(FIGURES))
        amount = draw_amount(rng, figure, {}, config)
        if _alone(scene) or rng.random() < 0.5:  # else a short correction could mean the aside
            tell = f"{other} has {_spoken(rng, f'{amount} {rng.choice(_COUNTED)}')}"
            return upper_first(UPDATES["addition"].draw(rng, config).format(tell=tell, Tell=upper_first(tell)))
        return self.word(
            rng, "addition", scene, f"{figure} of {other}", NONE, f"{amount} {FIGURES[figure].unit}", config
        )

    def read(self, text: str) -> list[Claim]:
        return read(text)
