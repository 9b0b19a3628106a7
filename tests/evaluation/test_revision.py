"""The revision benchmark: hand-written transcripts get the score worked out by hand, checkpoints keep theirs."""

import json
from types import SimpleNamespace

import pytest
import torch
from rich.console import Console
from toy_runs import VOCAB_SIZE, toy_tokenizer

from dataset_builder import Builder, BuilderConfig, Heard, speak
from dataset_builder.scene import Scene
from dataset_builder.world import Fact, Rule
from hf_duplex import WorkspaceConfig, WorkspaceForCausalLM
from hf_duplex.evaluation import Transcript, print_revision_table, revision, run_revision_benchmark
from hf_duplex.evaluation.revision import Score, ratio, score, summarize


CAPITAL, CURRENCY = "capital of Chile", "currency of Chile"
OLD, NEW, THIRD = (f"The capital of Chile is {city}." for city in ("Lima", "Cusco", "Quito"))
PESO = " The currency of Chile is the peso."
BACK = [(CAPITAL, "Cusco"), (CAPITAL, "Lima")]


def judge(task, facts, rules, changes, questions, text, heard_at):
    """The score of a text in a world in which `changes` are heard when the text has the lengths `heard_at`."""
    facts = {name: Fact(value, "text") for name, value in facts.items()}
    scene = Scene("", facts, rules, [], {}, [], questions, {}, {})
    updates = [Heard(0, "", "correction", "user", (change,)) for change in changes]
    world = revision.World(facts, rules)
    for fact, value in changes:
        world.set(fact, value)
    sample = SimpleNamespace(
        index=0, task_type=task, answers=[{"key": key, "value": world.values[key]} for key in questions]
    )
    builder = SimpleNamespace(scene=lambda index: (None, scene, updates))
    return score(builder, sample, Transcript([], text, heard_at, text.endswith("<eos>")))


# One update, Lima to Cusco. In the order of Score: revised, right; answers, right; unread; said after, of these
# contradictions; ended.
@pytest.mark.parametrize(
    ("text", "heard_at", "expected"),
    [
        (f"{NEW}{PESO}<eos>", 0, (1, 1, 2, 2, 0, 1, 0, 1)),
        (f"{OLD}{PESO}<eos>", 0, (1, 0, 2, 1, 0, 1, 1, 1)),
        (f"{OLD}{PESO}<eos>", len(OLD), (1, 0, 2, 1, 0, 0, 0, 1)),
        (f"{OLD}{PESO}<eos> Wait, the capital of Chile is Cusco.<eos>", 70, (1, 1, 2, 2, 0, 1, 0, 1)),
        (f"{OLD[:-1]} -- wait, the capital of Chile is Cusco.{PESO}<eos>", len(OLD), (1, 1, 2, 2, 0, 1, 0, 1)),
        (f"{OLD[:-1]} -- wait, the capital of Chile is Cusco. {OLD}{PESO}", 0, (1, 0, 2, 1, 0, 3, 2, 0)),
        (f"{THIRD}{PESO}<eos>", 0, (1, 0, 2, 1, 0, 1, 0, 1)),
        (f"{OLD} {NEW}<eos>", 0, (1, 1, 2, 1, 1, 2, 1, 1)),
        (f"{NEW} {OLD}<eos>", 0, (1, 0, 2, 0, 1, 2, 1, 1)),
        ("", 0, (1, 0, 2, 0, 2, 0, 0, 0)),
        ("I do not know.<eos>", 0, (1, 0, 2, 0, 2, 0, 0, 1)),
        ("Correction: the capital of Chile is Cusco.<eos>", 0, (1, 1, 2, 1, 1, 1, 0, 1)),
        ("The capital of Peru is Lima.<eos>", 0, (1, 0, 2, 0, 2, 0, 0, 1)),
        (f"The capital of Chile is{PESO}<eos>", 0, (1, 0, 2, 1, 1, 0, 0, 1)),
    ],
    ids=[
        "new",
        "old",
        "old, before it was told",
        "repaired after the end",
        "repaired in place",
        "restated right after the repair",
        "neither",
        "both, the new one last",
        "both, the old one last",
        "nothing",
        "no answer",
        "an echo of the update",
        "another country",
        "cut short",
    ],
)
def test_a_transcript_gets_the_score_worked_out_by_hand(text, heard_at, expected):
    facts = {CAPITAL: "Lima", CURRENCY: "peso"}
    made = judge("fact_correction", facts, {}, [(CAPITAL, "Cusco")], list(facts), text, [heard_at])
    assert made == Score(*expected)


