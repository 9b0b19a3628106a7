"""Timelines: episodes that have passed, and the one that decides, laid out tick by tick.

The decisive stream holds both values of a contrast, for as many ticks each: one in the lead-in, the other at the end.
The two members of a pair have them in the opposite order, so only the order tells the members apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

from .families import FAMILIES, Contrast, Family
from .families.base import LETTERS, fill
from .rules import decide_state
from .streams import NONE, STREAMS, THINGS
from .suite_config import SuiteConfig


Streams = Mapping[str, tuple[str, ...]]

_MOST_TRIES = 1000
_LEADS = ("listening", "speaking", "none", "waiting_for:G", "explaining:G", "asked:G")
"""What `model_state` may hold in the lead-in of the decisive episode."""


@dataclass(frozen=True)
class Episode:
    """
    Something that comes up and calls for an action.

    Args:
        family (`Family`), contrast (`Contrast`): What it is an instance of.
        things (`Mapping[str, str]`): The thing of each letter.
        state (`Mapping[str, str]`): What every stream holds but the decisive one.
        values (`tuple[str, str]`): What the decisive one holds in member 0 and in member 1.
    """

    family: Family
    contrast: Contrast
    things: Mapping[str, str]
    state: Mapping[str, str]
    values: tuple[str, str]

    def at(self, member: int) -> dict[str, str]:
        """What every stream holds when it is over."""
        return {**self.state, self.contrast.decisive: self.values[member]}


@dataclass(frozen=True)
class Timeline:
    """
    Both members of a pair, as one of them and what is exchanged to get the other.

    Args:
        episode (`Episode`): The decisive one.
        transcript (`str`): The flattened transcript of both.
        streams (`Mapping[str, tuple[str, ...]]`): Member `member`, tick by tick.
        member (`int`): Which of the two that is.
        lead (`int`), hold (`int`): First tick and length of the lead-in. The decisive stream exchanges these ticks
            with the last `hold`.
    """

    episode: Episode
    transcript: str
    streams: Streams
    member: int
    lead: int
    hold: int

    def with_streams(self, streams: Streams) -> Timeline:
        return replace(self, streams=streams)

    def members(self) -> tuple[Streams, Streams]:
        """The streams of member 0 and of member 1."""
        name = self.episode.contrast.decisive
        values = self.streams[name]
        lead, end = slice(self.lead, self.lead + self.hold), len(values) - self.hold
        swapped = values[: self.lead] + values[end:] + values[lead.stop : end] + values[lead]
        other = {**self.streams, name: swapped}
        return (self.streams, other) if self.member == 0 else (other, self.streams)


def things_of(family: Family, suite: SuiteConfig) -> tuple[str, ...]:
    """The things that a family is about: three in four of those of the suite, others for each family."""
    shift = list(FAMILIES).index(family.name)
    return tuple(thing for place, thing in enumerate(THINGS[: suite.things]) if (place + shift) % 4)


def draw_timeline(rng: Random, family: Family, contrast: Contrast, suite: SuiteConfig) -> Timeline:
    """A timeline of a family that ends in one of its contrasts, in the size of a suite."""
    episode = _draw_episode(rng, family, contrast, suite)
    hold, gap = rng.randint(*suite.hold), rng.randint(0, suite.gap)
    earlier = [FAMILIES[rng.choice(family.history)] for _ in range(suite.history)]
    passed = [_draw_episode(rng, each, rng.choice(each.contrasts), suite) for each in earlier]
    member = rng.randrange(2)

    beats = []
    for other, length in zip(passed, _parts(rng, suite.ticks - 2 * hold - gap, suite.history)):
        before, last = rng.randint(1, length - 1), rng.randrange(2)
        beats += [(before, other.at(1 - last)), (length - before, other.at(last))]
    decisive, lead_in = episode.contrast.decisive, _lead_in(rng, episode)
    beats.append((hold, {**lead_in, decisive: episode.values[1 - member]}))
    beats.append((gap, {**lead_in, decisive: NONE}))
    beats.append((hold, episode.at(member)))

    streams = {}
    for name in STREAMS:
        values = [value for length, state in beats for value in (state[name],) * length]
        if name != decisive:
            # Not everything comes at once: a stream may hold what it ends with a little earlier.
            early, end = rng.randint(0, suite.ragged), suite.ticks - hold
            values[end - early : end] = [values[-1]] * early
        streams[name] = tuple(values)
    said = [*passed, episode]
    transcript = "\n".join(_exchange(rng, each) for each in said)
    return Timeline(episode, transcript, streams, member, suite.ticks - 2 * hold - gap, hold)


def _draw_episode(rng: Random, family: Family, contrast: Contrast, suite: SuiteConfig) -> Episode:
    """An episode of a family, its context such that both members call for the actions of the contrast."""
    things = dict(zip(LETTERS, rng.sample(things_of(family, suite), len(LETTERS))))
    values = (fill(contrast.values[0], things), fill(contrast.values[1], things))
    free = [name for name in STREAMS if name not in (contrast.decisive, "model_state")]
    for _ in range(_MOST_TRIES):
        state = {"model_state": fill(rng.choice(contrast.models), things)}
        for name in free:
            if name not in contrast.given and rng.random() < suite.distractors:
                state[name] = _distractor(rng, name, things)
            else:
                state[name] = fill(rng.choice(contrast.given.get(name) or family.context[name]), things)
        episode = Episode(family, contrast, things, state, values)
        if all(decide_state(episode.at(member))[0] == contrast.actions[member] for member in (0, 1)):
            return episode
    raise RuntimeError(f"No context fits {contrast} of family {family.name!r}.")


def _distractor(rng: Random, name: str, things: Mapping[str, str]) -> str:
    """Anything that a stream may hold, of the things of an episode."""
    plain, about = STREAMS[name]
    kind = rng.choice((*plain, *about))
    return kind if kind in plain else f"{kind}:{things[rng.choice(LETTERS)]}"


def _lead_in(rng: Random, episode: Episode) -> dict[str, str]:
    """What the other streams hold before the decisive episode stands: most of it, and now and then another doing."""
    state = dict(episode.state)
    if episode.contrast.decisive != "model_state" and rng.random() < 0.2:
        state["model_state"] = fill(rng.choice(_LEADS), episode.things)
    for name in state:
        if name != "model_state" and rng.random() < 0.3:
            state[name] = NONE
    return state


def _parts(rng: Random, total: int, number: int) -> list[int]:
    """Lengths of at least two that add up to a total."""
    lengths = [2] * number
    for _ in range(total - 2 * number if number else 0):
        lengths[rng.randrange(number)] += 1
    return lengths


def _exchange(rng: Random, episode: Episode) -> str:
    user, assistant = rng.choice(episode.family.exchanges(episode.state["model_state"]))
    lines = [f"User: {user}"] + ([f"Assistant: {assistant}"] if assistant else [])
    return "\n".join(lines).format(**episode.things)
