"""The content's keys and values: append-only, in pages that can leave for the processor's memory and come back."""

from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin
from transformers.models.llama.modeling_llama import rotate_half


class PagedContentLayer(CacheLayerMixin):
    """One layer: rotated keys, values, and beside them the keys before rotation, which the thought track reads."""

    is_sliding = False
    is_croppable = True

    def __init__(self, page_size: int):
        super().__init__()
        self.page_size = page_size
        self.raw: Any = None
        self.resident: Any = None
        self.away: dict[int, torch.Tensor] = {}
        self.length = 0
        self.fresh: torch.Tensor | None = None
        self.rotation: tuple[torch.Tensor, torch.Tensor] | None = None

    def lazy_initialization(self, key_states, value_states):
        """The first tokens say where the pages live."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self.keys = key_states[:, :, :0]
        self.values, self.raw = value_states[:, :, :0], key_states[:, :, :0]
        self.resident = torch.zeros(0, dtype=torch.long, device=self.device)
        self.is_initialized = True

    def update(self, key_states, value_states, *args, **kwargs):
        """Appends `[batch, key heads, tokens, head size]`; returns what is resident."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        raw = key_states if self.fresh is None else self.fresh
        self.fresh = None
        self.keys = torch.cat([self.keys, key_states], dim=2)
        self.values = torch.cat([self.values, value_states], dim=2)
        self.raw = torch.cat([self.raw, raw], dim=2)
        new = torch.arange(self.length, self.length + key_states.shape[2], device=self.device)
        self.resident = torch.cat([self.resident, new])
        self.length += len(new)
        if self.rotation is not None:
            cosine, sine = self.rotation
            return self.raw * cosine + rotate_half(self.raw) * sine, self.values
        return self.keys, self.values

    def keep(self, wanted: set[int]) -> None:
        """Makes exactly these whole pages, and the page that is being filled, resident."""
        if not self.is_initialized:
            return
        here = set((self.resident // self.page_size).tolist())
        last = self.length // self.page_size
        wanted = {page for page in wanted if page * self.page_size < self.length} | {last}
        if here - wanted:
            pages = self.resident // self.page_size
            for page in here - wanted:
                columns = pages == page
                self.away[page] = torch.stack([t[:, :, columns].cpu() for t in (self.keys, self.values, self.raw)])
            stays = torch.isin(pages, torch.tensor(sorted(wanted), device=self.device))
            self._take(stays.nonzero().squeeze(-1))
        back = sorted(wanted & set(self.away))
        for page in back:
            keys, values, raw = self.away.pop(page).to(self.device)
            first = page * self.page_size
            at = int((self.resident < first).sum())
            self.keys, self.values, self.raw = (
                torch.cat([old[:, :, :at], come, old[:, :, at:]], dim=2)
                for old, come in ((self.keys, keys), (self.values, values), (self.raw, raw))
            )
            new = torch.arange(first, first + keys.shape[2], device=self.device)
            self.resident = torch.cat([self.resident[:at], new, self.resident[at:]])

    def _take(self, columns: torch.Tensor) -> None:
        self.keys, self.values, self.raw = (t[:, :, columns] for t in (self.keys, self.values, self.raw))
        self.resident = self.resident[columns]

    def crop(self, max_length: int) -> None:
        """Takes back the last tokens: a negative number says how many."""
        if max_length >= 0:
            raise ValueError("`max_length`: content is append-only; say how many tokens to take back (negative).")
        self.length += max_length
        self._take((self.resident < self.length).nonzero().squeeze(-1))

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Keys that a forward of so many tokens meets, and where they begin."""
        return (len(self.resident) if self.is_initialized else 0) + query_length, 0

    def get_seq_length(self) -> int:
        """Tokens said so far, resident or away."""
        return self.length

    def get_max_length(self) -> int:
        """Without a bound."""
        return -1

    def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
        """Rows in another order."""
        self.batch_select_indices(beam_idx)

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Only these rows."""
        self.keys, self.values, self.raw = (t[indices.to(t.device)] for t in (self.keys, self.values, self.raw))
        self.away = {page: stored[:, indices.cpu()] for page, stored in self.away.items()}


class PagedContentCache(Cache):
    """Pages of all layers. What is resident is the same in each."""

    def __init__(self, layers: int, page_size: int):
        super().__init__(layers=[PagedContentLayer(page_size) for _ in range(layers)])
        self.page_size = page_size

    @property
    def columns(self) -> torch.Tensor:
        """Which tokens are resident, in order."""
        return self.layers[0].resident

    @property
    def total_pages(self) -> int:
        """Pages of what was said so far."""
        return -(-self.layers[0].length // self.page_size)

    @property
    def resident_pages(self) -> int:
        """Pages of it that are on the device."""
        layer = self.layers[0]
        return len(set((layer.resident // self.page_size).tolist())) if layer.is_initialized else 0

    def rotate(self, rotation: tuple[torch.Tensor, torch.Tensor] | None) -> None:
        """Keys are read at other positions than they were said at, until this is taken back with None."""
        for layer in self.layers:
            layer.rotation = rotation

    def keep(self, wanted: set[int]) -> None:
        """Makes exactly these pages resident, in every layer."""
        for layer in self.layers:
            layer.keep(wanted)
