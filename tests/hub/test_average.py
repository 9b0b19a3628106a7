"""Averaging two adapters."""

import json

import pytest
import torch
from safetensors.torch import load_file
from tiny_chat import write_base
from transformers import AutoModelForCausalLM

from hf_duplex import DuplexAdapterConfig, listen
from hf_duplex.hub.average import average


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("average")
    write_base(folder / "base")
    base = AutoModelForCausalLM.from_pretrained(folder / "base")
    for seed, name in enumerate(("first", "second")):
        torch.manual_seed(seed)
        model = listen(base, DuplexAdapterConfig(lora_rank=2, doubt_size=4))
        for value in model.additions().values():
            value.data = torch.randn_like(value)
        model.save_pretrained(folder / name)
        facts = {"command": name, "samples": seed, "seconds": 1.0, "log": []}
        (folder / name / "training.json").write_text(json.dumps(facts))
    listen(base, DuplexAdapterConfig(lora_rank=4, doubt_size=4)).save_pretrained(folder / "wide")
    return folder


def test_the_weights_lie_between_and_load(folders, tmp_path):
    out = average(folders / "first", folders / "second", 0.25, tmp_path / "out", "ten cases")
    first, second, mixed = (
        load_file(path / "model.safetensors") for path in (folders / "first", folders / "second", out)
    )
    assert mixed.keys() == first.keys()
    for name, value in mixed.items():
        torch.testing.assert_close(value, 0.75 * first[name] + 0.25 * second[name])
    model = listen(AutoModelForCausalLM.from_pretrained(folders / "base"), out)
    assert any(torch.equal(value, list(mixed.values())[0]) for value in model.additions().values())
    facts = json.loads((out / "training.json").read_text())
    assert facts["command"] == "second" and facts["average"]["share"] == 0.25
    assert facts["average"]["chosen_on"] == "ten cases"
    assert facts["average"]["first"] == {"command": "first", "samples": 0, "seconds": 1.0}


@pytest.mark.parametrize(
    ("second", "share", "message"),
    [
        ("second", 1.0, "`share` must be above 0 and below 1, got 1.0"),
        ("second", 0.0, "`share` must be above 0"),
        ("wide", 0.5, r"different shapes or bases \(lora_rank\)"),
        ("base", 0.5, r"base are adapters of different|base holds no adapter|different shapes"),
        ("nothing", 0.5, "nothing holds no adapter"),
    ],
)
def test_bad_input_is_one_clear_error_and_writes_nothing(folders, tmp_path, second, share, message):
    with pytest.raises(ValueError, match=message):
        average(folders / "first", folders / second, share, tmp_path / "out")
    assert not (tmp_path / "out").exists()
