"""Replay of a session: the same updates at the same steps must give the same tokens."""

from typing import NamedTuple

import torch

from .batching import Batch, Step
from .history import History
from .host import Host
from .sampling import Sampling, TokenSampler


STEPS = 32
"""Steps per turn of a replay; between turns, live sessions may run."""


class Replay(NamedTuple):
    """
    The result of a replay.

    Attributes:
        tokens (`list[int]`), versions (`list[int]`): The emitted tokens, and the visible version of each.
        same (`bool`): Whether both equal the log.
        first (`int`, *optional*): The first step where they differ.
    """

    tokens: list[int]
    versions: list[int]
    same: bool
    first: int | None


class Reciter:
    """A [`~batching.BatchRow`] that receives the updates of a session's history, and samples as many tokens anew."""

    def __init__(self, history: History):
        self.history = history
        self.prompt_ids: list[int] = history.opened["prompt_ids"]
        self.start_id: int = history.opened["start_id"]
        self.chooser = TokenSampler(Sampling(**history.opened["sampling"]))
        self.tokens: list[int] = []
        self.versions: list[int] = []
        self.gone = self.live = False

    @property
    def emitting(self) -> bool:
        return len(self.tokens) < len(self.history.said)

    def take_update(self, new: bool) -> list[int] | None:
        heard = self.history.said[len(self.tokens)].heard
        return None if heard is None else self.history.sent[heard].ids

    def choose(self, scores: torch.Tensor) -> int | None:
        return self.chooser(scores, len(self.tokens))

    def said(self, steps: list[Step]) -> bool:
        for step in steps:
            self.tokens.append(step.token)
            self.versions.append(step.version)
        return False


def replay(server: Host, session: str) -> Replay:
    """Replays a session from the log of a server, with its model; what was undone is left out."""
    history = History.of(server.log.events(session))
    server.check_model(history)
    reciter = Reciter(history)
    batch = Batch(server.model, server.words, [reciter], reciter.said)
    # First the prompt and one token, as a session does, then a few steps at a time.
    steps = 1
    while reciter.emitting:
        with server.turn:
            batch.run(steps)
        steps = STEPS
    pairs = list(zip(reciter.tokens, reciter.versions, strict=True))
    known = [(said.id, said.version) for said in history.said]
    first = next((step for step, pair in enumerate(pairs) if pair != known[step]), None)
    return Replay(reciter.tokens, reciter.versions, first is None, first)
