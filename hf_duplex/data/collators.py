"""Batches: three separate streams, or one serialized stream for any language model of transformers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from .encoding import EncodedSample


def _pad(rows: Sequence[Sequence[int]], value: int, multiple: int) -> tuple[torch.LongTensor, torch.LongTensor]:
    """Rows padded on the right to a common length, a multiple of `multiple`; and a mask, one for tokens."""
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    length = max(multiple, -(-int(lengths.max(initial=0)) // multiple) * multiple)
    mask = np.arange(length) < lengths[:, None]
    padded = np.full(mask.shape, value, dtype=np.int64)
    padded[mask] = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=int(lengths.sum()))
    return torch.from_numpy(padded), torch.from_numpy(mask.astype(np.int64))


def _check(samples: Sequence[EncodedSample]) -> None:
    """
    Raises:
        ValueError: A sample lacks a stream; the message names it.
    """
    for sample in samples:
        missing = [f"`{name}`" for name in EncodedSample.__annotations__ if name not in sample]
        if missing:
            given = ", ".join(f"`{name}`" for name in sample) or "nothing"
            raise ValueError(
                f"a sample has no {', '.join(missing)}, only {given}: encode rows first, with "
                "`hf_duplex.data.OwnDataset` or `encode_conversation`; if they are encoded, the Trainer has removed "
                "the column: set `remove_unused_columns=False`."
            )


@dataclass
class ChannelCollator:
    """
    Keeps the streams separate, as arguments of `forward` of all three generators.

    Args:
        tokenizer (`PreTrainedTokenizerBase`): Gives the padding token.
        pad_to_multiple_of (`int`, *optional*, defaults to 8): Lengths are rounded up to it.

    Returns a batch with `input_ids`, `attention_mask` and `labels` `(batch, length)`, `prompt_ids` and `prompt_mask`
    `(batch, prompt_length)`, and, if any sample has an update, `update_ids` and `update_mask` `(batch, updates,
    update_length)` and `update_positions` `(batch, updates)`.

    Raises:
        ValueError: A sample lacks a stream; the message names it.
    """

    tokenizer: PreTrainedTokenizerBase
    pad_to_multiple_of: int = 8

    def __call__(self, samples: Sequence[EncodedSample]) -> dict[str, torch.Tensor]:
        _check(samples)
        pad, multiple = self.tokenizer.pad_token_id, self.pad_to_multiple_of
        emitted = [sample["input_ids"] for sample in samples]
        prompts = [sample["prompt_ids"] for sample in samples]
        (input_ids, attention_mask), (prompt_ids, prompt_mask) = (
            _pad(rows, pad, multiple) for rows in (emitted, prompts)
        )
        labels = input_ids.masked_fill(attention_mask == 0, -100)
        # The start token is given, not predicted.
        labels[:, 0] = -100
        batch = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "labels": labels,
            "prompt_ids": prompt_ids,
            "prompt_mask": prompt_mask,
        }
        most = max(len(sample["update_ids"]) for sample in samples)
        if most:
            # A missing update is an empty row, with a position after the last token.
            updates = [row for sample in samples for row in (sample["update_ids"] + [[]] * most)[:most]]
            positions = [(sample["update_positions"] + [input_ids.shape[1]] * most)[:most] for sample in samples]
            update_ids, update_mask = _pad(updates, pad, multiple)
            batch["update_ids"] = update_ids.view(len(samples), most, -1)
            batch["update_mask"] = update_mask.view(len(samples), most, -1)
            batch["update_positions"] = torch.tensor(positions)
        return batch


@dataclass
class SerializedCollator:
    """
    Serializes the streams: prompt, emitted text, and each update just before the first token that can see it. Only
    emitted tokens have a loss. For the baseline and for any causal language model of transformers.

    Args:
        tokenizer (`PreTrainedTokenizerBase`): Gives the padding token.
        pad_to_multiple_of (`int`, *optional*, defaults to 8): Lengths are rounded up to it.

    Returns a batch with `input_ids`, `attention_mask` and `labels`, each `(batch, length)`.

    Raises:
        ValueError: A sample lacks a stream; the message names it.
    """

    tokenizer: PreTrainedTokenizerBase
    pad_to_multiple_of: int = 8

    def __call__(self, samples: Sequence[EncodedSample]) -> dict[str, torch.Tensor]:
        _check(samples)
        lines, labels = zip(*(self._serialize(sample) for sample in samples), strict=True)
        input_ids, attention_mask = _pad(lines, self.tokenizer.pad_token_id, self.pad_to_multiple_of)
        labels, _ = _pad(labels, -100, self.pad_to_multiple_of)
        return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}

    @staticmethod
    def _serialize(sample: EncodedSample) -> tuple[list[int], list[int]]:
        waiting = list(zip(sample["update_positions"], sample["update_ids"], strict=True))
        line, labels = list(sample["prompt_ids"]), [-100] * len(sample["prompt_ids"])
        for index, token in enumerate(sample["input_ids"]):
            while waiting and waiting[0][0] <= index and index:
                update = waiting.pop(0)[1]
                line += update
                labels += [-100] * len(update)
            line.append(token)
            labels.append(token if index else -100)
        return line, labels


@dataclass
class LayoutCollator:
    """
    Computes the layout of batches for one model, in a few different shapes, for captured training steps.

    Args:
        collator (`Callable`): One of the other two.
        lay_out (`Callable`): The `lay_out` of the model's decoder, with the configuration bound.
        pad_to_multiple_of (`int`, *optional*, defaults to 32): Lengths are rounded up to it.

    Returns a batch with `labels` `(batch, length)`, and `layout`, a dictionary of tensors.
    """

    collator: Callable[[Sequence[EncodedSample]], dict[str, torch.Tensor]]
    lay_out: Callable[..., Any]
    pad_to_multiple_of: int = 32

    def __call__(self, samples: Sequence[EncodedSample]) -> dict[str, Any]:
        batch = self.collator(samples)
        labels = batch.pop("labels")
        layout = self.lay_out(**batch).padded(self.pad_to_multiple_of)
        labels = torch.nn.functional.pad(labels, (0, -labels.shape[1] % self.pad_to_multiple_of), value=-100)
        return {"labels": labels, "layout": layout.tensors()}
