"""Intervals hold what they promise, tests err as often as they say, and the ends of the scale are no points."""

import numpy as np
import pytest
from scipy import stats

from hf_duplex.evaluation.metrics.revision import RATIOS
from hf_duplex.evaluation.metrics.statistics import breakdown, figures, holm, latency_summary, paired_difference, ratio


def cases(parts, wholes, part="revised_right", whole="revised", **fields):
    return [
        {"split": "test", "seed": 0, "index": index, "counts": {part: int(p), whole: int(w)}, **fields}
        for index, (p, w) in enumerate(zip(parts, wholes, strict=True))
    ]


def draw(rng, samples, share, alike=5.0, mean=2):
    """Counts of samples whose claims hang together: each sample has a share of its own."""
    wholes = rng.poisson(mean, samples)
    own = rng.beta(share * alike, (1 - share) * alike, samples)
    return rng.binomial(wholes, own), wholes


def test_a_ratio_is_that_of_the_sums():
    figure = ratio([1, 0, 3], [1, 2, 5])
    assert figure["value"] == 0.5 and (figure["n"], figure["samples"], figure["seeds"]) == (8, 3, 1)
    low, high = figure["interval"]
    assert 0 <= low < 0.5 < high <= 1


def test_nothing_counted_is_no_figure():
    nothing = {"value": None, "interval": None, "n": 0, "seeds": 1}
    assert ratio([], []) == nothing | {"samples": 0}
    assert ratio([0, 0], [0, 0]) == nothing | {"samples": 0}


@pytest.mark.parametrize("samples", [1, 20, 3000])
def test_none_and_all_have_an_interval_as_wide_as_the_samples_allow(samples):
    none, everything = (ratio([k] * samples, [3] * samples)["interval"] for k in (0, 3))
    assert none[0] == 0 and everything[1] == 1
    # Wilson's, for as many trials as samples: claims of one sample are not independent.
    expected = stats.binomtest(0, samples).proportion_ci(method="wilson").high
    assert none[1] == pytest.approx(expected) and everything[0] == pytest.approx(1 - expected)


