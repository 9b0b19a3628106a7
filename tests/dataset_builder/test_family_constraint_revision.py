"""Constraint revision: shares always add up and fit, and what is said of them is read back."""

import re
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_builder import END, Builder, BuilderConfig, PlacedUpdate, speak
from dataset_builder.build.splits import split_config
from dataset_builder.families.constraint_revision import terms as terms
from dataset_builder.families.constraint_revision import updates as changes
from dataset_builder.families.constraint_revision import wordings as wordings
from dataset_builder.families.constraint_revision.reader import read
from dataset_builder.families.constraint_revision.terms import ITEMS, TERMS
from dataset_builder.speech.grammar import Wordings
from dataset_builder.world.facts import NONE, World
from dataset_builder.world.kinds import CHANGING


BASE = BuilderConfig(families=("constraint_revision",), seed=11)
BIG = BuilderConfig(families=("constraint_revision",), seed=12, num_facts=(4, 12), num_questions=(2, 8))


@cache
def samples(split="train", num=300):
    return list(Builder(split_config(BASE, split)).samples(num))


def dollars(value):
    return int(value.removeprefix("$"))


def shares(facts, items):
    """Who gets what, worked out from the facts alone; a second opinion."""
    left = None if facts["budget"] == NONE else dollars(facts["budget"])
    given = {}
    for name in items:
        price, limit = facts[f"price of {name}"], facts.get(f"limit for {name}", NONE)
        if price == NONE:
            given[name] = NONE
            continue
        quantity = ITEMS[name].quantity
        share = dollars(price) * (int(facts[quantity]) if quantity else 1)
        for bound in (limit, NONE if left is None else f"${left}"):
            share = share if bound == NONE else min(share, dollars(bound))
        left = None if left is None else left - share
        given[name] = f"${share}"
    return given


def check(world, questions):
    """All that has to hold in any world."""
    items = [key for key in questions if key in ITEMS]
    values = world.values
    given = [dollars(values[name]) for name in items if values[name] != NONE]
    assert {name: values[name] for name in items} == shares(values, items)
    assert all(share >= 0 for share in given)
    for name in items:
        limit = values.get(f"limit for {name}", NONE)
        assert NONE in (limit, values[name]) or dollars(values[name]) <= dollars(limit)
    if "total" in world.rules:
        assert dollars(values["total"]) == sum(given)
    if values["budget"] != NONE:
        assert sum(given) <= dollars(values["budget"])
        if "left" in world.rules:
            assert dollars(values["total"]) + dollars(values["left"]) == dollars(values["budget"])


@pytest.mark.parametrize("split", ["train", "paraphrase", "novel_values", "adversarial", "retraction", "late"])
def test_what_is_read_is_what_was_recorded(split):
    for row in samples(split, 300 if split == "train" else 100):
        recorded = [(c["key"], c["value"], c["start"], c["end"]) for c in row.provenance if c["complete"]]
        assert [tuple(claim) for claim in read(row.target)] == sorted(recorded, key=lambda claim: claim[2]), row.target


def test_shares_fit_at_every_version():
    builder = Builder(BIG)
    cut = 0
    for index in range(150):
        _, scene, heard = builder.scene(index)
        world = World(scene.facts, scene.rules)
        check(world, scene.questions)
        for update in heard:
            for fact, value in update.changes:
                world.set(fact, value)
            check(world, scene.questions)
        cut += any(world.values.get(f"{name}#gets", "").startswith("the ") for name in scene.questions)
    assert cut > 20  # money is short, or a limit holds, often enough to be learned


