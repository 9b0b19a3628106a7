"""A release: a folder that loads anywhere, small, and a card whose numbers are those of its files."""

import json
import re
import subprocess
import sys

import pytest
import torch
from huggingface_hub import ModelCard
from safetensors import safe_open
from tiny_contestants import gold, stale, use
from toy_runs import toy_tokenizer, train, write_config
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer

from dataset_builder import FAMILIES, BuilderConfig
from hf_duplex.evaluation import run_revision_benchmark
from hf_duplex.evaluation.reporting.tables import difference_cell, figure_cell, p_cell
from hf_duplex.hub import release, write_card
from hf_duplex.hub.cards import families_of, name_in
from hf_duplex.hub.paths import without_paths
from hf_duplex.hub.tables import REVISION_COLUMNS
from hf_duplex.released import DUAL_STREAM, RELEASED, SHIPPED


TYPES = ["workspace", "baseline", "dual_stream"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    config = write_config(folder, max_steps=1, eval_steps=1, eval_strategy="steps")
    for kind in TYPES:
        train(config, folder / kind, model_type=kind)
    return folder


@pytest.fixture
def folder(runs, tmp_path):
    release(runs / "workspace", tmp_path / "toy-model")
    return tmp_path / "toy-model"


@pytest.mark.parametrize("kind", TYPES)
def test_a_released_folder_loads_with_the_auto_classes(runs, tmp_path, kind):
    release(runs / kind, tmp_path / kind)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / kind)
    trained = AutoModelForCausalLM.from_pretrained(runs / kind)
    assert model.dtype == torch.bfloat16 and AutoConfig.from_pretrained(tmp_path / kind).dtype == torch.bfloat16
    assert type(AutoModel.from_pretrained(tmp_path / kind)) is type(model.model)
    for name, weight in trained.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight.to(torch.bfloat16)), name
    assert AutoTokenizer.from_pretrained(tmp_path / kind).backend_tokenizer.to_str() == (
        toy_tokenizer().backend_tokenizer.to_str()
    )
    assert {"modeling_duplex.py", "pipeline_duplex.py", "training.json", "README.md"} <= {
        path.name for path in (tmp_path / kind).iterdir()
    }
    card = ModelCard.load(tmp_path / kind / "README.md")
    assert card.data.license == "apache-2.0" and "Not measured yet." in card.text


def test_stored_weights_are_bfloat16_and_their_log_is_short(folder):
    with safe_open(folder / "model.safetensors", "pt") as stored:
        assert {stored.get_slice(name).get_dtype() for name in stored.keys()} == {"BF16"}
    facts = json.loads((folder / "training.json").read_text())
    assert "log" not in facts and [entry["step"] for entry in facts["eval_losses"]][:1] == [1]


def rows_of(card, head):
    """The cells of the first table whose head holds a word, line by line."""
    table = re.search(rf"^\| [^\n]*{head}[^\n]*\n\| ---[^\n]*\n((?:\|[^\n]*\n)+)", card, re.MULTILINE)[1]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]


def measure(monkeypatch, models, **fields):
    """Results of contestants whose lines are known: the folder's own model says what is right."""
    builder = BuilderConfig(families=("variable_substitution", "fact_correction"), kinds={"correction": 1})
    use(monkeypatch, **{"toy-model": gold, "other": stale, "again": gold})
    settings = {"samples": 8, "builder": builder, "one_at_a_time": 0, "progress": False}
    return json.loads(json.dumps(run_revision_benchmark(models, **settings | fields)))