# 3x + 2 with x = 5, then 7.
@pytest.mark.parametrize(
    ("text", "heard_at", "expected"),
    [
        ("3x + 2 = 3 * 7 + 2 = 21 + 2 = 23.<eos>", 0, (1, 1, 1, 1, 0, 1, 0, 1)),
        ("3x + 2 = 3 * 5 + 2 = 15 + 2 = 17.<eos>", 0, (1, 0, 1, 0, 0, 1, 1, 1)),
        ("3x + 2 = 3 * 5 + 2 = 15 + 2 = 17.<eos>", 20, (1, 0, 1, 0, 0, 1, 1, 1)),
        ("3x + 2 = 3 * 5 + 2 = 15 + 2 = 17.<eos>", 32, (1, 0, 1, 0, 0, 0, 0, 1)),
        ("3x + 2 = 3 * 5 -- wait, x = 7, so 3x + 2 = 3 * 7 + 2 = 21 + 2 = 23.<eos>", 14, (1, 1, 1, 1, 0, 2, 0, 1)),
        ("Actually x = 7.<eos>", 0, (1, 0, 1, 0, 1, 1, 0, 1)),
        ("3x + 2 = 3 * 7 + 2 = 21 + 2 = 24.<eos>", 0, (1, 0, 1, 0, 0, 1, 0, 1)),
    ],
    ids=["new", "old", "cut in the middle", "told during the value", "repaired", "an echo of the update", "wrong sum"],
)
def test_a_computation_gets_the_score_worked_out_by_hand(text, heard_at, expected):
    rules = {"3x + 2": Rule(("x",), lambda values: str(3 * int(values["x"]) + 2))}
    made = judge("variable_substitution", {"x": "5"}, rules, [("x", "7")], ["3x + 2"], text, [heard_at])
    assert made == Score(*expected)


def test_a_value_that_came_back_is_no_revision_and_its_detour_is_stale():
    facts = {CAPITAL: "Lima"}
    for text, heard_at, expected in (
        (f"{OLD}<eos>", [0, 0], (0, 0, 1, 1, 0, 1, 0, 1)),
        (f"{NEW}<eos>", [0, 0], (0, 0, 1, 0, 0, 1, 1, 1)),
        (f"{NEW} {OLD}<eos>", [0, 30], (0, 0, 1, 1, 0, 2, 0, 1)),
    ):
        assert judge("fact_correction", facts, {}, BACK, [CAPITAL], text, heard_at) == Score(*expected)


def transcript_of(target, heard_at):
    return Transcript([], target, heard_at, True)


@pytest.mark.parametrize("listens", [True, False])
def test_a_model_that_always_listens_is_right_and_one_that_never_does_is_wrong(listens):
    builder = Builder(BuilderConfig(**revision.RELEASED, num_updates=(1, 1), going_back=0, after_end=0))
    scores = []
    for sample in builder.samples(300):
        family, scene, updates = builder.scene(sample.index)
        text = speak(family, scene, updates if listens else []).text
        scores.append(score(builder, sample, transcript_of(text, [sample.updates[0]["position"]])))
    figures = summarize(scores)
    assert figures["unread"] == 0 and figures["ended"] == 1.0
    revised, answered = figures["revision_accuracy"], figures["answer_accuracy"]
    assert revised["n"] > 300 and answered["n"] > revised["n"]
    assert revised["value"] == (1.0 if listens else 0.0)
    assert figures["contradiction_rate"]["value"] == (0.0 if listens else 1.0)
    assert answered["value"] == pytest.approx(1.0 if listens else 1 - revised["n"] / answered["n"])


def counts(right, whole, number=100):
    return [Score(revised=whole, revised_right=right)] * number


def test_a_share_has_an_interval_around_it():
    scores = counts(1, 1, 70) + counts(0, 1, 30)
    share = ratio(scores, "revised_right", "revised")
    low, high = share["interval"]
    assert (share["value"], share["n"]) == (0.7, 100)
    # The binomial interval of 70 in 100 is about 0.60 to 0.79.
    assert 0.57 < low < 0.64 and 0.76 < high < 0.82
    assert ratio(scores, "revised_right", "revised") == share
    wider = ratio(scores[::10], "revised_right", "revised")["interval"]
    assert wider[1] - wider[0] > 2 * (high - low)


