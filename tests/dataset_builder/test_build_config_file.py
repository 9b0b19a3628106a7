"""Build configs: what a file may hold, and which error names what is wrong with it."""

import pytest
import yaml

from dataset_builder import SPLITS
from dataset_builder.build.config import CONFIGS, BuildConfig, differences, load_build_config


GOOD = {"name": "mine", "splits": {"train": 100, "test": 10}}


def write(path, text):
    path.write_text(text if isinstance(text, str) else yaml.safe_dump(text), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sed": 1}, r"no field 'sed'; did you mean `seed`"),
        ({"colour": 1}, r"no field 'colour'; choose from name, splits"),
        ({"name": ""}, "`name` must be a text"),
        ({"name": None}, "`name` must be a text"),
        ({"license": 5}, "`license` must be a text"),
        ({"seed": 1.5}, "`seed` must be a whole number"),
        ({"seed": True}, "`seed` must be a whole number"),
        ({"seed": 2**63}, "`seed` must be at least"),
        ({"samples_per_shard": 0}, "`samples_per_shard` must be at least 1"),
        ({"samples_per_shard": "many"}, "`samples_per_shard` must be a whole number"),
        ({"splits": {"train": 10**6}, "samples_per_shard": 10}, "`samples_per_shard`.*raise it"),
        ({"splits": {}}, "`splits` must name at least one"),
        ({"splits": 100}, "`splits` must name at least one"),
        ({"splits": {"dev": 10}}, "`splits` has no 'dev'; choose from train"),
        ({"splits": {"train": 0}}, "`splits.train` must be at least 1"),
        ({"splits": {"train": "1e5"}}, "`splits.train` must be a whole number written in digits"),
        ({"builder": [1]}, "`builder` must hold fields"),
        ({"builder": {"num_fact": [1, 2]}}, "`builder` has no field 'num_fact'; did you mean `num_facts`"),
        ({"builder": {"split": "test"}}, "`builder.split` is set by `splits`"),
        ({"builder": {"seed": 3}}, "`builder.seed` is set by `seed`"),
        ({"builder": {"num_facts": [3, 1]}}, "`builder`: `num_facts`.*swap"),
        ({"builder": {"num_facts": "many"}}, "`builder`: `num_facts` must be a pair"),
        ({"builder": {"families": ["chess"]}}, "`builder`: `families` has no 'chess'; choose from"),
        ({"tokenizer": "nowhere.json"}, "`tokenizer`: there is no nowhere.json"),
    ],
)
def test_bad_fields_are_named(tmp_path, changes, named):
    with pytest.raises(ValueError, match=named):
        load_build_config(write(tmp_path / "config.yaml", {**GOOD, **changes}))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("name: [", "no YAML that can be read"),
        ("- 1\n", "must hold fields"),
        ("splits: {train: 5}\n", "`name` is missing"),
        ("name: mine\n", "`splits` is missing"),
    ],
)
def test_bad_files_are_named(tmp_path, text, named):
    with pytest.raises(ValueError, match=named):
        load_build_config(write(tmp_path / "config.yaml", text))


def test_a_missing_file_names_the_shipped_configs():
    with pytest.raises(ValueError, match="no file nowhere.yaml.*full, small, tiny"):
        load_build_config("nowhere.yaml")


def test_fields_left_out_have_their_defaults(tmp_path):
    config = load_build_config(write(tmp_path / "config.yaml", {**GOOD, "builder": {"num_updates": [2, 3]}}))
    assert config.seed == 0 and config.samples_per_shard == 10_000
    assert config.builder_config().num_updates == (2, 3) and config.builder_config().num_facts == (1, 5)
    assert config.to_dict()["builder"]["num_facts"] == [1, 5]


def test_shipped_configs():
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == {"tiny", "small", "full"}
    sizes = {name: load_build_config(name).splits for name in ("tiny", "small", "full")}
    assert all(tuple(splits) == SPLITS for splits in sizes.values())
    assert set(sizes["tiny"].values()) == {200}
    assert sizes["small"]["train"] == 100_000 and set(sizes["small"].values()) == {100_000, 2_000}
    assert sizes["full"]["train"] == 10_000_000 and set(sizes["full"].values()) == {10_000_000, 20_000}


def test_the_fingerprint_is_of_what_decides_the_bytes():
    base = BuildConfig(**GOOD)
    assert base.fingerprint() == BuildConfig(**{**GOOD, "name": "yours", "license": "mit"}).fingerprint()
    assert base.fingerprint() == BuildConfig(**{**GOOD, "splits": {"test": 10, "train": 100}}).fingerprint()
    others = [
        {"seed": 1},
        {"samples_per_shard": 99},
        {"splits": {"train": 100}},
        {"splits": {"train": 100, "test": 11}},
        {"builder": {"num_updates": [0, 3]}},
    ]
    prints = {BuildConfig(**{**GOOD, **changes}).fingerprint() for changes in others}
    assert len(prints) == len(others) and base.fingerprint() not in prints


def test_differences_name_each_field():
    old = BuildConfig(**GOOD).recipe()
    new = BuildConfig(**{**GOOD, "seed": 4, "builder": {"num_facts": [1, 2]}}).recipe()
    assert differences(old, old) == []
    assert differences(old, new) == [
        "`seed` is 0 there, 4 here",
        "`builder.num_facts` is [1, 5] there, [1, 2] here",
    ]
