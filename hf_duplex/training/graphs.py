"""
Steps captured as CUDA graphs: a small model's step costs launches, not arithmetic, and a graph is launched at once.

Each shape of batch has a graph of its own. A shape that comes for the first time is computed as usual, so that
whatever has to be compiled or chosen for it is; the second time it is captured; from then on it is replayed. All
graphs share their memory: what one leaves, its loss and gradients, is used up before the next one runs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from accelerate.utils import recursively_apply
from torch import nn


@dataclass
class _Captured:
    graph: torch.cuda.CUDAGraph
    inputs: list[torch.Tensor]
    loss: torch.Tensor
    gradients: list[torch.Tensor | None]


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
    """

    def __init__(self, model: nn.Module, loss_of: Callable[[dict], torch.Tensor]):
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.loss_of = loss_of
        self.captured: dict[tuple, _Captured | None] = {}
        self.pool = None

    def __call__(self, batch: dict) -> torch.Tensor:
        """The loss, detached; the gradients stand at the parameters, which must have had none."""
        tensors = _flat(batch)
        shape = tuple((name, *tensor.shape) for name, tensor in tensors.items())
        if shape not in self.captured:
            self.captured[shape] = None
            loss = self.loss_of(batch)
            loss.backward()
            return loss.detach()
        step = self.captured[shape]
        if step is None:
            step = self.captured[shape] = self._capture(batch)
        else:
            for static, tensor in zip(step.inputs, tensors.values(), strict=True):
                static.copy_(tensor, non_blocking=True)
        step.graph.replay()
        for parameter, gradient in zip(self.parameters, step.gradients, strict=True):
            parameter.grad = gradient
        return step.loss.clone()

    def _capture(self, batch: dict) -> _Captured:
        batch, graph = recursively_apply(torch.clone, batch), torch.cuda.CUDAGraph()
        for parameter in self.parameters:
            parameter.grad = None
        # Threads that load data go on using the device meanwhile.
        with torch.cuda.graph(graph, pool=self.pool, capture_error_mode="thread_local"):
            loss = self.loss_of(batch)
            loss.backward()
        self.pool = graph.pool()
        gradients = [parameter.grad for parameter in self.parameters]
        return _Captured(graph, list(_flat(batch).values()), loss.detach(), gradients)
