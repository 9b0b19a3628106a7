"""Synthetic dialogues whose events are known by construction: a scripted oracle writes them and annotates them at
once.

Facts are told, changed, withdrawn, contradicted and asked again, between small talk that is worth nothing. Values and
wordings of the test split are in no other.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .facts import FACTS, NEGATIVES, REPLIES, WITHDRAWN, Fact
from .schema import Annotation, Dialogue, Turn, check


SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class DialogueConfig:
    """
    Args:
        events: Fewest and most events of a dialogue.
        small_talk: Share of the user's turns that hold no event.
        weights: How often each kind of event is tried.
        far: Words of small talk at least between the last event and the question that ends the dialogue; 0 for none.
    """

    events: tuple[int, int] = (4, 9)
    small_talk: float = 0.45
    weights: tuple[float, float, float, float, float] = (0.3, 0.38, 0.13, 0.12, 0.07)
    far: int = 0

    def __post_init__(self) -> None:
        few, many = self.events
        if not 1 <= few <= many:
            raise ValueError(f"`events` must be a range of at least 1, not {self.events}.")
        if not 0 <= self.small_talk < 1:
            raise ValueError(f"`small_talk` must be in [0, 1), not {self.small_talk}.")


def _share(options: Sequence[str], split: str) -> Sequence[str]:
    """The last fifth (one at least) is of the test split alone."""
    held = max(1, len(options) // 5) if len(options) > 1 else 0
    return options[len(options) - held :] if split == "test" and held else options[: len(options) - held]


class _Writer:
    """One dialogue while it is written."""

    def __init__(self, rng: random.Random, split: str, talk: Sequence[str], config: DialogueConfig):
        self.rng, self.split, self.talk, self.config = rng, split, talk, config
        self.turns: list[Turn] = []
        self.annotations: list[Annotation] = []
        self.known: dict[str, tuple[str, int]] = {}
        self.former: dict[str, list[str]] = {}
        self.facts = rng.sample(FACTS, len(FACTS))

    def wording(self, options: Sequence[str]) -> str:
        """Half of the wordings in a test dialogue are of the test split alone, since a real user says both."""
        held = self.split == "test" and self.rng.random() < 0.5
        return self.rng.choice(_share(options, "test" if held else "train"))

    def value(self, fact: Fact, *but: str) -> str:
        """One of its values, of this split."""
        return self.rng.choice([value for value in _share(fact.values, self.split) if value not in but] or fact.values)

    def chatter(self) -> str:
        """Something that is worth nothing."""
        return self.rng.choice(self.talk) if self.talk and self.rng.random() < 0.7 else self.rng.choice(NEGATIVES)

    def event(self, kind: str) -> tuple[str, dict[str, Any]] | None:
        """A sentence and what it means, or None where this kind of event is not possible now."""
        unknown = [fact for fact in self.facts if fact.name not in self.known]
        known = [fact for fact in self.facts if fact.name in self.known]
        if kind == "NEW":
            if not unknown:
                return None
            fact = unknown[0]
            value = self.value(fact)
            self.known[fact.name] = (value, len(self.annotations))
            return self.wording(fact.new).replace("{v}", value), {
                "type": "NEW", "summary": f"the user's {fact.name} is {value}, as the user said in this conversation"
            }  # fmt: skip
        if not known:
            return None
        fact = self.rng.choice(known)
        old, link = self.known[fact.name]
        if kind == "RECALL":
            opening = self.rng.choice(("By the way, remind me: {q}", "{q}", "I forgot, {q}"))
            summary = f"the user asks for the {fact.name}, which is {old} as noted earlier"
            return opening.replace("{q}", self.wording(fact.ask)), {"type": "RECALL", "link": link, "summary": summary}
        if kind == "POP":
            del self.known[fact.name]
            return self.wording(WITHDRAWN).replace("{n}", fact.name), {
                "type": "UPDATE", "link": link, "operation": "POP",
                "summary": f"the user's {fact.name} is no longer {old}, the user took it back",
            }  # fmt: skip
        new = self.value(fact, old)
        self.former.setdefault(fact.name, []).append(old)
        if kind == "UPDATE":
            self.known[fact.name] = (new, len(self.annotations))
            said = self.wording(fact.change).replace("{v}", new).replace("{o}", old)
            return said[0].upper() + said[1:], {
                "type": "UPDATE", "link": link, "operation": "UPDATE",
                "summary": f"the user's {fact.name} changed from {old} to {new}, which holds from now on",
            }  # fmt: skip
        # What is contradicted is not asked again: there is no telling which of both holds.
        del self.known[fact.name]
        summary = f"the user's {fact.name} was {old} before, but now the user says {new}"
        return self.wording(fact.clash).replace("{v}", new), {"type": "CONFLICT", "link": link, "summary": summary}

    def say(self, kind: str | None) -> bool:
        """A turn of the user with an event (or without), and a reply."""
        found = self.event(kind) if kind else None
        if kind and found is None:
            return False
        parts, at = [], 0
        if self.rng.random() < 0.4 or not found:
            parts.append(self.chatter())
        if found:
            parts.append(found[0])
            at = sum(len(part) + 1 for part in parts) - 1
            if self.rng.random() < 0.25:
                parts.append(self.chatter())
        self.turns.append(Turn("user", " ".join(parts)))
        if found:
            self.annotations.append(Annotation(turn=len(self.turns) - 1, end=at, **found[1]))
        reply = self.rng.choice(REPLIES) if self.rng.random() < 0.6 else self.chatter()
        if found and found[1]["type"] == "RECALL":
            value = self.known[next(fact.name for fact in FACTS if f"the {fact.name}, which" in found[1]["summary"])][
                0
            ]
            reply = f"You told me: {value}."
        self.turns.append(Turn("assistant", reply))
        return True

    def changed(self) -> list[Fact]:
        """The facts that are known and had another value before."""
        return [
            fact
            for fact in FACTS
            if fact.name in self.known and set(self.former.get(fact.name, ())) - {self.known[fact.name][0]}
        ]

    def words(self) -> int:
        return sum(len(turn.text.split()) for turn in self.turns)


KINDS = ("NEW", "RECALL", "UPDATE", "CONFLICT", "POP")


def write_dialogue(seed: int, split: str, talk: Sequence[str] = (), config: DialogueConfig | None = None) -> Dialogue:
    """
    One dialogue.

    Args:
        seed: With the split it settles the dialogue.
        split: One of `SPLITS`.
        talk: Small talk to put between the events; see `corpora.small_talk`.
        config: Its shape.

    Raises:
        ValueError: There is no such split.
    """
    if split not in SPLITS:
        raise ValueError(f"`split` must be one of {', '.join(SPLITS)}, not {split!r}.")
    config = config or DialogueConfig()
    rng = random.Random(f"{split} {seed}")
    writer = _Writer(rng, split, talk, config)
    wanted = rng.randint(*config.events)
    while len(writer.annotations) < wanted:
        kind = "NEW" if not writer.known else rng.choices(KINDS, config.weights)[0]
        if rng.random() < config.small_talk:
            writer.say(None)
        writer.say(kind)
    questions = []
    if config.far:
        # Of what changed: asked again after a long time, when the former value is still there to be found.
        while not (names := writer.changed()):
            writer.say("NEW")
            writer.say("UPDATE")
        fact = rng.choice(names)
        value, number = writer.known[fact.name]
        before = writer.words()
        while writer.words() - before < config.far:
            writer.say(None)
        question = writer.wording(fact.ask)
        questions.append(
            {
                "question": question,
                "answer": value,
                "outdated": [old for old in writer.former[fact.name] if old != value],
                "annotation": number,
                "fact": fact.name,
            }
        )
    dialogue = Dialogue(writer.turns, writer.annotations, questions=questions)
    check(dialogue)
    return dialogue