def test_the_card_says_what_was_measured(runs, folder, monkeypatch):
    results = measure(monkeypatch, ["m/toy-model", "other"], splits=["test", "retraction"])
    splits = results["models"]["toy-model"]["splits"]
    # Figures that are each found in one place only.
    for number, found in enumerate(splits.values()):
        for part, figures in enumerate([found["metrics"], *found["families"].values()]):
            for offset, name in enumerate(figures):
                value = 0.9 - 0.1 * number - 0.03 * part - 0.001 * offset
                figures[name] |= {"value": value, "interval": [value - 0.05, value + 0.05]}
    (folder / "results.json").write_text(json.dumps(results))
    release(runs / "workspace", folder)
    card = ModelCard.load(folder / "README.md")
    by_split = rows_of(card.text, "training seeds")
    assert [row[1] for row in by_split] == ["test", "retraction"] and by_split[0][0] == "toy-model (4,321)"
    for row, found in zip(by_split, splits.values(), strict=True):
        assert row[2:9] == [figure_cell(found["metrics"][name]) for name in REVISION_COLUMNS]
        assert row[-3:] == ["8", str(found["metrics"]["revision_accuracy"]["n"]), "1"]
    by_family = rows_of(card.text, "family")
    assert [row[1] for row in by_family] == sorted(splits["test"]["families"])
    assert figure_cell(splits["test"]["families"]["fact_correction"]["recovery"]) in by_family[0]
    head = rows_of(card.text, "difference to other")
    theirs = results["models"]["other"]["splits"]
    assert [row[0] for row in head] == ["test", "retraction"]
    for row in head:
        figures = [side[row[0]]["metrics"]["revision_accuracy"] for side in (splits, theirs)]
        assert row[1:3] == [figure_cell(figure) for figure in figures]
        entry = next(e for e in results["comparisons"] if e["split"] == row[0] and e["metric"] == "revision_accuracy")
        assert row[3] == f"{difference_cell(entry)}, p {p_cell(entry['p'])}"
        assert row[4:] == [str(figures[0][count]) for count in ("samples", "n")]
    # The first table stands open, all that follows it is folded.
    assert card.text.index("difference to other") < card.text.index("<details>")
    for metric in ("Contradiction rate", "Recovery", "Retention"):
        assert f"<summary>{metric}, beside the others</summary>" in card.text
    waits = rows_of(card.text, "95th percentile")
    assert [row[:2] for row in waits] == [["toy-model", "test"], ["", "retraction"]] and waits[0][5] == "2.0"
    told = "up to 8 samples a split of variable substitution, fact correction, made with seed 0"
    assert told in card.text and "1 training seed a model; 95 % intervals are over samples." in card.text
    assert f"Command: `{results['command']}`" in card.text and results["versions"]["torch"] in card.text
    entries = {(entry.dataset_name, entry.metric_type): entry.metric_value for entry in card.data.eval_results}
    assert entries["all families (retraction)", "retention"] == splits["retraction"]["metrics"]["retention"]["value"]
    assert "fact_correction (retraction)" not in {name for name, _ in entries}
    family = splits["test"]["families"]["fact_correction"]
    assert entries["fact_correction (test)", "contradiction_rate"] == family["contradiction_rate"]["value"]
    training = json.loads((folder / "training.json").read_text())
    assert f"Command: `{training['command']}`" in card.text and f"{training['eval_loss']:.4f}" in card.text
    assert f"{training['parameters']:,} parameters" in card.text


def test_training_seeds_and_a_stored_data_set_are_told(folder, monkeypatch):
    results = measure(monkeypatch, ["joined=m/toy-model,again"])
    results["settings"]["data"] = "conversations"
    (folder / "results.json").write_text(json.dumps(results))
    write_card(folder)
    card = (folder / "README.md").read_text()
    assert "of the data set `conversations`" in card
    assert "2 training seeds a model; 95 % intervals are over training seeds and samples." in card
    assert rows_of(card, "training seeds")[0][-3::2] == ["8", "2"]
    assert "difference to" not in card and "beside the others" not in card


