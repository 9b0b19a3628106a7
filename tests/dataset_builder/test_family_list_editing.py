"""List editing, held against plain Python lists: prompts and updates are understood from their text alone."""

import re

import pytest

from dataset_builder import FAMILIES, Builder, BuilderConfig, names
from dataset_builder.families import list_editing, list_edits, list_questions
from dataset_builder.kinds import KINDS
from dataset_builder.splits import split_config
from dataset_builder.world import NONE


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
PARTS = {
    "ON": rf"(?:on|in|at) the (?P<list>{'|'.join(NOUNS)})",
    "LIST": rf"the (?P<list>{'|'.join(NOUNS)})",
    "NOUN": rf"(?:{'|'.join(NOUNS.values())})",
    "NOUNS": rf"(?:countries|(?:{'|'.join(NOUNS.values())})s)",
    "NTH": rf"(?P<k>{'|'.join(NTH)})",
    "JTH": rf"(?P<j>{'|'.join(NTH)})",
    "X": rf"(?:the )?(?P<x>{ITEM})",
    "Y": rf"(?:the )?(?P<y>{ITEM})",
    "K": r"(?P<k>\d)",
    "J": r"(?P<j>\d)",
    "WHERE": r"(?P<where>first|last|at the (?:very )?start|at the (?:very )?end|in first place|in last place"
    rf"|(?:right|straight|directly) (?:after|before) (?:the )?(?P<y>{ITEM}))",
}
UPDATES = {
    "swap": [
        "NOUN K of LIST is X and NOUN J is Y",
        "ON NOUN K is X and NOUN J is Y",
        "the NTH NOUN of LIST is X and the JTH is Y",
        "ON place K belongs to X and place J to Y",
        "LIST has X as NOUN K and Y as NOUN J",
        "(?:make|call) X NOUN K and Y NOUN J of LIST",
        "let X be NOUN K and Y NOUN J ON",
        "put X at place K and Y at place J ON",
        "have X as NOUN K and Y as NOUN J ON",
    ],
    "limit": [
        "LIST (?:ends|stops short) after NOUN K",
        "(?:keep )?only the first K NOUNS of LIST(?: stay)?",
        "there is room for only K NOUNS ON",
        "cut LIST off after NOUN K",
        "remove all NOUNS after NOUN K from LIST",
        "shorten LIST to its first K NOUNS",
        "nothing comes after Y ON",
        "drop everything after Y from LIST",
        "let LIST be over after Y",
    ],
    "count": ["LIST (?:has|counts) K NOUNS"],
    "set": [
        "NOUN (?:number )?K (?:of LIST|ON2) is X",
        "the NTH NOUN of LIST is X",
        "ON NOUN K is X",
        "ON place K belongs to X",
        "change NOUN K of LIST (?:from Y )?to X",
        "make X NOUN K of LIST instead of Y",
    ],
    "replace": [
        "ON X takes the place of Y",
        "ON it is X (?:instead of|that was meant by) Y",
        "ON X stands in for Y",
        "replace Y by X ON",
        "put X in place of Y ON",
        "take X instead of Y ON",
        "let X stand in for Y ON",
        "use X rather than Y ON",
        "give the place of Y ON to X",
        "by Y ON I mean X",
        "ON Y stands for X",
    ],
    "remove": [
        "LIST (?:goes without|no longer has|has to do without|can spare) Y",
        "ON there is no place for Y",
        "ON Y is out",
        "(?:remove|drop|strike|delete) Y from LIST",
        "(?:leave|throw) Y out of LIST",
        "do not keep Y ON",
        "rid LIST of Y",
    ],
    "place": [
        "(?:move|shift) X ON (?:so that it comes|to come|until it comes) WHERE",
        "ON X (?:comes|comes in|belongs|has its place|is to be found|goes) WHERE",
        "WHERE ON comes X",
        "the place of X ON is WHERE",
        "LIST (?:has|needs) X WHERE",
        "(?:put|have|insert|add) X WHERE ON",
        "(?:let X come|see to it that X2 comes) WHERE ON",
        "ON there (?:is|has to be) X WHERE",
        "add X to LIST WHERE",
        "(?:put|include) X ON WHERE",
        "fit X in WHERE ON",
        "make room for X WHERE ON",
    ],
}
"""How a listener understands an update, worded apart from how the family words it."""


def expand(form):
    second = {"ON2": PARTS["ON"].replace("<list>", "<list2>"), "X2": PARTS["X"].replace("<x>", "<x2>")}
    form = re.sub(r"\b[A-Z]+2?\b", lambda part: {**PARTS, **second}.get(part[0], part[0]), form)
    return re.compile(rf"(?:^|[ ,:.]){form}$", re.IGNORECASE)


FORMS = [(expand(form), edit) for edit, forms in UPDATES.items() for form in forms]


def understand(text):
    """The edit that a text tells, the list, and the parts of the edit; None if it tells none."""
    text = re.sub(r"(, to be exact| now)*[.?!]$", "", text)
    for form, edit in FORMS:
        found = form.search(text)
        if found:
            said = {part.rstrip("2"): value for part, value in found.groupdict().items() if value}
            return edit, said.pop("list"), said
    return None


