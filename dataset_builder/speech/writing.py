"""Emits a plan as a JSON object while the facts change: the emission rule where every prefix must remain JSON.

The sentences of the plan are members (`"age": 25`). A member that has begun is finished with its current value, so an
object is never cut. Stale members are written again after a member that marks the repair: `"//": "wait"` (the name
that npm's package.json reserves for comments); of two members with one name the last counts, as in JSON readers. Once
the object is closed, a repair is a second object that amends the first, as a JSON merge patch does (RFC 7396); null
removes a member.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..world.scene import Part, Phrase, one_word, phrase
from .discourse import Repair, Speech, Utterance


class Writing(Speech):
    """Emits a scene whose phrases are members and whose values are JSON literals."""

    nothing = "null"
    _open = False

    def _current(self) -> Utterance | None:
        return self._sentence if self._in_progress() else self._repair or self._sentence

    def _must_drop(self, fresh: Sequence[str]) -> bool:
        return False

    def _take_back(
        self, stale: list[str], fresh: list[str], pending: list[str], dropped: Utterance | None, broken: bool
    ) -> None:
        """Writes stale members again: in a new repair, or after the member that the current repair has begun."""
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
