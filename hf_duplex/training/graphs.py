"""
Steps captured as CUDA graphs: a small model's step costs launches, not arithmetic, and a graph is launched at once.

Each shape of batch has a graph of its own. A shape that comes for the first time is computed as usual, so that
whatever has to be compiled or chosen for it is; the second time it is captured; from then on it is replayed. All
graphs share their memory, and leave loss and gradients in the same place: they are used up before the next one runs.

A step whose gradient is no number teaches nothing: its gradient becomes zero, without a read of the device.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from accelerate.utils import recursively_apply
from torch import nn


# Where less than this is free, graphs start anew: each shape of batch takes its share of memory for good.
LEAST_FREE = 12 << 30


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


class GraphedSteps:
    """
    Forward and backward of one batch at a time.

    Args:
        model (`nn.Module`): Its parameters get the gradients.
        loss_of (`Callable[[dict], torch.Tensor]`): The loss of a batch that lies on the device, without a read of
            the device on the way.

    Attributes:
        skipped (`torch.LongTensor` of shape `()`): How many steps had a loss or a gradient that was no number. Their
            gradients are zero, their loss is that of the step before.
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
        """The loss, detached; the gradients stand at the parameters, which must have had none."""
        tensors = _flat(batch)
        shape = tuple((name, *tensor.shape) for name, tensor in tensors.items())
        if shape not in self.captured:
            self.captured[shape] = None
            reached = self._compute(batch)
            if self.loss.is_cuda:
                # A graph cannot use what is kept for steps without one.
                torch.cuda.empty_cache()
        else:
            step = self.captured[shape]
            if step is None:
                if torch.cuda.mem_get_info()[0] < LEAST_FREE:
                    self.captured = dict.fromkeys(self.captured)
                    self.pool = None
                    torch.cuda.empty_cache()
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
        """Leaves loss and gradients where all steps do, and tells which parameters got one."""
        loss = self.loss_of(batch)
        loss.backward()
        got = [parameter.grad for parameter in self.parameters]
        new = [gradient for gradient in got if gradient is not None]
        kept = [own for own, gradient in zip(self.gradients, got, strict=True) if gradient is not None]
        failed = ~torch.stack([loss.detach(), *torch._foreach_norm(new)]).isfinite().all()
        torch._foreach_copy_(kept, new)
        for gradient in kept:
            gradient.masked_fill_(failed, 0)
        self.loss.copy_(torch.where(failed, self.loss, loss.detach()))
        self.skipped += failed
        for parameter in self.parameters:
            parameter.grad = None
        return [gradient is not None for gradient in got]

    def _capture(self, batch: dict) -> _Captured:
        batch, graph = recursively_apply(torch.clone, batch), torch.cuda.CUDAGraph()
        # Threads that load data go on using the device meanwhile.
        with torch.cuda.graph(graph, pool=self.pool, capture_error_mode="thread_local"):
            reached = self._compute(batch)
        self.pool = graph.pool()
        return _Captured(graph, list(_flat(batch).values()), reached)