def test_what_lies_beside_the_folder_is_drawn_into_the_card(folder, monkeypatch):
    results = measure(monkeypatch, ["m/toy-model", "other"])
    (folder / "results.json").write_text(json.dumps(results))
    beside = folder.parent / "comparison"
    beside.mkdir()
    (beside / "again.json").write_text(json.dumps(results))
    more = measure(monkeypatch, ["m/toy-model", "other"], splits=["retraction"])
    (beside / "more.json").write_text(json.dumps(more))
    larger = json.loads(json.dumps(more))
    larger["models"]["toy-model"]["parameters"] += 1
    larger["models"]["toy-model"]["splits"] = {"paraphrase": larger["models"]["toy-model"]["splits"]["retraction"]}
    (beside / "larger.json").write_text(json.dumps(larger))
    write_card(folder)
    card = ModelCard.load(folder / "README.md")
    assert [row[0] for row in rows_of(card.text, "difference to other")] == ["test", "retraction"]
    assert {entry.dataset_split for entry in card.data.eval_results} == {"test"}
    assert "Disfl-QA" not in card.text
    (folder.parent / "disfl_qa").mkdir()
    for run, wrong in (("toy-model", [[0, 0.5], [3, 0.25]]), ("other", [[1, 0.0]]), ("stranger", [])):
        kept = {
            "benchmark": "disfl_qa",
            "model": run,
            "questions": 4,
            "scores": {
                "model": {
                    "exact_match": 1 - len(wrong) / 4,
                    "f1": 1 - sum(1 - f1 for _, f1 in wrong) / 4,
                },
                "copy": {"exact_match": 0.0, "f1": 0.7},
            },
            "wrong": [{"question": place, "f1": f1, "said": "What?"} for place, f1 in wrong],
        }
        (folder.parent / "disfl_qa" / f"{run}.json").write_text(json.dumps(kept))
    write_card(folder)
    card = (folder / "README.md").read_text()
    told = rows_of(card, "exact match by seed")
    assert [row[0] for row in told] == ["toy-model", "other", "copying the input"]
    assert [row[3] for row in told[:2]] == ["0.500", "0.750"] and [row[5] for row in told[:2]] == ["0.688", "0.750"]
    held = rows_of(card, "p over seeds")
    assert held[0][:3] == ["toy-model − other", "Disfl-QA dev", "exact match"] and held[0][3].startswith("−0.250 (")


def test_a_figure_without_cases_is_a_dash(folder, monkeypatch):
    results = measure(monkeypatch, ["toy-model"])
    found = results["models"]["toy-model"]["splits"]["test"]
    found["metrics"]["recovery"] |= {"value": None, "interval": None, "n": 0}
    found["latency"] |= {"median": None, "interval": [3.0, None]}
    found["median_milliseconds"] = None
    (folder / "results.json").write_text(json.dumps(results))
    write_card(folder)
    card = ModelCard.load(folder / "README.md")
    assert rows_of(card.text, "training seeds")[0][4] == "–"
    assert rows_of(card.text, "95th percentile")[0][2] == "never (3–never)"
    told = [entry.metric_type for entry in card.data.eval_results if entry.dataset_name == "all families (test)"]
    assert "recovery" not in told and "retention" in told


def test_results_of_another_model_or_of_another_version_are_refused(folder):
    card = (folder / "README.md").read_text()
    for results, message in (
        ({"format": 2, "models": {"other": {"specs": ["m/other"]}}}, "holds no results of toy-model, only of other"),
        ({"models": {"toy-model": {}}}, "is of format 1, not 2: measure again"),
    ):
        (folder / "results.json").write_text(json.dumps(results))
        with pytest.raises(ValueError, match=message):
            write_card(folder)
    assert (folder / "README.md").read_text() == card


def test_a_run_that_is_not_finished_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`run`: .* holds no training.json"):
        release(tmp_path, tmp_path / "release")
    assert not (tmp_path / "release").exists()


def test_the_command_releases_and_warns_of_nothing(runs, tmp_path):
    command = [sys.executable, "-m", "hf_duplex.hub", "release", str(runs / "baseline"), str(tmp_path / "toy")]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Warning" not in finished.stderr
    assert (tmp_path / "toy" / "README.md").is_file()


