"""
The two streams of a conversation: what the user says becomes context, and what is advised follows from it.

[`CognitiveSession`] takes words and edits from any thread, keeps the blocks ([`BlockGraph`]), and computes insights
when they are due: some time after the last change of what they follow from, so that a burst of typing is one
computation. It computes in whichever thread calls [`poll`], or in one of its own between [`start`] and [`stop`]. Time
comes from a clock that is handed in.

An insight is said again only for what changed: its live session ([`Advice`]) stays open, and is told the difference
between the contexts that it knows and those that are true. A change while it speaks stops it at its next token.
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
"""Longest text that is taken at once, and longest context."""


@dataclass
class _Hearing:
    """
    How the context of a block came about: it is `base` and what was said from `since` on, formalized together.

    Attributes:
        base (`str`): The context that an edit gave it; "" if there was none.
        since (`int`): Where the words begin in `raw_input` that `base` does not hold yet.
        until (`int`): Where those end that the context holds.
        before (`list[tuple[str, int]]`): What to go back to, a context and a place in `raw_input` for each edit.
    """

    base: str = ""
    since: int = 0
    until: int = 0
    before: list[tuple[str, int]] = field(default_factory=list)


class CognitiveSession:
    """
    A conversation in blocks. All methods may be called from any thread.

    Args:
        advisor ([`Advisor`]): Who advises.
        formalizer ([`Formalizer`], *optional*): Who finds out what was meant; [`RuleFormalizer`] if not given.
        on_event (`Callable[[BlockEvent], None]`, *optional*): As [`subscribe`].
        debounce (`float`, *optional*, defaults to 0.3): Seconds without a change before an insight is computed.
        clock (`Callable[[], float]`, *optional*): Seconds that never go back.
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
        # Blocks whose live session has said its insight to the end.
        self._complete: set[str] = set()
        self._changed = threading.Condition()
        self._computing = threading.Lock()
        self._worker: threading.Thread | None = None
        self._stopping = False

    # What there is

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
        """Pairs of a block and one that depends on it."""
        with self._changed:
            return self._graph.edges

    @property
    def due_in(self) -> float | None:
        """Seconds until an insight is due, 0 if one is; None if none is waiting."""
        with self._changed:
            return max(0.0, min(self._due.values()) - self.clock()) if self._due else None

    def advice(self, block: str) -> Advice | None:
        """The live session behind an insight, None before the first one; to look at, not to speak to."""
        with self._changed:
            return self._advice.get(self._graph[block].id)

    def can_undo(self, block: str) -> bool:
        with self._changed:
            return not self._graph[block].is_locked and bool(self._hearings[block].before)

    def subscribe(self, listener: Callable[[BlockEvent], None]) -> Callable[[], None]:
        """
        Tells `listener` of every change from now on, one at a time and in order, from whichever thread is at hand. It
        may call the session; what follows from that, it is told afterwards. Where it fails, the log says so, and the
        conversation goes on. Returns what ends it.
        """
        with self._changed:
            self._listeners = [*self._listeners, listener]

        def unsubscribe() -> None:
            with self._changed:
                self._listeners = [known for known in self._listeners if known is not listener]

        return unsubscribe

    # The user speaks

    def open_block(self, depends_on: Iterable[str] | None = None) -> CognitiveBlock:
        """
        A new block, to be spoken into; the one before it is closed.

        Args:
            depends_on (`Iterable[str]`, *optional*): Which blocks its insight follows from, besides its own; the one
                before it in the topic if not given.
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
        What was said next. It joins the open block; with none, a correction ("No, fifteen million.") joins the block
        before, which must not be locked, and anything else opens a new one.

        Returns:
            `CognitiveBlock`: The block that it joined, as it is then.

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
                # What was said into a block that was over is an edit, and can be undone as one.
                hearing.before.append((before, len(block.raw_input)))
                self._edited.append(last)
        self._tell_listeners()
        self._formalize(last)
        return self[last]

    def close(self) -> None:
        """The user has said it all: the open block, if there is one, is speculative no more."""
        with self._changed:
            self._close_open()
        self._tell_listeners()

    def lock(self, block: str) -> None:
        """The user confirms a block: it takes no edits any more."""
        with self._changed:
            self._graph.lock(block)
        self._tell_listeners()

    def next_topic(self) -> None:
        """The user moves on: all blocks of the topic are locked, and the next one depends on none of them."""
        with self._changed:
            for block in self._topic:
                self._graph.lock(block)
            self._topic = []
        self._tell_listeners()

    # The user edits

    def update_context(self, block: str, text: str) -> None:
        """
        Gives a block another context, in the words of the user. Its insight and those of all that depends on it go
        stale at once, and are computed after the debounce.

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
        Takes the last edit of a block back; of any block, if none is named. What was said after it stays.

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
                    # Something else was edited or said meanwhile.
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
        Makes the insight of a block follow from another one as well.

        Raises:
            ValueError: One of them is not there, the block is locked, or it would be a circle; nothing was changed.
        """
        with self._changed:
            self._renew(self._graph.depend(block, on))
        self._tell_listeners()

    # Insights

    def poll(self) -> int:
        """
        Computes the insights that are due, one after the other, each behind those that it depends on; returns how many
        were computed to the end. While another thread computes, it does nothing.

        Raises:
            Exception: What the advisor raised. The block is told of it (`failed`), and computed when it next changes.
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
        """Computes in a thread of its own, until [`stop`]."""
        with self._changed:
            if self._worker is None:
                self._stopping = False
                self._worker = threading.Thread(target=self._work, daemon=True)
                self._worker.start()

    def stop(self) -> None:
        """Ends that thread; an insight that is being said stops at its next token, and goes on with the next poll."""
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

    # Within

    def _close_open(self) -> None:
        for block in self._graph.blocks:
            if block.is_open and block.id in self._topic:
                self._graph.close(block.id)

    def _formalize(self, block: str) -> None:
        """Brings a context up to what was said. The formalizer may take its time: nobody waits for it."""
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
        """Puts off the insights of these blocks until nothing has changed for a while."""
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
        """Computes one insight; returns whether it was said to the end."""
        with self._changed:
            contexts, advice = self._graph.contexts(block), self._advice.get(block)
            if not self._graph[block].formalized_context:
                # All that was said was taken back.
                self._graph.say(block, None)
                return False
            known = self._known.get(block, {})
            edits = [
                Edit(id, known.get(id, ""), contexts.get(id, ""))
                for id in [*contexts, *(id for id in known if id not in contexts)]
                if known.get(id, "") != contexts.get(id, "")
            ]
            if advice is not None and not edits and block in self._complete:
                # All is as it was when the insight was said: edited, and edited back.
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
                # What the live session knows now is anyone's guess: the next one starts anew.
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
        """Shows the insight so far; returns whether anybody wants more of it."""
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
                # The block says so as well; the other ones are none the worse.
                logger.exception("An insight could not be computed.")

    def _tell_listeners(self) -> None:
        """Hands events on without the lock, so that a listener may call the session or wait for another thread."""
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
                    # What is shown is none of the conversation's business: it goes on.
                    logger.exception("A listener failed on the event %s of block %s.", event.kind, event.block.id)
            with self._changed:
                self._telling = False
