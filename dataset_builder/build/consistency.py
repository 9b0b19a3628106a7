"""Constraints between the columns of a row, independent of how the row was made."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Any

from ..families.everyday.reader import find
from ..world.facts import NONE


Row = dict[str, Any]


def contradictions(row: Row) -> list[str]:
    """
    Finds all contradictions in a row.

    Args:
        row (`dict`): A row of `dataset_builder.build.schema.SCHEMA`.

    Returns:
        `list[str]`: One sentence per contradiction that names the column; empty for a consistent row.
    """
    return [found for look in _LOOKS for found in look(row)]


def _truth(row: Row, key: str, version: int) -> str | None:
    """The value of a key at a version, from `timeline`."""
    told = [entry["value"] for entry in row["timeline"] if entry["key"] == key and entry["version"] <= version]
    return told[-1] if told else None


def _length(row: Row) -> int:
    return len(row["initial_target"]) + len(row["revised_target"])


def _updates(row: Row) -> Iterator[str]:
    length, before = _length(row), (0, 0)
    for number, update in enumerate(row["updates"]):
        now = update["position"], update["earliest"]
        if not 0 <= now[0] <= now[1] <= length:
            yield f"`updates[{number}]`: position and earliest, {now}, do not ascend within 0 to {length}"
        if now[0] < before[0] or now[1] < before[1]:
            yield f"`updates[{number}]` comes at {now}, before the one ahead of it at {before}"
        before = now
    step = row["updates"][0]["position"] if row["updates"] else -1
    if row["update_step"] != step:
        yield f"`update_step` is {row['update_step']}, the first update comes at {step}"
    cut = step if row["updates"] else length
    if len(row["initial_target"]) != cut:
        yield f"`initial_target` ends at {len(row['initial_target'])}, not at {cut}"


def _flags(row: Row) -> Iterator[str]:
    repaired = any(update["repair"] for update in row["updates"])
    if row["requires_revision"] != repaired:
        yield f"`requires_revision` is {row['requires_revision']}, the updates' `repair` say {repaired}"
    if (row["phase"] == 1) != (not row["updates"]) or row["phase"] not in (1, 2, 3):
        yield f"`phase` is {row['phase']} in a row with {len(row['updates'])} updates"


def _repairs(row: Row) -> Iterator[str]:
    length, last, at = _length(row), len(row["updates"]), 0
    for number, repair in enumerate(row["repairs"]):
        if not at <= repair["start"] < repair["end"] <= length:
            yield f"`repairs[{number}]`: {repair['start']} to {repair['end']} is no span behind {at} within the target"
            continue
        at = repair["end"]
        if not 1 <= repair["version"] <= last:
            yield f"`repairs[{number}]`: version {repair['version']} with {last} updates"
        elif repair["start"] < row["updates"][repair["version"] - 1]["earliest"]:
            yield f"`repairs[{number}]` starts at {repair['start']}, before the update that called for it was heard"


def _claims(row: Row) -> Iterator[str]:
    target = row["initial_target"] + row["revised_target"]
    heard = [update["earliest"] for update in row["updates"]]
    names = {fact["name"] for fact in row["facts"]}
    names.update(change["fact"] for update in row["updates"] for change in update["changes"])
    for number, claim in enumerate(row["provenance"]):
        start, end, version = claim["start"], claim["end"], claim["version"]
        name = f"`provenance[{number}]` ({claim['key']})"
        if not 0 <= start < end <= len(target):
            yield f"{name}: {start} to {end} is no span within the {len(target)} characters of the target"
            continue
        due = _truth(row, claim["key"], version)
        if claim["complete"] and claim["value"] != due:
            yield f"{name}: its value is {claim['value']!r}, `timeline` tells {due!r} at version {version}"
        if claim["complete"] and claim["value"] != NONE and not _writes(row, target[start:end], claim["value"]):
            yield f"{name}: its value {claim['value']!r} is not in {target[start:end]!r}"
        # A claim that continues after an update takes the version of the last value that it states. So versions never
        # decrease from a claim to one that starts after its end.
        low, high = bisect_right(heard, start), bisect_right(heard, end - 1)
        if not low <= version <= high:
            yield f"{name}: version {version}, where {low} to {high} updates had been heard"
        stale = claim["stale_version"]
        if stale != -1 and not version < stale <= len(heard):
            yield f"{name}: stale_version {stale}, with version {version} and {len(heard)} updates"
        if unknown := [fact for fact in claim["facts"] if fact not in names]:
            yield f"{name} depends on {unknown[0]!r}, which `facts` lacks"


def _writes(row: Row, text: str, value: str) -> bool:
    """Whether a text contains a value, in any of the family's ways to write it."""
    return value in text or (row["task_type"] == "everyday" and find(value, text) is not None)


def _answers(row: Row) -> Iterator[str]:
    said = {claim["key"]: claim["value"] for claim in sorted(row["provenance"], key=_end) if claim["complete"]}
    begun = {claim["key"] for claim in row["provenance"]}
    stopped = any(update["kind"] == "stop" for update in row["updates"])
    for answer in row["answers"]:
        key, value = answer["key"], answer["value"]
        if value != _truth(row, key, len(row["updates"])):
            yield f"`answers`: {key!r} is {value!r}, which `timeline` does not tell"
        if key in said:
            if said[key] != value:
                yield f"`answers`: {key!r} is {value!r}, stated last was {said[key]!r}"
        # A claim without a value may be omitted, unless it was already mentioned; a stop may also come first.
        elif not stopped and (value != NONE or key in begun):
            yield f"`answers`: {key!r} is never stated to its end"


def _tokens(row: Row) -> Iterator[str]:
    if "metadata" not in row:  # built without a tokenizer
        return
    told, initial, count = row["metadata"], len(row["initial_target_tokens"]), len(row["updates"])
    length = initial + len(row["revised_target_tokens"])
    for name in ("task_type", "requires_revision", "phase", "split", "seed", "index"):
        if told[name] != row[name]:
            yield f"`metadata.{name}` is {told[name]!r}, `{name}` is {row[name]!r}"
    lists = {"update_tokens": len(row["update_tokens"])}
    lists |= {f"metadata.{name}": len(told[name]) for name in ("update_positions", "earliest")}
    for name, found in lists.items():
        if found != count:
            yield f"`{name}` has {found} entries for {count} updates"
    for name in ("token_versions", "token_claims"):
        if len(told[name]) != length:
            yield f"`metadata.{name}` has {len(told[name])} entries for {length} tokens"
    if told["update_step"] != (initial if count else -1):
        yield f"`metadata.update_step` is {told['update_step']}, `initial_target_tokens` are {initial}"


def _end(claim: dict[str, Any]) -> int:
    return int(claim["end"])


_LOOKS: tuple[Callable[[Row], Iterator[str]], ...] = (_updates, _flags, _repairs, _claims, _answers, _tokens)
