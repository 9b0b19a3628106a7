"""
Probes record what happens inside a model while it reads updates and generates. A probe is a context manager that uses
hooks, changes no result, and restores the model on exit.
"""

from contextlib import ExitStack
from typing import Any, Self

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from ..modeling import DuplexAdapterForCausalLM
from ..modeling.layers import DuplexCrossDecoderLayer
from ..modeling.update_latent import GatedUpdate, GRUUpdate


def gru_openness(cell: nn.GRUCell, inputs: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """How much of its new value a GRU cell takes, 1 minus its update gate: (n, d), (n, d) -> (n, d)."""
    _, from_inputs, _ = nn.functional.linear(inputs, cell.weight_ih, cell.bias_ih).chunk(3, dim=-1)
    _, from_hidden, _ = nn.functional.linear(hidden, cell.weight_hh, cell.bias_hh).chunk(3, dim=-1)
    return 1 - (from_inputs + from_hidden).sigmoid()


class Probe:
    """Base class of the probes: registers hooks, and removes them on exit."""

    def __init__(self) -> None:
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self.attach()
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.close()

    def attach(self) -> None:
        raise TypeError(f"{type(self).__name__} must define `attach()`, which puts its hooks on.")

    def keep(self, handle: RemovableHandle) -> None:
        self._open.callback(handle.remove)


class GateProbe(Probe):
    """
    How far the gates of a latent update rule open (`gated`, `gru` and `slot` have gates).

    Attributes:
        openness (`list[torch.Tensor]`): For each message that was applied while the probe was active, the mean over
            the width, 0 to 1, of shape `(batch, n_slots)`. Empty for a rule without gates.
    """

    def __init__(self, rule: nn.Module):
        super().__init__()
        self.rule = rule
        self.openness: list[torch.Tensor] = []

    def attach(self) -> None:
        if isinstance(self.rule, GatedUpdate):
            self.keep(self.rule.gate.register_forward_hook(self._gate))
        elif isinstance(self.rule, GRUUpdate):
            self.keep(self.rule.cell.register_forward_hook(self._cell))

    def _gate(self, module: nn.Module, args: tuple, output: torch.Tensor) -> None:
        self.openness.append(output.detach().sigmoid().mean(-1))

    def _cell(self, module: nn.GRUCell, args: tuple, output: torch.Tensor) -> None:
        openness = gru_openness(module, args[0].detach(), args[1].detach()).detach().mean(-1)
        self.openness.append(openness.unflatten(0, (-1, self.rule.n_slots)))


class AttentionProbe(Probe):
    """
    Attention weights of the newest forward of a generator. While the probe is active, attention uses the eager
    implementation, the only one that returns its weights.

    Args:
        model (`PreTrainedModel`): Any of the three generators, with its head.
        own (`bool`, *optional*, defaults to `True`): Keep the weights of self-attention too.
    """

    def __init__(self, model: Any, own: bool = True):
        super().__init__()
        self.model, self._own = model, own
        self._weights: dict[str, list[torch.Tensor]] = {"cross": [], "own": []}

    def attach(self) -> None:
        # Compiled blocks would skip the hooks.
        self._open.enter_context(torch.compiler.set_stance("force_eager"))
        before = self.model.config._attn_implementation
        self._open.callback(self.model.set_attn_implementation, before)
        self.model.set_attn_implementation("eager")
        self.keep(self.model.model.register_forward_pre_hook(self._start))
        for layer in self.model.model.layers:
            if isinstance(layer, DuplexCrossDecoderLayer):
                self.keep(layer.cross_attn.register_forward_hook(self._cross))
            if self._own:
                self.keep(layer.self_attn.register_forward_hook(self._self))

    def _start(self, module: nn.Module, args: tuple) -> None:
        self._weights = {"cross": [], "own": []}

    def _cross(self, module: nn.Module, args: tuple, output: tuple) -> None:
        self._weights["cross"].append(output[1].detach().mean(1))

    def _self(self, module: nn.Module, args: tuple, output: tuple) -> None:
        self._weights["own"].append(output[1].detach().mean(1))

    @property
    def cross(self) -> torch.Tensor | None:
        """
        Cross-attention, averaged over layers and heads, of shape `(batch, queries, 1 + slots)`: the first column is
        attention to nothing. None for a generator without cross-attention.
        """
        return torch.stack(self._weights["cross"]).mean(0) if self._weights["cross"] else None

    @property
    def own(self) -> torch.Tensor | None:
        """Self-attention, averaged over layers and heads, of shape `(batch, queries, columns)`."""
        return torch.stack(self._weights["own"]).mean(0) if self._weights["own"] else None


class AdapterAttentionProbe(Probe):
    """
    Attention weights of a duplex adapter's newest forward, in the attention layers of its base. While it is active,
    attention uses the eager implementation of the base, the only one that returns its weights.

    Args:
        model (`DuplexAdapterForCausalLM`): The adapter.
    """

    def __init__(self, model: DuplexAdapterForCausalLM):
        super().__init__()
        self.model = model
        self._weights: list[torch.Tensor] = []

    def attach(self) -> None:
        if not self.model.routed:
            return
        before = self.model.implementation
        self._open.callback(setattr, self.model, "implementation", before)
        self.model.implementation = "eager"
        self.keep(self.model.decoder.register_forward_pre_hook(self._start))
        for layer in getattr(self.model.decoder, "layers", ()):
            attention = getattr(layer, "self_attn", None)
            if attention is not None:
                self.keep(attention.register_forward_hook(self._look))

    def _start(self, module: nn.Module, args: tuple) -> None:
        self._weights = []

    def _look(self, module: nn.Module, args: tuple, output: tuple) -> None:
        if isinstance(output, tuple) and len(output) > 1 and output[1] is not None:
            self._weights.append(output[1].detach().mean(1))

    @property
    def weights(self) -> torch.Tensor | None:
        """
        Attention averaged over layers and heads, `(batch, queries, columns)`: slots, those of the prompt last, then
        the stream itself. None if the base does not return its weights.
        """
        same = len({weights.shape for weights in self._weights}) == 1
        return torch.stack(self._weights).mean(0) if same else None
