"""The examples run as their headers say, with short settings."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from hf_duplex.data import read_conversations


EXAMPLES = Path(__file__).parents[2] / "examples"


def run(monkeypatch, capsys, name, *arguments):
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out


def test_interrupt_with_callback(monkeypatch, capsys):
    shown = run(monkeypatch, capsys, "interrupt_with_callback.py")
    assert "v5: 3x + 2" in shown and "3 * 7 + 2" in shown.split("v6:")[1]


def test_feed_from_a_thread(monkeypatch, capsys):
    shown = run(monkeypatch, capsys, "feed_from_a_thread.py", "--seconds", "0.01", "Actually x = 7.", "No, x = 9.")
    assert "Heard 2 updates" in shown and "3 * 9 + 2" in shown


def test_finetune_with_trainer(monkeypatch, capsys, tmp_path):
    options = {"--output_dir": tmp_path / "tuned", "--max_steps": 2, "--samples": 4, "--batch_size": 2}
    shown = run(
        monkeypatch, capsys, "finetune_with_trainer.py", *(str(part) for pair in options.items() for part in pair)
    )
    assert "Loss on held-out samples" in shown and (tmp_path / "tuned" / "model.safetensors").is_file()


def test_train_on_own_data(monkeypatch, capsys, tmp_path):
    shown = run(monkeypatch, capsys, "train_on_own_data.py", "--folder", str(tmp_path / "own"))
    emitted, written = re.search(r"Emitted: *(.*)\nWritten: (.*)", shown).groups()
    assert emitted == written and len(set(written.rstrip(".").split())) == 2
    assert len((EXAMPLES / "train_on_own_data.py").read_text().splitlines()) <= 60
    assert len(read_conversations(tmp_path / "own" / "train.jsonl")) == 500


def test_finetune_disfl_qa(monkeypatch, capsys, tmp_path):
    long = "Which of the rivers " + "of the north " * 30 + "no sorry of the south is the longest?"
    questions = {
        "one": {
            "original": "What is the name of the river?",
            "disfluent": "What is the size no sorry the name of the river?",
        },
        "two": {"original": "Who wrote it?", "disfluent": "Who wrote it?"},
        "three": {"original": "Which river of the south is the longest?", "disfluent": long},
    }
    for split in ("train", "dev"):
        (tmp_path / f"{split}.json").write_text(json.dumps(questions))
    result = tmp_path / "out" / "disfl_qa.json"
    settings = ["--num_train_epochs", "1", "--batch_size", "2", "--json", str(result)]
    settings += ["--output_dir", str(tmp_path / "run")]
    shown = run(monkeypatch, capsys, "finetune_disfl_qa.py", str(tmp_path), *settings)
    assert "3 dev questions" in shown
    found = json.loads(result.read_text())
    assert set(found["scores"]) == {"model", "copy", "repair"} and len(found["said"]) == 3
    assert found["scores"]["copy"]["exact_match"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("arguments", [[], ["config.yaml"]])
def test_reproduce_says_how_it_is_used(arguments):
    done = subprocess.run(["bash", EXAMPLES / "reproduce.sh", *arguments], capture_output=True, text=True)
    assert done.returncode == 2 and "usage: bash examples/reproduce.sh" in done.stderr


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_headers_show_the_command(path):
    assert f"python examples/{path.name}" in path.read_text().split('"""')[1]
