"""Pushing: a model goes to the Hub whole and speaks where the package is not installed; what is wrong never leaves."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import torch
from apart import run_apart  # noqa: E402
from hub_stub import FULL, REFUSED, hub_stub
from small_data import change_rows, small_rows, write_dataset  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline
from typer.testing import CliRunner

from dataset_builder.build.card import write_card as write_data_card
from hf_duplex.cli.app import app
from hf_duplex.hub import push_folder
from hf_duplex.hub.code import PACKAGE
from hf_duplex.hub.tables import REVISION_COLUMNS
from hf_duplex.modeling import DualStreamConfig, DualStreamForCausalLM
from hf_duplex.released import BASELINE as BASELINE_NAME
from hf_duplex.released import RELEASED, SHIPPED
from hf_duplex.released import WORKSPACE as WORKSPACE_NAME


WORKSPACE, BASELINE = SHIPPED / WORKSPACE_NAME, SHIPPED / BASELINE_NAME
PROMPT, UPDATE = "Given x = 5, compute 3x + 2 step by step.", "Actually x = 7."

# Several commands in a process of their own, since the client reads its settings when it is imported.
PUSH = """
import json, sys
from typer.testing import CliRunner
from hf_duplex.cli.app import app
results = {}
for name, arguments in json.loads(sys.argv[1]).items():
    done = CliRunner().invoke(app, ["push", *arguments])
    results[name] = {"status": done.exit_code, "stdout": done.stdout, "stderr": done.stderr}
print(json.dumps(results))
"""

# Runs in a process in which hf_duplex cannot be imported; `example` is what a reader of the card would copy.
USE = """
import contextlib, io, re
from huggingface_hub import ModelCard
from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

result = {}
for source, revision in argument["sources"]:
    options = {"revision": revision, "trust_remote_code": True}
    tokenizer = AutoTokenizer.from_pretrained(source, **options)
    model = AutoModelForCausalLM.from_pretrained(source, **options)
    talk = pipeline("duplex-generation", model=source, **options)
    prompt = talk.preprocess(argument["prompt"])
    result[source] = {
        "modules": [type(thing).__module__ for thing in (model.config, model, talk)],
        "dtype": str(model.dtype),
        "generated": tokenizer.batch_decode(model.generate(**prompt, max_new_tokens=30)),
        "said": talk(argument["prompt"], updates=[(6, argument["update"])], max_new_tokens=60),
    }
card = ModelCard.load(argument["sources"][0][0])
result["eval_results"] = [vars(entry) for entry in card.data.eval_results]
with contextlib.redirect_stdout(io.StringIO()) as printed:
    exec(re.search("```python\\n(.*?)```", card.text, re.DOTALL)[1])
