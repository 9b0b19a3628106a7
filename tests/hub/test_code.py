"""The code in model folders: equal to its source, and enough for a model that ships to run without hf_duplex."""

import json
import shutil

import pytest
import torch
from apart import run_apart  # noqa: E402
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification
from typer.testing import CliRunner

import hf_duplex.interaction  # noqa: F401
from hf_duplex.hub.__main__ import app
from hf_duplex.hub.code import code_of, find_source, folders_with_code, write_code
from hf_duplex.released import ADAPTER, RELEASED, SHIPPED, TURN_POLICY, WORKSPACE


FOLDERS = folders_with_code(SHIPPED)
AUTO_CLASSES = {
    "AutoModelForCausalLM": AutoModelForCausalLM,
    "AutoModelForSequenceClassification": AutoModelForSequenceClassification,
}
each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)

# What a model says or decides, and whatever pipelines its configuration names; `argument` says of which folder.
USE = """
import torch, transformers

source, inputs = argument["folder"], {name: torch.tensor(ids) for name, ids in argument["inputs"].items()}
model = getattr(transformers, argument["auto_class"]).from_pretrained(
    source, dtype=torch.float32, trust_remote_code=True
)
if model.can_generate():
    output = model.generate(**inputs, max_new_tokens=8, do_sample=False).tolist()
else:
    output = model(**inputs).logits.tolist()
result = {"output": output, "modules": [type(model).__module__, type(model.config).__module__], "texts": []}
for task in argument["pipelines"]:
    talk = transformers.pipeline(task, model=source, trust_remote_code=True)
    result["modules"].append(type(talk).__module__)
    result["texts"].append(talk("Given x = 5, compute 3x + 2.", max_new_tokens=8)["generated_text"])
assert not {"hf_duplex", "dataset_builder"} & set(sys.modules)
"""


def inputs_for(config):
    """A prompt, or for a policy two ticks of its streams."""
    if "streams" not in config:
        return {"prompt_ids": [[5, 6, 7, 8]]}
    row = list(range(2, 2 + len(config["streams"])))
    return {"kinds": [[row, row[::-1]]], "things": [[row[::-1], row]]}


@pytest.fixture
def copied(tmp_path):
    """A folder with the configuration of a model that ships, and its code."""
    shutil.copy(SHIPPED / WORKSPACE / "config.json", tmp_path)
    write_code(tmp_path)
    return tmp_path


def test_every_model_that_ships_has_code():
    assert {*(SHIPPED / name for name in (*RELEASED, ADAPTER)), TURN_POLICY} <= set(FOLDERS)


@each_folder
def test_the_code_that_ships_is_that_of_the_package(folder):
    assert write_code(folder, check=True) == {}, "run `python -m hf_duplex.hub code`"


@each_folder
def test_a_model_that_ships_runs_where_the_package_is_not_installed(folder, tmp_path):
    config = json.loads((folder / "config.json").read_text())
    if base := config.get("base_model_name_or_path"):
        pytest.skip(f"an adapter: the weights of its base, {base}, do not ship")
    auto_class = next(name for name in AUTO_CLASSES if name in config["auto_map"])
    inputs, pipelines = inputs_for(config), [*config.get("custom_pipelines", {})]
    argument = {"folder": str(folder), "auto_class": auto_class, "inputs": inputs, "pipelines": pipelines}
    used = run_apart(tmp_path, USE, argument)
    assert all(module.startswith("transformers_modules.") for module in used["modules"])
    assert all(used["texts"])

    model = AUTO_CLASSES[auto_class].from_pretrained(folder, dtype=torch.float32)
    assert type(model).__module__.startswith("hf_duplex.")
    tensors = {name: torch.tensor(ids) for name, ids in inputs.items()}
    if model.can_generate():
        assert used["output"] == model.generate(**tensors, max_new_tokens=8, do_sample=False).tolist()
    else:
        torch.testing.assert_close(torch.tensor(used["output"]), model(**tensors).logits)


# The adapter on a base of its architecture, with a few layers of random weights.
USE_ADAPTER = """
import torch, transformers

config = transformers.AutoConfig.from_pretrained(argument["folder"], trust_remote_code=True)
config.base_config["num_hidden_layers"] = 1
model = transformers.AutoModelForCausalLM.from_config(config, trust_remote_code=True)
output = model.generate(input_ids=torch.tensor([[5]]), prompt_ids=torch.tensor([[1, 2, 3]]), max_new_tokens=3)
result = {"shape": list(output.shape), "modules": [type(model).__module__, type(config).__module__]}
assert not {"hf_duplex", "dataset_builder"} & set(sys.modules)
"""


def test_the_adapter_that_ships_runs_where_the_package_is_not_installed(tmp_path):
    used = run_apart(tmp_path, USE_ADAPTER, {"folder": str(SHIPPED / ADAPTER)})
    assert used["shape"][0] == 1 and 1 < used["shape"][1] <= 4
    assert all(module.startswith("transformers_modules.") for module in used["modules"])


def test_code_is_followed_from_file_to_file():
    code = code_of({"auto_map": {"AutoModelForCausalLM": "modeling_workspace.WorkspaceForCausalLM"}})
    # update_rules.py is imported by modules that modeling_workspace.py imports.
    assert {"modeling_workspace.py", "configuration_duplex.py", "update_rules.py"} <= set(code)
    assert "modeling_baseline.py" not in code and "__init__.py" not in code
    assert code["cache.py"] == find_source("cache").read_bytes()
    assert set(code_of({"custom_pipelines": {"talk": {"impl": "pipeline_duplex.DuplexGenerationPipeline"}}})) >= {
        "pipeline_duplex.py",
        "messages.py",
    }


def test_only_what_differs_is_written_and_what_is_not_needed_is_removed(copied):
    kept = (copied / "layers.py").stat().st_mtime_ns
    (copied / "cache.py").write_text("changed = True\n")
    (copied / "encoder.py").unlink()
    (copied / "modeling_baseline.py").write_text("")
    expected = {"cache.py": "changed", "encoder.py": "missing", "modeling_baseline.py": "not needed"}
    for check in (True, False):
        assert {path.name: how for path, how in write_code(copied, check).items()} == expected
    assert write_code(copied) == {}
    assert (copied / "layers.py").stat().st_mtime_ns == kept
    assert (copied / "cache.py").read_bytes() == find_source("cache").read_bytes()


def test_the_check_names_what_differs_and_ends_with_status_1(copied):
    (copied / "cache.py").write_text("changed = True\n")
    changed = f"{copied / 'cache.py'}: changed"
    for arguments, status, named in ((["--check"], 1, True), ([], 0, False), (["--check"], 0, False)):
        done = CliRunner().invoke(app, ["code", str(copied), *arguments])
        assert done.exit_code == status and (changed in done.stdout) == named


@pytest.mark.parametrize(
    ("config", "named"),
    [
        (None, "has no config.json"),
        ({"model_type": "llama"}, "has no `auto_map`"),
        ({"auto_map": {"AutoConfig": "configuration_llama.LlamaConfig"}}, "names the module configuration_llama"),
    ],
)
def test_a_folder_whose_code_is_not_ours_is_refused_and_left_as_it_is(tmp_path, config, named):
    (tmp_path / "own.py").write_text("")
    if config:
        (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=f"`folder`: .*{named}"):
        write_code(tmp_path)
    assert (tmp_path / "own.py").is_file()
