"""An independent check of gold texts against the received messages.

The oracle reads what a user sees of a sample: the prompt, the emitted text, and the text of each update with its
position. It does not depend on the generator, and never reads a sample's facts, changes, kinds or answers.

To add a family, write `families/<task_type>/oracle.py` with a subclass of [`~listener.Listener`] (`understand` a
prompt, `apply` what an update states, give the `value` of any key) and an instance of it under the name `LISTENER`.
Trust, retractions, the updates visible to each word, repetitions and repairs are handled here for all families; the
attributes and further methods of `Listener` describe where a family differs. Read claims with the `reader.py` of the
same folder; import nothing else of this package but `world.facts.NONE`.
"""

from __future__ import annotations

from .checks import disagreements
from .listener import Listener, NotUnderstood, State, StatedValue, listener_for


__all__ = ["Listener", "NotUnderstood", "State", "StatedValue", "disagreements", "listener_for"]
