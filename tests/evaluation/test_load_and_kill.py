"""The two commands that try a server hard, in small; what they count is found when it is there."""

import json
import subprocess
import sys

import pytest

from hf_duplex.evaluation.benchmarks.load_test import check_log, check_workspaces, load_test, percentile, verdict


def test_percentiles():
    assert percentile([], 0.5) is None
    values = list(range(1, 101))
    assert [percentile(values[::-1], share) for share in (0.5, 0.99, 1.0)] == [50, 99, 100]
    assert percentile([7], 0.99) == 7


def test_a_few_sessions_under_load_lose_nothing():
    results = load_test(sessions=6, seconds=3.0, gap=0.7, rows=4, alone=3, max_new_tokens=16)
    assert results["updates"] >= 6 and results["refused"] == 0
    assert verdict(results) and results["workspaces"]["compared"] > 0
    assert results["send_to_applied_ms"]["p50"] > 0 and results["ratio"] > 0


@pytest.mark.parametrize("fault", ["lost", "twice", "leaked", "out_of_order", "wrong_version"])
def test_faults_are_counted(fault):
    results = load_test(sessions=1, seconds=0.0, alone=0, max_new_tokens=4)
    assert verdict(results)
    results["faults"][fault] += 1
    assert not verdict(results)


class Planted:
    """A server whose log says what must not be."""

    def __init__(self, heard, source="a", version=4):
        sent = [type("Sent", (), {"source": source, "text": str(number)}) for number in range(2)]
        opened = {"prompt_ids": [5, 3, 6, 3]}
        history = type("History", (), {"heard": [(number, 9) for number in heard], "sent": sent, "opened": opened})
        self.sessions = [type("Session", (), {"id": "a", "history": history, "version": version})]
        config = type("Config", (), {"message_separator_token_id": 3, "max_message_length": 8})
        self.model = type("Model", (), {"config": config})


@pytest.mark.parametrize(
    "planted, fault",
    [
        (Planted([0]), "lost"),
        (Planted([0, 1, 1]), "twice"),
        (Planted([1, 0]), "out_of_order"),
        (Planted([0, 1], source="b"), "leaked"),
        (Planted([0, 1], version=5), "wrong_version"),
        (Planted([0, 1]), None),
    ],
)
def test_what_must_not_be_is_found_in_a_log(planted, fault):
    receipts = [type("Receipt", (), {"text": str(number), "status": "applied"}) for number in range(2)]
    found = check_log(planted, {"a": receipts})
    assert bool(found[fault]) if fault else not any(found.values())


def test_a_workspace_that_heard_another_is_found(monkeypatch):
    from hf_duplex.evaluation.benchmarks import load_test as module

    def leak(server):
        with server.turn:
            memory = server.batches[0].cache.memory
            order = list(range(1, memory.version.shape[0])) + [0]
            server.batches[0].cache.memory = memory.map(lambda tensor: tensor[order])
        return check_workspaces(server)

    monkeypatch.setattr(module, "check_workspaces", leak)
    results = load_test(sessions=3, seconds=1.0, gap=100.0, alone=0, max_new_tokens=8)
    assert results["workspaces"]["different"] > 0 and not verdict(results)


def test_killed_processes_lose_nothing(tmp_path):
    command = [
        sys.executable,
        "-m",
        "hf_duplex.evaluation.benchmarks.kill_test",
        "--kills",
        "3",
        "--sessions",
        "3",
        "--longest",
        "1",
    ]
    done = subprocess.run([*command, "--json", str(tmp_path / "kill.json")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "kill.json").read_text())
    assert results["passed"] and results["kills"] == 3 and results["tokens"] > 0
