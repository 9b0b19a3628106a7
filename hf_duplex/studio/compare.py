"""The second tab: one correction, as an update to a running model, and as a restart with everything read again."""

import queue
import threading
from collections.abc import Iterator
from itertools import groupby

from ..evaluation.benchmarks.demo import Play, Stage, names
from ..evaluation.benchmarks.scenes import Scene, Update
from ..runtime.limits import check_text
from ..runtime.live import LiveText
from .board import text


MAX_BYTES = 2_000
SECONDS = 0.1
"""Minimum time between redraws of the page."""


def own_scene(prompt: str, correction: str, after: float | None) -> Scene:
    """
    Builds a scene from the typed texts.

    Raises:
        ValueError: A text is unusable, or `after` is not a whole number from 1; the message gives the remedy.
    """
    if after is None or after != int(after) or not 1 <= after <= 200:
        raise ValueError(f"`After so many tokens` must be a whole number from 1 to 200, got {after}.")
    prompt, correction = check_text(prompt, "prompt", MAX_BYTES), check_text(correction, "correction", MAX_BYTES)
    return Scene("own", "", prompt, (Update(correction, int(after)),))


def said(live: LiveText) -> str:
    """A text in segments, each with its visible version."""
    groups = groupby(live.tokens, key=lambda token: token.version)
    stretches = [(version, "".join(token.text for token in group)) for version, group in groups]
    return "".join(f'<span class="tag">v{version}</span>{text(words)}' for version, words in stretches)


def listening(play: Play) -> str:
    """The text of the model that receives the update."""
    heard = "".join(f'<p class="heard">{text(entry.text)}</p>' for entry in play.listening.heard)
    head = f"{text(names(play)[0].capitalize())}: listens while it speaks"
    return f'<div class="pane"><h3>{head}</h3>{heard}<p>{said(play.listening)}</p></div>'


def restarted(play: Play) -> str:
    """The texts of the model that is restarted: the discarded one, then the new one."""
    away = "".join(f"<p><del>{text(thrown.text)}</del></p>" for thrown in play.stopped if thrown.text)
    anew = "".join(f"<p>{text(again.text)}</p>" for again in play.restarts if again.text)
    head = f"{text(names(play)[1].capitalize())}: stopped, told anew, restarted"
    return f'<div class="pane"><h3>{head}</h3>{away}{anew}</div>'


def outcome(play: Play) -> str:
    """Milliseconds and tokens, after the scene has ended; medians of several measurements."""
    if not play.medians:
        return ""
    (own, other), again = play.medians[0], play.restarts[-1]
    rows = (
        ("From the correction to the next token", f"{own:.1f} ms", f"{other:.1f} ms"),
        ("Tokens read again", f"{play.listening.processed_again}", f"{again.read_again}"),
        ("Tokens thrown away", "0", f"{len(play.stopped[0].tokens)}"),
    )
    body = "".join(f"<tr><th scope=row>{name}</th><td>{a}</td><td>{b}</td></tr>" for name, a, b in rows)
    head = f"<tr><td></td><th>{text(names(play)[0].capitalize())}</th><th>Restart</th></tr>"
    return f'<table class="outcome"><thead>{head}</thead><tbody>{body}</tbody></table>'


def comparison(play: Play) -> str:
    return f'<section class="compare" aria-live="off">{listening(play)}{restarted(play)}{outcome(play)}</section>'


def watch(stage: Stage, scene: Scene, turn: "threading.Lock") -> Iterator[str]:
    """
    Plays a scene in its own thread, and yields the page as it grows.

    Raises:
        Exception: Raised by the models.
    """
    news: queue.Queue[Play | Exception | None] = queue.Queue()

    def perform() -> None:
        try:
            with turn:
                news.put(stage.play(scene, news.put))
        except Exception as error:
            news.put(error)
        news.put(None)

    threading.Thread(target=perform, daemon=True).start()
    while (item := news.get()) is not None:
        # Keep only the newest of the items that arrived meanwhile.
        threading.Event().wait(SECONDS)
        while not news.empty() and not isinstance(item, Exception):
            following = news.get()
            if following is None:
                yield comparison(item)
                return
            item = following
        if isinstance(item, Exception):
            raise item
        yield comparison(item)
