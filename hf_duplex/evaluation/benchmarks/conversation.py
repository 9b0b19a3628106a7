"""Free-running conversations: a model gets samples in batches, and each row receives its own updates as it emits."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, StoppingCriteriaList

from dataset_builder import END, Sample

from ...data.chat_encoding import ChatEncoder
from ...data.encoding import EncodedSample, encode_sample
from ...modeling import Interrupt


# The share of rows that must have ended before the others continue without them: a stop costs a copy of the cache.
MANY = 1 / 4


@dataclass
class Transcript:
    """
    What a model emitted in one conversation.

    Attributes:
        tokens (`list[int]`): All emitted tokens, without the start token.
        text (`str`): The same, end tokens spelt out.
        heard_at (`list[int]`): For each update, the length of the text when it was received.
        ended (`bool`): Whether the model stopped by itself.
        heard_after (`list[int]`): For each update, how many tokens had been emitted when it was received.
        milliseconds (`list[float]`): For each update, from handing it over to the next token, of the whole batch.
    """

    tokens: list[int]
    text: str
    heard_at: list[int]
    ended: bool
    heard_after: list[int] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list, compare=False)


@dataclass
class Row:
    """
    One conversation under way.

    Attributes:
        waiting (`deque[tuple[float, list[int]]]`): The updates to come, as (position, ids).
        tokens (`list[int]`): The tokens emitted so far.
        heard_after (`list[int]`): After how many tokens each update arrived.
        milliseconds (`list[float]`): How long each took.
        since (`int`, *optional*): The column at which it began to emit; None where it has ended.
    """

    waiting: deque[tuple[float, list[int]]]
    tokens: list[int] = field(default_factory=list)
    heard_after: list[int] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    since: int | None = 1


class Schedule:
    """
    An `interrupt_callback` that sends each row its updates, and detects when a row has ended. An update arrives once
    the row has emitted as many tokens as precede it in the sample. An update that comes after the end in the sample,
    or whose row has ended, is left for the start of the next schedule.

    Args:
        rows (`Sequence[Row]`): The rows of the batch.
        pad (`int`): The token that pads rows that have ended, and is never emitted.
        ends (`Sequence[int]`): The tokens that end a row.
        max_new_tokens (`int`): A row is stopped after this many tokens, counted anew each time it emits.
        reached (`Callable[[list[int]], float]`, *optional*): Progress of a row, from its tokens and the start token
            before them; by default their number.
        renew (`bool`, *optional*, defaults to `False`): Count `max_new_tokens` from the last update on.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        pad: int,
        ends: Sequence[int],
        max_new_tokens: int,
        reached: Callable[[list[int]], float] = len,
        renew: bool = False,
    ):
        self.rows, self.pad, self.ends, self.max_new_tokens = rows, pad, list(ends), max_new_tokens
        self.reached, self.renew = reached, renew
        self.handed_over: list[Row] = []
        self.time = 0.0

    def note_time(self) -> None:
        """Called when the next token is emitted: records how long the last updates took."""
        now = time.perf_counter()
        for row in self.handed_over:
            row.milliseconds.append((now - self.time) * 1000)
        self.handed_over, self.time = [], now

    def over(self, input_ids: torch.LongTensor) -> torch.BoolTensor:
        """Which rows have ended, or reached `max_new_tokens`: `(rows,)`."""
        columns, device = input_ids.shape[1], input_ids.device
        since = torch.tensor([columns if row.since is None else row.since for row in self.rows], device=device)
        said = torch.arange(columns, device=device) >= since[:, None]
        ended = torch.isin(input_ids, torch.tensor(self.ends, device=device)) & said
        return ended.any(1) | (columns - since >= self.max_new_tokens)

    def stop(self, input_ids: torch.LongTensor, scores: torch.Tensor | None = None, **kwargs: Any) -> torch.BoolTensor:
        """A stopping criterion: stops all rows once enough have ended that it pays to continue without them."""
        over = self.over(input_ids)
        return over | (over.sum() >= MANY * len(over))

    def __call__(self, input_ids: torch.LongTensor) -> Interrupt | None:
        self.note_time()
        over, columns = self.over(input_ids).tolist(), input_ids.tolist()
        due: list[list[list[int]]] = []
        for index, row in enumerate(self.rows):
            now: list[list[int]] = []
            wakes, listens = row.since is None, not over[index] and columns[index][-1] not in (self.pad, *self.ends)
            if row.waiting and (wakes or listens):
                # Padding after a row that ended before the others was not emitted.
                tokens = [token for token in columns[index] if token != self.pad]
                until = row.waiting[0][0] if wakes else self.reached(tokens)
                while row.waiting and row.waiting[0][0] <= until:
                    now.append(row.waiting.popleft()[1])
                    self.handed_over.append(row)
                    row.heard_after.append(len(tokens) - 1)
            row.since = input_ids.shape[1] if wakes or (now and self.renew) else row.since
            due.append(now)
        return Interrupt.from_lists(due, input_ids.device)


