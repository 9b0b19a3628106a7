"""
Limits on the input of a session: sizes, rates, queues, and valid text.

Input is checked before any state changes. A refusal has a reason that names the remedy.
"""

import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass


class Refusal(ValueError):
    """A session refuses an input; the message gives the reason and the remedy."""


@dataclass(frozen=True)
class Limits:
    """
    Limits of a session. Where None is allowed, it means no limit.

    Args:
        max_prompt_bytes (`int`, *optional*, defaults to 65,536): Longest prompt, in bytes of UTF-8.
        max_update_bytes (`int`, *optional*, defaults to 4,096): Longest update, in bytes of UTF-8.
        rate (`float`, *optional*, defaults to 20): Sustained rate of updates per second.
        burst (`int`, *optional*, defaults to 40): Updates that may be sent at once before `rate` applies.
        max_waiting (`int`, *optional*, defaults to 64): Most updates in the queue.
        max_unread (`int`, *optional*, defaults to 4,096): Most unread tokens; then the session waits for its reader.
        idle_seconds (`float`, *optional*, defaults to 3,600): After this time without activity its memory is freed;
            the log still holds it.
    """

    max_prompt_bytes: int = 65_536
    max_update_bytes: int = 4_096
    rate: float | None = 20.0
    burst: int = 40
    max_waiting: int = 64
    max_unread: int | None = 4_096
    idle_seconds: float | None = 3_600.0

    def __post_init__(self) -> None:
        for name in ("max_prompt_bytes", "max_update_bytes", "burst", "max_waiting"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, got {getattr(self, name)}.")
        for name in ("rate", "max_unread", "idle_seconds"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"`{name}` must be more than 0, or None for no limit, got {value}.")


WHITE_SPACE = "\t\n\r"
UNSEEN = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that change the direction of writing, so that a text differs from how it is displayed."""


def check_text(text: object, name: str, max_bytes: int) -> str:
    """
    Checks a text, and returns it without white space around it.

    Args:
        text (`str` or `bytes`): The input.
        name (`str`): Its name in errors: "prompt", "update".
        max_bytes (`int`): Longest text, in bytes of UTF-8.

    Raises:
        Refusal: It is not text, not valid UTF-8, too long, empty, or contains control characters.
    """
    if not isinstance(text, str | bytes):
        raise Refusal(f"`{name}` must be text, got {type(text).__name__}.")
    # Refuse very long inputs by length, before decoding.
    if len(text) > max_bytes:
        raise Refusal(f"`{name}` is longer than {max_bytes:,} bytes: shorten it, or send it in parts.")
    try:
        text, raw = (text.decode(), text) if isinstance(text, bytes) else (text, text.encode())
    except UnicodeError as error:
        place = getattr(error, "start", 0)
        raise Refusal(f"`{name}` is not valid UTF-8 (at position {place}): send text encoded as UTF-8.") from error
    if len(raw) > max_bytes:
        raise Refusal(f"`{name}` is longer than {max_bytes:,} bytes: shorten it, or send it in parts.")
    for place, character in enumerate(text):
        if character in UNSEEN or (unicodedata.category(character) == "Cc" and character not in WHITE_SPACE):
            raise Refusal(f"`{name}` holds the control character U+{ord(character):04X} at {place}: remove it.")
    if not text.strip():
        raise Refusal(f"`{name}` is empty: say something.")
    return text.strip()


class Rate:
    """
    A token-bucket rate limit: `burst` calls at once, then `rate` calls a second.

    Args:
        rate (`float`, *optional*): Calls a second; None is no limit.
        burst (`int`): Calls at once.
        clock (`Callable[[], float]`, *optional*): A monotonic clock, in seconds.
    """

    def __init__(self, rate: float | None, burst: int, clock: Callable[[], float] = time.monotonic):
        self.rate, self.burst, self.clock = rate, burst, clock
        self.left, self.since = float(burst), clock()

    def take(self) -> float:
        """Counts a call if it is allowed now. Returns 0 if so, otherwise the seconds to wait."""
        if self.rate is None:
            return 0.0
        now = self.clock()
        # A clock that was set back neither adds nor removes capacity.
        self.left = min(float(self.burst), self.left + max(0.0, now - self.since) * self.rate)
        self.since = now
        if self.left < 1.0:
            return (1.0 - self.left) / self.rate
        self.left -= 1.0
        return 0.0
