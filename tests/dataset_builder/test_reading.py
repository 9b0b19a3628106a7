"""Readers find in any text what it claims, and in the builder's own texts what was recorded."""

import pytest

from dataset_builder import END, FAMILIES, Builder, BuilderConfig


NUM = 600


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def rows(request):
    return list(Builder(BuilderConfig(families=(request.param,), seed=1)).samples(NUM))


def test_what_is_read_is_what_was_recorded(rows):
    for row in rows:
        read = FAMILIES[row.task_type].read(row.target)
        recorded = [(c["key"], c["value"], c["start"], c["end"]) for c in row.provenance if c["complete"]]
        assert sorted(tuple(claim) for claim in read) == sorted(recorded), row.target


def test_the_last_word_on_every_question_is_the_final_value(rows):
    for row in rows:
        last = {claim.key: claim.value for claim in FAMILIES[row.task_type].read(row.target)}
        for answer in row.answers:
            assert last.get(answer["key"], answer["value"]) == answer["value"], row


def test_the_target_ends_and_splits_where_the_first_update_comes(rows):
    for row in rows:
        positions = [update["position"] for update in row.updates]
        assert row.target.endswith(END)
        assert positions == sorted(positions)
        assert all(0 <= position <= len(row.target) - len(END) for position in positions)
        assert row.update_step == (positions[0] if positions else -1)
        assert len(row.initial_target) == (positions[0] if positions else len(row.target))
        assert (row.phase == 1) == (not positions)
        assert not any(END.startswith(row.target[position - 4 : position]) for position in positions if position > 3)


def test_some_updates_come_after_the_end(rows):
    late = [row for row in rows if any(END in row.target[: update["position"]] for update in row.updates)]
    assert 0.04 < len(late) / sum(row.phase > 1 for row in rows) < 0.16
    assert any(END * 2 in row.target for row in late)


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("The capital of Australia is Canberra.", {"capital of Australia": "Canberra"}),
        ("What is the capital of Australia? the currency of Chad is the -- wait, the", {}),
        ("Norland's currency is the dral and it has no port.", {"currency of Norland": "dral"}),
        (
            "Tarvik -- no, the capital of Norland is Velm -- is the founder of Osk.",
            {
                "capital of Norland": "Velm",
                "founder of Osk": "Tarvik",
            },
        ),
    ],
)
def test_facts_are_read_from_any_text(text, claims):
    assert {claim.key: claim.value for claim in FAMILIES["fact_correction"].read(text)} == claims


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("3x + 2 = 17.", {"3x + 2": "17"}),
        ("So 3x + 2 = 3 * 7 + 2 = 21 + 2 = 23.", {"3x + 2": "23"}),
        ("3x + 2 = 3 * 7 + 2 = 21", {}),
        ("3x + 2 = 3 * 5 + 2 = 15 -- wait, x is 7: 3x + 2 is 23.", {"x": "7", "3x + 2": "23"}),
        ("x - y is 3 - 5, which is -2.", {"x - y": "-2"}),
        ("x * y = 3 * 5 = 15 -- no, x is 4, so x * y = 20.", {"x": "4", "x * y": "20"}),
    ],
)
def test_equalities_are_read_from_any_text(text, claims):
    assert {claim.key: claim.value for claim in FAMILIES["variable_substitution"].read(text)} == claims


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "--",
        " -- wait,",
        "x",
        "x = ",
        "3x + 2 = 3 *",
        "wait, wait, wait",
        "\0",
        "é -- no, -- -- .<eos><eos>",
        "= 5",
    ],
)
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_the_reader_takes_any_text(family, text):
    assert FAMILIES[family].read(text) == []
