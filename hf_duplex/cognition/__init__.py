"""
Cognitive blocks: the context that a user gives, the insight that a model generates from it, and their dependencies.

- the graph of blocks: `blocks`; a conversation that updates one: `session`
- from raw input to context: `formalizer`; from context to insight: `advisor`
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from .session import CognitiveSession

__all__ = ["CognitiveSession"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(".session", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
