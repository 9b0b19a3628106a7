"""Checks a sample without the machinery that wrote it: its timeline, its values, and the arithmetic in its text."""

from __future__ import annotations

import re
from typing import Any

from .rows_oracle import arithmetic, wrong_places
from .wordings import EFFECTS, domain


_DOUBLE = re.compile(r"\b([A-Za-z]+) \1\b", re.IGNORECASE)
_ARTICLE = re.compile(
    r"\ba (?!is|are|and|or|in|of|equals|as|on|at)[aeio]\w+|\ban [bcdfgjklmnpqrstvwxyz]\w+", re.IGNORECASE
)
_FINE = {"had", "that"}


def grammar(text: str) -> list[str]:
    """Slips of the pen that a pattern can find."""
    odd = re.finditer(r"\.\.(?!\.)|,,|,\.|--\s+--| [,.;:?!](?:\s|$)", text)
    made = [f"odd: {text[max(0, m.start() - 20) : m.end() + 5]!r}" for m in odd]
    made += [f"twice: {m[0]!r}" for m in _DOUBLE.finditer(text) if m[1].lower() not in _FINE]
    fine = re.compile(r"an? (one|once|uni|us|eu|hour|honest|a\b|i\b|e\b)|a \w\b", re.IGNORECASE)
    made += [f"article: {m[0]!r}" for m in _ARTICLE.finditer(text) if not fine.match(m[0])]
    return made


def problems(made: dict[str, Any]) -> list[str]:
    """What is wrong with a sample."""
    text, updates, worlds = made["text"], made["updates"], made["worlds"]
    ends = [update["after_chars"] for update in updates]
    found = arithmetic(text, set(ends)) + wrong_places(text, ends)
    scenario = domain(made["domain"]).scenarios[made["scenario"]]
    for version, update in enumerate(updates, 1):
        at = update["after_chars"]
        if update["kind"] not in EFFECTS:
            continue
        before, now = worlds[version - 1], worlds[version]
        names = set(scenario.results) & now.changed(before)
        if update["kind"] != "removal":
            names |= set(update["slots"])
        for name in sorted(names):
            if None in (world[name] for world in worlds[version:]) or now[name] == before[name]:
                continue
            if isinstance(now[name], tuple) and set(map(repr, now[name])) < set(map(repr, before[name])):
                continue  # a list that only lost something need not be said again
            if isinstance(now[name], tuple) and any(world[name] == before[name] for world in worlds[version + 1 :]):
                continue  # it was taken back, maybe before anything showed of it
            spans = [s for s in made["provenance"] if s["slot"] == name and s["end"] > at and not s["old"]]
            if not any(span["version"] >= version for span in spans):
                found.append(f"{name} is not stated after update {version} ({update['text']})")
    for span in made["provenance"]:
        if text[span["start"] : span["end"]] != span["value"]:
            found.append(f"a span does not hold its value: {span}")
        version = sum(at <= span["start"] for at in ends)
        if not span["old"] and span["version"] < version:
            found.append(f"a stale value: {span}")
    return found
