"""Stage C: whether thoughts cluster by what they are about, and whether codes of a small vocabulary compose.

After dual_track_reflection.md, 1.2 and 6: a product codebook (VQ-VAE, arXiv 1711.00937) is fitted to the vectors of
thoughts; combinations of (what it is about, type) are held out from it and from the readers of its codes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..modeling.codebook import ProductCodebook


def separation(vectors: np.ndarray, labels: Sequence[Any], seed: int = 0) -> dict[str, float]:
    """
    How much nearer (cosine) two vectors of one label are than two of different ones; the same with labels shuffled,
    which is what chance gives.
    """
    unit = vectors - vectors.mean(0)
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True).clip(1e-9)
    likeness = unit @ unit.T
    apart = ~np.eye(len(unit), dtype=bool)

    def gap(of: np.ndarray) -> float:
        same = of[:, None] == of[None, :]
        return float(likeness[same & apart].mean() - likeness[~same].mean())

    names = np.unique(np.asarray([str(label) for label in labels]), return_inverse=True)[1]
    return {"gap": gap(names), "by chance": gap(np.random.default_rng(seed).permutation(names))}


def fit_codebook(vectors: np.ndarray, parts: int, codes: int, steps: int = 400, seed: int = 0) -> ProductCodebook:
    """
    A codebook that begins at vectors drawn at random and is trained by its own loss.

    Raises:
        ValueError: There are fewer vectors than codes.
    """
    if len(vectors) < codes:
        raise ValueError(f"`codes` ({codes}) must not be more than there are vectors ({len(vectors)}).")
    torch.manual_seed(seed)
    data = torch.as_tensor(vectors, dtype=torch.float32)
    book = ProductCodebook(data.shape[1], parts, codes)
    with torch.no_grad():
        for part in range(parts):
            chosen = torch.randperm(len(data))[:codes]
            book.codes[part] = data.unflatten(-1, (parts, -1))[chosen, part]
    optimizer = torch.optim.Adam(book.parameters(), lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        book(data)[2].backward()
        optimizer.step()
    return book


def read_codes(train: np.ndarray, labels: Sequence[Any], test: np.ndarray, codes: int) -> list[Any]:
    """What codes say: the label under which they are most likely, parts independent (naive Bayes, Laplace)."""
    kinds = sorted(set(labels))
    names = np.asarray([kinds.index(label) for label in labels])
    counts = np.ones((len(kinds), train.shape[1], codes))
    for kind in range(len(kinds)):
        for part in range(train.shape[1]):
            counts[kind, part] += np.bincount(train[names == kind, part], minlength=codes)
    chance = np.log(counts / counts.sum(-1, keepdims=True))
    scores = sum(chance[:, part, test[:, part]] for part in range(train.shape[1]))
    return [kinds[index] for index in np.asarray(scores).argmax(0)]


def composition(
    vectors: np.ndarray, about: Sequence[str], types: Sequence[str], parts: int = 16, codes: int = 32,
    share: float = 0.2, seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """
    Holds out a share of the combinations of what a thought is about and its type, of which each half is known from
    other combinations; then reads both halves from the codes of those that were held out.
    """
    rng = np.random.default_rng(seed)
    pairs = sorted(set(zip(about, types, strict=True)))
    held: set[tuple[str, str]] = set()
    for index in rng.permutation(len(pairs)):
        subject, kind = pairs[index]
        rest = [pair for pair in pairs if pair not in held and pair != pairs[index]]
        if len(held) < share * len(pairs) and any(p[0] == subject for p in rest) and any(p[1] == kind for p in rest):
            held.add(pairs[index])
    out = np.asarray([pair in held for pair in zip(about, types, strict=True)])
    book = fit_codebook(vectors[~out], parts, codes, seed=seed)
    with torch.no_grad():
        quantised, found, _ = book(torch.as_tensor(vectors, dtype=torch.float32))
    indices = found.numpy()
    error = float(((quantised.numpy() - vectors) ** 2).sum() / ((vectors - vectors.mean(0)) ** 2).sum())
    result: dict[str, Any] = {
        "parts": parts, "codes": codes, "held out combinations": len(held), "thoughts held out": int(out.sum()),
        "unexplained variance": error,
        "codes in use": float(np.mean([len(set(column)) for column in indices.T]) / codes),
    }  # fmt: skip
    for name, labels in (("about", about), ("type", types)):
        truth = np.asarray(labels)
        told = read_codes(indices[~out], list(truth[~out]), indices[out], codes)
        right = np.asarray(told) == truth[out]
        most = max(np.mean(truth[out] == label) for label in set(labels))
        result[name] = {"accuracy": float(right.mean()), "most frequent": float(most)}
        result.setdefault("right", right)
        result["right"] = result["right"] & right
    result["both"] = float(result.pop("right").mean())
    return result
