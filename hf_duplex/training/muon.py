"""
Muon for the matrices of a model, AdamW for everything else.

Muon ("Muon: An optimizer for hidden layers in neural networks", K. Jordan, 2024) maps the momentum of a matrix to the
nearest matrix whose singular values are all about one, so that all directions are updated equally; its steps are
scaled to the size of AdamW's ("Muon is Scalable for LLM Training", arXiv 2502.16982), so that both use one learning
rate. It computes the same as `torch.optim.Muon`, but batches all matrices of one shape: a small model has many, and
kernel launches dominate its step time.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel


# A quintic with the steepest possible slope at zero; five iterations bring singular values to about one.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ROUNDS = 5


def orthogonalize(matrices: torch.Tensor) -> torch.Tensor:
    """Approximately the nearest semi-orthogonal matrices: `(batch, rows, columns)` to the same, in bfloat16."""
    a, b, c = COEFFICIENTS
    result = matrices.bfloat16()
    tall = result.shape[1] > result.shape[2]
    result = result.mT if tall else result
    result = result / result.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(ROUNDS):
        gram = result @ result.mT
        gram = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        result = torch.baddbmm(result, gram, result, beta=a)
    return result.mT if tall else result


class MuonAdamW(torch.optim.AdamW):
    """
    One optimizer for both kinds of parameters.

    Args:
        params (`Iterable[dict[str, Any]]`): Parameter groups; one with `"muon": True` holds matrices.
        momentum (`float`, *optional*, defaults to 0.95): Of Muon, after Nesterov.

    All other arguments are those of [`~torch.optim.AdamW`]; learning rate and weight decay apply to both.
    """

    def __init__(self, params: Iterable[dict[str, Any]], *, momentum: float = 0.95, **kwargs: Any):
        super().__init__(params, **kwargs)
        for group in self.param_groups:
            group.setdefault("muon", False)
            group["momentum"] = momentum

    @torch.no_grad()
    def step(self, closure=None):
        """One step. It clears the gradients of matrices, as `zero_grad` does."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group["muon"]:
                self._step_matrices(group)
        # AdamW skips parameters without a gradient.
        super().step()
        return loss

    def _step_matrices(self, group: dict[str, Any]) -> None:
        by_shape: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
        for parameter in group["params"]:
            if parameter.grad is not None:
                by_shape[parameter.shape].append(parameter)
        for shape, parameters in by_shape.items():
            gradients = [parameter.grad for parameter in parameters]
            for parameter in parameters:
                if not self.state[parameter]:
                    # On loading, AdamW reads the step count of every state.
                    self.state[parameter]["step"] = torch.zeros(())
                    self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
            momenta = [self.state[parameter]["momentum_buffer"] for parameter in parameters]
            torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
            ahead = torch._foreach_lerp(gradients, momenta, group["momentum"])
            directions = orthogonalize(torch.stack(ahead)).to(parameters[0].dtype)
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_add_(parameters, directions.unbind(), alpha=-group["lr"] * 0.2 * max(shape) ** 0.5)
            for parameter in parameters:
                parameter.grad = None


def matrices_of(model: PreTrainedModel) -> set[nn.Parameter]:
    """The parameters that Muon optimizes: weights of linear layers, except the output layer."""
    head = model.get_output_embeddings()
    return {module.weight for module in model.modules() if isinstance(module, nn.Linear) and module is not head}
