"""The speed of a base with an open input, at toy size: its structure and its counts, never its milliseconds."""

import json
import statistics

import pytest
import torch
from rich.console import Console
from tiny_chat import chat_model, write_adapter, write_base
from typer.testing import CliRunner

from hf_duplex.cli.app import app
from hf_duplex.evaluation.benchmarks.speed_base import ROOM, fitting, print_base_speed_table, run_base_speed_benchmark


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("speed")
    write_base(root / "base", max_position_embeddings=256)
    base = chat_model(max_position_embeddings=256)
    write_adapter(root / "workspace", base, n_slots=8)
    write_adapter(root / "spliced", base, mode="spliced", notice_updates=False)
    return root


@pytest.fixture(scope="module")
def results(folder):
    threads = torch.get_num_threads()
    path = folder / "deep" / "speed.json"
    results = run_base_speed_benchmark(
        folder / "base", str(folder / "workspace"), (16, 500), 2, threads=1, json_path=path, progress=False
    )
    assert json.loads(path.read_text()) == results and torch.get_num_threads() == threads
    return results


def test_nothing_is_processed_twice_but_by_a_restart(results):
    assert list(results["rows"]) == ["16", "500"]
    for row in results["rows"].values():
        assert row["processed_twice"] == {"workspace": 0, "spliced": 0, "restart": row["history_tokens"] + 1}


def test_a_history_leaves_room_for_what_is_emitted(results):
    update = max(results["settings"]["update_tokens"].values())
    assert results["rows"]["16"]["history_tokens"] == 16
    assert results["rows"]["500"]["history_tokens"] == 256 - update - ROOM
    assert fitting([8, 4, 8], 3, None) == {4: 4, 8: 8}
    with pytest.raises(ValueError, match="too few"):
        fitting([8], 3, ROOM)


def test_ratios_are_of_turns_side_by_side(results):
    for row in results["rows"].values():
        times = {name: measured["times"] for name, measured in row["update_ms"].items()}
        assert set(times) == {"workspace", "spliced", "restart"} and {len(part) for part in times.values()} == {2}
        for name in ("workspace", "spliced"):
            expected = statistics.median(a / b for a, b in zip(times["restart"], times[name], strict=True))
            assert row["restart_ratio"][name] == pytest.approx(expected, rel=1e-3)


def test_the_table_shows_it(results):
    console = Console(record=True, width=160, file=open("/dev/null", "w"))
    print_base_speed_table(results, console)
    text = console.export_text()
    assert "processed twice" in text and "base, restarted" in text


def test_the_command_says_what_is_wrong(folder):
    def run(*arguments):
        shown = CliRunner().invoke(app, ["bench", "speed", *map(str, arguments)])
        assert shown.exit_code == 2
        return shown.output

    base = ("--base", folder / "base")
    assert "goes with `--base`" in run("--model", folder / "workspace")
    assert "leave it out" in run(*base, "--checkpoint", "x")
    assert "no duplex adapter with a workspace" in run(*base, "--model", folder / "spliced")
    assert "no duplex adapter with a workspace" in run(*base, "--model", folder / "base")
    assert "does not exist" in run("--base", "./nothing")
