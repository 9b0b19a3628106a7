"""
The contestants: models, baselines, and controls that must score worse.

A contestant gets samples and returns transcripts; scoring depends on the transcripts alone. `load_contestant` makes
one from a folder or Hub name, with an optional mode after an "@":

| mode | its updates | for |
|---|---|---|
| none | arrive while it emits | any of the three generators; another chat model is stopped and gets a new turn |
| `restart` | are appended to the prompt, and generation restarts | any of the three |
| `deaf` | never arrive | any of the three |
| `frozen` | are read, and the resulting workspace is dropped | workspace |
| `relocated` | are inserted after the prompt, and the emitted text is not read again | baseline |
| `shuffled` | are those of another conversation | any of the three |
| `late` | all arrive after the end | any of the three |
| `noise` | are random tokens | any of the three |
| `permuted` | arrive, but the validities of slots are permuted | workspace, `validity` |
| `always`, `after_update` | arrive while it emits; the mode is the adapter's scope | duplex adapter |
"""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Protocol

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from dataset_builder import Sample

from ...bases import SMOLLM2, find_base, load_base
from ...data.chat_encoding import ChatEncoder
from ...data.encoding import encode_sample
from ...modeling import (
    DuplexCache,
    Interrupt,
    WorkspaceForCausalLM,
    WorkspaceModel,
    encode_prompt,
    encode_updates,
    listen,
)
from ...modeling.configuration_adapter import SCOPES
from ...modeling.layers import CrossInputs
from ..benchmarks.conversation import Transcript, converse, converse_in_chat
from .chat_model import ChatModel, check_chat
from .relocation import RelocatedForCausalLM


# Seed of all random numbers here.
SEED = 0


class Contestant(Protocol):
    """
    A contestant.

    Attributes:
        name (`str`): What results call it.
        model_type (`str`): As in its configuration.
        parameters (`int`): Number of parameters.
    """

    name: str
    model_type: str
    parameters: int

    def converse(self, samples: Sequence[Sample], max_new_tokens: int) -> list[Transcript]:
        """Runs a batch of samples; a row is stopped after `max_new_tokens`, counted anew each time it emits."""
        ...


@dataclass
class Scripted:
    """
    A scripted contestant, to test the benchmark itself.

    Args:
        name (`str`): What results call it.
        say (`Callable[[Sample], Transcript]`): Returns its transcript.
    """

    name: str
    say: Callable[[Sample], Transcript]
    model_type: str = "scripted"
    parameters: int = 0

    def converse(self, samples: Sequence[Sample], max_new_tokens: int = 400) -> list[Transcript]:
        return [self.say(sample) for sample in samples]


class Listener:
    """
    One of the three generators as it is: updates arrive while it emits.

    Args:
        name (`str`): What results call it.
        model (`PreTrainedModel`): A model that implements the contract.
        tokenizer (`PreTrainedTokenizerBase`): Its tokenizer.
    """

    def __init__(self, name: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase):
        self.name, self.model, self.tokenizer = name, model, tokenizer
        self.model_type: str = model.config.model_type
        self.parameters: int = model.num_parameters()

    def converse(self, samples: Sequence[Sample], max_new_tokens: int = 400) -> list[Transcript]:
        return converse(self.model, self.tokenizer, samples, max_new_tokens)


class AdapterListener(Listener):
    """A duplex adapter on its base: updates arrive while it emits."""

    def converse(self, samples: Sequence[Sample], max_new_tokens: int = 400) -> list[Transcript]:
        encoder = ChatEncoder(self.tokenizer, self.model.config.mode)
        return converse_in_chat(self.model, encoder, samples, max_new_tokens)


# Wrappers that stand in for a model in a conversation, and may change its inputs.


