"""Noise on the weights of a base, of the size of the error that 4-bit quantization makes."""

from typing import Any

import torch
from torch import nn

from ...modeling.base_model import find_decoder


BLOCK, STEPS = 32, 15
"""Q4_1 rounds each block of 32 adjacent weights of a row to 16 equidistant values, from its minimum to its maximum."""


def quantization_steps(weight: torch.Tensor) -> torch.Tensor:
    """The quantization step at each weight of `(rows, columns)`, by its block; the last block may be shorter."""
    rows, columns = weight.shape
    padded = nn.functional.pad(weight[None], (0, -columns % BLOCK), mode="replicate")[0]
    blocks = padded.view(rows, -1, BLOCK)
    steps = (blocks.amax(-1) - blocks.amin(-1)) / STEPS
    return steps.repeat_interleave(BLOCK, dim=1)[:, :columns]


@torch.no_grad()
def add_noise(model: Any, seed: int) -> None:
    """
    Adds noise, uniform within half a step of Q4_1 to either side, to the linear layers of all blocks of a model, in
    place. The same seed gives the same noise on every device.

    Args:
        model (`PreTrainedModel`): The base.
        seed (`int`): Of the noise.

    Raises:
        ValueError: The model has no blocks.
    """
    decoder = find_decoder(model)
    if decoder is None:
        raise ValueError(f"`--noise`: {type(model).__name__} has no blocks of linear layers to add noise to.")
    generator = torch.Generator().manual_seed(seed)
    for module in decoder.layers.modules():
        if isinstance(module, nn.Linear):
            noise = torch.rand(module.weight.shape, generator=generator).sub_(0.5).to(module.weight.device)
            steps = quantization_steps(module.weight.float())
            module.weight.add_((noise * steps).to(module.weight.dtype))
