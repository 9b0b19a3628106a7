"""One shard: where it lies, what is in it, what is wrong with it, and rows drawn again."""

import errno
import os
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from build_stub import small_config, stub_fixture, stub_row  # noqa: F401

from dataset_builder.build.pairs import pair_hash
from dataset_builder.build.shards import (
    ROWS_PER_GROUP,
    BuildError,
    ShardMaker,
    fingerprint_of,
    plan_shards,
    shard_schema,
    whole_file,
)


def ignore(rows):
    pass


def interrupt(*arguments):
    raise KeyboardInterrupt


@pytest.fixture
def maker(tmp_path, stub):
    for name in ("data", ".build"):
        (tmp_path / name).mkdir()
    return ShardMaker(small_config(), tmp_path)


def test_training_comes_last_and_all_rows_are_planned():
    plans = plan_shards(small_config(splits={"train": 120, "retraction": 50, "test": 60}))
    assert [plan.file for plan in plans] == [
        "data/test-00000-of-00002.parquet",
        "data/test-00001-of-00002.parquet",
        "data/retraction-00000-of-00001.parquet",
        "data/train-00000-of-00003.parquet",
        "data/train-00001-of-00003.parquet",
        "data/train-00002-of-00003.parquet",
    ]
    assert [(plan.start, plan.samples) for plan in plans] == [(0, 50), (50, 10), (0, 50), (0, 50), (50, 50), (100, 20)]


def test_a_shard_holds_its_rows_in_order(maker, tmp_path):
    heard = []
    shard = plan_shards(maker.config)[-1]
    maker.make(shard, heard.append)
    rows = pq.read_table(tmp_path / shard.file).to_pylist()
    config = maker._builders["train"].config
    assert rows == [stub_row(config, index, 0, 10**12) for index in range(200, 250)]
    assert heard == [50]
    assert fingerprint_of(tmp_path / shard.file) == maker.config.fingerprint()


def test_row_groups_are_small(tmp_path, maker):
    maker.config = small_config(samples_per_shard=5000, splits={"train": 2500})
    (shard,) = plan_shards(maker.config)
    heard = []
    maker.make(shard, heard.append)
    metadata = pq.read_metadata(tmp_path / shard.file)
    sizes = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    assert sizes == heard == [ROWS_PER_GROUP, ROWS_PER_GROUP, 500]


def test_redrawn_rows_give_the_bytes_of_a_shard_made_with_them(maker, tmp_path, monkeypatch):
    maker.config = small_config(samples_per_shard=5000, splits={"train": 2500})
    (shard,) = plan_shards(maker.config)
    maker.make(shard, ignore)
    maker.redraw(shard, [3, 1999], ignore)
    maker.redraw(shard, [3], ignore)
    redrawn, pairs = (tmp_path / shard.file).read_bytes(), np.load(maker.pairs_file(shard))
    attempts = {3: 2, 1999: 1}
    assert {place: pairs["attempt"][place] for place in np.flatnonzero(pairs["attempt"])} == attempts

    drawn = maker.row
    monkeypatch.setattr(maker, "row", lambda split, index: drawn(split, index, attempts.get(index, 0)))
    maker.make(shard, ignore)
    assert (tmp_path / shard.file).read_bytes() == redrawn
    assert (np.load(maker.pairs_file(shard)) == pairs).all()


def test_a_row_has_only_so_many_attempts(maker, monkeypatch):
    shard = plan_shards(maker.config)[-1]
    maker.make(shard, ignore)
    monkeypatch.setattr("dataset_builder.build.shards.MAX_ATTEMPTS", 1)
    maker.redraw(shard, [7], ignore)
    with pytest.raises(BuildError, match="`splits.train` asks for more .* index 207 .*widen `num_facts`"):
        maker.redraw(shard, [7], ignore)


def truncate(path):
    os.truncate(path, path.stat().st_size - 50)


def garble(path):
    path.write_bytes(b"not parquet at all")


def of_another_config(path):
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata(None), path)


def with_a_row_less(path):
    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)


def with_another_first_row(path):
    table = pq.read_table(path)
    pq.write_table(table.take([1, 1, *range(2, len(table))]), path)