class Appending:
    """
    Appends messages to the prompts of a model.

    Args:
        model (`PreTrainedModel`): The model.
        messages (`Sequence[Sequence[int]]`): For each row, what is appended.

    Attributes:
        milliseconds (`float`): How long it took from the prompts to the first tokens.
    """

    def __init__(self, model: PreTrainedModel, messages: Sequence[Sequence[int]]):
        self.model, self.messages, self.device = model, messages, model.device
        self.milliseconds = 0.0

    def generate(
        self,
        prompt_ids: torch.LongTensor | None = None,
        prompt_mask: torch.Tensor | None = None,
        interrupt_callback: Callable[[torch.LongTensor], Interrupt | None] | None = None,
        **kwargs: Any,
    ) -> Any:
        if prompt_ids is None or prompt_mask is None or interrupt_callback is None:
            return self.model.generate(interrupt_callback=interrupt_callback, **kwargs)
        polls: list[float] = []

        def timed(input_ids: torch.LongTensor) -> Interrupt | None:
            # The first poll comes before anything is read, the second one after the first token.
            polls.append(time.perf_counter())
            return interrupt_callback(input_ids)

        prompts = [ids[mask.bool()].tolist() for ids, mask in zip(prompt_ids, prompt_mask, strict=True)]
        prompts = [[*prompt, *message] for prompt, message in zip(prompts, self.messages, strict=True)]
        longest = max(map(len, prompts))
        ids = torch.tensor([prompt + [0] * (longest - len(prompt)) for prompt in prompts], device=self.device)
        lengths = torch.tensor([len(prompt) for prompt in prompts], device=self.device)
        mask = (torch.arange(longest, device=self.device) < lengths[:, None]).long()
        output = self.model.generate(prompt_ids=ids, prompt_mask=mask, interrupt_callback=timed, **kwargs)
        self.milliseconds = ([*polls, time.perf_counter()][1] - polls[0]) * 1000
        return output


class Mishearing:
    """
    Replaces each update by as many random words. Control tokens stay in their places. The words depend on the update
    alone, so that rows are independent.

    Args:
        model (`PreTrainedModel`): The model that receives them.
        tokenizer (`PreTrainedTokenizerBase`): Its tokenizer.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase):
        self.model, self.device = model, model.device
        self.control = set(tokenizer.all_special_ids)
        self.words = [token for token in range(len(tokenizer)) if token not in self.control]

    def noise(self, update: list[int]) -> list[int]:
        """Another update of the same length."""
        rng = Random(f"{SEED} {update}")
        return [token if token in self.control else rng.choice(self.words) for token in update]

    def generate(self, interrupt_callback: Callable[[torch.LongTensor], Interrupt | None], **kwargs: Any) -> Any:
        def changed(input_ids: torch.LongTensor) -> Interrupt | None:
            interrupt = interrupt_callback(input_ids)
            if interrupt is None or interrupt.update_mask is None:
                return interrupt
            rows = zip(interrupt.update_ids, interrupt.update_mask.bool(), strict=True)
            lists = [[ids[mask].tolist() for ids, mask in zip(*row, strict=True) if mask.any()] for row in rows]
            return Interrupt.from_lists([[self.noise(update) for update in row] for row in lists], self.device)

        return self.model.generate(interrupt_callback=changed, **kwargs)


# Contestants with changed updates


def without_updates(sample: Sample) -> Sample:
    return replace(sample, updates=[])


class Restarted(Listener):
    """
    On each update it is stopped and generates everything anew, with the updates so far appended to its prompt as
    further messages. Earlier text is discarded, so the transcript is the last answer alone, which follows all updates.
    This is the oracle for quality, at the cost of restarts.

    Updates arrive at fixed places of a sample and the last answer depends on none of the discarded ones, so those are
    not generated: each row starts once, with all its updates. `milliseconds` holds the time from there to the first
    token for each of its updates; for an earlier one, which has a shorter prompt, that is an upper bound.
    [`read_again`] counts the tokens that the restarts would read again.

    A stop does not cause a restart: a last update of the kind `stop` is received in its place.
    """

    @staticmethod
    def split(sample: Sample) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The updates that cause a restart, and the one that stops it, if there is one."""
        count = len(sample.updates) - (bool(sample.updates) and sample.updates[-1]["kind"] == "stop")
        return sample.updates[:count], sample.updates[count:]

    def messages(self, sample: Sample) -> list[list[int]]:
        """What is appended to the prompt of a sample, message by message."""
        return encode_updates(self.tokenizer, [update["text"] for update in self.split(sample)[0]])

    def read_again(self, sample: Sample) -> int:
        """How many tokens, of the prompt and of earlier updates, the restarts of a sample read again."""
        tokens, before = 0, len(encode_prompt(self.tokenizer, sample.prompt))
        for message in self.messages(sample):
            tokens += before
            before += len(message)
        return tokens

    def converse(self, samples: Sequence[Sample], max_new_tokens: int = 400) -> list[Transcript]:
        messages = [self.messages(sample) for sample in samples]
        model = Appending(self.model, [[token for message in row for token in message] for row in messages])
        rest = [replace(sample, updates=self.split(sample)[1]) for sample in samples]
        transcripts = converse(model, self.tokenizer, rest, max_new_tokens)
        return [
            replace(
                transcript,
                heard_at=[0] * len(row) + transcript.heard_at,
                heard_after=[0] * len(row) + transcript.heard_after,
                milliseconds=[model.milliseconds] * len(row) + transcript.milliseconds,
            )
            for transcript, row in zip(transcripts, messages, strict=True)
        ]


