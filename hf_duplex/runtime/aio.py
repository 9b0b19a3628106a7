"""
Sessions in asyncio: the same session; waiting needs no thread.

    async with await AsyncDuplexSession.start(model, tokenizer, "Given x = 5, compute 3x + 2.") as session:
        async for token in session:
            print(token.text, end="")
        receipt = await session.send("Actually x = 7.")
        await session.settled(receipt)
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from .duplex_session import DuplexSession
from .receipts import Receipt
from .replay import Replay
from .server import Server
from .session import Session
from .session_row import Token
from .versions import Snapshot, VersionDiff


class AsyncDuplexSession:
    """
    The asyncio interface of a [`Session`], to be created and used in one event loop. Log writes run in a worker
    thread, so that a slow disk does not block the loop. Cancelling a `read` loses no token.

    Args:
        session (`Session`): The session, of any server.

    Attributes:
        session (`Session`): The same.
    """

    def __init__(self, session: Session):
        self.session = session
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        session.when_changed(self._wake)

    @classmethod
    async def start(cls, model: Any, tokenizer: Any, prompt: str | bytes, **options: Any) -> "AsyncDuplexSession":
        """Starts a single session; arguments as in [`DuplexSession.start`]."""
        return cls(await asyncio.to_thread(DuplexSession.start, model, tokenizer, prompt, **options))

    @classmethod
    async def reopen(cls, model: Any, tokenizer: Any, log: Any, **options: Any) -> "AsyncDuplexSession":
        """Restores a single session from its log; arguments as in [`DuplexSession.reopen`]."""
        return cls(await asyncio.to_thread(DuplexSession.reopen, model, tokenizer, log, **options))

    @classmethod
    async def open(cls, server: Server, prompt: str | bytes, **options: Any) -> "AsyncDuplexSession":
        """Opens a session of a server; arguments as in [`Server.open`]."""
        return cls(await asyncio.to_thread(server.open, prompt, **options))

    @classmethod
    async def restore(cls, server: Server, id: str, **options: Any) -> "AsyncDuplexSession":
        """Restores a session from a server's log; arguments as in [`Server.restore`]."""
        return cls(await asyncio.to_thread(server.restore, id, **options))

    async def send(self, text: str | bytes, source: str = "user") -> Receipt:
        """See [`Session.send`]."""
        return await asyncio.to_thread(self.session.send, text, source)

    async def settled(self, receipt: Receipt) -> Receipt:
        """Waits until a receipt is no longer queued, and returns it."""
        done = asyncio.Event()

        def tell(_: Receipt) -> None:
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(done.set)

        receipt.when_settled(tell)
        await done.wait()
        return receipt

    async def read(self) -> Token | None:
        """See [`Session.read`]."""
        while True:
            self._changed.clear()
            try:
                return self.session.read(timeout=0)
            except TimeoutError:
                await self._changed.wait()

    async def __aiter__(self) -> AsyncIterator[Token]:
        while (token := await self.read()) is not None:
            yield token

    async def pause(self) -> None:
        """See [`Session.pause`]."""
        await asyncio.to_thread(self.session.pause)

    async def resume(self) -> None:
        """See [`Session.resume`]."""
        await asyncio.to_thread(self.session.resume)

    async def stop(self, reason: str = "it was stopped") -> None:
        """See [`Session.stop`]."""
        await asyncio.to_thread(self.session.stop, reason)

    async def undo(self, receipt: Receipt) -> list[str]:
        """See [`Session.undo`]."""
        return await asyncio.to_thread(self.session.undo, receipt)

    async def restore_snapshot(self, snapshot: Snapshot) -> None:
        """See [`Session.restore`]."""
        await asyncio.to_thread(self.session.restore, snapshot)

    async def diff(self, before: int, after: int) -> VersionDiff:
        """See [`Session.diff`]."""
        return await asyncio.to_thread(self.session.diff, before, after)

    async def replay(self) -> Replay:
        """See [`Session.replay`]."""
        return await asyncio.to_thread(self.session.replay)

    async def close(self) -> None:
        """See [`Session.close`]."""
        await asyncio.to_thread(self.session.close)

    async def __aenter__(self) -> "AsyncDuplexSession":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    def _wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)
