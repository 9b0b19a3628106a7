"""The wordings of a domain, read from YAML, and which of them are held out for the split `paraphrase`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

import yaml

from .expressions import compiled
from .templates import Template, template
from .world import World


FOLDER = Path(__file__).parent / "wordings"
DOMAINS = (
    "arithmetic",
    "bookings",
    "messages",
    "lists",
    "facts",
    "records",
    "money",
    "stories",
    "instructions",
    "decisions",
)
EFFECTS = ("correction", "addition", "removal", "retraction", "form")
"""The kinds of update that may change what is emitted."""


def digest(text: str) -> int:
    """A number that stays the same for a text, on every machine."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


class Choices:
    """Ways to word the same: one of six is held out, by the hash of its text, and at least one of two."""

    def __init__(self, sources: Sequence[Any]):
        self.all = tuple(sources)
        order = sorted(self.all, key=lambda source: digest(repr(source)))
        held = [source for source in order if digest(repr(source)) % 6 == 0]
        if len(order) > 1 and not held:
            held = order[:1]
        if len(order) == len(held):
            held = held[1:]
        self.held_out = tuple(source for source in self.all if source in held)
        self.known = tuple(source for source in self.all if source not in held)

    def of(self, paraphrase: bool) -> tuple[Any, ...]:
        return self.held_out if paraphrase and self.held_out else self.known

    def draw(self, rng: Random, paraphrase: bool) -> Any:
        return rng.choice(self.of(paraphrase))


@dataclass(frozen=True, eq=False)
class Line:
    """A line of an artifact; `each`: the list for each item of which it comes again."""

    made: Template
    each: str = ""


@dataclass(frozen=True, eq=False)
class Answer:
    """Prose, or an artifact with prose before and after it."""

    source: str
    intro: Template | None
    lines: tuple[Line, ...]
    outro: Template | None

    @property
    def every_name(self) -> set[str]:
        """All names in it."""
        prose = (one.names for one in (self.intro, self.outro) if one)
        return set().union(self.names, *prose) - {""}

    @property
    def names(self) -> set[str]:
        """The names that it states: those of the artifact alone, if there is one, as that is what is written again."""
        made: set[str] = set()
        for one in (self.intro, self.outro):
            made |= one.names if one and not self.lines else set()
        for line in self.lines:
            made |= line.made.names | {line.each}
        return made


class Scenario:
    """One thing that people ask for: slots, what follows from them, prompts, answers, updates."""

    def __init__(self, domain: str, name: str, data: Mapping[str, Any]):
        self.domain, self.name = domain, name
        unknown = set(data) - {
            "slots", "derived", "where", "prompts", "answers", "updates", "restate", "outcome", "results", "forms",
            "confirm", "keep_case", "style", "unsaid",
        }  # fmt: skip
        if unknown:
            raise ValueError(f"{self.place}: unknown keys {', '.join(sorted(unknown))}.")
        self.slots: dict[str, Any] = {slot: _spec(spec) for slot, spec in data["slots"].items()}
        self.derived: dict[str, str] = {key: str(value) for key, value in (data.get("derived") or {}).items()}
        where = data.get("where") or []
        self.where: list[str] = [where] if isinstance(where, str) else list(where)
        self.forms: tuple[str, ...] = tuple(data.get("forms") or ())
        self.style: dict[str, Any] = dict(data.get("style") or {})
        self.unsaid: tuple[str, ...] = tuple(data.get("unsaid") or ())
        self.keep_case: bool = data.get("keep_case", False)
        last = list(self.derived)[-1:]
        self.results: tuple[str, ...] = tuple(data.get("results", last) or ())
        self.prompts = Choices(data["prompts"])
        self.answers = Choices(data["answers"])
        self.updates = {key: Choices(_listed(value)) for key, value in data["updates"].items()}
        self.restate = {key: Choices(_listed(value)) for key, value in (data.get("restate") or {}).items()}
        self.outcome = Choices(_listed(data.get("outcome") or []))
        self.confirm = Choices(_listed(data.get("confirm") or []))
        self._answers = {repr(source): _answer(source) for source in self.answers.all}
        for source in (*self.derived.values(), *self.where):
            compiled(source)

    @property
    def place(self) -> str:
        return f"{self.domain}/{self.name}"

    def answer(self, source: Any) -> Answer:
        return self._answers[repr(source)]

    def updatable(self) -> set[str]:
        """The slots that an update may change."""
        return {slot for key in self.updates for slot in changed_slots(key)}

    def world(self, slots: Mapping[str, Any], style: Mapping[str, str]) -> World:
        return World(slots, self.derived, style)

    def sources(self, names: set[str]) -> set[str]:
        """The slots that derived values come from."""
        made: set[str] = set()
        for name in reversed(self.derived):
            if name in names | made:
                made |= compiled(self.derived[name])[1]
        return made

    def problems(self) -> list[str]:
        """What a writer should put right."""
        made = []
        for slot in self.updatable() - set(self.slots):
            made.append(f"{self.place}: `updates` names {slot!r}, which is no slot.")
        needed = (self.updatable() | set(self.results)) & (set(self.slots) | set(self.derived))
        for source in self.answers.all:
            missing = needed - self.answer(source).names
            if missing:
                made.append(f"{self.place}: an answer does not mention {', '.join(sorted(missing))}: {source!r}")
        stated = {name for answer in self._answers.values() for name in answer.every_name}
        told = {slot for slot, spec in self.slots.items() if not spec.get("optional")} & (
            stated | self.sources(stated)
        )
        for source in self.prompts.all:
            missing = told - template(str(source)).names - set(self.unsaid)
            if missing:
                made.append(f"{self.place}: a prompt does not tell {', '.join(sorted(missing))}: {source!r}")
        for key, choices in self.updates.items():
            if len(choices.all) < 2:
                made.append(f"{self.place}: `updates` has only one wording for {key!r}.")
        for key, choices in {**self.restate, "outcome": self.outcome}.items():
            if choices.all and not any(not template(str(source)).old_names for source in choices.all):
                made.append(f"{self.place}: {key!r} needs a restatement without `.old`.")
        known = set(self.slots) | set(self.derived) | {"item", "by", "number", "comma", "new"}
        texts = [str(source) for source in (*self.prompts.all, *self.outcome.all, *self.confirm.all)]
        for choices in (*self.updates.values(), *self.restate.values()):
            texts += [str(source) for source in choices.all]
        used = set().union(*(template(text).names for text in texts))
        used |= set().union(*(answer.names for answer in self._answers.values())) - {""}
        fields = {name for spec in self.slots.values() if "list" in spec for name in spec["list"].get("fields", ())}
        for name in used - known - fields:
            made.append(f"{self.place}: a wording names {name!r}, which is neither a slot nor derived.")
        return made


