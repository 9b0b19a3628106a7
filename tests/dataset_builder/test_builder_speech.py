"""The rule of speech, by hand and by property."""

import re
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataset_builder import END, FAMILIES, Builder, BuilderConfig, PlacedUpdate, speak
from dataset_builder.oracle import listener_for
from dataset_builder.reading import CUT, threads
from dataset_builder.speech.discourse import Speech
from dataset_builder.speech.writing import Writing
from dataset_builder.world.facts import NONE, Fact, needing
from dataset_builder.world.scene import GOING, Scene, Sentence, phrase


LEADS = re.compile(r"\b(wait|sorry|no|hold on|correction|scratch that)[,:]", re.IGNORECASE)
BUILDERS = [Builder(BuilderConfig(families=(family,), seed=3)) for family in FAMILIES]
SPOKEN = [builder for builder in BUILDERS if FAMILIES[builder.config.families[0]].speech is Speech]


def double(key, fact):
    return {key: needing((fact,), lambda values: str(2 * int(values[fact])))}


def absent(key):
    return f"{key} is unknown{{!{key}}}"


SCENE = Scene(
    prompt="x = 5, y = 3.",
    facts={"x": Fact("5", "number"), "y": Fact("3", "number")},
    rules={**double("2x", "x"), **double("2y", "y")},
    sentences=[
        Sentence(phrase(("2x", "2x = 2 * {x} = {2x}"), "."), "2x", phrase(("2x", absent("2x")), ".")),
        Sentence(phrase("Then", ("2y", "2y = 2 * {y} = {2y}"), "."), "2y"),
    ],
    bodies={"2x": "2x = 2 * {x} = {2x}", "2y": "2y = 2 * {y} = {2y}"},
    mentions={"x": "x is {x}", "y": "y is {y}"},
    absences={name: absent(name) for name in ("x", "y", "2x", "2y")},
    repairs=[("wait,", ":"), ("no,", ", so")],
    questions=["2x", "2y"],
)


class Plain:
    """Stands for a family whose scenes are spoken."""

    speech = Speech


def heard(updates):
    return [PlacedUpdate(position, "", "correction", "user", ((fact, value),)) for position, fact, value in updates]


def say(*updates, scene=SCENE, family=Plain):
    return speak(family, scene, heard(updates)).text


PLAIN = "2x = 2 * 5 = 10. Then 2y = 2 * 3 = 6.<eos>"


@pytest.mark.parametrize(
    ("updates", "text"),
    [
        ([], PLAIN),
        ([(0, "x", "7")], "2x = 2 * 7 = 14. Then 2y = 2 * 3 = 6.<eos>"),
        # not yet said: the value is simply the new one; the word that began is finished
        ([(8, "x", "7")], "2x = 2 * 7 = 14. Then 2y = 2 * 3 = 6.<eos>"),
        ([(9, "x", "7")], "2x = 2 * 5 -- wait, x is 7: 2x = 2 * 7 = 14. Then 2y = 2 * 3 = 6.<eos>"),
        ([(14, "x", "7")], "2x = 2 * 5 = 10. Wait, x is 7: 2x = 2 * 7 = 14. Then 2y = 2 * 3 = 6.<eos>"),
        ([(16, "x", "7")], "2x = 2 * 5 = 10. Wait, x is 7: 2x = 2 * 7 = 14. Then 2y = 2 * 3 = 6.<eos>"),
        # a sentence that is not concerned goes on where it stopped
        ([(24, "x", "7")], "2x = 2 * 5 = 10. Then 2y -- wait, x is 7: 2x = 2 * 7 = 14 -- = 2 * 3 = 6.<eos>"),
        # both at once: one repair, the sentence in progress last
        (
            [(32, "y", "4"), (32, "x", "7")],
            "2x = 2 * 5 = 10. Then 2y = 2 * 3 -- wait, x is 7 and y is 4: 2x = 2 * 7 = 14, and 2y = 2 * 4 = 8.<eos>",
        ),
        # an update of the fact that is being repaired starts again; one of another fact lengthens the repair
        (
            [(9, "x", "7"), (25, "x", "8")],
            "2x = 2 * 5 -- wait, x is 7: no, x is 8, so 2x = 2 * 8 = 16. Then 2y = 2 * 3 = 6.<eos>",
        ),
        (
            [(16, "x", "7"), (25, "y", "4")],
            "2x = 2 * 5 = 10. Wait, x is 7: 2x = 2 * 7 = 14. Then 2y = 2 * 4 = 8.<eos>",
        ),
        (
            [(37, "x", "7"), (59, "y", "4")],
            PLAIN[:-5] + " Wait, x is 7: 2x = 2 * 7 = 14, and y is 4, so 2y = 2 * 4 = 8.<eos>",
        ),
        # after the end
        ([(42, "x", "7")], PLAIN + " Wait, x is 7: 2x = 2 * 7 = 14.<eos>"),
        ([(42, "x", "7"), (42, "x", "5")], PLAIN + "<eos>"),
        # a value is lost: before it was said, after, and while its sentence is being said
        ([(0, "x", NONE)], "2x is unknown. Then 2y = 2 * 3 = 6.<eos>"),
        ([(0, "y", NONE)], "2x = 2 * 5 = 10.<eos>"),
        ([(16, "x", NONE)], "2x = 2 * 5 = 10. Wait, x is unknown: 2x is unknown. Then 2y = 2 * 3 = 6.<eos>"),
        ([(3, "x", NONE)], "2x = -- wait, 2x is unknown. Then 2y = 2 * 3 = 6.<eos>"),
        # and found again
        ([(3, "x", NONE), (14, "x", "6")], "2x = -- wait, 2x -- no, 2x = 2 * 6 = 12. Then 2y = 2 * 3 = 6.<eos>"),
        ([(0, "y", NONE), (30, "y", "4")], "2x = 2 * 5 = 10.<eos> Then 2y = 2 * 4 = 8.<eos>"),
    ],
)
def test_the_rule_of_speech(updates, text):
    assert say(*updates) == text


