"""
Cognitive blocks: what a user meant, what is advised on it, and what depends on what.

- the graph of blocks: `blocks`; a conversation that keeps one: `session`
- what a user meant: `formalizer`; what follows: `advisor`
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
