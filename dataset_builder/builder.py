"""Generates samples from scenes: places the updates, emits the target, and builds the row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from .config import BuilderConfig
from .families import EVERYDAY, FAMILIES, Family
from .speech.discourse import Speech
from .speech.grammar import DISTRUST, KEEP_GOING, SPEAKERS
from .speech.updates import Listener, Mix, PlacedUpdate
from .world.facts import Fact
from .world.kinds import PHASE_3
from .world.scene import GOING, Scene


_EIGHTHS = ("train",) * 6 + ("validation", "test")  # shares of all prompts
UPDATES_A_ROUND = 8


class Chance(Random):
    """A faster random number generator; the bias of an option, n / 2**53, does not matter here."""

    def choice(self, seq: Any) -> Any:
        return seq[int(self.random() * len(seq))]

    def randint(self, a: int, b: int) -> int:
        return a + int(self.random() * (b - a + 1))

    def sample(self, population: Any, k: int, *, counts: Any = None) -> list[Any]:
        if counts is not None:
            return super().sample(population, k, counts=counts)
        pool, random = list(population), self.random
        if not 0 <= k <= len(pool):
            raise ValueError(f"`k` must be from 0 to {len(pool)}, got {k}.")
        chosen = []
        for left in range(len(pool), len(pool) - k, -1):
            at = int(random() * left)
            chosen.append(pool[at])
            pool[at] = pool[left - 1]
        return chosen

    def shuffle(self, x: Any) -> None:
        x[:] = self.sample(x, len(x))


@dataclass
class Sample:
    """
    One row.

    Args:
        prompt (`str`): clauses that set facts and ask questions; each makes sense alone.
        initial_target (`str`): the text before the first update is visible; the whole text if there is no update.
        revised_target (`str`): the rest.
        updates (`list[dict]`): `text`, `kind` (see `kinds.KINDS`), `source` ("user", or the quoted person),
            `position`: the index into the whole target of the first character that may depend on the update;
            `earliest`: the first character emitted after it, past the word in progress; `repair`: whether it required
            a repair of something stale; `changes`: each `fact` and its new `value`.
        facts (`list[dict]`): the `name`, `value` and `type` of each fact at the start; the value is "none" for a fact
            that only an update can set.
        provenance (`list[dict]`): what was stated: `key`, `value` ("none": that there is none), the span `start` and
            `end` in the whole target, `version` (number of updates received before), `stale_version` (that number when
            it became stale, -1 if it never did), `complete` (it was emitted to its end), and the `facts` that it
            depends on. All other words depend on no fact.
        repairs (`list[dict]`): the span `start` and `end` of each repair, and the `version` that required it.
        timeline (`list[dict]`): the truth, whether stated or not: the `version` from which the fact or claim `key` has
            the `value` ("none": no value).
        answers (`list[dict]`): for the `key` of each question, in the order asked, its `value` after all updates.
        task_type (`str`): the family.
        update_step (`int`): position of the first update, -1 if there is none.
        requires_revision (`bool`): whether emitted text became stale, so that a repair was required.
        phase (`int`): of the curriculum: 1 without update, 2 with, 3 with an adversarial one (`kinds.PHASE_3`).
        split (`str`), seed (`int`), index (`int`), attempt (`int`): with the rest of the config, these reproduce the
            sample.
    """

    prompt: str
    initial_target: str
    updates: list[dict[str, Any]]
    revised_target: str
    facts: list[dict[str, Any]]
    provenance: list[dict[str, Any]]
    repairs: list[dict[str, Any]]
    timeline: list[dict[str, Any]]
    answers: list[dict[str, Any]]
    task_type: str
    update_step: int
    requires_revision: bool
    phase: int
    split: str
    seed: int
    index: int
    attempt: int = 0

    @property
    def target(self) -> str:
        return self.initial_target + self.revised_target

    def to_row(self) -> dict[str, Any]:
        """The sample under the columns of `schema.SCHEMA`, without copying its lists."""
        return dict(vars(self))


def split_of(prompt: str) -> str:
    """The split (train, validation or test) of a prompt, from its hash. So no pair of prompt and updates can be in two
    splits."""
    return _EIGHTHS[hashlib.blake2b(prompt.encode(), digest_size=1).digest()[0] % 8]


def speak(family: Family, scene: Scene, updates: Sequence[PlacedUpdate]) -> Speech:
    """Emits a whole scene while the given updates arrive, sorted by position."""
    speech = family.speech(scene)
    for place in sorted({update.position for update in updates}):
        speech.receive(place, [update.changes for update in updates if update.position == place])
    speech.speak()
    return speech


class Builder:
    """Generates samples: `Builder(config).sample(17)`, or `Builder(config).samples(1000)` in order."""

    def __init__(self, config: BuilderConfig):
        self.config = config
        self.mixes = {name: Mix(FAMILIES[name], config) for name in config.families if name != EVERYDAY}
        self._rng = Chance(0)  # seeded anew for each sample
        self.partition = config.split if config.split in _EIGHTHS else "test"

    def samples(self, num: int, start: int = 0) -> Iterator[Sample]:
        return (self.sample(index) for index in range(start, start + num))

    def sample(self, index: int, attempt: int = 0) -> Sample:
        """The sample of an index. Another attempt gives another sample, used when one repeats an earlier sample."""
        name = self._family(index, attempt)
        if name == EVERYDAY:
            return self._everyday(index, attempt)
        return self._row(index, attempt, self._converse(name))

    def scene(self, index: int, attempt: int = 0) -> tuple[Family, Scene, list[PlacedUpdate]]:
        """The inputs of the sample of that index: `speak(family, scene, updates)` emits its target. The family
        `everyday` has no scenes."""
        name = self._family(index, attempt)
        if name == EVERYDAY:
            raise ValueError(f"`index` {index} is a sample of {EVERYDAY!r}, which is made from no scene.")
        conversation = self._converse(name)
        return conversation.family, conversation.speech.scene, conversation.heard

    def _family(self, index: int, attempt: int) -> str:
        """The family of a sample; seeds the random number generator anew for the sample."""
        if index < 0:
            raise ValueError(f"`index` must not be negative, got {index}.")
        config = self.config
        self._rng.seed(f"{config.seed}-{config.split}-{index}" + f"-{attempt}" * (attempt > 0))
        return str(self._rng.choice(config.families))

    def _everyday(self, index: int, attempt: int) -> Sample:
        from .families.everyday.rows import columns

        config = self.config
        split = "novel_values" if config.novel_values else "paraphrase" if config.paraphrase else config.split
        counts = config.num_updates
        if config.update_counts:
            counts = (self._rng.choice(config.update_counts),) * 2
        made = columns(self._rng, split=split, num_updates=counts)
        return Sample(**made, split=config.split, seed=config.seed, index=index, attempt=attempt)

    def _converse(self, name: str) -> Conversation:
        config, rng, family = self.config, self._rng, FAMILIES[name]
        count = rng.choice(config.update_counts) if config.update_counts else rng.randint(*config.num_updates)
        for _ in range(1000):
            made = self._draw(rng, family, count)
            if made is not None:
                conversation = Conversation(rng, config, family, self.mixes[family.name], *made)
                conversation.hold(count)
                if conversation.fits():
                    return conversation
        raise ValueError(
            f"`num_facts`, `num_questions`, `num_updates` and `kinds` leave too little for {family.name!r} in split "
            f"{config.split!r}; widen them."
        )

    def _draw(self, rng: Random, family: Family, count: int) -> tuple[Scene, tuple[str, str] | None] | None:
        """A scene whose prompt belongs to the split, and the trusted and the untrusted person, if any."""
        config = self.config
        speakers, frame = None, []
        if count and rng.random() < config.sources:
            trusted, liar = rng.sample(SPEAKERS, 2)
            speakers = trusted, liar
            frame.append(DISTRUST.draw(rng, config).format(name=liar))
        endless = bool(count) and rng.random() < config.keep_going
        if endless:
            frame.append(KEEP_GOING.draw(rng, config))
        first = rng.random() < 0.4

        def whole(prompt: str) -> str:
            return " ".join([*frame, prompt] if first else [prompt, *frame])

        scene = family.draw(rng, config, lambda prompt: split_of(whole(prompt)) == self.partition)
        if scene is None:
            return None
        scene.prompt = whole(scene.prompt)
        if endless:
            scene.facts = {**scene.facts, GOING: Fact("yes", "boolean", ())}
            scene.endless, scene.closing = True, None
        return scene, speakers

    def _row(self, index: int, attempt: int, conversation: Conversation) -> Sample:
        speech, heard = conversation.speech, conversation.heard
        text, scene = speech.text, speech.scene
        cut = heard[0].position if heard else len(text)
        return Sample(
            prompt=scene.prompt,
            initial_target=text[:cut],
            updates=[
                {
                    "text": update.text,
                    "kind": update.kind,
                    "source": update.source,
                    "position": update.position,
                    "earliest": earliest,
                    "repair": repair,
                    "changes": [{"fact": fact, "value": value} for fact, value in update.changes],
                }
                for update, (earliest, repair) in zip(heard, conversation.effects, strict=True)
            ],
            revised_target=text[cut:],
            facts=[{"name": name, "value": fact.value, "type": fact.type} for name, fact in scene.facts.items()],
            provenance=[
                {
                    "key": claim.key,
                    "value": claim.value,
                    "start": claim.start,
                    "end": claim.end,
                    "version": claim.version,
                    "stale_version": claim.stale_version,
                    "complete": claim.complete,
                    "facts": list(claim.facts),
                }
                for claim in speech.claims
            ],
            repairs=[
                {"start": repair.start, "end": repair.end, "version": repair.version}
                for repair in speech.repairs
                if repair.start >= 0
            ],
            timeline=[
                {"key": key, "version": version, "value": value}
                for key, version, value in speech.history
                if key != GOING
            ],
            answers=[{"key": key, "value": speech.world.values[key]} for key in scene.questions],
            task_type=conversation.family.name,
            update_step=cut if heard else -1,
            requires_revision=any(repair for _, repair in conversation.effects),
            phase=1 if not heard else 3 if any(update.kind in PHASE_3 for update in heard) else 2,
            split=self.config.split,
            seed=self.config.seed,
            index=index,
            attempt=attempt,
        )


class Conversation:
    """A scene, emitted while updates arrive at positions drawn uniformly from the remaining text.

    Attributes:
        speech (`Speech`): The emitted text.
        heard (`list[Heard]`): The updates received.
        effects (`list[tuple[int, bool]]`): For each update, the start of the first word after it, and whether it
            required a repair.
    """

    def __init__(
        self,
        rng: Random,
        config: BuilderConfig,
        family: Family,
        mix: Mix,
        scene: Scene,
        speakers: tuple[str, str] | None,
    ):
        self.rng, self.config, self.family = rng, config, family
        self.speech = family.speech(scene)
        self.listener = Listener(rng, family, scene, config, mix, speakers)
        self.heard: list[PlacedUpdate] = []
        self.effects: list[tuple[int, bool]] = []
        self._known_end: int | None = None

    def hold(self, count: int) -> None:
        """Emits the whole text, with `count` updates on the way."""
        rng, config, speech = self.rng, self.config, self.speech
        if not count:
            speech.speak()
            return
        groups: list[int] = []
        for _ in range(count):
            if groups and rng.random() < config.together:
                groups[-1] += 1
            else:
                groups.append(1)
        endless = speech.scene.endless
        rounds = max(rng.randint(*config.rounds), -(-count // UPDATES_A_ROUND)) if endless else 1
        length = self._end() * rounds
        start, stop = (int(length * share) for share in config.window)
        if len(groups) > length:
            raise ValueError(
                f"`num_updates` asks for {count} updates in a text of {length} characters; lower it, or raise "
                "`num_questions`, or `keep_going` to 1."
            )
        late = not endless and rng.random() < config.after_end
        for number, size in enumerate(groups):
            if late and number + 1 == len(groups):
                speech.speak()
                position = speech.length
            else:
                left = stop if stop < length or endless else self._end()
                at = max(start, speech.length)
                share = 1 - rng.random() ** (1 / (len(groups) - late - number))
                position = max(at + int((max(0, left - at) + 1) * share), self._next_place())
                if rng.random() >= config.inside_word:
                    speech.speak(position)
                    position = speech.length
            self._hear(position, size, number == 0)
        if endless:
            self._hear(max(length, speech.length, self._next_place()), 1, False, stop=True)
        speech.speak()

    def _end(self) -> int:
        """The end of the text, or of this round, if no further update changes anything."""
        if self._known_end is None:
            self._known_end = self.speech.length + self.speech.remaining()
        return self._known_end

    def _next_place(self) -> int:
        """Position of the next update; updates at the same position form one group."""
        return self.heard[-1].position + 1 if self.heard else 0

    def fits(self) -> bool:
        """Whether the sample has a held-out pair of family and kind, if the config asks for one."""
        held_out = self.listener.mix.held_out
        return not self.config.composition or any(update.kind in held_out for update in self.heard)

    def _hear(self, position: int, size: int, first: bool, stop: bool = False) -> None:
        speech, listener = self.speech, self.listener
        speech.speak(position)
        position = min(position, speech.length)  # a text that is complete ends before a stop arrives
        group = []
        for number in range(size):
            kind, (text, source, changes) = listener.stop() if stop else listener.draw(speech, first and number == 0)
            group.append(PlacedUpdate(position, text, kind, source, changes))
        earliest = speech.length
        taken_back = speech.receive(position, [update.changes for update in group])
        if any(update.changes for update in group):
            self._known_end = None
        stale = {fact for key in taken_back for fact in speech.world.depends(key)}
        self.heard += group
        for update in group:
            self.effects.append((earliest, bool(stale) and any(fact in stale for fact, _ in update.changes)))
