"""
Signals are the inputs of the pressures. They are read from the forward pass that chose the last token, without an
extra forward.

A provider is a context manager that measures a model while it generates. It uses hooks, changes no weight, and
restores the model on exit. [`DuplexSignals`] measures our three generators; [`~chronovisor.MixtureSignals`] measures
mixture-of-experts models of transformers.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, Self

import torch
from transformers import LogitsProcessor

from ..modeling import DuplexCache, Workspace
from .clocks import Average, ClockHead, Coherence
from .probes import AttentionProbe


CLOCKS = ("fast", "mid", "slow")
DECAYS = {"fast": 0.5, "mid": 0.9, "slow": 0.99}
MOST_BASINS = {"fast": 16, "mid": 8, "slow": 4}
REACH = {"fast": 0.6, "mid": 0.85, "slow": 0.98}


@dataclass(frozen=True)
class Signals:
    """
    Inputs of the pressures; [`pressure`] explains each.

    Attributes:
        router_entropy, router_margin, delta_R: For the fast clock; the first two averaged with its decay.
        margin, trans_prob, prox_meso: For the mid clock; the margin averaged with its decay.
        prox_macro, constraint_penalty, confidence: For the slow clock.
    """

    router_entropy: float
    router_margin: float
    delta_R: float
    margin: float
    trans_prob: float
    prox_meso: float
    prox_macro: float
    constraint_penalty: float
    confidence: float

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True)
class Clock:
    """State of a clock: its current basin, -1 before the first token, and how settled it is, 0 to 1."""

    current_basin: int
    confidence: float


class SignalProvider(Protocol):
    """
    Source of a controller's signals.

    Attributes:
        constraint_penalty (`float`): Sum of the penalties of the registered constraints; set by the controller.
    """

    constraint_penalty: float

    def __enter__(self) -> Self:
        """Measures the model until `__exit__`."""

    def __exit__(self, *error: Any) -> None: ...

    def logits_processors(self) -> Sequence[LogitsProcessor]:
        """Logits processors to add to those of `generate`; may be empty."""

    def signals(self) -> Signals:
        """The signals after the newest token. Raises `ValueError` before the first one."""

    def clocks(self) -> dict[str, Clock]:
        """State of the fast, the mid and the slow clock."""

    def reset(self) -> None:
        """Forgets everything."""


def evenness(weights: torch.Tensor) -> torch.Tensor:
    """
    Entropy of distributions `(..., choices)` divided by its maximum, 0 to 1, of shape `(...)`. Choices without any
    weight (empty slots) do not count; with less than two choices it is 0.
    """
    choices = (weights > 0).sum(-1)
    entropy = torch.special.entr(weights).sum(-1)
    return (entropy / choices.clamp(min=2).log()).clamp(0.0, 1.0)


def lead(weights: torch.Tensor) -> torch.Tensor:
    """Largest minus second largest weight of distributions `(..., choices)`, 0 to 1, of shape `(...)`."""
    if weights.shape[-1] < 2:
        return weights[..., 0]
    first, second = weights.topk(2, dim=-1).values.unbind(-1)
    return first - second


class ClockedSignals:
    """
    Base class of both providers: averages, coherence and three clocks, updated once for each token that is chosen.
    Subclasses call [`observe`].

    It measures one conversation at a time, in the thread that entered it; forwards of other threads are ignored.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets everything."""
        self.heads = {name: ClockHead(DECAYS[name], MOST_BASINS[name], REACH[name]) for name in CLOCKS}
        self.coherence = Coherence(DECAYS["mid"])
        self.entropy, self.router_margin = Average(DECAYS["fast"]), Average(DECAYS["fast"])
        self.margin = Average(DECAYS["mid"])
        self.constraint_penalty = 0.0
        self.steps = 0

    def observe(self, weights: list[torch.Tensor], load: torch.Tensor, state: torch.Tensor, hold: float) -> None:
        """
        Updates all signals for one token.

        Args:
            weights (`list[torch.Tensor]`, each of shape `(routers, choices)`): Distributions of every router.
            load (`torch.Tensor` of shape `(units,)`): Load of each oscillator, 0 to 1.
            state (`torch.Tensor` of shape `(width,)`): The state that the token is chosen from.
            hold (`float`): Factor on the coupling between oscillators, 0 to 1.
        """
        gap = float(torch.cat([lead(part) for part in weights]).mean())
        self.entropy.step(float(torch.cat([evenness(part) for part in weights]).mean()))
        self.router_margin.step(gap)
        self.margin.step(gap)
        self.coherence.step(load, hold)
        for head in self.heads.values():
            head.step(state)
        self.steps += 1

    def logits_processors(self) -> Sequence[LogitsProcessor]:
        return ()

    def signals(self) -> Signals:
        if self.entropy.value is None or self.router_margin.value is None or self.margin.value is None:
            raise ValueError("there are no signals before the first token: generate some text first.")
        mid, slow = self.heads["mid"], self.heads["slow"]
        return Signals(
            router_entropy=self.entropy.value,
            router_margin=self.router_margin.value,
            delta_R=self.coherence.delta_R,
            margin=self.margin.value,
            trans_prob=mid.trans_prob,
            prox_meso=mid.proximity,
            prox_macro=slow.proximity,
            constraint_penalty=self.constraint_penalty,
            confidence=slow.confidence,
        )

    def clocks(self) -> dict[str, Clock]:
        return {name: Clock(head.current_basin, head.confidence) for name, head in self.heads.items()}


class HeadProbe(AttentionProbe):
    """An [`~probes.AttentionProbe`] that keeps the weights of the newest query of one row, `(heads, columns)`."""

    def __init__(self, model: Any, own: bool, row: int = 0):
        super().__init__(model, own)
        self.thread, self.row = threading.get_ident(), row

    @property
    def here(self) -> bool:
        return threading.get_ident() == self.thread

    def _start(self, module: Any, args: tuple) -> None:
        if self.here:
            super()._start(module, args)

    def _cross(self, module: Any, args: tuple, output: tuple) -> None:
        self._keep("cross", output[1])

    def _self(self, module: Any, args: tuple, output: tuple) -> None:
        self._keep("own", output[1])

    def _keep(self, kind: str, weights: torch.Tensor) -> None:
        # A splice into some rows runs a forward of these rows alone, before the step of the whole batch.
        if self.here and self.row < len(weights):
            self._weights[kind].append(weights.detach()[self.row, :, -1])

    def weights(self, kind: str) -> list[torch.Tensor]:
        """The weights of each layer, of `cross` or `own` attention."""
        return self._weights[kind]


def held_columns(weights: torch.Tensor) -> torch.Tensor:
    """The columns of `(heads, columns)` with any weight: the padding of a row has none."""
    return weights.sum(0).nonzero().flatten()


@torch.no_grad()
def workspace_motion(before: Workspace, after: Workspace, row: int = 0) -> float:
    """
    How much a message changed a workspace, 0 to 1. `before` has one row, which is `row` of `after`. Validity slots:
    validity lost and gained, as a fraction of the total before or after. Latent slots: the mean relative change of a
    slot, clipped at 1.
    """
    old_ids, new_ids = before.slot_ids[0], after.slot_ids[row]
    believed, now = before.validity[0], after.validity[row]
    if bool((new_ids >= 0).all()) and bool(torch.equal(old_ids, new_ids)):
        slots = before.slots[0]
        moved = (after.slots[row] - slots).norm(dim=-1) / slots.norm(dim=-1).clamp(min=1e-6)
        return float(torch.maximum(moved, (believed - now).abs()).clamp(max=1.0).mean())
    same = (old_ids[:, None] == new_ids) & (new_ids >= 0)
    old = same.float().T @ believed  # earlier validity of each current slot
    kept = torch.minimum(old, now).sum()
    whole = believed.sum() + now.sum() - kept
    return float((1 - kept / whole.clamp(min=1e-6)).clamp(0.0, 1.0))


class DuplexSignals(ClockedSignals):
    """
    Signals of our generators. An attention head takes the role of an expert:

    - the routing distribution is a head's attention over slots, tokens of the second stream, or columns of its own
      stream (the last is left out for the workspace model, whose own stream has no incoming tokens);
    - the load of a head is its gate times its attention outside the first column. In cross-attention that column is
      attention to nothing; in self-attention, the first token is an attention sink (arXiv 2309.17453);
    - a change of the workspace reduces the coupling of the heads in proportion. Without a workspace, growth of the
      second or own stream by an update does. The effect decays at the rate of the fast clock.

    While it measures, attention uses the eager implementation, the only one that returns its weights.

    Args:
        model (`PreTrainedModel`): A generator, with its head.

    Attributes:
        row (`int`): Which row of a batch it measures; set it before entering.
        is_live (`Callable[[], bool]`): Whether that row takes part in the current step; other rows are padded.
    """

    def __init__(self, model: Any):
        self.model, self.row = model, 0
        self.is_live: Callable[[], bool] = lambda: True
        self.has_workspace = model.config.model_type == "duplex_workspace"
        super().__init__()

    def reset(self) -> None:
        super().reset()
        self.motion = 0.0
        self._columns = 0
        self._held: Workspace | None = None

    def __enter__(self) -> Self:
        self.probe = HeadProbe(self.model, not self.has_workspace, self.row)
        self.probe.__enter__()
        self.probe.keep(self.model.get_output_embeddings().register_forward_pre_hook(self._step))
        if self.has_workspace:
            self.probe.keep(self.model.model.register_forward_pre_hook(self._move, with_kwargs=True))
        return self

    def __exit__(self, *error: Any) -> None:
        self.probe.__exit__(*error)

    def _move(self, module: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        """Measures how far the row's workspace changed since the last step."""
        cache = kwargs.get("past_key_values")
        if not self.probe.here or not self.is_live() or not isinstance(cache, DuplexCache) or cache.memory is None:
            return
        version = int(cache.memory.version[self.row])
        if self._held is not None and version != int(self._held.version[0]) and self.steps:
            self.motion = max(self.motion, workspace_motion(self._held, cache.memory, self.row))
        if self._held is None or version != int(self._held.version[0]):
            self._held = cache.memory.map(lambda tensor: tensor[self.row : self.row + 1].clone())

    def _step(self, module: Any, args: tuple) -> None:
        if not self.probe.here or not self.is_live():
            return
        cross, own = self.probe.weights("cross"), self.probe.weights("own")
        if not self.has_workspace:
            self._grow(sum(len(held_columns(part)) for part in (*cross[:1], *own[:1])))
        # With only the column for attention to nothing, there is no choice.
        heard = [part for part in cross if len(held_columns(part)) > 1]
        gates = [float(layer.cross_gate.detach().tanh().abs()) for layer in self.model.model.layers] if cross else []
        loads = [gate * (1 - part[:, 0]) for gate, part in zip(gates, cross, strict=True)]
        loads += [1 - part[:, held_columns(part)[0]] for part in own]
        self.observe([*heard, *own], torch.cat(loads), args[0][self.row, -1], 1 - self.motion)
        self.motion *= DECAYS["fast"]

    def _grow(self, columns: int) -> None:
        """Motion of a grown stream: the fraction of its columns that were added, beyond the last token."""
        if self.steps and columns > self._columns + 1:
            self.motion = max(self.motion, (columns - self._columns - 1) / columns)
        self._columns = columns
