"""All versions of a conversation in one forward of a duplex adapter, equal to step-by-step generation."""

import torch
from torch import nn

from .adapter_parts import AdapterParts
from .adapter_stream import causal_columns
from .attention_duplex import Visibility
from .cache import DuplexCache
from .layout_adapter import IncomingLine, incoming_line, protected_columns
from .packed_adapter import line_acts
from .streams import Streams


class AdapterVersions(AdapterParts):
    """The parallel forward of [`~modeling_adapter.DuplexAdapterForCausalLM`]."""

    def _marked(self, embeds: torch.Tensor, known: torch.LongTensor) -> torch.Tensor:
        """Embeddings of emitted tokens; tokens after which an update becomes visible are marked."""
        if not hasattr(self, "notice"):
            return embeds
        before = nn.functional.pad(known, (1, 0))[:, :-1]
        return embeds + ((known > before)[..., None] * self.notice).to(embeds.dtype)

    @staticmethod
    def _held(line: IncomingLine) -> torch.BoolTensor:
        """Which incoming tokens each version holds, `(batch, versions, tokens)`."""
        number = torch.arange(line.versions, device=line.ids.device)
        return (line.message[:, None] <= number[:, None]) & (line.message >= 0)[:, None]

    def _emitted_in_line(self, streams: Streams, acts: torch.Tensor | None) -> torch.Tensor:
        """Hidden states along the emitted stream, with all incoming text spliced into it."""
        updates = streams.updates()
        ids, predictor = streams.line(updates)
        positions = torch.arange(ids.shape[1], device=ids.device).expand(len(ids), -1)
        allowed = None
        if streams.prompt_ids is None and updates is None and streams.attention_mask is not None:
            mask = streams.attention_mask.bool()
            if not bool(mask.all()):
                ids, predictor = streams.input_ids, None
                positions = (mask.cumsum(1) - 1).clamp(min=0)
                allowed = causal_columns(mask, positions, ids.shape[1])
        factors = self._factors_of_line(streams, updates, ids, predictor, acts)
        visibility = Visibility(self.implementation, positions, positions, allowed)
        hidden = self.decode(self.embed(ids), positions, visibility, None, factors)
        if predictor is None:
            return hidden
        return hidden.gather(1, predictor[..., None].expand(-1, -1, hidden.shape[-1]))

    def _factors_of_line(self, streams: Streams, updates, ids, predictor, acts) -> torch.Tensor | None:
        """Where the additions act in a line, `(batch, line, 1)`; None for everywhere."""
        if not self.config.lora_rank or self._always(acts):
            return None
        known = torch.zeros_like(streams.input_ids)
        if updates is not None:
            known = (torch.arange(1, 1 + known.shape[1], device=known.device) >= updates[2][:, :1]).long()
        factors = known.float() if predictor is None else line_acts(streams, ids, predictor, known).float()
        return self._with_acts(factors, acts)[..., None]

    def _always(self, acts: torch.Tensor | None) -> bool:
        return self.config.scope == "always" if acts is None else bool(acts.all())

    @staticmethod
    def _with_acts(factors: torch.Tensor, acts: torch.Tensor | None) -> torch.Tensor:
        return factors if acts is None else torch.maximum(factors, acts.to(factors.dtype)[:, None])

    def _emitted_by_version(self, streams: Streams, acts: torch.Tensor | None) -> torch.Tensor:
        """Hidden states along the emitted stream, each token attending to the slots of its version."""
        line = self._checked_line(streams)
        mask = line.message >= 0
        gated = self.config.lora_rank > 0 and not self._always(acts)
        factors = self._with_acts((line.message > 0).float(), acts)[..., None] if gated else None
        hidden, incoming = self._read(None, line.ids, mask, line.positions, factors)
        validity = self._validity(hidden, line)

        ids = streams.input_ids
        length, known = ids.shape[1], line.known
        embeds = self._marked(self.embed(ids), known)
        positions = line.prompt_length[:, None] + torch.arange(length, device=ids.device)
        factors = self._with_acts((known > 0).float(), acts)[..., None] if gated else None
        cache = DuplexCache()
        cache.memory = _Front(tuple((layer.keys, layer.values) for layer in incoming.layers))
        visibility = self._sight_by_version(line, validity, positions)
        return self.decode(embeds, positions, visibility, cache, factors)

    def _checked_line(self, streams: Streams) -> IncomingLine:
        line = incoming_line(streams)
        longest = int((line.message >= 0).sum(1).max())
        if longest > self.config.n_slots:
            raise ValueError(
                f"prompt and updates of a row have {longest} tokens, more than n_slots ({self.config.n_slots}): "
                "raise n_slots, or train on shorter conversations."
            )
        return line

    def _validity(self, hidden: torch.Tensor, line: IncomingLine) -> torch.Tensor:
        """Log-validity of every incoming token at every version, `(batch, versions, tokens)`."""
        mask = line.message >= 0
        if not hasattr(self, "doubt") or line.versions == 1:
            return torch.zeros(len(mask), line.versions, mask.shape[1], device=mask.device)
        protected = protected_columns(
            line.ids, line.message == 0, self.config.system_prefix_ids, self.config.turn_end_token_id
        )
        numbers = torch.arange(line.versions, device=mask.device)
        return self.doubt.by_version(
            self.doubt.queries(hidden), self.doubt.keys(hidden), line.message, numbers, protected
        )

    def _sight_by_version(self, line: IncomingLine, validity: torch.Tensor, positions: torch.LongTensor) -> Visibility:
        length, known = positions.shape[1], line.known
        keys = torch.cat([line.positions, positions], dim=1)
        index = known[..., None].expand(-1, -1, line.ids.shape[1])
        slots = self._held(line).gather(1, index)
        own = causal_columns(torch.ones_like(known, dtype=torch.bool), positions, length)
        bias = nn.functional.pad(validity.gather(1, index), (0, length))
        return Visibility(self.implementation, positions, keys, torch.cat([slots, own], dim=2), bias)


class _Front:
    """Slots of a training forward: only keys and values."""

    def __init__(self, key_values):
        self.key_values = key_values


__all__ = ["AdapterVersions"]
