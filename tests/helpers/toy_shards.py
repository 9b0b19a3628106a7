"""A built data set of toy size: several shards, several row groups in each."""

from pathlib import Path

import pytest

from dataset_builder.build import shards
from dataset_builder.build.config import BuildConfig
from dataset_builder.build.dataset import build_dataset


BUILDER = {"num_facts": [1, 2], "num_questions": [1, 2], "num_updates": [0, 2]}


def build(folder: Path, samples_per_shard: int = 40, rows_per_group: int = 7, **splits: int) -> Path:
    """What `hf-duplex data build` leaves in a folder, but with small row groups."""
    config = BuildConfig("toy", splits, samples_per_shard=samples_per_shard, builder=BUILDER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "ROWS_PER_GROUP", rows_per_group)
        build_dataset(config, folder, progress=False)
    return folder
