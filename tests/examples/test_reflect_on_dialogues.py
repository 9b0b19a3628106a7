"""The example that gives a model thoughts about one's own dialogues."""

import importlib.util
from pathlib import Path

import pytest
from toy_tracks import write_base, write_corpus


PATH = Path(__file__).parents[2] / "examples/reflect_on_dialogues.py"


@pytest.fixture
def example():
    spec = importlib.util.spec_from_file_location("reflect_on_dialogues", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_annotates_splits_and_trains(example, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    base, corpus = write_base(tmp_path / "base"), write_corpus(tmp_path / "corpus", count=30)
    arguments = [
        str(corpus / "train.jsonl"),
        "--base",
        str(base),
        "--oracle",
        "scripted",
        "--out",
        str(tmp_path / "mine"),
    ]
    example.main([*arguments, "--max_steps", "2"])
    assert (tmp_path / "mine/connect/model.safetensors").is_file()
    assert f"hf-duplex chat --dual-track {tmp_path / 'mine/connect'}" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="there is no"):
        example.main(["none.jsonl", *arguments[1:]])