def test_it_is_the_bootstrap_of_scipy():
    parts, wholes = draw(np.random.default_rng(0), 400, 0.7)
    ours = ratio(parts, wholes, resamples=20_000)["interval"]
    theirs = stats.bootstrap(
        (parts, wholes),
        lambda p, w, axis: p.sum(axis=axis) / w.sum(axis=axis),
        paired=True,
        n_resamples=5000,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert ours == pytest.approx([theirs.low, theirs.high], abs=0.003)


def test_the_seed_decides():
    parts, wholes = draw(np.random.default_rng(0), 100, 0.7)
    assert ratio(parts, wholes, seed=1) == ratio(parts, wholes, seed=1) != ratio(parts, wholes, seed=2)


@pytest.mark.parametrize(
    ("samples", "share", "alike"), [(200, 0.5, 2), (200, 0.9, 50), (200, 0.98, 2), (1000, 0.98, 50), (1000, 0.998, 2)]
)
def test_95_percent_intervals_hold_the_truth_about_95_times_in_100(samples, share, alike):
    rng, tries = np.random.default_rng(0), 300
    hits = 0
    for seed in range(tries):
        low, high = ratio(*draw(rng, samples, share, alike), seed=seed, resamples=300)["interval"]
        hits += low <= share <= high
    assert 0.91 <= hits / tries <= 0.99


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_with_several_training_seeds_an_interval_holds_what_another_seed_would_give(seeds):
    rng, tries, share = np.random.default_rng(0), 150, 0.6
    hits = narrow = 0
    for seed in range(tries):
        wholes = rng.poisson(2, 150) + 1
        hard = rng.normal(0, 0.15, 150)
        trained = share + rng.normal(0, 0.08, (seeds, 1))
        parts = rng.binomial(wholes, np.clip(trained + hard, 0, 1))
        low, high = ratio(parts, np.tile(wholes, (seeds, 1)), seed=seed, resamples=300)["interval"]
        hits += low <= share <= high
        low, high = ratio(parts[0], wholes, seed=seed, resamples=300)["interval"]
        narrow += low <= share <= high
    # Samples alone know nothing of seeds.
    assert hits / tries >= 0.93 and narrow / tries < 0.8


@pytest.mark.parametrize(
    ("parts", "wholes", "message"),
    [
        ([1], [1, 2], "must both have the shape"),
        ([[[1]]], [[[1]]], "must both have the shape"),
        ([2], [1], "`parts` must lie between 0 and `wholes`"),
        ([-1], [1], "`parts` must lie between"),
        ([0.5], [float("nan")], "`parts` must lie between"),
    ],
)
def test_counts_that_do_not_fit_are_refused(parts, wholes, message):
    with pytest.raises(ValueError, match=message):
        ratio(parts, wholes)


def test_a_difference_is_paired_by_sample_whatever_the_order():
    a, b = cases([2, 1, 0, 2], [2, 2, 2, 2]), cases([1, 0, 0, 2], [2, 2, 2, 2])
    other = [{**case, "index": 99} for case in b[:1]]
    found = paired_difference([a[::-1]], [b + other])
    assert found["value"] == pytest.approx(2 / 8) and found["samples"] == 4
    assert (found["n"], found["seeds"], found["p_seeds"]) == (8, 1, None)


def test_p_is_that_of_all_swaps():
    """Three samples: of the 8 ways to swap, 2 are as far off as what was seen."""
    found = paired_difference([cases([1, 1, 1], [1, 1, 1])], [cases([0, 0, 0], [1, 1, 1])], permutations=40_000)
    assert found["value"] == 1 and found["p"] == pytest.approx(2 / 8, abs=0.01)


def test_no_difference_is_none():
    parts, wholes = draw(np.random.default_rng(0), 1000, 0.9)
    found = paired_difference([cases(parts, wholes)], [cases(parts, wholes)])
    low, high = found["interval"]
    # About 3 in 1000 may differ in the next sample, as in the rule of three.
    assert found["value"] == 0 and found["p"] == 1 and -0.005 < low < -0.001 and 0.001 < high < 0.005


def test_a_difference_of_all_or_nothing_is_seen():
    wholes = [1] * 200
    found = paired_difference([cases([0] * 200, wholes)], [cases(wholes, wholes)])
    low, high = found["interval"]
    assert found["value"] == -1 and found["p"] < 0.001 and low == -1 and high < -0.95


def test_where_one_has_nothing_to_count_there_is_no_difference():
    found = paired_difference([cases([0, 0], [0, 0])], [cases([1, 1], [1, 1])])
    assert [found[name] for name in ("value", "interval", "p", "n")] == [None, None, None, 0]


def test_models_that_are_alike_differ_significantly_5_times_in_100():
    rng, tries = np.random.default_rng(0), 400
    wrong = inside = 0
    for seed in range(tries):
        _, wholes = draw(rng, 120, 0.5)
        own = rng.beta(2, 1, 120)
        a, b = (cases(rng.binomial(wholes, own), wholes) for _ in range(2))
        found = paired_difference([a], [b], seed=seed, resamples=200, permutations=400)
        wrong += found["p"] < 0.05
        inside += found["interval"][0] <= 0 <= found["interval"][1]
    assert 0.02 <= wrong / tries <= 0.08 and 0.91 <= inside / tries <= 0.98


def test_a_small_difference_is_found_since_it_is_paired():
    rng = np.random.default_rng(0)
    parts, wholes = draw(rng, 1000, 0.7)
    better = np.minimum(wholes, parts + (rng.random(1000) < 0.04))
    found = paired_difference([cases(better, wholes)], [cases(parts, wholes)])
    assert found["p"] < 0.01 and found["interval"][0] > 0


def test_training_seeds_count_apart():
    rng, tries = np.random.default_rng(0), 120
    wrong = wrong_over_seeds = inside = 0
    for seed in range(tries):
        wholes = rng.poisson(2, 120) + 1

        def trained(wholes=wholes):
            shares = 0.6 + rng.normal(0, 0.08, 4)
            return [cases(rng.binomial(wholes, np.clip(share, 0, 1)), wholes) for share in shares]

        found = paired_difference(trained(), trained(), seed=seed, resamples=200, permutations=200)
        wrong += found["p"] < 0.05
        wrong_over_seeds += found["p_seeds"] < 0.05
        inside += found["interval"][0] <= 0 <= found["interval"][1]
        assert found["seeds"] == 4
    # These checkpoints do differ; the ways they were trained do not.
    assert wrong / tries > 0.3 and wrong_over_seeds / tries <= 0.1 and inside / tries >= 0.93


def test_models_without_a_common_sample_are_refused():
    a, b = cases([1], [1]), [{**case, "seed": 7} for case in cases([1], [1])]
    with pytest.raises(ValueError, match="no sample in common"):
        paired_difference([a], [b])
    with pytest.raises(ValueError, match="`a` must be a list with a list of cases"):
        paired_difference(a, [b])
    with pytest.raises(ValueError, match="`b` holds a sample twice"):
        paired_difference([a], [a + a])


def test_holm():
    """Worked out by hand: 0.01 * 4, 0.02 * 3, then never falling."""
    found = holm({"c": 0.03, "a": 0.01, "none": None, "d": 0.9, "b": 0.02})
    assert found == {"c": pytest.approx(0.06), "a": 0.04, "none": None, "d": 0.9, "b": 0.06}
    assert list(found) == ["c", "a", "none", "d", "b"] and holm({}) == {}
    with pytest.raises(ValueError, match="`p_values`: a must be between 0 and 1"):
        holm({"a": 1.5})


def test_latencies_by_hand():
    found = latency_summary([[0, 2], [], [2, None], [7]])
    assert (found["median"], found["p95"], found["n"], found["samples"]) == (2, None, 5, 3)
    assert found["mean"] == pytest.approx(11 / 4) and found["never"]["value"] == 0.2
    assert found["histogram"] == {"0": 1, "2": 2, "7": 1, "never": 1}
    assert found["interval"][0] in (0, 2) and found["interval"][1] in (7, None)


def test_latencies_at_the_ends():
    assert latency_summary([[], []])["median"] is None and latency_summary([])["histogram"] == {}
    never = latency_summary([[None], [None, None]])
    assert never["median"] is None and never["mean"] is None and never["never"]["value"] == 1
    always = latency_summary([[3]] * 50)
    assert always["interval"] == [3, 3] and always["p95"] == 3 and always["never"]["interval"][1] > 0.01


def test_medians_are_those_of_numpy():
    rng = np.random.default_rng(0)
    rows = [rng.poisson(6, rng.integers(0, 4)).tolist() for _ in range(301)]
    flat = [value for row in rows for value in row]
    found = latency_summary(rows)
    assert found["median"] == np.quantile(flat, 0.5, method="inverted_cdf")
    assert found["p95"] == np.quantile(flat, 0.95, method="inverted_cdf")
    assert found["interval"][0] <= found["median"] <= found["interval"][1]


def test_every_metric_of_a_model():
    found = figures([cases([1, 1], [1, 2])])
    assert list(found) == list(RATIOS) and found["revision_accuracy"]["value"] == pytest.approx(2 / 3)
    assert found["retention"]["value"] is None


def test_only_what_all_training_seeds_played_counts():
    one, two = cases([1, 1, 0], [1, 1, 1]), cases([0, 1], [1, 1])
    figure = figures([one, two])["revision_accuracy"]
    assert (figure["value"], figure["n"], figure["samples"], figure["seeds"]) == (0.75, 4, 2, 2)


def test_metrics_apart():
    made = [
        *cases([1], [1], family="a", updates=1, kinds=["correction"], places=[0.32]),
        *cases([0, 2], [1, 2], family="b", updates=16, kinds=["correction", "chatter"], places=[0.3, 0.99, 1.0])[1:],
    ]
    found = breakdown([made])
    values = {
        way: {group: metrics["revision_accuracy"]["n"] for group, metrics in found[way].items()}
        for way in ("families", "kinds", "updates", "places")
    }
    assert values == {
        "families": {"a": 1, "b": 2},
        "kinds": {"chatter": 2, "correction": 3},
        "updates": {"1": 1, "16": 2},
        "places": {"0.3": 3, "0.9": 2, "1.0": 2},
    }
    assert found["metrics"]["revision_accuracy"]["n"] == 3
