"""
Continuous batching: conversations that join and leave a running batch over one model.

A [`Batch`] does not depend on texts, logs or locks. Each of its rows is a [`BatchRow`], which supplies updates and
receives tokens. A batch calls `generate` for a few steps at a time; rows join and leave between two calls. A row's
tokens never depend on the other rows: it has its own sampling settings and reads only its own updates.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from transformers import LogitsProcessorList, StoppingCriteriaList

from ..modeling import DuplexCache, Interrupt
from .listeners import TextCodec
from .rows import join, settle, take_rows


class BatchRow(Protocol):
    """A row of a batch."""

    prompt_ids: list[int]
    start_id: int

    @property
    def emitting(self) -> bool:
        """Whether it has another token to emit."""

    live: bool
    """Whether it takes part in the current steps."""

    @property
    def gone(self) -> bool:
        """Whether it has left for good, so that its row can be removed."""

    def take_update(self, new: bool) -> list[int] | None:
        """
        Token ids of the update to apply before its next token, or None. If `new` is false, a new update stays queued,
        but an update that is replayed at its logged step is still returned.
        """

    def choose(self, scores: torch.Tensor) -> int | None:
        """Its next token, given scores `(vocab_size,)`; None for the most likely one."""


class Step(NamedTuple):
    """The token that one row emitted in a step, and its visible version."""

    member: BatchRow
    token: int
    version: int


class Batch:
    """
    Rows that generate together.

    Args:
        model (`PreTrainedModel`): A model with an open input, as from [`~listeners.open_input`].
        words (`TextCodec`): Its text codec.
        members (`Sequence[BatchRow]`): The rows. Their prompts are read in the first [`run`].
        after_step (`Callable[[list[Step]], bool]`): Called after each step with the emitted tokens; returns whether
            [`run`] must return now.
    """

    def __init__(
        self, model: Any, words: TextCodec, members: Sequence[BatchRow], after_step: Callable[[list[Step]], bool]
    ):
        self.model, self.words, self.after_step = model, words, after_step
        self.members = list(members)
        self.cache = DuplexCache()
        self.columns: torch.Tensor | None = None
        self._at_once = True
        self._polled = False

    def __len__(self) -> int:
        return len(self.members)

    @property
    def emitting(self) -> int:
        """Number of rows that have another token to emit."""
        return sum(member.emitting for member in self.members)

    @property
    def nbytes(self) -> int:
        """Bytes of the state of all rows."""
        return self.cache.nbytes

    def run(self, steps: int, at_once: bool = True) -> None:
        """
        Generates.

        Args:
            steps (`int`): Most steps; fewer if no row has anything left to emit, or `after_step` returns true.
            at_once (`bool`, *optional*, defaults to `True`): Apply new updates before every step, not only before the
                first. Applying updates of several rows together costs hardly more than applying one.
        """
        self._at_once, self._polled = at_once, False
        for member in self.members:
            member.live = member.emitting
        if not any(member.live for member in self.members):
            return
        try:
            self._generate(steps)
        finally:
            for member in self.members:
                member.live = False

    def _generate(self, steps: int) -> None:
        output = self.model.generate(
            **(self._opening() if self.columns is None else {"input_ids": self.columns}),
            past_key_values=self.cache,
            interrupt_callback=self._poll,
            logits_processor=LogitsProcessorList([self._choose]),
            stopping_criteria=StoppingCriteriaList([self._after_step]),
            max_new_tokens=steps,
            do_sample=False,
        )
        self.columns = output[:, -2:]
        settle(self.cache)

    def absorb(self, others: Sequence["Batch"]) -> None:
        """Appends the rows of other batches. All of them, and this one, must have run before."""
        batches = [self, *others]
        self.cache = join([batch.cache for batch in batches])
        self.columns = torch.cat([batch.columns for batch in batches if batch.columns is not None])
        self.members = [member for batch in batches for member in batch.members]

    def part(self, rows: Sequence[int]) -> "Batch":
        """A new batch of some of its rows; they also stay in this one until [`keep`]."""
        assert self.columns is not None
        part = Batch(self.model, self.words, [self.members[row] for row in rows], self.after_step)
        part.cache, part.columns = take_rows(self.cache, rows), self.columns[list(rows)]
        return part

    def keep(self, rows: Sequence[int]) -> None:
        """Removes all rows but these."""
        part = self.part(rows)
        self.cache, self.columns, self.members = part.cache, part.columns, part.members

    def _opening(self) -> dict[str, torch.Tensor]:
        """Inputs of the first `generate`: start tokens, and prompts padded on the left."""
        prompts, device = [member.prompt_ids for member in self.members], self.model.device
        longest = max(1, *map(len, prompts))
        ids = [[self.words.pad] * (longest - len(prompt)) + prompt for prompt in prompts]
        mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        return {
            "input_ids": torch.tensor([[member.start_id] for member in self.members], device=device),
            # Explicit, since a start token that is also the pad token would be taken for padding.
            "attention_mask": torch.ones(len(prompts), 1, dtype=torch.long, device=device),
            "prompt_ids": torch.tensor(ids, device=device),
            "prompt_mask": torch.tensor(mask, device=device),
        }

    # Called by `generate`

    def _poll(self, input_ids: torch.LongTensor) -> Interrupt | None:
        new = self._at_once or not self._polled
        self._polled = True
        updates = [member.take_update(new) if member.live else None for member in self.members]
        return Interrupt.from_lists([[update] if update else [] for update in updates], input_ids.device)

    def _choose(self, input_ids: torch.LongTensor, scores: torch.Tensor) -> torch.Tensor:
        pad = self.words.pad
        if pad not in self.words.ends:
            # An emitted pad token would be taken for padding.
            scores[:, pad] = -torch.inf
        chosen = scores.argmax(-1)
        for row, member in enumerate(self.members):
            token = member.choose(scores[row]) if member.live else pad
            if token is not None:
                chosen[row] = token
        # A silent row counts as ended for now: its pad tokens are not part of its text.
        silent = torch.tensor([not member.live for member in self.members], device=scores.device)
        self.cache.ended = self.cache.ended | silent
        return torch.full_like(scores, -torch.inf).scatter(1, chosen[:, None], 0.0)

    def _after_step(self, input_ids: torch.LongTensor, scores: Any, **kwargs: Any) -> torch.BoolTensor:
        assert self.cache.version is not None
        tokens, versions = input_ids[:, -1].tolist(), self.cache.version.tolist()
        said = zip(self.members, tokens, versions, strict=True)
        leave = self.after_step([Step(*step) for step in said if step[0].live])
        for member, token in zip(self.members, tokens, strict=True):
            member.live = member.live and token not in self.words.ends and member.emitting
        done = [leave or not member.live for member in self.members]
        return torch.tensor(done, dtype=torch.bool, device=input_ids.device)