ENDLESS = Scene(**{**vars(SCENE), "facts": {**SCENE.facts, GOING: Fact("yes", "boolean", ())}, "endless": True})


@pytest.mark.parametrize(
    ("updates", "text"),
    [
        ([(10, GOING, "no")], "2x = 2 * 5 = 10.<eos>"),
        ([(45, GOING, "no")], "2x = 2 * 5 = 10. Then 2y = 2 * 3 = 6. 2x = 2 * 5 = 10.<eos>"),
        (
            [(37, "y", "4"), (70, GOING, "no")],
            "2x = 2 * 5 = 10. Then 2y = 2 * 3 = 6. Wait, y is 4: 2y = 2 * 4 = 8. 2x = 2 * 5 = 10.<eos>",
        ),
    ],
)
def test_a_text_without_end_goes_round_until_it_is_stopped(updates, text):
    assert say(*updates, scene=ENDLESS) == text


def test_a_text_without_end_needs_a_stop():
    with pytest.raises(ValueError, match="`until` is needed"):
        say(scene=ENDLESS)


OBJECT = Scene(
    **{
        **vars(SCENE),
        "sentences": [Sentence(phrase((key, f'"{key}": {{{key}}}')), key) for key in ("x", "2x", "y")],
        "bodies": {key: f'"{key}": {{{key}}}' for key in ("x", "2x", "y")},
        "absences": {key: f'"{key}": null{{!{key}}}' for key in ("x", "2x", "y")},
        "mentions": {},
        "frame": ("{", "}"),
    }
)


class Written(Plain):
    speech = Writing


@pytest.mark.parametrize(
    ("updates", "text"),
    [
        ([], '{"x": 5, "2x": 10, "y": 3}<eos>'),
        ([(0, "x", "7")], '{"x": 7, "2x": 14, "y": 3}<eos>'),
        # a member that has begun is finished, with the value that holds then
        ([(3, "x", "7")], '{"x": 7, "2x": 14, "y": 3}<eos>'),
        ([(12, "x", "7")], '{"x": 5, "2x": 14, "//": "wait", "x": 7, "y": 3}<eos>'),
        ([(16, "x", "7")], '{"x": 5, "2x": 10, "//": "wait", "x": 7, "2x": 14, "y": 3}<eos>'),
        ([(12, "x", "7"), (36, "x", "8")], '{"x": 5, "2x": 14, "//": "wait", "x": 8, "2x": 16, "y": 3}<eos>'),
        ([(26, "x", "7")], '{"x": 5, "2x": 10, "y": 3} {"//": "wait", "x": 7, "2x": 14}<eos>'),
        ([(31, "y", "7")], '{"x": 5, "2x": 10, "y": 3}<eos> {"//": "wait", "y": 7}<eos>'),
        ([(3, "x", NONE)], '{"x": null, "y": 3}<eos>'),
        ([(31, "x", NONE)], '{"x": 5, "2x": 10, "y": 3}<eos> {"//": "wait", "x": null, "2x": null}<eos>'),
    ],
)
def test_an_object_is_never_cut(updates, text):
    assert say(*updates, scene=OBJECT, family=Written) == text