@given(st.integers(0, 10**6), st.booleans(), st.data())
@settings(max_examples=100, deadline=None)
def test_shares_fit_whatever_comes_when(index, big, data):
    """Any values, within reason or not, in any order and at any character."""
    family, scene, _ = Builder(BIG if big else BASE).scene(index)
    facts = sorted(fact for fact in scene.facts if fact in TERMS)
    length = len(speak(family, scene, []).text) if not scene.endless else 300
    draws = data.draw(
        st.lists(
            st.tuples(st.integers(0, length), st.sampled_from(facts), st.integers(0, 999), st.booleans()), max_size=6
        )
    )
    heard = []
    for position, fact, number, gone in sorted(draws, key=lambda draw: draw[0]):
        value = str(number) if TERMS[fact].role == "count" else f"${number}"
        can_go = {"invalidation", "constraint", "addition"} & set(scene.facts[fact].kinds)
        heard.append(PlacedUpdate(position, "", "correction", "user", ((fact, NONE if gone and can_go else value),)))
    if scene.endless:
        heard.append(PlacedUpdate(length, "", "stop", "user", (("going on", "no"),)))
    speech = speak(family, scene, heard)
    check(speech.world, scene.questions)
    assert speech.text.endswith(END)
    last = {claim.key: claim for claim in speech.claims}
    for key in scene.questions if not scene.endless else last:
        assert last[key].complete and last[key].value == speech.world.values[key]
    told = {claim.key: claim.value for claim in read(speech.text)}
    items = [key for key in scene.questions if key in ITEMS and told.get(key, NONE) != NONE]
    if "total" in told and not scene.endless:
        assert dollars(told["total"]) == sum(dollars(told[key]) for key in items)
    if {"total", "left", "budget"} <= set(told) and not scene.endless:
        assert dollars(told["total"]) + dollars(told["left"]) == dollars(told["budget"])


def test_the_last_word_on_every_question_is_the_answer():
    for row in samples():
        if any(update["kind"] == "stop" for update in row.updates):
            continue
        said = {claim.key: claim.value for claim in read(row.target)}
        assert {answer["key"]: answer["value"] for answer in row.answers}.items() <= said.items(), row.target


def test_every_kind_comes_and_changes_what_it_may():
    seen, roles = {}, set()
    for row in samples() + samples("composition", 100):
        for update in row.updates:
            seen[update["kind"]] = seen.get(update["kind"], 0) + 1
            roles |= {(update["kind"], TERMS[c["fact"]].role) for c in update["changes"] if c["fact"] in TERMS}
    assert {*CHANGING, "retraction", "confirmation", "untrusted", "immaterial", "stop"} <= set(seen)
    expected = {("correction", role) for role in ("budget", "count", "price", "limit")}
    expected |= {("invalidation", "price"), ("addition", "price"), ("constraint", "limit"), ("refinement", "price")}
    assert expected <= roles
    assert not {("addition", "limit"), ("constraint", "price"), ("invalidation", "count")} & roles


def test_a_lower_budget_is_seen_and_explained():
    """It is told ahead of what it cuts, and the last items are those that are cut."""
    builder, told = Builder(BIG), 0
    for index in range(200):
        family, scene, _ = builder.scene(index)
        plain = family.speech(scene)
        if scene.endless or scene.facts["budget"].value == NONE:
            continue
        plain.speak()
        before = [claim.key for claim in plain.claims]
        spent = sum(dollars(claim.value) for claim in plain.claims if claim.key in ITEMS and claim.value != NONE)
        if "budget" not in before or spent < 2:
            continue
        lower = f"${spent // 2}"
        change = PlacedUpdate(plain.length, "", "correction", "user", (("budget", lower),))
        repair = speak(family, scene, [change]).text[plain.length :]
        claims = read(repair)
        assert (claims[0].key, claims[0].value) == ("budget", lower)
        assert any(claim.key in ITEMS for claim in claims)
        assert re.search(r"the last \$\d+|(gets|takes|spend) \$0", repair)
        told += 1
    assert told > 20


def test_what_is_not_asked_for_is_neither_dropped_nor_added():
    builder = Builder(BuilderConfig(families=("constraint_revision",), num_facts=(4, 8), num_questions=(1, 2), seed=7))
    others = 0
    for index in range(100):
        _, scene, heard = builder.scene(index)
        for update in heard:
            for fact, value in update.changes:
                item = TERMS[fact].item if fact in TERMS else None
                if item and item.name not in scene.questions:
                    others += 1
                    assert value != NONE and update.kind not in ("addition", "constraint", "invalidation")
    assert others > 10


