"""hf_duplex: language models whose input stays open while they generate."""

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any


# `hf-duplex --help` is there at once: in the process of the command line alone, models are imported when a command
# needs them. Everywhere else `import hf_duplex` registers them with transformers.
if TYPE_CHECKING or Path(*sys.argv[:1]).stem != "hf-duplex":
    from .modeling import (
        CannotListen,
        DualStreamConfig,
        DualStreamForCausalLM,
        DualStreamModel,
        DuplexAdapterConfig,
        DuplexAdapterForCausalLM,
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
        listen,
    )


__version__ = "0.1.0.dev0"

__all__ = [
    "CannotListen",
    "DualStreamConfig",
    "DualStreamForCausalLM",
    "DualStreamModel",
    "DuplexAdapterConfig",
    "DuplexAdapterForCausalLM",
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
    "listen",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(".modeling", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
