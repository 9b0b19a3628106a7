"""A checkpoint carries its own code: it loads where this package is not installed."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from apart import run_apart
from hub_stub import hub_stub
from tiny_models import GENERATORS, KINDS, SEP, Schedule, greedy, talking_model, tiny_model, tiny_tokenizer, words
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer


HELPERS = Path(__file__).parents[1] / "helpers"
PACKAGE = HELPERS.parents[1]

PROMPT = [[5, 6, SEP, 7, 8]]
UPDATE = [[20, 21]]
EMITTED = [[1, 9, 10, 11]]

# Loads, forwards, generates with an interrupt, runs the pipeline, saves again and loads that.
USE = """
from types import SimpleNamespace

import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer, pipeline

result = {}
for name, source in argument["sources"].items():
    config = AutoConfig.from_pretrained(source, trust_remote_code=True)
    base = AutoModel.from_pretrained(source, trust_remote_code=True)
    model = AutoModelForCausalLM.from_pretrained(source, trust_remote_code=True)

    def callback(input_ids):
        if input_ids.shape[1] == 3:
            return SimpleNamespace(update_ids=torch.tensor(argument["update"]), update_mask=None)

    options = dict(prompt_ids=torch.tensor(argument["prompt"]), interrupt_callback=callback, eos_token_id=None,
                   max_new_tokens=8, return_dict_in_generate=True)
    output = model.generate(**options)
    talk = pipeline("duplex-generation", model=source, tokenizer=source, trust_remote_code=True)
    said = talk("given x = 5, compute.", updates=[(2, "no, x = 7.")], max_new_tokens=6, eos_token_id=None)
    saved = argument["saved"] + "/" + name
    model.save_pretrained(saved)
    again = AutoModelForCausalLM.from_pretrained(saved, trust_remote_code=True)
    with torch.no_grad():
        emitted = torch.tensor(argument["emitted"])
        hidden = base(input_ids=emitted, prompt_ids=torch.tensor(argument["prompt"])).last_hidden_state
        result[name] = {
            "classes": [type(thing).__name__ for thing in (config, base, model, talk)],
            "modules": [type(thing).__module__ for thing in (config, base, model, talk)],
            "hidden": hidden.tolist(),
            "logits": model(input_ids=emitted, prompt_ids=torch.tensor(argument["prompt"])).logits.tolist(),
            "saved again": again(input_ids=emitted, prompt_ids=torch.tensor(argument["prompt"])).logits.tolist(),
            "sequences": output.sequences.tolist(),
            "versions": output.versions.tolist(),
            "said": said,
        }
assert "hf_duplex" not in sys.modules
"""

# Pushes from a process that has the package.
PUSH = """
sys.meta_path.pop(0)
sys.path[:0] = argument["path"]
from tiny_models import talking_model, tiny_tokenizer

for name in argument["names"]:
    talking_model(name).push_to_hub("tester/tiny-" + name)
    tiny_tokenizer().push_to_hub("tester/tiny-" + name)
