"""Which rows repeat an earlier one."""

from random import Random

import numpy as np
import pytest

from dataset_builder.build.pairs import PAIR_FIELDS, find_repeated, pair_hash


def row(prompt, *updates):
    return {"prompt": prompt, "updates": [{"text": text, "position": place} for place, text in enumerate(updates)]}


def test_a_pair_is_the_prompt_and_the_texts_of_its_updates():
    rows = [
        row("a"),
        row("b"),
        row("a", "x"),
        row("a", "x", "y"),
        row("a", "y", "x"),
        row("a x"),
        row("a", "x y"),
        row("a", ""),
    ]
    assert len({pair_hash(one) for one in rows}) == len(rows)
    assert all(0 <= pair_hash(one) < 2**64 for one in rows)


def test_where_an_update_arrives_does_not_matter():
    moved = row("a", "x")
    moved["updates"][0]["position"] = 99
    assert pair_hash(moved) == pair_hash(row("a", "x"))


def write(folder, shards):
    files = []
    for number, hashes in enumerate(shards):
        files.append(folder / f"{number}.npy")
        np.save(files[-1], np.array([(value, 0) for value in hashes], PAIR_FIELDS))
    return files


@pytest.mark.parametrize("hashes_at_a_time", [1, 3, 7, 10**6])
@pytest.mark.parametrize("seed", range(5))
def test_repeated_rows_are_found_in_any_ranges(tmp_path, hashes_at_a_time, seed):
    rng = Random(seed)
    pool = [0, 2**64 - 1, 2**63, *(rng.getrandbits(64) for _ in range(12))]
    shards = [[rng.choice(pool) for _ in range(rng.randint(1, 9))] for _ in range(rng.randint(1, 6))]
    seen, expected = set(), {}
    for number, hashes in enumerate(shards):
        for place, value in enumerate(hashes):
            if value in seen:
                expected.setdefault(number, []).append(place)
            seen.add(value)
    assert find_repeated(write(tmp_path, shards), hashes_at_a_time) == expected


def test_nothing_repeats_where_all_differ(tmp_path):
    assert find_repeated(write(tmp_path, [[1, 2], [3]])) == {}
