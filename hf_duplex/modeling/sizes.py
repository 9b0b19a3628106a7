"""Configurations with equal parameter counts, so that comparisons depend only on the architecture."""

import torch
from transformers import AutoModelForCausalLM

from .configuration_duplex import DualStreamConfig, DuplexBaselineConfig, DuplexConfig, WorkspaceConfig


# Ratio of inner to outer width in Llama's feed-forward block; the fit stays closest to it.
USUAL_RATIO = 8 / 3


def count_parameters(config) -> int:
    """Number of parameters of the causal language model that a configuration describes; nothing is allocated."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in AutoModelForCausalLM.from_config(config).parameters())


def equal_size_configs(workspace: WorkspaceConfig | None = None, tolerance: float = 0.02) -> dict[str, DuplexConfig]:
    """
    The three generators at the parameter count of a workspace model. For the other two, this chooses the number of
    layers and the inner width that match it with an inner width closest to 8/3 of the outer one.

    Args:
        workspace (`WorkspaceConfig`, *optional*): The configuration to match.
        tolerance (`float`, *optional*, defaults to 0.02): Largest relative difference.

    Returns:
        `{"baseline": ..., "dual_stream": ..., "workspace": ...}`.

    Raises:
        ValueError: No configuration is within the tolerance.
    """
    workspace = workspace or WorkspaceConfig()
    target = count_parameters(workspace)
    shared = {
        name: getattr(workspace, name)
        for name in DuplexConfig.__annotations__
        if name not in ("intermediate_size", "num_hidden_layers")
    }
    configs: dict[str, DuplexConfig] = {"workspace": workspace}
    for name, config_class, extra in (
        ("baseline", DuplexBaselineConfig, {}),
        (
            "dual_stream",
            DualStreamConfig,
            {"encoder_layers": workspace.encoder_layers, "notice_updates": workspace.notice_updates},
        ),
    ):
        fits = []
        for layers in range(1, 3 * workspace.num_hidden_layers + 3):
            sizes = [
                count_parameters(config_class(**shared, **extra, num_hidden_layers=layers, intermediate_size=inner))
                for inner in (8, 16)
            ]
            inner = max(8, 8 + 8 * round((target - sizes[0]) / (sizes[1] - sizes[0])))
            config = config_class(**shared, **extra, num_hidden_layers=layers, intermediate_size=inner)
            if abs(count_parameters(config) / target - 1) <= tolerance:
                fits.append((abs(inner / workspace.hidden_size - USUAL_RATIO), layers, config))
        if not fits:
            raise ValueError(f"`workspace`: no {name} comes within {tolerance:.0%} of its {target:,} parameters.")
        configs[name] = min(fits, key=lambda fit: fit[:2])[-1]
    return configs