def number(told):
    return int(told) - 1 if told.isdigit() else NTH.index(told.lower())


def apply(edit, said, items):
    """What a list becomes. Whatever already is as told stays as it is."""
    items, x, y = list(items), said.get("x"), said.get("y")
    if edit == "remove":
        return [item for item in items if item != y]
    if edit == "limit":
        return items[: items.index(y) + 1 if y else int(said["k"])]
    if edit == "replace":
        return [x if item == y else item for item in items]
    if edit == "count":
        assert len(items) == int(said["k"])
    if edit in ("set", "swap"):
        items[number(said["k"])] = x
    if edit == "swap":
        items[number(said["j"])] = y
    if edit == "place":
        rest = [item for item in items if item != x]
        where = said["where"]
        at = rest.index(y) + ("after" in where) if y else len(rest) * bool(re.search("last|end", where.lower()))
        items = [*rest[:at], x, *rest[at:]]
    return items


def versions(sample):
    """The lists before any update, after the first, and so on, as understood from the texts."""
    lists = told(sample.prompt)
    found, standing = [lists], []
    for update in sample.updates:
        lists = dict(lists)
        if update["kind"] == "retraction":
            name = re.search(rf"\bthe ({'|'.join(NOUNS)})\b", update["text"])
            index = max(at for at, (other, _) in enumerate(standing) if name is None or other == name[1])
            changed, before = standing.pop(index)
            lists[changed] = before
        elif update["kind"] not in ("chatter", "stop", "untrusted"):
            edit, name, said = understand(update["text"])
            assert (name in lists) == (update["kind"] != "immaterial"), update
            if name in lists:
                items = apply(edit, said, lists[name])
                assert apply(edit, said, items) == items, update
                if update["kind"] in ("confirmation", "repetition"):
                    assert items == lists[name], update
                else:
                    standing.append((name, lists[name]))
                lists[name] = items
        found.append(lists)
    return found


WHOLE = re.compile(
    rf"(?:and )?(?:in order )?(?:the (?P<a>{'|'.join(NOUNS)}) (?:has|goes|reads|runs)|(?:on|in|at) the "
    rf"(?P<b>{'|'.join(NOUNS)}) come|the \w+ of the (?P<c>{'|'.join(NOUNS)}) are in order|the order (?:on|in|at) the "
    rf"(?P<d>{'|'.join(NOUNS)}) is) (?P<all>.* (?:then|followed by|after that|and next) .*)[.;,]",
    re.IGNORECASE,
)
ONE = [expand(form) for form in [*UPDATES["set"][:4], "as NOUN K LIST has X", "LIST has X as NOUN K"]]


def told(prompt):
    """The lists that a prompt tells, in clauses of which each makes sense alone."""
    lists, single = {}, {}
    for clause in re.split(r"(?<=[.,;:?!]) ", prompt):
        whole = WHOLE.fullmatch(clause)
        one = next((found for form in ONE if (found := form.search(clause[:-1]))), None)
        if whole:
            name = whole["a"] or whole["b"] or whole["c"] or whole["d"]
            items = re.split(r" (?:and then|then|followed by|after that|and next) ", whole["all"])
            assert name not in lists
            lists[name] = [item.removeprefix("the ") for item in items]
        elif one:
            said = {part.rstrip("2"): value for part, value in one.groupdict().items() if value}
            place = single.setdefault(said["list"], {})
            assert number(said["k"]) not in place
            place[number(said["k"])] = said["x"]
    for name, items in single.items():
        lists[name] = [items[at] for at in range(len(items))]
    return lists


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


SLOTS = {
    "there": "(?:first|last|right (?:after|before) .+)",
    "at": "(?:at the (?:start|end)|right (?:after|before) .+)",
}
UNSEEN_SLOTS = {
    "there": "(?:in first place|in last place|straight (?:after|before) .+)",
    "at": "(?:at the very (?:start|end)|directly (?:after|before) .+)",
}


def patterns(templates, slots):
    numbers = {"k": r"\d", "j": r"\d", "c": r"\d", "nth": f"(?:{'|'.join(NTH)})", "jth": f"(?:{'|'.join(NTH)})"}
    names = {
        "L": f"(?:{'|'.join(NOUNS)})",
        "n": PARTS["NOUN"],
        "ns": PARTS["NOUNS"],
        "on": f"(?:on|in|at) the (?:{'|'.join(NOUNS)})",
    }
    items = {"X": f"(?:the )?{ITEM}", "Y": f"(?:the )?{ITEM}", "all": ".+"}
    slots = {**numbers, **names, **items, **slots}
    forms = [re.sub(r"{(\w+)}", lambda slot: slots[slot[1]], template) for template in templates]
    return [re.compile(rf"\b{form}(?= now| to me|[.,;?]|$)", re.IGNORECASE) for form in forms]


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
