"""
A session by itself, with a server of its own.

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
    """One conversation by itself, made by [`start`] or [`reopen`]; its server ends with it."""

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
        A session by itself. With no `log` it is written down in memory, and ends with the process; for the other
        arguments, and for what is raised, see [`Server`] and [`Server.open`].
        """
        return in_own_server(model, tokenizer, log, lambda server: server.open(prompt, **options))

    @classmethod
    def reopen(
        cls, model: Any, tokenizer: Any, log: EventLog | str | Path, id: str | None = None, **options: Any
    ) -> "DuplexSession":
        """
        A session by itself, as its log holds it; the last one of the log if `id` is not given. For the other
        arguments, and for what is raised, see [`Server`] and [`Server.restore`].
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
    """A session in a server of its own, which ends with it."""
    server = OwnServer(model, tokenizer, log)
    try:
        session = begin(server)
    except BaseException:
        server.close()
        raise
    session.owns_server = True
    return cast(DuplexSession, session)


__all__ = ["DuplexSession", "SessionError"]
