"""What a conversation on two tracks holds: the paged content, the thoughts of each row, and what they opened."""

from collections.abc import Callable
from typing import Any

import torch

from .configuration_dual_track import DualTrackConfig
from .content_cache import PagedContentCache
from .thought_buffer import ThoughtBuffer, ThoughtNode


class DualTrackCache(PagedContentCache):
    """
    Made by `generate()`, or by hand and handed to it as `past_key_values`, turn after turn.

    Attributes:
        buffers (`list[ThoughtBuffer]`): The thoughts of each row.
        real (`torch.Tensor`): `[batch, content tokens]`, false where there is padding.
        opened (`list[list[tuple[int, int]]]`): The content of past thoughts that each row attends to now.
        thoughtful (`list[bool]`): Whether a row ever had a thought; until then it sees all, as the base model does.
        unasked (`torch.Tensor`): `[batch]`, tokens since the head was last asked.
        sentence (`list[int]`): Where the sentence begins that called for what was opened.
        begun (`list[int]`): Where the sentence begins that is being said.
        positions (`torch.Tensor`): `[batch, resident tokens]`, of what is read; None where they are counted through.
        segment (`list[int]`): Where the content begins that the next thought will be about.
        noted (`int`): Content tokens that were not among the ids of the text (a user's edits of thoughts).
        reflect (`bool`): Whether to reflect at all.
        streamer (`Callable`, *optional*): Called as `streamer(row, ids, node)` for each token of a thought, `node`
            None until it is whole.
    """

    def __init__(self, config: DualTrackConfig):
        super().__init__(config.num_hidden_layers, config.page_size)
        self.config = config
        self.buffers: list[ThoughtBuffer] = []
        self.real: Any = None
        self.opened: list[list[tuple[int, int]]] = []
        self.thoughtful: list[bool] = []
        self.sentence: list[int] = []
        self.begun: list[int] = []
        self.positions: Any = None
        self.unasked: torch.Tensor | None = None
        self.segment: list[int] = []
        self.recent: torch.Tensor | None = None
        self.noted = 0
        self.reflect = True
        self.reflections = 0
        self.streamer: Callable[[int, list[int], ThoughtNode | None], Any] | None = None

    @property
    def length(self) -> int:
        """Content tokens so far."""
        return 0 if self.real is None else self.real.shape[1]

    def start(self, batch: int, device: torch.device) -> None:
        """Rows without anything said."""
        self.buffers = [ThoughtBuffer(self.config.max_nodes) for _ in range(batch)]
        self.real = torch.zeros(batch, 0, dtype=torch.bool, device=device)
        self.opened, self.thoughtful = [[] for _ in range(batch)], [False] * batch
        self.sentence, self.begun = [0] * batch, [0] * batch
        self.unasked = torch.zeros(batch, dtype=torch.long, device=device)
        self.segment = [0] * batch

    def take(self, real: torch.Tensor) -> torch.Tensor | None:
        """
        New content comes, `[batch, tokens]` true where it is no padding: returns what it may see, `[batch, 1, tokens,
        resident and new]`, or None where each token sees all before it.
        """
        tokens = real.shape[1]
        self.real = torch.cat([self.real, real], dim=1)
        self.positions = None
        if not any(self.thoughtful) and bool(self.real.all()):
            return None
        here = self.columns if self.layers[0].is_initialized else torch.zeros(0, dtype=torch.long, device=real.device)
        new = torch.arange(self.length - tokens, self.length, device=real.device)
        columns = torch.cat([here, new])
        seen = (new[:, None] >= columns[None, :])[None] & self.real[:, None, columns]
        near = (new[:, None] - columns[None, :] < self.config.window)[None]
        first = self.real.int().argmax(1)
        chosen = near | (columns[None] < first[:, None] + self.config.sinks)[:, None]
        for row, ranges in enumerate(self.opened):
            for begin, end in ranges:
                chosen[row] |= (columns >= begin) & (columns < end)
        free = torch.tensor([not thoughtful for thoughtful in self.thoughtful], device=real.device)
        seen = seen & (chosen | free[:, None, None])
        if self.config.recall_near and any(self.thoughtful):
            self.positions = self._in_order(columns, seen.any(1))
        return (seen | (new[:, None] == columns[None, :])[None]).unsqueeze(1)

    def _in_order(self, columns: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """
        Positions of resident content, `[batch, tokens]`: of a row with thoughts, what it sees is counted without gaps,
        and what was opened stands before the sentence that called for it, what is most relevant last.
        """
        counted = (self.real.cumsum(1) - 1).clamp_min(0)[:, columns]
        for row, thoughtful in enumerate(self.thoughtful):
            if not thoughtful:
                continue
            start = self.sentence[row]
            last = len(self.opened[row]) + 1
            place = torch.where(columns >= start, last, 0)
            for number, (begin, end) in enumerate(self.opened[row]):
                place[(columns >= begin) & (columns < end) & (columns < start)] = number + 1
            place[~seen[row]] = last + 1
            order = (place * (self.length + 1) + columns).argsort()
            counted[row, order] = torch.arange(len(columns), device=columns.device)
        return counted

    def open(self, row: int, ranges: list[tuple[int, int]]) -> None:
        """What a row attends to from now on, beside the window; the most relevant last."""
        self.thoughtful[row] = True
        longest = self.config.max_range
        self.opened[row] = [(max(begin, end - longest), end) for begin, end in ranges]

    def settle(self) -> None:
        """Sends away the pages that no row looks at, and fetches those that one does."""
        if not all(self.thoughtful):
            return
        self.keep(set().union(*(self.wanted(row) for row in range(len(self.buffers)))))

    def wanted(self, row: int) -> set[int]:
        """The pages that a row looks at: sinks, what its thoughts opened, and the window."""
        size, first = self.page_size, int(self.real[row].int().argmax())
        pages = set(range(first // size, (first + self.config.sinks - 1) // size + 1))
        for begin, end in self.opened[row]:
            pages |= set(range(begin // size, (end - 1) // size + 1))
        return pages | set(range(max(first, self.length - self.config.window) // size, (self.length - 1) // size + 1))

    def take_back(self) -> None:
        """The last token was not said yet: it will be read again under another mask."""
        self.crop(-1)
        self.real = self.real[:, :-1]
