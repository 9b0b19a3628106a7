"""
Live sessions: tokens come out of a model while updates go in. It imports nothing before it is needed.

- to talk to a model: `duplex_session`, `aio`; to many: `server`, below it `batching`, `rows`, `session_row`;
  how texts become its tokens: `listeners`
- to know what became of an update: `receipts`, `history`, `versions`
- to outlive the process: `event_log`, `replay`
- to bound what it takes: `limits`, `sampling`
- to decide when it speaks: `deciding`
- to watch one text in a terminal: `live`, `slots`; to find and load a model: `checkpoints`, `chat_generator`
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
