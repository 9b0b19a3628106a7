"""Text games whose facts are known exactly after each step: what changed is annotated without an oracle's judgement.

Games are made by textworld (arXiv 1806.11532).
"""

import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .schema import Annotation, AnnotationError, Dialogue, Turn


Fact = tuple[str, ...]
_ASPECTS = {
    "at": "place", "in": "place", "on": "place", "open": "door", "closed": "door", "locked": "door",
    "raw": "food", "cooked": "food", "eaten": "food", "uncut": "food", "sliced": "food", "diced": "food",
}  # fmt: skip
"""Predicates of which one at a time is true of a thing."""
_PLAYER = {"P": "player", "I": "inventory"}


def fact_deltas(observations: Sequence[str], facts: Sequence[frozenset[Fact]], source: str) -> Dialogue:
    """
    A game as a text in turns, annotated exactly: what was never known of a thing is NEW; what is true now in place of
    something else is an UPDATE of it. What is true but was not said is left out.

    Args:
        observations: What was read after each step.
        facts: What was true after each, as (name, argument, ...), e.g. `("in", "key", "box")`.

    Raises:
        ValueError: There are not as many of both.
    """
    if len(observations) != len(facts):
        raise ValueError(f"`facts` must be as many as `observations` ({len(observations)}), not {len(facts)}.")
    turns = [Turn("narrator", " ".join(text.split()) or ".") for text in observations]
    annotations: list[Annotation] = []
    known: dict[tuple[str, str], tuple[Fact, int]] = {}
    for turn, now in enumerate(facts):
        for fact in sorted(now):
            subject = fact[1] if len(fact) > 1 else fact[0]
            about = _ASPECTS.get(fact[0], fact[0]), subject
            if not re.search(rf"\b{re.escape(subject)}\b", turns[turn].text, re.IGNORECASE):
                continue
            said, end, old = " ".join(fact), len(turns[turn].text), known.get(about)
            if old is None:
                annotation = Annotation("NEW", said, turn, end)
            elif old[0] not in now:
                annotation = Annotation(
                    "UPDATE", f"{said} now, before it was {' '.join(old[0])}", turn, end, old[1], "UPDATE"
                )
            else:
                continue
            known[about] = (fact, len(annotations))
            annotations.append(annotation)
    return Dialogue(turns, annotations, source=source, tier="narrative")


def textworld_games(count: int, seed: int = 0, rooms: int = 4, objects: int = 8, quest: int = 6) -> Iterator[Dialogue]:
    """
    Games of textworld (PyPI `textworld`, MIT), each played once through by its own solution.

    Args:
        count, seed: How many; game `i` is made with seed `seed + i`.
        rooms, objects, quest: Size of a game, and the actions that win it.

    Raises:
        AnnotationError: textworld is not installed, or a number is not possible.
    """
    for name, value in (("count", count), ("rooms", rooms), ("objects", objects), ("quest", quest)):
        if value < 1:
            raise AnnotationError(f"`{name}` must be at least 1, not {value}.")
    try:
        import textworld
    except ImportError as error:
        raise AnnotationError("textworld is not installed: `pip install textworld`.") from error
    with tempfile.TemporaryDirectory() as folder:
        for number in range(seed, seed + count):
            options = textworld.GameOptions()
            options.seeds, options.nb_rooms, options.nb_objects, options.quest_length = number, rooms, objects, quest
            options.path = str(Path(folder, f"{number}.z8"))
            path, _ = textworld.make(options)
            yield fact_deltas(*_played(textworld, path), source="textworld")


def _played(textworld: Any, path: str) -> tuple[list[str], list[frozenset[Fact]]]:
    """What is read and what is true after each step of the game's own solution."""
    wanted = textworld.EnvInfos(facts=True, feedback=True, policy_commands=True)
    game = textworld.start(path, wanted)
    try:
        state = game.reset()
        observations, facts = [_said(state.feedback)], [_true(state.facts)]
        for command in list(state.policy_commands):
            state, _, _ = game.step(command)
            observations.append(f"> {command} {_said(state.feedback)}")
            facts.append(_true(state.facts))
    finally:
        game.close()
    return observations, facts


def _said(feedback: str) -> str:
    """Without the banner, the line of the prompt, and what comes after the end."""
    text = re.split(r"\n\s*>|\*\*\* The End \*\*\*", feedback)[0]
    title = text.find("-=")
    return text[title:] if "$$$" in text and title >= 0 else text


def _true(facts: Sequence[Any]) -> frozenset[Fact]:
    return frozenset(
        (fact.name, *(_PLAYER.get(str(argument.name), str(argument.name)) for argument in fact.arguments))
        for fact in facts
        if fact.name in _ASPECTS
    )