def pattern(wording):
    text = re.escape(wording.rstrip(".?"))
    for slot, form in {
        "x": r"the \w+",
        "noun": r"the [\w ]+",
        "new": r"\$?\d+",
        "old": r"\$?\d+",
        "tell": "[^;:]+",
    }.items():
        text = re.sub(rf"\\{{{slot}\\}}", lambda _, form=form: form, text, flags=re.IGNORECASE)
    return re.compile(rf"(?:^|[.;:,!?] (?:and )?){text}(?:[.,;?!]|$)", re.IGNORECASE)


def test_paraphrase_uses_none_of_the_known_wordings():
    known = [wordings.ASK_ONE, wordings.RULE, changes.CHANGE, changes.ADD]
    known += [*changes.DROP.values(), *changes.CONSTRAIN.values()]
    known = [pattern(wording) for form in known for wording in form.known]
    money = r"(\$?\d+|none)"
    for row in samples("paraphrase", 100):
        facts = {name: TERMS[name] for name in (fact["name"] for fact in row.facts) if name in TERMS}
        told = [wording.format(v="V") for term in facts.values() for wording in term.tells.known]
        for text in (row.prompt, *(update["text"] for update in row.updates)):
            assert not [form.pattern for form in known if form.search(text)], text
            for wording in told:
                assert not re.search(rf"\b{re.escape(wording).replace('V', money)}(?!\w)", text), text


def test_paraphrase_forms_would_be_found():
    """The patterns of the test above do find known wordings."""
    known = [pattern(wording) for wording in (*wordings.RULE.known, *wordings.ASK_ONE.known)]
    assert sum(any(form.search(row.prompt) for form in known) for row in samples()) > 60


def test_novel_values_are_never_usual():
    def drawn(rows):
        money, names, counts = set(), set(), set()
        for row in rows:
            changes = [(c["fact"], c["value"]) for update in row.updates for c in update["changes"]]
            for fact, value in [(fact["name"], fact["value"]) for fact in row.facts] + changes:
                if fact not in TERMS:
                    continue
                names |= {TERMS[fact].item.name} if TERMS[fact].item else set()
                if TERMS[fact].role == "count":
                    counts.add((fact.split()[0], value))
                elif value != NONE:
                    money.add(value)
        return money, names, counts

    for usual, novel in zip(drawn(samples()), drawn(samples("novel_values", 100)), strict=True):
        assert novel and not usual & novel


def test_the_prompt_says_one_thing_a_clause():
    @cache
    def told(name):
        known = [re.escape(wording.format(v="V")) for wording in TERMS[name].tells.known]
        return [re.compile(rf"(?:^|\b(?:and|that) ){form.replace('V', '([$]?[0-9]+)')}$", re.I) for form in known]

    for row in samples():
        clauses = re.split(r"(?<=[.,;:?!]) ", row.prompt)
        found = {}
        for clause in clauses:
            names = {
                (fact["name"], match[1])
                for fact in row.facts
                if fact["name"] in TERMS
                for form in told(fact["name"])
                if (match := form.search(clause.rstrip(".,;:?!")))
            }
            assert len(names) <= 1, clause
            found.update(names)
        assert found == {f["name"]: f["value"] for f in row.facts if f["name"] in TERMS and f["value"] != NONE}


@pytest.mark.parametrize("kind", ["addition", "constraint"])
def test_without_a_kind_nothing_waits_for_it(kind):
    config = BuilderConfig(families=("constraint_revision",), kinds={"correction": 1}, num_facts=(3, 6), seed=5)
    role = {"addition": "price", "constraint": "limit"}[kind]
    for index in range(60):
        _, scene, _ = Builder(config).scene(index)
        assert not [fact for fact, (value, *_) in scene.facts.items() if value == NONE and fact.startswith(role)]


