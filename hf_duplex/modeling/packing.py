"""
Packed messages of a conversation: all tokens of a row are concatenated, then padded, so the cost of a batch of short
messages depends on its tokens.
"""

from dataclasses import dataclass

import torch
from torch import nn

from .messages import message_starts


@dataclass(frozen=True)
class PackedMessages:
    """
    The prompt and the updates of each row, in the order of their arrival.

    Attributes:
        ids (`torch.LongTensor` of shape `(batch, tokens)`): The tokens.
        message (`torch.LongTensor` of the same shape): The message of each token, from 0; -1 for padding.
        offset (`torch.LongTensor` of the same shape): The offset of each token in its message.
        first (`torch.LongTensor` of shape `(batch,)`): Number of messages in the prompt.
        numbers (`torch.LongTensor` of shape `(messages,)`): The message numbers, up to the maximum of any row.
        versions (`torch.LongTensor` of shape `(versions,)`): Number of updates that each version has received,
            from 0 to the maximum of any row.
    """

    ids: torch.LongTensor
    message: torch.LongTensor
    offset: torch.LongTensor
    first: torch.LongTensor
    numbers: torch.LongTensor
    versions: torch.LongTensor

    @property
    def mask(self) -> torch.BoolTensor:
        """Which columns hold a token, `(batch, tokens)`."""
        return self.message >= 0

    def members(self, dtype: torch.dtype) -> torch.Tensor:
        """One where a token belongs to a message, `(batch, messages, tokens)`."""
        return (self.message[:, None] == self.numbers[:, None]).to(dtype)

    def heard(self) -> torch.BoolTensor:
        """Which messages each version has received, `(batch, versions, messages)`."""
        return self.numbers < self.messages_by_version()[..., None]

    def held(self) -> torch.BoolTensor:
        """Which tokens belong to a message that a version has received, `(batch, versions, tokens)`."""
        heard = self.message[:, None] < self.messages_by_version()[..., None]
        return heard & self.mask[:, None]

    def messages_by_version(self) -> torch.LongTensor:
        """Number of messages that each version has received, `(batch, versions)`."""
        return self.first[:, None] + self.versions


def pack_messages(
    prompt: tuple[torch.LongTensor, torch.Tensor | None] | None,
    updates: tuple[torch.LongTensor, torch.BoolTensor] | None,
    separator_id: int | None,
    max_length: int,
) -> PackedMessages:
    """
    Packs prompts and updates; one of them may be missing.

    Args:
        prompt (`tuple`, *optional*): Prompts `(batch, length)` and their mask, split into messages as by
            [`~messages.split_messages`].
        updates (`tuple`, *optional*): Updates `(batch, updates, length)` in the order of their arrival, and their
            mask, tokens at the front of each. An update whose mask is all zeros is ignored.
        separator_id (`int`, *optional*): The token that ends a message of a prompt.
        max_length (`int`): Longest message.

    Raises:
        ValueError: An update is longer than `max_length`.
    """
    parts, first = [], None
    if prompt is not None:
        ids, mask = prompt
        mask = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask.bool()
        starts, offset = message_starts(ids, mask, separator_id, max_length)
        first = starts.sum(1)
        parts.append((ids, mask, starts.cumsum(1) - 1, offset))
    n_updates = None
    if updates is not None:
        ids, mask = updates
        if ids.shape[-1] > max_length:
            raise ValueError(
                f"`update_ids` holds updates of {ids.shape[-1]} tokens, more than max_message_length ({max_length}): "
                "send them as several updates."
            )
        first = ids.new_zeros(len(ids)) if first is None else first
        heard = mask.any(-1)
        n_updates = heard.sum(1)
        message = (first[:, None] + heard.cumsum(1) - 1)[..., None].expand_as(ids)
        offset = torch.arange(ids.shape[-1], device=ids.device).expand_as(ids)
        parts.append(tuple(part.flatten(1) for part in (ids, mask, message, offset)))
    joined = [torch.cat(tensors, dim=1) for tensors in zip(*parts, strict=True)]
    if not joined[0].shape[1]:
        # Without any token, use one column of padding.
        joined = [nn.functional.pad(tensor, (0, 1)) for tensor in joined]
    ids, mask, message, offset = joined
    assert first is not None
    n_updates = torch.zeros_like(first) if n_updates is None else n_updates
    # Read all sizes at once, since each read waits for the device.
    most = torch.stack([mask.sum(1), first + n_updates, n_updates]).amax(1)
    tokens, n_messages, n_versions = most.tolist()
    place = mask.int().argsort(dim=1, descending=True, stable=True)[:, : max(1, tokens)]
    count = torch.arange(max(1, n_messages, n_versions + 1), device=ids.device)
    return PackedMessages(
        ids=ids.gather(1, place),
        message=message.masked_fill(~mask, -1).gather(1, place),
        offset=offset.masked_fill(~mask, 0).gather(1, place),
        first=first,
        numbers=count[: max(1, n_messages)],
        versions=count[: n_versions + 1],
    )


def pack_apart(mask: torch.BoolTensor) -> tuple[torch.LongTensor, torch.LongTensor]:
    """Message and offset, as in [`PackedMessages`], of rows `(batch, tokens)` that hold one message each."""
    offset = torch.arange(mask.shape[1], device=mask.device).expand(mask.shape)
    return mask.long() - 1, offset


def reach_mask(offset: torch.LongTensor, width: int) -> torch.BoolTensor:
    """Whether each of the last `width` tokens is in the same message, `(batch, tokens, width)`, farthest first."""
    return offset[..., None] >= torch.arange(width - 1, -1, -1, device=offset.device)


def gather_versions(values: torch.Tensor, messages: PackedMessages) -> torch.Tensor:
    """Selects the value of each version from values after each message, `(batch, 1 + messages, ...)`."""
    # A row with fewer versions than others repeats its last one; no token uses the copies.
    index = messages.messages_by_version().clamp(max=values.shape[1] - 1)
    index = index.reshape(*index.shape, *[1] * (values.dim() - 2)).expand(*index.shape, *values.shape[2:])
    return values.gather(1, index)