def heard_where_due(
    tokenizer: PreTrainedTokenizerBase, sample: Sample, transcript: Transcript, end: int
) -> Transcript:
    """A transcript whose updates count as received where they were due: in their places, or after `end` tokens."""
    encoded = encode_sample(tokenizer, sample)
    last = encoded["input_ids"].index(tokenizer.eos_token_id)
    after = [min(place - 1, end) if place <= last else end for place in encoded["update_positions"]]
    at = [len(tokenizer.decode(transcript.tokens[:tokens])) for tokens in after]
    return replace(transcript, heard_at=at, heard_after=after)


class Deaf(Listener):
    """Never receives an update. They count as received where they were due: in their places, or at the end."""

    def converse(self, samples: Sequence[Sample], max_new_tokens: int = 400) -> list[Transcript]:
        transcripts = converse(self.model, self.tokenizer, list(map(without_updates, samples)), max_new_tokens)
        return [
            heard_where_due(self.tokenizer, sample, transcript, len(transcript.tokens))
            for sample, transcript in zip(samples, transcripts, strict=True)
        ]


class Late(Listener):
    """Receives all updates together, after its end. They count as received where they were due."""

    def converse(self, samples: Sequence[Sample], max_new_tokens: int = 400) -> list[Transcript]:
        late = [
            replace(sample, updates=[{**update, "position": len(sample.target)} for update in sample.updates])
            for sample in samples
        ]
        transcripts = converse(self.model, self.tokenizer, late, max_new_tokens)
        return [
            heard_where_due(self.tokenizer, sample, transcript, min(transcript.heard_after, default=0))
            for sample, transcript in zip(samples, transcripts, strict=True)
        ]


class Shuffled(Listener):
    """
    Receives, in the places of its own updates, those of the next conversation of the batch that has any, cyclically if
    there are too few. If no other conversation has updates it receives none.
    """

    @staticmethod
    def swap(samples: Sequence[Sample]) -> list[Sample]:
        """Samples with the updates of others."""
        swapped = []
        for index, sample in enumerate(samples):
            others = [*samples[index + 1 :], *samples[:index]]
            donors = next((other.updates for other in others if other.updates), None)
            if donors is None:
                swapped.append(without_updates(sample))
                continue
            texts = [donors[number % len(donors)]["text"] for number in range(len(sample.updates))]
            updates = [{**own, "text": text} for own, text in zip(sample.updates, texts, strict=True)]
            swapped.append(replace(sample, updates=updates))
        return swapped

    def converse(self, samples: Sequence[Sample], max_new_tokens: int = 400) -> list[Transcript]:
        transcripts = converse(self.model, self.tokenizer, self.swap(samples), max_new_tokens)
        return [
            transcript
            if len(transcript.heard_at) == len(sample.updates)
            else heard_where_due(self.tokenizer, sample, transcript, len(transcript.tokens))
            for sample, transcript in zip(samples, transcripts, strict=True)
        ]


class Noise(Listener):
    """Receives random words instead of each update."""

    def converse(self, samples: Sequence[Sample], max_new_tokens: int = 400) -> list[Transcript]:
        model = Mishearing(self.model, self.tokenizer)
        return converse(model, self.tokenizer, samples, max_new_tokens)


# Workspaces that cannot revise


