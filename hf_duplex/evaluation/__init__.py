"""How good and how fast the generators are: metrics, benchmarks, statistics."""

from .speed import print_speed_table, run_speed_benchmark


__all__ = ["print_speed_table", "run_speed_benchmark"]
