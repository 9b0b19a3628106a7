"""
The signals that pressures are computed from, read off the forward pass that chose the last token: there is no second.

A provider is a context manager that watches a model while it generates. It listens by hooks, changes no weight, and
leaves the model as it was. [`DuplexSignals`] watches our three generators; [`~chronovisor.MixtureSignals`] watches
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
    What the pressures are functions of; [`pressure`] says what each means.

    Attributes:
        router_entropy, router_margin, delta_R: For the fast clock; the first two at its pace.
        margin, trans_prob, prox_meso: For the mid clock; the margin at its pace.
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
    """Where a clock is: the basin that it is in, -1 before the first token, and how settled it is, 0 to 1."""

    current_basin: int
    confidence: float


class SignalProvider(Protocol):
    """
    Where a controller gets its signals from.

    Attributes:
        constraint_penalty (`float`): What the constraints that a user registered ask for; the controller sets it.
    """

    constraint_penalty: float

    def __enter__(self) -> Self:
        """Watches the model until `__exit__`."""

    def __exit__(self, *error: Any) -> None: ...

    def logits_processors(self) -> Sequence[LogitsProcessor]:
        """What it adds to the logits processors of `generate`, if anything."""

    def signals(self) -> Signals:
        """The signals after the newest token. Raises `ValueError` before the first one."""

    def clocks(self) -> dict[str, Clock]:
        """The fast, the mid and the slow clock."""

    def reset(self) -> None:
        """Forgets everything."""


def evenness(weights: torch.Tensor) -> torch.Tensor:
    """
    Entropy of distributions `(..., choices)` as a share of the largest one, 0 to 1, of shape `(...)`. Choices that
    have no weight at all (empty slots) are none; with less than two choices there is nothing to be uncertain of: 0.
    """
    choices = (weights > 0).sum(-1)
    entropy = torch.special.entr(weights).sum(-1)
    return (entropy / choices.clamp(min=2).log()).clamp(0.0, 1.0)


def lead(weights: torch.Tensor) -> torch.Tensor:
    """By how much the first of distributions `(..., choices)` leads the second, 0 to 1, of shape `(...)`."""
    if weights.shape[-1] < 2:
        return weights[..., 0]
    first, second = weights.topk(2, dim=-1).values.unbind(-1)
    return first - second


class ClockedSignals:
    """
    What both providers share: averages, coherence and three clocks, moved on once for each token that is chosen.
    Siblings call [`observe`] and say what its arguments are.

    It watches one conversation at a time, in the thread that entered it: forwards of other threads are not seen.
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
        Takes one step.

        Args:
            weights (`list[torch.Tensor]`, each of shape `(routers, choices)`): Distributions of every router.
            load (`torch.Tensor` of shape `(units,)`): What each oscillator bears, 0 to 1.
            state (`torch.Tensor` of shape `(width,)`): The state that the token is chosen from.
            hold (`float`): What is left of the coupling between oscillators, 0 to 1.
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
    """An [`~probes.AttentionProbe`] that keeps the newest query of one row, head by head, `(heads, columns)`."""

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
        # An update that is spliced into some rows is read by those alone, before the step of all of them.
        if self.here and self.row < len(weights):
            self._weights[kind].append(weights.detach()[self.row, :, -1])

    def weights(self, kind: str) -> list[torch.Tensor]:
        """The weights of each layer, of `cross` or `own` attention."""
        return self._weights[kind]


def held_columns(weights: torch.Tensor) -> torch.Tensor:
    """The columns of `(heads, columns)` that hold anything: what fills up a row of a batch has no weight."""
    return weights.sum(0).nonzero().flatten()


@torch.no_grad()
def workspace_motion(before: Workspace, after: Workspace, row: int = 0) -> float:
    """
    How much of what a workspace of one row held a message changed, which is now a row of another one, 0 to 1: validity
    lost and gained, as a share of all that was or is believed; for latent slots, the mean relative motion of a slot, 1
    at most.
    """
    old_ids, new_ids = before.slot_ids[0], after.slot_ids[row]
    believed, now = before.validity[0], after.validity[row]
    if bool((new_ids >= 0).all()) and bool(torch.equal(old_ids, new_ids)):
        slots = before.slots[0]
        moved = (after.slots[row] - slots).norm(dim=-1) / slots.norm(dim=-1).clamp(min=1e-6)
        return float(torch.maximum(moved, (believed - now).abs()).clamp(max=1.0).mean())
    same = (old_ids[:, None] == new_ids) & (new_ids >= 0)
    old = same.float().T @ believed  # what each slot that is held now was believed before
    kept = torch.minimum(old, now).sum()
    whole = believed.sum() + now.sum() - kept
    return float((1 - kept / whole.clamp(min=1e-6)).clamp(0.0, 1.0))


class DuplexSignals(ClockedSignals):
    """
    Signals of our generators. What an expert is to a mixture, a head of attention is here:

    - a router's distribution is that of a head over what it can attend to: slots, tokens of the second stream, columns
      of its own stream (a workspace holds no incoming token there: it is left out);
    - what a head bears is how far its gate is open times what it attends to beside the first column. In
      cross-attention that column is hearing nothing; in self-attention, the first token is where heads rest
      (arXiv 2309.17453);
    - a workspace that has just moved loosens the coupling of the heads, as far as it moved; where there is none, a
      second stream or an own stream that has just grown by an update does. This wears off at the pace of the fast
      clock.

    While it watches, attention is computed by the eager implementation, which alone keeps its weights.

    Args:
        model (`PreTrainedModel`): A generator, with its head.

    Attributes:
        row (`int`): Which row of a batch it watches; to be set before it is entered.
        is_live (`Callable[[], bool]`): Whether that row takes part in the step under way: others are filled up.
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
        """What the row's workspace has moved since the last step."""
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
        # Attention to nothing but nothing has no choice.
        heard = [part for part in cross if len(held_columns(part)) > 1]
        gates = [float(layer.cross_gate.detach().tanh().abs()) for layer in self.model.model.layers] if cross else []
        loads = [gate * (1 - part[:, 0]) for gate, part in zip(gates, cross, strict=True)]
        loads += [1 - part[:, held_columns(part)[0]] for part in own]
        self.observe([*heard, *own], torch.cat(loads), args[0][self.row, -1], 1 - self.motion)
        self.motion *= DECAYS["fast"]

    def _grow(self, columns: int) -> None:
        """Motion of a stream that has grown: the share of its columns that did not come with the last token."""
        if self.steps and columns > self._columns + 1:
            self.motion = max(self.motion, (columns - self._columns - 1) / columns)
        self._columns = columns
