"""An adapter is saved without its base, carries its own code, and loads as it was saved."""

import json
import re

import pytest
import torch
from adapters import FAMILIES, make_adapter, make_base, play, streams_of
from apart import run_apart
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

from hf_duplex import DuplexAdapterConfig, DuplexAdapterForCausalLM, listen


ROWS, PROMPTS = [[(2, [20, 21]), (6, [22])], []], [[5, 6, 7], [9, 10]]
EMITTED = torch.randint(3, 250, (2, 9), generator=torch.Generator().manual_seed(0))
STREAMS = streams_of(ROWS, PROMPTS, EMITTED)
MODES = ["workspace", "spliced"]

# Loads onto a base by folder, lays a conversation out, generates with an interrupt, saves again and loads that.
USE = """
from types import SimpleNamespace

import torch
from transformers import AutoConfig, AutoModelForCausalLM

streams = {name: torch.tensor(ids) for name, ids in argument["streams"].items()}
config = AutoConfig.from_pretrained(argument["folder"], trust_remote_code=True)
model = AutoModelForCausalLM.from_pretrained(argument["folder"], base=argument["base"], trust_remote_code=True)
model.save_pretrained(argument["again"])
again = AutoModelForCausalLM.from_pretrained(argument["again"], base=argument["base"], trust_remote_code=True)

def callback(input_ids):
    if input_ids.shape[1] == 3:
        return SimpleNamespace(update_ids=torch.tensor([[20, 21]]), update_mask=None)

output = model.generate(
    input_ids=torch.tensor([[4]]), prompt_ids=torch.tensor([[5, 6, 7]]), interrupt_callback=callback,
    max_new_tokens=8, do_sample=False, eos_token_id=None, return_dict_in_generate=True,
)
with torch.no_grad():
    result = {
        "modules": [type(thing).__module__ for thing in (config, model, again)],
        "logits": model(**streams).logits.tolist(),
        "again": again(**streams).logits.tolist(),
        "sequences": output.sequences.tolist(),
        "versions": output.versions.tolist(),
    }
assert "hf_duplex" not in sys.modules
"""


def logits(model):
    with torch.no_grad():
        return model(**STREAMS).logits


def names(folder):
    return {path.name for path in folder.iterdir() if path.suffix != ".py"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", FAMILIES)
def test_an_adapter_loads_as_it_was_saved(family, mode, tmp_path):
    base, model = make_adapter(family, mode=mode)
    model.save_pretrained(tmp_path)
    loaded = listen(base, tmp_path)
    assert type(loaded) is DuplexAdapterForCausalLM and not loaded.training
    assert torch.equal(logits(loaded), logits(model))
    settings = [{**one.config.to_dict(), "base_config": None, "_name_or_path": None} for one in (loaded, model)]
    assert settings[0] == settings[1] and loaded.config.base_fingerprint


@pytest.mark.parametrize("mode", MODES)
def test_every_way_of_loading_gives_the_same(mode, tmp_path):
    base, model = make_adapter(mode=mode)
    base.save_pretrained(tmp_path / "base")
    model.config.base_model_name_or_path = str(tmp_path / "base")
    folder = tmp_path / "adapter"
    model.save_pretrained(folder)
    wanted = logits(model)
    for loaded in (
        listen(base, str(folder)),
        DuplexAdapterForCausalLM.from_pretrained(folder, base=base),
        DuplexAdapterForCausalLM.from_pretrained(folder, base=str(tmp_path / "base")),
        DuplexAdapterForCausalLM.from_pretrained(folder),
        AutoModelForCausalLM.from_pretrained(folder),
        AutoModelForCausalLM.from_pretrained(folder, base=base),
        listen(base, DuplexAdapterForCausalLM.from_pretrained(folder).config),
    ):
        assert type(loaded) is DuplexAdapterForCausalLM
        if not all(map(torch.equal, loaded.additions().values(), model.additions().values())):
            # A configuration brings no weights.
            loaded.load_additions(load_file(folder / "model.safetensors"))
        assert torch.equal(logits(loaded), wanted)
    assert type(AutoConfig.from_pretrained(folder)) is DuplexAdapterConfig
    assert AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).base.dtype == torch.bfloat16


def test_generation_goes_on_as_before(tmp_path):
    base, model = make_adapter(scope="after_update")
    model.save_pretrained(tmp_path)
    texts = [play(one, ROWS, PROMPTS, 10)[0].tolist() for one in (model, listen(base, tmp_path))]
    assert texts[0] == texts[1]