class FrozenWorkspaceForCausalLM(WorkspaceForCausalLM):
    """
    Folds updates into its workspace and drops the result: an update only resumes it where it had ended. Otherwise it
    emits the same as a deaf one.
    """

    def read_prompt(self, cache: DuplexCache, ids: torch.LongTensor, mask: torch.BoolTensor) -> list:
        return super().read_updates(cache, *self.model.split_prompt(ids, mask))

    def read_updates(self, cache: DuplexCache, ids: torch.LongTensor, mask: torch.BoolTensor) -> list:
        self.update_workspace(ids, mask, cache.memory)
        return []


@functools.lru_cache(maxsize=4)
def draw_orders(count: int, n_slots: int) -> torch.Tensor:
    """Random numbers `(count, n_slots)` to sort slots by."""
    return torch.rand(count, n_slots, generator=torch.Generator().manual_seed(SEED))


class PermutedWorkspaceModel(WorkspaceModel):
    """Permutes the validities of the occupied slots at every step."""

    # How many permutations alternate, by the number of tokens that a row has emitted.
    turns = 512

    def cross_inputs(self, cache: DuplexCache | None, embeds: torch.Tensor) -> CrossInputs:
        heard = super().cross_inputs(cache, embeds)
        if cache is None or cache.memory is None:
            return heard
        columns = cache.get_seq_length() + embeds.shape[1]
        said = torch.full_like(cache.memory.version, columns) if cache.mask is None else cache.mask.sum(1)
        said = said + torch.as_tensor(cache.offset, device=said.device).flatten()
        free = cache.memory.log_validity.isneginf()
        orders = draw_orders(self.turns, self.config.n_slots).to(embeds.device)[said % self.turns]
        taken, drawn = free.int(), orders.masked_fill(free, torch.inf)
        taken, drawn = (order.argsort(dim=1, stable=True) for order in (taken, drawn))
        validity = cache.memory.log_validity
        validity = validity.scatter(1, taken, validity.gather(1, drawn))
        return replace(heard, bias=self.cross_bias(replace(cache.memory, log_validity=validity)))


class PermutedWorkspaceForCausalLM(WorkspaceForCausalLM):
    """A workspace generator that trusts the wrong slots."""

    model_class = PermutedWorkspaceModel


@dataclass(frozen=True)
class Mode:
    """The class of a mode, and the model type that it requires, if any."""

    contestant: type[Listener] = Listener
    head: type[PreTrainedModel] | None = None


MODES = {
    "restart": Mode(Restarted),
    "deaf": Mode(Deaf),
    "frozen": Mode(head=FrozenWorkspaceForCausalLM),
    "relocated": Mode(head=RelocatedForCausalLM),
    "shuffled": Mode(Shuffled),
    "late": Mode(Late),
    "noise": Mode(Noise),
    "permuted": Mode(head=PermutedWorkspaceForCausalLM),
}
AS_IT_IS = Mode()


def split_spec(spec: str) -> tuple[str, str | None]:
    """
    Splits a spec into folder or Hub name, and mode.

    Raises:
        ValueError: There is no such mode.
    """
    path, at, mode = spec.rpartition("@")
    if not at or Path(spec).is_dir():
        return spec, None
    if not path or mode not in (*MODES, *SCOPES):
        raise ValueError(
            f"`--model`: {spec!r} asks for the mode {mode!r}: name a model folder or a Hub model, and behind an @ one "
            f"of {', '.join((*MODES, *SCOPES))}, or none."
        )
    return path, mode


def check_mode(path: str, mode: str | None, config: Any) -> None:
    """
    Checks that a model can run in a mode.

    Raises:
        ValueError: It cannot; the message names those that can.
    """
    if mode is None:
        return
    if (config.model_type == "duplex_adapter") != (mode in SCOPES):
        raise ValueError(
            f"`--model`: {path} is a {config.model_type} model, which has no mode {mode!r}: "
            f"{' and '.join(SCOPES)} are the modes of a duplex adapter, and it has no others."
        )
    if mode in SCOPES:
        return
    head = MODES[mode].head
    if not config.model_type.startswith("duplex_"):
        raise ValueError(
            f"`--model`: {path} is a {config.model_type} model, which has no mode {mode!r}: name it without a mode."
        )
    if head is not None and config.model_type != head.config_class.model_type:
        raise ValueError(
            f"`--model`: {path} is a {config.model_type} model, and {mode!r} is a mode of "
            f"{head.config_class.model_type} alone: name one of these."
        )
    if head is PermutedWorkspaceForCausalLM and config.update_type != "validity":
        raise ValueError(
            f"`--model`: the slots of {path} ({config.update_type}) are all believed alike, so {mode!r} would change "
            "nothing: name a model of the update type validity."
        )
    if head is RelocatedForCausalLM and config.sliding_window is not None:
        raise ValueError(
            f"`--model`: {path} has a sliding window ({config.sliding_window}), which {mode!r} cannot put an update "
            "behind: name a model without one."
        )


