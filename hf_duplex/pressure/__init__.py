"""
Decides when generation should pause. Signals are read from the forward pass, pressures are computed from the signals,
and a controller ends a chunk by the balance of the pressures.

- signals: `signals`, `clocks`, `chronovisor`, `probes`
- pressures computed from them: `pressure`, `balance`, `telemetry`
- users: `controller`, `multistep`, and `measuring` for live sessions
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from .controller import SessionController

__all__ = ["SessionController"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(".controller", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