def changed_slots(key: str) -> tuple[str, ...]:
    """The slots that an entry of `updates` changes: "day", "day+time", "add items", "remove items", "more n"."""
    words = key.split()
    return (words[1],) if len(words) == 2 else tuple(key.split("+"))


def _listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, str) else list(value)


def _spec(spec: Any) -> dict[str, Any]:
    made: dict[str, Any]
    made = {"type": spec} if isinstance(spec, str) else {"choices": spec} if isinstance(spec, list) else dict(spec)
    if "list" in made:
        made["list"] = _spec(made["list"])
    if "fields" in made:
        made["fields"] = {name: _spec(field) for name, field in made["fields"].items()}
        made["fields"]["show"] = {"choices": [made["show"]]}
    return made


def _answer(source: Any) -> Answer:
    if isinstance(source, str):
        return Answer(source, template(source.strip()), (), None)
    lines = []
    for line in source["artifact"]:
        each = "" if isinstance(line, str) else line["each"]
        lines.append(Line(template(line if isinstance(line, str) else line["line"], False), each))
    intro, outro = (template(source[key].strip()) if source.get(key) else None for key in ("intro", "outro"))
    return Answer(repr(source), intro, tuple(lines), outro)


class Domain:
    """A YAML file: scenarios, and the words of repair that they share."""

    def __init__(self, name: str):
        with open(FOLDER / f"{name}.yaml", encoding="utf-8") as file:
            data = yaml.load(file, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.name = name
        self.scenarios = {key: Scenario(name, key, value) for key, value in data["scenarios"].items()}
        self.repairs = {key: Choices(value) for key, value in (data.get("repairs") or {}).items()}
        self.before = Choices(data.get("before") or [])
        self.nothing = Choices(data.get("nothing") or [])


@cache
def domain(name: str) -> Domain:
    """The wordings of a domain."""
    return Domain(name)


def available() -> tuple[str, ...]:
    """The domains whose wordings are written."""
    return tuple(name for name in DOMAINS if (FOLDER / f"{name}.yaml").exists())


@cache
def words() -> dict[str, Any]:
    """The word lists that slots name as their type."""
    with open(FOLDER / "words.yaml", encoding="utf-8") as file:
        return dict(yaml.safe_load(file))


@cache
def common() -> dict[str, Choices]:
    """The wordings that all domains share."""
    with open(FOLDER / "common.yaml", encoding="utf-8") as file:
        data = yaml.safe_load(file)
    made = {key: Choices(value) for key, value in data.items() if isinstance(value, list)}
    for group in ("repairs", "forms"):
        made |= {f"{group} {key}": Choices(value) for key, value in data[group].items()}
    return made
