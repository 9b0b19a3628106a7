"""
Intervals, paired tests and their correction, as pure functions of counts.

A metric is a ratio of two counts that are summed over samples: revision accuracy is `revised_right / revised`. Samples
are drawn at random, and the claims within one are correlated: so samples are resampled, never single claims. Where a
model was trained with several seeds, all its checkpoints were run on the same samples: a resample draws training seeds
first, then one set of samples for all of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from .revision import RATIOS


Case = Mapping[str, Any]
"""The score of one transcript: `split`, `seed` and `index` identify the sample, `counts` holds its counts by name."""

RESAMPLES, PERMUTATIONS = 2_000, 10_000
# With fewer samples than this on one side, resampling cannot estimate the spread.
FEW = 10
_Z = float(stats.norm.ppf(0.975))


def _totals(columns: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """
    Column sums of bootstrap resamples of rows: (rows, columns) -> (resamples, columns). Equal rows are not
    drawn one by one: the number of times that each is drawn is multinomial.
    """
    table, times = np.unique(columns, axis=0, return_counts=True)
    return rng.multinomial(len(columns), times / len(columns), size=resamples) @ table


def _share(parts: np.ndarray, wholes: np.ndarray) -> np.ndarray:
    """Ratios; resamples with a zero denominator are left out."""
    return parts[wholes > 0] / wholes[wholes > 0]


def _percentiles(values: np.ndarray) -> list[float]:
    return [float(bound) for bound in np.percentile(values, [2.5, 97.5])]


def _seed_weights(seeds: int, degrees: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """
    The weight of each training seed in each resample, `(resamples, seeds)`. Resamples of a few seeds vary less than
    seeds do, by the factor `(seeds - 1) / seeds` in the variance, and a few seeds estimate that variance poorly
    (Student's t): the weights are spread to correct for both.
    """
    if seeds == 1:
        return np.ones((resamples, 1))
    spread = (seeds / (seeds - 1)) ** 0.5 * float(stats.t.ppf(0.975, degrees)) / _Z
    return 1 + spread * (rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) - 1)


def _wilson(value: float, n: float) -> tuple[float, float]:
    centre = (value + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * (value * (1 - value) / n + (_Z / (2 * n)) ** 2) ** 0.5
    return max(0.0, min(value, centre - half)), min(1.0, max(value, centre + half))


def wilson(right: int, n: int) -> dict[str, Any]:
    """
    A share of independent cases with its 95 % interval (Wilson, 1927).

    Returns:
        `right`, `n`, `value` and `interval`, the last two None where `n` is 0.
    """
    if not 0 <= right <= n:
        raise ValueError(f"`right` must lie between 0 and `n` ({n}), got {right}.")
    share = right / n if n else None
    return {"right": right, "n": n, "value": share, "interval": list(_wilson(share, n)) if share is not None else None}


def mcnemar(a: Sequence[bool], b: Sequence[bool]) -> dict[str, Any]:
    """
    McNemar's exact test for two models on the same cases: are the cases that only one has right split evenly?

    Args:
        a, b (`Sequence[bool]`): For each case, in the same order, whether it was right.

    Returns:
        `difference` (of the shares), `only_a` and `only_b` (cases that only this model has right), the two-sided `p`.

    Raises:
        ValueError: They are not of the same length, or empty.
    """
    if not a or len(a) != len(b):
        raise ValueError(f"`a` and `b` must judge the same cases, at least one, got {len(a)} and {len(b)}.")
    only_a, only_b = (sum(x and not y for x, y in zip(*sides)) for sides in ((a, b), (b, a)))
    p = float(stats.binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    return {"difference": (only_a - only_b) / len(a), "only_a": only_a, "only_b": only_b, "p": p}


def _effective_n(parts: np.ndarray, wholes: np.ndarray, value: float) -> float:
    """The effective number of independent claims, from the correlation of claims within a sample."""
    counted = int((wholes > 0).sum())
    if counted < 2 or not 0 < value < 1:
        return counted
    variance = counted / (counted - 1) * float(((parts - value * wholes) ** 2).sum()) / float(wholes.sum()) ** 2
    return max(1.0, min(float(wholes.sum()), value * (1 - value) / variance)) if variance else counted


def _check_counts(parts: Any, wholes: Any) -> tuple[np.ndarray, np.ndarray]:
    parts, wholes = np.asarray(parts, dtype=float), np.asarray(wholes, dtype=float)
    if parts.shape != wholes.shape or parts.ndim not in (1, 2):
        raise ValueError(
            f"`parts` and `wholes` must both have the shape (samples,) or (training seeds, samples), got "
            f"{parts.shape} and {wholes.shape}: give one count of each for every sample."
        )
    if not np.isfinite([parts, wholes]).all() or (parts < 0).any() or (parts > wholes).any():
        raise ValueError("`parts` must lie between 0 and `wholes` in every sample: count a part of what was counted.")
    return np.atleast_2d(parts), np.atleast_2d(wholes)


def ratio(parts: Any, wholes: Any, seed: int = 0, resamples: int = RESAMPLES) -> dict[str, Any]:
    """
    A share with its 95 % interval: a bootstrap over samples, and over training seeds first where there are several.
    Where fewer than 10 samples are on one side the interval is Wilson's, for the effective number of independent
    claims, so that a share of 0 or 1 has an interval too.

    Args:
        parts (array of shape `(samples,)` or `(training seeds, samples)`): The numerator of each sample.
        wholes (array of the same shape): The denominator of each sample.
        seed (`int`, *optional*, defaults to 0): Of the resamples.
        resamples (`int`, *optional*, defaults to 2000): How many.

    Returns:
        A figure: `value` and `interval` (None where nothing was counted), `n` (the sum of `wholes`), `samples` (those
        with something to count), `seeds` (training seeds).

    Raises:
        ValueError: The counts are inconsistent.
    """
    parts, wholes = _check_counts(parts, wholes)
    seeds = len(parts)
    part, whole = parts.sum(0), wholes.sum(0)
    figure: dict[str, Any] = {
        "value": None,
        "interval": None,
        "n": int(whole.sum()),
        "samples": int((whole > 0).sum()),
        "seeds": seeds,
    }
    if not whole.sum():
        return figure
    figure["value"] = value = float(part.sum() / whole.sum())
    few = min(int((part > 0).sum()), int((part < whole).sum())) < FEW
    found = list(_wilson(value, _effective_n(part, whole, value))) if few else [value, value]
    if seeds > 1 or not few:
        rng = np.random.default_rng(seed)
        drawn = _seed_weights(seeds, seeds - 1, resamples, rng)
        totals = _totals(np.concatenate([parts, wholes]).T, resamples, rng)
        shares = _share((drawn * totals[:, :seeds]).sum(1), (drawn * totals[:, seeds:]).sum(1))
        low, high = _percentiles(shares)
        found = [max(0.0, min(found[0], low)), min(1.0, max(found[1], high))]
    figure["interval"] = found
    return figure


def _key(case: Case) -> tuple[str, int, int]:
    return case["split"], case["seed"], case["index"]


def _by_sample(runs: Sequence[Sequence[Case]], argument: str) -> list[dict[tuple[str, int, int], Case]]:
    """The cases of each training seed by their sample."""
    if not runs or isinstance(runs[0], Mapping):
        raise ValueError(f"`{argument}` must be a list with a list of cases for each training seed: wrap one in [ ].")
    found = []
    for cases in runs:
        by_key = {_key(case): case for case in cases}
        if len(by_key) < len(cases):
            raise ValueError(f"`{argument}` holds a sample twice: give the cases of another training seed apart.")
        found.append(by_key)
    return found


def _counts(runs: Sequence[Mapping[Any, Case]], keys: Iterable[Any], name: str) -> np.ndarray:
    """A count of `(training seeds, samples)`; 0 for a case that does not have it."""
    keys = list(keys)
    return np.array([[run[key]["counts"].get(name, 0) for key in keys] for run in runs], dtype=float)


def figures(runs: Sequence[Sequence[Case]], seed: int = 0, resamples: int = RESAMPLES) -> dict[str, dict[str, Any]]:
    """
    Every metric of a model, see [`ratio`].

    Args:
        runs (`Sequence[Sequence[Case]]`): For each training seed, its cases; only samples that all seeds ran are used.
        seed (`int`, *optional*, defaults to 0): Of the resamples.
        resamples (`int`, *optional*, defaults to 2000): How many.
    """
    by_sample = _by_sample(runs, "runs")
    keys = sorted(set.intersection(*(set(run) for run in by_sample)))
    return {
        name: ratio(_counts(by_sample, keys, part), _counts(by_sample, keys, whole), seed, resamples)
        for name, (part, whole) in RATIOS.items()
    }


def breakdown(runs: Sequence[Sequence[Case]], seed: int = 0, resamples: int = RESAMPLES) -> dict[str, Any]:
    """
    Every metric over all cases (`metrics`), and by `families`, `kinds`, number of `updates` and `places`, the tenth of
    the text in which an update arrived. A case with updates of several kinds, or in several places, counts in each of
    them.

    Args:
        runs (`Sequence[Sequence[Case]]`): For each training seed, its cases, of one split.
        seed (`int`, *optional*, defaults to 0): Of the resamples.
        resamples (`int`, *optional*, defaults to 2000): How many.
    """
    ways = {
        "families": lambda case: [case["family"]],
        "kinds": lambda case: case["kinds"],
        "updates": lambda case: [case["updates"]],
        "places": lambda case: [int(10 * place + 1e-9) / 10 for place in case["places"]],
    }
    found: dict[str, Any] = {"metrics": figures(runs, seed, resamples)}
    for name, groups in ways.items():
        members: dict[Any, list[list[Case]]] = {}
        for run, cases in enumerate(runs):
            for case in cases:
                for group in set(groups(case)):
                    members.setdefault(group, [[] for _ in runs])[run].append(case)
        found[name] = {str(group): figures(members[group], seed, resamples) for group in sorted(members)}
    return found


def paired_difference(
    a: Sequence[Sequence[Case]],
    b: Sequence[Sequence[Case]],
    part: str = "revised_right",
    whole: str = "revised",
    seed: int = 0,
    resamples: int = RESAMPLES,
    permutations: int = PERMUTATIONS,
) -> dict[str, Any]:
    """
    How much higher a metric is for model `a` than for model `b`, on the samples that both ran.

    Args:
        a, b (`Sequence[Sequence[Case]]`): For each training seed of a model, its cases.
        part, whole (`str`): The counts that the metric is the ratio of.
        seed (`int`, *optional*, defaults to 0): Of resamples and permutations.
        resamples (`int`, *optional*, defaults to 2000): For the interval.
        permutations (`int`, *optional*, defaults to 10000): For `p`.

    Returns:
        `value` and its 95 % `interval` (a bootstrap: training seeds first, then samples); `p` of a permutation test
        that swaps the two models in samples at random, which compares these checkpoints; `p_seeds` of Welch's test
        over training seeds, which compares the training methods (None unless both have two or more); `n` (the
        smaller of the two sums of `whole`), `samples`, `seeds` (the smaller number). Where nothing was counted: None.

    Raises:
        ValueError: The two have no sample in common, or a list of cases is unusable.
    """
    runs = {"a": _by_sample(a, "a"), "b": _by_sample(b, "b")}
    keys = sorted(set.intersection(*(set(run) for found in runs.values() for run in found)))
    if not keys:
        raise ValueError("`a` and `b` have no sample in common: play both models the same split and seed.")
    parts = {name: _counts(found, keys, part) for name, found in runs.items()}
    wholes = {name: _counts(found, keys, whole) for name, found in runs.items()}
    for name in runs:
        _check_counts(parts[name], wholes[name])
    found: dict[str, Any] = {
        "value": None,
        "interval": None,
        "p": None,
        "p_seeds": None,
        "n": int(min(wholes["a"].sum(), wholes["b"].sum())),
        "samples": len(keys),
        "seeds": min(len(a), len(b)),
    }
    if not found["n"]:
        return found
    rng = np.random.default_rng(seed)
    value = float(parts["a"].sum() / wholes["a"].sum() - parts["b"].sum() / wholes["b"].sum())
    found["value"] = value
    found["interval"] = _difference_interval(parts, wholes, value, resamples, rng)
    found["p"] = _swap_test(parts, wholes, permutations, rng)
    found["p_seeds"] = _seed_test(parts, wholes)
    return found


def _difference_interval(
    parts: dict[str, np.ndarray], wholes: dict[str, np.ndarray], value: float, resamples: int, rng: np.random.Generator
) -> list[float]:
    degrees = len(parts["a"]) + len(parts["b"]) - 2
    totals = _totals(np.concatenate([parts["a"], wholes["a"], parts["b"], wholes["b"]]).T, resamples, rng)
    shares, at, something = {}, 0, np.ones(resamples, dtype=bool)
    for name in ("a", "b"):
        width = len(parts[name])
        drawn = _seed_weights(width, degrees, resamples, rng)
        part = (drawn * totals[:, at : at + width]).sum(1)
        whole = (drawn * totals[:, at + width : at + 2 * width]).sum(1)
        shares[name], at = part / np.maximum(whole, 1e-12), at + 2 * width
        something &= whole > 0
    low, high = _percentiles((shares["a"] - shares["b"])[something])

    # The contribution of each sample to the difference; where few contribute, one sample in favour of each model is
    # added (Bonett and Price, 2012).
    added = value
    for name, sign in (("a", 1), ("b", -1)):
        part, whole = parts[name].sum(0), wholes[name].sum(0)
        added = added + sign * (part - part.sum() / whole.sum() * whole) / whole.mean()
    differs = parts["a"].mean(0) * wholes["b"].mean(0) != parts["b"].mean(0) * wholes["a"].mean(0)
    if int(differs.sum()) < FEW:
        more = np.append(added, [1.0, -1.0])
        half = _Z * float(more.std()) / len(more) ** 0.5
        low, high = min(low, float(more.mean()) - half), max(high, float(more.mean()) + half)
    return [max(-1.0, low), min(1.0, high)]


def _swap_test(
    parts: dict[str, np.ndarray], wholes: dict[str, np.ndarray], permutations: int, rng: np.random.Generator
) -> float:
    """
    Two-sided p of a permutation test: if the models are alike, swapping their counts in any sample changes nothing.
    """
    columns = np.stack([side[name].mean(0) for name in ("a", "b") for side in (parts, wholes)], axis=1)
    table, times = np.unique(columns, axis=0, return_counts=True)
    swapped = rng.binomial(times, 0.5, size=(permutations, len(times)))
    first = (times - swapped) @ table[:, :2] + swapped @ table[:, 2:]
    second = swapped @ table[:, :2] + (times - swapped) @ table[:, 2:]
    total = times @ table
    seen = abs(total[0] / total[1] - total[2] / total[3])
    # A swap that leaves one side with a zero denominator has no ratio; it counts as the most extreme.
    one, two = (
        np.where(side[:, 1] > 0, side[:, 0] / np.maximum(side[:, 1], 1e-12), np.inf) for side in (first, second)
    )
    as_far = int((np.abs(one - two) >= seen - 1e-12).sum())
    return (1 + as_far) / (1 + permutations)


def _seed_test(parts: dict[str, np.ndarray], wholes: dict[str, np.ndarray]) -> float | None:
    ratios = [_share(parts[name].sum(1), wholes[name].sum(1)) for name in ("a", "b")]
    if min(map(len, ratios)) < 2 or not any(np.ptp(values) for values in ratios):
        return None
    moments = [moment for values in ratios for moment in (values.mean(), values.std(ddof=1), len(values))]
    return float(stats.ttest_ind_from_stats(*moments, equal_var=False).pvalue)


def holm(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """
    P-values corrected for multiple tests (Holm, 1979).

    Args:
        p_values (`Mapping[str, float | None]`): By name; None (not testable) stays None and is not counted.

    Raises:
        ValueError: One is not between 0 and 1.
    """
    tested = sorted((p, name) for name, p in p_values.items() if p is not None)
    adjusted: dict[str, float | None] = dict.fromkeys(p_values)
    highest = 0.0
    for rank, (p, name) in enumerate(tested):
        if not 0 <= p <= 1:
            raise ValueError(f"`p_values`: {name} must be between 0 and 1, got {p}.")
        highest = max(highest, min(1.0, p * (len(tested) - rank)))
        adjusted[name] = highest
    return adjusted


def latency_summary(
    latencies: Sequence[Sequence[int | None]], seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Any]:
    """
    How long it takes until the text reflects an update.

    Args:
        latencies (`Sequence[Sequence[int | None]]`): For each sample, the latency of each of its updates; None where
            the text never reflects it.
        seed (`int`, *optional*, defaults to 0): Of the resamples.
        resamples (`int`, *optional*, defaults to 2000): How many.

    Returns:
        `median` and `p95` over all updates, where one that is never reflected is later than any (None: never); the
        95 % `interval` of the median (None for a bound of never); `mean` over reflected updates; `never`, the share
        that is never reflected (a figure, see [`ratio`]); `histogram`, updates by latency, with those never reflected
        under `"never"`; `n` updates, `samples`.
    """
    showed = sorted({value for row in latencies for value in row if value is not None})
    column = {value: place for place, value in enumerate(showed)}
    counts = np.zeros((len(latencies), len(showed) + 1))
    for sample, row in enumerate(latencies):
        for value in row:
            counts[sample, len(showed) if value is None else column[value]] += 1
    total = counts.sum(0)
    n = int(total.sum())
    never = ratio(counts[:, -1], counts.sum(1), seed, resamples)
    histogram = {str(value): int(total[place]) for value, place in column.items()}
    if n:
        histogram["never"] = int(total[-1])
    found: dict[str, Any] = {
        "median": None,
        "interval": None,
        "mean": None,
        "p95": None,
        "never": never,
        "histogram": histogram,
        "n": n,
        "samples": never["samples"],
    }
    if not n:
        return found
    values = np.array([*showed, np.inf])

    def quantile(numbers: np.ndarray, share: float) -> np.ndarray:
        """The given quantile of the latencies: (..., latencies) -> (...)."""
        reached = numbers.cumsum(-1) >= share * numbers.sum(-1, keepdims=True) - 1e-9
        return values[reached.argmax(-1)]

    def finite(value: Any) -> float | None:
        return float(value) if np.isfinite(value) else None

    draws = _totals(counts, resamples, np.random.default_rng(seed))
    medians = np.sort(quantile(draws[draws.sum(1) > 0], 0.5))
    bounds = (medians[int(share * (len(medians) - 1))] for share in (0.025, 0.975))
    found["median"], found["p95"] = finite(quantile(total, 0.5)), finite(quantile(total, 0.95))
    found["interval"] = [finite(bound) for bound in bounds]
    found["mean"] = float((values[:-1] * total[:-1]).sum() / total[:-1].sum()) if showed else None
    return found
