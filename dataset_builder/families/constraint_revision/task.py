"""Constraint revision: "The budget is $450. The hotel costs $80 a night. ..." and then "The budget is $280."

Money is spent on items in the order asked (`constraint_plan` says how). The key of an item's claim is its name
("hotel"); others are "budget", "total", "left", and "left after hotel". Facts are "budget", "price of hotel",
"limit for hotel", and numbers of units: "nights", "guests", "weeks", "amount of rice".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING

from ...reading import Claim
from ...speech.grammar import UPDATES, upper_first
from ...world.facts import NONE, Fact, Values
from ...world.scene import Part, Phrase, Scene, Sentence, phrase
from ..base import ORDINALS, Family, clauses, in_every_order, word_prompt
from . import updates as changes
from . import wordings as heard
from .plan import Line, Plan
from .reader import read
from .terms import ITEMS, POOLS, TERMS, THEMES, Item, dollars, settle


if TYPE_CHECKING:
    from ...config import BuilderConfig


_SAY_BUDGET = ("the budget is {budget}", "we have {budget}", "there is {budget} to spend", "our budget is {budget}")
_SAY_RATE = (
    "{c} {us} at {p} make {need}, {so} {x} gets {gets}",
    "for {x}, {c} {us} at {p} make {need}, {so} it gets {gets}",
    "{x} needs {p} * {c} = {need}, {so} it gets {gets}",
    "at {p} a {u}, {c} {us} make {need}, {so} {x} gets {gets}",
    "for {x}, {p} * {c} = {need}, {so} we spend {gets}",
)
_SAY_FLAT = (
    "{x} gets {gets}",
    "{x} takes {gets}",
    "on {x} we spend {gets}",
    "for {x} we pay {gets}",
    "we give {x} {gets}",
)
_SAY_NOTHING = ("nothing is planned for {x}{none}", "{x} is not planned{none}")
_SAY_TOTAL = (("", "the total is {chain}"), ("in all", "we spend {chain}"), ("", "together that makes {chain}"))
_SAY_LEFT = (
    ("", "what is left is {chain}"),
    ("", "{chain} is left"),
    ("", "we keep {chain}"),
    ("", "the rest is {chain}"),
)
_BUDGETS = [
    Sentence(
        phrase(("budget", upper_first(text)), "."), "budget", phrase(("budget", "There is no budget{!budget}"), ".")
    )
    for text in _SAY_BUDGET
]
_OPENERS = ("Sure.", "Let's see.", "All right.", "Okay.", "Here is the plan.")
_CLOSERS = ("That is all.", "Done.", "That's it.", "That is the plan.")
_REPAIRS = in_every_order(("wait,", "sorry,", "no,", "hold on,", "correction:", "scratch that,"))
_KINDS = {
    "budget": ("correction", "refinement"),
    "count": ("correction",),
    "price": ("correction", "refinement", "invalidation", "addition"),
    "limit": ("correction", "invalidation", "constraint"),
}
_OPEN = ("constraint", "invalidation")  # of a budget, where the prompt tells none


@lru_cache(maxsize=4096)
def _line(name: str, before: str, wording: str, leaves: str) -> Phrase:
    """What is said of an item, and the value of that name, if any, as what it leaves."""
    rest: list[Part] = [",", (leaves, f"which leaves {{{leaves}}}")] if leaves else []
    return _open(before, "", (name, ITEMS[name].say(wording)), *rest)


def _open(before: str, lead: str, claim: tuple[str, str], *rest: Part) -> Phrase:
    """A sentence; what opens it has a capital."""
    key, text = claim
    if not before.endswith(","):
        lead, text = upper_first(lead), text if lead else upper_first(text)
    return phrase(*filter(None, (before, lead)), (key, text), *rest, ".")


class ConstraintRevision(Family):
    name = "constraint_revision"

    def draw(self, rng: Random, config: BuilderConfig, accepts: Callable[[str], bool]) -> Scene | None:
        plan = self._plan(rng, config)
        prompt = word_prompt(lambda: self._prompt(rng, plan, config), accepts)
        if prompt is None:
            return None
        lines = plan.lines()
        chains = self._chains(plan, lines)
        bodies = {"budget": "the budget is {budget}", "total": f"the total is {chains['total']}"}
        bodies["left"] = f"in the end {chains['left']} is left"
        absences = {"budget": "there is no budget{!budget}"}
        # A price is said first, so that its loss makes all that was said of an item stale.
        rated, flat = rng.choice(_SAY_RATE[3:]), rng.choice(_SAY_FLAT[:2])
        for line in lines:
            name = line.item.name
            bodies[name] = line.item.say(rated if line.item.quantity else flat)
            bodies[line.after] = f"after the {name} {{{line.after}}} is left"
            absences[name] = line.item.say(_SAY_NOTHING[0])
        return Scene(
            prompt=prompt,
            facts=plan.facts,
            rules=plan.rules(lines),
            sentences=self._sentences(rng, plan, lines, chains),
            bodies=bodies,
            mentions={},
            absences=absences,
            repairs=rng.choice(_REPAIRS),
            questions=plan.questions,
            opening=phrase(rng.choice(_OPENERS)) if rng.random() < 0.15 else None,
            closing=phrase(rng.choice(_CLOSERS)) if rng.random() < 0.1 else None,
        )

    def _plan(self, rng: Random, config: BuilderConfig) -> Plan:
        theme, limits = rng.choice(list(THEMES)), bool(config.kinds.get("constraint"))
        free, asked = rng.randint(*config.num_facts), rng.randint(*config.num_questions)
        unbounded = free == 1 or (limits and asked <= 4 and rng.random() < 0.15)
        spared = rng.choice((0, 0, 1)) if asked < 3 else rng.choice((0, 1, 1, 2))  # for the total and what is left
        most = min(max(1, asked - spared), 3 if unbounded else 6)
        free -= not unbounded
        values = {"budget": NONE}
        items: list[Item] = []
        pool, once = (POOLS[theme, config.novel_values, simple] for simple in (False, True))
        pool = once if rng.random() < 0.4 else pool
        for _ in range(12 * free):
            if THEMES[theme].quantity not in values and (free == 1 or len(items) == most):
                pool = once  # a number of units besides the price would be one too many, or of no use
            item = rng.choice(pool)
            told = [fact for fact in item.told if fact not in values]
            if item.price in values:
                continue
            if len(items) < most:
                items.append(item)
                each = 1 if pool is once or THEMES[theme].quantity in (*values, *told) else 2
                wanted = len(told) + each * (most - len(items))  # a limit takes no fact from an item to come
                if limits and wanted < free and rng.random() < 0.3:
                    told.append(item.limit)
            for fact in told:
                values[fact] = self._value(rng, fact, values, (), items, config) or NONE
            free -= len(told)
            if not free:
                break
        if not unbounded:
            values["budget"] = self._value(rng, "budget", values, (), items, config) or NONE
        self._leave_open(rng, config, items, most, values, pool)
        summary = ["total"] * (len(items) > 1) + ["left"] * (not unbounded)
        if rng.random() < 0.5:
            summary.reverse()
        del summary[max(0, asked - len(items)) :]
        running = not unbounded and len(items) > 1 and (len(items) > 3 or rng.random() < 0.5)
        facts = {}
        for fact, value in values.items():
            role, about, *_ = TERMS[fact]
            # What is not asked for is no part of the plan: it can be neither dropped nor added.
            kinds = _KINDS[role] if role != "price" or about in items else _KINDS["budget"]
            facts[fact] = Fact(value, "number" if role == "count" else "money", kinds)
        if unbounded:
            facts["budget"] = Fact(NONE, "money", (*_KINDS["budget"], *_OPEN))
        return Plan(items, facts, summary, running)

    def _leave_open(
        self,
        rng: Random,
        config: BuilderConfig,
        items: list[Item],
        most: int,
        values: dict[str, str],
        pool: Sequence[Item],
    ) -> None:
        """Adds what has no value yet: the price of an item, and limits."""
        if config.kinds.get("addition") and rng.random() < 0.4:
            item = rng.choice(pool)
            if len(items) < most and item.price not in values and (not item.quantity or item.quantity in values):
                items.insert(rng.randint(0, len(items)), item)
                values[item.price] = NONE
        if config.kinds.get("constraint"):
            for item in items:
                if rng.random() < 0.35:
                    values.setdefault(item.limit, NONE)

    def _value(
        self,
        rng: Random,
        fact: str,
        values: Values,
        past: Sequence[str],
        items: Sequence[Item],
        config: BuilderConfig,
    ) -> str | None:
        """A value of a fact, none of `past`; a budget or a limit is near what it has to do for."""
        role, item, _, _, usual, novel = TERMS[fact]
        low, high, step = novel if config.novel_values else usual
        sign = "" if role == "count" else "$"
        concerned = items if role == "budget" else [item] if role == "limit" and item else []
        needs = sum(dollars(need) for need in (item.need(values) for item in concerned) if need != NONE)
        tight = role == "limit" or rng.random() < (0.6 if past else 0.3)
        shares = (0.4, 1.0) if tight else (1.0, 1.7)
        for _ in range(8):
            number = low + step * int(rng.random() * ((high - low) // step + 1))
            if needs:
                near = int(needs * rng.uniform(*shares))
                near -= near % (10 if near >= 100 else 5 if near > 20 else 1)
                number = near if low <= near <= high else number
            value = f"{sign}{settle(number, config.novel_values) if sign else number}"
            if value not in past:
                return value
        numbers = range(low, high + 1)
        fresh = {f"{sign}{settle(number, config.novel_values) if sign else number}" for number in numbers}.difference(
            past
        )
        return rng.choice(sorted(fresh)) if fresh else None

    def _prompt(self, rng: Random, plan: Plan, config: BuilderConfig) -> str:
        same = rng.random() if rng.random() < 0.6 else None
        told = [
            self._clause(name, fact.value, rng.random() if same is None else same, config)
            for name, fact in plan.facts.items()
            if fact.value != NONE
        ]
        if not config.paraphrase:
            told = [rng.choice(heard.FILLERS).format(fact) if rng.random() < 0.15 else fact for fact in told]
        rng.shuffle(told)
        mark = rng.choice((".", ".", ".", ";", ","))
        if mark != "." and len(told) > 1:
            told[-1] = f"and {told[-1]}"
        head = [*(f"{fact}{mark}" for fact in told[:-1]), f"{told[-1]}."]
        ask = self._ask(rng, plan, config)
        if len(plan.items) > 1 and plan.facts["budget"].value != NONE and rng.random() < 0.7:
            ask.append(heard.RULE.draw(rng, config))
        return clauses(*head, *ask) if rng.random() < 0.75 else clauses(*ask, *head)

    def _ask(self, rng: Random, plan: Plan, config: BuilderConfig) -> list[str]:
        if len(plan.questions) == 1:
            return [heard.ASK_ONE.draw(rng, config).format(x=f"the {plan.items[0].name}")]
        intro, form = rng.choice(heard.ASK_MANY_UNSEEN if config.paraphrase else heard.ASK_MANY)
        stop = rng.choice((";", ";", ",")) if intro else rng.choice((";", ".", "."))
        share = heard.SHARE.draw(rng, config)
        asked = [share.format(x=f"the {item.name}") for item in plan.items]
        asked += [(heard.TOTAL if key == "total" else heard.LEFT).draw(rng, config) for key in plan.summary]
        made = [form.format(n=number + 1, ordinal=ORDINALS[number], q=what) for number, what in enumerate(asked)]
        made[0] = f"{intro} {made[0]}".strip()
        return [*(f"{item}{stop}" for item in made[:-1]), f"{made[-1]}."]

    def _chains(self, plan: Plan, lines: Sequence[Line]) -> dict[str, str]:
        """How the total and what is left are worked out: from each other, or from all shares."""
        paid = [f"{{{line.item.name}#paid}}" for line in lines]
        if plan.running:
            return {"total": "{budget} - {left} = {total}", "left": "{left}"}
        spent = ["{total}"] if plan.summary[:1] == ["total"] else paid
        return {"total": f"{' + '.join(paid)} = {{total}}", "left": f"{' - '.join(['{budget}', *spent])} = {{left}}"}

    def _sentences(self, rng: Random, plan: Plan, lines: Sequence[Line], chains: dict[str, str]) -> list[Sentence]:
        count, sentences = len(plan.questions), []
        if plan.running or rng.random() < 0.75:
            sentences.append(rng.choice(_BUDGETS))
        numbered = count > 1 and rng.random() < 0.1
        for number, line in enumerate(lines):
            name, before = line.item.name, self._place(rng, number, count, numbered)
            wording = rng.choice(_SAY_RATE if line.item.quantity else _SAY_FLAT)
            leaves = ""
            if plan.running and (line is not lines[-1] or plan.summary == ["total"]):
                leaves = line.after
            said, absent = (_line(name, before, text, leaves) for text in (wording, rng.choice(_SAY_NOTHING)))
            sentences.append(Sentence(said, name, absent))
        for number, key in enumerate(plan.summary, len(lines)):
            before = self._place(rng, number, count, numbered)
            wordings = _SAY_LEFT if key == "left" else _SAY_TOTAL[: 2 if plan.running else 3]
            lead, text = rng.choice(wordings)
            sentences.append(Sentence(_open(before, lead, (key, text.format(chain=chains[key])))))
        return sentences

    def _place(self, rng: Random, number: int, count: int, numbered: bool) -> str:
        """What may stand before a sentence to count it."""
        if numbered:
            return f"{number + 1})"
        if count == 1 or rng.random() < 0.8:
            return ""
        return ("First,", "Then,", "Next,", "Then,")[min(number, 3)] if number + 1 < count else "Finally,"

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
        if kind == "refinement":
            old = dollars(values[fact])
            near = [
                number for number in range(max(1, old - 3), old + 4) if settle(number, config.novel_values) == number
            ]
            fresh = [value for value in (f"${number}" for number in near) if value not in past]
            return rng.choice(fresh) if fresh else None
        items = [ITEMS[key] for key in scene.questions if key in ITEMS]
        return self._value(rng, fact, values, past, items, config)

    def word(self, rng: Random, kind: str, scene: Scene, fact: str, old: str, new: str, config: BuilderConfig) -> str:
        role, own = TERMS[fact].role, rng.random() < 0.6
        wordings = UPDATES[kind]
        if kind == "invalidation":
            wordings = changes.DROP["item" if self._alone(scene, fact) else role]
        elif kind == "constraint" and own:
            wordings = changes.CONSTRAIN[role]
        elif kind == "addition" and own:
            wordings = changes.ADD
        elif kind == "correction" and own:
            wordings = changes.CHANGE
        template = wordings.draw(rng, config)
        tell = self.tell(rng, scene, fact, new, config) if "ell}" in template else ""
        item, noun = TERMS[fact].item, TERMS[fact].noun
        x = f"the {item.name}" if item else ""
        text = template.format(
            tell=tell,
            Tell=upper_first(tell),
            noun=noun,
            Noun=upper_first(noun),
            x=x,
            X=upper_first(x),
            old=old,
            new=new,
        )
        return upper_first(text)

    def _alone(self, scene: Scene, fact: str) -> bool:
        """Whether a price is the only fact that can be meant by the name of its item."""
        role, item, *_ = TERMS[fact]
        others = (item.limit, f"amount of {item.name}") if item else ()
        return role == "price" and not any(other in scene.facts for other in others)

    def _clause(self, fact: str, value: str, place: float, config: BuilderConfig) -> str:
        """A clause that tells a fact, in the wording at that place, from 0 to 1, among all."""
        known, unseen = TERMS[fact].tells
        wordings = unseen if config.paraphrase else known
        return wordings[int(place * len(wordings))].format(v=value)

    def tell(self, rng: Random, scene: Scene, fact: str, value: str, config: BuilderConfig) -> str:
        return self._clause(fact, value, rng.random(), config)

    def noun(self, scene: Scene, fact: str) -> str:
        item = TERMS[fact].item
        return f"the {item.name}" if item and self._alone(scene, fact) else TERMS[fact].noun

    def aside(self, rng: Random, scene: Scene, config: BuilderConfig) -> str:
        pools = [POOLS[theme, config.novel_values, False] for theme in THEMES]
        item = rng.choice(rng.choice(pools))
        while item.price in scene.facts:
            item = rng.choice(rng.choice(pools))
        value = self._value(rng, item.price, {}, (), (), config)
        tell = self.tell(rng, scene, item.price, value or "$10", config)
        return upper_first(UPDATES["addition"].draw(rng, config).format(tell=tell, Tell=upper_first(tell)))

    def read(self, text: str) -> list[Claim]:
        return read(text)
