"""
Models with an open input, and their text codecs.

Our generators and duplex adapters have an open input already. Any other causal language model of transformers gets one
by [`~hf_duplex.listen`]: updates are spliced into its own stream, in the format of its chat template.
"""

import copy
import hashlib
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from ..modeling import ChatFormat, encode_prompt, encode_update, listen
from .history import History, QueuedUpdate
from .limits import Refusal


class TextCodec(Protocol):
    """Converts texts to tokens of a model, and back."""

    ends: list[int]
    pad: int

    def prompt(self, text: str) -> tuple[list[int], int]:
        """Token ids of the prompt, and the first token of the emitted stream."""

    def update(self, text: str) -> list[int]:
        """Token ids of one update."""

    def decode(self, ids: list[int]) -> str:
        """Text of emitted tokens, without control tokens."""


class DuplexCodec:
    """The text format of our own generators: a prompt in clauses; an update starts with the update token."""

    def __init__(self, model: Any, tokenizer: Any):
        if getattr(tokenizer, "update_token_id", None) is None:
            raise ValueError("`tokenizer` has no `update_token`: use the one that was saved with the model.")
        self.tokenizer = tokenizer
        self.start: int = model.config.bos_token_id
        self.ends = end_tokens(model, tokenizer)
        self.pad = padding(model, tokenizer, self.ends)

    def prompt(self, text: str) -> tuple[list[int], int]:
        return encode_prompt(self.tokenizer, text), self.start

    def update(self, text: str) -> list[int]:
        return encode_update(self.tokenizer, text)

    def decode(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True)


class ChatCodec:
    """
    The text format of a pretrained model: the prompt is a user message, and an update is the next user message, as
    formatted by [`~hf_duplex.ChatFormat`].

    Args:
        model (`DuplexAdapterForCausalLM`): The model.
        tokenizer (`PreTrainedTokenizerBase`): Its tokenizer.
    """

    def __init__(self, model: Any, tokenizer: Any):
        self.tokenizer = tokenizer
        self.most = model.config.n_slots if is_workspace(model) else None
        self.format = ChatFormat(tokenizer, spliced=not is_workspace(model))
        self.ends = end_tokens(model, tokenizer)
        self.pad = padding(model, tokenizer, self.ends)

    def prompt(self, text: str) -> tuple[list[int], int]:
        ids, start = self.format.prompt(text)
        if self.most is not None and len(ids) > self.most:
            raise Refusal(f"`prompt` has {len(ids)} tokens, more than n_slots ({self.most}): shorten it.")
        return ids, start

    def update(self, text: str) -> list[int]:
        return self.format.update(text)

    def decode(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True)


def end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """The end-of-text tokens of a model; may be empty."""
    configured = model.generation_config.eos_token_id
    configured = configured if isinstance(configured, list) else [configured]
    return sorted({*configured, tokenizer.eos_token_id} - {None})


def padding(model: Any, tokenizer: Any, ends: list[int]) -> int:
    """The token that pads rows that have ended."""
    found = (tokenizer.pad_token_id, model.generation_config.pad_token_id, *ends, 0)
    return next(token for token in found if token is not None)


def open_input(model: Any, tokenizer: Any) -> tuple[Any, TextCodec]:
    """
    Returns a model with an open input, and its text codec. `model` is not changed; the result shares its weights.

    Args:
        model (`PreTrainedModel`): One of our generators, or any causal language model of transformers.
        tokenizer (`PreTrainedTokenizerBase`): Its tokenizer.

    Raises:
        ValueError: The model or tokenizer is of another type, or the tokenizer cannot encode an update for the model.
    """
    if not isinstance(model, PreTrainedModel) or not model.can_generate():
        raise ValueError(f"`model` must be a causal language model of transformers, got {type(model).__name__}.")
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise ValueError(f"`tokenizer` must be a tokenizer of transformers, got {type(tokenizer).__name__}.")
    if model.training:
        raise ValueError("`model` is being trained: call its `eval()` first.")
    if "read_updates" not in dir(type(model)):
        # Check methods, not the class: a checkpoint with remote code has its own classes.
        listener = listen(model)
    else:
        listener = copy.copy(model)
    words = codec_of(listener, tokenizer)
    # Sampling settings belong to a session: penalties of a batch would count tokens of other rows.
    listener.generation_config = GenerationConfig(
        bos_token_id=model.config.get_text_config().bos_token_id,
        eos_token_id=words.ends or None,
        pad_token_id=words.pad,
    )
    return listener, words


def codec_of(model: Any, tokenizer: Any) -> TextCodec:
    """
    The text codec of one of our generators or of a duplex adapter.

    Raises:
        ValueError: The tokenizer cannot encode an update for it.
    """
    return ChatCodec(model, tokenizer) if is_adapter(model) else DuplexCodec(model, tokenizer)


def is_adapter(model: Any) -> bool:
    """Whether it is a pretrained model with an added open input."""
    return model.config.model_type == "duplex_adapter"


def is_workspace(model: Any) -> bool:
    """Whether it keeps incoming messages in a workspace."""
    return model.config.model_type == "duplex_workspace" or getattr(model, "keeps_workspace", False)


def stream_length(model: Any, history: History, more: Sequence[QueuedUpdate] = ()) -> int:
    """Length in tokens of the stream that a model reads: emitted ones, and without a workspace also incoming ones."""
    said = 1 + len(history.said)
    if is_workspace(model):
        # The positions of a duplex adapter run on from its prompt.
        return said + (len(history.opened["prompt_ids"]) if is_adapter(model) else 0)
    heard = [history.sent[number] for number, _ in history.heard]
    return said + len(history.opened["prompt_ids"]) + sum(len(update.ids) for update in [*heard, *more])


def encode_told(words: TextCodec, text: str, longest: int) -> list[int]:
    """
    Token ids of an update.

    Raises:
        Refusal: The update is longer than the model accepts.
    """
    ids = words.update(text)
    if len(ids) > longest:
        raise Refusal(f"`update` has {len(ids)} tokens, more than max_message_length ({longest}): send it in parts.")
    return ids


def fingerprint(model: Any) -> str:
    """A hash that identifies a model: of its type, its parameter shapes, and a sample of its weights."""
    digest = hashlib.blake2b(str(model.config.model_type).encode(), digest_size=8)
    for name, parameter in model.named_parameters():
        digest.update(f"{name} {tuple(parameter.shape)}".encode())
        sample = parameter.detach().flatten()[:16].to("cpu", torch.float32)
        digest.update(sample.numpy().tobytes())
    return digest.hexdigest()