def test_the_interval_of_a_share_never_leaves_zero_to_one():
    scores = counts(1, 1, 50) + counts(20, 20, 50) + counts(0, 1, 2)
    low, high = ratio(scores, "revised_right", "revised")["interval"]
    assert 0.99 < low < high <= 1


def test_a_share_weighs_samples_by_their_cases():
    assert ratio(counts(3, 3, 1) + counts(0, 1, 1), "revised_right", "revised")["value"] == 0.75


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([], {"value": None, "interval": None, "n": 0}),
        (counts(0, 0), {"value": None, "interval": None, "n": 0}),
        (counts(2, 2, 5), {"value": 1.0, "interval": [1.0, 1.0], "n": 10}),
        (counts(1, 2, 1), {"value": 0.5, "interval": [0.5, 0.5], "n": 2}),
    ],
)
def test_a_share_of_nothing_or_of_one_sample_is_said_so(scores, expected):
    assert ratio(scores, "revised_right", "revised") == expected


@pytest.fixture
def random_folder(tmp_path):
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = WorkspaceConfig(vocab_size=VOCAB_SIZE, encoder_layers=1, **sizes)
    WorkspaceForCausalLM(config).save_pretrained(tmp_path / "random")
    toy_tokenizer().save_pretrained(tmp_path / "random")
    return tmp_path / "random"


def test_a_run_writes_what_it_measured_and_how(random_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(revision, "MAX_NEW_TOKENS", 12)
    path = tmp_path / "deep" / "revision.json"
    arguments = {"samples": 6, "seed": 3, "json_path": path, "progress": False, "builder": {"num_updates": (1, 2)}}
    results = run_revision_benchmark([str(random_folder)], batch_size=4, **arguments)
    assert json.loads(path.read_text()) == json.loads(json.dumps(results))
    assert results["settings"]["samples"] == 6 and results["settings"]["builder"]["num_updates"] == (1, 2)
    assert (results["settings"]["builder"]["split"], results["settings"]["builder"]["seed"]) == ("test", 3)
    assert {"benchmark", "command", "commit", "versions", "machine"} <= results.keys()
    model = results["models"]["random"]
    assert model["model_type"] == "duplex_workspace" and model["samples"] == 6
    assert sum(family["samples"] for family in model["families"].values()) == 6
    assert model["revision_accuracy"]["value"] == 0.0 and model["unread"] == model["answer_accuracy"]["n"]
    console = Console(record=True, width=160, file=open("/dev/null", "w"))
    print_revision_table(results, console)
    text = console.export_text()
    assert "random" in text and "fact_correction" in text and "0.000" in text and "6 test samples" in text
    assert run_revision_benchmark([str(random_folder)], batch_size=1, **arguments)["models"] == results["models"]


@pytest.mark.parametrize(
    ("models", "fields", "message"),
    [
        ([], {}, "`models` is empty"),
        (["a/x", "b/x"], {}, "`models` must have names that differ, got x, x"),
        (["x"], {"samples": 0}, "`samples` must be at least 1, got 0"),
        (["x"], {"batch_size": 0}, "`batch_size` must be at least 1, got 0"),
        (["x"], {"split": "all"}, "`split` must be one of"),
    ],
)
def test_unusable_arguments_of_the_revision_benchmark_are_named(models, fields, message):
    with pytest.raises(ValueError, match=message):
        run_revision_benchmark(models, progress=False, **fields)


@pytest.mark.parametrize("name", ["duplex-baseline-4m", "duplex-workspace-4m"])
def test_the_checkpoints_that_ship_revise_what_they_say(request, name):
    """A floor far below what the cards say: it breaks with weights, tokenizer or code, not with chance."""
    folder = request.config.rootpath / "model_cards" / name
    builder = {"num_updates": (1, 2), "num_questions": (1, 2)}
    results = run_revision_benchmark([str(folder)], samples=48, progress=False, builder=builder)
    figures = results["models"][name]
    assert figures["revision_accuracy"]["n"] > 40
    assert figures["revision_accuracy"]["value"] >= 0.85
    assert figures["ended"] > 0.9