def test_the_folder_holds_the_additions_and_no_base(tmp_path):
    base, model = make_adapter()
    model.save_pretrained(tmp_path)
    assert names(tmp_path) == {"config.json", "generation_config.json", "model.safetensors"}
    stored = load_file(tmp_path / "model.safetensors")
    assert stored.keys() == model.additions().keys()
    assert {name.partition(".")[0] for name in stored} == {"base", "doubt", "notice"}
    assert all("lora_" in name for name in stored if name.startswith("base."))
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["architectures"] == ["DuplexAdapterForCausalLM"]
    assert config["auto_map"] == {
        "AutoConfig": "configuration_adapter.DuplexAdapterConfig",
        "AutoModelForCausalLM": "modeling_adapter.DuplexAdapterForCausalLM",
    }
    assert "_name_or_path" not in config["base_config"]
    with pytest.raises(ValueError, match="`push_to_hub`: use `hf-duplex push FOLDER`"):
        model.save_pretrained(tmp_path, push_to_hub=True)


def test_matrices_may_be_saved_in_half_precision(tmp_path):
    base, model = make_adapter()
    model.save_pretrained(tmp_path, dtype=torch.bfloat16)
    stored = load_file(tmp_path / "model.safetensors")
    assert {value.dtype for value in stored.values() if value.dim() > 1} == {torch.bfloat16}
    loaded = listen(base, tmp_path)
    for name, value in loaded.additions().items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, model.additions()[name], atol=2e-2, rtol=1e-2)
    torch.testing.assert_close(logits(loaded), logits(model), atol=0.1, rtol=0.1)


def test_slots_and_scope_may_be_others_than_were_saved(tmp_path):
    base, model = make_adapter()
    model.save_pretrained(tmp_path)
    loaded = listen(base, tmp_path, n_slots=7, scope="after_update")
    assert (loaded.config.n_slots, loaded.config.scope) == (7, "after_update")
    with pytest.raises(ValueError, match="scope must be one of"):
        listen(base, tmp_path, scope="sometimes")


def test_an_adapter_that_names_no_base_asks_for_one(tmp_path):
    make_adapter()[1].save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="does not name its base: hand it over as `base=...`"):
        AutoModelForCausalLM.from_pretrained(tmp_path)


def test_a_folder_holds_all_the_code_it_needs(tmp_path):
    make_adapter()[1].save_pretrained(tmp_path)
    files = {path.stem: path.read_text() for path in tmp_path.glob("*.py")}
    assert {"modeling_adapter", "configuration_adapter", "cache", "generation"} <= set(files)
    for stem, text in files.items():
        assert not re.search(r"^\s*(?:from|import) (?:hf_duplex|dataset_builder)", text, flags=re.M), stem
        for imported in re.findall(r"^\s*from \.(\w*)", text, flags=re.M):
            assert imported in files, f"{stem}.py imports .{imported}"


@pytest.mark.parametrize("mode", MODES)
def test_it_loads_where_the_package_is_not_installed(mode, tmp_path):
    base, model = make_adapter(mode=mode)
    base.save_pretrained(tmp_path / "base")
    model.save_pretrained(tmp_path / "adapter")
    streams = {name: ids.tolist() for name, ids in STREAMS.items()}
    folders = {name: str(tmp_path / name) for name in ("base", "again")}
    used = run_apart(tmp_path, USE, {**folders, "folder": str(tmp_path / "adapter"), "streams": streams})
    assert all(module.startswith("transformers_modules.") for module in used["modules"])
    for name in ("logits", "again"):
        torch.testing.assert_close(torch.tensor(used[name]), logits(model), atol=1e-5, rtol=0)
    model.generation_config.eos_token_id = None
    output = model.generate(
        input_ids=torch.tensor([[4]]),
        prompt_ids=torch.tensor([[5, 6, 7]]),
        interrupt_callback=play_interrupt,
        max_new_tokens=8,
        do_sample=False,
        return_dict_in_generate=True,
    )
    assert used["sequences"] == output.sequences.tolist() and used["versions"] == output.versions.tolist()


def play_interrupt(input_ids):
    from hf_duplex import Interrupt

    return Interrupt(torch.tensor([[20, 21]])) if input_ids.shape[1] == 3 else None


def test_a_plain_listener_is_saved_and_loaded_too(tmp_path):
    base = make_base()
    model = listen(base)
    model.save_pretrained(tmp_path)
    loaded = listen(base, tmp_path)
    assert not loaded.additions() and torch.equal(logits(loaded), logits(model))


def test_a_model_with_random_weights_is_made_from_its_configuration():
    config = make_adapter()[1].config
    model = DuplexAdapterForCausalLM(config)
    assert model.base.config.model_type == "llama" and logits(model).shape == (2, 9, 259)
    with pytest.raises(ValueError, match="`base_config` is empty"):
        DuplexAdapterForCausalLM(DuplexAdapterConfig())
