"""Samples from scenes: when updates come, what they change, and the row that comes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from .config import BuilderConfig
from .discourse import Scene, Speech
from .families import FAMILIES, Family


_SHARES = {"train": range(0, 6), "validation": range(6, 7), "test": range(7, 8)}  # eighths of all prompts


@dataclass(frozen=True)
class Sample:
    """
    One row.

    Args:
        prompt (`str`): clauses that set facts and ask questions; each makes sense alone.
        initial_target (`str`): what is emitted before the first update can be known; all of it, if none comes.
        revised_target (`str`): the rest.
        updates (`list[dict]`): `text`, `kind`, `source` and `position`: the index into the whole target of the first
            character that may know the update.
        claims (`list[dict]`): what was stated: `key`, `value`, the span `start` and `end` in the whole target,
        `version`
            (how many updates had been heard), `depends` (facts), `stale` (a later update changed it after it was, even
            partly, said) and `complete` (it was said to its end).
        facts (`dict[str, str]`): the facts at the start.
        answers (`dict[str, str]`): for the key of each question, in the order asked, its value after all updates.
        task_type (`str`): the family.
        update_step (`int`): position of the first update, -1 if none comes.
        requires_revision (`bool`): whether something stale had been said, so that a repair was due.
        phase (`int`): 1 without interruption, 2 with.
        split (`str`), seed (`int`), index (`int`): with the rest of the config, what it takes to make it again.
    """

    prompt: str
    initial_target: str
    revised_target: str
    updates: list[dict[str, Any]]
    claims: list[dict[str, Any]]
    facts: dict[str, str]
    answers: dict[str, str]
    task_type: str
    update_step: int
    requires_revision: bool
    phase: int
    split: str
    seed: int
    index: int

    @property
    def target(self) -> str:
        return self.initial_target + self.revised_target

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Heard:
    """An update: what is said, where it is heard, and what it changes."""

    position: int
    text: str
    fact: str
    value: str


def split_of(prompt: str) -> str:
    """The one split that a prompt belongs to, by its hash: no (prompt, updates) pair can be in two of them."""
    share = hashlib.blake2b(prompt.encode(), digest_size=1).digest()[0] % 8
    return next(split for split, shares in _SHARES.items() if share in shares)


def speak(scene: Scene, updates: list[Heard]) -> Speech:
    """Says a scene to its end while the given updates come, sorted by position."""
    speech = Speech(scene)
    places = sorted({update.position for update in updates})
    for place in places:
        speech.hear(place, [(update.fact, update.value) for update in updates if update.position == place])
    speech.speak()
    return speech


class Builder:
    """Makes samples: `Builder(config).sample(17)`, or `Builder(config).samples(1000)` one after the other."""

    def __init__(self, config: BuilderConfig):
        self.config = config

    def samples(self, num: int, start: int = 0) -> Iterator[Sample]:
        return (self.sample(index) for index in range(start, start + num))

    def sample(self, index: int) -> Sample:
        family, scene, rng = self._draw(index)
        speech, updates = self._converse(rng, family, scene)
        return self._row(index, family, scene, speech, updates)

    def scene(self, index: int) -> tuple[Scene, list[Heard]]:
        """What the sample of that index is made from: `speak(scene, updates)` says its target."""
        family, scene, rng = self._draw(index)
        return scene, self._converse(rng, family, scene)[1]

    def _draw(self, index: int) -> tuple[Family, Scene, Random]:
        if index < 0:
            raise ValueError(f"`index` must not be negative, got {index}.")
        config = self.config
        rng = Random(f"{config.seed}-{config.split}-{index}")
        family = FAMILIES[rng.choice(config.families)]
        for _ in range(1000):
            scene = family.draw(rng, config, lambda prompt: split_of(prompt) == config.split)
            if scene is not None:
                return family, scene, rng
        raise ValueError(
            f"`num_facts` and `num_questions` leave too few prompts for split {config.split!r}; widen them."
        )

    def _converse(self, rng: Random, family: Family, scene: Scene) -> tuple[Speech, list[Heard]]:
        """Says the scene while updates come at places drawn evenly from what is left to be said."""
        config, speech = self.config, Speech(scene)
        groups: list[int] = []
        for _ in range(rng.randint(*config.num_updates)):
            if groups and rng.random() < config.together:
                groups[-1] += 1
            else:
                groups.append(1)
        late = bool(groups) and rng.random() < config.after_end
        heard: list[Heard] = []
        past = {fact: [value] for fact, value in scene.facts.items()}
        relevant = list(dict.fromkeys(fact for key in scene.questions for fact in speech.world.depends(key)))
        for number, size in enumerate(groups):
            if late and number + 1 == len(groups):
                speech.speak()
                position = speech.length
            else:
                share = 1 - rng.random() ** (1 / (len(groups) - late - number))
                position = speech.length + int((speech.remaining() + 1) * share)
                if rng.random() >= config.inside_word:
                    speech.speak(position)
                    position = speech.length
            values = dict(speech.world.values)
            for _ in range(size):
                fact = rng.choice(relevant if rng.random() < config.asked else list(scene.facts))
                old, gone = values[fact], [value for value in past[fact] if value != values[fact]]
                if gone and rng.random() < config.going_back:
                    new = rng.choice(gone)
                else:
                    new = family.new_value(rng, scene, values, fact, past[fact], config)
                    past[fact].append(new)
                heard.append(Heard(position, family.word_update(rng, scene, fact, old, new), fact, new))
                values[fact] = new
            speech.hear(position, [(update.fact, update.value) for update in heard[-size:]])
        speech.speak()
        return speech, heard

    def _row(self, index: int, family: Family, scene: Scene, speech: Speech, heard: list[Heard]) -> Sample:
        text = speech.text
        cut = heard[0].position if heard else len(text)
        claims = [
            {
                "key": claim.key,
                "value": claim.value,
                "start": claim.start,
                "end": claim.end,
                "version": claim.version,
                "depends": list(claim.depends),
                "stale": claim.stale,
                "complete": claim.complete,
            }
            for claim in speech.claims
        ]
        return Sample(
            prompt=scene.prompt,
            initial_target=text[:cut],
            revised_target=text[cut:],
            updates=[
                {"text": update.text, "kind": "correction", "source": "user", "position": update.position}
                for update in heard
            ],
            claims=claims,
            facts=dict(scene.facts),
            answers={key: speech.world.values[key] for key in scene.questions},
            task_type=family.name,
            update_step=heard[0].position if heard else -1,
            requires_revision=any(claim.stale for claim in speech.claims),
            phase=2 if heard else 1,
            split=self.config.split,
            seed=self.config.seed,
            index=index,
        )
