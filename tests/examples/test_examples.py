"""The examples run as their headers say, with short settings."""

import runpy
import sys
from pathlib import Path

import pytest


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


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_headers_show_the_command(path):
    assert f"python examples/{path.name}" in path.read_text().split('"""')[1]
