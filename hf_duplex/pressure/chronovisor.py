"""
Signals of the mixture-of-experts models of transformers (such as Mixtral): router logits, coherence of the experts,
three clocks over the hidden states, and a tournament in which the clocks choose among candidate tokens.
"""

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Self

import torch
from torch import nn
from transformers import LogitsProcessor

from .clocks import ClockHead
from .signals import CLOCKS, ClockedSignals


def find_routers(model: Any) -> list[tuple[nn.Module, int]]:
    """
    Returns the routers of a model, layer by layer, each with the index of its output that holds the logits; empty if
    there are none. They are found as transformers finds them for `output_router_logits`.
    """
    recorded = (getattr(model.base_model, "_can_record_outputs", None) or {}).get("router_logits")
    if recorded is None:
        return []
    recorders = recorded if isinstance(recorded, list) else [recorded]
    return [
        (module, recorder.index)
        for name, module in model.base_model.named_modules()
        for recorder in recorders
        if isinstance(module, recorder.target_class) and (recorder.layer_name is None or recorder.layer_name in name)
    ]


class Tournament(LogitsProcessor):
    """
    Chooses a token by elimination. The `candidates` most likely tokens enter. The fast, mid and slow clock each run
    one round, keeping the better half by log-probability plus `say` times the clock's score. The winner is emitted.

    A clock's score of a candidate, -1 to 1: how near the clock would stay to its basin if the candidate's row of the
    output embedding were the next state. With a `say` of 0.5, no clock overrules a likelihood ratio of e.

    Args:
        heads (`dict[str, ClockHead]`): The three clocks.
        embedding (`torch.Tensor` of shape `(vocab_size, width)`): The output embedding.
        candidates (`int`, *optional*, defaults to 8): Number of candidates; 1 is greedy decoding.
        say (`float`, *optional*, defaults to 0.5): Weight of the clocks' scores.
    """

    def __init__(
        self, heads: dict[str, ClockHead], embedding: torch.Tensor, candidates: int = 8, say: float = 0.5
    ) -> None:
        self.heads, self.embedding, self.candidates, self.say = heads, embedding, candidates, say

    def __call__(self, input_ids: torch.LongTensor, scores: torch.Tensor) -> torch.Tensor:
        winners = torch.stack([self.winner(row) for row in scores.float().log_softmax(-1)])
        return torch.full_like(scores, -torch.inf).scatter(1, winners[:, None], 0.0)

    def winner(self, log_probs: torch.Tensor) -> torch.Tensor:
        """Returns the winning token, of shape `()`, given log-probabilities of shape `(vocab_size,)`."""
        likely = log_probs.topk(min(self.candidates, len(log_probs)))
        # Tokens that another processor has excluded do not enter.
        chances, tokens = (part[likely.values.isfinite()] for part in likely)
        for name in CLOCKS:
            if len(tokens) < 2:
                break
            clocked = self.heads[name].score(self.embedding[tokens]).to(chances.device)
            # A stable sort: among equal scores the more likely token survives.
            order = (chances + self.say * clocked).argsort(descending=True, stable=True)
            survivors = order[: (len(tokens) + 1) // 2]
            chances, tokens = chances[survivors], tokens[survivors]
        return tokens[0]


class MixtureSignals(ClockedSignals):
    """
    Signals of a mixture-of-experts model.

    Entropy and margin are computed from each router's softmax over all experts, averaged over routers. Every expert
    of every layer is an oscillator whose load is its share of the routing. The clocks run over the last hidden states.

    Args:
        model (`PreTrainedModel`): The model, with its head.
        candidates (`int`, *optional*, defaults to 8): How many tokens enter the tournament; 0 disables it, and
            `generate` chooses.
        say (`float`, *optional*, defaults to 0.5): Weight of the clocks' scores in it.

    Raises:
        ValueError: The model has no routers, or an argument is out of range.
    """

    def __init__(self, model: Any, candidates: int = 8, say: float = 0.5):
        if candidates < 0:
            raise ValueError(f"`candidates` must be 0 (no tournament) or more, got {candidates}.")
        if say < 0:
            raise ValueError(f"`say` must be 0 or more, got {say}.")
        self.model, self.candidates, self.say = model, candidates, say
        self.routers = find_routers(model)
        if not self.routers:
            raise ValueError(
                f"`model` is a {model.config.model_type} model, which has no routers: give a mixture-of-experts model "
                "of transformers, such as Mixtral."
            )
        super().__init__()

    def __enter__(self) -> Self:
        self._thread = threading.get_ident()
        self._logits: dict[int, torch.Tensor] = {}
        self._open = ExitStack()
        # Compiled blocks would skip the hooks.
        self._open.enter_context(torch.compiler.set_stance("force_eager"))
        for layer, (router, index) in enumerate(self.routers):
            self._open.callback(router.register_forward_hook(self._route(layer, index)).remove)
        self._open.callback(self.model.get_output_embeddings().register_forward_pre_hook(self._step).remove)
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.close()

    def _route(self, layer: int, index: int) -> Any:
        def hook(module: nn.Module, args: tuple, output: Any) -> None:
            if threading.get_ident() == self._thread:
                logits = output if isinstance(output, torch.Tensor) else output[index]
                self._logits[layer] = logits.detach().flatten(0, -2)[-1]

        return hook

    def _step(self, module: nn.Module, args: tuple) -> None:
        if threading.get_ident() != self._thread:
            return
        shares = [self._logits[layer].float().softmax(-1) for layer in range(len(self.routers))]
        self.observe([share[None] for share in shares], torch.cat(shares), args[0][0, -1], hold=1.0)

    def logits_processors(self) -> Sequence[LogitsProcessor]:
        if not self.candidates:
            return ()
        embedding = self.model.get_output_embeddings().weight.detach()
        return (Tournament(self.heads, embedding, self.candidates, self.say),)
