"""Parses claims from any text, as a reader would understand them, independently of the generator.

Each family has a `reader.py` with `read(text)`, which never raises. It is used to score models, so it tolerates
different wordings, and does not depend on the generator.
"""

from .threads import CUT, Claim, Thread, threads


__all__ = ["CUT", "Claim", "Thread", "threads"]
