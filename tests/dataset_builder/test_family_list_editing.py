"""List editing, held against plain Python lists: prompts and updates are understood by the oracle, from their text
alone."""

import re

import pytest

from dataset_builder import FAMILIES, Builder, BuilderConfig
from dataset_builder.build.splits import split_config
from dataset_builder.families.list_editing import edits as list_edits
from dataset_builder.families.list_editing import questions as list_questions
from dataset_builder.families.list_editing import task as list_editing
from dataset_builder.families.list_editing.oracle import LISTENER
from dataset_builder.world import names
from dataset_builder.world.facts import NONE
from dataset_builder.world.kinds import KINDS


NUM = 120
BASE = BuilderConfig(families=("list_editing",), seed=5)
NOUNS = {
    "shopping list": "item",
    "packing list": "item",
    "to-do list": "task",
    "recipe": "step",
    "agenda": "topic",
    "tour": "stop",
    "ball": "dance",
    "menu": "course",
    "timetable": "lesson",
    "zoo walk": "animal",
    "bird walk": "bird",
    "flower bed": "flower",
    "sports day": "event",
    "relay": "runner",
    "conference": "speaker",
    "language course": "language",
    "cruise": "river",
    "climbing plan": "peak",
    "travel plan": "country",
    "coin album": "coin",
}
NTH = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"]
ITEM = r"[\w'-]+(?: [\w'-]+)?"
NOUN = rf"(?:{'|'.join(NOUNS.values())})"
PLURALS = rf"(?:countries|(?:{'|'.join(NOUNS.values())})s)"


def told(prompt):
    """The lists that a prompt tells, as the oracle understands them, which knows nothing of the wordings here."""
    return {name: list(items) for name, items in LISTENER.understand(prompt).facts.items()}


def versions(sample):
    """The lists before any update, after the first, and so on, as understood from the texts."""
    state = LISTENER.understand(sample.prompt)
    found, standing = [told(sample.prompt)], []
    for update in sample.updates:
        if update["kind"] == "retraction":
            name = re.search(rf"\bthe ({'|'.join(NOUNS)})\b", update["text"])
            index = max(at for at, (other, _) in enumerate(standing) if name is None or other == name[1])
            changed, before = standing.pop(index)
            state = state.but({changed: before})
        elif update["kind"] not in ("chatter", "stop", "untrusted"):
            heard = LISTENER.apply(state, update["text"])
            assert LISTENER.apply(heard, update["text"]).facts == heard.facts, update
            changed = [name for name in heard.facts if heard.facts[name] != state.facts[name]]
            assert len(changed) == (update["kind"] not in ("confirmation", "repetition", "immaterial")), update
            standing += [(name, state.facts[name]) for name in changed]
            state = heard
        found.append({name: list(items) for name, items in state.facts.items()})
    return found


def follows(key, lists):
    """What a claim should say."""
    by_noun = {NOUNS[name]: items for name, items in lists.items()}
    words = key.split()
    if words[0] == "number":
        return str(len(by_noun[{"countries": "country"}.get(words[2], words[2][:-1])]))
    if words[0] == "last":
        return by_noun[words[1]][-1]
    if words[-1].isdigit() and words[0] in by_noun:
        return dict(enumerate(by_noun[words[0]], 1)).get(int(words[-1]), NONE)
    item = key.removeprefix("place of ").removeprefix("after ").removeprefix("before ")
    items = next((items for items in lists.values() if item in items), None)
    if items is None:
        return NONE
    at = items.index(item) + 1
    if words[0] == "place":
        return str(at)
    return dict(enumerate(items, 1)).get(at + (1 if words[0] == "after" else -1), NONE)


def build(split, num=NUM, base=BASE):
    return list(Builder(split_config(base, split)).samples(num))


@pytest.fixture(
    scope="module", params=["train", "composition", "retraction", "paraphrase", "novel_values", "adversarial"]
)
def samples(request):
    """Samples with the lists of each version, as understood."""
    return [(sample, versions(sample)) for sample in build(request.param)]


def test_the_prompt_tells_the_lists(samples):
    for sample, _ in samples:
        facts = {fact["name"]: fact["value"].split("; ") for fact in sample.facts if fact["type"] == "list"}
        assert told(sample.prompt) == facts, sample.prompt