def test_many_facts_and_questions_are_told():
    config = BuilderConfig(families=("constraint_revision",), num_facts=(12, 12), num_questions=(8, 8), seed=6)
    for row in Builder(config).samples(40):
        assert len(row.answers) == 8
        assert sum(fact["value"] != NONE and fact["name"] in TERMS for fact in row.facts) == 12


def test_wordings_are_many_and_names_are_distinct():
    assert len(ITEMS) == sum(len(words) for words in (*terms.COSTS.values(), *terms.COSTS_BY_UNIT.values()))
    lists = [value for value in (vars(wordings) | vars(changes)).values() if isinstance(value, Wordings)]
    lists += [*changes.DROP.values(), *changes.CONSTRAIN.values(), *(term.tells for term in TERMS.values())]
    assert len(lists) > 200
    for form in lists:
        assert not set(form.known) & set(form.unseen)
        assert len(form.known) >= 12 and len(form.unseen) >= 2
        assert len(set(form.known)) == len(form.known)


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("The hotel gets $240.", {"hotel": "$240"}),
        (
            "3 nights at $80 make $240, but the hotel gets the last $90, which leaves $0.",
            {"hotel": "$90", "left after hotel": "$0"},
        ),
        ("For the rice, 4 * $3 = $12, so we spend $12. $30 - $12 = $18 is left.", {"rice": "$12", "left": "$18"}),
        ("At $3 a bag, 4 bags make $12, but the rice gets the allowed $9", {"rice": "$9"}),
        ("The budget is $400 -- wait, the budget is $300.", {"budget": "$300"}),
        ("Nothing is planned for the zoo. The total is $0 + $20 = $20.", {"zoo": NONE, "total": "$20"}),
        ("On the zoo we -- no, the budget is $9 -- spend the last $9.", {"zoo": "$9", "budget": "$9"}),
        (
            "There is no budget. We give the zoo $12. In all we spend $12 + $4 = $16.",
            {"budget": NONE, "zoo": "$12", "total": "$16"},
        ),
        ("After the zoo $40 is left, and in the end $15 is left.", {"left after zoo": "$40", "left": "$15"}),
        # both values, the later one counts
        ("The zoo gets $12. Wait, the zoo gets $15.", {"zoo": "$15"}),
        # cut short: no claim
        ("3 nights at $80 make $240, so the hotel gets", {}),
        ("The total is $240 + $100", {}),
        ("What is left is $240", {}),
        ("What is left is $240 - $100 =", {}),
        ("In all we spend $240 + $100 -- wait, the zoo gets $4.", {"zoo": "$4"}),
        ("which leaves $40.", {}),
        ("The hotel needs 3 * $80 = $240", {}),
        # of no interest
        ("What does the hotel get? The hotel costs $80 a night, and we gets $4.", {}),
    ],
)
def test_statements_are_read_from_any_text(text, claims):
    assert {claim.key: claim.value for claim in read(text)} == claims


@pytest.mark.parametrize(
    "text",
    ["", " ", "--", "$", "$$ $5 =", "the the gets $", "\0", "é -- no, -- .<eos><eos>", "is left", "which leaves"],
)
def test_the_reader_takes_any_text(text):
    assert read(text) == []


@given(st.text(alphabet="the hotelgs$0123-+=,. wé\0", max_size=60))
@settings(max_examples=100, deadline=None)
def test_the_reader_never_raises(text):
    for claim in read(text):
        assert 0 <= claim.start < claim.end <= len(text)


def test_a_wrong_share_is_read_as_such():
    row = next(row for row in samples() if not row.updates and any(c["key"] in ITEMS for c in row.provenance))
    claim = next(c for c in row.provenance if c["key"] in ITEMS and c["value"] != NONE)
    said = row.target[claim["start"] : claim["end"]]
    head, _, tail = said.rpartition(claim["value"])
    wrong = row.target[: claim["start"]] + head + "$9999" + tail + row.target[claim["end"] :]
    assert {c.key: c.value for c in read(wrong)}[claim["key"]] == "$9999"