def test_a_model_that_is_released_speaks_with_a_cache_and_keeps_as_many_slots_as_is_said(runs, tmp_path):
    path = runs / "workspace" / "config.json"
    before = path.read_text()
    path.write_text(json.dumps(json.loads(before) | {"use_cache": False}))
    release(runs / "workspace", tmp_path / "other", n_slots=160, sliding_window=48)
    path.write_text(before)
    config, trained = AutoConfig.from_pretrained(tmp_path / "other"), AutoConfig.from_pretrained(runs / "workspace")
    assert config.use_cache and config.n_slots == 160 != trained.n_slots
    card = " ".join((tmp_path / "other" / "README.md").read_text().split())
    assert f"at most 160 slots, the least valid go first; in training it kept {trained.n_slots}." in card
    assert config.sliding_window == 48 and trained.sliding_window is None
    assert "it sees the last 48 tokens; in training all." in card


@pytest.mark.parametrize(
    ("kind", "n_slots", "message"),
    [("baseline", 24, "`n_slots`: .* is no workspace"), ("workspace", 24, "at least one message")],
)
def test_slots_that_do_not_go_with_the_model_are_refused(runs, tmp_path, kind, n_slots, message):
    with pytest.raises(ValueError, match=message):
        release(runs / kind, tmp_path / "release", n_slots=n_slots)
    assert not (tmp_path / "release").exists()


def test_a_window_without_a_token_is_refused(runs, tmp_path):
    with pytest.raises(ValueError, match="`sliding_window` must be at least 1 token, got 0"):
        release(runs / "workspace", tmp_path / "release", sliding_window=0)
    assert not (tmp_path / "release").exists()


def test_facts_tell_no_place_of_the_machine_that_trained():
    told = without_paths({"command": "train a.yaml --output_dir /big/disk/w --lr 1/2", "dirs": ["/x/y", "runs/z", 3]})
    assert told == {"command": "train a.yaml --output_dir runs/w --lr 1/2", "dirs": ["runs/y", "runs/z", 3]}


def test_a_card_names_the_families_that_were_trained_on():
    two = {
        "data": {"phases": [{"builder": {"families": ["scheduling"]}}, {"builder": {"families": ["list_editing"]}}]}
    }
    assert families_of([two]) == ["list editing", "scheduling"]
    assert families_of([two, {"data": {"phases": [{"builder": {}}]}}]) == [name.replace("_", " ") for name in FAMILIES]


@pytest.mark.parametrize("name", (*RELEASED, DUAL_STREAM))
def test_what_ships_agrees_with_its_card(name):
    folder = SHIPPED / name
    card = (folder / "README.md").read_text()
    training = json.loads((folder / "training.json").read_text())
    assert f"{training['parameters']:,} parameters" in card and f"Command: `{training['command']}`" in card
    results = json.loads((folder / "results.json").read_text())
    figures = next(iter(results["models"][name_in(results, folder)]["splits"].values()))["metrics"]
    assert rows_of(card, "training seeds")[0][2] == figure_cell(figures["revision_accuracy"])


@pytest.mark.parametrize("name", RELEASED)
def test_what_ships_generates_with_a_cache(name):
    assert AutoConfig.from_pretrained(SHIPPED / name).use_cache


def test_a_card_without_weights_says_so_and_how_to_train_again(folder):
    assert "weights of this model are not shipped" not in (folder / "README.md").read_text()
    (folder / "config.json").unlink()
    with pytest.raises(ValueError, match="has no config.json, which a card is drawn from"):
        write_card(folder)
    (folder / "model.safetensors").unlink()
    write_card(folder)
    card = ModelCard.load(folder / "README.md").text
    command = json.loads((folder / "training.json").read_text())["command"]
    assert "**The weights of this model are not shipped; its results are.**" in card
    assert f"```bash\n{command}\n```" in card
    assert "from transformers import" not in card and "Weights are stored" not in card
