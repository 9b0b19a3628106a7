"""The activation head: whether to pause and reflect, asked at natural boundaries of the content.

Two tiers (dual_track_reflection.md, 5.6): an MLP on one hidden state, and attention over the last of them.
"""

import torch
from torch import nn
from torch.nn import functional


class ActivationHeadMLP(nn.Module):
    """d -> d/4 -> d/16 -> 1, on the content's hidden state where it is asked."""

    def __init__(self, hidden_size: int, dropout: float = 0.1):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(hidden_size, hidden_size // 4),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_size // 4, hidden_size // 16),
            nn.GELU(),
            nn.Linear(hidden_size // 16, 1),
        )

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """`[batch, tokens, hidden]` to logits `[batch, tokens]`."""
        return self.net(hidden).squeeze(-1)


class ActivationHeadAttention(nn.Module):
    """Attention of each token over the last `window` hidden states, for what one of them alone does not show."""

    def __init__(self, hidden_size: int, window: int, inner: int = 256, heads: int = 4, dropout: float = 0.1):
        super().__init__()
        self.window = window
        self.proj_in = nn.Linear(hidden_size, inner)
        self.attention = nn.MultiheadAttention(inner, heads, dropout=dropout, batch_first=True)
        self.ffn = nn.Sequential(nn.Linear(inner, inner * 4), nn.GELU(), nn.Dropout(dropout), nn.Linear(inner * 4, 1))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """`[batch, tokens, hidden]` to logits `[batch, tokens]`."""
        steps = torch.arange(hidden.shape[1], device=hidden.device)
        distance = steps[:, None] - steps[None, :]
        inner = self.proj_in(hidden)
        attended, _ = self.attention(
            inner, inner, inner, attn_mask=(distance < 0) | (distance >= self.window), need_weights=False
        )
        return self.ffn(attended).squeeze(-1)


class LayerMix(nn.Module):
    """A learned mix of the last layers, one scalar each (ELMo, arXiv 1802.05365)."""

    def __init__(self, layers: int):
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(layers))

    def forward(self, hidden_states: list[torch.Tensor]) -> torch.Tensor:
        """A list of `[batch, tokens, hidden]` to one of them."""
        shares = self.weights.softmax(0)
        return sum(share * hidden for share, hidden in zip(shares, hidden_states, strict=True))


def focal_loss(logits: torch.Tensor, labels: torch.Tensor, alpha: float = 0.25, gamma: float = 2.0) -> torch.Tensor:
    """Focal loss (arXiv 1708.02002), mean over `[n]` logits and labels of 0 and 1."""
    labels = labels.to(logits.dtype)
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    right = torch.exp(-cross_entropy)
    share = alpha * labels + (1 - alpha) * (1 - labels)
    return (share * (1 - right) ** gamma * cross_entropy).mean() if logits.numel() else logits.sum()
