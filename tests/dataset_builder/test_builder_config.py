"""Configuration, splits, and the command line."""

import json
import subprocess
import sys

import pytest

from dataset_builder import Builder, BuilderConfig
from dataset_builder.world.names import POOLS, draw, is_novel


@pytest.mark.parametrize(
    ("field", "value", "remedy"),
    [
        ("families", ("no_such",), "choose from"),
        ("families", (), "non-empty"),
        ("families", "fact_correction", "tuple"),
        ("split", "dev", "one of train"),
        ("seed", "1", "whole number"),
        ("num_facts", (3, 2), "swap"),
        ("num_facts", (0, 2), "raise"),
        ("num_facts", (1, 99), "lower"),
        ("num_questions", (0, 1), "raise"),
        ("num_questions", (1, 9), "lower"),
        ("num_updates", (-1, 2), "raise"),
        ("num_updates", 3, "pair"),
        ("num_updates", (1, 2.5), "pair"),
        ("after_end", 1.5, "from 0 to 1"),
        ("made_up", -0.1, "from 0 to 1"),
        ("inside_word", "all", "from 0 to 1"),
        ("update_counts", (4, -1), "from 0"),
        ("kinds", {}, "map kinds"),
        ("kinds", {"gossip": 1}, "choose from"),
        ("kinds", {"stop": 1}, "choose from"),
        ("kinds", {"chatter": -1}, "from 0"),
        ("kinds", {"chatter": 0}, "raise one"),
        ("window", (0.5, 0.5), "growing"),
        ("rounds", (0, 1), "raise"),
    ],
)
def test_bad_fields_are_named(field, value, remedy):
    with pytest.raises(ValueError, match=f"`{field}`.*{remedy}"):
        BuilderConfig(**{field: value})


def test_a_negative_index_is_refused():
    with pytest.raises(ValueError, match="`index`"):
        Builder(BuilderConfig()).sample(-1)


def test_the_same_config_and_index_give_the_same_row():
    config = BuilderConfig(seed=5)
    rows = [row.to_row() for row in Builder(config).samples(100)]
    assert rows == [Builder(config).sample(index).to_row() for index in range(100)]
    script = (
        "import json; from dataset_builder import *\n"
        "print(json.dumps([row.to_row() for row in Builder(BuilderConfig(seed=5)).samples(100)]))"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert json.loads(output) == rows
    assert rows != [row.to_row() for row in Builder(BuilderConfig(seed=6)).samples(100)]


def test_rows_are_plain_data():
    for row in Builder(BuilderConfig()).samples(50):
        assert json.loads(json.dumps(row.to_row())) == row.to_row()


def test_every_kind_has_names_of_both_sorts():
    from random import Random

    rng = Random(0)
    for kind in POOLS:
        for novel in (False, True):
            assert {is_novel(draw(rng, kind, novel=novel)) for _ in range(50)} == {novel}


@pytest.mark.parametrize("count", [0, 1, 64])
def test_the_number_of_updates_is_kept(count):
    for row in Builder(BuilderConfig(num_updates=(count, count), keep_going=1)).samples(60):
        assert sum(update["kind"] != "stop" for update in row.updates) == count


def test_shares_at_their_ends():
    for row in Builder(BuilderConfig(num_updates=(1, 1), after_end=1.0, keep_going=0)).samples(50):
        assert row.update_step == row.target.index("<eos>") + len("<eos>")
    settings = {"inside_word": 0.0, "after_end": 0.0, "together": 0.0, "keep_going": 0.0}
    for row in Builder(BuilderConfig(num_updates=(1, 3), **settings)).samples(200):
        for update in row.updates:
            assert row.target[update["position"]] in " <,}" or update["position"] == 0
    assert all(
        row.updates[-1]["kind"] == "stop"
        for row in Builder(BuilderConfig(num_updates=(1, 3), keep_going=1)).samples(100)
    )


def test_more_updates_than_a_text_has_places_for_are_refused():
    config = BuilderConfig(num_updates=(2000, 2000), together=0, keep_going=0, num_facts=(1, 1), num_questions=(1, 1))
    with pytest.raises(ValueError, match="`num_updates` asks for 2000 updates in a text of .* raise"):
        Builder(config).sample(0)


def test_making_samples_needs_nothing_but_python():
    script = (
        "import sys, dataset_builder\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'datasets', 'numpy', 'hf_duplex')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
