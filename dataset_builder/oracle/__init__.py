"""An independent listener, which checks gold texts against what was heard.

It reads a sample as one would who was in the room: the prompt, the emitted text, and the text of each update with its
position. It knows nothing of how samples are made, and never looks at a sample's facts, changes, kinds or answers.

To add a family, write `families/<task_type>/oracle.py` with a subclass of [`~listener.Listener`] (`understand` a
prompt, `apply` what an update states, give the `value` of any key) and an instance of it under the name `LISTENER`.
Who may be believed, what a retraction takes back, which word knows which update, repetitions and repairs are dealt
with here for all families; the attributes and further methods of `Listener` say where a family differs. Read claims
with `reader.py` beside it; import nothing else of this package but `world.facts.NONE`.
"""

from __future__ import annotations

from .checks import disagreements
from .listener import Listener, NotUnderstood, State, StatedValue, listener_for


__all__ = ["Listener", "NotUnderstood", "State", "StatedValue", "disagreements", "listener_for"]
