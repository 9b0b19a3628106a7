"""Messages: incoming text is split into pieces that a model reads one at a time."""

import re

import torch
from torch import nn


# A clause ends at punctuation followed by white space (so not within "3.5").
CLAUSE_END = re.compile(r"(?<=[.,;:?!])\s+")


def encode_clauses(tokenizer, texts: list[str]) -> list[list[int]]:
    """
    Token ids of messages, each ended by the separator. Every word is encoded with a space before it, even the first,
    and control tokens written in a text are encoded as plain text.
    """
    texts = [f" {text.strip()}" for text in texts]
    encoded = tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"] if texts else []
    return [[*ids, tokenizer.sep_token_id] for ids in encoded]


def encode_prompt(tokenizer, text: str) -> list[int]:
    """Token ids of a prompt, one message for each clause."""
    clauses = [clause for clause in CLAUSE_END.split(text.strip()) if clause]
    return [token for message in encode_clauses(tokenizer, clauses) for token in message]


def encode_updates(tokenizer, texts: list[str]) -> list[list[int]]:
    """Token ids of updates, each a single message that starts with `update_token`."""
    return [[tokenizer.update_token_id, *message] for message in encode_clauses(tokenizer, texts)]


def encode_update(tokenizer, text: str) -> list[int]:
    """Token ids of one update."""
    return encode_updates(tokenizer, [text])[0]


def message_starts(
    ids: torch.LongTensor, mask: torch.BoolTensor, separator_id: int | None, max_length: int
) -> tuple[torch.BoolTensor, torch.LongTensor]:
    """Where messages start in prompts `(batch, length)`, and the offset of each token in its message."""
    before = nn.functional.pad(mask[:, :-1], (1, 0))
    starts = mask & ~before
    if separator_id is not None:
        starts |= mask & nn.functional.pad(ids[:, :-1] == separator_id, (1, 0))
    column = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    offset = column - torch.where(starts, column, 0).cummax(dim=1).values
    starts |= mask & (offset % max_length == 0)
    return starts, offset % max_length


def split_messages(
    ids: torch.LongTensor, mask: torch.Tensor | None, separator_id: int | None, max_length: int
) -> tuple[torch.LongTensor, torch.BoolTensor]:
    """
    Splits prompts into messages: after every separator, and after `max_length` tokens without one.

    Args:
        ids (`torch.LongTensor` of shape `(batch, length)`): Prompts, padded on either side.
        mask (`torch.Tensor` of shape `(batch, length)`, *optional*): Non-zero where `ids` holds a token.
        separator_id (`int`, *optional*): The token that ends a message.
        max_length (`int`): Longest message.

    Returns:
        Messages and their mask, each `(batch, messages, message_length)`.
    """
    mask = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask.bool()
    starts, offset = message_starts(ids, mask, separator_id, max_length)
    message = (starts.cumsum(dim=1) - 1).clamp(min=0)

    # An empty prompt still yields one message, which is masked out.
    n_messages = int(message.max()) + 1 if mask.any() else 1
    length = int(offset[mask].max()) + 1 if mask.any() else 1
    messages = ids.new_zeros(ids.shape[0], n_messages, length)
    messages_mask = torch.zeros_like(messages, dtype=torch.bool)
    row = torch.arange(ids.shape[0], device=ids.device)[:, None].expand_as(ids)
    at = row[mask], message[mask], offset[mask]
    messages[at] = ids[mask]
    messages_mask[at] = True
    return messages, messages_mask


def count_messages(ids: torch.LongTensor, mask: torch.Tensor | None, separator_id: int | None, max_length: int):
    """Number of messages in each prompt, of shape `(batch,)`: the version that a model has after reading it."""
    return split_messages(ids, mask, separator_id, max_length)[1].any(-1).sum(-1)
