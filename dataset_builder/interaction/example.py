"""An example: what every stream held at every tick, the transcript that is left of it, and the right action."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .streams import STREAMS, check_action, check_value


@dataclass(frozen=True)
class Example:
    """
    One member of an alias pair.

    Args:
        suite (`str`), split (`str`), family (`str`): Where it belongs.
        pair (`int`), member (`int`): Its pair, and which of the two it is: 0 or 1.
        principle (`str`): The rule that decides, as the rule harness calls it.
        decisive (`str`): The only stream in which the two members differ.
        transcript (`str`): The flattened transcript, byte-identical for both.
        streams (`Mapping[str, tuple[str, ...]]`): For each stream of `STREAMS`, its value at every tick.
        action (`str`): What is right to do at the end, one of `ACTIONS`.

    Raises:
        ValueError: A stream, a value or the action is unknown, or streams are not equally long.
    """

    suite: str
    split: str
    family: str
    pair: int
    member: int
    principle: str
    decisive: str
    transcript: str
    streams: Mapping[str, tuple[str, ...]]
    action: str

    def __post_init__(self) -> None:
        if set(self.streams) != set(STREAMS):
            raise ValueError(f"`streams` must hold {', '.join(STREAMS)}, got {', '.join(self.streams)}.")
        if len({len(values) for values in self.streams.values()}) != 1 or not self.ticks:
            raise ValueError("`streams` must all have as many ticks, at least one.")
        for name, values in self.streams.items():
            for value in set(values):
                check_value(name, value)
        check_action(self.action)
        check_value(self.decisive, "none")

    @property
    def ticks(self) -> int:
        return len(self.streams["model_state"])

    def to_row(self) -> dict[str, Any]:
        """A row of a data set: one column for each field, `streams` as one list of strings a stream."""
        row = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "streams"}
        return row | {name: list(self.streams[name]) for name in STREAMS}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Example:
        """The example of a row."""
        plain = {name: row[name] for name in cls.__dataclass_fields__ if name != "streams"}
        return cls(**plain, streams={name: tuple(row[name]) for name in STREAMS})
