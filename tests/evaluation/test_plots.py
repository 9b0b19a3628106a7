"""Figures hold what the results say, in words and numbers; bad results are named."""

import re

import pytest

from hf_duplex.evaluation.reporting.plots import (
    _spread,
    ablation_figure,
    accuracy_against_updates,
    latency_histogram,
    slot_movement,
)


def figure(value, samples=40):
    if value is None:
        return {"value": None, "interval": None, "n": 0, "samples": 0}
    return {
        "value": value,
        "interval": [max(0, value - 0.1), min(1, value + 0.1)],
        "n": 2 * samples,
        "samples": samples,
    }


def by_updates(**values):
    return {"updates": {count[1:]: {"revision_accuracy": figure(value)} for count, value in values.items()}}


RESULTS = {
    "format": 2,
    "models": {
        "workspace": {
            "splits": {
                "test": by_updates(_0=None, _1=0.9, _4=0.8)
                | {"latency": {"histogram": {"0": 5, "3": 10, "500": 1, "never": 4}, "median": 3}},
                "more_updates": by_updates(_4=0.1, _16=0.7, _64=0.6),
            }
        },
        "baseline": {
            "splits": {
                "test": by_updates(_1=0.95) | {"latency": {"histogram": {"never": 4}, "median": None}},
                "long": {},
            }
        },
    },
}


@pytest.fixture
def drawn(tmp_path):
    """Draws a figure, and returns the words in it."""

    def draw(plot, *arguments, **options):
        path = tmp_path / "new" / "figure.svg"
        plot(*arguments, path, **options)
        text = path.read_text()
        # Words are drawn as shapes; matplotlib keeps each as a comment.
        return [re.sub("&gt;", ">", word.strip()) for word in re.findall(r"<!--(.*?)-->", text, re.DOTALL)]

    return draw


def test_accuracy_against_updates(drawn):
    words = drawn(accuracy_against_updates, RESULTS)
    assert {"workspace", "baseline", "1", "4", "16", "64", "revision accuracy"} <= set(words)
    assert "0" not in words  # nothing was counted there
    assert "updates in a sample (test: 1 to 4; more_updates: 16 to 64)" in words
    assert "95 % intervals; 40 samples a point, training seeds: 1" in words


def test_the_first_split_that_has_a_number_of_updates_gives_it(drawn):
    words = drawn(accuracy_against_updates, RESULTS, splits=["more_updates"])
    assert "updates in a sample (more_updates: 4 to 64)" in words and "baseline" not in words


def test_latency_histogram(drawn):
    words = drawn(latency_histogram, RESULTS)
    assert "workspace: median 3 (20 updates)" in words and "baseline: median: never (4 updates)" in words
    assert {"20.0%", "100.0%", "never"} <= set(words)


def test_a_latency_far_out_shares_the_last_bar(drawn):
    far = {str(value): 100 for value in range(10)} | {"500": 1, "never": 0}
    results = {"format": 2, "models": {"m": {"splits": {"test": {"latency": {"histogram": far, "median": 4}}}}}}
    (label,) = (word for word in drawn(latency_histogram, results) if word.startswith("emitted tokens"))
    assert label.endswith("the last bar holds all from 9")


def slot(number, after, text=None, moved=0.0):
    return {"slot": number, "text": text, "message": 1, "before": None, "after": after, "moved": moved}


def test_slot_movement(drawn):
    messages = [
        {"kind": "prompt", "text": "x = 5,", "slots": [slot(0, 1.0, " x"), slot(1, 1.0, "5")]},
        {"kind": "update", "text": "Actually x = 7. " * 9, "slots": [slot(0, 0.9, " x"), slot(1, None, "5")]},
        {"kind": "update", "text": "Never heard"},
    ]
    words = drawn(slot_movement, {"update_type": "validity", "messages": messages})
    assert {"x", "5", "1: x = 5,", "2: Actually x = 7. Actually x…", "3: Never heard"} <= set(words)
    assert "all slots; grey: not there; orange: updates" in words