@pytest.mark.parametrize(
    ("damage", "wrong"),
    [
        (truncate, "cannot be read"),
        (garble, "cannot be read"),
        (of_another_config, "made from another config"),
        (with_a_row_less, "49 rows of 50"),
        (with_another_first_row, "first row is not what"),
    ],
)
def test_a_broken_shard_is_seen(maker, tmp_path, damage, wrong):
    shard = plan_shards(maker.config)[-1]
    maker.make(shard, ignore)
    assert maker.look(shard, ignore) is None
    damage(tmp_path / shard.file)
    assert wrong in maker.look(shard, ignore)


def test_lost_records_are_read_again(maker):
    shard = plan_shards(maker.config)[-1]
    maker.make(shard, ignore)
    maker.redraw(shard, [0, 9], ignore)
    pairs = np.load(maker.pairs_file(shard))
    maker.pairs_file(shard).unlink()
    assert maker.look(shard, ignore) is None
    assert (np.load(maker.pairs_file(shard)) == pairs).all() and pairs["attempt"].sum() == 2


def test_records_never_tell_of_an_older_shard(maker, tmp_path, monkeypatch):
    shard = plan_shards(maker.config)[-1]
    maker.make(shard, ignore)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("dataset_builder.build.shards.np.save", interrupt)
        maker.redraw(shard, [4], ignore)
    assert maker.look(shard, ignore) is None
    pairs, rows = np.load(maker.pairs_file(shard)), pq.read_table(tmp_path / shard.file).to_pylist()
    assert [(pair_hash(row), row["attempt"]) for row in rows] == pairs.tolist() and rows[4]["attempt"] == 1


def test_a_sample_that_cannot_be_made_is_named(maker, stub):
    stub.broken = frozenset({231})
    with pytest.raises(BuildError, match="split train, index 231, seed 0.*ZeroDivisionError: no such luck"):
        maker.make(plan_shards(maker.config)[-1], ignore)
    assert not [path for path in maker.folder.rglob("*") if path.is_file()]


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    with whole_file(path) as file:
        file.write(b"whole")
        assert not path.exists() and (tmp_path / "file.part").exists()
    assert path.read_bytes() == b"whole"
    with pytest.raises(OSError), whole_file(path) as file:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_bytes() == b"whole" and not (tmp_path / "file.part").exists()


@pytest.fixture
def tokenizer(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.models.WordLevel({"<unk>": 0, "<sep>": 1, "<update>": 2, "Answer": 3}, unk_token="<unk>")
    made = tokenizers.Tokenizer(words)
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.save(str(tmp_path / "tokenizer.json"))
    return str(tmp_path / "tokenizer.json")


def test_a_tokenizer_adds_the_token_form(maker, tmp_path, tokenizer):
    from dataset_builder.build.tokens import TOKEN_SCHEMA, load_tokenizer, token_row

    plain = plan_shards(maker.config)[-1]
    maker.make(plain, ignore)
    rows = pq.read_table(tmp_path / plain.file).to_pylist()
    maker = ShardMaker(small_config(tokenizer=tokenizer), tmp_path)
    assert "another config" in maker.look(plain, ignore)
    maker.make(plain, ignore)
    table = pq.read_table(tmp_path / plain.file)
    assert table.schema.names[-len(TOKEN_SCHEMA) :] == TOKEN_SCHEMA.names
    loaded = load_tokenizer(tokenizer)
    assert table.to_pylist() == [{**row, **token_row(row, loaded)} for row in rows]
    assert table["initial_target_tokens"][0].as_py()[0] == 3


def test_where_a_tokenizer_lies_does_not_matter(tmp_path, tokenizer):
    (tmp_path / "copy").mkdir()
    copy = shutil.copy(tokenizer, tmp_path / "copy")
    first, second = small_config(tokenizer=tokenizer), small_config(tokenizer=str(copy))
    assert first.fingerprint() == second.fingerprint() != small_config().fingerprint()


@pytest.mark.parametrize("with_tokens", [False, True])
def test_features_are_those_of_datasets(with_tokens, tokenizer):
    datasets = pytest.importorskip("datasets")
    schema = shard_schema(small_config(tokenizer=tokenizer if with_tokens else None))
    written = datasets.Features.from_arrow_schema(schema)
    assert written == datasets.Features.from_arrow_schema(schema.remove_metadata())
    assert schema.metadata[b"huggingface"] == written.arrow_schema.metadata[b"huggingface"]
