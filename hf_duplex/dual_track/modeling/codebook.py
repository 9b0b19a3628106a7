"""Stage C: a thought as a composition of codes from a small vocabulary."""

import torch
from torch import nn
from torch.nn import functional


class ProductCodebook(nn.Module):
    """
    A vector as one code from each of several codebooks (product quantisation), trained with the straight-through
    gradient and the codebook and commitment losses of VQ-VAE (arXiv 1711.00937).

    Args:
        size (`int`): Width of a vector; it is cut into `parts` of equal width.
        parts (`int`): Codes by which a vector is composed.
        codes (`int`): Codes of each part.

    Raises:
        ValueError: `parts` does not divide `size`.
    """

    def __init__(self, size: int, parts: int, codes: int, commitment: float = 0.25):
        super().__init__()
        if size % parts:
            raise ValueError(f"`codebook_parts` ({parts}) must divide the width of a thought ({size}).")
        self.commitment = commitment
        self.codes = nn.Parameter(torch.randn(parts, codes, size // parts) * (parts / size) ** 0.5)

    def forward(self, vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """`[..., size]` to what its codes say of it, the codes `[..., parts]`, and the loss."""
        parts = vectors.unflatten(-1, (self.codes.shape[0], -1))
        distance = (parts.unsqueeze(-2) - self.codes).pow(2).sum(-1)
        indices = distance.argmin(-1)
        chosen = torch.stack([self.codes[part][indices[..., part]] for part in range(len(self.codes))], dim=-2)
        loss = functional.mse_loss(chosen, parts.detach()) + self.commitment * functional.mse_loss(
            parts, chosen.detach()
        )
        quantised = parts + (chosen - parts).detach()
        return quantised.flatten(-2), indices, loss
