"""Annotated dialogues as what a dual-track model is trained on: content, where the head is asked, and thoughts beside
it."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from ..bases import find_base
from .modeling.configuration_dual_track import MEMORY_OPERATIONS, THOUGHT_TYPES, DualTrackConfig


class ReflectionDataError(ValueError):
    """A dialogue cannot be encoded."""


def read_rows(path: Path, count: int | None = None) -> list[dict[str, Any]]:
    """
    The first rows of a file of a corpus, all if no number is given.

    Raises:
        ValueError: There is no such file.
    """
    if not path.is_file():
        raise ValueError(f"`corpus`: there is no {path}; make one with `hf-duplex data reflection`.")
    with path.open() as lines:
        return [json.loads(line) for line in islice(lines, count)]


CHATML = ("<|im_start|>", "<|im_end|>")


def base_tokenizer(base: str):
    """
    The tokenizer of a base, by a name that [`find_base`] takes. Its `bos_token` and `eos_token` open and close a turn:
    those of ChatML where the vocabulary has them, since tokenizers that are read from GGUF name others, or no padding.
    """
    tokenizer = AutoTokenizer.from_pretrained(find_base(base))
    if all(token in tokenizer.get_vocab() for token in CHATML):
        tokenizer.bos_token, tokenizer.eos_token = CHATML
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def chat_ids(
    turns: Sequence[Mapping[str, str]], tokenizer, generate: bool = False
) -> tuple[list[int], list[list[int]]]:
    """
    Turns in ChatML, and for each turn, for each character of it, the token that ends with or after it.

    Args:
        turns: Each with `speaker` and `text`.
        generate: Open a turn of the assistant at the end.
    """
    ids: list[int] = []
    where: list[list[int]] = []
    start, end = tokenizer.bos_token, tokenizer.eos_token
    frame: dict[str, list[int]] = {}

    def framed(text: str) -> list[int]:
        if text not in frame:
            frame[text] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return frame[text]

    for turn in turns:
        role = turn["speaker"] if turn["speaker"] in ("user", "assistant", "system") else "user"
        ids += framed(f"{start}{role}\n")
        encoded = tokenizer(turn["text"], add_special_tokens=False, return_offsets_mapping=True)
        places = [0] * len(turn["text"])
        for number, (begin, stop) in enumerate(encoded["offset_mapping"]):
            for character in range(begin, stop):
                places[character] = len(ids) + number
        where.append(places)
        ids += encoded["input_ids"]
        ids += framed(f"{end}\n")
    if generate:
        ids += framed(f"{start}assistant\n")
    return ids, where


def boundaries(ids: Sequence[int], config: DualTrackConfig) -> list[int]:
    """Tokens at which the activation head is asked, as at inference."""
    ends, found, since = set(config.boundary_ids), [], 0
    for index, token in enumerate(ids):
        since += 1
        if token in ends or since >= config.boundary_every:
            found.append(index)
            since = 0
    return found


def encode_dialogue(
    row: Mapping[str, Any], tokenizer, config: DualTrackConfig, max_length: int = 1024
) -> dict[str, Any]:
    """
    One row of a reflection corpus as tokens. Thoughts beyond `max_length` content tokens are left out.

    Returns: `input_ids`, `activation_labels`, `thoughts` (ids in text), `types`, `spans`, `links`, `until`,
    `operations`.

    Raises:
        ReflectionDataError: An annotation lies outside of the text, or its type is not known.
    """
    ids, where = chat_ids(row["turns"], tokenizer)
    ids = ids[:max_length]
    asked = boundaries(ids, config)
    labels = [-100] * len(ids)
    for index in asked:
        labels[index] = 0
    found: dict[str, list] = {name: [] for name in ("thoughts", "types", "spans", "links", "until", "operations")}
    numbers: dict[int, int] = {}
    begin, taken = 0, 0
    for number, annotation in enumerate(row["annotations"]):
        try:
            token = where[annotation["turn"]][annotation["end"] - 1]
            kind = THOUGHT_TYPES.index(annotation["type"])
        except (IndexError, KeyError, ValueError) as error:
            raise ReflectionDataError(f"annotation {number} of {row.get('key', 'a dialogue')}: {error}") from error
        while taken < len(asked) and asked[taken] < token:
            taken += 1
        if taken == len(asked):
            break
        at = asked[taken]
        taken += 1
        labels[at] = 1
        summary = tokenizer(" " + annotation["summary"], add_special_tokens=False)["input_ids"][: config.max_summary]
        numbers[number] = own = len(found["thoughts"])
        found["thoughts"].append(
            [config.start_id, config.type_ids[kind], config.separator_id, *summary, config.end_id]
        )
        found["types"].append(kind)
        found["spans"].append((begin, at + 1))
        found["links"].append(numbers.get(annotation["link"], -1))
        found["operations"].append(MEMORY_OPERATIONS.index(annotation["operation"]))
        found["until"].append(10**6)
        begin = at + 1
        if annotation["operation"] != "PUSH" and found["links"][-1] >= 0:
            found["until"][found["links"][-1]] = own
        if annotation["operation"] == "POP":
            found["until"][own] = own
    return {"input_ids": ids, "activation_labels": labels, **found}


@dataclass
class ReflectionCollator:
    """
    Pads encoded dialogues to batches that [`DualTrackForCausalLM`] takes.

    Args:
        config: Of the model.
        pad_id: Padding of the content, which the attention mask hides.
        multiple: Lengths are rounded up to a multiple of it.
    """

    config: DualTrackConfig
    pad_id: int = 0
    multiple: int = 64

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Rows of [`encode_dialogue`] to tensors."""
        length = math.ceil(max(len(row["input_ids"]) for row in rows) / self.multiple) * self.multiple
        nodes = max(1, *(len(row["thoughts"]) for row in rows)) if len(rows) > 1 else max(1, len(rows[0]["thoughts"]))
        batch: dict[str, list] = {}

        def add(name: str, values: list, size: int, padding: Any) -> None:
            batch.setdefault(name, []).append(list(values) + [padding] * (size - len(values)))

        latent = [*self.config.latent_ids, self.config.end_id]
        texts = [row["thoughts"] for row in rows]
        own = [[[*thought[:2], *latent] for thought in row] for row in texts] if self.config.latent_tokens else texts
        kinds = [("thought", own)] + ([("teacher_thought", texts)] if self.config.latent_tokens else [])
        for row in rows:
            add("input_ids", row["input_ids"], length, self.pad_id)
            add("attention_mask", [1] * len(row["input_ids"]), length, 0)
            add("activation_labels", row["activation_labels"], length, -100)
            add("node_spans", row["spans"], nodes, (0, 1))
            for name in ("links", "until", "operations"):
                add(f"node_{name}", row[name], nodes, -1)
        for prefix, thoughts in kinds:
            longest = max(1, max(sum(map(len, said)) for said in thoughts))
            longest = math.ceil(longest / 32) * 32
            for said in thoughts:
                ids = [token for thought in said for token in thought]
                add(f"{prefix}_ids", ids, longest, self.config.separator_id)
                add(f"{prefix}_nodes", [n for n, thought in enumerate(said) for _ in thought], longest, -1)
        return {name: torch.tensor(values) for name, values in batch.items()}