def test_updates_do_to_plain_lists_what_was_recorded(samples):
    for sample, lists_heard in samples:
        lists = {fact["name"]: fact["value"] for fact in sample.facts if fact["type"] == "list"}
        for update, understood in zip(sample.updates, lists_heard[1:], strict=True):
            lists |= {change["fact"]: change["value"] for change in update["changes"] if change["fact"] in NOUNS}
            assert understood == {name: value.split("; ") for name, value in lists.items()}, update


def test_every_claim_follows_from_the_lists_of_its_version(samples):
    for sample, lists in samples:
        for claim in sample.provenance:
            assert claim["value"] == follows(claim["key"], lists[claim["version"]]), (sample.target, claim)
        for answer in sample.answers:
            assert answer["value"] == follows(answer["key"], lists[-1])


def test_what_is_read_is_what_was_recorded(samples):
    for sample, _ in samples:
        read = sorted(
            (claim.start, claim.end, claim.key, claim.value) for claim in FAMILIES["list_editing"].read(sample.target)
        )
        recorded = sorted(
            (claim["start"], claim["end"], claim["key"], claim["value"])
            for claim in sample.provenance
            if claim["complete"]
        )
        assert read == recorded, sample.target


def test_the_last_word_on_every_question_is_the_answer(samples):
    for sample, _ in samples:
        last = {claim["key"]: claim["value"] for claim in sample.provenance if claim["complete"]}
        stopped = any(update["kind"] == "stop" for update in sample.updates)
        for answer in sample.answers:
            assert last.get(answer["key"]) == answer["value"] or (stopped and answer["key"] not in last), sample


def test_lists_keep_two_items_and_no_item_twice(samples):
    for _, lists_heard in samples:
        for at, lists in enumerate(lists_heard):
            assert all(2 <= len(items) <= (list_edits.LONGEST if at else 6) for items in lists.values())
            heads = [item.split()[-1] for items in lists.values() for item in items]
            assert len(set(heads)) == len(heads), lists


def test_every_kind_comes():
    kinds = {update["kind"] for split in ("train", "composition") for s in build(split, 250) for update in s.updates}
    assert kinds == set(KINDS)


def test_numbers_of_facts_and_questions_are_kept():
    base = BuilderConfig(families=("list_editing",), num_facts=(3, 3), num_questions=(4, 4), num_updates=(0, 0))
    for sample in build("train", 60, base):
        assert len(sample.facts) == 3
        assert len(sample.answers) >= 4
    single = BuilderConfig(families=("list_editing",), num_facts=(1, 1), num_questions=(1, 1), num_updates=(0, 0))
    assert all(len(sample.facts) == 1 for sample in build("train", 60, single))
    many = BuilderConfig(families=("list_editing",), num_facts=(20, 20), num_questions=(8, 8), num_updates=(4, 4))
    assert all(len(sample.facts) >= 15 for sample in build("train", 5, many))


BESIDE = "(?:right|immediately|just) (?:after|before|behind) .+"
SLOTS = {
    "there": rf"(?:(?:as the )?(?:first|last)(?: of all)?|at the (?:beginning|end)|{BESIDE})",
    "at": rf"(?:at the (?:start|end|beginning|head|bottom)|behind all others|{BESIDE})",
}
UNSEEN_SLOTS = {
    "there": "(?:in first place|in last place|straight (?:after|before) .+)",
    "at": "(?:at the very (?:start|end)|directly (?:after|before) .+)",
}


def patterns(templates, slots):
    numbers = {"k": r"\d", "j": r"\d", "c": r"\d", "nth": f"(?:{'|'.join(NTH)})", "jth": f"(?:{'|'.join(NTH)})"}
    names = {
        "L": f"(?:{'|'.join(NOUNS)})",
        "n": NOUN,
        "ns": PLURALS,
        "on": f"(?:on|in|at) the (?:{'|'.join(NOUNS)})",
    }
    items = {"X": f"(?:the )?{ITEM}", "Y": f"(?:the )?{ITEM}", "all": ".+"}
    slots = {**numbers, **names, **items, **slots}
    forms = [re.sub(r"{(\w+)}", lambda slot: slots[slot[1]], template) for template in templates]
    return [
        re.compile(rf"\b{form}(?= now| to me| if you can| is what| is my|[.,;?]|$)", re.IGNORECASE) for form in forms
    ]


