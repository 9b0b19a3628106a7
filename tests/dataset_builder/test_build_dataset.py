"""Whole builds of stub samples: no pair twice, the same bytes however often it stopped, and clear errors."""

import errno
import json
import os
import shutil
from random import Random

import pyarrow.parquet as pq
import pytest
from build_stub import contents, small_config, stub_fixture, stub_row  # noqa: F401
from filelock import FileLock

import dataset_builder.build.shards as shards
from dataset_builder.build.dataset import build_dataset, finished_shards
from dataset_builder.build.shards import MAX_ATTEMPTS, BuildError, plan_shards
from dataset_builder.build.splits import split_config


def quietly(config, folder, **options):
    return build_dataset(config, folder, progress=False, **options)


def rows_of(folder, config):
    return [row for plan in plan_shards(config) for row in pq.read_table(folder / plan.file).to_pylist()]


def first_free_attempts(config, prompts):
    """Row by row in the global order, the first attempt whose prompt is not taken: what a build must come to."""
    taken, rows = set(), []
    for plan in plan_shards(config):
        drawn = split_config(config.builder_config(), plan.split)
        for index in range(plan.start, plan.start + plan.samples):
            attempts = (stub_row(drawn, index, attempt, prompts) for attempt in range(MAX_ATTEMPTS + 1))
            rows.append(next(row for row in attempts if row["prompt"] not in taken))
            taken.add(rows[-1]["prompt"])
    return rows


def test_no_pair_comes_twice_and_the_later_row_gives_way(tmp_path, stub):
    stub.prompts = 500
    config = small_config()
    manifest = quietly(config, tmp_path)
    rows = rows_of(tmp_path, config)
    assert rows == first_free_attempts(config, 500)
    assert len({row["prompt"] for row in rows}) == len(rows) == 310
    redrawn = {split: sum(row["attempt"] > 0 for row in rows if row["split"] == split) for split in config.splits}
    assert redrawn["train"] > redrawn["test"] > 0
    assert {split: told["redrawn"] for split, told in manifest["splits"].items()} == redrawn
    assert manifest["redrawn"] == sum(redrawn.values())


def test_too_few_different_samples_are_told(tmp_path, stub):
    stub.prompts = 300
    with pytest.raises(BuildError, match="`splits.train` asks for more samples .*widen"):
        quietly(small_config(), tmp_path)


def test_the_manifest_tells_files_and_config(tmp_path, stub):
    config = small_config(license="mit")
    manifest = quietly(config, tmp_path)
    assert manifest == json.loads((tmp_path / "build.json").read_text())
    assert manifest["config"] == config.to_dict() and manifest["samples"] == 310
    assert [len(told["shards"]) for told in manifest["splits"].values()] == [5, 2]
    assert set(contents(tmp_path)) == {"README.md", "build.json", *(plan.file for plan in plan_shards(config))}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(errno.ENOSPC, "No space left on device")])
def test_a_build_that_stops_anywhere_ends_with_the_same_bytes(tmp_path, stub, monkeypatch, stop, seed):
    stub.prompts = 450
    config = small_config()
    quietly(config, tmp_path / "whole")
    rng = Random(seed)
    left = rng.randint(1, 12)
    real = shards.pq.ParquetWriter.write_table

    def write_table(*arguments):
        nonlocal left
        left -= 1
        if not left:
            raise stop
        return real(*arguments)

    monkeypatch.setattr(shards.pq.ParquetWriter, "write_table", write_table)
    stops = 0
    for _ in range(60):
        try:
            quietly(config, tmp_path / "stopped")
            break
        except (KeyboardInterrupt, BuildError) as error:
            assert isinstance(error, KeyboardInterrupt) or "disk" in str(error) and "to resume" in str(error)
            assert not list((tmp_path / "stopped").rglob("*.part"))
            stops, left = stops + 1, rng.randint(2, 12)
    assert stops
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def test_a_full_disk_keeps_what_is_finished(tmp_path, stub, monkeypatch):
    real, written = shards.pq.ParquetWriter.write_table, []

    def write_table(*arguments):
        if len(written) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(shards.pq.ParquetWriter, "write_table", write_table)
    with pytest.raises(BuildError, match="disk of .* is full.*Finished shards are kept.*run the same command"):
        quietly(small_config(), tmp_path)
    assert finished_shards(small_config(), tmp_path) == (3, 7)
    assert not list(tmp_path.rglob("*.part")) and not (tmp_path / "build.json").exists()


@pytest.mark.parametrize(
    "number, told", [(errno.EFBIG, "`samples_per_shard` of"), (errno.EACCES, "`out`: .* cannot be written into")]
)
def test_what_else_keeps_a_build_from_writing_is_told(tmp_path, stub, monkeypatch, number, told):
    def make(self, shard, on_rows):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(shards.ShardMaker, "make", make)
    with pytest.raises(BuildError, match=told):
        quietly(small_config(), tmp_path)


def test_finished_shards_are_not_made_again(tmp_path, stub, monkeypatch):
    config = small_config()
    quietly(config, tmp_path)
    before = contents(tmp_path)
    (tmp_path / "README.md").write_text("old")
    made = []
    monkeypatch.setattr(shards.ShardMaker, "make", lambda self, shard, on_rows: made.append(shard))
    quietly(config, tmp_path)
    assert made == [] and contents(tmp_path) == before


