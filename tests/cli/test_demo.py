"""The demo of the models from scratch: what it prints is what happened, and scenes end with the right values."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dataset_builder import FAMILIES
from hf_duplex.cli.app import app
from hf_duplex.evaluation.benchmarks.scenes import DEFAULT_SCENES, SCENES, own_scene
from hf_duplex.modeling import encode_prompt
from hf_duplex.released import BASELINE, SHIPPED, WORKSPACE
from hf_duplex.runtime.checkpoints import load_checkpoint


# What is right in the end, worked out by hand.
ANSWERS = {
    "arithmetic": {"3x + 2": "23", "x + y": "10", "4y + 1": "13", "2x + 3y": "23"},
    "capital": {
        "capital of Australia": "Canberra",
        "longest river of Australia": "Darling",
        "national bird of Australia": "emu",
    },
    "tour": {"stop 1": "Rome", "stop 2": "Paris", "stop 3": "Madrid", "stop 4": "Vienna"},
    "meeting": {"end of the meeting": "15:55", "start of the dinner": "15:55"},
    "rules": {"bridge": "closed", "Hanna": "upset"},
    "business": {"revenue of Meyer": "46 million", "advice for Meyer": "cut costs"},
    "budget": {"hotel": "$100", "museum": "$60", "left": "$30"},
    "record": {"price": "19", "quantity": "6", "total": "114"},
    "afterwards": {"3x + 2": "23", "x + y": "9"},
    "twice": {"2a + 5": "21", "a + b": "14", "3b + 1": "19"},
}


def demo(*arguments, **options):
    done = CliRunner().invoke(app, ["demo", "--model", WORKSPACE, *arguments], **options)
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture(scope="module")
def facts():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hf_duplex.evaluation.benchmarks.demo.REPLAYS", 1)
        return json.loads(demo("--json", "--scene", "all").stdout)


@pytest.fixture(scope="module")
def tokenizer():
    return load_checkpoint(str(SHIPPED / WORKSPACE), "--model")[1]


@pytest.fixture(params=list(SCENES))
def scene(request, facts):
    return next(scene for scene in facts["scenes"] if scene["name"] == request.param)


def said(text):
    """The last value that a text gives to each key."""
    return {claim.key: claim.value for family in FAMILIES.values() for claim in family.read(text)}


def first_said(text):
    return {claim.key: claim.value for family in FAMILIES.values() for claim in reversed(family.read(text))}


def test_facts_say_with_what_they_were_measured(facts):
    assert facts["models"]["workspace"]["name"] == WORKSPACE and facts["models"]["baseline"]["name"] == BASELINE
    assert facts["threads"] == 1 and {"python", "torch", "transformers"} == facts["versions"].keys()


@pytest.mark.parametrize("side", ["workspace", "baseline"])
def test_the_verdict_is_what_the_text_says(scene, side):
    answers, values = scene[side]["verdict"]["answers"], said(scene[side]["text"])
    assert {answer["key"]: answer["due"] for answer in answers} == ANSWERS[scene["name"]]
    for answer in answers:
        assert answer["said"] == values.get(answer["key"])
        assert answer["right"] == (answer["said"] == answer["due"])


@pytest.mark.parametrize("side", ["workspace", "baseline"])
def test_the_models_that_ship_get_most_of_it_right(facts, side):
    """A floor far below what they do: it breaks with weights, tokenizer or code, not with one scene."""
    answers = [answer["right"] for scene in facts["scenes"] for answer in scene[side]["verdict"]["answers"]]
    assert sum(answers) >= 0.75 * len(answers)
    assert sum(scene[side]["ended"] for scene in facts["scenes"]) >= 8


def test_the_workspace_processes_no_token_twice(scene):
    text = scene["workspace"]
    # The start token and all that was said but the last token, which nothing has followed yet.
    assert text["processed_tokens"] == text["emitted_tokens"] == len(text["tokens"])
    assert text["processed_again"] == 0


def test_versions_rise_with_each_update(scene, tokenizer):
    text = scene["workspace"]
    versions = [token["version"] for token in text["tokens"]]
    prompt_version = encode_prompt(tokenizer, scene["prompt"]).count(tokenizer.sep_token_id)
    assert versions == sorted(versions)
    assert [update["version"] for update in text["updates"]] == sorted(set(versions))[1:]
    assert versions[0] == prompt_version
    assert [stretch["version"] for stretch in text["stretches"]] == sorted(set(versions))
    assert "".join(stretch["text"] for stretch in text["stretches"]) == text["text"]


def test_updates_arrive_when_the_scene_says(scene):
    text = scene["workspace"]
    for update, heard in zip(scene["updates"], text["updates"], strict=True):
        assert heard["text"] == update["text"] and heard["update_to_token_ms"] > 0
        if update["after"] is not None:
            assert heard["heard_after"] == update["after"]
        versions = [token["version"] for token in text["tokens"]]
        assert versions.index(heard["version"]) == heard["heard_after"]


def test_slots_that_moved_are_told_in_words(scene):
    for heard in scene["workspace"]["updates"]:
        assert "".join(heard["written"]) == heard["text"].replace(" ", "")
        assert heard["doubted"] and heard["dropped"] == [] and heard["moved"] == {}
        for word in heard["doubted"]:
            assert word["word"] and 0 <= word["after"] < word["before"] <= 1.0001


def test_a_restart_reads_the_prompt_again(scene, tokenizer):
    prompt = len(encode_prompt(tokenizer, scene["prompt"]))
    restarts = scene["baseline"]["restarts"]
    assert restarts[0]["processed_again"] == prompt + 1
    for restart in restarts:
        assert restart["processed_before_token"] > restart["processed_again"] >= prompt + 1
        assert restart["thrown_away"] > 0 and restart["update_to_token_ms"] > 0


def test_scenes_show_what_they_promise(facts):
    texts = {scene["name"]: scene["workspace"] for scene in facts["scenes"]}
    for name in ("arithmetic", "capital", "rules"):
        assert "." not in texts[name]["stretches"][0]["text"][-1:]
    assert texts["afterwards"]["stretches"][0]["text"].endswith(".")
    # Something stale was said before the update, and is not what is right in the end.
    for name, key in (("arithmetic", "3x + 2"), ("capital", "capital of Australia"), ("afterwards", "x + y")):
        assert first_said(texts[name]["text"])[key] != ANSWERS[name][key]
    assert len(DEFAULT_SCENES) >= 5 and {"tour", "business"} < set(DEFAULT_SCENES)


def test_a_scene_of_ones_own():
    arguments = ("--prompt", "Let k = 2, compute 4k + 1.", "--update", "No, k = 6.", "--after", "8")
    (scene,) = json.loads(demo("--json", *arguments).stdout)["scenes"]
    assert scene["name"] == "own" and said(scene["workspace"]["text"])["4k + 1"] == "25"
    assert scene["workspace"]["verdict"]["answers"] == [{"key": "4k + 1", "due": "25", "said": "25", "right": True}]
    assert own_scene("x = 1.", ["x = 2.", "x = 3."], ["4"]).updates[1].after == 16
    assert own_scene("x = 1.", ["x = 2.", "x = 3."], ["end"]).updates[1].after is None


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_plain_output_fits_and_has_no_colour(columns):
    shown = demo("--scene", "capital", env={"COLUMNS": str(columns), "NO_COLOR": "1"}).stdout
    assert "\x1b" not in shown and max(map(len, shown.splitlines())) <= columns
    parts = ("Canberra", "update → token", "doubted", "v8", "read again", "in the end", "now try: hf-duplex chat")
    for part in parts:
        assert part in shown


def test_the_picture_fetches_nothing(tmp_path):
    path = Path(tmp_path, "demo.svg")
    demo("--scene", "afterwards", "--svg", str(path))
    picture = path.read_text()
    ElementTree.fromstring(picture)
    assert "@font-face" not in picture and "url(http" not in picture and "afterwards" in picture
