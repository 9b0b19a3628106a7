"""The configuration of a builder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .world.kinds import KINDS


FAMILY_NAMES = (
    "variable_substitution",
    "fact_correction",
    "constraint_revision",
    "logic_redirection",
    "list_editing",
    "structured_transformation",
    "scheduling",
    "business_insight",
)
"""The keys of `families.FAMILIES`."""
EVERYDAY = "everyday"
"""A family that generates its rows itself (`families.everyday.rows`). It is drawn only if a config names it."""

HELD_OUT_SPLITS = (
    "more_updates",
    "late",
    "long",
    "paraphrase",
    "novel_values",
    "composition",
    "distractor",
    "adversarial",
    "retraction",
)
SPLITS = ("train", "validation", "test", *HELD_OUT_SPLITS)
"""All splits; `splits.split_config` gives each its configuration."""

MIX = {
    "correction": 40,
    "refinement": 6,
    "constraint": 6,
    "invalidation": 6,
    "addition": 8,
    "retraction": 8,
    "confirmation": 4,
    "chatter": 5,
    "repetition": 4,
    "recorrection": 5,
    "adversarial": 5,
    "immaterial": 4,
    "untrusted": 4,
}


@dataclass(frozen=True)
class BuilderConfig:
    """
    Which samples to generate. Every sample is a function of this config and of its index.

    Args:
        families (`tuple[str, ...]`, *optional*, defaults to all of `FAMILY_NAMES`):
            Families to draw from, with equal probability; a name given twice is drawn twice as often. `"everyday"` is
            drawn only if named; of the fields below it uses only `split`, `seed`, `num_updates`, `update_counts`,
            `novel_values` and `paraphrase`.
        split (`str`, *optional*, defaults to `"train"`):
            One of `SPLITS`. No prompt of train or validation belongs to another split; the held-out tests use prompts
            of test. [`~splits.split_config`] gives the other differences of a held-out test.
        seed (`int`, *optional*, defaults to 0):
            Another seed gives other samples.
        num_facts (`tuple[int, int]`, *optional*, defaults to (1, 5)):
            Fewest and most facts in a prompt (at most 20).
        num_questions (`tuple[int, int]`, *optional*, defaults to (1, 5)):
            Fewest and most questions in a prompt (at most 8). A family asks fewer if the facts do not allow as many.
        num_updates (`tuple[int, int]`, *optional*, defaults to (0, 4)):
            Fewest and most updates of a sample.
        update_counts (`tuple[int, ...]`, *optional*):
            Draw the number of updates from these instead.
        kinds (`Mapping[str, float]`, *optional*):
            Weights with which the kinds of update are drawn (keys of `kinds.KINDS`, any positive weights). A kind that
            is not possible at some point is replaced by another. By default all kinds occur, corrections most often.
        composition (`bool`, *optional*, defaults to `False`):
            Draw the pairs of family and kind that are never drawn otherwise (`kinds.HELD_OUT`), at least one a sample.
        sources (`float`, *optional*, defaults to 0.2):
            Share of the samples with updates in which the prompt names an untrusted person, and updates name their
            source.
        keep_going (`float`, *optional*, defaults to 0.2):
            Share of the samples with updates that continue, round after round, until the user sends a stop.
        rounds (`tuple[int, int]`, *optional*, defaults to (1, 3)):
            Fewest and most rounds of these samples. With many updates there are more: one round per eight updates.
        window (`tuple[float, float]`, *optional*, defaults to (0.0, 1.0)):
            The part of the text in which updates arrive, as fractions of its length.
        after_end (`float`, *optional*, defaults to 0.12):
            Share of the samples with updates in which the last update arrives after the end.
        inside_word (`float`, *optional*, defaults to 0.5):
            Share of updates that arrive at any character; the others arrive at the start of a word.
        together (`float`, *optional*, defaults to 0.1):
            Probability that an update arrives at the same position as the one before it.
        asked (`float`, *optional*, defaults to 0.7):
            Probability that an update is drawn from the facts that the questions ask for; else from all facts.
        going_back (`float`, *optional*, defaults to 0.1):
            Probability that an update of a fact that was changed before restores one of its earlier values.
        made_up (`float`, *optional*, defaults to 0.5):
            Share of names that are composed of syllables rather than real.
        novel_values (`bool`, *optional*, defaults to `False`):
            Draw only values that no other configuration draws: names set aside by their hash, numbers outside the
            usual range.
        paraphrase (`bool`, *optional*, defaults to `False`):
            Use only wordings of prompts and updates that no other configuration uses.
    """

    families: tuple[str, ...] = FAMILY_NAMES
    split: str = "train"
    seed: int = 0
    num_facts: tuple[int, int] = (1, 5)
    num_questions: tuple[int, int] = (1, 5)
    num_updates: tuple[int, int] = (0, 4)
    update_counts: tuple[int, ...] = ()
    kinds: Mapping[str, float] = field(default_factory=lambda: dict(MIX))
    composition: bool = False
    sources: float = 0.2
    keep_going: float = 0.2
    rounds: tuple[int, int] = (1, 3)
    window: tuple[float, float] = (0.0, 1.0)
    after_end: float = 0.12
    inside_word: float = 0.5
    together: float = 0.1
    asked: float = 0.7
    going_back: float = 0.1
    made_up: float = 0.5
    novel_values: bool = False
    paraphrase: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.families, str) or not self.families:
            raise ValueError(f"`families` must be a non-empty tuple of names, got {self.families!r}.")
        object.__setattr__(self, "families", tuple(self.families))
        for name in self.families:
            if name not in FAMILY_NAMES and name != EVERYDAY:
                raise ValueError(f"`families` has no {name!r}; choose from {', '.join([*FAMILY_NAMES, EVERYDAY])}.")
        if self.split not in SPLITS:
            raise ValueError(f"`split` must be one of {', '.join(SPLITS)}, got {self.split!r}.")
        if EVERYDAY in self.families:
            self._check_everyday()
        if not isinstance(self.seed, int) or isinstance(self.seed, bool):
            raise ValueError(f"`seed` must be a whole number, got {self.seed!r}.")
        self._check_range("num_facts", 1, 20)
        self._check_range("num_questions", 1, 8)
        self._check_range("num_updates", 0, None)
        self._check_range("rounds", 1, None)
        self._check_kinds()
        counts = self.update_counts
        if not isinstance(counts, tuple | list) or any(not isinstance(n, int) or n < 0 for n in counts):
            raise ValueError(f"`update_counts` must be a tuple of whole numbers from 0, got {counts!r}.")
        object.__setattr__(self, "update_counts", tuple(counts))
        window = tuple(self.window) if isinstance(self.window, tuple | list) else ()
        if (
            len(window) != 2
            or not all(isinstance(x, int | float) for x in window)
            or not 0 <= window[0] < window[1] <= 1
        ):
            raise ValueError(f"`window` must be two growing numbers from 0 to 1, got {self.window!r}.")
        object.__setattr__(self, "window", window)
        for name in (
            "after_end",
            "inside_word",
            "together",
            "asked",
            "going_back",
            "made_up",
            "sources",
            "keep_going",
        ):
            share = getattr(self, name)
            if not isinstance(share, int | float) or not 0 <= share <= 1:
                raise ValueError(f"`{name}` must be a number from 0 to 1, got {share!r}.")

    def _check_everyday(self) -> None:
        from .families.everyday import SPLITS as THERE

        if self.split not in THERE:
            raise ValueError(
                f"`split` {self.split!r} does not exist for the family {EVERYDAY!r}, which has {', '.join(THERE)}; "
                "take one of these, or leave the family out of `families`."
            )
        if self.novel_values and self.paraphrase:
            raise ValueError(f"`novel_values` and `paraphrase` do not go together for the family {EVERYDAY!r}.")

    def _check_kinds(self) -> None:
        if not isinstance(self.kinds, Mapping) or not self.kinds:
            raise ValueError(f"`kinds` must map kinds of update to weights, got {self.kinds!r}.")
        drawn = [kind for kind in KINDS if kind != "stop"]
        for kind, weight in self.kinds.items():
            if kind not in drawn:
                raise ValueError(f"`kinds` has no {kind!r}; choose from {', '.join(drawn)}.")
            if not isinstance(weight, int | float) or isinstance(weight, bool) or weight < 0:
                raise ValueError(f"`kinds` gives {kind!r} the weight {weight!r}; it must be a number from 0.")
        if not sum(self.kinds.values()):
            raise ValueError("`kinds` gives every kind the weight 0; raise one.")

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
