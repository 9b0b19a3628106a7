"""Free-running conversations: samples played to a model in batches, each row hearing its own updates as it speaks."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from dataset_builder import END, Sample

from ..data.encoding import encode_sample
from ..modeling import Interrupt


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
    """One conversation under way: the updates to come, as (position, ids), and after how many tokens each came."""

    waiting: deque[tuple[float, list[int]]]
    tokens: list[int] = field(default_factory=list)
    heard_after: list[int] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)


class Schedule:
    """
    An `interrupt_callback` that plays each row's updates to it. An update comes once as many tokens were emitted as
    before it in the sample; one that comes after the end in the sample, or whose row has ended, waits for `resume`.
    """

    def __init__(self, rows: Sequence[Row], pad: int, eos: int, resume: bool):
        self.rows, self.pad, self.silent, self.resume = rows, pad, (pad, eos), resume
        self.handed_over: list[Row] = []
        self.since = 0.0

    def note_time(self) -> None:
        """The next token is out: that is how long the updates took that were handed over last."""
        now = time.perf_counter()
        for row in self.handed_over:
            row.milliseconds.append((now - self.since) * 1000)
        self.handed_over, self.since = [], now

    def __call__(self, input_ids: torch.LongTensor) -> Interrupt | None:
        self.note_time()
        # Padding behind a row that ended before its neighbours was not said.
        lengths = (input_ids != self.pad).sum(1).tolist()
        due: list[list[list[int]]] = []
        for row, length, last in zip(self.rows, lengths, input_ids[:, -1].tolist(), strict=True):
            now: list[list[int]] = []
            position = row.waiting[0][0] if row.waiting else None
            if position is not None and (self.resume or (position <= length and last not in self.silent)):
                until = position if self.resume else length
                while row.waiting and row.waiting[0][0] <= until:
                    now.append(row.waiting.popleft()[1])
                    self.handed_over.append(row)
                    row.heard_after.append(len(row.tokens) if self.resume else length - 1)
            due.append(now)
        self.resume = False
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

    speaking, resume = list(range(len(rows))), False
    given = {"prompt_ids": prompt_ids, "prompt_mask": (prompt_ids != pad).long()}
    while speaking:
        schedule = Schedule([rows[index] for index in speaking], pad, eos, resume)
        output = model.generate(**given, interrupt_callback=schedule, **arguments)
        schedule.note_time()
        for index, sequence in zip(speaking, output.sequences.tolist(), strict=True):
            rows[index].tokens = [token for token in sequence[1:] if token != pad]
        kept = [at for at, index in enumerate(speaking) if rows[index].waiting]
        speaking, resume = [speaking[at] for at in kept], True
        if speaking:
            chosen = torch.tensor(kept, device=model.device)
            output.past_key_values.batch_select_indices(chosen)
            given = {"input_ids": output.sequences[chosen], "past_key_values": output.past_key_values}
    return [_transcript(tokenizer, row) for row in rows]


def _transcript(tokenizer: PreTrainedTokenizerBase, row: Row) -> Transcript:
    text = tokenizer.decode(row.tokens)
    heard_at = [len(tokenizer.decode(row.tokens[:after])) for after in row.heard_after]
    return Transcript(row.tokens, text, heard_at, text.endswith(END), row.heard_after, row.milliseconds)