result = "pushed"
"""


def saved_model(name, folder):
    model = talking_model(name)
    model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return model


def expected(model):
    prompt, emitted = torch.tensor(PROMPT), torch.tensor(EMITTED)
    schedule = Schedule([(3, UPDATE[0])])
    output = greedy(model, prompt_ids=prompt, interrupt_callback=schedule, n=8)
    with torch.no_grad():
        return {
            "hidden": model.model(input_ids=emitted, prompt_ids=prompt).last_hidden_state,
            "logits": model(input_ids=emitted, prompt_ids=prompt).logits,
            "sequences": output.sequences.tolist(),
            "versions": output.versions.tolist(),
        }


def check_use(used, name, model):
    wanted = expected(model)
    stem = {"baseline": "DuplexBaseline", "dual_stream": "DualStream"}.get(name, "Workspace")
    assert used["classes"] == [f"{stem}Config", f"{stem}Model", f"{stem}ForCausalLM", "DuplexGenerationPipeline"]
    assert all(module.startswith("transformers_modules.") for module in used["modules"])
    for key, values in {"hidden": "hidden", "logits": "logits", "saved again": "logits"}.items():
        torch.testing.assert_close(torch.tensor(used[key]), wanted[values], atol=1e-5, rtol=0)
    assert used["sequences"] == wanted["sequences"]
    assert used["versions"] == wanted["versions"]
    assert len(used["said"]["tokens"]) == len(used["said"]["versions"]) == 6
    assert used["said"]["versions"][-1] == used["said"]["versions"][0] + 1


@pytest.mark.parametrize("name", GENERATORS)
def test_a_model_loads_as_it_was_saved(name, tmp_path):
    model = saved_model(name, tmp_path)
    emitted, prompt = words(2, 5), words(2, 6)
    with torch.no_grad():
        for kind in (AutoModelForCausalLM, type(model)):
            loaded = kind.from_pretrained(tmp_path)
            assert type(loaded) is type(model)
            assert torch.equal(
                loaded(input_ids=emitted, prompt_ids=prompt).logits, model(input_ids=emitted, prompt_ids=prompt).logits
            )
        base = AutoModel.from_pretrained(tmp_path)
        assert torch.equal(base(input_ids=emitted).last_hidden_state, model.model(input_ids=emitted).last_hidden_state)
    loaded = AutoConfig.from_pretrained(tmp_path).to_dict()
    assert loaded == {**model.config.to_dict(), "_name_or_path": loaded["_name_or_path"]}


@pytest.mark.parametrize("name", KINDS)
def test_a_checkpoint_holds_all_the_code_it_needs(name, tmp_path):
    saved_model(name, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert set(config["auto_map"]) == {"AutoConfig", "AutoModel", "AutoModelForCausalLM"}
    needed = {reference.split(".")[0] for reference in config["auto_map"].values()}
    needed.add(config["custom_pipelines"]["duplex-generation"]["impl"].split(".")[0])
    files = {path.stem: path.read_text() for path in tmp_path.glob("*.py")}
    assert needed <= set(files)
    for stem, text in files.items():
        assert "hf_duplex" not in re.sub(r'""".*?"""', "", text, flags=re.S), stem
        for imported in re.findall(r"^\s*from \.(\w*)", text, flags=re.M):
            assert imported in files, f"{stem}.py imports .{imported}"


@pytest.mark.parametrize("name", KINDS)
def test_the_base_model_alone_can_be_saved(name, tmp_path):
    model = tiny_model(name)
    model.model.save_pretrained(tmp_path)
    base = AutoModel.from_pretrained(tmp_path)
    emitted = words(1, 4)
    with torch.no_grad():
        assert torch.equal(base(input_ids=emitted).last_hidden_state, model.model(input_ids=emitted).last_hidden_state)


def test_the_tokenizer_keeps_its_update_token(tmp_path):
    tokenizer = tiny_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    for loaded in (tokenizer, AutoTokenizer.from_pretrained(tmp_path)):
        assert loaded.update_token == "<update>"
        assert loaded.update_token_id == 4
        assert loaded.sep_token_id == SEP
        assert loaded.decode(loaded("ab <update>!", split_special_tokens=True)["input_ids"]) == "ab <update>!"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    return {name: (saved_model(name, folder / name), folder / name) for name in KINDS}


@pytest.fixture(scope="module")
def used_from_a_folder(models, tmp_path_factory):
    apart = tmp_path_factory.mktemp("apart")
    for name, (_, folder) in models.items():
        shutil.copytree(folder, apart / "copies" / name)
    sources = {name: str(apart / "copies" / name) for name in models}
    return run_apart(apart, USE, use_of(sources, apart))


@pytest.fixture(scope="module")
def used_from_a_hub(tmp_path_factory):
    apart = tmp_path_factory.mktemp("hub")
    with hub_stub() as (address, repos):
        run_apart(apart, PUSH, {"path": [str(PACKAGE), str(HELPERS)], "names": KINDS}, hub=address)
        sources = {name: f"tester/tiny-{name}" for name in KINDS}
        yield run_apart(apart, USE, use_of(sources, apart), hub=address), repos


def use_of(sources, folder):
    return {"sources": sources, "prompt": PROMPT, "update": UPDATE, "emitted": EMITTED, "saved": str(folder / "again")}


@pytest.mark.parametrize("name", KINDS)
def test_it_loads_from_a_folder_where_the_package_is_not_installed(name, models, used_from_a_folder):
    check_use(used_from_a_folder[name], name, models[name][0])


@pytest.mark.parametrize("name", KINDS)
def test_it_loads_from_a_hub_where_the_package_is_not_installed(name, models, used_from_a_hub):
    used, repos = used_from_a_hub
    assert {"config.json", "model.safetensors", "tokenizer.json", "pipeline_duplex.py"} <= set(
        repos[f"tester/tiny-{name}"]
    )
    check_use(used[name], name, models[name][0])
