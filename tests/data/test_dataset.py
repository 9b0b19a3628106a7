"""The data set: the same samples however they are made, in the order of the curriculum."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_runs import samples, toy_tokenizer

from dataset_builder import Builder
from hf_duplex.data import CurriculumDataset, CurriculumSampler, Phase, dataset, encode_sample
from hf_duplex.data.dataset import pack, unpack


QUIET = {"num_updates": (0, 0), "num_facts": (1, 2), "num_questions": (1, 1)}
ids = st.lists(st.integers(0, 2**31 - 1), max_size=9)


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(dataset, "CHUNK", 8)


def make(**fields):
    return CurriculumDataset([Phase(20, QUIET), Phase(13, {"num_updates": (1, 3)})], toy_tokenizer(), **fields)


def rows(data):
    return [data[index] for index in range(len(data))]


def test_samples_are_those_of_the_builder_phase_after_phase(small_chunks):
    made = rows(make())
    assert len(made) == 33
    quiet, heard = samples(20, **QUIET), samples(33, num_updates=(1, 3))[20:]
    assert made == [encode_sample(toy_tokenizer(), sample) for sample in (*quiet, *heard)]


def test_a_phase_is_gone_through_as_often_as_it_says(small_chunks):
    once = rows(make())
    phases = [Phase(20, QUIET, passes=2), Phase(13, {"num_updates": (1, 3)}, passes=3)]
    data = CurriculumDataset(phases, toy_tokenizer())
    assert rows(data) == once[:20] * 2 + once[20:] * 3
    assert list(data.lengths) == [len(pack(sample)) for sample in rows(data)]


def test_samples_do_not_depend_on_the_number_of_processes(small_chunks):
    assert rows(make(num_proc=3)) == rows(make())


def test_chunks_change_nothing(small_chunks, monkeypatch):
    expected = rows(make())
    monkeypatch.setattr(dataset, "CHUNK", 1000)
    assert rows(make()) == expected


@pytest.mark.parametrize("change", [{"seed": 1}, {"split": "validation"}])
def test_seed_and_split_give_other_samples(change):
    expected = rows(make())
    assert not [row for row in rows(make(**change)) if row in expected]


def test_the_cache_gives_the_same_and_is_read_the_second_time(small_chunks, tmp_path, monkeypatch):
    expected = rows(make())
    assert rows(make(cache_dir=tmp_path / "deep")) == expected
    monkeypatch.setattr(CurriculumDataset, "_make_all", None)
    assert rows(make(cache_dir=tmp_path / "deep", num_proc=2)) == expected


def test_the_cache_knows_seeds_splits_phases_and_other_builders(tmp_path, monkeypatch):
    make(cache_dir=tmp_path)
    assert rows(make(cache_dir=tmp_path, seed=1)) == rows(make(seed=1))
    assert rows(make(cache_dir=tmp_path, split="test")) == rows(make(split="test"))
    sample = Builder.sample
    changed = dataclasses.replace(samples(1)[0], prompt="Something else.")
    monkeypatch.setattr(Builder, "sample", lambda self, index: changed if index == 0 else sample(self, index))
    assert rows(make(cache_dir=tmp_path))[0] == encode_sample(toy_tokenizer(), changed)
    assert len(list(tmp_path.glob("*.npz"))) == 4 and not list(tmp_path.glob("*.part"))


@given(ids, ids, st.lists(st.tuples(ids, st.integers(0, 99)), max_size=5))
def test_a_packed_sample_is_unpacked_to_itself(emitted, prompt, updates):
    row = {
        "input_ids": emitted,
        "prompt_ids": prompt,
        "update_ids": [update for update, _ in updates],
        "update_positions": [position for _, position in updates],
    }
    assert unpack(pack(row)) == row


def test_an_index_outside_is_refused():
    data = make()
    for index in (-1, len(data)):
        with pytest.raises(IndexError, match="33 samples"):
            data[index]


lengths = st.lists(st.integers(1, 300), min_size=1, max_size=200)


@given(lengths, st.integers(1, 8), st.integers(1, 5), st.integers(0, 3))
def test_the_sampler_gives_every_sample_once_and_keeps_the_order_up_to_a_window(lengths, batch_size, window, seed):
    sampler = CurriculumSampler(lengths, batch_size, window, seed)
    order = list(sampler)
    assert sorted(order) == list(range(len(lengths))) and len(sampler) == len(lengths)
    assert order == list(sampler) == list(CurriculumSampler(lengths, batch_size, window, seed))
    size = batch_size * window
    assert [index // size for index in order] == [place // size for place in range(len(order))]


@given(lengths, st.integers(1, 8), st.integers(1, 5))
def test_the_samples_of_a_batch_are_neighbours_in_length(lengths, batch_size, window):
    order, lengths = list(CurriculumSampler(lengths, batch_size, window)), np.array(lengths)
    size = batch_size * window
    for start in range(0, len(order), size):
        in_window = np.sort(lengths[start : start + size])
        for at in range(start, min(start + size, len(order)), batch_size):
            batch = np.sort(lengths[order[at : at + batch_size]])
            assert any(
                np.array_equal(batch, in_window[place : place + len(batch)])
                for place in range(0, len(in_window), batch_size)
            )


@given(st.lists(st.tuples(st.integers(1, 90), st.integers(1, 90)), min_size=1, max_size=200), st.integers(1, 8))
def test_samples_are_sorted_by_both_lengths_and_each_comes_once(sizes, batch_size):
    heard, emitted = np.array(sizes).T
    order = list(CurriculumSampler(heard + emitted, batch_size, emitted=emitted))
    assert sorted(order) == list(range(len(sizes)))


def test_sorting_by_both_lengths_leaves_less_padding():
    generator = np.random.default_rng(0)
    heard, emitted = generator.integers(20, 200, 4096), generator.integers(20, 400, 4096)

    def columns(order):
        batches = np.array(order).reshape(-1, 32)
        return sum(32 * (heard[batch].max() + emitted[batch].max()) for batch in batches)

    by_total = columns(list(CurriculumSampler(heard + emitted, 32)))
    assert columns(list(CurriculumSampler(heard + emitted, 32, emitted=emitted))) < 0.85 * by_total


def test_batches_come_in_random_order_that_the_seed_decides():
    lengths = np.arange(640) % 97
    first, second = (list(CurriculumSampler(lengths, 10, seed=seed)) for seed in (0, 1))
    assert first != second
    means = lengths[first[:320]].reshape(32, 10).mean(1)
    assert not np.array_equal(means, np.sort(means))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"samples": 0}, "`samples` of phase 'first' must be a whole number from 1, got 0"),
        ({"samples": 2.5}, "`samples` of phase 'first'.*got 2.5"),
        ({"samples": 1, "builder": {"num_fact": [1, 2]}}, "`builder` of phase 'first' has no field num_fact"),
        ({"samples": 1, "builder": {"seed": 3}}, "`builder` of phase 'first' has no field seed"),
        ({"samples": 1, "builder": {"num_facts": [3, 2]}}, "`builder` of phase 'first': `num_facts`"),
        (
            {"samples": 1, "builder": {"families": ["riddles"]}},
            "'first': `families` has no 'riddles'",
        ),
    ],
)
def test_a_phase_that_cannot_be_is_refused_by_name(fields, message):
    with pytest.raises(ValueError, match=message):
        Phase(name="first", **fields)


def test_a_curriculum_without_phases_is_refused():
    with pytest.raises(ValueError, match="`phases` is empty"):
        CurriculumDataset([], toy_tokenizer())
