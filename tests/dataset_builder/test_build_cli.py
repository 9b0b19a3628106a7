"""The command line: help that teaches, samples on the screen, options passed on, and errors in one line."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from build_stub import stub_fixture  # noqa: F401
from typer.testing import CliRunner

from dataset_builder.cli import app, render


CONFIG = "name: mine\nsplits: {train: 40, test: 10}\nsamples_per_shard: 20\n"


def data(*arguments, **options):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], **options)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(CONFIG)
    return path


def test_help_needs_nothing_heavy():
    script = "import sys; sys.argv = ['data', '--help']\nfrom dataset_builder.cli import main\ntry: main()\n"
    script += "finally: print('heavy:', sorted({'pyarrow', 'numpy', 'yaml', 'matplotlib'} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "heavy: []" in found.stdout
    for command in ("show", "build", "inspect", "check", "push", "disfl-qa", "bench"):
        assert f" {command} " in found.stdout


@pytest.mark.parametrize("command", ["show", "build", "inspect", "check", "push", "disfl-qa", "bench"])
def test_help_teaches_by_example(command):
    shown = data(command, "--help", env={"COLUMNS": "120"})
    assert shown.exit_code == 0 and f"hf-duplex data {command} " in shown.output


def test_show_prints_samples():
    shown = data("show", "--family", "fact_correction", "--num", 3, "--updates", 1, 1, "--start", 7)
    assert shown.exit_code == 0, shown.output
    assert [line for line in shown.output.splitlines() if line[:1] == "#"] == [
        f"#{index} fact_correction" for index in (7, 8, 9)
    ]
    assert shown.output.count("[") >= 3


def test_show_prints_rows():
    shown = data("show", "--num", 4, "--json", "--split", "test", "--seed", 3, "--facts", 1, 1, "--questions", 1, 1)
    rows = [json.loads(line) for line in shown.output.splitlines()]
    assert [row["index"] for row in rows] == [0, 1, 2, 3]
    assert {(row["split"], row["seed"]) for row in rows} == {("test", 3)}
    assert {tuple(row) for row in rows} == {tuple(rows[0])} and {"prompt", "provenance", "updates"} <= set(rows[0])


def test_show_prints_samples_of_a_config(config):
    config.write_text(CONFIG + "seed: 4\nbuilder: {families: [fact_correction]}\n")
    shown = data("show", "--config", config, "--num", 5, "--json")
    assert {(row["seed"], row["task_type"]) for row in map(json.loads, shown.output.splitlines())} == {
        (4, "fact_correction")
    }


def test_updates_are_shown_where_they_arrive():
    sample = SimpleNamespace(
        index=3,
        task_type="sums",
        prompt="x = 1, say x.",
        target="x is 1, no, 2.",
        updates=[{"position": 6, "text": "x = 2."}, {"position": 14, "text": "Thanks."}],
    )
    assert render(sample) == "#3 sums\n  > x = 1, say x.\n  < x is 1[x = 2.], no, 2.[Thanks.]"


def test_a_reader_that_leaves_is_no_error():
    command = f"{sys.executable} -m dataset_builder show --num 200 | head -1"
    found = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert found.stdout.startswith("#0 ") and found.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("show", "--split", "dev"), "`--split` must be one of train"),
        (("show", "--family", "chess"), "`families` has no 'chess'"),
        (("show", "--updates", 3, 1), "`num_updates` has its minimum 3"),
        (("show", "--config", "nowhere.yaml"), "`config`: there is no file nowhere.yaml"),
        (("build", "--config", "nowhere.yaml", "--out", "out"), "one of the shipped full, small, tiny"),
        (("check", "nowhere"), "`dir`: there is no folder nowhere"),
        (("inspect", "nowhere"), "`dir`: there is no folder nowhere"),
        (("bench", "--memory", "10,many"), "`--memory` must be whole numbers"),
        (("bench", "--memory", "10,0"), "`--memory` must be whole numbers"),
    ],
)
def test_bad_input_is_told_in_one_line(arguments, named):
    done = data(*arguments)
    assert done.exit_code == 2 and done.stderr.startswith("Error: ") and named in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_build_tells_what_it_built(config, tmp_path, stub):
    done = data("build", "--config", config, "--out", tmp_path / "out", "--num_workers", 1, "--quiet")
    assert done.exit_code == 0 and done.stderr == ""
    assert "50 samples, 0 of them drawn again" in done.stdout
    assert len(list((tmp_path / "out" / "data").glob("*.parquet"))) == 3


def test_progress_is_on_the_error_stream(config, tmp_path, stub):
    done = data("build", "--config", config, "--out", tmp_path / "out", "--num-workers", 1)
    assert "50/50" in done.stderr and "/s" in done.stderr and "50/50" not in done.stdout


def test_a_build_that_stops_ends_with_status_one(config, tmp_path, stub):
    stub.broken = frozenset({25})
    done = data("build", "--config", config, "--out", tmp_path / "out", "--num_workers", 1, "--quiet")
    assert done.exit_code == 1
    assert "split train, index 25, seed 0, attempt 0: ZeroDivisionError" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_ctrl_c_tells_how_to_resume(config, tmp_path, stub, monkeypatch):
    def interrupt(files):
        raise KeyboardInterrupt

    monkeypatch.setattr("dataset_builder.build.dataset.find_repeated", interrupt)
    done = data("build", "--config", config, "--out", tmp_path / "out", "--num_workers", 1, "--quiet")
    assert done.exit_code == 130
    assert done.stderr == "Stopped. 3 of 3 shards are kept; run the same command to resume.\n"


def test_all_cores_are_the_default(config, tmp_path, monkeypatch):
    given = {}
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(7)), raising=False)
    monkeypatch.setattr(
        "dataset_builder.build.dataset.build_dataset",
        lambda config, out, **options: given.update(options) or {"samples": 0, "redrawn": 0},
    )
    assert data("build", "--config", config, "--out", tmp_path, "--overwrite").exit_code == 0
    assert given == {"num_workers": 7, "overwrite": True, "progress": True}


def test_inspect_passes_its_options_on(monkeypatch, tmp_path):
    given = {}
    monkeypatch.setattr(
        "dataset_builder.build.inspect.inspect_dataset", lambda dir, **options: given.update(options, dir=dir)
    )
    done = data("inspect", tmp_path, "--split", "test", "--num", 2, "--start", 5, "--plots", "plots.png")
    assert done.exit_code == 0, done.output
    given.pop("console")
    assert given == {"dir": tmp_path, "split": "test", "num": 2, "start": 5, "plots": type(tmp_path)("plots.png")}


@pytest.mark.parametrize("ok", [True, False])
def test_check_ends_with_status_one_if_it_fails(monkeypatch, tmp_path, ok):
    given = {}

    def check_dataset(dir, **options):
        given.update(options, dir=dir)
        return SimpleNamespace(ok=ok)

    monkeypatch.setattr("dataset_builder.build.check.check_dataset", check_dataset)
    monkeypatch.setattr(
        "dataset_builder.build.check.print_report", lambda report, console: console.print(f"ok: {report.ok}")
    )
    done = data("check", tmp_path, "--oracle", 9, "--quiet")
    assert done.exit_code == (0 if ok else 1) and f"ok: {ok}" in done.stdout
    assert given == {"dir": tmp_path, "oracle": 9, "progress": False}


def test_push_prints_the_address(monkeypatch, tmp_path):
    monkeypatch.setattr(
        "dataset_builder.build.push.push_dataset",
        lambda dir, repo_id, *, private, token: f"{dir} {repo_id} {private} {token}",
    )
    done = data("push", tmp_path, "me/mine", "--private", "--token", "secret")
    assert done.stdout.replace("\n", "") == f"{tmp_path} me/mine True secret"


def test_bench_writes_its_results(tmp_path):
    path = tmp_path / "bench.json"
    arguments = ("--family", "fact_correction", "--num", 40, "--repeats", 3, "--updates", 0, 0)
    done = data("bench", *arguments, "--json", path)
    assert done.exit_code == 0, done.output
    told = json.loads(path.read_text())
    assert set(told) == {"command", "commit", "machine", "speed"}
    assert told["machine"]["cores"] and told["machine"]["cpu"] in done.stdout.replace("\n", " ")
    speed = told["speed"]
    assert (speed["samples"], speed["runs"], speed["updates"]) == (40, 3, [0, 0])
    assert list(speed["families"]) == ["fact_correction"] and "fact_correction" in done.stdout
    family = speed["families"]["fact_correction"]
    assert 0 < family["median"] <= family["written"] < family["made"]
    assert family["updates"] == family["repaired"] == 0 and family["characters"] > 20


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_bench_measures_memory(config, tmp_path):
    path = tmp_path / "bench.json"
    arguments = ("--num", 10, "--repeats", 1, "--memory", "40", "--config", config, "--num_workers", 2, "--json", path)
    done = data("bench", "--family", "fact_correction", *arguments)
    assert done.exit_code == 0, done.output
    memory = json.loads(path.read_text())["memory"]
    (build,) = memory["builds"]
    assert build["samples"] == 40 and build["parent"] > 20 and build["worker"] > 10
    assert "slope" not in memory and "largest worker" in done.stdout


def test_the_slope_is_in_megabytes_a_million_samples(monkeypatch, config):
    from dataset_builder.build.bench import measure_memory

    def build_one(config, size, num_workers):
        return {"samples": size, "seconds": 1.0, "parent": 100 + size / 1e5, "worker": 80.0}

    monkeypatch.setattr("dataset_builder.build.bench._build_one", build_one)
    slope = measure_memory(str(config), [10_000, 100_000, 1_000_000], 2)["slope"]
    assert slope["parent"] == pytest.approx(10) and slope["worker"] == pytest.approx(0, abs=1e-6)
