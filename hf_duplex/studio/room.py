"""One browser's conversation: its blocks, its measurements, and a revision number."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..cognition.advisor import Advisor
from ..cognition.blocks import BlockEvent, CognitiveBlock
from ..cognition.formalizer import Formalizer
from ..cognition.session import CognitiveSession
from .metered import Meter, MeteredAdvisor


MOST_BLOCKS = 50
"""Maximum number of blocks in a conversation; each keeps a live session."""


@dataclass(frozen=True)
class Version:
    """A change of a context: the block, the old and the new text."""

    number: int
    block: str
    before: str
    after: str


@dataclass(frozen=True)
class View:
    """
    What the page shows at one time.

    Attributes:
        revision (`int`): Increases with every change.
        blocks (`list[CognitiveBlock]`): In the order in which they were opened.
        editable (`frozenset[str]`): Blocks that take edits.
        landed (`dict[str, float]`): Seconds since an insight became stable, by block.
        versions (`list[Version]`): Changes of contexts, the newest last.
        can_undo (`bool`): Whether there is an edit to undo.
        meter ([`Meter`]): Measurements.
    """

    revision: int = 0
    blocks: list[CognitiveBlock] = field(default_factory=list)
    editable: frozenset[str] = frozenset()
    landed: dict[str, float] = field(default_factory=dict)
    versions: list[Version] = field(default_factory=list)
    can_undo: bool = False
    meter: Meter = field(default_factory=Meter)


class Room:
    """
    A conversation. All methods may be called from any thread.

    Args:
        advisor ([`Advisor`]): Generates the insights; shared by all rooms.
        turn (`threading.Lock`): Held by the thread that runs the model; shared by all rooms.
        formalizer ([`Formalizer`], *optional*): Turns raw input into contexts.
        model (`PreTrainedModel`, *optional*): The advisor's model, if signals can be read from it.
        debounce (`float`, *optional*, defaults to 0.3): Seconds without a change before an insight is computed.
        clock (`Callable[[], float]`, *optional*): A monotonic clock in seconds.
    """

    def __init__(
        self,
        advisor: Advisor,
        turn: "threading.Lock",
        formalizer: Formalizer | None = None,
        model: Any | None = None,
        debounce: float = 0.3,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.meter, self.clock, self.closed = Meter(), clock, False
        self._lock, self._order, self._obeyed = threading.Lock(), threading.Lock(), 0
        self._revision = 0
        self._versions: list[Version] = []
        self._landed: dict[str, float] = {}
        metered = MeteredAdvisor(advisor, self.meter, turn, model)
        self.session = CognitiveSession(metered, formalizer, self._on_event, debounce)
        self.session.start()

    def say(self, text: str) -> None:
        """
        Adds user input.

        Raises:
            ValueError: The text is unusable, or there are too many blocks; nothing was changed.
        """
        if len(self.session.blocks) >= MOST_BLOCKS:
            raise ValueError(f"This conversation has {MOST_BLOCKS} blocks: reload the page to begin another one.")
        self.session.ingest(text)

    def in_order(self, first: int, acts: list[list[str]]) -> Iterator[list[str]]:
        """
        Yields a browser's new acts in order, each exactly once, even if requests overtake one another: each request
        contains all acts so far.

        Args:
            first: The number of the first of these acts; earlier ones are no longer sent.
            acts: Acts in the order in which they were done.
        """
        with self._order:
            for act in acts[max(0, self._obeyed - first) :]:
                self._obeyed = max(self._obeyed, first) + 1
                yield act

    def edit(self, block: str, text: str) -> None:
        """Sets the context of a block. Raises `ValueError` as [`CognitiveSession.update_context`]."""
        self.session.update_context(block, text)

    def undo(self) -> str | None:
        """Undoes the last edit, and returns the id of its block."""
        return self.session.undo()

    def next_thought(self) -> None:
        """The next input opens a new block, which depends on those before."""
        self.session.close()

    def next_topic(self) -> None:
        """Confirms all blocks so far; the next input opens a block that does not depend on them."""
        self.session.close()
        self.session.next_topic()

    def close(self) -> None:
        """Stops generation. Called when the browser has left."""
        self.closed = True
        self.session.stop()

    def view(self) -> View:
        """A copy of the current state."""
        with self._lock:
            revision, versions, landed = self._revision, list(self._versions), dict(self._landed)
        blocks, now = self.session.blocks, self.clock()
        return View(
            revision,
            blocks,
            frozenset(block.id for block in blocks if not block.is_locked and block.formalized_context),
            {block: now - since for block, since in landed.items()},
            versions,
            any(self.session.can_undo(block.id) for block in blocks),
            Meter(list(self.meter.samples), list(self.meter.heard)),
        )

    @property
    def revision(self) -> int:
        with self._lock:
            return self._revision

    def _on_event(self, event: BlockEvent) -> None:
        with self._lock:
            self._revision += 1
            if event.kind == "formalized":
                number = len(self._versions) + 1
                self._versions.append(Version(number, event.block.id, event.was, event.block.formalized_context))
            if event.kind == "status" and event.block.insight_status == "stable":
                self._landed[event.block.id] = self.clock()
