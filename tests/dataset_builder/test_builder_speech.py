"""The rule of speech, by hand and by property."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_builder import END, Builder, BuilderConfig, Heard, speak
from dataset_builder.discourse import Scene, phrase
from dataset_builder.reading import CUT, threads
from dataset_builder.world import Rule


LEADS = re.compile(r"\b(wait|sorry|no|hold on|correction|scratch that)[,:]", re.IGNORECASE)
BUILDERS = [
    Builder(BuilderConfig(families=(family,), seed=3)) for family in ("variable_substitution", "fact_correction")
]


def double(key, fact):
    return {key: Rule((fact,), lambda values: str(2 * int(values[fact])))}


SCENE = Scene(
    prompt="x = 5, y = 3.",
    facts={"x": "5", "y": "3"},
    rules={**double("2x", "x"), **double("2y", "y")},
    sentences=[phrase(("2x", "2x = 2 * {x} = {2x}"), "."), phrase("Then", ("2y", "2y = 2 * {y} = {2y}"), ".")],
    bodies={"2x": "2x = 2 * {x} = {2x}", "2y": "2y = 2 * {y} = {2y}"},
    mentions={"x": "x is {x}", "y": "y is {y}"},
    repairs=[("wait,", ":"), ("no,", ", so")],
    questions=["2x", "2y"],
)


def say(*updates):
    heard = [Heard(position, "", fact, value) for position, fact, value in updates]
    return speak(SCENE, heard).text


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
    ],
)
def test_the_rule_of_speech(updates, text):
    assert say(*updates) == text


@given(st.sampled_from(BUILDERS), st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_what_is_said_before_an_update_does_not_depend_on_it(builder, index):
    scene, updates = builder.scene(index)
    whole = builder.sample(index).target
    assert speak(scene, updates).text == whole
    for number, update in enumerate(updates):
        without = speak(scene, updates[:number]).text
        assert without[: update.position] == whole[: update.position]


@given(st.sampled_from(BUILDERS), st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_without_updates_there_is_no_repair(builder, index):
    quiet = Builder(BuilderConfig(families=builder.config.families, seed=3, num_updates=(0, 0))).sample(index)
    assert quiet.target == speak(builder.scene(index)[0], []).text
    assert not LEADS.search(quiet.target) and "--" not in quiet.target
    assert quiet.target.count(END) == 1
    assert not quiet.requires_revision and all(claim["version"] == 0 for claim in quiet.claims)


@given(st.sampled_from(BUILDERS), st.integers(0, 10**6), st.data())
@settings(max_examples=200, deadline=None)
def test_updates_anywhere(builder, index, data):
    """Any number of updates at any character: only what is stale is said again, and all ends well."""
    scene, _ = builder.scene(index)
    values = ["11", "12", "13"] if all(value.isdigit() for value in scene.facts.values()) else ["Aa", "Bb", "Cc"]
    length = len(speak(scene, []).text)
    draws = data.draw(
        st.lists(
            st.tuples(st.integers(0, length), st.sampled_from(sorted(scene.facts)), st.sampled_from(values)),
            max_size=6,
        )
    )
    heard = [Heard(position, "", fact, value) for position, fact, value in sorted(draws, key=lambda draw: draw[0])]
    speech = speak(scene, heard)
    text = speech.text
    assert text.endswith(END) and "-- --" not in text and "  " not in text
    assert not re.search(r"[:,;] --|--[.,]", text)
    for key in scene.questions:
        statements = [claim for claim in speech.claims if claim.key == key]
        assert all(claim.stale for claim in statements[:-1])
        last = statements[-1]
        assert last.complete and last.value == speech.world.values[key]
    changed = {update.fact for update in heard}
    said = [thread.text.strip(f" .{CUT}") for thread in threads(text)]
    for sentence in scene.sentences:
        if not any(changed & set(speech.world.depends(key)) for key in sentence.keys()):
            plain = speak(Scene(**{**vars(scene), "sentences": [sentence]}), []).text
            assert said.count(plain[: -len(END)].strip(" .")) == 1, plain
