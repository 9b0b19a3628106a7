"""What every family offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, islice, permutations
from random import Random
from typing import TYPE_CHECKING

from ..reading import Claim
from ..speech.discourse import Speech
from ..speech.grammar import UPDATES, Wordings, upper_first
from ..world.facts import NONE, Values
from ..world.scene import Scene


if TYPE_CHECKING:
    from ..config import BuilderConfig


class Family(ABC):
    """
    A family of tasks: it draws scenes, words what a user says of them, and reads claims back from any text.

    Attributes:
        name (`str`): What samples call it.
        speech (`type[Speech]`): How its scenes are said.
        updates (`Mapping[str, Wordings]`): For a kind of update, wordings of its own beside those of the grammar, in
            which `{tell}`, `{noun}`, `{old}` and `{new}` stand for the clause that tells the fact, its name, and its
            values.
    """

    name: str
    speech: type[Speech] = Speech
    updates: Mapping[str, Wordings] = {}

    @abstractmethod
    def draw(self, rng: Random, config: BuilderConfig, accepts: Callable[[str], bool]) -> Scene | None:
        """A new scene, facts, prompt and all wordings; None if its prompt is not accepted."""

    @abstractmethod
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
        """What an update of that kind (one of `kinds.CHANGING`) makes of `fact`, in a world that holds `values` now:
        none of `past`; None if there is nothing that it could."""

    @abstractmethod
    def tell(self, rng: Random, scene: Scene, fact: str, value: str, config: BuilderConfig) -> str:
        """A clause, without a capital or a full stop, that tells a fact: "the budget is $900"."""

    @abstractmethod
    def noun(self, scene: Scene, fact: str) -> str:
        """What the fact is called: "the budget"."""

    @abstractmethod
    def aside(self, rng: Random, scene: Scene, config: BuilderConfig) -> str:
        """A true statement, a sentence, about something that is like a fact of the scene and is none."""

    @abstractmethod
    def read(self, text: str) -> list[Claim]:
        """The claims that a text makes, in order of their start. Never raises."""

    def word(self, rng: Random, kind: str, scene: Scene, fact: str, old: str, new: str, config: BuilderConfig) -> str:
        """What a user says to change `fact` from `old` to `new`, or to confirm that it is `new`."""
        wordings = UPDATES[kind]
        if kind in self.updates and rng.random() < 0.6:
            wordings = self.updates[kind]
        template = wordings.draw(rng, config)
        slots = {"old": old, "new": new, "fact": fact}
        if "ell}" in template and new != NONE:
            slots["tell"] = tell = self.tell(rng, scene, fact, new, config)
            slots["Tell"] = upper_first(tell)
        if "oun}" in template:
            slots["noun"] = noun = self.noun(scene, fact)
            slots["Noun"] = upper_first(noun)
        return upper_first(template.format_map(slots))


PROMPT_WORDINGS = 8


def word_prompt(make: Callable[[], str], accepts: Callable[[str], bool]) -> str | None:
    """A prompt that is accepted, out of a few ways to word the same; None if there is none among them."""
    for _ in range(PROMPT_WORDINGS):
        prompt = make()
        if accepts(prompt):
            return prompt
    return None


def in_every_order(leads: Sequence[str], links: Sequence[str] = ("",)) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Lead-ins of repairs in every order, with the links to what follows in turn, from each of them on."""
    return tuple(
        tuple(zip(order, islice(cycle(links), first, None)))
        for order in permutations(leads)
        for first in range(len(links))
    )


def clauses(*parts: str) -> str:
    """Joins the parts of a prompt; sentences open with a capital, unless they open with a variable."""
    made, opens = [], True
    for part in parts:
        made.append(upper_first(part) if opens else part)
        opens = part[-1] in ".?!"
    return " ".join(made)


ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
