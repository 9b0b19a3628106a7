"""The revision benchmark: who plays what, what is kept, and what is refused."""

import json

import pytest
import torch
from rich.console import Console
from tiny_contestants import gold, stale, use
from toy_runs import VOCAB_SIZE, toy_tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from dataset_builder import BuilderConfig
from dataset_builder.build.config import BuildConfig
from dataset_builder.build.dataset import build_dataset
from hf_duplex import WorkspaceConfig
from hf_duplex.evaluation import print_revision_table, run_revision_benchmark
from hf_duplex.evaluation.benchmarks.revision import read_specs
from hf_duplex.modeling import WorkspaceForCausalLM
from hf_duplex.released import RELEASED, SHIPPED


SETTINGS = {
    "families": ("variable_substitution", "fact_correction"),
    "kinds": {"correction": 1},
    "sources": 0,
    "keep_going": 0,
}
TWO = BuilderConfig(**SETTINGS)


def bench(models, **fields):
    return run_revision_benchmark(
        models, **{"samples": 12, "builder": TWO, "one_at_a_time": 0, "progress": False} | fields
    )


def values(results, name, split="test"):
    return {metric: found["value"] for metric, found in results["models"][name]["splits"][split]["metrics"].items()}


def test_gold_texts_are_right_and_those_that_hear_nothing_are_not(monkeypatch):
    use(monkeypatch, good=gold, bad=stale)
    results = bench(["good", "bad"], splits=["test", "retraction"])
    for split in ("test", "retraction"):
        good = values(results, "good", split)
        assert good["revision_accuracy"] == good["answer_accuracy"] == good["coherence"] == 1.0
        assert good["contradiction_rate"] == good["unread"] == 0.0
    assert values(results, "bad")["revision_accuracy"] == 0.0
    families = results["models"]["good"]["splits"]["test"]["families"]
    assert sum(figures["coherence"]["n"] for figures in families.values()) == 12
    console = Console(record=True, width=250, file=open("/dev/null", "w"))
    print_revision_table(results, console)
    printed = console.export_text()
    assert "good" in printed and "12 test samples" in printed and "12 retraction samples" in printed


def test_the_first_is_compared_with_each_of_the_others_with_holm(monkeypatch):
    use(monkeypatch, good=gold, bad=stale, same=gold)
    results = bench(["good", "bad", "same"])
    assert {(entry["a"], entry["b"]) for entry in results["comparisons"]} == {("good", "bad"), ("good", "same")}
    by_other = {entry["b"]: entry for entry in results["comparisons"] if entry["metric"] == "revision_accuracy"}
    assert {name: entry["value"] for name, entry in by_other.items()} == {"bad": 1.0, "same": 0.0}
    families = [entry for entry in results["comparisons"] if "family" in entry and entry["b"] == "bad"]
    assert [entry["family"] for entry in families] == ["fact_correction", "variable_substitution"]
    smallest = min(families, key=lambda entry: entry["p"])
    assert smallest["p_holm"] == pytest.approx(min(1.0, 2 * smallest["p"]))


def test_training_seeds_are_joined(monkeypatch, tmp_path):
    use(monkeypatch, one=gold, two=stale, other=gold)
    results = bench(["both=one,two", "other"], json_path=tmp_path / "r.json")
    figure = results["models"]["both"]["splits"]["test"]["metrics"]["revision_accuracy"]
    alone = results["models"]["other"]["splits"]["test"]["metrics"]["revision_accuracy"]
    assert (figure["seeds"], results["models"]["both"]["specs"]) == (2, ["one", "two"])
    # All that is right was said by the first of the two.
    assert figure["value"] * figure["n"] == pytest.approx(alone["n"]) and figure["n"] > alone["n"]
    lines = (tmp_path / "r.cases.jsonl").read_text().splitlines()[1:]
    assert {json.loads(line)["model"] for line in lines} == {"both#0", "both#1", "other"}


def test_an_interrupted_run_goes_on_from_its_cases(monkeypatch, tmp_path):
    path, heard = tmp_path / "deep" / "r.json", []

    def breaks(sample):
        if len(heard) == 7:
            raise KeyboardInterrupt
        heard.append(sample.index)
        return gold(sample)

    def goes_on(sample):
        heard.append(sample.index)
        return gold(sample)

    use(monkeypatch, model=breaks)
    with pytest.raises(KeyboardInterrupt):
        bench(["model"], json_path=path, batch_size=2)
    file = path.with_suffix(".cases.jsonl")
    assert len(file.read_text().splitlines()) == 1 + 6
    # One more was cut short while it was written.
    with file.open("a") as cases:
        cases.write('{"model": "model", "spl')
    heard.clear()
    use(monkeypatch, model=goes_on)
    results = bench(["model"], json_path=path, batch_size=2)
    assert len(heard) == 6 and len(file.read_text().splitlines()) == 1 + 12
    assert json.loads(path.read_text()) == json.loads(json.dumps(results))
    whole = bench(["model"])
    assert results["models"]["model"]["splits"] == whole["models"]["model"]["splits"]


