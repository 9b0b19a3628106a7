"""Pushing: a data set goes to the Hub whole, comes back with `datasets`, and a failing one never leaves."""

import json
import os
import subprocess
import sys

import pytest
from hub_stub import hub_stub
from small_data import SPLITS, change_rows, small_rows, write_dataset

from dataset_builder.build.card import write_card
from dataset_builder.build.push import push_dataset


PUSH_AND_LOAD = """
import json, sys
from datasets import load_dataset
from dataset_builder.build.push import push_dataset
address = push_dataset(sys.argv[1], "tester/worlds")
loaded = {split: rows["prompt"][:] for split, rows in load_dataset("tester/worlds").items()}
print(json.dumps({"address": address, "loaded": loaded}))
"""


@pytest.fixture(scope="module")
def rows():
    return {split: small_rows(split, num) for split, num in SPLITS.items()}


@pytest.fixture(scope="module")
def folder(rows, tmp_path_factory):
    folder = write_dataset(tmp_path_factory.mktemp("push") / "small", rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dataset_builder.build.plots.plot_dataset", lambda _, path, **__: path.write_bytes(b"PNG"))
        write_card(folder)
    (folder / ".build").mkdir()
    (folder / ".build" / "recipe.json").write_text("{}")
    return folder


def run(code, home, address, *arguments):
    """In a process of its own, since the client reads its settings when it is imported."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_ENDPOINT": address, "HF_TOKEN": "hf_dummy", "HF_HOME": str(home)}
    environment |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_it_is_pushed_whole_and_loads_from_there(folder, rows, tmp_path):
    with hub_stub() as (address, repos):
        old = {"data/train-00000-of-00009.parquet": b"old", "notes.txt": b"kept"}
        repos["datasets/tester/worlds"] = dict(old)
        result = run(PUSH_AND_LOAD, tmp_path, address, folder)
        pushed = repos["datasets/tester/worlds"]
    assert result["address"] == f"{address}/datasets/tester/worlds"
    local = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".build" not in path.parts
    }
    # An older shard would be read as part of the split, so it goes; what is not data stays.
    assert pushed == {**local, "notes.txt": b"kept"}
    assert result["loaded"] == {split: [row["prompt"] for row in made] for split, made in rows.items()}


def test_bad_arguments_are_named_first(folder, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="`repo_id`"):
        push_dataset(folder, "not a name!", token="hf_dummy")
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(ValueError, match="`token`: none was given"):
        push_dataset(folder, "tester/worlds")
    with pytest.raises(ValueError, match="`dir`: there is no folder"):
        push_dataset(tmp_path / "none", "tester/worlds", token="hf_dummy")


def test_a_data_set_without_a_card_is_refused(rows, tmp_path):
    folder = write_dataset(tmp_path / "small", {"test": rows["test"]})
    with pytest.raises(ValueError, match="has no README.md"):
        push_dataset(folder, "tester/worlds", token="hf_dummy")


def test_a_failing_data_set_is_refused_and_the_finding_named(rows, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.HfApi.create_repo", lambda *_, **__: pytest.fail("something was sent"))
    folder = write_dataset(tmp_path / "small", {"test": rows["test"]})
    (folder / "README.md").write_text("card")
    file = "data/test-00000-of-00001.parquet"
    change_rows(folder, file, lambda made: made[4].update(update_step=7777))
    with pytest.raises(ValueError, match="fails its check, so it was not pushed.*row 4: `update_step` is 7777"):
        push_dataset(folder, "tester/worlds", token="hf_dummy")
