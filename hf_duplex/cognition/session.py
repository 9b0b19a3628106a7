"""
A conversation with two streams: user input becomes context, and insights are generated from the context.

[`CognitiveSession`] takes input and edits from any thread, holds the blocks ([`BlockGraph`]), and computes insights
when due: a debounce time after the last change of their contexts, so that a burst of typing is one computation. It
computes in the thread that calls [`poll`], or in its own thread between [`start`] and [`stop`]. Time comes from a
clock passed as an argument.

The live session of an insight ([`Advice`]) stays open, and receives only the difference between the contexts that it
has read and the current ones. A change during generation stops the insight at its next token.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from ..runtime.limits import check_text
from .advisor import Advice, Advisor, Edit
from .blocks import BlockEvent, BlockGraph, CognitiveBlock
from .formalizer import Formalizer, RuleFormalizer, is_correction


logger = logging.getLogger(__name__)
MAX_BYTES = 4_096
"""Maximum size of one input, and of a context."""


@dataclass
class _Hearing:
    """
    Origin of a block's context: `base` and the raw input from `since` on, formalized together.

    Attributes:
        base (`str`): The context set by the last edit; "" if there was none.
        since (`int`): Start of the part of `raw_input` that is not in `base`.
        until (`int`): End of the part of `raw_input` that is in the context.
        before (`list[tuple[str, int]]`): Undo history: a context and a position in `raw_input` for each edit.
    """

    base: str = ""
    since: int = 0
    until: int = 0
    before: list[tuple[str, int]] = field(default_factory=list)


class CognitiveSession:
    """
    A conversation in blocks. All methods may be called from any thread.

    Args:
        advisor ([`Advisor`]): Generates the insights.
        formalizer ([`Formalizer`], *optional*): Turns raw input into contexts; [`RuleFormalizer`] if not given.
        on_event (`Callable[[BlockEvent], None]`, *optional*): As [`subscribe`].
        debounce (`float`, *optional*, defaults to 0.3): Seconds without a change before an insight is computed.
        clock (`Callable[[], float]`, *optional*): A monotonic clock in seconds.
        wall (`Callable[[], float]`, *optional*): Seconds since 1970, for `timestamp`.

    Raises:
        ValueError: `debounce` is negative.
    """

    def __init__(
        self,
        advisor: Advisor,
        formalizer: Formalizer | None = None,
        on_event: Callable[[BlockEvent], None] | None = None,
        debounce: float = 0.3,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ):
        if debounce < 0:
            raise ValueError(f"`debounce` must be at least 0 seconds, got {debounce}.")
        self.advisor, self.formalizer = advisor, formalizer or RuleFormalizer()
        self.debounce, self.clock, self.wall = debounce, clock, wall
        self._listeners = [on_event] if on_event else []
        self._events: deque[BlockEvent] = deque()
        self._telling = False
        self._graph = BlockGraph(self._events.append)
        self._hearings: dict[str, _Hearing] = {}
        self._edited: list[str] = []
        self._topic: list[str] = []
        self._due: dict[str, float] = {}
        self._advice: dict[str, Advice] = {}
        self._known: dict[str, dict[str, str]] = {}
        # Blocks whose live session has completed its insight.
        self._complete: set[str] = set()
        self._changed = threading.Condition()
        self._computing = threading.Lock()
        self._worker: threading.Thread | None = None
        self._stopping = False

    # Read

    def __getitem__(self, block: str) -> CognitiveBlock:
        """A copy of a block."""
        with self._changed:
            return replace(self._graph[block])

    @property
    def blocks(self) -> list[CognitiveBlock]:
        """Copies of all blocks, in the order in which they were opened."""
        with self._changed:
            return self._graph.blocks

    @property
    def edges(self) -> list[tuple[str, str]]:
        """Pairs of a block and a block that depends on it."""
        with self._changed:
            return self._graph.edges

    @property
    def due_in(self) -> float | None:
        """Seconds until an insight is due, 0 if one is; None if none is waiting."""
        with self._changed:
            return max(0.0, min(self._due.values()) - self.clock()) if self._due else None

    def advice(self, block: str) -> Advice | None:
        """The live session behind an insight, None before the first one; for reading only."""
        with self._changed:
            return self._advice.get(self._graph[block].id)

    def can_undo(self, block: str) -> bool:
        with self._changed:
            return not self._graph[block].is_locked and bool(self._hearings[block].before)

    def subscribe(self, listener: Callable[[BlockEvent], None]) -> Callable[[], None]:
        """
        Calls `listener` for every later change, one at a time and in order, from any thread. It may call the session;
        resulting events follow afterwards. If it fails, the error is logged, and the conversation continues.
        Returns a function that unsubscribes.
        """
        with self._changed:
            self._listeners = [*self._listeners, listener]

        def unsubscribe() -> None:
            with self._changed:
                self._listeners = [known for known in self._listeners if known is not listener]

        return unsubscribe

    # Input

    def open_block(self, depends_on: Iterable[str] | None = None) -> CognitiveBlock:
        """
        Opens a new block for input, and closes the one before it.

        Args:
            depends_on (`Iterable[str]`, *optional*): The blocks that it depends on; if not given, the block before it
                in the topic.
        """
        with self._changed:
            parents = self._topic[-1:] if depends_on is None else list(dict.fromkeys(depends_on))
            block = CognitiveBlock(str(len(self._graph.blocks) + 1), self.wall())
            self._graph.add(block, parents)
            self._close_open()
            self._hearings[block.id] = _Hearing()
            self._topic.append(block.id)
            opened = replace(block)
        self._tell_listeners()
        return opened

    def ingest(self, text: str) -> CognitiveBlock:
        """
        Adds user input. It is appended to the open block. If none is open, a correction ("No, fifteen million.") is
        appended to the block before, which must not be locked, and anything else opens a new block.

        Returns:
            `CognitiveBlock`: A copy of the block after the change.

        Raises:
            ValueError: The text is unusable; nothing was changed.
        """
        text = check_text(text, "text", MAX_BYTES)
        last = self._topic[-1] if self._topic else None
        if last is None or not (self[last].is_open or (is_correction(text) and not self[last].is_locked)):
            last = self.open_block().id
        with self._changed:
            block, hearing = self._graph[last], self._hearings[last]
            before = block.formalized_context
            self._graph.receive(last, text)
            if not block.is_open:
                # Input to a closed block is an edit, and can be undone.
                hearing.before.append((before, len(block.raw_input)))
                self._edited.append(last)
        self._tell_listeners()
        self._formalize(last)
        return self[last]

    def close(self) -> None:
        """Closes the open block, if there is one: its insight is no longer speculative."""
        with self._changed:
            self._close_open()
        self._tell_listeners()

    def lock(self, block: str) -> None:
        """Confirms a block: it takes no more edits."""
        with self._changed:
            self._graph.lock(block)
        self._tell_listeners()

    def next_topic(self) -> None:
        """Starts a new topic: locks all blocks of the current one; the next block depends on none of them."""
        with self._changed:
            for block in self._topic:
                self._graph.lock(block)
            self._topic = []
        self._tell_listeners()

    # Edits

    def update_context(self, block: str, text: str) -> None:
        """
        Sets the context of a block to the user's text. Its insight and those of all dependent blocks become stale at
        once, and are computed after the debounce.

        Raises:
            ValueError: There is no such block, it is locked, or the text is unusable; nothing was changed.
        """
        text = check_text(text, "text", MAX_BYTES)
        self.advisor.check(text)
        with self._changed:
            found, hearing = self._graph[block], self._hearings[block]
            before = found.formalized_context
            self._renew(self._graph.change(block, text))
            if text != before:
                hearing.before.append((before, hearing.until))
                self._edited.append(block)
            hearing.base, hearing.since = text, hearing.until
        self._tell_listeners()

    def undo(self, block: str | None = None) -> str | None:
        """
        Undoes the last edit of a block, or of any block if none is given. Later input stays.

        Returns:
            `str`: The id of the block, None if there was nothing to undo.

        Raises:
            ValueError: There is no such block, or it is locked; nothing was changed.
        """
        while True:
            with self._changed:
                if block is not None and self._graph[block].is_locked:
                    raise ValueError(f"`block`: {block!r} is locked: its edits cannot be undone.")
                edited = [id for id in self._edited if block in (None, id) and not self._graph[id].is_locked]
                if not edited:
                    return None
                last, hearing = edited[-1], self._hearings[edited[-1]]
                edit, raw = hearing.before[-1], self._graph[last].raw_input
            base, since = edit
            context = self.formalizer.formalize(base, raw[since:]) if raw[since:].strip() else base
            with self._changed:
                if not hearing.before or hearing.before[-1] is not edit or self._graph[last].raw_input != raw:
                    # Other edits or input arrived meanwhile.
                    continue
                self._renew(self._graph.change(last, context))
                hearing.before.pop()
                hearing.base, hearing.since, hearing.until = base, since, len(raw)
                del self._edited[len(self._edited) - 1 - self._edited[::-1].index(last)]
                break
        self._tell_listeners()
        return last

    def depend(self, block: str, on: str) -> None:
        """
        Makes a block depend on another one.

        Raises:
            ValueError: One of them does not exist, the block is locked, or a cycle would result; nothing was changed.
        """
        with self._changed:
            self._renew(self._graph.depend(block, on))
        self._tell_listeners()

    # Insights

    def poll(self) -> int:
        """
        Computes the insights that are due, one by one, dependencies first; returns how many were completed. Does
        nothing while another thread computes.

        Raises:
            Exception: Raised by the advisor. The block gets a `failed` event, and is computed when it next changes.
        """
        if not self._computing.acquire(blocking=False):
            return 0
        try:
            done = 0
            while (block := self._next_due()) is not None:
                done += self._compute(block)
            return done
        finally:
            self._computing.release()
            self._tell_listeners()

    def start(self) -> None:
        """Starts a thread that computes insights until [`stop`]."""
        with self._changed:
            if self._worker is None:
                self._stopping = False
                self._worker = threading.Thread(target=self._work, daemon=True)
                self._worker.start()

    def stop(self) -> None:
        """Ends that thread. A running insight stops at its next token, and continues with the next poll."""
        with self._changed:
            worker, self._worker, self._stopping = self._worker, None, True
            self._changed.notify_all()
        if worker is not None:
            worker.join()
        self._stopping = False

    def __enter__(self) -> "CognitiveSession":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    # Internal

    def _close_open(self) -> None:
        for block in self._graph.blocks:
            if block.is_open and block.id in self._topic:
                self._graph.close(block.id)

    def _formalize(self, block: str) -> None:
        """Updates a context from the raw input. A slow formalizer does not block other calls."""
        while True:
            with self._changed:
                found, hearing = self._graph[block], self._hearings[block]
                base, since, until = hearing.base, hearing.since, len(found.raw_input)
                said = found.raw_input[since:]
            context = self.formalizer.formalize(base, said)
            with self._changed:
                if (hearing.base, hearing.since, len(found.raw_input)) != (base, since, until):
                    continue
                hearing.until = until
                if not found.is_locked:
                    self._renew(self._graph.change(block, context))
                break
        self._tell_listeners()

    def _renew(self, blocks: list[str]) -> None:
        """Restarts the debounce of these blocks' insights."""
        now = self.clock()
        self._due.update(dict.fromkeys(blocks, now + self.debounce))
        self._changed.notify_all()

    def _next_due(self) -> str | None:
        with self._changed:
            now = self.clock()
            due = self._graph.in_order(block for block, time in self._due.items() if time <= now)
            if not due or self._stopping:
                return None
            del self._due[due[0]]
            return due[0]

    def _compute(self, block: str) -> bool:
        """Computes one insight; returns whether it was completed."""
        with self._changed:
            contexts, advice = self._graph.contexts(block), self._advice.get(block)
            if not self._graph[block].formalized_context:
                # All input was undone.
                self._graph.say(block, None)
                return False
            known = self._known.get(block, {})
            edits = [
                Edit(id, known.get(id, ""), contexts.get(id, ""))
                for id in [*contexts, *(id for id in known if id not in contexts)]
                if known.get(id, "") != contexts.get(id, "")
            ]
            if advice is not None and not edits and block in self._complete:
                # The contexts equal those of the complete insight: an edit was reverted.
                self._graph.set_status(block, "stable")
                return True
            self._complete.discard(block)
            self._known[block] = contexts
            self._graph.set_status(block, "computing")
        self._tell_listeners()
        try:
            if advice is None:
                advice = self.advisor.open(contexts)
                with self._changed:
                    self._advice[block] = advice
            elif edits:
                advice.tell(edits)
            insight = advice.run(lambda text: self._say(block, text))
        except BaseException as error:
            with self._changed:
                # The state of the live session is undefined: the next computation opens a new one.
                self._advice.pop(block, None)
                self._graph.fail(block, str(error) or type(error).__name__)
            raise
        with self._changed:
            if self._is_void(block):
                return False
            if self._stopping:
                self._graph.set_status(block, "invalidated")
                self._due[block] = self.clock()
                return False
            self._complete.add(block)
            self._graph.say(block, insight)
            self._graph.set_status(block, "stable")
        self._tell_listeners()
        return True

    def _is_void(self, block: str) -> bool:
        return self._graph[block].insight_status != "computing"

    def _say(self, block: str, text: str) -> bool:
        """Publishes the insight so far; returns whether to continue."""
        with self._changed:
            wanted = not self._is_void(block) and not self._stopping
            if wanted and text:
                self._graph.say(block, text)
        self._tell_listeners()
        return wanted

    def _work(self) -> None:
        while True:
            with self._changed:
                if self._stopping:
                    return
                wait = self.due_in
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
            try:
                self.poll()
            except Exception:
                # The block records the failure; other blocks are not affected.
                logger.exception("An insight could not be computed.")

    def _tell_listeners(self) -> None:
        """Sends events without the lock, so that a listener may call the session or wait for another thread."""
        while True:
            with self._changed:
                if not self._events or self._telling:
                    return
                self._telling = True
                event, listeners = self._events.popleft(), self._listeners
            for listener in listeners:
                try:
                    listener(event)
                except Exception:
                    # A failing listener does not stop the conversation.
                    logger.exception("A listener failed on the event %s of block %s.", event.kind, event.block.id)
            with self._changed:
                self._telling = False
