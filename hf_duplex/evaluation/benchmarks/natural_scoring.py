"""
Interruptions in natural English: what a case is, and which answers are right. Pure functions of texts.

One JSON object a line:

    {"id": "n1", "domain": "lists", "kind": "correction", "prompt": "List: 2 lemons, milk.",
     "updates": [{"after": 3, "text": "make it 4 lemons"}], "must": ["\\\\b4 lemons"], "must_not": ["\\\\b2 lemons"]}

The update arrives when the model has emitted `after` words, split at white space, or has ended. `must` and `must_not`
are case-insensitive regular expressions.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..metrics.rules import rule


FIELDS = ("id", "domain", "kind", "prompt", "updates", "must", "must_not")


@dataclass(frozen=True)
class NaturalCase:
    """
    A request and its updates.

    Args:
        id, domain, kind (`str`): Its name, its subject, and the kind of its updates.
        prompt (`str`): The request.
        updates (`tuple[tuple[int, str], ...]`): For each update, after how many emitted words it arrives, and its
            text.
        must, must_not (`tuple[str, ...]`): Regular expressions that the text after the last update must match, and
            must not match.
    """

    id: str
    domain: str
    kind: str
    prompt: str
    updates: tuple[tuple[int, str], ...]
    must: tuple[str, ...]
    must_not: tuple[str, ...]


def is_right(case: NaturalCase, answer: str) -> bool:
    """
    Whether the text after the last update follows it: every `must` occurs, and each match of a `must_not` comes after
    a word of repair or negation in its sentence.
    """
    return rule(answer, case.must, case.must_not).right


def repeating_suffices(case: NaturalCase) -> bool:
    """Whether the last update itself matches every `must`, so that repeating it suffices."""
    return all(re.search(pattern, case.updates[-1][1], re.IGNORECASE) for pattern in case.must)


def count_words(text: str) -> int:
    """Words of a text, split at white space; an unfinished one counts."""
    return len(text.split())


def read_cases(path: str | Path) -> list[NaturalCase]:
    """
    Reads and checks a file of cases.

    Raises:
        ValueError: There is no such file, it holds no case, or a line is wrong; the message names line and field.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"`--data`: there is no file {path}; name a file of cases, one JSON object a line.")
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"`--data`: {path} is not UTF-8; save it as UTF-8.") from error
    cases: list[NaturalCase] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            cases.append(read_case(line, f"{path}, line {number}"))
    if not cases:
        raise ValueError(f"`--data`: {path} holds no case; write one JSON object a line.")
    ids = [case.id for case in cases]
    twice = next((id for id in ids if ids.count(id) > 1), None)
    if twice is not None:
        raise ValueError(f"`--data`: {path} holds two cases with the `id` {twice!r}; give each one of its own.")
    return cases


def read_case(line: str, where: str) -> NaturalCase:
    """
    Checks a line.

    Raises:
        ValueError: It is not JSON, or a field is missing or of a wrong type; the message names it.
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: is not JSON ({error}).") from error
    if not isinstance(row, Mapping):
        raise ValueError(f"{where}: must be an object with {', '.join(FIELDS)}.")
    missing = [name for name in FIELDS if name not in row]
    if missing:
        raise ValueError(f"{where}: `{missing[0]}` is missing; a case has {', '.join(FIELDS)}.")
    for name in ("id", "domain", "kind", "prompt"):
        if not isinstance(row[name], str) or not row[name].strip():
            raise ValueError(f"{where}: `{name}` must be a text, got {row[name]!r}.")
    updates = _list(row["updates"], "updates", where)
    if not updates:
        raise ValueError(f"{where}: `updates` is empty; a case has at least one.")
    return NaturalCase(
        **{name: row[name] for name in ("id", "domain", "kind", "prompt")},
        updates=tuple(_update(update, f"updates[{index}]", where) for index, update in enumerate(updates)),
        must=_patterns(row["must"], "must", where),
        must_not=_patterns(row["must_not"], "must_not", where),
    )


def _list(value: Any, name: str, where: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{where}: `{name}` must be a list, got {value!r}.")
    return value


def _update(value: Any, name: str, where: str) -> tuple[int, str]:
    for field in ("after", "text"):
        if not isinstance(value, Mapping) or field not in value:
            raise ValueError(f"{where}: `{name}.{field}` is missing; an update has `after` and `text`.")
    after, text = value["after"], value["text"]
    if not isinstance(after, int) or isinstance(after, bool) or after < 0:
        raise ValueError(f"{where}: `{name}.after` must be a number of words, got {after!r}.")
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{where}: `{name}.text` must be a text, got {text!r}.")
    return after, text


def _patterns(value: Any, name: str, where: str) -> tuple[str, ...]:
    for index, pattern in enumerate(_list(value, name, where)):
        try:
            re.compile(pattern)
        except (re.error, TypeError) as error:
            raise ValueError(f"{where}: `{name}[{index}]` is no regular expression ({error}).") from error
    return tuple(value)
