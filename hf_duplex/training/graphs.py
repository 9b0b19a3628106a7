"""
Steps captured as CUDA graphs: kernel launches dominate the step of a small model, and a graph needs a single launch.

Each batch shape has its own graph. The first batch of a shape is computed as usual, so that kernels are compiled and
selected; the second is captured; later ones are replayed. All graphs share their memory, and write loss and gradients
to the same place: these must be used before the next graph runs.

A step whose gradient is not finite is skipped: its gradient becomes zero, without a read of the device.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from accelerate.utils import recursively_apply
from torch import nn


# Tokens that are computed at once; they determine the memory of a step.
TOKENS_AT_ONCE = 1 << 16
SHARED_BY_ROWS = ("messages.numbers", "messages.versions")


@dataclass
class _Captured:
    graph: torch.cuda.CUDAGraph
    inputs: list[torch.Tensor]
    reached: list[bool]  # which parameters get a gradient


def _flat(batch: dict) -> dict[str, torch.Tensor]:
    """The tensors of a batch that holds tensors and dictionaries of them, by name."""
    flat = {}
    for name, value in batch.items():
        if isinstance(value, dict):
            flat.update({f"{name}/{inner}": tensor for inner, tensor in _flat(value).items()})
        else:
            flat[name] = value
    return flat


def _counted(batch: dict) -> torch.Tensor:
    """How many labels the loss is a mean of; the first one of a row is not predicted."""
    return (batch["labels"][:, 1:] != -100).sum().clamp(min=1)


def in_parts(batch: dict, most: int = TOKENS_AT_ONCE) -> list[dict]:
    """
    A batch of [`~data.LayoutCollator`] split between rows, so that a part with more than one row has at most `most`
    tokens. Entries that belong to no row (the numbers of messages and versions) are copied to every part.
    """
    rows = len(batch["labels"])
    longest = sum(tensor.shape[1] for name, tensor in _flat(batch).items() if name.endswith(("line", "messages.ids")))
    size = max(1, most // max(1, longest))
    if size >= rows:
        return [batch]
    parts = -(-rows // size)
    size = -(-rows // parts)

    def cut(values: dict, start: int) -> dict:
        return {
            name: cut(value, start)
            if isinstance(value, dict)
            else (value if name in SHARED_BY_ROWS else value[start : start + size])
            for name, value in values.items()
        }

    return [cut(batch, start) for start in range(0, rows, size)]


class GraphedSteps:
    """
    Forward and backward of one batch at a time; a large one in parts, one after the other.

    Args:
        model (`nn.Module`): Its parameters get the gradients.
        loss_of (`Callable[[dict], torch.Tensor]`): The loss of a batch that is on the device, a mean over its
            labels, computed without a read of the device.

    Attributes:
        skipped (`torch.LongTensor` of shape `()`): How many steps had a loss or a gradient that was not finite. Their
            gradients are zero, their loss is that of the previous step.
    """

    def __init__(self, model: nn.Module, loss_of: Callable[[dict], torch.Tensor]):
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.loss_of = loss_of
        self.captured: dict[tuple, _Captured | None] = {}
        self.pool = None
        self.gradients = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.loss = torch.zeros((), device=self.parameters[0].device)
        self.skipped = torch.zeros((), device=self.loss.device, dtype=torch.long)

    def __call__(self, batch: dict) -> torch.Tensor:
        """The loss, detached; the gradients are stored at the parameters, which must have none before."""
        tensors = _flat(batch)
        shape = tuple((name, *tensor.shape) for name, tensor in tensors.items())
        if shape not in self.captured:
            self.captured[shape] = None
            reached = self._compute(batch)
            if self.loss.is_cuda:
                # A graph cannot use memory that is cached for steps without one.
                torch.cuda.empty_cache()
        else:
            step = self.captured[shape]
            if step is None:
                step = self.captured[shape] = self._capture(batch)
            else:
                for static, tensor in zip(step.inputs, tensors.values(), strict=True):
                    static.copy_(tensor, non_blocking=True)
            step.graph.replay()
            reached = step.reached
        for parameter, gradient, has_one in zip(self.parameters, self.gradients, reached, strict=True):
            parameter.grad = gradient if has_one else None
        return self.loss.clone()

    def _compute(self, batch: dict) -> list[bool]:
        """Writes loss and gradients to their shared place, and returns which parameters got one."""
        loss = torch.zeros_like(self.loss)
        count = _counted(batch)
        for part in in_parts(batch):
            share = self.loss_of(part) * (_counted(part) / count)
            share.backward()
            loss += share.detach()
        got = [parameter.grad for parameter in self.parameters]
        new = [gradient for gradient in got if gradient is not None]
        kept = [own for own, gradient in zip(self.gradients, got, strict=True) if gradient is not None]
        failed = ~torch.stack([loss, *torch._foreach_norm(new)]).isfinite().all()
        torch._foreach_copy_(kept, new)
        for gradient in kept:
            gradient.masked_fill_(failed, 0)
        self.loss.copy_(torch.where(failed, self.loss, loss))
        self.skipped += failed
        for parameter in self.parameters:
            parameter.grad = None
        return [gradient is not None for gradient in got]

    def _capture(self, batch: dict) -> _Captured:
        batch, graph = recursively_apply(torch.clone, batch), torch.cuda.CUDAGraph()
        # Threads that load data use the device meanwhile.
        with torch.cuda.graph(graph, pool=self.pool, capture_error_mode="thread_local"):
            reached = self._compute(batch)
        self.pool = graph.pool()
        return _Captured(graph, list(_flat(batch).values()), reached)
