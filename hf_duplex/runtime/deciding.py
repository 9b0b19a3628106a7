"""Policies that decide whether to emit now, and the actions that they may return."""

from collections.abc import Callable


SPEAK = frozenset({"continue", "resume", "answer", "repair", "notify", "backchannel"})
HOLD = frozenset({"yield", "wait", "stop", "request_approval", "refuse"})
"""Actions of a policy: emit (`SPEAK`), or emit nothing until there is new input (`HOLD`)."""

Streams = dict[str, list[str]]
Policy = Callable[[Streams], str]


class Decider:
    """
    Calls a policy.

    Args:
        decide (`Callable[[dict[str, list[str]]], str]`, *optional*): The policy: returns an action, given streams.
            Without one, a session emits whenever it has something to emit.

    Attributes:
        held (`bool`): Whether the session emits nothing until there is new input.
        action (`str`, *optional*): The last action of the policy.
    """

    def __init__(self, decide: Policy | None):
        self.decide = decide
        self.held = False
        self.action: str | None = None

    def ask(self, streams: Streams) -> tuple[str | None, str | None]:
        """Returns the action of the policy and an error message; one of them is None."""
        if self.decide is None:
            return "continue", None
        try:
            action = self.decide(streams)
        except Exception as error:
            return None, f"`decide` failed: {error!r}. Mend it and call `resume()`."
        if action not in SPEAK | HOLD:
            return None, f"`decide` said {action!r}, which is no action: let it say one of {', '.join(SPEAK | HOLD)}."
        return action, None

    def follow(self, action: str) -> bool:
        """Follows an action. Returns whether it differs from the last one."""
        other, self.action = action != self.action, action
        self.held = action in HOLD
        return other
