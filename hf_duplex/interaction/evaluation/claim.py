"""
What is claimed of results: a sentence, the place of its number in a JSON file, and what the number has to reach.

Knows nothing of where results come from: `verify.py` reads the files, `interaction_claims.py` holds the claims.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any


HOLDS, SHORT, MISSING = "holds", "falls short", "no evidence"

ROUNDING = 1e-9
"""Sums of floats are that far off; no two shares of examples are so close."""

_COMPARISONS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    ">=": ("at least", lambda value, bound: value >= bound - ROUNDING),
    "<=": ("at most", lambda value, bound: value <= bound + ROUNDING),
    ">": ("above", lambda value, bound: value > bound + ROUNDING),
    "<": ("below", lambda value, bound: value < bound - ROUNDING),
    "==": ("exactly", lambda value, bound: abs(value - bound) <= ROUNDING),
}


@dataclass(frozen=True)
class Claim:
    """
    A sentence, and the number that it stands or falls with.

    Args:
        id (`str`): Its name, in lower case with dashes.
        sentence (`str`): What is claimed.
        file (`str`): The evidence, relative to the folder of results.
        path (`str`): Where in it the numbers stand, see [`find`]. Where there are several, each has to pass.
        comparison (`str`): `">="`, `"<="`, `">"`, `"<"` or `"=="`.
        threshold (`float`): What the number is compared with.
        command (`str`): What makes the file anew.
        against (`str`, *optional*): Where a second number stands, to take from the first: `{0}` is the key that the
            first `*` or `a|b` of `path` met, `{1}` that of the second.
        mean (`bool`, *optional*, defaults to `False`): Compare the mean of the numbers instead of each.
        at_least (`int`, *optional*, defaults to 1): With fewer numbers than this there is no evidence.
        prior (`str`, *optional*): What the prior art reports, on other data.

    Raises:
        ValueError: There is no such comparison.
    """

    id: str
    sentence: str
    file: str
    path: str
    comparison: str
    threshold: float
    command: str
    against: str | None = None
    mean: bool = False
    at_least: int = 1
    prior: str = ""

    def __post_init__(self) -> None:
        if self.comparison not in _COMPARISONS:
            raise ValueError(f"`comparison` must be one of {', '.join(_COMPARISONS)}, got {self.comparison!r}.")

    @property
    def asked(self) -> str:
        """The comparison in words: "at least 0.7"."""
        return f"{_COMPARISONS[self.comparison][0]} {self.threshold:g}"

    @property
    def evidence(self) -> str:
        """File and place in it: what is compared."""
        minus = f" − {self.against}" if self.against else ""
        return f"{self.file}: {'mean of ' if self.mean else ''}{self.path}{minus}"

    def passes(self, value: float) -> bool:
        return _COMPARISONS[self.comparison][1](value, self.threshold)

    def shortfall(self, value: float) -> float:
        """By how much a value misses the threshold; 0 where it passes."""
        return 0.0 if self.passes(value) else abs(value - self.threshold)


@dataclass(frozen=True)
class Measured:
    """
    One number of a claim.

    Args:
        where (`tuple[str, ...]`): The keys that `*` and `a|b` met: `("gru", "3")`.
        value (`float`): What is compared; with `against`, the difference.
        first (`float`), second (`float`, *optional*): Of a difference, what was taken from what.
    """

    where: tuple[str, ...]
    value: float
    first: float
    second: float | None = None


@dataclass(frozen=True)
class Verdict:
    """
    What became of a claim.

    Args:
        claim (`Claim`): The claim.
        status (`str`): `"holds"`, `"falls short"` or `"no evidence"`.
        value (`float`, *optional*): The number that comes nearest to failing, or fails furthest; None where there
            is no evidence.
        where (`str`): Which of several numbers that is.
        reason (`str`): Why there is no evidence.
        measured (`tuple[Measured, ...]`): All numbers of the claim.
    """

    claim: Claim
    status: str
    value: float | None = None
    where: str = ""
    reason: str = ""
    measured: tuple[Measured, ...] = ()

    @property
    def failing(self) -> list[Measured]:
        """The numbers that fall short, the furthest first."""
        found = [entry for entry in self.measured if not self.claim.passes(entry.value)]
        return sorted(found, key=lambda entry: -self.claim.shortfall(entry.value))


class NoEvidence(Exception):
    """There is nothing to hold a claim against; the message says why."""


_FILTER = re.compile(r"(.*)\[(\w+)=(\w+)\]")


def _matching(node: Mapping[str, Any], segment: str) -> Iterator[tuple[str, Any]]:
    """The entries that a segment with a wildcard meets."""
    found = _FILTER.fullmatch(segment)
    pattern, key, wanted = found.groups() if found else (segment, None, None)
    if "*" not in pattern:
        yield from ((name, node.get(name)) for name in pattern.split("|"))
        return
    for name, entry in node.items():
        if fnmatchcase(name, pattern) and (key is None or (isinstance(entry, Mapping) and entry.get(key) == wanted)):
            yield name, entry


def find(results: Any, path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """
    What stands at a path, with the keys that its wildcards met.

    Args:
        results: What a JSON file holds.
        path (`str`): Keys with / between them, of a list its indices. `a|b` is each of some keys; `*` is any part of
            a key, as in file names; `*[sees=streams]` only where the entry holds that under `sees`. What is not there
            is None.
    """
    yield from _walk(results, path.split("/"), ())


def _walk(node: Any, segments: Sequence[str], met: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not segments or node is None:
        yield met, node
        return
    segment, rest = segments[0], segments[1:]
    if isinstance(node, list):
        node = {str(index): entry for index, entry in enumerate(node)}
    if not isinstance(node, Mapping):
        yield met, None
    elif "*" in segment or "|" in segment:
        for name, entry in _matching(node, segment):
            yield from _walk(entry, rest, (*met, name))
    else:
        yield from _walk(node.get(segment), rest, met)


def _numbers(results: Any, path: str) -> list[tuple[tuple[str, ...], float]]:
    """
    The numbers at a path.

    Raises:
        NoEvidence: Something there is no number.
    """
    found = []
    for met, value in find(results, path):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            told = "nothing" if value is None else f"{str(value)[:20]!r}, which is no number,"
            raise NoEvidence(f"there is {told} for {' / '.join(met) or path}")
        found.append((met, float(value)))
    return found


def _measure(claim: Claim, results: Any) -> list[Measured]:
    """
    The numbers of a claim.

    Raises:
        NoEvidence: The file does not hold them, or too few of them.
    """
    found = []
    for met, value in _numbers(results, claim.path):
        if claim.against is None:
            found.append(Measured(met, value, value))
            continue
        path = claim.against.format(*met)
        others = [other for _, other in _numbers(results, path)]
        if len(others) != 1:
            raise NoEvidence(f"{path} holds {len(others)} numbers, not one")
        found.append(Measured(met, value - others[0], value, others[0]))
    if len(found) < claim.at_least:
        raise NoEvidence(f"there are {len(found)} of {claim.at_least} numbers")
    return found


def judge(claim: Claim, results: Any) -> Verdict:
    """Holds a claim against what its evidence file holds."""
    try:
        measured = _measure(claim, results)
    except NoEvidence as error:
        return Verdict(claim, MISSING, reason=str(error))
    if claim.mean:
        value = math.fsum(entry.value for entry in measured) / len(measured)
        where = f"mean of {len(measured)}"
    else:
        worst = max(measured, key=lambda entry: _badness(claim, entry.value))
        value, where = worst.value, " / ".join(worst.where)
    status = HOLDS if claim.passes(value) else SHORT
    return Verdict(claim, status, value, where, measured=tuple(measured))


def _badness(claim: Claim, value: float) -> float:
    """How far on the wrong side of its threshold a value lies; negative on the right side."""
    if claim.comparison == "==":
        return abs(value - claim.threshold)
    return claim.threshold - value if claim.comparison in (">=", ">") else value - claim.threshold
