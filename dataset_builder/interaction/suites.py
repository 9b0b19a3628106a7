"""The suites by name, and their examples."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from random import Random

from .example import Example
from .families import FAMILIES, Contrast, Family
from .noise import add_noise
from .rules import decide_state
from .streams import STREAMS
from .suite_config import SPLITS, SuiteConfig
from .timeline import Streams, Timeline, draw_timeline


_SPLIT_OF_TENTH = ("test", "test", "validation", "validation", *["train"] * 6)
_MOST_TRIES = 2000


# With a third of these a policy was now and then wrong where things meet that hardly ever meet in so few.
_LARGE = {"train": 12_000, "validation": 300, "test": 300}

SUITES = {
    suite.name: suite
    for suite in (
        SuiteConfig("mini", 8, 1, (3, 3), {"train": 1500, "validation": 200, "test": 200}),
        SuiteConfig("hard", 24, 3, (3, 5), _LARGE, things=12, gap=2, ragged=2, distractors=0.5),
        SuiteConfig(
            "noisy",
            32,
            3,
            (5, 7),
            _LARGE,
            things=12,
            gap=2,
            ragged=2,
            distractors=0.5,
            replace=0.04,
            drop=0.04,
            late=0.1,
        ),
    )
}
"""By name."""


def make_examples(
    suite: str | SuiteConfig,
    split: str,
    num_pairs: int | None = None,
    seed: int = 0,
    families: Sequence[str] | None = None,
) -> list[Example]:
    """
    Makes examples; the members of a pair lie beside each other, families and their contrasts take turns.

    What split a timeline belongs to is told by its values alone, whatever the seed: no example is ever in two.

    Args:
        suite (`str` or `SuiteConfig`): A name in `SUITES`, or a suite of your own.
        split (`str`): "train", "validation" or "test".
        num_pairs (`int`, *optional*): How many pairs; if None, those of the suite, or the share of `families`
            in them.
        seed (`int`, *optional*, defaults to 0): Another seed gives other examples.
        families (`Sequence[str]`, *optional*): Names of `FAMILIES` to draw from; all, if None.

    Returns:
        `list[Example]`: Twice as many examples as pairs; the same for the same arguments.

    Raises:
        ValueError: An argument cannot be taken, or a suite has not so many different timelines.
    """
    return [example for pair in make_pairs(suite, split, num_pairs, seed, families) for example in pair]


def make_pairs(
    suite: str | SuiteConfig,
    split: str,
    num_pairs: int | None = None,
    seed: int = 0,
    families: Sequence[str] | None = None,
) -> Iterator[tuple[Example, Example]]:
    """As `make_examples`, pair by pair. Arguments are checked at once."""
    suite = suite_of(suite)
    names = _check_families(families)
    if split not in SPLITS:
        raise ValueError(f"`split` must be one of {', '.join(SPLITS)}, got {split!r}.")
    if num_pairs is None:
        num_pairs = suite.pairs[split] * len(names) // len(FAMILIES)
    if num_pairs < 1:
        raise ValueError(f"`num_pairs` must be at least 1, got {num_pairs}.")
    return _pairs(suite, split, num_pairs, seed, names)


def suite_of(suite: str | SuiteConfig) -> SuiteConfig:
    """
    A suite by its name; one that is given stays as it is.

    Raises:
        ValueError: There is no suite of that name.
    """
    if isinstance(suite, SuiteConfig):
        return suite
    if suite not in SUITES:
        raise ValueError(f"`suite` must be one of {', '.join(SUITES)}, or a `SuiteConfig`, got {suite!r}.")
    return SUITES[suite]


def _check_families(families: Sequence[str] | None) -> list[str]:
    if families is None:
        return list(FAMILIES)
    names = [families] if isinstance(families, str) else list(families)
    unknown = [name for name in names if name not in FAMILIES]
    if unknown or not names or len(set(names)) < len(names):
        raise ValueError(f"`families` must be different ones of {', '.join(FAMILIES)}, got {names}.")
    return names


def _pairs(
    suite: SuiteConfig, split: str, num_pairs: int, seed: int, names: Sequence[str]
) -> Iterator[tuple[Example, Example]]:
    # Each family has a source of chance of its own: leaving one out leaves the others as they are.
    chances = {name: Random(f"{suite.name} {split} {seed} {name}") for name in names}
    # So has the noise: the timelines below it are those of a suite without it.
    noises = {name: Random(f"noise {suite.name} {split} {seed} {name}") for name in names}
    seen: set[tuple[tuple[str, ...], ...]] = set()
    for number in range(num_pairs):
        name = names[number % len(names)]
        # Contrasts take turns too: in a small split, chance would miss some.
        contrasts = FAMILIES[name].contrasts
        contrast = contrasts[number // len(names) % len(contrasts)]
        timeline = _new_timeline(chances[name], FAMILIES[name], contrast, suite, split, seen)
        if suite.has_noise:
            timeline = timeline.with_streams(add_noise(noises[name], timeline.streams, suite))
        yield _examples(timeline, suite, split, number)


def _new_timeline(
    rng: Random,
    family: Family,
    contrast: Contrast,
    suite: SuiteConfig,
    split: str,
    seen: set[tuple[tuple[str, ...], ...]],
) -> Timeline:
    """A timeline that belongs to a split, and has not been there before."""
    for _ in range(_MOST_TRIES):
        timeline = draw_timeline(rng, family, contrast, suite)
        if _split_of(timeline.streams) != split:
            continue
        keys = {tuple(streams[stream] for stream in STREAMS) for streams in timeline.members()}
        if not keys & seen:
            seen |= keys
            return timeline
    raise ValueError(
        f"`num_pairs`: suite {suite.name!r} has not so many different timelines of family {family.name!r} for split "
        f"{split!r}; ask for fewer, or give a suite of more `ticks`, `things` or `history`."
    )


def _split_of(streams: Streams) -> str:
    """The split of a timeline, by how often each stream holds what: the same for both members of a pair."""
    bag = "\n".join(" ".join(sorted(streams[name])) for name in STREAMS)
    return _SPLIT_OF_TENTH[int.from_bytes(hashlib.blake2b(bag.encode(), digest_size=8).digest()) % 10]


def _examples(timeline: Timeline, suite: SuiteConfig, split: str, number: int) -> tuple[Example, Example]:
    episode = timeline.episode
    first, second = (
        Example(
            suite=suite.name,
            split=split,
            family=episode.family.name,
            pair=number,
            member=member,
            principle=decide_state(episode.at(member))[1],
            decisive=episode.contrast.decisive,
            transcript=timeline.transcript,
            streams=streams,
            action=episode.contrast.actions[member],
        )
        for member, streams in enumerate(timeline.members())
    )
    return first, second
