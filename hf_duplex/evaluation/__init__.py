"""How good and how fast the generators are: metrics, benchmarks, statistics."""

from .benchmarks.conversation import Transcript, converse
from .benchmarks.revision import print_revision_table, run_revision_benchmark
from .benchmarks.speed import print_speed_table, run_speed_benchmark
from .contestants.models import MODES, Contestant, Scripted, load_contestant


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
