"""
How good and how fast the generators are: `metrics` and statistics, `contestants`, `benchmarks`, `reporting`.

It imports nothing before it is needed: the demo uses some of it without the extra `train`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from .benchmarks.conversation import Transcript, converse
    from .benchmarks.revision import print_revision_table, run_revision_benchmark
    from .benchmarks.speed import print_speed_table, run_speed_benchmark
    from .contestants.models import MODES, Contestant, Scripted, load_contestant

_PLACES = {
    "MODES": "contestants.models",
    "Contestant": "contestants.models",
    "Scripted": "contestants.models",
    "Transcript": "benchmarks.conversation",
    "converse": "benchmarks.conversation",
    "load_contestant": "contestants.models",
    "print_revision_table": "benchmarks.revision",
    "print_speed_table": "benchmarks.speed",
    "run_revision_benchmark": "benchmarks.revision",
    "run_speed_benchmark": "benchmarks.speed",
}

__all__ = [
    "MODES",
    "Contestant",
    "Scripted",
    "Transcript",
    "converse",
    "load_contestant",
    "print_revision_table",
    "print_speed_table",
    "run_revision_benchmark",
    "run_speed_benchmark",
]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(f".{_PLACES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
