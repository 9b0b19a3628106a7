"""Rows from shards: each once and in one order, whoever encodes them; little in memory; resumed at the very sample."""

import pickle
import shutil
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from accelerate import skip_first_batches
from accelerate.data_loader import prepare_data_loader
from torch.utils.data import DataLoader
from toy_runs import toy_tokenizer
from toy_shards import build

from dataset_builder import Sample
from dataset_builder.build.stored import StoredDataset
from hf_duplex.data import ShardDataset, ShardSampler, encode_sample, streaming


SAMPLES = 96  # in shards of 40, 40 and 16, in row groups of 7
WINDOW = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build(tmp_path_factory.mktemp("built"), train=SAMPLES, validation=10)


@pytest.fixture
def data(folder):
    return ShardDataset(folder, toy_tokenizer(), window=WINDOW)


def as_list(samples):
    return samples


def loader(data, batch_size=4, processes=1, process=0, workers=0, seed=0):
    """What the Trainer's data loader is after accelerate has prepared it for one of several processes."""
    sampler = ShardSampler(data, batch_size * processes, seed=seed)
    plain = DataLoader(data, batch_size, sampler=sampler, num_workers=workers, collate_fn=as_list)
    return prepare_data_loader(plain, num_processes=processes, process_index=process, put_on_device=False)


def batches_of(loader, epoch=0):
    # It counts epochs itself, unless it is told, and tells the data set.
    loader.set_epoch(epoch)
    return list(loader)


def steps(data, processes=1, epoch=0, **fields):
    """The samples of each step, all processes together."""
    loaders = [loader(data, processes=processes, process=process, **fields) for process in range(processes)]
    shares = [batches_of(each, epoch) for each in loaders]
    return [[sample for share in step for sample in share] for step in zip(*shares, strict=True)]


def counts(samples):
    return Counter(map(repr, samples))


