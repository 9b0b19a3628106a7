"""
The incoming stream of a conversation for a duplex adapter: the prompt and all updates of a row, concatenated, with the
position and the message of each token.
"""

from dataclasses import dataclass

import torch
from torch import nn

from .streams import Streams, visible_versions


@dataclass(frozen=True)
class IncomingLine:
    """
    Prompts and updates of a batch, padded on the right.

    Attributes:
        ids (`torch.LongTensor` of shape `(batch, tokens)`): The tokens.
        message (`torch.LongTensor` of the same shape): 0 for the prompt, k for the k-th update, -1 for padding.
        positions (`torch.LongTensor` of the same shape): Positions. The prompt starts at 0; an update ends just
            before the first emitted token that can see it. Updates that arrive together follow each other.
        prompt_length (`torch.LongTensor` of shape `(batch,)`): Tokens of the prompt.
        known (`torch.LongTensor` of shape `(batch, emitted)`): Number of updates visible to each emitted token
            when it predicts the next.
        versions (`int`): Maximum number of updates of any row, plus one.
    """

    ids: torch.LongTensor
    message: torch.LongTensor
    positions: torch.LongTensor
    prompt_length: torch.LongTensor
    known: torch.LongTensor
    versions: int


def update_places(
    mask: torch.BoolTensor, first_known: torch.LongTensor, prompt_length: torch.LongTensor
) -> torch.LongTensor:
    """
    Positions of the tokens of updates.

    Args:
        mask (`torch.BoolTensor` of shape `(batch, updates, length)`): Where updates hold tokens; padded on the right.
        first_known (`torch.LongTensor` of shape `(batch, updates)`): Index of the first emitted token that sees each.
        prompt_length (`torch.LongTensor` of shape `(batch,)`): Position of emitted token 0.

    Returns:
        Positions `(batch, updates, length)`, at least 0.
    """
    lengths = mask.sum(-1)
    together = first_known[:, :, None] == first_known[:, None]
    earlier = torch.ones(mask.shape[1], mask.shape[1], dtype=torch.bool, device=mask.device).tril(-1)
    total = (together * lengths[:, None]).sum(-1)
    before = ((together & earlier) * lengths[:, None]).sum(-1)
    start = prompt_length[:, None] + first_known - total + before
    offset = torch.arange(mask.shape[2], device=mask.device)
    return (start[..., None] + offset).clamp(min=0)


def compact(mask: torch.BoolTensor, *tensors: torch.Tensor) -> list[torch.Tensor]:
    """Moves the columns of `(batch, columns)` where `mask` is set to the front, and drops the others."""
    order = (~mask).int().argsort(dim=1, stable=True)[:, : max(1, int(mask.sum(1).max()))]
    return [tensor.gather(1, order) for tensor in tensors]


def incoming_line(streams: Streams) -> IncomingLine:
    """The layout of the incoming stream of `streams`."""
    emitted = streams.input_ids
    batch, length = emitted.shape
    device = emitted.device
    prompt_ids = emitted.new_zeros(batch, 0) if streams.prompt_ids is None else streams.prompt_ids
    prompt_mask = torch.ones_like(prompt_ids) if streams.prompt_mask is None else streams.prompt_mask
    prompt_mask = prompt_mask.bool()
    prompt_length = prompt_mask.sum(1)
    parts = [(prompt_ids, prompt_mask, torch.zeros_like(prompt_ids), prompt_mask.cumsum(1) - 1)]
    known, versions = torch.zeros_like(emitted), 1
    updates = streams.updates()
    if updates is not None:
        ids, mask, positions = updates
        known = visible_versions(length, positions)
        # Sorting puts missing updates last.
        number = 1 + torch.arange(ids.shape[1], device=device)
        never = positions == torch.iinfo(positions.dtype).max
        places = update_places(mask, positions.masked_fill(never, 0).clamp(min=1), prompt_length)
        message = number[None, :, None].expand_as(ids)
        parts.append((ids.flatten(1), mask.flatten(1), message.flatten(1), places.flatten(1)))
        versions = 1 + ids.shape[1]
    ids, mask, message, positions = (torch.cat(tensors, dim=1) for tensors in zip(*parts, strict=True))
    message = message.masked_fill(~mask, -1)
    if not ids.shape[1]:
        ids, mask, message, positions = (
            nn.functional.pad(tensor, (0, 1), value=value)
            for tensor, value in ((ids, 0), (mask, False), (message, -1), (positions, 0))
        )
    ids, message, positions = compact(mask, ids, message, positions)
    return IncomingLine(ids, message, positions.clamp(min=0), prompt_length, known, versions)


def protected_columns(
    ids: torch.LongTensor, mask: torch.BoolTensor, system_prefix: list[int] | None, turn_end: int | None
) -> torch.BoolTensor:
    """
    Which tokens of prompts `(batch, tokens)`, padded on the right, are never doubted nor evicted: the first one, which
    serves as an attention sink, and a system prompt, recognized by its first tokens, up to the end of its turn.
    """
    protected = torch.zeros_like(mask)
    protected[:, :1] = mask[:, :1]
    size = len(system_prefix or ())
    if size and turn_end is not None and ids.shape[1] > size:
        opens = (ids[:, :size] == torch.tensor(system_prefix, device=ids.device)).all(1)
        ended = (ids == turn_end).int().cumsum(1)
        # The token that ends the turn belongs to it.
        inside = (ended - (ids == turn_end).int()) == 0
        protected |= inside & (ended[:, -1:] > 0) & opens[:, None] & mask
    return protected
