"""Free-running conversations: samples played to a model in batches, each row hearing its own updates as it speaks."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, StoppingCriteriaList

from dataset_builder import END, Sample

from ..data.encoding import encode_sample
from ..modeling import Interrupt


# The share of a batch that must be over before the others go on without it: to stop costs a copy of the cache.
MANY = 1 / 4


@dataclass
class Transcript:
    """
    What a model said in one conversation.

    Attributes:
        tokens (`list[int]`): All that was emitted, without the start token.
        text (`str`): The same, end tokens spelt out.
        heard_at (`list[int]`): For each update, the length of the text when it was heard.
        ended (`bool`): Whether the model stopped by itself.
        heard_after (`list[int]`): For each update, how many tokens had been emitted when it was heard.
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
        tokens (`list[int]`): What was said so far.
        heard_after (`list[int]`): After how many tokens each update came.
        milliseconds (`list[float]`): How long each took.
        since (`int`, *optional*): The column at which it began to speak; None where it has ended.
    """

    waiting: deque[tuple[float, list[int]]]
    tokens: list[int] = field(default_factory=list)
    heard_after: list[int] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    since: int | None = 1


class Schedule:
    """
    An `interrupt_callback` that plays each row's updates to it, and knows when a row has ended. An update comes once
    as many tokens were emitted as before it in the sample. One that comes after the end in the sample, or whose row
    has ended, is what the next schedule begins with.
    """

    def __init__(self, rows: Sequence[Row], pad: int, eos: int, max_new_tokens: int):
        self.rows, self.pad, self.eos, self.max_new_tokens = rows, pad, eos, max_new_tokens
        self.handed_over: list[Row] = []
        self.time = 0.0

    def note_time(self) -> None:
        """The next token is out: that is how long the updates took that were handed over last."""
        now = time.perf_counter()
        for row in self.handed_over:
            row.milliseconds.append((now - self.time) * 1000)
        self.handed_over, self.time = [], now

    def over(self, input_ids: torch.LongTensor) -> torch.BoolTensor:
        """Which rows have ended, or have said as much as they may: `(rows,)`."""
        columns, device = input_ids.shape[1], input_ids.device
        since = torch.tensor([columns if row.since is None else row.since for row in self.rows], device=device)
        said = torch.arange(columns, device=device) >= since[:, None]
        return ((input_ids == self.eos) & said).any(1) | (columns - since >= self.max_new_tokens)

    def stop(self, input_ids: torch.LongTensor, scores: torch.Tensor | None = None, **kwargs: Any) -> torch.BoolTensor:
        """A stopping criterion: once so many rows are over that it is worth going on without them, all stop."""
        over = self.over(input_ids)
        return over | (over.sum() >= MANY * len(over))

    def __call__(self, input_ids: torch.LongTensor) -> Interrupt | None:
        self.note_time()
        # Padding behind a row that ended before its neighbours was not said.
        lengths = (input_ids != self.pad).sum(1).tolist()
        over, last = self.over(input_ids).tolist(), input_ids[:, -1].tolist()
        due: list[list[list[int]]] = []
        for index, row in enumerate(self.rows):
            now: list[list[int]] = []
            wakes, listens = row.since is None, not over[index] and last[index] not in (self.pad, self.eos)
            if row.waiting and (wakes or listens):
                until = row.waiting[0][0] if wakes else lengths[index]
                while row.waiting and row.waiting[0][0] <= until:
                    now.append(row.waiting.popleft()[1])
                    self.handed_over.append(row)
                    row.heard_after.append(lengths[index] - 1)
            row.since = input_ids.shape[1] if wakes else row.since
            due.append(now)
        return Interrupt.from_lists(due, input_ids.device)


@torch.inference_mode()
def converse(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, samples: Sequence[Sample], max_new_tokens: int = 400
) -> list[Transcript]:
    """
    Plays a batch of samples to a model, greedily and free-running: nothing of the emitted text is given.

    Args:
        model (`PreTrainedModel`): Any model that keeps the contract.
        tokenizer (`PreTrainedTokenizerBase`): Its tokenizer.
        samples (`Sequence[Sample]`): The conversations.
        max_new_tokens (`int`, *optional*, defaults to 400): After this many tokens a row is stopped, each time it
            speaks.
    """
    pad, eos = tokenizer.pad_token_id, tokenizer.eos_token_id
    encoded = [encode_sample(tokenizer, sample) for sample in samples]
    rows = []
    for sample in encoded:
        end = sample["input_ids"].index(eos)
        positions = [position if position <= end else float("inf") for position in sample["update_positions"]]
        rows.append(Row(deque(zip(positions, sample["update_ids"], strict=True))))
    prompts = [sample["prompt_ids"] for sample in encoded]
    longest = max(map(len, prompts))
    prompt_ids = torch.tensor([prompt + [pad] * (longest - len(prompt)) for prompt in prompts], device=model.device)
    arguments = {"max_new_tokens": max_new_tokens, "do_sample": False, "return_dict_in_generate": True}

    here = list(range(len(rows)))
    given = {"prompt_ids": prompt_ids, "prompt_mask": (prompt_ids != pad).long()}
    while here:
        schedule = Schedule([rows[index] for index in here], pad, eos, max_new_tokens)
        criteria = StoppingCriteriaList([schedule.stop])
        output = model.generate(**given, interrupt_callback=schedule, stopping_criteria=criteria, **arguments)
        schedule.note_time()
        over = schedule.over(output.sequences).tolist()
        for index, sequence, ended in zip(here, output.sequences.tolist(), over, strict=True):
            rows[index].tokens = [token for token in sequence[1:] if token != pad]
            rows[index].since = None if ended else rows[index].since
        # Who still speaks goes on, and who is still to hear something after its end is woken beside them.
        kept = [at for at, index in enumerate(here) if rows[index].waiting or rows[index].since is not None]
        here = [here[at] for at in kept]
        if here:
            chosen = torch.tensor(kept, device=model.device)
            output.past_key_values.batch_select_indices(chosen)
            given = {"input_ids": output.sequences[chosen], "past_key_values": output.past_key_values}
    return [_transcript(tokenizer, row) for row in rows]


def _transcript(tokenizer: PreTrainedTokenizerBase, row: Row) -> Transcript:
    text = tokenizer.decode(row.tokens)
    heard_at = [len(tokenizer.decode(row.tokens[:after])) for after in row.heard_after]
    return Transcript(row.tokens, text, heard_at, text.endswith(END), row.heard_after, row.milliseconds)
