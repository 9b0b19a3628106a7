"""
The session controller generates a text in chunks. The balance of pressures decides after each chunk whether to pause;
the user decides when to continue.

It is never agentic: in multistep mode every chunk ends in a pause, and only a call of [`~SessionController.reply`] by
the user ends a pause. This module has no thread, timer or queue.

The formulas are in [`pressure`], their inputs in [`signals`]; decoding is `generate` of transformers.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from ..modeling import DuplexCache, DuplexGenerationMixin, Interrupt, InterruptError, encode_update
from .balance import weigh
from .chronovisor import MixtureSignals, find_routers
from .pressure import BRAKE, MODES, Mode, compute_fast_pressure, compute_residual_intent, hold_lone_veto, should_pause
from .signals import DuplexSignals, SignalProvider
from .telemetry import Listener, Record, make_record


COMMANDS = ("multistep on", "multistep off", "end loop")

SENTENCE_END = re.compile(r"""(?:[!?…]|(?<!\d)\.|\.(?=["'”’)\]]*\s))["'”’)\]]*\s*$|\n\s*$""")
# A full stop behind a digit may be a decimal point: it ends a sentence once the next token opens with white space.
NUMBER_END = re.compile(r"""\d\.["'”’)\]]*$""")
# Number of final tokens that are decoded to detect the end of a sentence.
TAIL = 8

Constraint = Callable[[str], float]


@dataclass(frozen=True)
class Pause:
    """
    The tokens emitted since the last user input, and the reason for the pause.

    Attributes:
        reason (`str`): One of `telemetry.PAUSE_REASONS`.
        token_ids (`list[int]`): The emitted tokens.
        text (`str`, *optional*): The same as text; None without a tokenizer.
        chunks (`int`): Number of chunks.
        ended (`bool`): Whether the model ended its text: only a reply with text continues from there.
        record (`dict`): Telemetry of the last chunk.
    """

    reason: str
    token_ids: list[int]
    text: str | None
    chunks: int
    ended: bool
    record: Record


@dataclass
class Turn:
    """
    A text that is being generated.

    Attributes:
        inputs (`dict`): Inputs of `generate`: the streams at first, later the sequence so far.
        options (`dict`): Further arguments of every `generate` call.
        max_chunks (`int`): The text stops after this many chunks.
        cache (`DuplexCache`): Generation state.
        chunks (`int`): Number of chunks emitted.
        said (`list[int]`): All emitted tokens.
        ended (`bool`): Whether the model ended the text.
    """

    inputs: dict[str, Any]
    options: dict[str, Any]
    max_chunks: int
    cache: DuplexCache
    chunks: int = 0
    said: list[int] = field(default_factory=list)
    ended: bool = False


class ChunkEnd(StoppingCriteria):
    """
    Ends a chunk at the sentence end nearest to `size` tokens, at `longest` if there is none, and at once when the fast
    clock brakes.

    At each sentence end, the mean sentence length of this chunk predicts whether the next one would be nearer: looking
    ahead would generate beyond a pause. Without a tokenizer, sentence ends are not detected.
    """

    def __init__(self, size: int, longest: int, tokenizer: Any, brake: Callable[[], bool]):
        self.size, self.longest, self.tokenizer, self.brake = size, longest, tokenizer, brake
        self.start: int | None = None
        self.sentences = 0

    def __call__(self, input_ids: torch.LongTensor, scores: Any, **kwargs: Any) -> torch.BoolTensor:
        if self.start is None:
            # The first call comes after the first token.
            self.start = input_ids.shape[1] - 1
        done = self.brake() or self.is_over(input_ids[0, self.start :].tolist())
        return torch.full((input_ids.shape[0],), done, dtype=torch.bool, device=input_ids.device)

    def is_over(self, said: list[int]) -> bool:
        """Returns whether the chunk ends after these tokens."""
        if self.tokenizer is None:
            return len(said) >= self.size
        text, before = (
            self.tokenizer.decode(part, skip_special_tokens=True) for part in (said[-TAIL:], said[-TAIL:-1])
        )
        late = NUMBER_END.search(before) is not None and text[len(before) :][:1].isspace()
        if SENTENCE_END.search(text) is None and not late:
            return len(said) >= self.longest
        self.sentences += 1
        return len(said) >= self.longest or len(said) + len(said) / self.sentences / 2 >= self.size


def provider_for(model: Any) -> SignalProvider:
    """
    Returns the signal provider for a model.

    Raises:
        ValueError: The model is neither one of our generators nor a mixture of experts.
    """
    if model.config.model_type in ("duplex_workspace", "duplex_dual_stream", "duplex_baseline"):
        return DuplexSignals(model)
    if find_routers(model):
        return MixtureSignals(model)
    raise ValueError(
        f"`model` is a {model.config.model_type} model, which has neither slots nor experts to read signals from: "
        "give a `provider` of your own."
    )


def encode_reply(tokenizer: Any, text: str) -> list[int]:
    """Encodes what a user typed: as an update if the tokenizer has an update token, else as plain text."""
    if getattr(tokenizer, "update_token_id", None) is not None:
        return encode_update(tokenizer, text)
    return tokenizer(f" {text}", add_special_tokens=False, split_special_tokens=True)["input_ids"]


class SessionController:
    """
    One conversation with a model that generates in chunks.

    Args:
        model (`PreTrainedModel`): One of our generators, or any causal language model of transformers with
            [`~modeling.DuplexGenerationMixin`] as first base (as [`~multistep.ClockGatedMixtralForCausalLM`]).
        chunk_size (`int`, *optional*, defaults to 100): Tokens in a chunk. With a tokenizer, a chunk ends at the
            sentence end nearest to that, at most 1.5 times as long.
        tokenizer (*optional*): Its tokenizer; without one, replies have no text and sentence ends are not detected.
        provider (`SignalProvider`, *optional*): Source of the signals; by default that of [`provider_for`].
        on_record (`Callable[[dict], None]`, *optional*): Receives each chunk's telemetry.

    Attributes:
        mode (`str`): `single_turn` or `multistep`.
        residual_intent (`float`): How much is unfinished, 0 to 1; carried from chunk to chunk.
        chunk_id (`int`): Number of the last chunk since "end loop", from 1.

    Raises:
        ValueError: An argument is unusable; the message names it.
    """

    def __init__(
        self,
        model: Any,
        chunk_size: int = 100,
        *,
        tokenizer: Any = None,
        provider: SignalProvider | None = None,
        on_record: Listener | None = None,
    ):
        if chunk_size < 1:
            raise ValueError(f"`chunk_size` must be at least 1 token, got {chunk_size}.")
        if not isinstance(model, DuplexGenerationMixin):
            raise ValueError(
                f"`model` ({type(model).__name__}) cannot hear while it speaks: put `DuplexGenerationMixin` in front "
                "of its class, as `ClockGatedMixtralForCausalLM` does."
            )
        self.model, self.chunk_size, self.tokenizer, self.on_record = model, chunk_size, tokenizer, on_record
        self.longest_chunk = chunk_size if tokenizer is None else chunk_size + chunk_size // 2
        self.provider = provider_for(model) if provider is None else provider
        self.constraints: dict[str, Constraint] = {}
        self.mode: Mode = "single_turn"
        self.residual_intent = 0.0
        self.chunk_id = 0
        self.turn: Turn | None = None

    # Called by the user

    def set_mode(self, mode: str) -> None:
        """Sets `single_turn` or `multistep`. Generates nothing."""
        for known in MODES:
            if mode == known:
                self.mode = known
                return
        raise ValueError(f"`mode` must be one of {', '.join(MODES)}, got {mode!r}.")

    def end_loop(self) -> None:
        """Ends the text: sets the residual intent to 0, and drops the state of the text and of the clocks."""
        self.residual_intent, self.chunk_id, self.turn = 0.0, 0, None
        self.provider.reset()

    def add_constraint(self, name: str, constraint: Constraint) -> None:
        """
        Registers a constraint.

        Args:
            name (`str`): Its name in errors; a constraint of the same name is replaced.
            constraint (`Callable[[str], float]`): Receives, after each chunk, all text emitted so far, and returns a
                penalty: 0 if the constraint holds, larger the worse it is violated.
        """
        if self.tokenizer is None:
            raise ValueError("`add_constraint` needs words to look at: give the controller a `tokenizer`.")
        self.constraints[name] = constraint

    def command(self, text: str) -> bool:
        """Executes `text` if all of it is a command; returns whether it was."""
        words = " ".join(text.lower().split())
        if words not in COMMANDS:
            return False
        if words == "end loop":
            self.end_loop()
        else:
            self.set_mode("multistep" if words == "multistep on" else "single_turn")
        return True

    def generate_with_pauses(
        self, input_ids: torch.LongTensor | None = None, max_chunks: int = 10, **kwargs: Any
    ) -> Pause:
        """
        Begins a text, and generates until the first pause. A text in progress is dropped.

        Args:
            input_ids (`torch.LongTensor` of shape `(1, length)`, *optional*): The emitted stream so far, as `generate`
                takes it; for a stock language model, the prompt.
            max_chunks (`int`, *optional*, defaults to 10): Maximum number of chunks of this text, replies
                included.
            kwargs: Passed to `generate`: `prompt_ids` and `prompt_mask`, `streamer`, `do_sample`, an
                `interrupt_callback` for updates that do not wait for a pause.

        Raises:
            ValueError: An argument is unusable; the message names it.
        """
        if max_chunks < 1:
            raise ValueError(f"`max_chunks` must be at least 1, got {max_chunks}.")
        for name in ("max_new_tokens", "max_length", "past_key_values", "return_dict_in_generate"):
            if name in kwargs:
                raise ValueError(
                    f"`{name}` is the controller's own: leave it out (`chunk_size` says how much it says)."
                )
        streams = {"input_ids": input_ids}
        streams |= {name: kwargs.pop(name) for name in ("prompt_ids", "prompt_mask") if name in kwargs}
        for name, stream in streams.items():
            if isinstance(stream, torch.Tensor) and stream.shape[:1] != (1,):
                raise ValueError(f"`{name}` has {stream.shape[0]} rows: a session is one conversation, give 1.")
        given = {name: stream for name, stream in streams.items() if stream is not None}
        return self._speak(Turn(given, kwargs, max_chunks, DuplexCache()))

    def reply(self, text: str = "") -> Pause | None:
        """
        Processes what the user types at a pause; only this ends a pause. A command generates nothing and returns None;
        an empty text continues unchanged; any other text is applied to the running state as an update.

        Raises:
            ValueError: There is no pause, all chunks were used, or the text is unusable. Nothing has changed.
        """
        if self.command(text):
            return None
        turn = self.turn
        if turn is None:
            raise ValueError("nothing is paused: begin a text with `generate_with_pauses`.")
        if turn.chunks >= turn.max_chunks:
            raise ValueError(f"all {turn.max_chunks} chunks of `max_chunks` were said: begin a new text.")
        typed = self._encode(text.strip()) if text.strip() else None
        if turn.ended and typed is None:
            raise ValueError("the text has ended: type something new, or begin another text.")
        return self._speak(turn, typed)

    def _encode(self, text: str) -> list[int]:
        if self.tokenizer is None:
            raise ValueError("`text` cannot be heard without a tokenizer: give the controller one.")
        ids, longest = encode_reply(self.tokenizer, text), self.model.config.max_message_length
        if len(ids) > longest:
            raise ValueError(f"`text` has {len(ids)} tokens, more than max_message_length ({longest}): shorten it.")
        return ids

    # Internal

    def _speak(self, turn: Turn, typed: list[int] | None = None) -> Pause:
        """Generates chunks until there is a reason to pause; the first chunk applies what was typed."""
        before, first = len(turn.said), turn.chunks
        pauses = False
        while not pauses:
            tokens = self._generate_chunk(turn, typed)
            typed = None
            record, pauses = self._after_chunk(turn, tokens)
        said = turn.said[before:]
        return Pause(record["pause_reason"], said, self._words(said), turn.chunks - first, turn.ended, record)

    def _words(self, ids: list[int]) -> str | None:
        return None if self.tokenizer is None else self.tokenizer.decode(ids, skip_special_tokens=True)

    def _generate_chunk(self, turn: Turn, typed: list[int] | None) -> int:
        """Generates one chunk and returns its length. On an error, the turn is rolled back."""
        options = dict(turn.options)
        callback = options.pop("interrupt_callback", None)
        processors = [*(options.pop("logits_processor", None) or ()), *self.provider.logits_processors()]
        criteria = [*(options.pop("stopping_criteria", None) or ())]
        ends = ChunkEnd(self.chunk_size, self.longest_chunk, self.tokenizer, self._brakes)

        def hear(input_ids: torch.LongTensor) -> Interrupt | None:
            nonlocal typed
            if typed is None:
                return None if callback is None else callback(input_ids)
            update, typed = typed, None
            return Interrupt(torch.tensor([update]))

        snapshot = turn.cache.snapshot()
        try:
            with self.provider:
                output = self.model.generate(
                    **turn.inputs,
                    **options,
                    past_key_values=turn.cache,
                    interrupt_callback=hear,
                    logits_processor=LogitsProcessorList(processors),
                    stopping_criteria=StoppingCriteriaList([*criteria, ends]),
                    max_new_tokens=self.longest_chunk,
                    return_dict_in_generate=True,
                )
        except InterruptError as error:
            # The user's callback failed in the middle of a chunk: the tokens emitted before are kept.
            self._keep(turn, error.input_ids, ends.start)
            raise
        except BaseException:
            turn.cache.rollback(snapshot)
            raise
        self._keep(turn, output.sequences, ends.start)
        turn.ended = turn.said[-1] in turn.cache.end_ids
        turn.chunks += 1
        self.chunk_id += 1
        return output.sequences.shape[1] - (ends.start or 0)

    def _keep(self, turn: Turn, sequences: torch.LongTensor, start: int | None) -> None:
        """Stores the tokens emitted from column `start` on, if any; from now on `reply` accepts this turn."""
        turn.inputs = {"input_ids": sequences}
        turn.said += [] if start is None else sequences[0, start:].tolist()
        self.turn = turn

    def _brakes(self) -> bool:
        now = self.provider.signals()
        return compute_fast_pressure(now.router_entropy, now.router_margin, now.delta_R) < BRAKE

    def _after_chunk(self, turn: Turn, tokens: int) -> tuple[Record, bool]:
        """Weighs the pressures after a chunk of `tokens` tokens; returns telemetry, and whether to pause."""
        self.provider.constraint_penalty = self._penalty(turn)
        now = self.provider.signals()
        found = weigh(now, self.residual_intent)
        self.residual_intent = compute_residual_intent(found.mid, now.margin, now.delta_R, tokens, self.longest_chunk)
        decisive = hold_lone_veto(found.net, found.fast, found.mid, *found.weights[:2])
        pauses, reason = should_pause(found.fast, decisive, self.mode)
        if not pauses and turn.ended:
            pauses, reason = True, "end_of_text"
        elif not pauses and turn.chunks >= turn.max_chunks:
            pauses, reason = True, "max_chunks"
        record = make_record(
            mode=self.mode,
            chunk_id=self.chunk_id,
            pause_reason=reason,
            residual_intent=self.residual_intent,
            signals=now,
            pressures=found.pressures,
            weights=found.weights,
            net=found.net,
            clocks=self.provider.clocks(),
        )
        if self.on_record is not None:
            self.on_record(record)
        return record, pauses

    def _penalty(self, turn: Turn) -> float:
        words = self._words(turn.said) or ""
        total = 0.0
        for name, constraint in self.constraints.items():
            penalty = float(constraint(words))
            if not math.isfinite(penalty) or penalty < 0:
                raise ValueError(f"the constraint `{name}` returned {penalty}: it must be a finite number, 0 or more.")
            total += penalty
        return total
