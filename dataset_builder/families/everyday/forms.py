"""What an update may ask of the form of an answer, where that makes a difference."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .stream import Artifact, Sentence, Stream, artifact_words, cased
from .templates import Field, Template
from .values import Date, Day
from .wordings import Answer, Scenario
from .world import Context, World


class Form(NamedTuple):
    """A change of form: the list of `common.yaml` that words it, the style that it sets, and local names."""

    name: str
    style: Mapping[str, str]
    local: Mapping[str, Any] = {}


_CURRENCIES = {"dollars": "$", "euros": "€", "pounds": "£"}
_CURRENCY = re.compile(r"[$€£]|dollar|euro|pound|cent", re.IGNORECASE)
_CODE = ("_json", "_yaml", "_csv", "config", "settings")
_WORKED_OUT = ("arithmetic", "money", "decisions")
"""The domains whose steps are all to be said."""
_LAID_OUT = re.compile(r"\s|[{|#`\[]")


def fitting(scenario: Scenario, answer: Answer, stream: Stream) -> list[Form]:
    """The changes of form that an answer under way still allows, and that change how it is written."""
    world = stream.world
    now = _written(answer, world)
    made = []
    for form in _thinkable(scenario, answer, world):
        other = world.replaced({}, form.style)
        if form.name == "short":
            if droppable(stream):
                made.append(form)
        elif _written(answer, other) != now and (
            answer.lines or form.name not in ("caps", "calm") or _open(form, stream)
        ):
            made.append(form)
    return made


def _thinkable(scenario: Scenario, answer: Answer, world: World) -> Iterator[Form]:
    style, code = world.style, scenario.name.endswith(_CODE)
    if "caps" in scenario.forms or (scenario.domain != "records" and not scenario.keep_case):
        yield Form("caps", {"caps": "yes"})
    if style.get("clock") != "24" and "clock" not in scenario.style:
        yield Form("clock", {"clock": "24"})
    if not code:
        yield Form("separator", {"separator": "semi"})
    if scenario.name.endswith("_csv"):
        yield Form("delimiter", {"delimiter": ";"})
    if scenario.domain not in _WORKED_OUT:
        yield Form("short", {"short": "yes"})
    yield Form("calm", {"calm": "yes"})
    if not code:
        yield Form("numbered", {"lines": "numbers"})
        yield Form("dashes", {"lines": "dashes"})
        if len(answer.lines) > 1 and not any(_LAID_OUT.match(line.made.source) for line in answer.lines):
            yield Form("one line", {"lines": "one"})
    sources = [str(source) for source in (*scenario.prompts.all, *scenario.outcome.all)] + [answer.source]
    if "currency" not in scenario.style and not any(map(_CURRENCY.search, sources)):
        for name, sign in _CURRENCIES.items():
            yield Form(name, {"currency": sign})
    if not scenario.keep_case and not style.get("caps"):
        yield from _capitals(scenario, answer, world)


def _capitals(scenario: Scenario, answer: Answer, world: World) -> Iterator[Form]:
    """One value in capitals."""
    updatable = scenario.updatable()
    for name in sorted(answer.names):
        value = world[name] if name in world else None
        if name in updatable and isinstance(value, str | Day | Date) and len(str(value)) > 1:
            yield Form("upper", {"upper": name}, {"new": value})
        elif scenario.results and name == scenario.results[0] and isinstance(value, str):
            yield Form("upper result", {"upper": name})


def _written(answer: Answer, world: World) -> str:
    """All of an answer in one world."""
    prose = [one for one in (answer.intro, answer.outro) if one]
    return " ".join(
        [_prose(one, world) for one in prose] + [f"{w.space}{w.text}" for w in artifact_words(answer.lines, world)]
    )


def _prose(made: Template, world: World) -> str:
    written = (token.write(Context(world, {}, {})) for token in made.tokens)
    return " ".join(cased(one.text, world) for one in written if one)


def _open(form: Form, stream: Stream) -> bool:
    """Whether what is still to come of prose is written in another way."""
    pending = [unit for unit in stream.units[stream.unit + 1 :] if isinstance(unit, Sentence)]
    if form.name == "caps":
        return stream.pending_words() > 3
    return any(
        "!" in piece for unit in pending for token in unit.tokens for piece in token.pieces if isinstance(piece, str)
    )


def droppable(stream: Stream) -> list[Sentence]:
    """The sentences to come that say nothing that is not said otherwise."""
    first = stream.unit + bool(stream.position or stream.partial)
    if any(isinstance(unit, Sentence) and (unit.inserted or unit.lead) for unit in stream.units[stream.unit :]):
        return []
    pending = [unit for unit in stream.units[first:] if isinstance(unit, Sentence)]
    artifacts = [index for index, unit in enumerate(stream.units) if isinstance(unit, Artifact)]
    if artifacts:
        return [unit for unit in pending if unit in stream.units[artifacts[0] :]]
    world, shown = stream.world, stream.shown
    said = {name for name, value in shown.items() if name in world and world[name] == value}
    for token in stream.units[stream.unit].tokens[stream.position :] if first > stream.unit else ():  # type: ignore[union-attr]
        said |= _stated(token.pieces)
    kept, made = list(pending), []
    for unit in reversed(pending):
        others = said.union(
            *(_stated(token.pieces) for one in kept if one is not unit for token in one.tokens if not token.condition)
        )
        names = set().union(*(token.names for token in unit.tokens))
        if (first or len(kept) > 1) and names <= others:
            kept.remove(unit)
            made.append(unit)
    return made


def _stated(pieces: tuple[str | Field, ...]) -> set[str]:
    return {piece.root for piece in pieces if isinstance(piece, Field) and not piece.old and not piece.agrees}
