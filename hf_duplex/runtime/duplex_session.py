"""
A single session with its own server.

    with DuplexSession.start(model, tokenizer, "Given x = 5, compute 3x + 2.", log="talk.sqlite") as session:
        for token in session:
            print(token.text, end="")
            if token.step == 20:
                receipt = session.send("Actually x = 7.")
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from .event_log import EventLog
from .server import Server
from .session import Session, SessionError


class DuplexSession(Session):
    """A single conversation, created by [`start`] or [`reopen`]; closing it closes its server."""

    @classmethod
    def start(
        cls,
        model: Any,
        tokenizer: Any,
        prompt: str | bytes,
        log: EventLog | str | Path | None = None,
        **options: Any,
    ) -> "DuplexSession":
        """
        Starts a session. Without `log`, the log is in memory and is lost with the process. Other arguments and
        exceptions: see [`Server`] and [`Server.open`].
        """
        return in_own_server(model, tokenizer, log, lambda server: server.open(prompt, **options))

    @classmethod
    def reopen(
        cls, model: Any, tokenizer: Any, log: EventLog | str | Path, id: str | None = None, **options: Any
    ) -> "DuplexSession":
        """
        Restores a session from its log; the latest one if `id` is not given. Other arguments and exceptions: see
        [`Server`] and [`Server.restore`].
        """
        return in_own_server(
            model, tokenizer, log, lambda server: server.restore(server.latest if id is None else id, **options)
        )


class OwnServer(Server):
    """A server for one session."""

    session_class = DuplexSession


def in_own_server(
    model: Any,
    tokenizer: Any,
    log: EventLog | str | Path | None,
    begin: Callable[[Server], Session],
) -> DuplexSession:
    """Creates a server, and a session in it by `begin`; closing the session closes the server."""
    server = OwnServer(model, tokenizer, log)
    try:
        session = begin(server)
    except BaseException:
        server.close()
        raise
    session.owns_server = True
    return cast(DuplexSession, session)


__all__ = ["DuplexSession", "SessionError"]
