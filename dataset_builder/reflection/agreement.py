"""Two oracles compared: which of their annotations are of the same thing, and how far they agree on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .schema import Annotation


Similarity = Callable[[str, str], float]


def word_overlap(one: str, other: str) -> float:
    """Share of words that two summaries have in common (Dice); for where there is no sentence-embedding model."""
    a, b = set(one.lower().split()), set(other.lower().split())
    return 2 * len(a & b) / max(1, len(a) + len(b))


def cohens_kappa(one: Sequence[str], other: Sequence[str]) -> float:
    """
    Agreement on labels beyond chance (Cohen, 1960); 1 where both say one label alone.

    Raises:
        ValueError: They are not as many, or there are none.
    """
    if len(one) != len(other) or not one:
        raise ValueError(f"`one` and `other` must be as many labels, at least one; not {len(one)} and {len(other)}.")
    observed = sum(a == b for a, b in zip(one, other, strict=True)) / len(one)
    expected = sum(one.count(label) * other.count(label) for label in set(one) | set(other)) / len(one) ** 2
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


@dataclass(frozen=True)
class Agreement:
    """
    Args:
        pairs: Numbers of the annotations of both that are of the same thing.
        labels: What each says at every place where at least one of them says something; "none" for nothing.
        kept: Those of the first on which both agree: the same type, and similar summaries.
    """

    pairs: list[tuple[int, int]]
    labels: tuple[list[str], list[str]]
    kept: list[Annotation]

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa on the types of what both annotated; None where there is nothing."""
        both = [(a, b) for a, b in zip(*self.labels, strict=True) if "none" not in (a, b)]
        return cohens_kappa([a for a, _ in both], [b for _, b in both]) if both else None


def compare(
    one: Sequence[Annotation],
    other: Sequence[Annotation],
    similarity: Similarity = word_overlap,
    least: float = 0.5,
    turns: int = 0,
) -> Agreement:
    """Pairs annotations of the same turn (or as many turns apart), the most similar first."""
    candidates = sorted(
        (
            (similarity(a.summary, b.summary), i, j)
            for i, a in enumerate(one)
            for j, b in enumerate(other)
            if abs(a.turn - b.turn) <= turns
        ),
        reverse=True,
    )
    pairs: list[tuple[int, int]] = []
    close: dict[int, float] = {}
    for score, i, j in candidates:
        if all(i != a and j != b for a, b in pairs):
            pairs.append((i, j))
            close[i] = score
    pairs.sort()
    labels = ([one[i].type for i, _ in pairs], [other[j].type for _, j in pairs])
    alone = len(one) - len(pairs), len(other) - len(pairs)
    taken = {i for i, _ in pairs}, {j for _, j in pairs}
    labels = (
        labels[0] + [a.type for i, a in enumerate(one) if i not in taken[0]] + ["none"] * alone[1],
        labels[1] + ["none"] * alone[0] + [b.type for j, b in enumerate(other) if j not in taken[1]],
    )
    kept = [one[i] for i, j in pairs if one[i].type == other[j].type and close[i] >= least]
    return Agreement(pairs, labels, kept)
