"""
Models that listen, and how texts become their tokens.

Our own three generators listen as they are. Any other causal language model of transformers listens through the mixin
of the baseline: what comes in is spliced into its own stream, in the words of its chat template where it has one.
"""

import copy
import hashlib
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from ..modeling import DuplexGenerationMixin, encode_prompt, encode_update
from .history import History, Sent
from .limits import Refusal


LONGEST_SPLICE = 512
"""Tokens of an update, for a model whose configuration does not say."""
PLAIN_UPDATE = "\n[Update: ", "]\n"
SAID, TOLD = "\ue000said\ue000", "\ue000told\ue000"


class Words(Protocol):
    """How texts become tokens of a model, and back."""

    ends: list[int]
    pad: int

    def prompt(self, text: str) -> tuple[list[int], int]:
        """What is said to the model first, and the token that its own stream begins with."""

    def update(self, text: str) -> list[int]:
        """One update."""

    def decode(self, ids: list[int]) -> str:
        """Text of emitted tokens, without control tokens."""


class DuplexWords:
    """Texts as our own generators read them: clause by clause, an update opened by its own token."""

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


class SplicedWords:
    """
    Texts as a model of transformers reads them: the prompt is a message of the user, an update the user's next one.
    Without a chat template the prompt stands as it is, and an update between brackets. Control tokens that are spelt
    out in a text stay plain text.
    """

    def __init__(self, model: Any, tokenizer: Any):
        self.tokenizer = tokenizer
        self.ends = end_tokens(model, tokenizer)
        self.pad = padding(model, tokenizer, self.ends)
        if tokenizer.chat_template:
            first = self._template([("user", TOLD)])
            later = self._template([("user", "?"), ("assistant", SAID), ("user", TOLD)])
            self.around_prompt = tuple(first.split(TOLD))
            self.around_update = tuple(later.split(SAID)[-1].split(TOLD))
        else:
            self.around_prompt, self.around_update = ("", ""), PLAIN_UPDATE
        if len(self.around_prompt) != 2 or len(self.around_update) != 2:
            raise ValueError("`tokenizer` has a chat template that changes what is said: name another model.")

    def _template(self, turns: list[tuple[str, str]]) -> str:
        messages = [{"role": role, "content": content} for role, content in turns]
        return self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)

    def _encode(self, around: tuple[str, ...], text: str) -> list[int]:
        before, after = around
        parts = [(before, False), (text, True), (after, False)]
        encode = self.tokenizer.encode
        return [
            token
            for part, plain in parts
            if part
            for token in encode(part, add_special_tokens=False, split_special_tokens=plain)
        ]

    def prompt(self, text: str) -> tuple[list[int], int]:
        ids = self._encode(self.around_prompt, text)
        bos = self.tokenizer.bos_token_id
        if bos is not None and ids[0] != bos and not self.tokenizer.chat_template:
            ids = [bos, *ids]
        return ids[:-1], ids[-1]

    def update(self, text: str) -> list[int]:
        return self._encode(self.around_update, text)

    def decode(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True)


def end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """The tokens that end a text; none, if nothing does."""
    configured = model.generation_config.eos_token_id
    configured = configured if isinstance(configured, list) else [configured]
    return sorted({*configured, tokenizer.eos_token_id} - {None})


def padding(model: Any, tokenizer: Any, ends: list[int]) -> int:
    """What fills up rows that have ended."""
    found = (tokenizer.pad_token_id, model.generation_config.pad_token_id, *ends, 0)
    return next(token for token in found if token is not None)


def listening(model: Any, tokenizer: Any) -> tuple[Any, Words]:
    """
    A model that listens, and its words. The model that is handed over stays as it is, and shares its weights.

    Args:
        model (`PreTrainedModel`): One of our generators, or any causal language model of transformers.
        tokenizer (`PreTrainedTokenizerBase`): Its tokenizer.

    Raises:
        ValueError: It is neither; or its tokenizer cannot tell it an update.
    """
    if not isinstance(model, PreTrainedModel) or not model.can_generate():
        raise ValueError(f"`model` must be a causal language model of transformers, got {type(model).__name__}.")
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise ValueError(f"`tokenizer` must be a tokenizer of transformers, got {type(tokenizer).__name__}.")
    if model.training:
        raise ValueError("`model` is being trained: call its `eval()` first.")
    listener = copy.copy(model)
    words: Words
    # By its methods, not by its class: a checkpoint that brought its own code has classes of its own.
    if "read_updates" in dir(type(model)):
        words = DuplexWords(model, tokenizer) if is_duplex(model) else SplicedWords(model, tokenizer)
    else:
        name = f"Listening{type(model).__name__}"
        listener.__class__ = type(name, (DuplexGenerationMixin, type(model)), {})
        words = SplicedWords(model, tokenizer)
    if not is_duplex(model):
        listener.config = copy.copy(model.config)
        for field, value in (("max_message_length", LONGEST_SPLICE), ("message_separator_token_id", None)):
            if getattr(listener.config, field, None) is None:
                setattr(listener.config, field, value)
    # What a session wants is in its own settings: penalties and the like would see another's tokens.
    listener.generation_config = GenerationConfig(
        bos_token_id=model.config.get_text_config().bos_token_id,
        eos_token_id=words.ends or None,
        pad_token_id=words.pad,
    )
    return listener, words


def is_duplex(model: Any) -> bool:
    """Whether it is one of our three generators."""
    return str(model.config.model_type).startswith("duplex_")


def is_workspace(model: Any) -> bool:
    """Whether it keeps what it hears in a workspace."""
    return model.config.model_type == "duplex_workspace"


def stream_length(model: Any, history: History, more: Sequence[Sent] = ()) -> int:
    """Tokens that a model reads in one stream: what it said, and unless it has a workspace, what it heard too."""
    said = 1 + len(history.said)
    if is_workspace(model):
        return said
    heard = [history.sent[number] for number, _ in history.heard]
    return said + len(history.opened["prompt_ids"]) + sum(len(update.ids) for update in [*heard, *more])


def encode_told(words: Words, text: str, longest: int) -> list[int]:
    """
    Tokens of an update.

    Raises:
        Refusal: It is longer than the model takes.
    """
    ids = words.update(text)
    if len(ids) > longest:
        raise Refusal(f"`update` has {len(ids)} tokens, more than max_message_length ({longest}): send it in parts.")
    return ids


def fingerprint(model: Any) -> str:
    """What tells this model from another one: its kind, its sizes, and a sample of its weights."""
    digest = hashlib.blake2b(str(model.config.model_type).encode(), digest_size=8)
    for name, parameter in model.named_parameters():
        digest.update(f"{name} {tuple(parameter.shape)}".encode())
        sample = parameter.detach().flatten()[:16].to("cpu", torch.float32)
        digest.update(sample.numpy().tobytes())
    return digest.hexdigest()
