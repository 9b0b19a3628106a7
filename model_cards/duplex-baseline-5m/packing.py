"""
The messages of a conversation packed: all tokens of a row side by side, padding behind them, so that a batch of short
messages costs what its tokens cost.
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
        message (`torch.LongTensor` of the same shape): Which message each belongs to, from 0; -1 for padding.
        offset (`torch.LongTensor` of the same shape): Where in its message it stands.
        first (`torch.LongTensor` of shape `(batch,)`): How many messages the prompt has.
        numbers (`torch.LongTensor` of shape `(messages,)`): The numbers of the messages, as many as any row has.
        versions (`torch.LongTensor` of shape `(versions,)`): How many updates each version has heard, from 0 to as
            many as any row has.
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
        """Which messages each version has heard, `(batch, versions, messages)`."""
        return self.numbers < self.messages_by_version()[..., None]

    def held(self) -> torch.BoolTensor:
        """Which tokens are of a message that a version has heard, `(batch, versions, tokens)`."""
        heard = self.message[:, None] < self.messages_by_version()[..., None]
        return heard & self.mask[:, None]

    def messages_by_version(self) -> torch.LongTensor:
        """How many messages each version has heard, `(batch, versions)`."""
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
        prompt (`tuple`, *optional*): Prompts `(batch, length)` and their mask, cut into messages as by
            [`~messages.split_messages`].
        updates (`tuple`, *optional*): Updates `(batch, updates, length)` in the order of their arrival, and their
            mask, tokens at the front of each; an update of zeros only is none at all.
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
        # Nothing at all is one column of padding.
        joined = [nn.functional.pad(tensor, (0, 1)) for tensor in joined]
    ids, mask, message, offset = joined
    assert first is not None
    n_updates = torch.zeros_like(first) if n_updates is None else n_updates
    # One read for all sizes: each costs a wait for the device.
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
    """Whether the token so many places back is of the same message, `(batch, tokens, width)`, the farthest first."""
    return offset[..., None] >= torch.arange(width - 1, -1, -1, device=offset.device)


def gather_versions(values: torch.Tensor, messages: PackedMessages) -> torch.Tensor:
    """Of what is known after each message, `(batch, 1 + messages, ...)`, what each version knows."""
    # A row with fewer updates than others has fewer versions: it repeats its last one, which no token asks for.
    index = messages.messages_by_version().clamp(max=values.shape[1] - 1)
    index = index.reshape(*index.shape, *[1] * (values.dim() - 2)).expand(*index.shape, *values.shape[2:])
    return values.gather(1, index)
