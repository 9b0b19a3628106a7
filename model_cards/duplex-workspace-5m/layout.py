"""
The layout of a whole conversation for a decoder, computed once from its streams.

Computing a layout needs data-dependent sizes; a forward over it does not. So the processes that load the data can
compute layouts and pad them to a few shapes, as captured CUDA graphs require.
"""

from dataclasses import dataclass

import torch
from torch import nn

from .packing import PackedMessages


@dataclass(frozen=True)
class Layout:
    """
    Attributes:
        line (`torch.LongTensor` of shape `(batch, columns)`): The tokens that the decoder reads, padded on the right.
        predictor (`torch.LongTensor` of shape `(batch, length)`, *optional*): For each index of the emitted stream,
            the column whose state predicts the next emitted token. None if the line is the emitted stream.
        messages ([`~packing.PackedMessages`], *optional*): Messages outside the line.
        known (`torch.LongTensor` of shape `(batch, columns)`, *optional*): Number of updates visible to each column.
    """

    line: torch.LongTensor
    predictor: torch.LongTensor | None = None
    messages: PackedMessages | None = None
    known: torch.LongTensor | None = None

    def tensors(self) -> dict[str, torch.Tensor]:
        """All tensors by name, as [`from_tensors`] takes them."""
        parts = {"line": self.line, "predictor": self.predictor, "known": self.known}
        named = {name: tensor for name, tensor in parts.items() if tensor is not None}
        if self.messages is not None:
            named.update({f"messages.{name}": tensor for name, tensor in vars(self.messages).items()})
        return named

    @classmethod
    def from_tensors(cls, tensors: dict[str, torch.Tensor]) -> "Layout":
        """The inverse of [`tensors`]."""
        packed = {name.removeprefix("messages."): tensor for name, tensor in tensors.items() if "." in name}
        parts = {name: tensor for name, tensor in tensors.items() if "." not in name}
        return cls(**parts, messages=PackedMessages(**packed) if packed else None)

    def padded(self, multiple: int) -> "Layout":
        """The same with all lengths rounded up: padding on the right, and unused messages and versions."""
        messages = self.messages
        if messages is not None:
            messages = PackedMessages(
                ids=_round_up(messages.ids, multiple),
                message=_round_up(messages.message, multiple, -1),
                offset=_round_up(messages.offset, multiple),
                first=messages.first,
                numbers=_count_up(messages.numbers),
                versions=_count_up(messages.versions),
            )
        line, predictor, known = (
            None if tensor is None else _round_up(tensor, multiple)
            for tensor in (self.line, self.predictor, self.known)
        )
        assert line is not None
        return Layout(line, predictor, messages, known)


def _round_up(tensor: torch.Tensor, multiple: int, value: int = 0) -> torch.Tensor:
    return nn.functional.pad(tensor, (0, -tensor.shape[1] % multiple), value=value)


def _count_up(numbers: torch.LongTensor, multiple: int = 8) -> torch.LongTensor:
    return torch.arange(len(numbers) + -len(numbers) % multiple, device=numbers.device)
