"""
When a text should pause: signals of the forward pass, pressures that follow from them, and a controller that ends a
chunk where they are out of balance.

- what is read off a forward: `signals`, `clocks`, `chronovisor`, `probes`
- what follows from it: `pressure`, `balance`, `telemetry`
- who uses it: `controller`, `multistep`, and `measuring` for live sessions
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
