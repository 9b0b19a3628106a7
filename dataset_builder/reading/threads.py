"""Splits prose as a reader understands it: into sentences and repairs, each a separate thread."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class Claim(NamedTuple):
    """A statement in a text: `key` has `value`, in the characters from `start` to `end`."""

    key: str
    value: str
    start: int
    end: int


class Thread(NamedTuple):
    """A connected stretch of text without the repairs inside it, with the place in the full text of each of its
    characters."""

    text: str
    places: list[int]

    def claim(self, key: str, value: str, start: int, end: int) -> Claim:
        return Claim(key, value, self.places[start], self.places[end - 1] + 1)


CUT = "\0"  # closes a thread that something else cut short
_EVENT = re.compile(
    r"(?P<lead>(?:(?:(?<=[,:;])|(?<=--))\s+|\s*--\s*)(?:wait|sorry|no|hold on|scratch that|correction|i mean)\b[,:])"
    r"|(?P<close>\s*--(?=\s|$))"
    r"|(?P<end>[.!?](?=\s|<|$)|<eos>)"
)


def threads(text: str) -> Iterator[Thread]:
    """Splits a text into sentences and repairs; a sentence that continues after a repair is one thread."""
    sentence: list[int] = []
    repair: list[int] | None = None
    at = 0
    for event in [*_EVENT.finditer(text), None]:
        current = sentence if repair is None else repair
        current += range(at, event.start() if event else len(text))
        at = event.end() if event else len(text)
        if event is not None and event["lead"]:
            if repair is not None:
                yield _thread(text, repair, CUT)
            repair = []
        elif event is not None and event["close"]:
            if repair is not None:
                yield _thread(text, repair, CUT)
            repair = None
        else:
            yield _thread(text, sentence, event[0] if event and repair is None else CUT)
            if repair is not None:
                yield _thread(text, repair, event[0] if event else CUT)
            sentence, repair = [], None


def _thread(text: str, places: list[int], end: str) -> Thread:
    return Thread("".join(text[place] for place in places) + end, places)
