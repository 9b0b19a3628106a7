"""A builder whose samples are worth nothing and repeat as often as a test wants."""

import hashlib
from pathlib import Path

import pytest

from dataset_builder.build.config import BuildConfig


def stub_row(config, index, attempt, prompts):
    """A row that fits the schema. Its prompt is one of `prompts`, drawn by split, index and attempt."""
    drawn = hashlib.blake2b(f"{config.seed} {config.split} {index} {attempt}".encode(), digest_size=8).digest()
    number = int.from_bytes(drawn, "little") % prompts
    return {
        "prompt": f"Question {number}.",
        "initial_target": f"Answer {number}.",
        "updates": [],
        "revised_target": "",
        "facts": [{"name": "x", "value": str(number), "type": "number"}],
        "provenance": [
            {
                "key": "x",
                "value": str(number),
                "start": 7,
                "end": 8,
                "version": 0,
                "stale_version": -1,
                "complete": True,
                "facts": ["x"],
            }
        ],
        "repairs": [],
        "timeline": [{"key": "x", "version": 0, "value": str(number)}],
        "answers": [],
        "task_type": "stub",
        "update_step": -1,
        "requires_revision": False,
        "phase": 1,
        "split": config.split,
        "seed": config.seed,
        "index": index,
        "attempt": attempt,
    }


class StubBuilder:
    """Stands for `Builder`; fails at the indices in `broken`."""

    prompts = 10**12
    broken: frozenset[int] = frozenset()

    def __init__(self, config):
        self.config = config

    def sample(self, index, attempt=0):
        if index in self.broken:
            raise ZeroDivisionError("no such luck")
        self.row = stub_row(self.config, index, attempt, self.prompts)
        return self

    def to_row(self):
        return self.row


@pytest.fixture(name="stub")
def stub_fixture(monkeypatch):
    """Builds in this process are of stub samples, with a card of one line; gives the class, to be set."""
    builder = type("Stub", (StubBuilder,), {})
    monkeypatch.setattr("dataset_builder.build.shards.Builder", builder)
    monkeypatch.setattr("os.fsync", lambda file: None)  # which takes longer than all else
    monkeypatch.setattr(
        "dataset_builder.build.card.write_card", lambda folder: (folder / "README.md").write_text("card\n")
    )
    return builder


def small_config(**changes):
    given = {"name": "stub", "splits": {"train": 250, "test": 60}, "samples_per_shard": 50, **changes}
    return BuildConfig(**given)


def contents(folder):
    """Every file of a folder, as bytes."""
    folder = Path(folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