def load_part(part: Any, path: str, **kwargs: Any) -> Any:
    """Configuration, tokenizer or model, `part.from_pretrained(path)`, with a helpful error."""
    logging.disable_progress_bar()
    try:
        return part.from_pretrained(path, **kwargs)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"`--model`: {path} cannot be loaded, neither from a folder nor from the Hub: {reason}"
        ) from error
    finally:
        logging.enable_progress_bar()


def check_contestant(spec: str, **overrides: Any) -> tuple[str, str | None, Any]:
    """
    Folder or Hub name, mode and configuration of a usable model; its weights are not loaded.

    Raises:
        ValueError: As [`load_contestant`].
    """
    path, mode = split_spec(spec)
    path = str(find_base(path)) if path == SMOLLM2 else path
    if Path(path).is_dir() and not Path(path, "config.json").is_file():
        raise ValueError(f"`--model`: the folder {path} has no config.json: name a model folder or a Hub model.")
    config = load_part(AutoConfig, path)
    for field in overrides:
        if field not in config.to_dict():
            raise ValueError(f"`config`: {path} ({config.model_type}) has no field {field!r}; remove it.")
        if field == "n_slots" and not getattr(config, "slots_are_tokens", True):
            raise ValueError(
                f"`config`: the slots of {path} ({config.update_type}) are learned; train it with others."
            )
    config = load_part(AutoConfig, path, **overrides)
    check_mode(path, mode, config)
    return path, mode, config


def load_adapter(path: str, base: tuple[PreTrainedModel, PreTrainedTokenizerBase], **overrides: Any) -> Any:
    """
    A duplex adapter on its base, which is unchanged.

    Args:
        path (`str`): Folder or Hub name of the adapter.
        base (`tuple`): The base, its device, and its tokenizer.
        overrides: `n_slots` or `scope`.

    Raises:
        ValueError: It cannot be loaded, or not onto this base.
    """
    try:
        return listen(base[0], path, **overrides)
    except (OSError, ValueError) as error:
        raise ValueError(f"`--model`: {path} cannot be loaded onto {base[0].config._name_or_path}: {error}") from error


def load_contestant(spec: str, device: str = "cpu", base: str | Path | None = None, **overrides: Any) -> Contestant:
    """
    Loads a contestant.

    Args:
        spec (`str`): Folder or Hub name, and after an "@" one of `MODES`.
        device (`str`, *optional*, defaults to `"cpu"`): Where it runs.
        base (`str` or `Path`, *optional*, defaults to `"smollm2"`): The base of a duplex adapter.
        overrides: Fields of its configuration to override, as `n_slots=64`.

    Raises:
        ValueError: There is no such model, it has no such field, or it cannot run in that mode; the message says what
            to do.
    """
    path, mode, config = check_contestant(spec, **overrides)
    name = (Path(path).resolve() if Path(path).is_dir() else Path(path)).name + (f"@{mode}" if mode else "")
    if config.model_type == "duplex_adapter":
        model, tokenizer = load_base(base or SMOLLM2)
        adapter = load_adapter(path, (model.to(device), tokenizer), **overrides, **({"scope": mode} if mode else {}))
        return AdapterListener(name, adapter.eval(), tokenizer)
    tokenizer = load_part(AutoTokenizer, path)
    if not config.model_type.startswith("duplex_"):
        check_chat(name, tokenizer)
        return ChatModel(name, load_part(AutoModelForCausalLM, path, dtype="auto").to(device).eval(), tokenizer)
    if getattr(tokenizer, "update_token_id", None) is None:
        raise ValueError(f"`--model`: the tokenizer of {path} has no `update_token`: name a model that has one.")
    taking_part = MODES[mode] if mode else AS_IT_IS
    model = load_part(taking_part.head or AutoModelForCausalLM, path, config=config, dtype=torch.float32)
    return taking_part.contestant(name, model.to(device).eval(), tokenizer)
