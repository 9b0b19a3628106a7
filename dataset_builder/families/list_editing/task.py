"""List editing: "The tour goes Rome then Oslo. Tell me every stop." and then "Add Paris right after Rome on the tour."

A fact is a whole list, its id the name of the list ("tour"), its value the items in order. What is said follows from
it: the keys of claims read "stop 2", "last stop", "number of stops", "after Rome", "before Rome" and "place of Rome".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING

from ...reading import Claim
from ...speech.grammar import UPDATES, Wordings, upper_first
from ...world.facts import Fact, Values
from ...world.kinds import CHANGING
from ...world.scene import Scene, phrase
from ..asking import ASK_MANY, ASK_ONE, FRAMES
from ..base import ORDINALS, Family, clauses, in_every_order, word_prompt
from . import wordings as more
from .edits import (
    NOVEL_SORTS,
    SEPARATOR,
    SORTS,
    TRUTHS,
    USUAL_SORTS,
    WORDS,
    capacity,
    draw_items,
    head,
    tell_edit,
    tell_place,
)
from .questions import QUESTIONS, Plan, Question
from .reader import read


if TYPE_CHECKING:
    from ...config import BuilderConfig


_WHOLE = Wordings(
    (
        "the {L} has {all}",
        "{on} come {all}",
        "the {L} goes {all}",
        "the {ns} of the {L} are in order {all}",
        "in order the {L} has {all}",
        "the {L} reads {all}",
        *more.WHOLE,
    ),
    ("the {L} runs {all}", "the order {on} is {all}"),
)
"""A list told in one clause."""
_LONGEST_CLAUSE = 110  # characters; a longer one might not fit into one message
_JOINTS = Wordings((" then ", " then ", " then ", *more.JOINTS), (" after that ", " and next "))
_ONE_BY_ONE = Wordings(
    (
        "{n} {k} of the {L} is {X}",
        "the {nth} {n} of the {L} is {X}",
        "{n} number {k} {on} is {X}",
        "{on} {n} {k} is {X}",
        "as {n} {k} the {L} has {X}",
        *more.PLACED,
    ),
    ("{on} place {k} belongs to {X}", "the {L} has {X} as {n} {k}"),
)
"""A list told item by item, each in a clause of its own."""
_WEIGHTS = {"all": 3, "all and count": 1, "at": 4, "count": 2, "last": 2, "after": 3, "before": 1, "place": 2}
_ASKED = tuple(what for what, weight in _WEIGHTS.items() for _ in range(weight))
_READ_OUT = ("all", "all", "all and count")
_LENGTHS = (2, 2, 3, 3, 3, 3, 4, 4, 5, 6)
_MOST_ITEMS = 9  # on all lists; each has two at least
_CLASHES = {
    "all": {"all", "all and count", "at"},
    "all and count": {"all", "all and count", "at", "count"},
    "at": {"all", "all and count"},
    "count": {"all and count"},
}
"""Of one list, what is not asked for beside what: it would be the same answer again."""
_ASK_ONE = Wordings(ASK_ONE, ("give me {q}.", "I wonder about {q}.", "report {q} to me."))
_ASK_MANY_UNSEEN = (
    ("let me hear", "{n}) {q}"),
    ("give me", "{ordinal} {q}"),
    ("", "point {n} is {q}"),
)
_OPENERS = ("Sure.", "Let's see.", "Of course.", "All right.", "Okay.")
_CLOSERS = ("That is all.", "That's it.", "Done.")
_REPAIRS = in_every_order(("wait,", "sorry,", "no,", "hold on,", "correction:", "scratch that,"))

_COMMANDS = {
    kind: Wordings(more.COMMANDS[kind], unseen)
    for kind, unseen in {
        "correction": ("On second thoughts, {do}.", "Change of plan: {do}."),
        "addition": ("Let me add: {do}.", "Could you {do}?"),
        "invalidation": ("On second thoughts, {do}.", "Could you {do}?"),
        "constraint": ("Time is short, {do}.", "Could you {do}?"),
    }.items()
}
_LOSSES = Wordings(more.LOSSES, ("It turns out that {tell}.", "By now {tell}."))
_OBJECTIONS = Wordings(more.OBJECTIONS, ("I disagree about the {L}, {tell}.", "The {L} is not like that, {tell}."))
_OWN_WRAPPERS = {"invalidation": _LOSSES, "adversarial": _OBJECTIONS}


class ListEditing(Family):
    name = "list_editing"

    def draw(self, rng: Random, config: BuilderConfig, accepts: Callable[[str], bool]) -> Scene | None:
        lists = self._lists(rng, config)
        asked = self._ask(rng, lists, config)
        prompt = word_prompt(lambda: self._prompt(rng, lists, asked, config), accepts)
        if prompt is None:
            return None
        plan = Plan()
        for question in asked:
            if question.what in _READ_OUT:
                plan.read_out(rng, question.list, len(lists[question.list]))
            if question.what == "all and count":
                question = Question(question.list, "count")
            if question.what != "all":
                plan.answer(rng, question)
        return Scene(
            prompt=prompt,
            facts={name: self._fact(name, items) for name, items in lists.items()},
            rules=plan.rules,
            sentences=plan.sentences,
            bodies=plan.bodies,
            mentions={},
            absences=plan.absences,
            repairs=rng.choice(_REPAIRS),
            questions=plan.answers,
            opening=phrase(rng.choice(_OPENERS)) if rng.random() < 0.15 else None,
            closing=phrase(rng.choice(_CLOSERS)) if rng.random() < 0.1 else None,
        )

    def _lists(self, rng: Random, config: BuilderConfig) -> dict[str, list[str]]:
        """Lists of two to six items each; no two of them call their items the same."""
        least, most = config.num_facts
        wanted = max(least, min(rng.randint(least, most), rng.choice((1, 1, 2, 2, 2, 3))))
        sorts = self._sorts(config)
        lists: dict[str, list[str]] = {}
        nouns: set[str] = set()
        taken: set[str] = set()
        count = min(wanted, len(sorts) - 1)  # asides are about one that is left
        for name in rng.sample(sorts, count + 1):
            sort = SORTS[name]
            if sort.noun in nouns or len(lists) == count:
                continue
            nouns.add(sort.noun)
            length = min(rng.choice(_LENGTHS), max(2, _MOST_ITEMS - len(taken)))
            lists[name] = draw_items(rng, sort, length, taken, config)
        return lists

    def _sorts(self, config: BuilderConfig) -> Sequence[str]:
        return NOVEL_SORTS if config.novel_values else USUAL_SORTS

    def _fact(self, name: str, items: Sequence[str]) -> Fact:
        kinds = tuple(kind for kind in CHANGING if kind != "refinement" or SORTS[name].details)
        return Fact(SEPARATOR.join(items), "list", kinds)

    def _ask(self, rng: Random, lists: Mapping[str, Sequence[str]], config: BuilderConfig) -> list[Question]:
        """Questions whose answers do not repeat each other: who hears a whole list is not told one place of it. A list
        that is read out counts as a question an item, unless it is all that is asked."""
        wanted, chosen = rng.randint(*config.num_questions), rng.sample(list(lists), rng.randint(1, len(lists)))
        asked: dict[Question, None] = {}
        about: dict[str, set[str]] = {name: set() for name in chosen}  # what was asked of which list
        answers = 0
        for _ in range(20 * wanted):
            if answers >= wanted:
                break
            name = rng.choice(chosen)
            items = lists[name]
            what = rng.choice(_ASKED if asked or rng.random() < 0.3 else _READ_OUT)
            count = len(items) + (what == "all and count") if what in _READ_OUT else 1
            if asked and (count > wanted - answers or not about[name].isdisjoint(_CLASHES.get(what, ()))):
                continue
            question = self._question(rng, name, what, items)
            if question not in asked:
                asked[question] = None
                about[name].add(what)
                answers += count
        return rng.sample(list(asked), len(asked))

    def _question(self, rng: Random, name: str, what: str, items: Sequence[str]) -> Question:
        at = rng.randrange(len(items))
        if what == "at":
            at += at + 1 == len(items) and rng.random() < 0.2  # nothing is there yet
            return Question(name, what, at=at)
        return Question(name, what, items[at] if what in ("after", "before", "place") else "")

    def _prompt(
        self,
        rng: Random,
        lists: Mapping[str, Sequence[str]],
        asked: Sequence[Question],
        config: BuilderConfig,
    ) -> str:
        told: list[str] = []
        for name, items in lists.items():
            sort = SORTS[name]
            words, shown = WORDS[name], [sort.article + item for item in items]
            whole = _WHOLE.draw(rng, config).format(**words, all=_JOINTS.draw(rng, config).join(shown))
            if len(whole) < _LONGEST_CLAUSE and rng.random() < 0.7:
                told.append(whole)
            else:
                wording = _ONE_BY_ONE.draw(rng, config)
                told += [
                    wording.format(**words, X=item, k=number + 1, nth=ORDINALS[number])
                    for number, item in enumerate(shown)
                ]
        if not config.paraphrase:  # a few words around a clause now and then
            told = [rng.choice(FRAMES).format(tell=fact) if rng.random() < 0.2 else fact for fact in told]
        rng.shuffle(told)
        mark = rng.choice((".", ".", ".", ";", ","))
        if mark != "." and len(told) > 1:
            told[-1] = f"and {told[-1]}"
        facts = clauses(*(f"{fact}{mark}" for fact in told[:-1]), f"{told[-1]}.")
        texts = [QUESTIONS[item.what].draw(rng, config).format(**item.words()) for item in asked]
        if len(asked) == 1:
            ask = [_ASK_ONE.draw(rng, config).format(q=texts[0])]
        else:
            intro, form = rng.choice(_ASK_MANY_UNSEEN if config.paraphrase else ASK_MANY)
            stop = rng.choice((";", ";", ",")) if intro else rng.choice((";", ".", "."))
            items = [form.format(n=n + 1, ordinal=ORDINALS[n], q=text) for n, text in enumerate(texts)]
            ask = [f"{intro} {items[0]}".strip() + stop, *(f"{item}{stop}" for item in items[1:])]
            ask[-1] = ask[-1][:-1] + "."
        return clauses(facts, *ask) if rng.random() < 0.75 else clauses(*ask, facts)

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
        """The list after one edit; it keeps two items and never gets more than its `capacity`."""
        items = values[fact].split(SEPARATOR)
        for _ in range(8):
            made = self._edit(rng, kind, scene, values, fact, past, config)
            if made is None:
                return None
            if made != items and SEPARATOR.join(made) not in past:
                return SEPARATOR.join(made)
        return None

    def _edit(
        self,
        rng: Random,
        kind: str,
        scene: Scene,
        values: Values,
        fact: str,
        past: Sequence[str],
        config: BuilderConfig,
    ) -> list[str] | None:
        sort, items = SORTS[fact], values[fact].split(SEPARATOR)
        length = len(items)
        at = rng.randrange(length)
        if kind == "constraint":
            return items[: length - rng.randint(1, min(2, length - 2))] if length > 3 else None
        if kind == "invalidation":
            return [*items[:at], *items[at + 1 :]] if length > 2 else None
        if kind == "refinement":
            asked = {key.rpartition(" of " if key.startswith("place") else " ")[2] for key in scene.questions}
            plain = [item for item in items if item == head(item) and item not in asked]
            if not plain:
                return None
            old = rng.choice(plain)
            return [f"{rng.choice(sort.details)} {old}" if item == old else item for item in items]
        taken = self._heads(scene, values)
        if kind == "addition":
            if length >= capacity(len(scene.facts[fact].value.split(SEPARATOR))):
                return None
            at = rng.choice((0, length, length, rng.randint(0, length), rng.randint(0, length)))
            return [*items[:at], *draw_items(rng, sort, 1, taken, config), *items[at:]]
        if len(past) > 1 and rng.random() < 0.5:
            at = self._latest_change(past[-2], items)
        way = rng.random()
        if way < 0.45:
            return [*items[:at], *draw_items(rng, sort, 1, taken, config), *items[at + 1 :]]
        to = rng.choice([index for index in range(length) if index != at])
        made = [*items[:at], *items[at + 1 :]]
        made.insert(to, items[at])
        if way > 0.8:
            made = list(items)
            made[at], made[to] = items[to], items[at]
        return made

    def _heads(self, scene: Scene, values: Values) -> set[str]:
        """What the items of all lists are."""
        return {head(item) for fact in scene.facts if fact in SORTS for item in values[fact].split(SEPARATOR)}

    def _latest_change(self, before: str, items: Sequence[str]) -> int:
        """The first place where a list differs from what it was."""
        old = before.split(SEPARATOR)
        return next((at for at, item in enumerate(items) if old[at : at + 1] != [item]), len(items) - 1)

    def word(self, rng: Random, kind: str, scene: Scene, fact: str, old: str, new: str, config: BuilderConfig) -> str:
        sort = SORTS[fact]
        if kind == "confirmation":
            tell = self.tell(rng, scene, fact, new, config)
            return upper_first(UPDATES[kind].draw(rng, config).format(tell=tell, Tell=upper_first(tell)))
        edit, slots = tell_edit(rng, kind, sort, old.split(SEPARATOR), new.split(SEPARATOR), config)
        words = {**WORDS[sort.name], **slots}
        if kind in _COMMANDS and edit.commands.known and rng.random() < 0.55:
            do = edit.commands.draw(rng, config).format(**words)
            return upper_first(_COMMANDS[kind].draw(rng, config).format(do=do, Do=upper_first(do)))
        tell = edit.clauses.draw(rng, config).format(**words)
        wrapper = _OWN_WRAPPERS.get(kind, UPDATES[kind]).draw(rng, config)
        return upper_first(wrapper.format(tell=tell, Tell=upper_first(tell), L=sort.name))

    def tell(self, rng: Random, scene: Scene, fact: str, value: str, config: BuilderConfig) -> str:
        """A clause that holds of the list: where one of its items comes, or how many there are."""
        sort, items = SORTS[fact], value.split(SEPARATOR)
        slots = tell_place(rng, sort, items, rng.randrange(len(items)), config)
        return TRUTHS.draw(rng, config).format(**WORDS[sort.name], **slots, c=len(items))

    def noun(self, scene: Scene, fact: str) -> str:
        return f"the {fact}"

    def aside(self, rng: Random, scene: Scene, config: BuilderConfig) -> str:
        """An item of another list, or another item on it."""
        name = rng.choice([name for name in self._sorts(config) if name not in scene.facts])
        taken = self._heads(scene, {fact: entry.value for fact, entry in scene.facts.items()})
        items = draw_items(rng, SORTS[name], rng.randint(3, 5), taken, config)
        fewer = list(items)
        if rng.random() < 0.5:
            fewer.pop(rng.randrange(len(items)))
            return self.word(rng, "addition", scene, name, SEPARATOR.join(fewer), SEPARATOR.join(items), config)
        tell = self.tell(rng, scene, name, SEPARATOR.join(items), config)
        return upper_first(UPDATES["addition"].draw(rng, config).format(tell=tell, Tell=upper_first(tell)))

    def read(self, text: str) -> list[Claim]:
        return read(text)
