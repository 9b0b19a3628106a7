"""
Models with `generate_multistep()` and `get_pressure_signals()`, which generate in chunks.

The models of `modeling` are saved with a checkpoint and must not import the session controller. The classes here add
[`MultistepMixin`] as first base class: they load the same checkpoints, and are saved as the plain models.
"""

import copy
from typing import Any

import torch
from transformers import MixtralForCausalLM

from ..modeling import DualStreamForCausalLM, DuplexBaselineForCausalLM, DuplexGenerationMixin, WorkspaceForCausalLM
from .controller import Pause, SessionController
from .telemetry import Record


class MultistepMixin:
    """
    A model with a session controller of its own.

    Attributes:
        plain_class (`type`): The class it is saved as.
        controller (`SessionController`, *optional*): Controller of the last `generate_multistep`; call its `reply`.
    """

    plain_class: type
    controller: SessionController | None = None

    def generate_multistep(
        self,
        input_ids: torch.LongTensor | None = None,
        mode: str = "single_turn",
        *,
        chunk_size: int = 100,
        max_chunks: int = 10,
        tokenizer: Any = None,
        **kwargs: Any,
    ) -> Pause:
        """
        Begins a text, and generates until the first pause; `controller.reply(...)` continues.

        Args:
            input_ids (`torch.LongTensor` of shape `(1, length)`, *optional*), max_chunks, kwargs: As for
                [`SessionController.generate_with_pauses`].
            mode (`str`, *optional*, defaults to `"single_turn"`): Or `"multistep"`.
            chunk_size, tokenizer: As for [`SessionController`].
        """
        controller = SessionController(self, chunk_size, tokenizer=tokenizer)
        controller.set_mode(mode)
        pause = controller.generate_with_pauses(input_ids, max_chunks, **kwargs)
        self.controller = controller
        return pause

    def get_pressure_signals(self) -> Record:
        """
        Returns the signals after the newest token of `generate_multistep`, by name; needs no forward.

        Raises:
            ValueError: There are none yet.
        """
        if self.controller is None:
            raise ValueError("there are no signals before the first token: call `generate_multistep` first.")
        return self.controller.provider.signals().to_dict()

    def save_pretrained(self, *args: Any, **kwargs: Any) -> Any:
        """Saves the plain model: session control is not part of a checkpoint."""
        plain = copy.copy(self)
        plain.__class__ = self.plain_class
        plain.__dict__.pop("controller", None)
        return plain.save_pretrained(*args, **kwargs)


class MultistepWorkspaceForCausalLM(MultistepMixin, WorkspaceForCausalLM):
    plain_class = WorkspaceForCausalLM


class MultistepDualStreamForCausalLM(MultistepMixin, DualStreamForCausalLM):
    plain_class = DualStreamForCausalLM


class MultistepBaselineForCausalLM(MultistepMixin, DuplexBaselineForCausalLM):
    plain_class = DuplexBaselineForCausalLM


class ClockGatedMixtralForCausalLM(MultistepMixin, DuplexGenerationMixin, MixtralForCausalLM):
    """
    A Mixtral that accepts updates while it generates: a reply at a pause is spliced into its stream. Three clocks and
    the coherence of its experts decide when it pauses, and the clocks choose its tokens
    ([`~chronovisor.MixtureSignals`]).
    """

    plain_class = MixtralForCausalLM

    def __init__(self, config: Any):
        super().__init__(config)
        # A stock configuration has no fields for messages.
        for name, value in (("max_message_length", 64), ("message_separator_token_id", None)):
            setattr(config, name, getattr(config, name, value))


__all__ = [
    "ClockGatedMixtralForCausalLM",
    "MultistepBaselineForCausalLM",
    "MultistepDualStreamForCausalLM",
    "MultistepMixin",
    "MultistepWorkspaceForCausalLM",
]
