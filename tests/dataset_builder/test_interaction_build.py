"""A suite on disk: the same bytes each time, read back as it was, and refused when a byte has changed."""

import json

import pytest
from typer.testing import CliRunner

from dataset_builder.interaction import SPLITS, SUITES, SuiteConfig, make_examples
from dataset_builder.interaction.build import build_suite, load_suite, verify_folder
from dataset_builder.interaction.cli import app
from dataset_builder.interaction.rules import PRINCIPLES


SMALL = SuiteConfig("small", 8, 1, (3, 3), {"train": 40, "validation": 20, "test": 20})
FILES = ["README.md", *sorted(f"data/{split}-00000-of-00001.parquet" for split in SPLITS), "manifest.json"]


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path):
    build_suite(SMALL, tmp_path / "small", progress=False)
    return tmp_path / "small"


def test_building_again_gives_the_same_bytes(folder, tmp_path):
    before = contents(folder)
    assert sorted(before) == sorted(FILES)
    build_suite(SMALL, folder, progress=False)
    build_suite(SMALL, tmp_path / "other", progress=False)
    assert contents(folder) == contents(tmp_path / "other") == before


def test_another_seed_gives_other_data(folder, tmp_path):
    build_suite(SMALL, tmp_path / "other", seed=1, progress=False)
    ours, theirs = contents(folder), contents(tmp_path / "other")
    assert all(ours[name] != theirs[name] for name in FILES)


def test_it_is_read_back_as_it_was_made(folder):
    assert load_suite(folder) == {split: make_examples(SMALL, split) for split in SPLITS}


def test_it_loads_with_datasets(folder, tmp_path):
    from datasets import load_dataset

    loaded = load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert {split: len(part) for split, part in loaded.items()} == {"train": 80, "validation": 40, "test": 40}
    assert loaded["test"][7] == make_examples(SMALL, "test")[7].to_row()


def test_the_card_counts_what_is_there(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "160 examples in 80 pairs: 8 ticks, one episode before the decisive one, 8 things;\nno noise." in card
    assert "| `train` | 40 | 80 |" in card and "pretty_name: 'Interaction bottleneck: small'" in card
    for principle in PRINCIPLES:
        assert f"| `{principle}` |" in card
    first = make_examples(SMALL, "train", 1)[0]
    assert first.transcript in card


@pytest.mark.parametrize("name", FILES[:-1])
def test_a_changed_byte_is_refused(folder, name):
    path = folder / name
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 2] ^= 1
    path.write_bytes(changed)
    for refuse in (verify_folder, load_suite, lambda folder: build_suite(SMALL, folder, progress=False)):
        with pytest.raises(ValueError, match=f"{name} has changed: its sha256 is not that of manifest.json; remove"):
            refuse(folder)
    assert path.read_bytes() == changed


def test_a_missing_file_and_one_too_many_are_refused(folder):
    extra = folder / "data" / "train-00001-of-00002.parquet"
    extra.write_bytes(b"")
    with pytest.raises(ValueError, match="train-00001-of-00002.parquet is not in manifest.json"):
        verify_folder(folder)
    extra.unlink()
    (folder / "data" / "test-00000-of-00001.parquet").unlink()
    with pytest.raises(ValueError, match="test-00000-of-00001.parquet is missing"):
        verify_folder(folder)


def test_a_manifest_that_is_none_is_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="holds no manifest.json; give the folder of a built suite"):
        verify_folder(tmp_path)
    (folder / "manifest.json").write_text("{")
    with pytest.raises(ValueError, match="manifest.json cannot be read"):
        verify_folder(folder)
    (folder / "manifest.json").write_text(json.dumps({"format": "another"}))
    with pytest.raises(ValueError, match="manifest.json is not the manifest of a built suite"):
        build_suite(SMALL, folder, progress=False)


def test_folders_of_something_else_are_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="holds another build .suite 'small', seed 0.; give another folder"):
        build_suite(SMALL, folder, seed=1, progress=False)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("")
    with pytest.raises(ValueError, match="holds other files .thesis.txt. and no manifest.json"):
        build_suite(SMALL, tmp_path / "full", progress=False)
    with pytest.raises(ValueError, match="thesis.txt is a file; give a folder"):
        build_suite(SMALL, tmp_path / "full" / "thesis.txt", progress=False)


def test_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setitem(SUITES, "mini", SMALL)
    run = CliRunner().invoke
    built = run(app, ["build", "--suite", "mini", str(tmp_path / "mini"), "--quiet"])
    assert (built.exit_code, built.output) == (0, f"{tmp_path / 'mini'}: 80 train, 40 validation, 40 test examples.\n")
    checked = run(app, ["check", str(tmp_path / "mini")])
    assert checked.exit_code == 0
    assert "train: 80 examples in pairs; the rules give 100.0% of actions." in checked.output
    shown = run(app, ["show", "--family", "backchannel", "--num", "1"])
    assert shown.exit_code == 0 and "#0 backchannel\nUser: " in shown.output and "-> backchannel" in shown.output
    (tmp_path / "mini" / "README.md").write_text("")
    refused = run(app, ["check", str(tmp_path / "mini")])
    assert refused.exit_code == 2 and "README.md has changed" in refused.output
    assert run(app, ["build", "--suite", "maxi", str(tmp_path / "maxi")]).exit_code == 2
    assert not (tmp_path / "maxi").exists()
