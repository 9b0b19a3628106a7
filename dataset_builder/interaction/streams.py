"""The streams that an assistant lives among, what each may hold, and the actions that it can take.

A value is a kind, and for some kinds the thing that it is about: "speaking", "result:parcel". Every stream holds its
value until it changes. A transcript keeps nothing of this but the words.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple


NONE = "none"


class Stream(NamedTuple):
    """What a stream may hold: kinds that stand alone, and kinds that are about a thing."""

    plain: tuple[str, ...]
    about: tuple[str, ...] = ()


STREAMS = {
    "user_audio_state": Stream((NONE, "silent", "speaking", "pausing", "hesitating", "shouting", "murmuring")),
    "user_text": Stream((NONE, "remark"), ("request", "question", "told")),
    "visual": Stream((NONE, "looks_here", "looks_away", "raised_hand", "nods"), ("points_at", "shows")),
    "background": Stream((NONE,), ("pending", "result", "failed", "granted")),
    "timing": Stream((NONE, "short", "long"), ("early", "due")),
    "model_state": Stream((NONE, "listening", "speaking"), ("said", "calling", "waiting_for", "asked", "explaining")),
    "policy": Stream((NONE,), ("allows", "needs_approval", "forbids")),
}
"""By name; the order is that of the columns of an example."""

ACTIONS = (
    "continue",
    "yield",
    "backchannel",
    "stop",
    "resume",
    "request_approval",
    "wait",
    "answer",
    "repair",
    "notify",
    "refuse",
)

THINGS = (
    "weather calendar oven parcel alarm ticket invoice recipe printer garden heating playlist battery booking "
    "package lamp camera kettle taxi report door letter bicycle backup"
).split()


def kind_of(value: str) -> str:
    """The kind of a value: "result" of "result:parcel"."""
    return value.partition(":")[0]


def thing_of(value: str) -> str:
    """What a value is about: "parcel" of "result:parcel"; empty where it is about nothing."""
    return value.partition(":")[2]


@lru_cache(maxsize=4096)
def check_value(stream: str, value: str) -> None:
    """
    Raises:
        ValueError: There is no such stream, or it cannot hold such a value.
    """
    if stream not in STREAMS:
        raise ValueError(f"`stream` must be one of {', '.join(STREAMS)}, got {stream!r}.")
    plain, about = STREAMS[stream]
    kind, thing = kind_of(value), thing_of(value)
    if not (value in plain or (kind in about and thing in THINGS)):
        raise ValueError(
            f"`{stream}` cannot hold {value!r}; it holds {', '.join((*plain, *(f'{k}:THING' for k in about)))}."
        )


def check_action(action: str) -> None:
    """
    Raises:
        ValueError: There is no such action.
    """
    if action not in ACTIONS:
        raise ValueError(f"`action` must be one of {', '.join(ACTIONS)}, got {action!r}.")