def test_paraphrases_share_no_wording_with_anything_else():
    edits = list_edits.EDITS.values()
    clauses = [wordings for edit in edits for wordings in edit if wordings.known] + [list_edits.TRUTHS]
    questions = [*list_questions.QUESTIONS.values(), list_editing._ONE_BY_ONE]
    usual, rewritten = build("train"), build("paraphrase")
    changing = set(KINDS) - {"retraction", "stop"}
    for wordings, pick in (
        (clauses, lambda sample: [u["text"] for u in sample.updates if u["changes"] and u["kind"] in changing]),
        (questions, lambda sample: [sample.prompt]),
    ):
        known = patterns([form for ways in wordings for form in ways.known], SLOTS)
        unseen = patterns([form for ways in wordings for form in ways.unseen], UNSEEN_SLOTS)
        for samples, some, none in ((usual, known, unseen), (rewritten, unseen, known)):
            texts = [text for sample in samples for text in pick(sample)]
            assert all(any(form.search(text) for form in some) for text in texts)
            assert [text for text in texts if any(form.search(text) for form in none)] == []


def test_novel_values_come_nowhere_else():
    def items(samples):
        values = [fact["value"] for s in samples for fact in s.facts if fact["type"] == "list"]
        values += [c["value"] for s in samples for u in s.updates for c in u["changes"] if c["fact"] in NOUNS]
        return {item for value in values for item in value.split("; ")}

    usual, novel = items(build("train", 600)), items(build("novel_values"))
    assert len(novel) > 300
    assert usual & novel == set()


def test_there_is_always_another_item():
    for name, sort in list_edits.SORTS.items():
        if name not in list_edits.NOVEL_SORTS:  # those are made up
            usual = list_edits._USUAL.get(sort.pool) or names.words(sort.pool, False)
            assert len({list_edits.head(item) for item in usual}) > 2 * list_edits.LONGEST, name


def test_novel_values_do_not_run_out_where_none_is_to_be_made_up():
    base = BuilderConfig(families=("list_editing",), made_up=0.0)
    assert len(build("novel_values", 40, base)) == 40


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("Stop 2 is Rome.", {"stop 2": "Rome"}),
        ("The second stop of the tour is now Rome and stop 3 is Oslo.", {"stop 2": "Rome", "stop 3": "Oslo"}),
        ("Then as dance number 4 comes the slow waltz", {"dance 4": "slow waltz"}),
        (
            "Item 2 is milk -- wait, item 2 is olive oil -- and item 3 is tea.",
            {"item 2": "olive oil", "item 3": "tea"},
        ),
        (
            "Task 1 -- no, there is no task 4, and there is no fifth task -- is ironing.",
            {"task 4": NONE, "task 5": NONE, "task 1": "ironing"},
        ),
        (
            "The tour has 4 stops and the number of countries is 3.",
            {"number of stops": "4", "number of countries": "3"},
        ),
        ("There are 3 -- sorry, there are 2 steps.", {"number of steps": "2"}),
        (
            "The last coin is the old florin. The tour ends with North Rome.",
            {"last coin": "old florin", "last stop": "North Rome"},
        ),
        (
            "After the tango comes the jive, and before Rome comes nothing.",
            {"after tango": "jive", "before Rome": NONE},
        ),
        ("The stop after Rome is Oslo. Nothing comes before Rome.", {"after Rome": "Oslo", "before Rome": NONE}),
        ("On the tour Rome has place 2. The place of the jive is 3.", {"place of Rome": "2", "place of jive": "3"}),
        ("There is no Rome on the tour. There is no stop 3 on the tour.", {"place of Rome": NONE, "stop 3": NONE}),
        ("Stop 2 is", {}),
        ("The tour has 4", {}),
        ("After Rome comes -- hold on,", {}),
        ("Nothing comes after lamp", {}),
        ("Stop 2 is not there, stop 3 is -- -- the", {}),
    ],
)
def test_claims_are_read_from_any_text(text, claims):
    assert {claim.key: claim.value for claim in FAMILIES["list_editing"].read(text)} == claims


@pytest.mark.parametrize(
    "text",
    ["", " ", "--", " -- wait,", "stop", "stop 2", "is is is", "\0", "the last", "é -- no, -- -- .<eos><eos>", "7"],
)
def test_the_reader_takes_any_text(text):
    assert FAMILIES["list_editing"].read(text) == []