@given(st.sampled_from(BUILDERS), st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_what_is_said_before_an_update_does_not_depend_on_it(builder, index):
    family, scene, updates = builder.scene(index)
    whole = builder.sample(index).target
    assert speak(family, scene, updates).text == whole
    for number, update in enumerate(updates):
        speech = family.speech(scene)
        for place in sorted({earlier.position for earlier in updates[:number]}):
            speech.receive(place, [earlier.changes for earlier in updates[:number] if earlier.position == place])
        speech.speak(update.position)
        assert speech.text[: update.position] == whole[: update.position]


@given(st.sampled_from(BUILDERS), st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_without_updates_there_is_no_repair(builder, index):
    quiet = Builder(BuilderConfig(families=builder.config.families, seed=3, num_updates=(0, 0))).sample(index)
    assert not LEADS.search(quiet.target) and "--" not in quiet.target and "//" not in quiet.target
    assert quiet.target.count(END) == 1
    assert not quiet.requires_revision and not quiet.repairs
    assert all((claim["version"], claim["stale_version"]) == (0, -1) for claim in quiet.provenance)


@given(st.sampled_from(BUILDERS), st.integers(0, 10**6), st.integers(0, 200))
@settings(max_examples=150, deadline=None)
def test_an_update_that_is_undone_at_once_leaves_no_trace(builder, index, position):
    family, scene, updates = builder.scene(index)
    changes = [update.changes for update in updates if update.changes and update.kind != "stop"]
    if not changes or scene.endless:
        return
    plain = speak(family, scene, [])
    undone = tuple((fact, scene.facts[fact].value) for fact, _ in changes[0])
    position = min(position, len(plain.text) - len(END))
    there_and_back = [
        PlacedUpdate(position, "", "correction", "user", changes[0]),
        PlacedUpdate(position, "", "retraction", "user", undone),
    ]
    assert speak(family, scene, there_and_back).text == plain.text


@given(st.sampled_from(BUILDERS), st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_an_update_that_is_undone_in_the_end_leaves_the_world_and_the_answers_as_without_it(builder, index):
    family, scene, updates = builder.scene(index)
    changing = [update for update in updates if update.changes and update.kind != "stop"]
    if not changing or scene.endless:
        return
    last = changing[-1]
    others = [update for update in updates if update is not last]
    without = speak(family, scene, others)
    back = tuple((fact, without.world.values[fact]) for fact, _ in last.changes)
    whole = speak(family, scene, updates)
    undone = speak(family, scene, [*updates, PlacedUpdate(len(whole.text), "", "retraction", "user", back)])
    assert undone.world.values == without.world.values
    answers = [{claim.key: claim.value for claim in speech.claims} for speech in (undone, without)]
    for key in scene.questions:
        assert answers[0].get(key, NONE) == answers[1].get(key, NONE) == without.world.values[key], undone.text


@given(st.sampled_from(BUILDERS), st.integers(0, 10**6), st.data())
@example(BUILDERS[list(FAMILIES).index("logic_redirection")], 43, None)
@settings(max_examples=250, deadline=None)
def test_updates_anywhere(builder, index, data):
    """The updates of a sample at any other places: only what is stale is said again, and all ends well."""
    family, scene, updates = builder.scene(index)
    if scene.endless:
        return
    plain = speak(family, scene, [])  # which may state a thing twice, as a reason for another
    anywhere = st.lists(st.integers(0, len(plain.text)), min_size=len(updates), max_size=len(updates))
    places = [0] * len(updates) if data is None else data.draw(anywhere)
    moved = [
        PlacedUpdate(position, update.text, update.kind, update.source, update.changes)
        for position, update in zip(sorted(places), updates, strict=True)
    ]
    speech, reasons = speak(family, scene, moved), listener_for(family.name).gives_reasons
    text = speech.text
    assert text.endswith(END) and "-- --" not in text and "  " not in text
    if family.speech is Speech:
        assert not re.search(r"[:,;] --|--[.,]|,,|\.,", text), text
    for key in scene.questions:
        statements = [claim for claim in speech.claims if claim.key == key]
        value = speech.world.values[key]
        # A thing may be stated again as a reason for another, where a family gives reasons.
        again = [claim for claim in statements[:-1] if claim.stale_version < 0]
        assert not again or (reasons and all(claim.value == value for claim in again)), (key, text)
        if statements:
            assert statements[-1].complete and statements[-1].value == value, (key, text)
        else:
            assert value == NONE
    changed = {fact for update in moved for fact, _ in update.changes}
    for sentence in scene.sentences:
        keys = sentence.phrase.keys()
        if sentence.key and not any(changed & set(speech.world.depends(key)) for key in keys):
            stated = [claim for claim in speech.claims if claim.key == sentence.key]
            assert len(stated) == [claim.key for claim in plain.claims].count(sentence.key), text


@given(st.sampled_from(SPOKEN), st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_a_sentence_that_is_not_concerned_is_said_once_and_whole(builder, index):
    family, scene, updates = builder.scene(index)
    if scene.endless:
        return
    speech = speak(family, scene, updates)
    changed = {fact for update in updates for fact, _ in update.changes}
    said = [thread.text.strip(f" .{CUT}") for thread in threads(speech.text)]
    for sentence in scene.sentences:
        if not any(changed & set(speech.world.depends(key)) for key in sentence.phrase.keys()):
            plain = speak(family, replace(scene, sentences=[sentence], opening=None, closing=None), [])
            words = plain.text[: -len(END)].strip(" .")
            assert not words or said.count(words) >= 1, (words, speech.text)
