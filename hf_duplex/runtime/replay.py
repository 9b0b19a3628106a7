"""Saying a session anew: told the same at the same places, it says the same."""

from typing import NamedTuple

import torch

from .batching import Batch, Step
from .history import History
from .host import Host
from .sampling import Sampling, TokenSampler


STEPS = 32
"""Steps that are taken before sessions that speak at the same time have their turn."""


class Replay(NamedTuple):
    """
    What a session says when it is told the same at the same places.

    Attributes:
        tokens (`list[int]`), versions (`list[int]`): What was said, and what each token knows.
        same (`bool`): Whether both are what the log holds.
        first (`int`, *optional*): The first step where they are not.
    """

    tokens: list[int]
    versions: list[int]
    same: bool
    first: int | None


class Reciter:
    """A [`~batching.BatchRow`] that hears what a session heard, and chooses its own words, as many as that said."""

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
    """Replays what stands of a session in the log of a server, with its model."""
    history = History.of(server.log.events(session))
    server.check_model(history)
    reciter = Reciter(history)
    batch = Batch(server.model, server.words, [reciter], reciter.said)
    # Prompt first, as a session does, then a few steps at a time.
    steps = 1
    while reciter.emitting:
        with server.turn:
            batch.run(steps)
        steps = STEPS
    pairs = list(zip(reciter.tokens, reciter.versions, strict=True))
    known = [(said.id, said.version) for said in history.said]
    first = next((step for step, pair in enumerate(pairs) if pair != known[step]), None)
    return Replay(reciter.tokens, reciter.versions, first is None, first)
