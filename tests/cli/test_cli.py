"""The command line: help that is there at once, arguments passed on, and one clear line for what a user can mend."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hf_duplex import released
from hf_duplex.cli.app import app


ROOT = Path(__file__).parents[2]
BASELINE, WORKSPACE = str(released.SHIPPED / released.BASELINE), released.WORKSPACE


def hf_duplex(*arguments, **options):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], **options)


def test_help_needs_no_torch():
    script = "import sys; sys.argv = ['hf-duplex', '--help']\nfrom hf_duplex.cli.app import main\ntry: main()\n"
    script += "finally: print('heavy:', sorted({'torch', 'transformers', 'numpy'} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert "heavy: []" in found.stdout
    for command in ("demo", "chat", "train", "bench", "verify", "data"):
        assert f" {command} " in found.stdout


@pytest.mark.parametrize(
    "command", ["demo", "chat", "bench speed", "bench revision", "verify", "data show", "data build", "data check"]
)
def test_help_teaches_by_example(command):
    shown = hf_duplex(*command.split(), "--help", env={"COLUMNS": "120"})
    assert shown.exit_code == 0 and f"hf-duplex {command} " in shown.output.replace(f"Usage: root {command} ", "")


def test_train_passes_everything_on():
    shown = hf_duplex("train", "--help")
    assert shown.exit_code == 0 and "--update_type" in shown.output and "--learning_rate" in shown.output


def test_bench_interaction_passes_everything_on():
    shown = hf_duplex("bench", "interaction", "--help", env={"COLUMNS": "120"})
    assert shown.exit_code == 0 and "leave-one-family-out" in shown.output and "--held-out-suite" in shown.output


def test_verify_without_evidence_says_what_makes_it(tmp_path):
    shown = hf_duplex("verify", tmp_path)
    assert shown.exit_code == 2 and "manifest.json" in shown.output and "Refused" in shown.output


def test_data_passes_everything_on():
    shown = hf_duplex("data", "show", "--family", "fact_correction", "--num", "2", "--json")
    rows = [json.loads(line) for line in shown.output.splitlines()]
    assert [row["task_type"] for row in rows] == ["fact_correction"] * 2


def test_bench_speed_passes_its_options_on(monkeypatch, tmp_path):
    given = {}
    monkeypatch.setattr("hf_duplex.evaluation.run_speed_benchmark", lambda **arguments: given.update(arguments))
    monkeypatch.setattr("hf_duplex.evaluation.print_speed_table", lambda results: None)
    path = tmp_path / "speed.json"
    done = hf_duplex("bench", "speed", "--history", 128, "--history", 64, "--repeats", 2, "--json", path)
    assert done.exit_code == 0, done.output
    assert given["histories"] == [128, 64] and given["repeats"] == 2 and given["json_path"] == path


def test_bench_revision_writes_its_results(tmp_path):
    path = tmp_path / "revision.json"
    done = hf_duplex("bench", "revision", "--model", BASELINE, "--samples", 2, "--split", "validation", "--json", path)
    assert done.exit_code == 0, done.output
    results = json.loads(path.read_text())
    assert results["settings"]["samples"] == 2 and list(results["models"]) == [released.BASELINE]


LONG = "Actually " + ", ".join(f"x = {number}" for number in range(20)) + "."
OWN = ("--prompt", "Let x = 2, compute 3x + 1.")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("demo", "--model", "no/such/folder"), "--model"),
        (("demo", "--model", "examples"), "config.json"),
        (("demo", "--model", "nobody/nothing"), "--model"),
        (("demo", "--model", BASELINE), "duplex_workspace"),
        (("demo", "--baseline", "./nowhere"), "--baseline"),
        (("demo", "--scene", "opera"), "arithmetic"),
        (("demo", "--scene", "opera"), "notebooks"),
        (("demo", "--model", WORKSPACE, "--scene", "notebooks"), "duplex adapter"),
        (("demo", "--model", WORKSPACE, "--base", "smollm2"), "--base"),
        (("demo", "--base", "./nowhere"), "./nowhere"),
        (("demo", "--model", "none", "--base", "./nowhere"), "./nowhere"),
        (("demo", "--scene", "capital", *OWN, "--update", "x = 1."), "--scene"),
        (("demo", "--prompt", " ", "--update", "x = 1."), "prompt"),
        (("demo", *OWN), "--update"),
        (("demo", *OWN, "--update", ""), "update"),
        (("demo", "--model", WORKSPACE, *OWN, "--update", LONG), "max_message_length"),
        (("demo", *OWN, "--update", "x = 1.", "--after", "soon"), "--after"),
        (("demo", *OWN, "--update", "x = 1.", "--after", "3", "--after", "5"), "--after"),
        (("demo", *OWN, *("--update", "x = 1.") * 2, "--after", "5", "--after", "3"), "after"),
        (("demo", "--update", "x = 1."), "--prompt"),
        (("demo", "--svg", "no_such_folder/demo.svg"), "--svg"),
        (("demo", "--svg", "demo.svg", "--json"), "--json"),
        (("chat", "--model", "./nowhere"), "--model"),
        (("chat", "--model", WORKSPACE), "prompt"),
        (("train", "nothing.yaml"), "nothing.yaml"),
        (("bench", "revision", "--model", "./nowhere"), "--model"),
    ],
)
def test_what_a_user_can_mend_is_one_clear_line(arguments, named, monkeypatch):
    monkeypatch.chdir(ROOT)
    done = hf_duplex(*arguments, input="")
    assert done.exit_code == 2 and done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("Error: ") and named in lines[0]


@pytest.mark.parametrize(
    "arguments", [("sing",), ("bench", "everything"), ("demo", "--pase", "3"), ("demo", "--pace", "-1")]
)
def test_what_typer_refuses_ends_with_status_2(arguments):
    done = hf_duplex(*arguments)
    assert done.exit_code == 2 and "Traceback" not in done.output


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr("hf_duplex.cli.demo_show.show_demo", lambda *arguments: json.loads("{"))
    assert isinstance(hf_duplex("demo").exception, json.JSONDecodeError)


def test_demo_and_chat_need_no_extra():
    """As `make demo` installs it: torch, transformers and what they need."""
    script = """
import sys
for name in ("scipy", "sklearn", "datasets", "accelerate", "evaluate", "matplotlib", "pyarrow", "gradio", "jinja2"):
    sys.modules[name] = None
import hf_duplex.cli.demo_show, hf_duplex.cli.chat_screen, hf_duplex.runtime.duplex_session, hf_duplex.bases
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
