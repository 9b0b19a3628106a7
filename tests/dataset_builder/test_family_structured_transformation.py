"""Objects that are written while their fields change: always JSON, and always what holds."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_builder import END, Builder, BuilderConfig, PlacedUpdate, speak, split_config
from dataset_builder.world.facts import NONE


CONFIG = BuilderConfig(families=("structured_transformation",), seed=5)
BUILDER = Builder(CONFIG)
SAMPLES = list(BUILDER.samples(400))


def objects(text):
    """All objects of a text, in order, each as its list of members; raises if it is anything else than JSON."""
    decoder, found = json.JSONDecoder(object_pairs_hook=list), []
    for part in text.split(END):
        rest = part.strip()
        while rest:
            made, end = decoder.raw_decode(rest)
            found.append(made)
            rest = rest[end:].strip()
    return found


def members(text, name):
    """The members of all objects, amended in the order in which they were written; `name` is what they lie under."""
    written = {}
    for made in objects(text):
        if name:
            ((key, made),) = made
            assert key == name
        written.update((key, value) for key, value in made if key != "//")
    return written


def wrapped_in(scene):
    opens = scene.frame[0]
    return json.loads(opens[: opens.rindex(":")] + ": 0}").popitem()[0] if ":" in opens else ""


def check(scene, speech):
    """What was written is JSON and holds in the end; what was asked for was written, unless a stop came first."""
    written = members(speech.text, wrapped_in(scene))
    assert scene.endless or written.keys() >= {key for key in scene.questions if speech.world.values[key] != NONE}
    for key, value in written.items():
        due = speech.world.values[key]
        assert value == (None if due == NONE else json.loads(due)), (key, speech.text)


@pytest.mark.parametrize("split", ["train", "more_updates", "long", "novel_values", "retraction"])
def test_json_always_parses_and_holds_what_is_true(split):
    builder = Builder(split_config(CONFIG, split))
    for index in range(60 if split in ("train", "retraction") else 15):
        family, scene, updates = builder.scene(index)
        check(scene, speak(family, scene, updates))


@given(st.integers(0, 10**6), st.data())
@settings(max_examples=200, deadline=None)
def test_json_parses_wherever_the_updates_come(index, data):
    family, scene, updates = BUILDER.scene(index)
    if scene.endless:
        return
    length = len(speak(family, scene, []).text)
    places = data.draw(st.lists(st.integers(0, length), min_size=len(updates), max_size=len(updates)))
    moved = [
        PlacedUpdate(place, update.text, update.kind, update.source, update.changes)
        for place, update in zip(sorted(places), updates, strict=True)
    ]
    check(scene, speak(family, scene, moved))


def test_a_member_that_nothing_changes_is_written_once():
    for index in range(300):
        family, scene, updates = BUILDER.scene(index)
        if scene.endless:
            continue
        speech = speak(family, scene, updates)
        changed = {fact for update in updates for fact, _ in update.changes}
        keys = [claim.key for claim in speech.claims]
        for key in scene.questions:
            if not changed & set(speech.world.depends(key)):
                assert keys.count(key) == (speech.world.values[key] != NONE), speech.text


def test_many_objects_are_repaired_and_some_are_amended_once_they_are_closed():
    assert sum(sample.requires_revision for sample in SAMPLES) > 100
    assert sum(len(objects(sample.target)) > 1 for sample in SAMPLES) > 40
