"""An oracle that sees only the text and the updates of a sample, and knows nothing of how they were made."""

import re

import pytest

from dataset_builder import END, FAMILIES, Builder, BuilderConfig


NUM = 2000
ARTICLE = r"(?:the )?"
FACT_UPDATES = [
    rf"it's {ARTICLE}(?P<v>[\w-]+) that is the (?P<a>[a-z ]+) of (?P<e>\w+)",
    rf"(?:[Mm]ake that|say that|[Nn]o,) {ARTICLE}(?P<v>[\w-]+) (?:for|is) the (?P<a>[a-z ]+) of (?P<e>\w+)",
    rf"[Tt]he (?P<a>[a-z ]+) of (?P<e>\w+) is {ARTICLE}(?P<v>[\w-]+)",
    rf"(?P<e>\w+)'s (?P<a>[a-z ]+?) is (?:now )?{ARTICLE}(?P<v>[\w-]+)",
    rf"(?P<e>\w+) has {ARTICLE}(?P<v>[\w-]+) as its (?P<a>[a-z ]+)",
    rf"the (?P<a>[a-z ]+?)(?P<e>) is {ARTICLE}(?P<v>[\w-]+)",
]


def understand(task, update, facts):
    """The fact that an update changes, and its new value."""
    if task == "variable_substitution":
        return re.search(r"\b([a-z])\b(?: is| =| should be| be| to)+ (\d+)", update).groups()
    found = next(match for match in (re.search(form, update) for form in FACT_UPDATES) if match)
    fact = f"{found['a']} of {found['e']}"
    if not found["e"]:
        (fact,) = [name for name in facts if name.startswith(found["a"] + " of ")]
    return fact, found["v"]


def evaluate(task, key, facts):
    if task == "fact_correction":
        return facts[key]
    expression = re.sub(r"(\d)([a-z])", r"\1*\2", key)
    return str(eval(re.sub(r"[a-z]", lambda letter: facts[letter[0]], expression), {}))  # arithmetic only


def worlds(row):
    """The facts of each version: before any update, after the first, and so on."""
    versions = [dict(row.facts)]
    for update in row.updates:
        fact, value = understand(row.task_type, update["text"], row.facts)
        assert fact in row.facts, update
        versions.append({**versions[-1], fact: value})
    return versions


def faults(row):
    """What a listener finds wrong: claims that do not follow from what had been heard when they were made."""
    versions = worlds(row)
    claims = FAMILIES[row.task_type].read(row.target)
    found, last = [], {}
    for claim in claims:
        heard = sum(update["position"] <= claim.end for update in row.updates)
        possible = {evaluate(row.task_type, claim.key, facts) for facts in versions[: heard + 1]}
        if claim.value not in possible:
            found.append(claim)
        last[claim.key] = claim
    for key in row.answers:
        if key not in last or last[key].value != evaluate(row.task_type, key, versions[-1]):
            found.append((key, last.get(key)))
    return found


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def rows(request):
    return list(Builder(BuilderConfig(families=(request.param,), seed=1)).samples(NUM))


def test_what_is_read_is_what_was_recorded(rows):
    for row in rows:
        read = FAMILIES[row.task_type].read(row.target)
        recorded = [(c["key"], c["value"], c["start"], c["end"]) for c in row.claims if c["complete"]]
        assert [tuple(claim) for claim in read] == sorted(recorded, key=lambda claim: claim[2]), row.target


def test_every_claim_is_right_for_its_version(rows):
    for row in rows:
        versions = worlds(row)
        for claim in row.claims:
            assert claim["value"] == evaluate(row.task_type, claim["key"], versions[claim["version"]]), row
            assert claim["version"] <= sum(update["position"] < claim["end"] for update in row.updates)
            assert set(claim["depends"]) <= set(row.facts)


def test_the_last_word_on_every_question_is_the_final_value(rows):
    for row in rows:
        final = worlds(row)[-1]
        for key, value in row.answers.items():
            last = [claim for claim in row.claims if claim["key"] == key][-1]
            assert value == last["value"] == evaluate(row.task_type, key, final)
            assert last["complete"]


def test_nothing_is_wrong_in_the_gold_text(rows):
    assert [row.target for row in rows if faults(row)] == []


def test_a_planted_wrong_value_is_caught(rows):
    caught = 0
    for row in rows[:500]:
        claim = [claim for claim in row.claims if claim["key"] in row.answers][-1]
        wrong = "999" if row.task_type == "variable_substitution" else "Wrongville"
        inside = row.target[claim["start"] : claim["end"]]
        head, _, tail = inside.rpartition(claim["value"])
        text = row.target[: claim["start"]] + head + wrong + tail + row.target[claim["end"] :]
        cut = len(row.initial_target)
        planted = type(row)(**{**vars(row), "initial_target": text[:cut], "revised_target": text[cut:]})
        caught += bool(faults(planted))
    assert caught == 500


def test_the_prompt_says_the_facts_one_a_clause(rows):
    for row in rows:
        clauses = re.split(r"(?<=[.,;:?!]) ", row.prompt)
        assert all(clause[-1] in ".,;:?!" for clause in clauses), row.prompt
        told, asked = {}, 0
        for clause in clauses:
            if row.task_type == "variable_substitution":
                found = re.findall(r"\b([a-z]) (?:=|is) (\d+)", clause)
                questions = [key for key in row.answers if re.search(rf"(?<!\w){re.escape(key)}(?!\w)", clause)]
            else:
                found = [(claim.key, claim.value) for claim in FAMILIES[row.task_type].read(clause)]
                questions = [key for key in row.answers if f"the {key}" in clause and not found]
            assert len(found) + min(1, len(questions)) <= 1, row.prompt
            told.update(found)
            asked += bool(questions)
        assert told == row.facts, row.prompt
        assert asked == len(row.answers), row.prompt


def test_order_is_told_inside_the_clauses(rows):
    ordinals = ["first", "second", "third", "fourth", "fifth"]
    for row in rows:
        if len(row.answers) == 1:
            continue
        clauses = re.split(r"(?<=[.,;:?!]) ", row.prompt)
        keys = list(row.answers)
        for number, key in enumerate(keys):
            marks = rf"\b{ordinals[number]}\b|\b{number + 1}\)|(?:question|number) {number + 1}\b"
            assert any(
                re.search(marks, clause, re.IGNORECASE) and re.search(rf"(?<!\w){re.escape(key)}(?!\w)", clause)
                for clause in clauses
            ), (row.prompt, key)


def test_the_target_ends_and_splits_where_the_first_update_comes(rows):
    for row in rows:
        positions = [update["position"] for update in row.updates]
        assert row.target.endswith(END)
        assert positions == sorted(positions)
        assert all(0 <= position <= len(row.target) - len(END) for position in positions)
        assert row.update_step == (positions[0] if positions else -1)
        assert len(row.initial_target) == (positions[0] if positions else len(row.target))
        assert row.phase == (2 if positions else 1)
        assert row.requires_revision == any(claim["stale"] for claim in row.claims)
        assert all(not row.target[position - 4 : position].endswith(END[:4]) for position in positions)


def test_some_updates_come_after_the_end(rows):
    late = [row for row in rows if any(END in row.target[: update["position"]] for update in row.updates)]
    share = len(late) / sum(row.phase == 2 for row in rows)
    assert 0.08 < share < 0.16
    assert any(row.revised_target.endswith(END * 2) for row in late) or any(END * 2 in row.target for row in late)


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
