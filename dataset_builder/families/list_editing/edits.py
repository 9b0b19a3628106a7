"""The lists that there are, and how a user words an edit of one: "On the tour Paris comes right after Rome."

An edit is told as the state of affairs that it brings about, or as a command that finds nothing to do when it is heard
again: one that adds what is there at that place, or removes what is not there, changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from ...speech.grammar import Wordings
from ...world import names
from ..base import ORDINALS
from . import wordings as more


if TYPE_CHECKING:
    from ...config import BuilderConfig


SEPARATOR = "; "
LONGEST = 7
_SIDES = ("North", "South", "East", "West", "New", "Old")


class Sort(NamedTuple):
    """A sort of list: its name, what each of its items is called, the preposition before its name, the article of its
    items, where these are drawn from (a key of `names.POOLS` or `names.LIST_ITEMS`), and words that tell one of them
    more exactly."""

    name: str
    noun: str
    preposition: str
    article: str
    pool: str
    details: tuple[str, ...] = ()

    @property
    def plural(self) -> str:
        return "countries" if self.noun == "country" else f"{self.noun}s"


SORTS = {
    sort.name: sort
    for sort in (
        Sort("shopping list", "item", "on", "", "groceries", ("fresh", "cheap", "organic")),
        Sort("packing list", "item", "on", "the ", "luggage", ("old", "new", "small", "big")),
        Sort("to-do list", "task", "on", "", "chores", ("quick", "careful", "thorough")),
        Sort("recipe", "step", "in", "", "cooking", ("slow", "gentle", "careful")),
        Sort("agenda", "topic", "on", "", "topics"),
        Sort("tour", "stop", "on", "", "city", _SIDES),
        Sort("ball", "dance", "at", "the ", "dances", ("slow", "quick", "long", "short")),
        Sort("menu", "course", "on", "", "dish", ("hot", "cold", "spicy", "light")),
        Sort("timetable", "lesson", "on", "", "lessons", ("basic", "advanced")),
        Sort("zoo walk", "animal", "on", "the ", "animals", ("old", "young", "big", "small")),
        Sort("bird walk", "bird", "on", "the ", "bird", ("grey", "brown", "great", "little")),
        Sort("flower bed", "flower", "in", "the ", "flower", ("red", "white", "yellow", "pink")),
        Sort("sports day", "event", "at", "", "sport", ("junior", "senior")),
        Sort("relay", "runner", "in", "", "first names"),
        Sort("conference", "speaker", "at", "", "person", tuple(names.FIRST_NAMES)),
        Sort("language course", "language", "in", "", "language", ("Old", "Modern")),
        Sort("cruise", "river", "on", "the ", "river", ("Upper", "Lower")),
        Sort("climbing plan", "peak", "in", "", "peak", ("Great", "Little")),
        Sort("travel plan", "country", "in", "", "country", _SIDES),
        Sort("coin album", "coin", "in", "the ", "currency", ("old", "new", "silver", "golden")),
    )
}
WORDS = {
    name: {"L": name, "n": sort.noun, "ns": sort.plural, "on": f"{sort.preposition} the {name}"}
    for name, sort in SORTS.items()
}
"""What stands for each list in any wording."""
USUAL_SORTS = tuple(SORTS)
NOVEL_SORTS = ("tour", "conference", "language course", "cruise", "climbing plan", "travel plan", "coin album")
"""Those whose items can be made up, so that there is no end of novel ones."""
_USUAL = {
    pool: [item for item in items if not names.is_novel(item)]
    for pool, items in {**names.LIST_ITEMS, "first names": names.FIRST_NAMES}.items()
}


def capacity(count: int) -> int:
    """The most items that a list of `count` items may come to have."""
    return min(count + 2, LONGEST)


def head(item: str) -> str:
    """What an item is, without the words that tell it more exactly."""
    return item.rpartition(" ")[2]


def draw_items(rng: Random, sort: Sort, count: int, taken: set[str], config: BuilderConfig) -> list[str]:
    """Items whose heads are none of `taken`, and then are."""
    made: list[str] = []
    words = _USUAL.get(sort.pool)
    made_up = config.made_up
    while len(made) < count:
        item = rng.choice(words) if words else names.draw(rng, sort.pool, novel=config.novel_values, made_up=made_up)
        if head(item) not in taken:
            made.append(item)
            taken.add(head(item))
        else:
            made_up = 0.9 * made_up + 0.1  # there are only so many real ones
    return made


class Edit(NamedTuple):
    """How an edit is worded: clauses that tell it, for the wordings of the grammar; and commands."""

    clauses: Wordings
    commands: Wordings


_PLAIN = {
    "replace": Edit(
        Wordings(
            (
                "{n} {k} of the {L} is {X}",
                "the {nth} {n} of the {L} is {X}",
                "{n} number {k} {on} is {X}",
                "{on} {X} takes the place of {Y}",
                "{on} it is {X} instead of {Y}",
                "{on} {n} {k} is {X}",
            ),
            ("{on} {X} stands in for {Y}", "{on} place {k} belongs to {X}", "{on} it is {X} that was meant by {Y}"),
        ),
        Wordings(
            (
                "replace {Y} by {X} {on}",
                "put {X} in place of {Y} {on}",
                "take {X} instead of {Y} {on}",
                "change {n} {k} of the {L} to {X}",
                "change {n} {k} of the {L} from {Y} to {X}",
                "make {X} {n} {k} of the {L} instead of {Y}",
            ),
            ("let {X} stand in for {Y} {on}", "use {X} rather than {Y} {on}", "give the place of {Y} {on} to {X}"),
        ),
    ),
    "move": Edit(
        Wordings(
            (
                "{on} {X} comes {there}",
                "{there} {on} comes {X}",
                "{on} {X} belongs {at}",
                "{on} {X} has its place {at}",
                "the place of {X} {on} is {at}",
                "the {L} has {X} {at}",
            ),
            ("{on} {X} is to be found {at}", "{on} {X} goes {at}"),
        ),
        Wordings(
            (
                "move {X} {on} so that it comes {there}",
                "put {X} {there} {on}",
                "let {X} come {there} {on}",
                "move {X} {on} to come {there}",
                "have {X} {at} {on}",
            ),
            ("shift {X} {on} until it comes {there}", "see to it that {X} comes {there} {on}"),
        ),
    ),
    "swap": Edit(
        Wordings(
            (
                "{n} {k} of the {L} is {X} and {n} {j} is {Y}",
                "{on} {n} {k} is {X} and {n} {j} is {Y}",
                "the {nth} {n} of the {L} is {X} and the {jth} is {Y}",
            ),
            ("{on} place {k} belongs to {X} and place {j} to {Y}", "the {L} has {X} as {n} {k} and {Y} as {n} {j}"),
        ),
        Wordings(
            (
                "make {X} {n} {k} and {Y} {n} {j} of the {L}",
                "let {X} be {n} {k} and {Y} {n} {j} {on}",
                "put {X} at place {k} and {Y} at place {j} {on}",
            ),
            ("have {X} as {n} {k} and {Y} as {n} {j} {on}", "call {X} {n} {k} and {Y} {n} {j} of the {L}"),
        ),
    ),
    "insert": Edit(
        Wordings(
            (
                "{on} there is {X} {at}",
                "the {L} has {X} {at}",
                "{on} {X} comes in {at}",
                "{on} {X} belongs {at}",
            ),
            ("{on} there has to be {X} {at}", "the {L} needs {X} {at}"),
        ),
        Wordings(
            (
                "add {X} to the {L} {at}",
                "put {X} {on} {at}",
                "insert {X} {at} {on}",
                "include {X} {on} {at}",
                "add {X} {at} {on}",
            ),
            ("fit {X} in {at} {on}", "make room for {X} {at} {on}"),
        ),
    ),
    "remove": Edit(
        Wordings(
            (
                "the {L} goes without {Y}",
                "the {L} no longer has {Y}",
                "{on} there is no place for {Y}",
                "the {L} has to do without {Y}",
            ),
            ("the {L} can spare {Y}", "{on} {Y} is out"),
        ),
        Wordings(
            (
                "remove {Y} from the {L}",
                "drop {Y} from the {L}",
                "strike {Y} from the {L}",
                "leave {Y} out of the {L}",
                "delete {Y} from the {L}",
                "no longer keep {Y} {on}",
            ),
            ("rid the {L} of {Y}", "throw {Y} out of the {L}"),
        ),
    ),
    "limit": Edit(
        Wordings(
            ("the {L} ends after {n} {k}", "only the first {k} {ns} of the {L} stay", "nothing comes after {Y} {on}"),
            ("the {L} stops short after {n} {k}", "there is room for only {k} {ns} {on}"),
        ),
        Wordings(
            (
                "keep only the first {k} {ns} of the {L}",
                "drop everything after {Y} from the {L}",
                "cut the {L} off after {n} {k}",
                "remove all {ns} after {n} {k} from the {L}",
            ),
            ("let the {L} be over after {Y}", "shorten the {L} to its first {k} {ns}"),
        ),
    ),
    "refine": Edit(
        Wordings(
            (
                "{n} {k} of the {L} is {X}",
                "the {nth} {n} of the {L} is {X}",
                "by {Y} {on} I mean {X}",
                "{on} {n} {k} is {X}",
            ),
            ("{on} {Y} stands for {X}", "{on} place {k} belongs to {X}"),
        ),
        Wordings((), ()),
    ),
}
_PLAIN_TRUTHS = Wordings(
    (
        "{n} {k} of the {L} is {X}",
        "the {nth} {n} of the {L} is {X}",
        "{on} {X} comes {there}",
        "the {L} has {c} {ns}",
        "{there} {on} comes {X}",
    ),
    ("{on} place {k} belongs to {X}", "{on} {X} is to be found {at}", "the {L} counts {c} {ns}"),
)


def _and(plain: Wordings, *others: str) -> Wordings:
    return Wordings((*plain.known, *others), plain.unseen)


_MORE = {
    "replace": ((*more.PLACED, *more.REPLACED), more.REPLACE),
    "move": (more.MOVED, more.MOVE),
    "swap": (more.SWAPPED, more.SWAP),
    "insert": (more.INSERTED, more.INSERT),
    "remove": (more.REMOVED, more.REMOVE),
    "limit": (more.LIMITED, more.LIMIT),
    "refine": ((*more.PLACED, *more.REFINED), ()),
}
EDITS = {
    name: Edit(_and(plain.clauses, *_MORE[name][0]), _and(plain.commands, *_MORE[name][1]))
    for name, plain in _PLAIN.items()
}
TRUTHS = _and(_PLAIN_TRUTHS, *more.PLACED, *more.COUNTED, *more.FOUND)
"""What holds of a list, told without an edit."""

_UNSEEN_PLACES: Mapping[str, tuple[str, str]] = {
    "first": ("in first place", "at the very start"),
    "last": ("in last place", "at the very end"),
    "after": ("straight after {Y}", "directly after {Y}"),
    "before": ("straight before {Y}", "directly before {Y}"),
}
"""Where something comes, and where it belongs, in the split `paraphrase`; otherwise `more.PLACES` has it."""


def tell_place(rng: Random, sort: Sort, items: Sequence[str], index: int, config: BuilderConfig) -> dict[str, str]:
    """What tells that an item comes where it does: `X`, `k`, `nth`, `there` and `at`."""
    last = len(items) - 1
    ways = (
        ["first"] * (index == 0) + ["last"] * (index == last) + ["after"] * (index > 0) + ["before"] * (index < last)
    )
    way = rng.choice(ways)
    neighbour = items[index + 1] if way == "before" else items[index - 1]
    if config.paraphrase:
        there, at = _UNSEEN_PLACES[way]
    else:
        there, at = (rng.choice(words) for words in more.PLACES[way])
    beside = sort.article + neighbour
    return {
        **_item(sort, items, index),
        "there": there.replace("{Y}", beside),
        "at": at.replace("{Y}", beside),
    }


def _item(sort: Sort, items: Sequence[str], index: int) -> dict[str, str]:
    return {"X": sort.article + items[index], "k": str(index + 1), "nth": ORDINALS[index]}


def tell_edit(
    rng: Random, kind: str, sort: Sort, old: Sequence[str], new: Sequence[str], config: BuilderConfig
) -> tuple[Edit, dict[str, str]]:
    """How the edit that makes `new` of `old` is worded, and what its wordings are filled with."""
    if len(new) < len(old):
        if kind == "constraint":
            return EDITS["limit"], {"k": str(len(new)), "Y": sort.article + new[-1]}
        (gone,) = (item for item in old if item not in new)
        return EDITS["remove"], {"Y": sort.article + gone}
    if len(new) > len(old):
        index = next(number for number, item in enumerate(new) if item not in old)
        return EDITS["insert"], tell_place(rng, sort, new, index, config)
    moved = [number for number, item in enumerate(new) if item != old[number]]
    first, last = moved[0], moved[-1]
    if len(moved) == 1:
        edit = EDITS["refine" if kind == "refinement" else "replace"]
        return edit, {**_item(sort, new, first), "Y": sort.article + old[first]}
    if len(moved) == 2 and (last - first > 1 or rng.random() < 0.3):
        one, other = rng.sample(moved, 2)
        also = {"Y": sort.article + new[other], "j": str(other + 1), "jth": ORDINALS[other]}
        return EDITS["swap"], {**_item(sort, new, one), **also}
    ways = [index for index, source in ((last, first), (first, last)) if _is_move(old, new, source, index)]
    return EDITS["move"], tell_place(rng, sort, new, rng.choice(ways), config)


def _is_move(old: Sequence[str], new: Sequence[str], source: int, target: int) -> bool:
    rest = [*old[:source], *old[source + 1 :]]
    return [*rest[:target], old[source], *rest[target:]] == list(new)
