"""Configuration, splits, and the command line."""

import json
import subprocess
import sys

import pytest

from dataset_builder import FAMILIES, SPLITS, Builder, BuilderConfig, split_of
from dataset_builder.__main__ import main
from dataset_builder.names import POOLS, draw, is_novel


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
    rows = [row.to_dict() for row in Builder(config).samples(100)]
    assert rows == [Builder(config).sample(index).to_dict() for index in range(100)]
    script = (
        "import json; from dataset_builder import *\n"
        "print(json.dumps([row.to_dict() for row in Builder(BuilderConfig(seed=5)).samples(100)]))"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert json.loads(output) == rows
    assert rows != [row.to_dict() for row in Builder(BuilderConfig(seed=6)).samples(100)]


def test_rows_are_plain_data():
    for row in Builder(BuilderConfig()).samples(50):
        assert json.loads(json.dumps(row.to_dict())) == row.to_dict()


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_splits_share_no_prompt(family):
    prompts = {}
    for split in SPLITS:
        builder = Builder(BuilderConfig(families=(family,), split=split, num_facts=(1, 2), num_questions=(1, 1)))
        prompts[split] = {row.prompt for row in builder.samples(1500)}
        assert all(split_of(prompt) == split for prompt in prompts[split])
    assert not prompts["train"] & prompts["validation"]
    assert not prompts["train"] & prompts["test"]
    assert not prompts["validation"] & prompts["test"]


def test_novel_values_are_never_drawn_otherwise():
    for novel in (False, True):
        config = BuilderConfig(families=("fact_correction",), novel_values=novel, split="test")
        for row in Builder(config).samples(300):
            assert all(is_novel(value) == novel for value in row.facts.values())
            assert all(is_novel(claim["value"]) == novel for claim in row.claims)
            assert all(is_novel(fact.split(" of ")[1]) == novel for fact in row.facts)
        config = BuilderConfig(families=("variable_substitution",), novel_values=novel, split="test")
        for row in Builder(config).samples(300):
            assert all((int(value) > 20) == novel for value in row.facts.values())


def test_every_kind_has_names_of_both_sorts():
    from random import Random

    rng = Random(0)
    for kind in POOLS:
        for novel in (False, True):
            assert {is_novel(draw(rng, kind, novel=novel)) for _ in range(50)} == {novel}


@pytest.mark.parametrize("updates", [(0, 0), (1, 1), (64, 64)])
def test_the_number_of_updates_is_kept(updates):
    for row in Builder(BuilderConfig(num_updates=updates)).samples(30):
        assert len(row.updates) == updates[0]


def test_shares_at_their_ends():
    for row in Builder(BuilderConfig(num_updates=(1, 1), after_end=1.0)).samples(50):
        assert row.update_step == row.target.index("<eos>") + len("<eos>")
    for row in Builder(BuilderConfig(num_updates=(1, 3), inside_word=0.0, after_end=0.0, together=0.0)).samples(200):
        for update in row.updates:
            assert row.target[update["position"]] in " <" or update["position"] == 0


def test_the_package_needs_nothing_but_python():
    script = (
        "import sys, dataset_builder, dataset_builder.__main__\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'datasets', 'numpy', 'hf_duplex')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_the_command_prints_samples(capsys):
    main(["--family", "fact_correction", "--num", "3", "--updates", "1", "1"])
    shown = capsys.readouterr().out
    assert shown.count("fact_correction") == 3 and shown.count("[") == 3
    main(["--num", "4", "--json", "--split", "test"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 4 and {row["split"] for row in rows} == {"test"}
    main(["--bench", "--num", "50"])
    assert capsys.readouterr().out.count("samples a second") == 2
    with pytest.raises(SystemExit):
        main(["--updates", "3", "1"])
    assert "`num_updates`" in capsys.readouterr().err
