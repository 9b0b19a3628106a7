"""What every family offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Protocol

from ..discourse import Scene
from ..reading import Claim


if TYPE_CHECKING:
    from ..config import BuilderConfig


class Family(Protocol):
    name: str

    def draw(self, rng: Random, config: BuilderConfig, accepts: Callable[[str], bool]) -> Scene | None:
        """A new scene, facts, prompt and all wordings; None if its prompt is not accepted."""

    def new_value(
        self,
        rng: Random,
        scene: Scene,
        values: Mapping[str, str],
        fact: str,
        past: Sequence[str],
        config: BuilderConfig,
    ) -> str:
        """A value for `fact` that is none of `past`, for a world that holds `values` now."""

    def word_update(self, rng: Random, scene: Scene, fact: str, old: str, new: str) -> str:
        """What a user says to change `fact` from `old` to `new`."""

    def read(self, text: str) -> list[Claim]:
        """The claims that a text makes, in order of their start. Never raises."""


def clauses(*parts: str) -> str:
    """Joins the parts of a prompt; sentences open with a capital, unless they open with a variable."""
    made: list[str] = []
    for part in parts:
        opens = not made or made[-1][-1] in ".?!"
        made.append(part[0].upper() + part[1:] if opens and part[1] != " " else part)
    return " ".join(made)


ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
