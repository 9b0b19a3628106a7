"""A small data set on disk, written here and not by the build, and ways to spoil it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dataset_builder import Builder, BuilderConfig, split_config
from dataset_builder.build.schema import SCHEMA


SPLITS = {"train": 60, "test": 30, "retraction": 20}
SHARD = 40
FAMILIES = ("variable_substitution", "fact_correction")
Rows = list[dict]


def small_rows(split: str, num: int) -> Rows:
    """Samples of a split."""
    builder = Builder(split_config(BuilderConfig(families=FAMILIES), split))
    return [sample.to_row() for sample in builder.samples(num)]


def write_dataset(folder: Path, rows: dict[str, Rows], shard: int = SHARD, **config) -> Path:
    """Writes rows by split, and the manifest that tells of them."""
    (folder / "data").mkdir(parents=True)
    splits = {}
    for split, all_rows in rows.items():
        count = -(-len(all_rows) // shard)
        shards = []
        for number in range(count):
            part = all_rows[number * shard : (number + 1) * shard]
            file = f"data/{split}-{number:05d}-of-{count:05d}.parquet"
            pq.write_table(pa.Table.from_pylist(part, schema=SCHEMA), folder / file, row_group_size=15)
            shards.append({"file": file, "samples": len(part), "sha256": sha256(folder / file)})
        splits[split] = {"samples": len(all_rows), "redrawn": 0, "shards": shards}
    builder = {
        name: value for name, value in vars(BuilderConfig(families=FAMILIES)).items() if name not in ("split", "seed")
    }
    told = {"name": "small", "seed": 0, "splits": {split: len(made) for split, made in rows.items()}}
    told |= {"samples_per_shard": shard, "builder": builder, "license": None, "tokenizer": None, **config}
    manifest = {"version": "0.0", "config": told, "redrawn": 0, "splits": splits}
    (folder / "build.json").write_text(json.dumps(manifest, default=dict))
    return folder


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def change_manifest(folder: Path, change: Callable[[dict], object]) -> None:
    """Changes what the manifest tells."""
    manifest = json.loads((folder / "build.json").read_text())
    change(manifest)
    (folder / "build.json").write_text(json.dumps(manifest))


def change_shard(folder: Path, file: str, change: Callable[[pa.Table], pa.Table]) -> None:
    """Changes a shard, and tells the manifest of its new hash."""
    pq.write_table(change(pq.read_table(folder / file)), folder / file)

    def tell(manifest: dict) -> None:
        for split in manifest["splits"].values():
            for shard in split["shards"]:
                if shard["file"] == file:
                    shard["sha256"] = sha256(folder / file)

    change_manifest(folder, tell)


def change_rows(folder: Path, file: str, change: Callable[[Rows], object]) -> None:
    """Changes rows of a shard in place, and tells the manifest of its new hash."""

    def table(old: pa.Table) -> pa.Table:
        rows = old.to_pylist()
        change(rows)
        return pa.Table.from_pylist(rows, schema=SCHEMA)

    change_shard(folder, file, table)