def test_rows_are_encoded_as_the_samples_that_they_were(folder, data):
    rows = [row for shard in StoredDataset(folder).shards["train"] for row in shard.rows()]
    assert len(data) == len(rows) == SAMPLES and len(data.groups) == 6 + 6 + 3
    expected = [encode_sample(toy_tokenizer(), Sample(**row)) for row in rows]
    assert [data[index] for index in range(len(data))] == expected
    assert len(counts(expected)) == SAMPLES and any(sample["update_ids"] for sample in expected)
    assert len(ShardDataset(folder, toy_tokenizer(), split="validation")) == 10


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_each_row_comes_once_in_one_order_for_any_workers_and_processes(data, processes, workers):
    """A step of several processes has the samples, in their order, that one process sees in a batch of that size."""
    expected = steps(data, batch_size=12)
    assert counts(sample for step in expected for sample in step) == counts(data[index] for index in range(SAMPLES))
    assert steps(data, processes, batch_size=12 // processes, workers=workers) == expected


def test_processes_that_share_no_even_number_of_rows_see_some_of_the_first_ones_twice(data):
    seen = steps(data, processes=2, batch_size=10)
    again = counts(sample for step in seen for sample in step) - counts(data[index] for index in range(SAMPLES))
    assert len(seen) == 5 and all(len(step) == 20 for step in seen)
    assert again.total() == 4 and again <= counts(seen[0])


def test_seed_and_epoch_decide_the_order(data):
    first = steps(data)
    assert steps(data) == first != steps(data, seed=1)
    second = steps(data, epoch=1)
    assert second != first and counts(sum(second, [])) == counts(sum(first, []))
    assert steps(data) == first


def test_batches_differ_in_their_samples_from_epoch_to_epoch(folder):
    """Also where all rows are in one window."""
    data = ShardDataset(folder, toy_tokenizer())
    first, second = ({frozenset(counts(step)) for step in steps(data, epoch=epoch)} for epoch in range(2))
    assert len(first & second) < len(first) / 2


def test_rows_of_one_row_group_meet_others_from_epoch_to_epoch(data):
    rows = lengths = np.arange(SAMPLES)
    sampler = ShardSampler(data, 4)
    orders = [sampler._batches(rows, lengths, np.random.default_rng(epoch)).reshape(-1, 4) for epoch in range(2)]
    first, second = ({frozenset(batch) for batch in order.tolist()} for order in orders)
    assert len(first & second) < len(first) / 2


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("epoch", [0, 1])
def test_a_resumed_epoch_goes_on_with_the_next_sample_and_encodes_none_before(data, monkeypatch, processes, epoch):
    loaders = [loader(data, processes=processes, process=process) for process in range(processes)]
    expected = [batches_of(each, epoch) for each in loaders]
    encoded = []
    monkeypatch.setattr(streaming, "encode_sample", lambda *given: encoded.append(given) or encode_sample(*given))
    for process in range(processes):
        fresh = ShardDataset(data.groups[0].path.parents[1], toy_tokenizer(), window=WINDOW)
        # First skipped, then told the epoch, as the Trainer does.
        resumed = skip_first_batches(loader(fresh, processes=processes, process=process), 5)
        encoded.clear()
        left = expected[process][5:]
        assert batches_of(resumed, epoch) == left and len(encoded) == sum(map(len, left))


def test_few_row_groups_are_kept_and_those_are_read_once_for_a_window(data, monkeypatch):
    read = []
    monkeypatch.setattr(
        streaming.RowGroup, "read", lambda group, real=streaming.RowGroup.read: read.append(group) or real(group)
    )
    for _ in loader(data):
        assert sum(table.num_rows for table in data._tables.values()) <= WINDOW + 2 * 7
    windows = SAMPLES // WINDOW
    assert counts(read).keys() == counts(data.groups).keys()
    assert len(data.groups) <= len(read) < len(data.groups) + windows


def test_a_window_in_memory_does_not_travel_to_workers(data):
    assert list(loader(data)) and data._tables
    copy = pickle.loads(pickle.dumps(data))
    assert not copy._tables and steps(copy) == steps(data)


def test_lengths_are_those_of_the_texts(folder, data):
    for number in range(len(data.groups)):
        rows = data._table(number).to_pylist()
        texts = [streaming.RowTexts.from_row(row) for row in rows]
        said = [[row.prompt, row.target, *(update["text"] for update in row.updates)] for row in texts]
        assert data.lengths(number).tolist() == [sum(len(text.encode()) for text in row) for row in said]


def test_samples_of_a_batch_are_of_like_length_and_batches_come_in_random_order(folder):
    data = ShardDataset(folder, toy_tokenizer(), window=SAMPLES)
    lengths = np.concatenate([data.lengths(number) for number in range(len(data.groups))])
    batches = lengths[list(ShardSampler(data, 4))].reshape(-1, 4)
    assert (np.diff(batches) >= 0).all()
    spread, by_chance = (np.ptp(some, axis=-1).mean() for some in (batches, lengths.reshape(-1, 4)))
    assert spread < by_chance / 2
    steps = np.diff(batches.mean(-1))
    assert min((steps < 0).sum(), (steps > 0).sum()) > 6


@pytest.mark.parametrize("batch_size", [5, 24, 25, 96, 1000])
def test_batches_that_fill_no_window_lose_no_row(data, batch_size):
    order = list(ShardSampler(data, batch_size))
    assert sorted(order) == list(range(SAMPLES)) and len(ShardSampler(data, batch_size)) == SAMPLES


def test_the_first_texts_are_those_of_the_first_rows(folder):
    rows = list(StoredDataset(folder).shards["train"][0].rows())[:3]
    expected = []
    for row in rows:
        expected += [row["prompt"], row["initial_target"] + row["revised_target"]]
        expected += [update["text"] for update in row["updates"]]
    assert list(streaming.first_texts(folder, 3)) == expected


def spoil(folder, how):
    shard = folder / "data" / "train-00001-of-00003.parquet"
    if how == "missing":
        shard.unlink()
    elif how == "truncated":
        shard.write_bytes(shard.read_bytes()[:-100])
    else:
        pq.write_table(pq.read_table(shard).slice(1), shard)


@pytest.mark.parametrize(
    ("how", "message"),
    [("missing", "cannot be read"), ("truncated", "cannot be read"), ("short", "holds 39 rows of 40")],
)
def test_a_broken_shard_is_named_before_anything_is_read(folder, tmp_path, how, message):
    shutil.copytree(folder, tmp_path / "copy")
    spoil(tmp_path / "copy", how)
    with pytest.raises(ValueError, match=f"`data`: .*train-00001-of-00003.parquet {message}.*`hf-duplex data check`"):
        ShardDataset(tmp_path / "copy", toy_tokenizer())


def test_what_is_no_built_data_set_is_named(folder, tmp_path):
    with pytest.raises(ValueError, match="^`data`: there is no folder .*nowhere"):
        ShardDataset(tmp_path / "nowhere", toy_tokenizer())
    with pytest.raises(ValueError, match="^`data`: .* holds no build.json"):
        ShardDataset(tmp_path, toy_tokenizer())
    (tmp_path / "build.json").write_text("{}")
    with pytest.raises(ValueError, match="^`data`: .* is no manifest that can be read"):
        ShardDataset(tmp_path, toy_tokenizer())
    with pytest.raises(ValueError, match="has no split 'test', only train, validation; name it in `splits`"):
        ShardDataset(folder, toy_tokenizer(), split="test")


def test_sizes_that_cannot_be_are_refused(folder, data):
    with pytest.raises(ValueError, match="`window` must be at least 1, got 0"):
        ShardDataset(folder, toy_tokenizer(), window=0)
    with pytest.raises(ValueError, match="`batch_size` must be at least 1, got 0"):
        ShardSampler(data, 0)
    for index in (-1, SAMPLES):
        with pytest.raises(IndexError, match=f"index {index} is outside a data set of 96 samples"):
            data[index]