result["example"] = printed.getvalue().strip()
assert "hf_duplex" not in sys.modules
"""


def push_commands(commands, home, address):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_ENDPOINT": address, "HF_TOKEN": "hf_dummy", "HF_HOME": str(home), "OMP_NUM_THREADS": "1"}
    environment |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    arguments = json.dumps({name: list(map(str, words)) for name, words in commands.items()})
    command = [sys.executable, "-c", PUSH, arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def sharded(tmp_path_factory):
    """A small model of the third kind, not measured, its weights in several files, with what a training leaves."""
    folder = tmp_path_factory.mktemp("models") / "in-pieces"
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 2, "num_hidden_layers": 1}
    tokenizer = AutoTokenizer.from_pretrained(BASELINE)
    config = DualStreamConfig(**sizes, encoder_layers=1, vocab_size=len(tokenizer))
    DualStreamForCausalLM(config).to(torch.bfloat16).save_pretrained(folder, max_shard_size="40KB")
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text("# In pieces\n\nNot measured yet.\n")
    (folder / "modeling_duplex.py").write_text("raise ImportError('code of an older version')\n")
    (folder / "training_args.bin").write_bytes(b"private")
    (folder / "checkpoint-10").mkdir()
    (folder / "checkpoint-10" / "optimizer.pt").write_bytes(b"large")
    (folder / "checkpoint-10" / "model.safetensors").write_bytes(b"large")
    return folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = write_dataset(tmp_path_factory.mktemp("data") / "small", {"test": small_rows("test", 6)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dataset_builder.build.plots.plot_dataset", lambda _, path, **__: path.write_bytes(b"PNG"))
        write_data_card(folder)
    return folder


@pytest.fixture(scope="module")
def pushed(sharded, dataset, tmp_path_factory):
    """What the commands said, what the Hub holds then, and what a process without the package makes of it."""
    home = tmp_path_factory.mktemp("home")
    with hub_stub() as (address, repos):
        repos["tester/listens"] = {
            "model-00001-of-00002.safetensors": b"old",
            "model.safetensors.index.json": b"old",
            "speed.json": b"old",
            "notes.txt": b"kept",
            "adapter/model.safetensors": b"kept",
        }
        commands = {
            "dry": (WORKSPACE, "tester/dry", "--dry-run"),
            "talks": (WORKSPACE, "tester/talks"),
            "listens": (BASELINE, "tester/listens"),
            "pieces": (sharded, "tester/pieces", "--private", "--branch", "seed-1"),
            "refused": (BASELINE, "tester/refused", "--token", REFUSED),
            "full": (BASELINE, f"tester/{FULL}"),
            "data dry": (dataset, "tester/worlds", "--dry-run"),
            "data": (dataset, "tester/worlds", "--private"),
            "data refused": (dataset, "tester/elsewhere", "--token", REFUSED),
            "data full": (dataset, f"tester/{FULL}"),
        }
        said = push_commands(commands, home, address)
        sources = [("tester/talks", None), ("tester/listens", None), ("tester/pieces", "seed-1")]
        used = None
        if {"tester/talks", "tester/listens", "tester/pieces@seed-1"} <= repos.keys():
            argument = {"sources": sources, "prompt": PROMPT, "update": UPDATE}
            used = run_apart(tmp_path_factory.mktemp("apart"), USE, argument, hub=address)
        yield said, address, repos, used


def listed(stdout):
    """The files that a command lists, with their sizes."""
    return {
        name: int(size.replace(",", "")) for size, name in re.findall(r"^ *([\d,]+)  (\S+)$", stdout, re.MULTILINE)
    }


@pytest.mark.parametrize("source", ["talks", "listens", "pieces"])
def test_a_pushed_model_speaks_where_the_package_is_not_installed(pushed, sharded, source):
    used = pushed[3][f"tester/{source}"]
    folder = {"talks": WORKSPACE, "listens": BASELINE, "pieces": sharded}[source]
    talk = pipeline("duplex-generation", model=str(folder))
    assert used["said"] == talk(PROMPT, updates=[(6, UPDATE)], max_new_tokens=60)
    model = AutoModelForCausalLM.from_pretrained(folder)
    output = model.generate(**talk.preprocess(PROMPT), max_new_tokens=30)
    assert used["generated"] == talk.tokenizer.batch_decode(output)
    assert used["dtype"] == "torch.bfloat16"
    assert all(module.startswith("transformers_modules.") for module in used["modules"])


def test_the_example_of_the_card_runs_from_the_hub(pushed):
    talk = pipeline("duplex-generation", model=str(WORKSPACE))
    assert pushed[3]["example"] == talk(PROMPT, updates=[(6, UPDATE)])["generated_text"]


def test_all_of_it_is_there_and_weights_are_not_touched(pushed):
    _, _, repos, _ = pushed
    files = repos["tester/talks"]
    code = {path.name: path.read_bytes() for path in (PACKAGE / "modeling").glob("*.py")}
    sent_code = {name: held for name, held in files.items() if name.endswith(".py")}
    assert sent_code and sent_code.items() <= code.items()
    local = {path.name: path.read_bytes() for path in WORKSPACE.iterdir() if path.suffix != ".py"}
    assert files.keys() - sent_code.keys() == local.keys()
    assert [name for name in local if files[name] != local[name]] == ["README.md"]
    config = json.loads(files["config.json"])
    for named in [*config["auto_map"].values(), config["custom_pipelines"]["duplex-generation"]["impl"]]:
        module, name = named.split(".")
        assert f"class {name}" in sent_code[f"{module}.py"].decode()


def test_the_metadata_tell_what_results_json_says(pushed):
    measured = json.loads((WORKSPACE / "results.json").read_text())["models"][WORKSPACE.name]["splits"]
    wanted = {}
    for split, found in measured.items():
        wanted |= {("hf_duplex/revision", split, name): found["metrics"][name]["value"] for name in REVISION_COLUMNS}
        for family, figures in found["families"].items() if split == "test" else ():
            for name in ("revision_accuracy", "contradiction_rate"):
                wanted["hf_duplex/" + family, split, name] = figures[name]["value"]
    told = {
        (entry["dataset_type"], entry["dataset_split"], entry["metric_type"]): entry["metric_value"]
        for entry in pushed[3]["eval_results"]
    }
    assert told and told == {key: value for key, value in wanted.items() if value is not None}


def test_it_is_one_commit_that_takes_away_what_an_earlier_push_left(pushed, sharded):
    _, _, repos, _ = pushed
    commits = [path for path, _ in repos.asked if "/commit/" in path]
    assert sorted(path for path in commits if "models" in path) == [
        "/api/models/tester/listens/commit/main",
        "/api/models/tester/pieces/commit/seed-1",
        "/api/models/tester/talks/commit/main",
    ]
    left = repos["tester/listens"]
    assert not left.keys() & {"model-00001-of-00002.safetensors", "model.safetensors.index.json", "speed.json"}
    assert left["notes.txt"] == left["adapter/model.safetensors"] == b"kept"
    assert left["model.safetensors"] == (BASELINE / "model.safetensors").read_bytes()


def test_of_a_training_run_only_what_belongs_to_the_model_goes_to_the_branch(pushed, sharded):
    _, _, repos, _ = pushed
    files = repos["tester/pieces@seed-1"]
    assert repos["tester/pieces"] == {}
    weights = {path.name: path.read_bytes() for path in sharded.glob("model[-.]*")}
    assert len(weights) > 2 and weights.items() <= files.items()
    assert not [name for name in files if "checkpoint" in name or name.endswith(".bin")]
    assert b"older version" not in files["modeling_duplex.py"]


def test_private_is_passed_on(pushed):
    asked = [json.loads(body) for path, body in pushed[2].asked if path == "/api/repos/create"]
    private = [made["name"] for made in asked if made.get("visibility") == "private" or made.get("private")]
    assert private == ["pieces", "worlds"]


def test_it_says_what_was_sent(pushed):
    said, address, repos, _ = pushed
    for name, key, at in (("talks", "talks", "talks"), ("pieces", "pieces@seed-1", "pieces/tree/seed-1")):
        files = {path: len(held) for path, held in repos[f"tester/{key}"].items()}
        assert said[name]["status"] == 0 and listed(said[name]["stdout"]) == files
        last = said[name]["stdout"].strip().splitlines()[-1]
        assert last == f"Sent {len(files)} files, {sum(files.values()):,} bytes: {address}/tester/{at}"


def test_a_dry_run_lists_what_would_be_sent_and_sends_nothing(pushed):
    said, address, repos, _ = pushed
    files = listed(said["dry"]["stdout"])
    sent = listed(said["talks"]["stdout"])
    # The card names the repository.
    assert files.pop("README.md") == sent.pop("README.md") - len("talks") + len("dry")
    assert said["dry"]["status"] == 0 and files == sent
    assert said["dry"]["stdout"].strip().splitlines()[-1].startswith("Nothing was sent. Would send ")
    assert "tester/dry" not in repos and not [body for path, body in repos.asked if b'"dry"' in body or "/dry" in path]


@pytest.mark.parametrize("name", RELEASED)
def test_a_dry_run_needs_neither_network_nor_token(monkeypatch, name):
    monkeypatch.setattr("hf_duplex.hub.push.get_token", lambda: None)
    sent = push_folder(SHIPPED / name, "tester/listens", dry_run=True)
    assert {"model.safetensors", "README.md", "results.json"} <= sent.files.keys()


@pytest.mark.parametrize("name", ["refused", "data refused"])
def test_a_token_that_may_not_write_is_told_in_one_line(pushed, name):
    said, _, repos, _ = pushed
    lines = said[name]["stderr"].strip().splitlines()
    assert said[name]["status"] == 2 and len(lines) == 1 and said[name]["stdout"] == ""
    assert "401" in lines[0] and "hf auth login" in lines[0] and "nothing was committed" in lines[0]
    assert "tester/refused" not in repos and "datasets/tester/elsewhere" not in repos


@pytest.mark.parametrize(("name", "repo"), [("full", "tester/full"), ("data full", "datasets/tester/full")])
def test_nothing_is_half_pushed(pushed, name, repo):
    said, _, repos, _ = pushed
    assert said[name]["status"] == 2 and said[name]["stdout"] == "" and repos[repo] == {}
    # The bar of what was being sent stands before it.
    *bar, last = said[name]["stderr"].strip().splitlines()
    assert "0%" in bar[-1] and last.startswith("Error: `repo_id`: tester/full was not pushed, nothing was committed")
    assert "There is no room left." in last


def test_a_data_set_is_pushed_as_data_push_does(pushed, dataset):
    said, address, repos, _ = pushed
    local = {str(path.relative_to(dataset)): path.read_bytes() for path in dataset.rglob("*") if path.is_file()}
    assert repos["datasets/tester/worlds"] == local
    for name in ("data dry", "data"):
        assert said[name]["status"] == 0, said[name]
        assert listed(said[name]["stdout"]) == {path: len(held) for path, held in local.items()}
        assert said[name]["stdout"].strip().endswith(f"{address}/datasets/tester/worlds")


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(BASELINE, tmp_path / BASELINE.name)


def test_a_folder_that_came_from_another_repository_names_the_code_beside_it(folder):
    from hf_duplex.hub.push import model_files

    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {name: f"someone/else--{place}" for name, place in config["auto_map"].items()}
    (folder / "config.json").write_text(json.dumps(config))
    sent = model_files(folder, "me/mine")["config.json"]
    assert json.loads(sent) == json.loads((BASELINE / "config.json").read_text())


def test_a_card_without_figures_gets_them(folder):
    from hf_duplex.hub.push import model_files

    (folder / "README.md").write_text("# Written by hand\n")
    sent = model_files(folder, "me/mine")["README.md"].decode()
    assert sent.endswith("# Written by hand\n") and "model-index:" in sent and "type: revision_accuracy" in sent


def edit(name, **fields):
    """Changes fields of a JSON file."""

    def change(folder):
        path = folder / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))

    return change


def replace(name, pattern, by):
    """Changes a text file."""

    def change(folder):
        text, count = re.subn(pattern, by, (folder / name).read_text(), count=1)
        assert count == 1
        (folder / name).write_text(text)

    return change


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


def without(name):
    return lambda folder: (folder / name).unlink()


def cut_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100_000])


def lose_a_shard(folder):
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (shutil.rmtree, "there is no folder"),
        (without("config.json"), "holds neither a model (config.json) nor a data set (build.json)"),
        (edit("config.json", model_type="llama"), "holds a llama model, and none of ours"),
        (write("config.json", "{"), "config.json is not JSON"),
        (write("config.json", "[]"), "config.json holds no JSON object"),
        (edit("config.json", hidden_size="wide"), "config.json is no configuration of a duplex_baseline"),
        (edit("config.json", num_hidden_layers=2), "the weights do not belong to config.json: model.layers."),
        (edit("config.json", intermediate_size=8), "the weights do not belong to config.json: model.layers.0.mlp."),
        (without("model.safetensors"), "holds no weights (model.safetensors)"),
        (cut_weights, "model.safetensors cannot be read"),
        (lose_a_shard, "names weights that are missing: model-00002-of-00002.safetensors"),
        (without("tokenizer.json"), "has no tokenizer.json"),
        (without("README.md"), "has no card (README.md); write it with `python -m hf_duplex.hub card "),
        (write("README.md", "---\na: [\n---\n"), "README.md cannot be read"),
        (edit("results.json", format=1), "results.json is of format 1, not 2: measure again"),
        (edit("results.json", benchmark="speed"), "results.json holds no results of `hf-duplex bench revision`"),
        (write("results.json", "{"), "results.json is not JSON"),
        (edit("results.json", models={"other": {"specs": ["m/other"]}}), f"holds no results of {BASELINE.name}"),
        (replace("README.md", r"value: 0\.\d+", "value: 0.999"), "tells other results than results.json"),
        (write("README.md", "# Drawn early\n\nNot measured yet.\n"), "tells other results than results.json"),
        (without("results.json"), "tells other results than results.json"),
    ],
)
def test_what_is_wrong_with_a_folder_is_one_clear_line_before_anything_is_sent(folder, change, named):
    change(folder)
    for dry in ([], ["--dry-run"]):
        # The client is offline here: whatever it asked for would be another error.
        done = CliRunner().invoke(app, ["push", str(folder), "me/mine", "--token", "hf_dummy", *dry])
        lines = done.stderr.strip().splitlines()
        assert done.exit_code == 2 and done.stdout == "", done.output
        assert len(lines) == 1 and lines[0].startswith("Error: ") and named in lines[0], done.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["not a name!"], "`repo_id`"),
        (["nobody"], "as in user/nobody"),
        (["me/mine/yours"], "`repo_id`"),
        (["me/mine", "--revision", "refs/pr/1"], "`revision`"),
        (["me/mine", "--revision", "a b"], "`revision`"),
        (["me/mine", "--token", ""], "`token`: none was given"),
        (["me/mine"], "me/mine was not pushed, nothing was committed"),
    ],
)
def test_names_and_tokens_that_will_not_do_are_told(monkeypatch, arguments, named):
    monkeypatch.setattr("hf_duplex.hub.push.get_token", lambda: "hf_dummy" if arguments == ["me/mine"] else None)
    known = [] if "token" in named else ["--token", "hf_dummy"]
    done = CliRunner().invoke(app, ["push", str(BASELINE), *known, *arguments])
    lines = done.stderr.strip().splitlines()
    assert done.exit_code == 2 and len(lines) == 1 and lines[0].startswith("Error: `") and named in lines[0]


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_a_data_set_that_will_not_do_is_not_pushed(tmp_path, dry):
    folder = write_dataset(tmp_path / "small", {"test": small_rows("test", 6)})
    push = ["push", str(folder), "me/worlds", "--token", "hf_dummy", *dry]
    assert "main branch" in CliRunner().invoke(app, [*push, "--branch", "old"]).stderr
    assert "has no README.md" in CliRunner().invoke(app, push).stderr
    (folder / "README.md").write_text("card")
    change_rows(folder, "data/test-00000-of-00001.parquet", lambda made: made[4].update(update_step=7777))
    done = CliRunner().invoke(app, push)
    assert done.exit_code == 2 and "fails its check" in done.stderr and "`update_step` is 7777" in done.stderr


def test_the_command_that_writes_a_card_names_what_it_needs(folder):
    from hf_duplex.hub import write_card

    (folder / "training.json").unlink()
    with pytest.raises(ValueError, match="has no training.json, which a card is drawn from"):
        write_card(folder)
