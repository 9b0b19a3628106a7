"""Whether to speak now: a policy that is asked, and what it may say."""

from collections.abc import Callable


SPEAK = frozenset({"continue", "resume", "answer", "repair", "notify", "backchannel"})
HOLD = frozenset({"yield", "wait", "stop", "request_approval", "refuse"})
"""What a policy may say: go on, or be silent until there is something new."""

Streams = dict[str, list[str]]
Policy = Callable[[Streams], str]


class Decider:
    """
    Asks a policy.

    Args:
        decide (`Callable[[dict[str, list[str]]], str]`, *optional*): The policy: an action, given streams; without one
            a session speaks whenever it has something to say.

    Attributes:
        held (`bool`): Whether the session is to be silent until there is something new.
        action (`str`, *optional*): What the policy said last.
    """

    def __init__(self, decide: Policy | None):
        self.decide = decide
        self.held = False
        self.action: str | None = None

    def ask(self, streams: Streams) -> tuple[str | None, str | None]:
        """What the policy says now, and what is wrong with it: one of them is None."""
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
        """Does what the policy said. Whether that is something else than before."""
        other, self.action = action != self.action, action
        self.held = action in HOLD
        return other
