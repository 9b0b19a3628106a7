"""Helpers for the base of a duplex adapter: compatibility checks, a copy that shares its weights, its head."""

import copy
import hashlib
from collections.abc import Iterator

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.utils import logging

from .attention_duplex import ALL_ATTENTION, NAME


logger = logging.get_logger(__name__)

RECURRENT = ("mamba", "rwkv", "recurrent", "ssm", "linear_attention", "conv")
ATTENTION = {"full_attention", "sliding_attention"}
LEARNED_POSITIONS = {"wpe", "embed_positions", "position_embeddings"}


class CannotListen(ValueError):
    """A model that cannot get an open input; the message gives the reason and a remedy."""


def check_base(model: object) -> None:
    """
    Raises [`CannotListen`] unless `model` is a decoder-only language model whose cache can be spliced.

    Encoder-decoders have no stream of their own to write updates into. The state of recurrent and hybrid models mixes
    all tokens, so padding inside a row and undo are impossible.
    """
    if not isinstance(model, PreTrainedModel) or not model.can_generate():
        raise CannotListen(f"`model` must be a causal language model of transformers, got {type(model).__name__}.")
    name = type(model).__name__
    if hasattr(model, "read_updates"):
        raise CannotListen(f"`model` ({name}) has an open input already: use it as it is, or hand over its base.")
    if model.config.is_encoder_decoder:
        raise CannotListen(
            f"`model` is an encoder-decoder ({name}), which has no open input: use a decoder-only model."
        )
    text = model.config.get_text_config()
    kinds = [str(kind) for kind in getattr(text, "layer_types", None) or ()]
    kinds += [str(text.model_type), *(str(kind) for kind in getattr(text, "layers_block_type", None) or ())]
    found = next((kind for kind in kinds if any(word in kind.lower() for word in RECURRENT)), None)
    if getattr(model, "_is_stateful", False) or found:
        raise CannotListen(
            f"`model` ({name}) keeps a recurrent or hybrid state ({found or text.model_type}), which cannot be "
            "spliced nor rolled back: use a model whose layers are all attention."
        )


def find_decoder(model: PreTrainedModel) -> nn.Module | None:
    """The stack of blocks that takes `inputs_embeds`, below any multimodal wrapper; None if there is none."""
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else None
    for candidate in (decoder, getattr(decoder, "language_model", None), getattr(model, "model", None)):
        if candidate is not None and hasattr(candidate, "layers"):
            return candidate
    return None


def why_no_workspace(model: PreTrainedModel) -> str | None:
    """Why a model cannot have a workspace on its keys and values; None if it can."""
    name, decoder = type(model).__name__, find_decoder(model)
    text = model if decoder is None else decoder
    tables = {part.rpartition(".")[2] for part, module in text.named_modules() if isinstance(module, nn.Embedding)}
    if tables & LEARNED_POSITIONS:
        return f"`model` ({name}) has learned positions, not rotary ones, so incoming text has no place"
    if decoder is None or not getattr(model, "_supports_attention_backend", False):
        return f"`model` ({name}) does not take its attention from transformers' AttentionInterface"
    kinds = {str(kind) for kind in getattr(model.config.get_text_config(), "layer_types", None) or ()} - ATTENTION
    if kinds:
        return f"`model` ({name}) has layers of {', '.join(sorted(kinds))}, which no mask by version reaches"
    if not any("rotary" in part for part, _ in decoder.named_modules()):
        return f"`model` ({name}) has fixed positions, not rotary ones, so incoming text has no place"
    return None


def attention_of(model: PreTrainedModel) -> str:
    """The attention implementation to use: the base's own, or sdpa if that does not support a mask by version."""
    own = model.config.get_text_config()._attn_implementation or "eager"
    if own in ("eager", "sdpa"):
        return own
    # Fused kernels other than sdpa cannot express a mask by version.
    return "sdpa" if getattr(model, "_supports_sdpa", False) and "sdpa" in ALL_ATTENTION else "eager"


def shared_copy(model: PreTrainedModel) -> PreTrainedModel:
    """A copy that shares the weights: its modules can be changed, its weights are frozen."""
    memo: dict[int, object] = {}
    for parameter in model.parameters():
        memo[id(parameter)] = nn.Parameter(parameter.detach(), requires_grad=False)
    twin = copy.deepcopy(model, memo)
    return twin.eval()


def route_attention(model: PreTrainedModel) -> None:
    """Makes every attention layer of a copy call [`~attention_duplex.duplex_attention`]."""
    for module in model.modules():
        config = getattr(module, "config", None)
        if config is not None and hasattr(config, "_attn_implementation"):
            config._attn_implementation_internal = NAME


def linear_names(decoder: nn.Module) -> list[str]:
    """Names of the linear layers in the blocks of a decoder, without duplicates."""
    names = {name.rpartition(".")[2] for name, part in decoder.layers.named_modules() if isinstance(part, nn.Linear)}
    return sorted(names)


def head_logits(model: PreTrainedModel, hidden: torch.Tensor) -> torch.Tensor:
    """Logits of last hidden states, as the base computes them: head, then scale and soft cap, if any."""
    logits = model.get_output_embeddings()(hidden)
    text = model.config.get_text_config()
    if getattr(text, "logits_scaling", None):
        logits = logits / text.logits_scaling
    if getattr(text, "logit_scale", None):
        logits = logits * text.logit_scale
    cap = getattr(text, "final_logit_softcapping", None)
    return logits if cap is None else torch.tanh(logits / cap) * cap


def sampled(model: nn.Module) -> Iterator[bytes]:
    """A few weights of each matrix, as bytes that do not depend on the loaded precision."""
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1 and parameter.device.type != "meta":
            few = parameter.detach().flatten()[:: max(1, parameter.numel() // 16)][:16]
            yield name.encode() + few.to("cpu", torch.bfloat16).view(torch.int16).numpy().tobytes()


def fingerprint_of(model: nn.Module) -> str:
    """A digest that identifies the weights of a base."""
    digest = hashlib.blake2b(digest_size=8)
    for part in sampled(model):
        digest.update(part)
    return digest.hexdigest()


__all__ = ["CannotListen", "check_base", "fingerprint_of", "shared_copy"]
