"""
Telemetry of the session controller: one JSON record a chunk, of numbers and categories.
"""

import json
import math
from collections.abc import Callable
from typing import Any, TextIO

from .signals import CLOCKS, Clock, Signals


PAUSE_REASONS = (
    "fast_instability",
    "negative_pressure",
    "multistep_chunk_complete",
    "continue",
    "end_of_text",
    "max_chunks",
)
"""The first three are pauses by pressure; the last three are a single turn that continues or has ended."""

CLOCK_SIGNALS = {
    "fast": ("router_entropy", "router_margin", "delta_R"),
    "mid": ("margin", "trans_prob", "prox_meso", "delta_R"),
    "slow": ("prox_macro", "constraint_penalty", "confidence"),
}

Record = dict[str, Any]
Listener = Callable[[Record], None]


def make_record(
    mode: str,
    chunk_id: int,
    pause_reason: str,
    residual_intent: float,
    signals: Signals,
    pressures: tuple[float, float, float],
    weights: tuple[float, float, float],
    net: float,
    clocks: dict[str, Clock],
) -> Record:
    """
    Builds one record.

    Args:
        mode, chunk_id, pause_reason, residual_intent: State of the controller, and why it paused.
        signals (`Signals`): What the pressures were computed from.
        pressures, weights (`tuple[float, float, float]`): Of the fast, the mid and the slow clock.
        net (`float`): The net pressure.
        clocks (`dict[str, Clock]`): State of each clock.

    Raises:
        ValueError: A number is not finite, or the reason is not one of `PAUSE_REASONS`.
    """
    if pause_reason not in PAUSE_REASONS:
        raise ValueError(f"`pause_reason` must be one of {', '.join(PAUSE_REASONS)}, got {pause_reason!r}.")
    values = signals.to_dict()
    record: Record = {
        "mode": mode,
        "chunk_id": chunk_id,
        "pause_reason": pause_reason,
        "residual_intent": residual_intent,
        "pressures": {
            name: {"value": value, "weight": weight, "signals": {key: values[key] for key in CLOCK_SIGNALS[name]}}
            for name, value, weight in zip(CLOCKS, pressures, weights, strict=True)
        },
        "clocks": {
            name: {"current_basin": clocks[name].current_basin, "confidence": clocks[name].confidence}
            for name in CLOCKS
        },
    }
    record["pressures"]["net"] = net
    check_finite(record)
    return record


def check_finite(record: Record, path: str = "") -> None:
    """Raises `ValueError`, naming the key, if a number is not finite."""
    for key, value in record.items():
        if isinstance(value, dict):
            check_finite(value, f"{path}{key}.")
        elif isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"`{path}{key}` is {value}: signals must be finite numbers.")


def to_json(record: Record) -> str:
    """Returns the record as one line of JSON."""
    return json.dumps(record, allow_nan=False)


def stream_to(file: TextIO) -> Listener:
    """A listener for [`~controller.SessionController`] that writes each record as a line and flushes."""

    def write(record: Record) -> None:
        file.write(to_json(record) + "\n")
        file.flush()

    return write
