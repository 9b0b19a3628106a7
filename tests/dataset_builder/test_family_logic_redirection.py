"""Logic redirection, read from its own text: branches, what is taken back, and what stays."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_builder import END, Builder, BuilderConfig, PlacedUpdate, speak
from dataset_builder.build.splits import split_config
from dataset_builder.families import FAMILIES
from dataset_builder.families.logic_redirection import task as module
from dataset_builder.families.logic_redirection import wordings as wordings
from dataset_builder.families.logic_redirection.reader import read
from dataset_builder.world.facts import NONE


NAME = "logic_redirection"
FAMILY = FAMILIES[NAME]
TRAIN = BuilderConfig(families=(NAME,), seed=5)
NUM = 400

# An oracle of its own for prompts: premises and rules by their wording, conclusions by going forward through them.
WHO, WHAT = r"(?:the [a-z]+|[A-Z][a-z]+)", r"(?:not )?[A-Za-z]+"
ATOM = rf"{WHO} is {WHAT}"
CONDITION = rf"{ATOM}(?: (?:and|or) {ATOM})?"
IS = r"(?:is|has to be|turns out to be|will be|is sure to be)"
THEN = rf"(?P<s>{WHO}) {IS} (?P<v>{WHAT})"
ELSE = rf"(?P<w>{WHAT})"
OTHER = r"in (?:any|all) other cases?"
HEAD = (
    r"(?:remember that |one rule says that |there is a rule that |note that |we agreed that |by the rules "
    r"|take it as a rule that |i can tell you that )?"
)
FORMS = [
    rf"(?:if|when) (?P<c>{CONDITION}) then {THEN}(?: (?:(?:and|but) otherwise|and if not then|or else) {ELSE})?",
    rf"(?:in case|as long as) (?P<c>{CONDITION}) {THEN}(?: (?:and|but) {OTHER} {ELSE})?",
    rf"(?:we may conclude that )?{THEN} (?:if|in case|provided that|on condition that|once|as long as|when(?:ever)?"
    rf"|as soon as) (?P<c>{CONDITION})"
    rf"(?: (?:but|and) {ELSE} (?:otherwise|if not|if that is not so|{OTHER})"
    rf"| and (?:without that|{OTHER}) (?P<w2>{WHAT}))?",
    rf"(?:in the event that|every time that) (?P<c>{CONDITION}) {THEN}",
    rf"should it be that (?P<c>{CONDITION}) then {THEN}",
    rf"whenever (?P<c>{CONDITION}) you can conclude that {THEN}",
    rf"(?:where|from the fact that) (?P<c>{CONDITION}) it follows that {THEN}",
    rf"it follows from the fact that (?P<c>{CONDITION}) that {THEN}",
    rf"that (?P<c>{CONDITION}) (?:means|implies) that {THEN}",
    rf"that {THEN} follows from the fact that (?P<c>{CONDITION})",
    rf"to know that {THEN} it is enough that (?P<c>{CONDITION})",
    rf"(?P<s>{WHO}) is {ELSE} unless (?P<c>{CONDITION}) and then (?P<v>{WHAT})",
    rf"unless (?P<c>{CONDITION}) (?P<s>{WHO}) is {ELSE} but in that event (?P<v>{WHAT})",
    rf"depending on whether (?P<c>{CONDITION}) (?P<s>{WHO}) is (?P<v>{WHAT}) or {ELSE}",
    rf"(?P<s>{WHO}) is (?P<v>{WHAT}) or {ELSE} depending on whether (?P<c>{CONDITION})",
    rf"given that (?P<c>{CONDITION}) we have that {THEN}(?: and failing that {ELSE})?",
    rf"assuming that (?P<c>{CONDITION}) it is true that {THEN}(?: but failing that {ELSE})?",
]
FORMS = [rf"{HEAD}{form}(?: without exception| by rule| for certain)?" for form in FORMS]
ASKED = re.compile(r"\b(?:what(?! the [a-z]+ is\b(?! out of))|which|who|whom|whether|how|conclusion)\b")
GIVEN = [
    rf"(?P<p>the [a-z]+) (?:is known to be|turns out to be|counts as|proves to be|is) (?P<v>{WHAT})\b",
    rf"(?P<v>{WHAT}) is what (?P<p>the [a-z]+) is\b",
    rf"the right word for (?P<p>the [a-z]+) is (?P<v>{WHAT})\b",
    rf"(?:found|assume|take|regard|think of|let|know) (?P<p>the [a-z]+) (?:to be|as|be) (?P<v>{WHAT})\b",
]


def lower_first(clause):
    return (
        clause
        if re.match(rf"(?!It|Not|There|Wh)[A-Z][a-z]+ {IS} (?!what)", clause)
        else clause[:1].lower() + clause[1:]
    )


def told_as_rule(clause):
    return next((found for form in FORMS if (found := re.fullmatch(form, clause))), None)


def told_as_premise(clause):
    """The subject, the value, and whether that is not so; nothing where something is asked."""
    found = next((found for form in reversed(GIVEN) if (found := re.search(form, clause))), None)
    return (found["p"], found["v"], "not true that" in clause) if found and not ASKED.search(clause) else None


def understood(prompt):
    """Premises by subject, and rules by what they conclude from: (subject, condition) to (value, other value)."""
    premises, rules = {}, {}
    for clause in re.split(r"(?<=[.,;:?!])\s+", prompt):
        clause = lower_first(clause[:-1])
        if rule := told_as_rule(clause):
            parts = rule.groupdict()
            rules[rule["s"], rule["c"]] = rule["v"], parts.get("w") or parts.get("w2")
        elif premise := told_as_premise(clause):
            subject, value, untrue = premise
            premises[subject] = f"not {value}" if untrue else value
    return premises, rules


def concluded(premises, rules):
    known = dict(premises)
    for _ in range(4):
        for (subject, condition), (value, other) in rules.items():
            states = []
            for atom in re.split(" and | or ", condition):
                about, _, wanted = atom.partition(" is ")
                states.append(known[about] == wanted if about in known else None)
            decisive = " or " in condition
            met = decisive if decisive in states else None if None in states else not decisive
            follows = value if met else other if met is False else None
            if follows:
                assert known.get(subject, follows) == follows, (premises, rules)
                known[subject] = follows
    return known


def worlds(row):
    """What can be concluded before any update, after the first, and so on, by subject without its article."""
    premises, rules = understood(row.prompt)
    states = [concluded(premises, rules)]
    for update in row.updates:
        for change in update["changes"]:
            subject, rule, condition = change["fact"].partition(" if ")
            place, key = (rules, (subject, condition)) if rule else (premises, f"the {subject}")
            place.pop(key, None)
            if change["value"] != NONE and subject != "going on":
                place[key] = (change["value"], None) if rule else change["value"]
        states.append(concluded(premises, rules))
    return [{subject.removeprefix("the "): value for subject, value in state.items()} for state in states]


def expected(key, world):
    if not key.startswith("whether "):
        return world.get(key, NONE)
    subject, _, value = key.removeprefix("whether ").removeprefix("the ").partition(" is ")
    return NONE if subject not in world else "yes" if world[subject] == value else "no"


@pytest.fixture(scope="module")
def rows():
    counts = {
        "train": NUM,
        "composition": 40,
        "adversarial": 40,
        "retraction": 40,
        "paraphrase": 60,
        "novel_values": 60,
    }
    made = [row for split, num in counts.items() for row in Builder(split_config(TRAIN, split)).samples(num)]
    many = Builder(replace(TRAIN, update_counts=(12,), keep_going=1.0, together=0.0)).samples(60)
    return made + [row for row in many if len({update["position"] for update in row.updates}) == len(row.updates)]


def test_what_is_read_is_what_was_recorded(rows):
    for row in rows:
        recorded = [(c["key"], c["value"], c["start"], c["end"]) for c in row.provenance if c["complete"]]
        assert [tuple(claim) for claim in read(row.target)] == sorted(recorded, key=lambda c: c[2]), row.target


def test_every_claim_follows_from_the_prompt_and_the_updates(rows):
    for row in rows:
        states = worlds(row)
        for claim in row.provenance:
            assert claim["value"] == expected(claim["key"], states[claim["version"]]), (row.prompt, claim)
        for answer in row.answers:
            claims = [c for c in row.provenance if c["key"] == answer["key"] and c["complete"]]
            assert answer["value"] == expected(answer["key"], states[-1])
            assert claims or any(update["kind"] == "stop" for update in row.updates)
            assert not claims or claims[-1]["value"] == answer["value"], row.target


def test_the_prompt_tells_every_fact_that_is_known(rows):
    for row in rows:
        premises, rules = understood(row.prompt)
        told = {name.removeprefix("the "): value for name, value in premises.items()}
        told |= {f"{subject} if {condition}": value for (subject, condition), (value, _) in rules.items()}
        for fact in row.facts:
            assert fact["value"] in (told.get(fact["name"], NONE), "yes"), (row.prompt, fact)
            assert fact["type"] in ("boolean", "text", "name")


def test_texts_read_well(rows):
    leads = r"(?i:wait|sorry|no|hold on|scratch that|correction)[,:]"
    for row in rows:
        assert not re.search(rf"\b{leads}(?:[.,:]| --| so\b|$)| ,|  |: so\b|none|\{{", row.target), row.target
        starts = re.findall(r"(?:^|[.>] )([a-z])", row.target.replace(END, ">"))
        assert not starts, row.target


def test_an_update_names_its_fact(rows):
    for row in rows:
        for update in row.updates:
            if update["kind"] in ("retraction", "stop"):
                continue
            for change in update["changes"]:
                subject, _, condition = change["fact"].partition(" if ")
                assert subject.lower() in update["text"].lower() and condition in update["text"], update


def test_every_kind_that_the_family_has_occurs():
    rows = list(Builder(TRAIN).samples(800, NUM))
    kinds = {
        (update["kind"], " if " in c["fact"]) for row in rows for update in row.updates for c in update["changes"]
    }
    changing = {"correction", "invalidation", "addition"}
    assert kinds >= {(kind, rule) for kind in changing for rule in (False, True)} | {("constraint", True)}
    assert ("constraint", False) not in kinds and ("refinement", False) not in kinds
    held_out = {
        update["kind"] for row in Builder(split_config(TRAIN, "composition")).samples(60) for update in row.updates
    }
    assert held_out >= {"retraction", "repetition"}


def test_a_correction_turns_a_premise_into_its_opposite(rows):
    turned = 0
    for row in rows:
        values = {fact["name"]: fact["value"] for fact in row.facts if fact["type"] == "boolean"}
        for update in row.updates:
            for change in update["changes"]:
                old = values.get(change["fact"], NONE)
                if update["kind"] in ("correction", "recorrection", "adversarial") and old != NONE:
                    assert {old, change["value"]} == {(plain := old.removeprefix("not ")), f"not {plain}"}, update
                    turned += 1
                values[change["fact"]] = change["value"] if " if " not in change["fact"] else NONE
    assert turned > 300


def test_reasons_are_told_before_what_follows_from_them(rows):
    for row in rows:
        told = {"going on"}
        for claim in row.provenance:
            premises = {fact["name"] for fact in row.facts if fact["type"] == "boolean"} & {*claim["facts"]}
            told |= {claim["key"]} & premises
            assert premises <= told, (row.target, claim)


def test_scenes_differ_in_shape(rows):
    values = {claim["value"] for row in rows for claim in row.provenance}
    assert {"yes", "no", NONE} <= values
    shapes = {(len(row.answers), sum(fact["type"] == "boolean" for fact in row.facts)) for row in rows}
    assert {(1, 1), (1, 4), (4, 4)} <= shapes
    assert {len(claim["facts"]) for row in rows for claim in row.provenance} >= {1, 2, 3}
    quiet = Builder(BuilderConfig(families=(NAME,), num_updates=(0, 0)))
    lengths = [len(row.target) for row in quiet.samples(200)]
    later = {" if " in fact["name"] for row in rows for fact in row.facts if fact["value"] == NONE}
    assert later == {False, True}  # premises and rules that may only come later
    assert min(lengths) < 60 and sorted(lengths)[180] < 420


def scenes():
    builder = Builder(TRAIN)
    return st.integers(0, 10**6).map(lambda index: builder.scene(index)[:2])


@given(scenes(), st.data())
@settings(max_examples=120, deadline=None)
def test_what_does_not_depend_on_a_change_is_neither_altered_nor_repeated(made, data):
    family, scene = made
    facts = [name for name, fact in scene.facts.items() if fact.type != "boolean" or fact.kinds]
    changed = data.draw(st.lists(st.sampled_from(facts), min_size=1, max_size=2, unique=True))
    scene = replace(scene, endless=False)
    plain = speak(family, scene, [])
    values, heard = dict(plain.world.values), []
    for place in sorted(data.draw(st.lists(st.integers(0, plain.length), min_size=1, max_size=4))):
        fact = data.draw(st.sampled_from(changed))
        opposite = "zorben" if " if " in fact else module._opposite(values[fact])
        new = data.draw(st.sampled_from([NONE, opposite])) if values[fact] != NONE else "zorben"
        values[fact] = new
        heard.append(PlacedUpdate(place, "", "correction", "user", ((fact, new),)))
    speech = speak(family, scene, heard)

    def untouched(claims):
        return [(claim.key, claim.value, claim.complete) for claim in claims if not {*claim.facts} & {*changed}]

    assert untouched(speech.claims) == untouched(plain.claims)
    assert all(claim.stale_version < 0 for claim in speech.claims if not {*claim.facts} & {*changed})


@given(scenes())
@settings(max_examples=60, deadline=None)
def test_an_assumption_that_is_withdrawn_at_the_end_is_followed_to_its_last_consequence(made):
    """The stale branch is taken back in one repair that opens with the premise and holds just what has changed."""
    family, scene = made
    scene = replace(scene, endless=False)
    plain = speak(family, scene, [])
    told = {claim.key: claim.value for claim in plain.claims}
    for fact in scene.facts:
        if fact not in told or " if " in fact:
            continue
        speech = speak(family, scene, [PlacedUpdate(plain.length, "", "invalidation", "user", ((fact, NONE),))])
        after = [claim for claim in speech.claims if claim.start >= plain.length]
        changed = [key for key, value in told.items() if speech.world.values[key] != value]
        assert len(speech.repairs) == (1 if told[fact] != NONE else 0)
        assert sorted(claim.key for claim in after) == sorted(changed)
        assert not after or after[0].key == fact
        assert all(claim.complete and claim.value == speech.world.values[claim.key] for claim in after)


def patterns(forms):
    return [re.sub(r"\\\{\w+\\\}", "(.+?)", re.escape(form)) for form in forms]


def test_paraphrase_uses_none_of_the_known_wordings():
    clause = re.compile(r"(?<=[.,;:?!])\s+")
    frames = (wordings.PREMISE, wordings.RULE, wordings.RULE_OTHERWISE)
    known = {p for frame in frames for p in patterns(frame.known) if p != "(.+?)"}
    unseen = {p for frame in frames for p in patterns(frame.unseen)}
    facts = 0
    changes = {
        (kind, part): {
            re.compile(form, re.IGNORECASE)
            for table in (wordings.CHANGES, wordings.RULE_CHANGES)
            if kind in table
            for form in patterns(getattr(table[kind], part))
            if not form.startswith("(.+?)")  # as in "{P} after all."
        }
        for kind in ("correction", "invalidation", "addition", "constraint")
        for part in ("known", "unseen")
    }
    for row in Builder(split_config(TRAIN, "paraphrase")).samples(100):
        premises, rules = understood(row.prompt)
        for told in (lower_first(part[:-1]) for part in clause.split(row.prompt)):
            if told_as_rule(told) or told_as_premise(told):
                facts += 1
                assert any(re.fullmatch(form, told) for form in unseen), told
                assert not re.fullmatch(ATOM, told), told
        for update in row.updates:
            forms = changes.get((update["kind"], "known"), ())
            assert not any(form.fullmatch(update["text"]) for form in forms), update
        assert len(premises) + len(rules) > 1 or facts
    assert facts > 300
    assert known and not known & unseen
    assert all(
        found and not found & changes[kind, "unseen"] for (kind, part), found in changes.items() if part == "known"
    )


def test_novel_values_are_never_drawn_otherwise():
    def words(split):
        samples = list(Builder(split_config(TRAIN, split)).samples(180))
        claims = [claim for row in samples for claim in row.provenance if claim["value"] not in ("yes", "no", NONE)]
        values = {claim["value"].removeprefix("not ") for claim in claims}
        changes = [change for row in samples for update in row.updates for change in update["changes"]]
        values |= {change["value"].removeprefix("not ") for change in changes if change["fact"] != "going on"}
        things = {fact["name"] for row in samples for fact in row.facts if " if " not in fact["name"]}
        return values - {NONE}, things - {"going on"}

    usual, novel = words("train"), words("novel_values")
    assert not usual[0] & novel[0] and not usual[1] & novel[1]
    assert len(novel[0]) > 30 and len(novel[1]) > 30


@pytest.mark.parametrize(
    "changes",
    [
        {"num_facts": (1, 1), "num_questions": (8, 8)},
        {"num_facts": (20, 20), "num_questions": (8, 8)},
        {"made_up": 0.0, "novel_values": True, "num_facts": (15, 20)},
        {"made_up": 1.0, "num_questions": (1, 1)},
        {"kinds": {"correction": 1.0}},
        {"kinds": {"constraint": 1.0}},
        {"kinds": {"invalidation": 1.0, "addition": 1.0}},
    ],
)
def test_settings_at_their_ends(changes):
    config = BuilderConfig(families=(NAME,), **changes)
    for row in Builder(config).samples(40):
        told = [fact for fact in row.facts if fact["value"] not in (NONE, "yes")]
        assert len(told) <= config.num_facts[1] and 1 <= len(row.answers) <= config.num_questions[1]
        if not {"addition", "constraint"} & {*config.kinds}:
            assert all(fact["value"] != NONE for fact in row.facts)


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("The bridge is open, so the mill is busy.", [("bridge", "open"), ("mill", "busy")]),
        ("As the bridge is not open, Ada is late.", [("bridge", "not open"), ("Ada", "late")]),
        ("The guide is Ada -- wait, the bridge is", [("guide", "Ada")]),
        ("The bridge is not -- wait, the mill is busy -- open.", [("bridge", "not open"), ("mill", "busy")]),
        ("It is not known whether the bridge is open, so nothing follows for Ada.", [("bridge", NONE), ("Ada", NONE)]),
        ("So the answer to whether Ada is late is no.", [("whether Ada is late", "no")]),
        ("Whether the mill is busy remains open.", [("whether the mill is busy", NONE)]),
        ("If the bridge is open then I wonder whether the mill is busy.", []),
        ("That is all. It is true. This is what follows. What is the answer? The answer is yes.", []),
        ("the bridge is open -- no, the bridge is not open.", [("bridge", "open"), ("bridge", "not open")]),
        *(
            (text, [])
            for text in ("", " ", "--", "the is", "the bridge is", "the bridge is not", " -- wait, the", "\0")
        ),
        *(
            (text, [])
            for text in ("is is is", "whether", "so nothing follows for", "\xe9 -- no, -- .<eos><eos>", "42")
        ),
    ],
)
def test_claims_are_read_from_any_text(text, claims):
    found = read(text)
    assert sorted((claim.key, claim.value) for claim in found) == sorted(claims)
    assert all(first.start < second.start for first, second in pairwise(found))


@given(
    st.lists(st.sampled_from("the Ada bridge is not open so whether answer to -- wait, no: . <eos> yes \0 é".split()))
)
@settings(max_examples=150, deadline=None)
def test_the_reader_takes_any_text(words):
    for claim in read(" ".join(words)):
        assert claim.start < claim.end


def test_the_same_seed_gives_the_same_samples():
    assert list(Builder(TRAIN).samples(40)) == list(Builder(TRAIN).samples(40))
