"""
Live sessions: a model emits tokens while updates arrive. Imports are lazy.

- one session: `duplex_session`, `aio`; many sessions: `server`, on top of `batching`, `rows`, `session_row`;
  text codecs: `listeners`
- state and status of updates: `receipts`, `history`, `versions`
- persistence: `event_log`, `replay`
- limits and settings: `limits`, `sampling`
- policies that decide when to emit: `deciding`
- one text in a terminal: `live`, `slots`; finding and loading models: `checkpoints`, `chat_generator`
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from .aio import AsyncDuplexSession
    from .duplex_session import DuplexSession
    from .event_log import EventLog
    from .limits import Limits
    from .sampling import Sampling
    from .server import Server

_PLACES = {
    "AsyncDuplexSession": "aio",
    "DuplexSession": "duplex_session",
    "EventLog": "event_log",
    "Limits": "limits",
    "Sampling": "sampling",
    "Server": "server",
}

__all__ = [
    "AsyncDuplexSession",
    "DuplexSession",
    "EventLog",
    "Limits",
    "Sampling",
    "Server",
]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(f".{_PLACES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
