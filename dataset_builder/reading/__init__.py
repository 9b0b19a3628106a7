"""Reading claims back out of any text: what a listener would understand, with no knowledge of how it was made.

Each family has a `reader.py` with `read(text)`, which never raises. It is what models are scored with, so it is
tolerant of wording, and knows nothing of the generator.
"""

from .threads import CUT, Claim, Thread, threads


__all__ = ["CUT", "Claim", "Thread", "threads"]
