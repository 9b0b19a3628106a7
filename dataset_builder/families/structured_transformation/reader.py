"""Reads the members of JSON objects, whole or cut short: `"age": 25`. null is `NONE`; comments (`"//"`) are none."""

from __future__ import annotations

import re

from ...reading.threads import Claim
from ...world.facts import NONE


_MEMBER = re.compile(
    r'"(?P<key>[a-z_]+)":\s?'
    r'(?P<value>"[^"{}\[\]:]*"(?!:)|-?\d+(?=[\s,}<])|true\b|false\b|null\b|\[(?:"[^"]*"(?:, ?"[^"]*")*)?\])'
)


def read(text: str) -> list[Claim]:
    """The members that a text states, a value each; of two with one name the later one holds."""
    return [
        Claim(match["key"], NONE if match["value"] == "null" else match["value"], match.start(), match.end())
        for match in _MEMBER.finditer(text)
    ]
