"""hf_duplex: language models whose input stays open while they generate."""

from .modeling import (
    DualStreamConfig,
    DualStreamForCausalLM,
    DualStreamModel,
    DuplexBaselineConfig,
    DuplexBaselineForCausalLM,
    DuplexBaselineModel,
    DuplexCache,
    DuplexGenerationPipeline,
    Interrupt,
    InterruptError,
    Workspace,
    WorkspaceConfig,
    WorkspaceForCausalLM,
    WorkspaceModel,
    equal_size_configs,
)


__version__ = "0.1.0.dev0"

__all__ = [
    "DualStreamConfig",
    "DualStreamForCausalLM",
    "DualStreamModel",
    "DuplexBaselineConfig",
    "DuplexBaselineForCausalLM",
    "DuplexBaselineModel",
    "DuplexCache",
    "DuplexGenerationPipeline",
    "Interrupt",
    "InterruptError",
    "Workspace",
    "WorkspaceConfig",
    "WorkspaceForCausalLM",
    "WorkspaceModel",
    "equal_size_configs",
]
