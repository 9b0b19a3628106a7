"""Writing a plan as a JSON object while the world changes: the rule of speech where every prefix must stay JSON.

The sentences of the plan are members (`"age": 25`). A member that has begun is finished, with the value that holds
then, so an object is never cut. What went stale is written again behind a member that says so: `"//": "wait"` (the
name that npm's package.json sets aside for comments); of two members of one name the last holds, as JSON readers do
it. Once the object is closed, a repair is a second object that amends the first, as a JSON merge patch does
(RFC 7396); null takes a member away.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..world.scene import Part, Phrase, one_word, phrase
from .discourse import Repair, Speech, Utterance


class Writing(Speech):
    """Writes a scene whose phrases are members, values JSON literals."""

    nothing = "null"
    _open = False

    def _current(self) -> Utterance | None:
        return self._sentence if self._in_progress() else self._repair or self._sentence

    def _must_drop(self, fresh: Sequence[str]) -> bool:
        return False

    def _take_back(
        self, stale: list[str], fresh: list[str], pending: list[str], dropped: Utterance | None, broken: bool
    ) -> None:
        """Writes what is stale again: in a repair of its own, or behind the member that a running one has begun."""
        running, values = self._repair, self.world.values
        keys = dict.fromkeys(pending + stale)
        if running and running.at:
            owners, start = running.phrase.owners, running.at
            while 0 < start < len(owners) and owners[start] == owners[start - 1]:
                start -= 1
            head: list[Part] = [running.phrase.head(start)]
            if start < running.at:  # a member has begun; `null` is no longer what ends it, or has just become so
                begun = owners[start]
                keys.pop(begun, None)
                head += [",", (begun, self.scene.body(begun, values))]
        else:
            if running is None:
                self.repairs.append(Repair(-1, -1, self.version))
            lead = self.scene.repairs[(len(self.repairs) - 1) % len(self.scene.repairs)][0]
            head = [one_word(f'"//": {json.dumps(lead.rstrip(",:"))}')]
            running = self._repair = Utterance(Phrase())
        bodies = [part for key in keys for part in (",", (key, self.scene.body(key, values)))]
        running.phrase = phrase(*head, *bodies)

    def _opens(self) -> str:
        if self._open:
            return ", "
        self._open = True
        assert self.scene.frame is not None
        return (" " if self.length else "") + self.scene.frame[0]

    def _stop(self) -> str:
        return ""

    def _finish(self) -> None:
        if self._open:
            self._close()
        else:
            super()._finish()

    def _next(self) -> Utterance | None:
        # Each round writes an object of its own.
        if self._open and self._said and next(self._due(), None) is None:
            return None
        return super()._next()

    def _close(self) -> None:
        assert self.scene.frame is not None
        self._emit(self.scene.frame[1])
        self._open = False
