"""What a suite holds: how long timelines are, what is in them besides the decisive episode, how many pairs it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .streams import THINGS


SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class SuiteConfig:
    """
    Args:
        name (`str`): What examples call it.
        ticks (`int`): Ticks of a timeline.
        history (`int`): Episodes that have passed before the decisive one.
        hold (`tuple[int, int]`): For how many ticks, at least and at most, the decisive state stands at the end.
        pairs (`Mapping[str, int]`): Pairs of each split.
        things (`int`, *optional*, defaults to 8): How many of `THINGS` there are.
        gap (`int`, *optional*, defaults to 0): Most ticks between lead-in and end of the decisive stream.
        ragged (`int`, *optional*, defaults to 0): By how many ticks, at most, another stream may be ahead.
        distractors (`float`, *optional*, defaults to 0.0): How often a stream that is free holds just anything.
        replace (`float`, *optional*, defaults to 0.0), drop (`float`, *optional*, defaults to 0.0), late (`float`,
            *optional*, defaults to 0.0): See [`~noise.add_noise`].

    Raises:
        ValueError: A field cannot be taken.
    """

    name: str
    ticks: int
    history: int
    hold: tuple[int, int]
    pairs: Mapping[str, int] = field(hash=False)
    things: int = 8
    gap: int = 0
    ragged: int = 0
    distractors: float = 0.0
    replace: float = 0.0
    drop: float = 0.0
    late: float = 0.0

    def __post_init__(self) -> None:
        least, most = self.hold
        if not 3 <= least <= most:
            raise ValueError(f"`hold` must be at least 3 and in ascending order, got {self.hold}.")
        for name in ("history", "gap", "ragged"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must not be negative, got {getattr(self, name)}.")
        if self.ragged > least:
            raise ValueError(f"`ragged` must be at most the least `hold`, {least}, got {self.ragged}.")
        needed = 2 * most + self.gap + 2 * self.history
        if self.ticks < needed or (not self.history and (self.gap or least < most or self.ticks > needed)):
            exactly = "at least" if self.history else "without history, gap and a choice of `hold` exactly"
            raise ValueError(f"`ticks` must be {exactly} {needed} for its hold, gap and history, got {self.ticks}.")
        if not 8 <= self.things <= len(THINGS):
            raise ValueError(f"`things` must be between 8 and {len(THINGS)}, got {self.things}.")
        for name in ("distractors", "replace", "drop", "late"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"`{name}` must be between 0 and 1, got {getattr(self, name)}.")
        if self.replace + self.drop > 1:
            raise ValueError(f"`replace` and `drop` must be at most 1 together, got {self.replace + self.drop}.")
        if set(self.pairs) != set(SPLITS) or min(self.pairs.values()) < 1:
            raise ValueError(f"`pairs` must give at least one pair for each of {', '.join(SPLITS)}, got {self.pairs}.")

    @property
    def has_noise(self) -> bool:
        return bool(self.replace or self.drop or self.late)