@torch.inference_mode()
def play_rows(
    model: PreTrainedModel,
    rows: Sequence[Row],
    prompts: Sequence[list[int]],
    pad: int,
    ends: Sequence[int],
    max_new_tokens: int,
    starts: Sequence[int] | None = None,
    reached: Callable[[list[int]], float] = len,
    renew: bool = False,
    **arguments: Any,
) -> None:
    """
    Runs a batch of conversations on a model, greedily and free-running, and fills in its rows.

    Args:
        model (`PreTrainedModel`): Any model that implements the contract.
        rows (`Sequence[Row]`): The conversations.
        prompts (`Sequence[list[int]]`): Their prompts.
        pad, ends, max_new_tokens, reached, renew: As in [`Schedule`].
        starts (`Sequence[int]`, *optional*): The first token of each emitted stream; by default the model's own.
        arguments: Further arguments of `generate`.
    """
    longest = max(map(len, prompts))
    prompt_ids = torch.tensor([prompt + [pad] * (longest - len(prompt)) for prompt in prompts], device=model.device)
    lengths = torch.tensor([[len(prompt)] for prompt in prompts], device=model.device)
    given = {
        "prompt_ids": prompt_ids,
        "prompt_mask": (torch.arange(longest, device=model.device) < lengths).long(),
    }
    if starts is not None:
        given["input_ids"] = torch.tensor(starts, device=model.device)[:, None]
    most = max((len(row.waiting) for row in rows), default=0) if renew else 0
    arguments |= {
        "max_new_tokens": max_new_tokens * (1 + most),
        "do_sample": False,
        "return_dict_in_generate": True,
        "pad_token_id": pad,
        "eos_token_id": list(ends),
    }
    here = list(range(len(rows)))
    while here:
        schedule = Schedule([rows[index] for index in here], pad, ends, max_new_tokens, reached, renew)
        criteria = StoppingCriteriaList([schedule.stop])
        output = model.generate(**given, interrupt_callback=schedule, stopping_criteria=criteria, **arguments)
        schedule.note_time()
        over = schedule.over(output.sequences).tolist()
        for index, sequence, ended in zip(here, output.sequences.tolist(), over, strict=True):
            rows[index].tokens = [token for token in sequence[1:] if token != pad]
            rows[index].since = None if ended else rows[index].since
        # Unfinished rows continue; ended rows that still have updates are resumed in the same batch.
        kept = [at for at, index in enumerate(here) if rows[index].waiting or rows[index].since is not None]
        here = [here[at] for at in kept]
        if here:
            chosen = torch.tensor(kept, device=model.device)
            output.past_key_values.batch_select_indices(chosen)
            given = {"input_ids": output.sequences[chosen], "past_key_values": output.past_key_values}


def _row(encoded: EncodedSample, eos: int) -> Row:
    """A sample's updates; one that comes after the end in the sample comes after the end here too."""
    end = encoded["input_ids"].index(eos)
    positions = [position if position <= end else float("inf") for position in encoded["update_positions"]]
    return Row(deque(zip(positions, encoded["update_ids"], strict=True)))


def converse(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, samples: Sequence[Sample], max_new_tokens: int = 400
) -> list[Transcript]:
    """
    Runs a batch of samples on one of the generators from scratch: nothing of the emitted text is given.

    Args:
        model (`PreTrainedModel`): The model.
        tokenizer (`PreTrainedTokenizerBase`): Its tokenizer.
        samples (`Sequence[Sample]`): The conversations.
        max_new_tokens (`int`, *optional*, defaults to 400): A row is stopped after this many tokens, counted anew each
            time it emits.
    """
    pad, eos = tokenizer.pad_token_id, tokenizer.eos_token_id
    encoded = [encode_sample(tokenizer, sample) for sample in samples]
    rows = [_row(sample, eos) for sample in encoded]
    play_rows(model, rows, [sample["prompt_ids"] for sample in encoded], pad, [eos], max_new_tokens)
    return [transcript_of(row, tokenizer.decode) for row in rows]


def converse_in_chat(
    model: PreTrainedModel, encoder: ChatEncoder, samples: Sequence[Sample], max_new_tokens: int = 400
) -> list[Transcript]:
    """
    [`converse`] with a duplex adapter, whose streams are turns of a chat template. The token that ends a turn is read
    as the end of a text.

    Args:
        model (`DuplexAdapterForCausalLM`): The adapter on its base.
        encoder ([`ChatEncoder`]): Of the adapter's mode, with the tokenizer of its base.
        samples (`Sequence[Sample]`): The conversations.
        max_new_tokens (`int`, *optional*, defaults to 400): As in [`converse`].
    """
    tokenizer, eos = encoder.tokenizer, encoder.end_id
    encoded = [encoder.sample(sample) for sample in samples]
    rows = [_row(sample, eos) for sample in encoded]
    starts = [sample["input_ids"][0] for sample in encoded]
    pad = unused_token(tokenizer, [eos, *starts])
    prompts = [sample["prompt_ids"] for sample in encoded]
    play_rows(model, rows, prompts, pad, [eos], max_new_tokens, starts, suppress_tokens=[pad])
    return [transcript_of(row, lambda tokens: decode_turns(tokenizer, tokens, eos)) for row in rows]


def unused_token(tokenizer: PreTrainedTokenizerBase, used: Iterable[int]) -> int:
    """
    A padding token that is distinct from all emitted ones: many chat models pad with their end-of-turn token. It is
    the padding token or another control token, where one is not among `used`, else the last of the vocabulary.
    """
    used = set(used)
    candidates = [tokenizer.pad_token_id, *sorted(tokenizer.all_special_ids), *range(len(tokenizer) - 1, 0, -1)]
    return next(token for token in candidates if token is not None and token not in used)


def decode_turns(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[int], eos: int) -> str:
    """Text of tokens, without control tokens; those that end a turn are spelt as the data set builder does."""
    parts = groupby(tokens, key=lambda token: token == eos)
    return "".join(
        END * len(list(part)) if ends else tokenizer.decode(list(part), skip_special_tokens=True)
        for ends, part in parts
    )


def transcript_of(row: Row, decode: Callable[[list[int]], str]) -> Transcript:
    """The transcript of a row; `decode` gives the text of tokens."""
    text = decode(row.tokens)
    heard_at = [len(decode(row.tokens[:after])) for after in row.heard_after]
    return Transcript(row.tokens, text, heard_at, text.endswith(END), row.heard_after, row.milliseconds)