def test_name_and_license_may_change_without_building_anew(tmp_path, stub, monkeypatch):
    quietly(small_config(), tmp_path)
    monkeypatch.setattr(shards.ShardMaker, "make", None)
    manifest = quietly(small_config(name="better", license="mit"), tmp_path)
    assert manifest["config"]["name"] == "better" and manifest["config"]["license"] == "mit"


def flip_a_byte(path):
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize("damage", [truncate, flip_a_byte, lambda path: path.unlink()])
def test_a_broken_shard_is_told_and_made_again(tmp_path, stub, capsys, damage):
    stub.prompts = 450
    config = small_config()
    build_dataset(config, tmp_path)
    before = contents(tmp_path)
    damage(tmp_path / "data" / "train-00001-of-00005.parquet")
    capsys.readouterr()
    build_dataset(config, tmp_path)
    assert contents(tmp_path) == before
    told = capsys.readouterr().err
    assert "6 of 7 shards are there already" in told
    assert "<lambda>" in str(damage) or "train-00001-of-00005.parquet is broken" in told


def test_leftovers_of_a_killed_build_are_removed(tmp_path, stub):
    config = small_config()
    quietly(config, tmp_path / "whole")
    (tmp_path / "killed" / "data").mkdir(parents=True)
    (tmp_path / "killed" / ".build").mkdir()
    (tmp_path / "killed" / ".build" / "recipe.json").write_text(json.dumps(config.recipe()))
    for plan in plan_shards(config)[:3]:  # killed while it drew rows of finished shards again
        shutil.copy(tmp_path / "whole" / plan.file, tmp_path / "killed" / plan.file)
        (tmp_path / "killed" / f"{plan.file}.part").write_bytes(b"half")
    quietly(config, tmp_path / "killed")
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


@pytest.mark.parametrize("finished", [True, False])
def test_a_build_of_another_config_is_left_alone(tmp_path, stub, monkeypatch, finished):
    if not finished:
        monkeypatch.setattr("dataset_builder.build.dataset.find_repeated", lambda files: 1 / 0)
    try:
        quietly(small_config(), tmp_path)
    except ZeroDivisionError:
        pass
    before = contents(tmp_path)
    monkeypatch.undo()
    other = small_config(seed=5, splits={"train": 250, "test": 61})
    with pytest.raises(ValueError, match="`splits.test` is 60 there, 61 here; `seed` is 0 there, 5 here.*--overwrite"):
        quietly(other, tmp_path)
    assert contents(tmp_path) == before


def test_overwrite_removes_the_other_build_alone(tmp_path, stub):
    quietly(small_config(), tmp_path / "both")
    (tmp_path / "both" / "notes.txt").write_text("mine")
    other = small_config(seed=5, splits={"train": 100})
    quietly(other, tmp_path / "both", overwrite=True)
    quietly(other, tmp_path / "other")
    assert contents(tmp_path / "both") == {**contents(tmp_path / "other"), "notes.txt": b"mine"}


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_folder_with_other_files_is_left_alone(tmp_path, stub, overwrite):
    (tmp_path / "README.md").write_text("a thesis")
    with pytest.raises(ValueError, match=r"`out`: .* holds other files \(README.md\)"):
        quietly(small_config(), tmp_path, overwrite=overwrite)
    assert contents(tmp_path) == {"README.md": b"a thesis"}


def test_a_cloned_empty_repository_can_be_built_into(tmp_path, stub):
    (tmp_path / ".gitattributes").write_text("*.parquet filter=lfs\n")
    assert quietly(small_config(), tmp_path)["samples"] == 310


def test_bad_arguments_are_named(tmp_path, stub):
    with pytest.raises(ValueError, match="`num_workers` must be at least 1"):
        quietly(small_config(), tmp_path / "out", num_workers=0)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="`out`: .* is a file"):
        quietly(small_config(), tmp_path / "file")
    assert not (tmp_path / "out").exists()


def test_what_no_split_can_give_is_told_before_anything_is_written(tmp_path, stub, monkeypatch):
    def sample(self, index, attempt=0):
        raise ValueError("`num_facts` leaves too few prompts; widen it.")

    monkeypatch.setattr(stub, "sample", sample)
    with pytest.raises(ValueError, match="`builder` cannot give split 'train': `num_facts` leaves too few"):
        quietly(small_config(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_second_build_is_kept_out(tmp_path, stub):
    (tmp_path / ".build").mkdir()
    with FileLock(tmp_path / ".build" / "lock"), pytest.raises(BuildError, match="Another build is writing"):
        quietly(small_config(), tmp_path)


def test_a_leak_fails_the_build(tmp_path, stub, monkeypatch):
    stub.prompts = 450
    monkeypatch.setattr("dataset_builder.build.dataset.find_repeated", lambda files: {})
    with pytest.raises(BuildError, match=r"leaks: data/.*row \d+ and data/.*row \d+ have the same prompt"):
        quietly(small_config(), tmp_path)
    with pytest.raises(BuildError, match="leaks"):
        quietly(small_config(), tmp_path)
