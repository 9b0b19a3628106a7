"""How good and how fast the generators are: metrics, benchmarks, statistics."""

from .contestants import MODES, Contestant, Scripted, load_contestant
from .conversation import Transcript, converse
from .revision import print_revision_table, run_revision_benchmark
from .speed import print_speed_table, run_speed_benchmark


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
