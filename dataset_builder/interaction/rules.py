"""The invariant rule harness: what is right to do, read off the last tick by rules that know nothing of families.

The rules are asked in the order of `PRINCIPLES`; the first that holds decides. Whether two streams are about the same
thing matters, which thing it is does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .streams import STREAMS, kind_of, thing_of


SPEAKS = ("speaking", "explaining", "said")
"""Kinds of `model_state` in which the assistant has the floor."""

_QUIET = ("silent", "none")


class State:
    """What the streams hold at one tick, each as kind and thing."""

    def __init__(self, values: Mapping[str, str]):
        self.audio, self.visual = values["user_audio_state"], values["visual"]
        self.model, self.thing = kind_of(values["model_state"]), thing_of(values["model_state"])
        self.sight, self.seen = kind_of(self.visual), thing_of(self.visual)
        self.task, self.done = kind_of(values["background"]), thing_of(values["background"])
        self.clock = kind_of(values["timing"])
        self.rule, self.ruled = kind_of(values["policy"]), thing_of(values["policy"])

    @property
    def speaks(self) -> bool:
        return self.model in SPEAKS

    @property
    def quiet(self) -> bool:
        return self.audio in _QUIET

    def policy_is(self, kind: str) -> bool:
        """Whether the policy is of that kind, and about what the assistant is at."""
        return self.rule == kind and self.ruled == self.thing

    def task_is(self, *kinds: str) -> bool:
        """Whether the background is of one of these kinds, and about what the assistant is at."""
        return self.task in kinds and self.done == self.thing

    @property
    def contradicted(self) -> bool:
        """Whether another thing is seen, pointed at or found than what was said."""
        seen = self.sight in ("shows", "points_at") and self.seen != self.thing
        return seen or (self.task == "result" and self.done != self.thing)

    @property
    def points_elsewhere(self) -> bool:
        return self.sight == "points_at" and self.seen != self.thing


PRINCIPLES: dict[str, tuple[str, Callable[[State], bool]]] = {
    "halt": ("stop", lambda s: s.speaks and (s.audio == "shouting" or s.visual == "raised_hand")),
    "halt_forbidden": ("stop", lambda s: s.model == "explaining" and s.policy_is("forbids")),
    "barge_in": ("yield", lambda s: s.speaks and s.audio == "speaking"),
    "forbidden": ("refuse", lambda s: s.model in ("asked", "calling") and s.policy_is("forbids")),
    "approval": (
        "request_approval",
        lambda s: s.model == "calling" and s.policy_is("needs_approval") and not s.task_is("granted"),
    ),
    "contradiction": ("repair", lambda s: s.model == "said" and s.contradicted),
    "arrived": ("resume", lambda s: s.model == "waiting_for" and s.task_is("result", "granted")),
    "failed": ("notify", lambda s: s.model == "waiting_for" and s.task_is("failed")),
    "due": ("notify", lambda s: s.clock == "due" and s.model in ("listening", "waiting_for") and s.quiet),
    "hesitation": ("wait", lambda s: s.audio == "hesitating"),
    "listening_in": (
        "backchannel",
        lambda s: s.audio == "pausing" and s.model == "listening" and s.visual in ("looks_here", "nods"),
    ),
    "asked": ("answer", lambda s: s.model == "asked" and s.quiet and not s.points_elsewhere),
    "asked_other": ("wait", lambda s: s.model == "asked" and s.points_elsewhere),
    "speaking_on": ("continue", lambda s: s.speaks),
    "allowed": ("continue", lambda s: s.model == "calling"),
    "otherwise": ("wait", lambda s: True),
}
"""By name, in the order in which they are asked: the action, and when it is right."""


def decide(streams: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """
    What is right to do at the last tick.

    Args:
        streams (`Mapping[str, Sequence[str]]`): For each stream of `STREAMS`, its value at every tick.

    Returns:
        `tuple[str, str]`: The action, and the principle that decides.

    Raises:
        ValueError: A stream is missing or has no tick.
    """
    missing = [name for name in STREAMS if not streams.get(name)]
    if missing:
        raise ValueError(f"`streams` must hold every stream, with at least one tick; {', '.join(missing)} is missing.")
    return decide_state({name: streams[name][-1] for name in STREAMS})


def decide_state(values: Mapping[str, str]) -> tuple[str, str]:
    """As `decide`, for what each stream holds at one tick."""
    state = State(values)
    return next((action, name) for name, (action, holds) in PRINCIPLES.items() if holds(state))