def test_of_many_slots_those_are_shown_that_changed_most(drawn):
    first = [slot(number, 1.0, f"w{number}") for number in range(100)]
    second = [slot(number, number / 100, f"w{number}") for number in range(100)]
    messages = [{"kind": "prompt", "text": "a", "slots": first}, {"kind": "update", "text": "b", "slots": second}]
    words = drawn(slot_movement, {"update_type": "validity", "messages": messages})
    assert {word for word in words if word.startswith("w")} == {f"w{number}" for number in range(40)}
    assert any(word.startswith("40 of 100 slots") for word in words)


def test_latent_slots_move(drawn):
    messages = [{"kind": "prompt", "text": "a", "slots": [slot(0, 1.0, moved=0.5), slot(1, 1.0)]}]
    words = drawn(slot_movement, {"update_type": "gated", "messages": messages})
    assert {"slot 0", "slot 1", "relative motion"} <= set(words)


def variant(group, value=None, status="measured", hurts=None, seeds=1):
    metrics = {} if value is None else {"revision_accuracy": {**figure(value), "seeds": seeds}}
    return {"group": group, "status": status, "metrics": metrics, "hurts": hurts}


def test_ablation_figure(drawn):
    variants = {
        "intact": variant("reference", 0.95),
        "four": variant("slots", 0.5, seeds=3),
        "two": variant("slots", status="not run: too few"),
        "shuffled": variant("controls", 0.1, hurts=True),
        "permuted": variant("controls", 0.94, hurts=False),
    }
    words = drawn(ablation_figure, {"reference": "intact", "variants": variants})
    assert {*variants, "slots", "controls", "not run: too few", "0.950", "0.500, 3 seeds"} <= set(words)
    assert {"0.100, hurts", "0.940, DOES NOT HURT"} <= set(words)


@pytest.mark.parametrize(
    ("plot", "made"),
    [
        (accuracy_against_updates, RESULTS),
        (latency_histogram, RESULTS),
        (slot_movement, {"messages": [{"kind": "prompt", "text": "a", "slots": [slot(0, 1.0, "a")]}]}),
        (ablation_figure, {"reference": "a", "variants": {"a": variant("reference", 0.5)}}),
    ],
)
def test_png_or_svg_and_the_same_each_time(tmp_path, plot, made):
    for name in ("a.png", "b.png", "a.svg", "b.svg"):
        plot(made, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    with pytest.raises(ValueError, match="`path` must end in .png or .svg"):
        plot(made, tmp_path / "a.pdf")
    assert not (tmp_path / "a.pdf").exists()


@pytest.mark.parametrize(
    ("plot", "made", "message"),
    [
        (accuracy_against_updates, {"format": 1, "models": {"a": {}}}, "`results` must be .* format 2"),
        (accuracy_against_updates, {"format": 2, "models": {}}, "at least one model"),
        (accuracy_against_updates, {"format": 2, "models": {"a": {"splits": {}}}}, "`results` has no 'revision_accur"),
        (
            latency_histogram,
            {"format": 2, "models": {"a": {"splits": {}}}},
            "`split`: no model has latencies in 'test'",
        ),
        (slot_movement, {"messages": [{"kind": "prompt", "text": "a"}]}, "inspect a workspace model"),
        (ablation_figure, {"reference": "a", "variants": {}}, "`results` has no variant with"),
    ],
)
def test_results_without_what_is_drawn_are_named(tmp_path, plot, made, message):
    with pytest.raises(ValueError, match=message):
        plot(made, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_labels_do_not_overlap():
    heights = _spread([0.98, 0.97, 0.99, 0.2], 0.05)
    assert heights[3] == 0.2 and heights == pytest.approx([0.95, 0.9, 1.0, 0.2])
    assert _spread([], 0.05) == [] and _spread([0.3], 0.05) == [0.3]
