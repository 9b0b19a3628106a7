"""
The live runtime: what happens while a model speaks and is spoken to. It imports nothing before it is needed.

- to talk to a model: `duplex_session`, `aio`; to many: `server`, below it `batching`, `rows`, `voice`, `listeners`
- to know what became of an update: `receipts`, `history`, `versions`
- to outlive the process: `event_log`, `replay`; `kill_test`, `load_test`
- to bound what it takes: `limits`, `sampling`
- to decide when it speaks: `deciding`, `turn_policy`
- to weigh whether to go on: `pressure`, `balance`, `controller`, `multistep`, `telemetry`, `measuring`
- to read the signals for that: `signals`, `clocks`, `chronovisor`, `probes`
- to keep what was understood: `blocks`, `cognition`; who says what follows: `formalizer`, `advisor`, `chat_voice`
- to watch one text in a terminal: `live`, `slots`, `checkpoints`, `chat`
- to play the demo: `demo`, `scenes`, `screen`, `show`, `verdict`
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from .aio import AsyncDuplexSession
    from .cognition import CognitiveSession
    from .controller import SessionController
    from .duplex_session import DuplexSession
    from .event_log import EventLog
    from .limits import Limits
    from .sampling import Sampling
    from .server import Server
    from .turn_policy import TurnPolicy

_PLACES = {
    "AsyncDuplexSession": "aio",
    "CognitiveSession": "cognition",
    "DuplexSession": "duplex_session",
    "EventLog": "event_log",
    "Limits": "limits",
    "Sampling": "sampling",
    "Server": "server",
    "SessionController": "controller",
    "TurnPolicy": "turn_policy",
}

__all__ = [
    "AsyncDuplexSession",
    "CognitiveSession",
    "DuplexSession",
    "EventLog",
    "Limits",
    "Sampling",
    "Server",
    "SessionController",
    "TurnPolicy",
]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(f".{_PLACES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
