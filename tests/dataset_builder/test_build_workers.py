"""Builds by several processes, of real samples: the same bytes, stopped cleanly, and loaded with plain `datasets`."""

import os
import signal
import subprocess
import sys
import time

import pytest
from build_stub import contents

from dataset_builder import SPLITS
from dataset_builder.build.config import BuildConfig, load_build_config
from dataset_builder.build.dataset import build_dataset
from dataset_builder.build.shards import BuildError, ShardMaker, plan_shards
from dataset_builder.build.workers import Task, Workers


NARROW = {"families": ["variable_substitution"], "num_facts": [1, 1], "num_questions": [1, 1], "num_updates": [0, 0]}


@pytest.fixture(scope="module")
def config():
    splits = {"train": 300, "validation": 40, "test": 40}
    return BuildConfig(name="real", splits=splits, samples_per_shard=100, builder=NARROW)


@pytest.fixture(scope="module")
def short_card():
    """A card of one line, since plots take longer than all else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "dataset_builder.build.card.write_card", lambda folder: (folder / "README.md").write_text("card\n")
        )
        yield


@pytest.fixture(scope="module")
def built(short_card, config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    build_dataset(config, folder, progress=False)
    return folder


def test_any_number_of_workers_gives_the_same_bytes(config, built, tmp_path):
    build_dataset(config, tmp_path, num_workers=2, progress=False)
    assert contents(tmp_path) == contents(built)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_ctrl_c_stops_cleanly_and_the_same_command_resumes(config, built, tmp_path, num_workers):
    path = tmp_path / "config.yaml"
    path.write_text(
        "name: real\nsplits: {train: 300, validation: 40, test: 40}\nsamples_per_shard: 100\n"
        "builder: {families: [variable_substitution], num_facts: [1, 1], num_questions: [1, 1], num_updates: [0, 0]}\n"
    )
    out = tmp_path / "out"
    script = (
        "import sys, time, dataset_builder.build.dataset as build\n"
        "from dataset_builder.cli import app\n"
        "build.find_repeated = lambda files: time.sleep(60)\n"  # so that there is something left to be stopped
        "app(sys.argv[1:])\n"
    )
    arguments = ["build", "--config", str(path), "--out", str(out), "--num_workers", str(num_workers)]
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        while not list(out.glob("data/train-00002-of-00003.parquet")):
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
        told = process.communicate()[1]
    assert process.returncode == 130
    assert "Stopped. " in told and "run the same command to resume" in told and "Traceback" not in told
    assert list(out.glob("data/*.parquet")) and not list(out.rglob("*.part"))
    build_dataset(load_build_config(path), out, progress=False)
    assert contents(out) == contents(built)


def test_workers_redraw_rows_as_this_process_does(config, tmp_path):
    plans = plan_shards(config)[-2:]
    heard = {}
    for num_workers in (1, 2):
        folder = tmp_path / str(num_workers)
        for name in ("data", ".build"):
            (folder / name).mkdir(parents=True)
        with Workers(config, folder, num_workers) as workers:
            for method, arguments in ((ShardMaker.make, ()), (ShardMaker.redraw, ([2, 5],))):
                rows = []
                done = list(workers.run([Task(method, plan, arguments) for plan in plans], rows.append))
                assert {plan for plan, _ in done} == set(plans)
                heard[num_workers, method] = sum(rows)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    assert heard[1, ShardMaker.make] == heard[2, ShardMaker.make] == 200
    assert heard[1, ShardMaker.redraw] == heard[2, ShardMaker.redraw] == 4


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_worker_that_dies_is_told(config, tmp_path, when):
    for name in ("data", ".build"):
        (tmp_path / name).mkdir()
    plan = plan_shards(config)[0]
    with Workers(config, tmp_path, 2) as workers, pytest.raises(BuildError, match=f"worker died over {plan.file}"):
        workers._start(1)
        if when == "before":
            workers._processes[0].kill()
            workers._processes[0].join()
        for _ in workers.run([Task(ShardMaker.make, plan)], lambda rows: workers._processes[0].kill()):
            pass


def test_ctrl_c_while_a_worker_starts_does_not_reach_it(config, tmp_path):
    for name in ("data", ".build"):
        (tmp_path / name).mkdir()
    with Workers(config, tmp_path, 2) as workers:
        workers._start(1)
        os.kill(workers._processes[0].pid, signal.SIGINT)
        assert len(list(workers.run([Task(ShardMaker.make, plan_shards(config)[0])], lambda rows: None))) == 1


def test_workers_end_when_the_build_does(config, tmp_path):
    with Workers(config, tmp_path, 2) as workers:
        workers._start(2)
        processes = workers._processes
        assert all(process.is_alive() for process in processes)
    assert not any(process.is_alive() for process in processes)


def test_plain_datasets_loads_it(built, monkeypatch, tmp_path):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    cache = str(tmp_path / "cache")
    loaded = datasets.load_dataset(str(built), cache_dir=cache)
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 300, "validation": 40, "test": 40}
    files = sorted(map(str, built.glob("data/train-*.parquet")))
    plain = datasets.load_dataset("parquet", data_files={"train": files}, cache_dir=cache)["train"]
    assert plain.features == loaded["train"].features and plain[:5] == loaded["train"][:5]
    row = plain[299]
    assert row["index"] == 299 and isinstance(row["updates"], list) and isinstance(row["provenance"], list)
    assert plain.features["updates"].feature["position"] == datasets.Value("int32")


def test_every_split_loads_by_its_name(tmp_path):
    datasets = pytest.importorskip("datasets")
    config = tmp_path / "all.yaml"
    config.write_text("name: all\nsplits:\n" + "".join(f"  {split}: 3\n" for split in SPLITS))
    # In a process of its own, for the card that it has outside of these tests.
    command = [sys.executable, "-m", "dataset_builder", "build", "--config", config, "--out", tmp_path / "out"]
    subprocess.run([*map(str, command), "--num_workers", "1"], check=True, capture_output=True)
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: set(rows["split"]) for split, rows in loaded.items()} == {split: {split} for split in SPLITS}
    (tmp_path / "out" / "README.md").unlink()
    bare = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "bare"))
    assert set(bare) == set(SPLITS)


def test_the_builder_needs_neither_torch_nor_datasets(tmp_path):
    script = (
        "import sys, dataset_builder.build.dataset, dataset_builder.build.bench, dataset_builder.cli\n"
        "import dataset_builder.build.workers\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'datasets', 'hf_duplex', 'transformers')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
