"""The memory prediction network: which earlier thoughts a thought is about, and what it does to the buffer."""

import torch
from torch import nn
from torch.nn import functional

from .configuration_dual_track import MEMORY_OPERATIONS


class MemoryPredictionNetwork(nn.Module):
    """Compares the last hidden state of a thought with those of the thoughts before it."""

    def __init__(self, hidden_size: int, connection_size: int):
        super().__init__()
        self.query = nn.Linear(hidden_size, connection_size, bias=False)
        self.key = nn.Linear(hidden_size, connection_size, bias=False)
        self.operation = nn.Linear(hidden_size, len(MEMORY_OPERATIONS))
        self.scale = connection_size**-0.5

    def forward(self, thoughts: torch.Tensor, past: torch.Tensor) -> torch.Tensor:
        """`[batch, n, hidden]` against `[batch, m, hidden]` to scores `[batch, n, m]`."""
        return self.query(thoughts) @ self.key(past).transpose(-1, -2) * self.scale


def gumbel_top_k(scores: torch.Tensor, k: int, temperature: float = 1.0, sample: bool = False) -> torch.Tensor:
    """
    Indices of the `k` highest scores of the last axis, at most as many as are finite; the rest are -1.

    With `sample`, Gumbel noise makes it a draw without replacement from their softmax (arXiv 1903.06059).
    """
    if sample:
        noise = -torch.log(-torch.log(torch.rand_like(scores).clamp(1e-9, 1 - 1e-9)))
        scores = scores / temperature + noise
    values, indices = scores.topk(min(k, scores.shape[-1]), dim=-1)
    return indices.masked_fill(values == -torch.inf, -1)


def connection_loss(
    scores: torch.Tensor,
    earlier: torch.Tensor,
    teacher: torch.Tensor,
    links: torch.Tensor,
    sparsity: float,
    linked: float,
) -> torch.Tensor:
    """
    KL(A_full || A_pred) + L1 sparsity + cross-entropy of the links that an oracle stated.

    Args:
        scores, earlier, teacher: `[batch, n, n]`; who may be linked, and how much full attention gave to it.
        links: `[batch, n]`, the index of the thought that each is about, -1 without one.
    """
    log_predicted = scores.masked_fill(~earlier, -1e4).log_softmax(-1)
    teacher = teacher.masked_fill(~earlier, 0)
    mass = teacher.sum(-1, keepdim=True)
    teacher = teacher / mass.clamp_min(1e-9)
    divergence = (teacher * (teacher.clamp_min(1e-9).log() - log_predicted)).sum(-1)
    known = (mass.squeeze(-1) > 0) & earlier.any(-1)
    loss = divergence[known].mean() if known.any() else scores.sum() * 0
    if earlier.any():
        loss = loss + sparsity * scores[earlier].sigmoid().mean()
    stated = links >= 0
    if stated.any():
        loss = loss + linked * functional.nll_loss(log_predicted[stated], links[stated])
    return loss
