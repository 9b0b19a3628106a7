"""The released models: one place names them, and whatever else does names one that is there, or that was measured."""

import json
import re

import pytest
from safetensors import safe_open

from hf_duplex.released import ADAPTER, DUAL_STREAM, RELEASED, SHIPPED


MEGABYTE = 1_000_000
PAGES = (
    "*.md",
    "Makefile",
    "docs/**/*.md",
    "examples/**/*",
    "hf_duplex/**/*.py",
    "hf_duplex/**/*.md",
    "tests/**/*.py",
)
NAME = re.compile(r"duplex-(?:workspace|baseline|dual-stream)-\d+m\b")


def measured():
    """The models of the comparison: those of other sizes are told of, and not stored."""
    results = [json.loads(path.read_text()) for path in (SHIPPED / "comparison").glob("*.json")]
    return {name for found in results if found["benchmark"] == "revision" for name in found["models"]}


def test_no_page_names_a_model_that_is_not_released(request):
    root = request.config.rootpath
    pages = {path for pattern in PAGES for path in root.glob(pattern) if path.is_file()}
    named = {(name, path.name) for path in pages for name in NAME.findall(path.read_text())}
    assert "README.md" in {page for _, page in named} and {name for name, _ in named} <= {*RELEASED, *measured()}, (
        named
    )


def test_no_other_model_lies_beside_them():
    models = {path.parent.name for path in SHIPPED.glob("*/config.json")}
    assert models == {*RELEASED, ADAPTER}


@pytest.mark.parametrize("name", RELEASED)
def test_what_ships_is_small(name):
    folder = SHIPPED / name
    assert sum(path.stat().st_size for path in folder.iterdir()) < 12 * MEGABYTE
    with safe_open(folder / "model.safetensors", "pt") as stored:
        assert {stored.get_slice(weight).get_dtype() for weight in stored.keys()} == {"BF16"}


def test_the_dual_stream_ships_its_results_and_no_weights():
    assert {path.name for path in (SHIPPED / DUAL_STREAM).iterdir()} == {"README.md", "results.json", "training.json"}


def test_the_adapter_ships_without_its_base():
    folder = SHIPPED / ADAPTER
    assert sum(path.stat().st_size for path in folder.iterdir()) < 11 * MEGABYTE
    with safe_open(folder / "model.safetensors", "pt") as stored:
        shapes = {name: stored.get_slice(name).get_shape() for name in stored.keys()}
        kinds = {stored.get_slice(name).get_dtype() for name, shape in shapes.items() if len(shape) > 1}
    assert kinds == {"BF16"}
    assert all("lora_" in name or name.startswith(("doubt.", "notice")) for name in shapes)
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "duplex_adapter" and config["mode"] == "workspace"
    assert config["base_model_name_or_path"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert config["base_fingerprint"] and config["system_prefix_ids"] and config["turn_end_token_id"] == 2


@pytest.mark.parametrize("name", (*RELEASED, ADAPTER, DUAL_STREAM))
def test_no_file_tells_a_place_on_somebodys_machine(name):
    for path in (SHIPPED / name).glob("*.[jm][sd]*"):
        assert not re.search(r"(?<![\w.<])/(?:tmp|home|root|work|mnt|data)/", path.read_text()), path.name