def test_cases_of_other_settings_are_refused_and_kept(monkeypatch, tmp_path):
    use(monkeypatch, model=gold)
    bench(["model"], json_path=tmp_path / "r.json")
    before = (tmp_path / "r.cases.jsonl").read_text()
    with pytest.raises(ValueError, match="holds cases of other settings or of another version"):
        bench(["model"], json_path=tmp_path / "r.json", seed=1)
    assert (tmp_path / "r.cases.jsonl").read_text() == before


def test_a_stored_data_set_is_played_as_it_lies(monkeypatch, tmp_path):
    use(monkeypatch, model=gold)
    folder = tmp_path / "small"
    build_dataset(BuildConfig(name="small", splits={"test": 20}, builder=SETTINGS), folder, progress=False)
    results = bench(["model"], data=folder, samples=10)
    assert results["settings"]["data"] == "small" and "builder" not in results["settings"]
    figures = results["models"]["model"]["splits"]["test"]["metrics"]
    assert figures["coherence"]["n"] == 10 and figures["answer_accuracy"]["value"] == 1.0
    with pytest.raises(ValueError, match="`split`: .* has no 'late'; choose from test"):
        bench(["model"], data=folder, splits=["late"])


@pytest.mark.parametrize(
    ("models", "fields", "message"),
    [
        ([], {}, "`models` is empty"),
        (["a/x", "b/x"], {}, "`models` must have names that differ, got x twice"),
        (["x="], {}, "must be PATH, PATH@MODE, or NAME=PATH,PATH"),
        (["x"], {"samples": 0}, "`samples` must be at least 1, got 0"),
        (["x"], {"batch_size": 0}, "`batch_size` must be at least 1, got 0"),
        (["x"], {"splits": []}, "`splits` must be names that differ, at least one"),
        (["x"], {"splits": ["test", "test"]}, "`splits` must be names that differ"),
        (["x"], {"splits": ["all"]}, "`split` must be one of train, .* got 'all'"),
        (["x"], {"builder": BuilderConfig(num_updates=(0, 0))}, "'test' has no updates here"),
    ],
)
def test_unusable_arguments_are_named_before_anything_is_written(models, fields, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        bench(models, json_path=tmp_path / "r.json", **fields)
    assert not list(tmp_path.iterdir())


def test_specs():
    assert read_specs(["m/a@restart", "b=m/c, m/d"]) == {"a@restart": ["m/a@restart"], "b": ["m/c", "m/d"]}


@pytest.fixture
def random_folder(tmp_path):
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = WorkspaceConfig(vocab_size=VOCAB_SIZE, encoder_layers=1, initializer_range=0.3, **sizes)
    WorkspaceForCausalLM(config).save_pretrained(tmp_path / "random")
    toy_tokenizer().save_pretrained(tmp_path / "random")
    return tmp_path / "random"


def test_no_case_depends_on_its_batch(random_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("hf_duplex.evaluation.benchmarks.revision.longest_text", lambda samples: 12)
    found = []
    for size in (1, 4):
        path = tmp_path / f"{size}.json"
        results = bench([str(random_folder)], samples=6, batch_size=size, json_path=path)
        assert results["models"]["random"]["model_type"] == "duplex_workspace"
        lines = [json.loads(line) for line in path.with_suffix(".cases.jsonl").read_text().splitlines()[1:]]
        found.append(sorted(({**line, "milliseconds": None} for line in lines), key=lambda line: line["index"]))
    assert found[0] == found[1] and any(case["text"] for case in found[0])


def test_a_model_without_the_contract_is_refused(tmp_path):
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=VOCAB_SIZE, **sizes)).save_pretrained(tmp_path / "llama")
    toy_tokenizer().save_pretrained(tmp_path / "llama")
    with pytest.raises(ValueError, match="llama"):
        bench([str(tmp_path / "llama")], samples=2)


@pytest.mark.parametrize("name", RELEASED)
def test_the_checkpoints_that_ship_revise_what_they_say(name):
    """
    A floor far below what the cards say: it breaks with weights, tokenizer or code, not with chance. It is as low as
    this because these models were trained when the builder had few wordings.
    """
    easy = BuilderConfig(**SETTINGS, num_updates=(1, 2), num_questions=(1, 2))
    results = bench([str(SHIPPED / name)], samples=32, builder=easy)
    figure = results["models"][name]["splits"]["test"]["metrics"]["revision_accuracy"]
    assert figure["n"] > 20 and figure["value"] >= 0.5
