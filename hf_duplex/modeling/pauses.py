"""
Pauses: columns in which a decoder reads an update before it says the next token.

A decoder that hears through a workspace has a single column, that of its last token, in which to find out what an
update means for all that it has said; a decoder that hears in place has one for each of its tokens. So an update is
given `pause_tokens` columns (pause tokens of "Think before you speak", arXiv 2310.02226): they know the update, see
the emitted stream before it and one another, and the last of them predicts the next token. No later column sees them:
they are let go of, so that the state does not grow with what is told.

Beside the emitted stream, of which nothing changes, they stand at the end of a line, one group for each place at
which updates come in.
"""

from dataclasses import dataclass

import torch
from torch import nn

from .layers import additive_mask
from .packing import reach_mask


@dataclass(frozen=True)
class Pauses:
    """
    Where the columns of a line stand that has pauses behind its emitted stream.

    Attributes:
        place (`torch.LongTensor` of shape `(batch, columns)`): The position of each column in the stream.
        group (`torch.LongTensor` of the same shape): 0 for the emitted stream; for a pause, the position of the token
            before which it comes; -1 for padding.
    """

    place: torch.LongTensor
    group: torch.LongTensor

    @property
    def emitted(self) -> torch.BoolTensor:
        """Which columns are of the emitted stream."""
        return self.group == 0

    def attention_mask(self, window: int | None, dtype: torch.dtype) -> torch.Tensor:
        """Who sees whom, at most `window` places back: an additive mask `(batch, 1, columns, columns)`."""
        before = torch.where(self.emitted, self.place, self.group - 1)
        speech = self.emitted[:, None] & (self.place[:, None] <= before[..., None])
        own = (self.group[:, None] == self.group[..., None]) & (self.place[:, None] <= self.place[..., None])
        seen = speech | own
        if window is not None:
            seen &= self.place[..., None] - self.place[:, None] < window
        return additive_mask(seen[:, None], dtype)

    def reach(self, width: int) -> torch.BoolTensor:
        """How far the convolution of each column looks back, as [`~packing.reach_mask`]: a group is read by itself."""
        return reach_mask(self.place - self.group.clamp(min=0), width)


def lay_out_pauses(
    input_ids: torch.LongTensor,
    mask: torch.Tensor | None,
    known: torch.LongTensor,
    positions: torch.LongTensor,
    count: int,
    pause_id: int,
) -> tuple[torch.LongTensor, torch.LongTensor, torch.LongTensor, Pauses]:
    """
    An emitted stream with pauses behind it.

    Args:
        input_ids (`torch.LongTensor` of shape `(batch, length)`): The emitted stream.
        mask (`torch.Tensor` of the same shape, *optional*): Non-zero where it holds a token.
        known (`torch.LongTensor` of the same shape): How many updates each of its columns knows.
        positions (`torch.LongTensor` of shape `(batch, updates)`): The index of the first token that may know each
            update, growing.
        count (`int`): Pauses at each place at which updates come in.
        pause_id (`int`): The token that stands for a pause.

    Returns:
        Line, predictor and known of a [`~layout.Layout`], and where its columns stand.
    """
    length = input_ids.shape[1]
    index = torch.arange(length, device=input_ids.device).expand_as(input_ids)
    mask = torch.ones_like(input_ids) if mask is None else mask
    stands = (mask.cumsum(1) - 1).clamp(min=0)
    # Updates that come in together are read together.
    positions = positions.clamp(min=1)
    read = (positions <= length) & (positions != nn.functional.pad(positions[:, 1:], (0, 1), value=-1))
    last = (positions - 1).clamp(max=length - 1)
    group = (stands.gather(1, last) + 1).masked_fill(~read, -1)
    place = (group.clamp(min=0)[..., None] + torch.arange(count, device=index.device)).masked_fill(~read[..., None], 0)
    # The last pause of a group predicts the token before which it comes.
    columns = length + count * torch.arange(1, 1 + positions.shape[1], device=index.device) - 1
    beside = nn.functional.pad(index, (0, 1)).scatter(1, last.masked_fill(~read, length), columns.expand_as(last))

    def behind(values: torch.Tensor, added: torch.Tensor) -> torch.Tensor:
        return torch.cat([values, added.expand_as(place).flatten(1)], dim=1)

    pauses = Pauses(place=behind(stands, place), group=behind(mask.long() - 1, group[..., None]))
    line = behind(input_ids, torch.full_like(place, pause_id))
    return line, beside[:, :length], behind(known, (known.gather(1, last) * read)[..., None]), pauses
