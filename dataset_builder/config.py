"""What a builder is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from .families import FAMILIES


SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class BuilderConfig:
    """
    What samples to make. Every sample is a function of this and of its index.

    Args:
        families (`tuple[str, ...]`, *optional*, defaults to all):
            Families to draw from, each as likely as the others; a name given twice is drawn twice as often.
        split (`str`, *optional*, defaults to `"train"`):
            `"train"`, `"validation"` or `"test"`. No prompt belongs to two splits.
        seed (`int`, *optional*, defaults to 0):
            Another seed gives other samples.
        num_facts (`tuple[int, int]`, *optional*, defaults to (1, 5)):
            Fewest and most facts in a prompt (at most 20).
        num_questions (`tuple[int, int]`, *optional*, defaults to (1, 5)):
            Fewest and most questions in a prompt (at most 8). A family asks fewer where the facts do not give as many.
        num_updates (`tuple[int, int]`, *optional*, defaults to (0, 4)):
            Fewest and most updates of a sample.
        after_end (`float`, *optional*, defaults to 0.12):
            Share of the samples with updates in which the last update comes after the end.
        inside_word (`float`, *optional*, defaults to 0.5):
            Share of updates that come at any character; the others come at the start of a word.
        together (`float`, *optional*, defaults to 0.1):
            Probability that an update comes at the same place as the one before it.
        asked (`float`, *optional*, defaults to 0.7):
            Probability that an update is drawn from the facts that were asked for; else it is drawn from all facts.
        going_back (`float`, *optional*, defaults to 0.1):
            Probability that an update of a fact that was changed before gives it back one of its earlier values.
        made_up (`float`, *optional*, defaults to 0.5):
            Share of names that are made up of syllables rather than real.
        novel_values (`bool`, *optional*, defaults to `False`):
            Draw only values that are never drawn otherwise: names set aside by their hash, numbers from 21 to 30.
    """

    families: tuple[str, ...] = tuple(FAMILIES)
    split: str = "train"
    seed: int = 0
    num_facts: tuple[int, int] = (1, 5)
    num_questions: tuple[int, int] = (1, 5)
    num_updates: tuple[int, int] = (0, 4)
    after_end: float = 0.12
    inside_word: float = 0.5
    together: float = 0.1
    asked: float = 0.7
    going_back: float = 0.1
    made_up: float = 0.5
    novel_values: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.families, str) or not self.families:
            raise ValueError(f"`families` must be a non-empty tuple of names, got {self.families!r}.")
        object.__setattr__(self, "families", tuple(self.families))
        for name in self.families:
            if name not in FAMILIES:
                raise ValueError(f"`families` has no {name!r}; choose from {', '.join(FAMILIES)}.")
        if self.split not in SPLITS:
            raise ValueError(f"`split` must be one of {', '.join(SPLITS)}, got {self.split!r}.")
        if not isinstance(self.seed, int) or isinstance(self.seed, bool):
            raise ValueError(f"`seed` must be a whole number, got {self.seed!r}.")
        self._check_range("num_facts", 1, 20)
        self._check_range("num_questions", 1, 8)
        self._check_range("num_updates", 0, None)
        for name in ("after_end", "inside_word", "together", "asked", "going_back", "made_up"):
            share = getattr(self, name)
            if not isinstance(share, int | float) or not 0 <= share <= 1:
                raise ValueError(f"`{name}` must be a number from 0 to 1, got {share!r}.")

    def _check_range(self, name: str, least: int, most: int | None) -> None:
        bounds = getattr(self, name)
        if (
            not isinstance(bounds, tuple | list)
            or len(bounds) != 2
            or not all(isinstance(bound, int) and not isinstance(bound, bool) for bound in bounds)
        ):
            raise ValueError(f"`{name}` must be a pair of whole numbers, fewest and most, got {bounds!r}.")
        object.__setattr__(self, name, tuple(bounds))
        low, high = bounds
        if low > high:
            raise ValueError(f"`{name}` has its minimum {low} above its maximum {high}; swap them.")
        if low < least:
            raise ValueError(f"`{name}` must not go below {least}, got {low}; raise its first number.")
        if most is not None and high > most:
            raise ValueError(f"`{name}` must not go above {most}, got {high}; lower its second number.")
