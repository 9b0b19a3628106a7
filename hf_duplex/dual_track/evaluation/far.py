"""Facts that changed long ago, asked again: with reflection, and of the base with the same window or full context."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from rich.progress import track

from ..data import chat_ids
from ..modeling.dual_track_cache import DualTrackCache
from ..modeling.modeling_dual_track import DualTrackForCausalLM
from ..modeling.thought_grammar import is_grammatical
from .thoughts import mean, share


OPENING = "You told me that your {fact} is"


def left_padded(rows: Sequence[Sequence[int]], pad: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids of different lengths, `[batch, longest]`, and their mask."""
    longest = max(map(len, rows))
    ids = torch.tensor([[pad] * (longest - len(row)) + list(row) for row in rows], device=device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=device)
    return ids, mask


def says(text: str, value: str) -> bool:
    """Whether a value is in a text, as words of its own."""
    return re.search(rf"(?<!\w){re.escape(value.lower())}(?!\w)", text.lower()) is not None


def answered(text: str, question: Mapping[str, Any]) -> bool:
    """Whether an answer holds the value that is current, and none that is out of date."""
    return says(text, question["answer"]) and not any(says(text, old) for old in question["outdated"])


@torch.no_grad()
def answers(
    model: DualTrackForCausalLM, prompts: Sequence[list[int]], rows: Sequence[Mapping[str, Any]], tokenizer,
    cache: DualTrackCache, reflect: bool, tokens: int,
) -> list[str]:  # fmt: skip
    """What is said after each prompt and the first words of its answer: so small a base seldom answers by itself."""
    device, pad = model.device, tokenizer.pad_token_id
    said = [OPENING.format(**row["questions"][0]) for row in rows]
    openings = tokenizer(said, add_special_tokens=False)["input_ids"]
    prompt, mask = left_padded(prompts, pad, device)
    opening, opening_mask = left_padded(openings, pad, device)
    whole = torch.cat([prompt, opening], dim=1)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        cache.reflect = reflect
        model.step(prompt, cache, mask)
        found = model.generate(
            whole, attention_mask=torch.cat([mask, opening_mask], dim=1), past_key_values=cache, reflect=reflect,
            max_new_tokens=tokens, do_sample=False, pad_token_id=pad,
        )  # fmt: skip
    return [tokenizer.decode(ids[whole.shape[1] :], skip_special_tokens=True) for ids in found]


def told_just_before(
    model: DualTrackForCausalLM, rows: Sequence[Mapping[str, Any]], tokenizer, batch_size: int = 8, tokens: int = 10
) -> dict[str, Any]:
    """
    How well the base reads at all: it is told the turn of the change (and its reply) alone, and asked at once. No way
    to remember can be expected to do better.
    """
    right = []
    for begin in track(range(0, len(rows), batch_size), description="told just before", transient=True):
        part, prompts = rows[begin : begin + batch_size], []
        for row in part:
            question = row["questions"][0]
            turn = row["annotations"][question["annotation"]]["turn"]
            asked = {"speaker": "user", "text": question["question"]}
            prompts.append(chat_ids([*row["turns"][turn : turn + 2], asked], tokenizer, generate=True)[0])
        texts = answers(model, prompts, part, tokenizer, DualTrackCache(model.config), False, tokens)
        right += [answered(text, row["questions"][0]) for row, text in zip(part, texts, strict=True)]
    return share(right)


@torch.no_grad()
def ask_again(
    model: DualTrackForCausalLM, rows: Sequence[Mapping[str, Any]], tokenizer, batch_size: int = 8, tokens: int = 10
) -> dict[str, Any]:
    """
    Facts that changed long ago, asked again: with reflection, and the base with the same window and with all the
    context.

    The base with a window sees the sinks and the window, as the content track does, and no thought. The answer's first
    words (`OPENING`) are given to all three.
    """
    config = model.config
    right: dict[str, list[bool]] = {"reflection": [], "base, same window": [], "base, full context": []}
    grammatical, residents, thoughts, distance, opened = [], [], [], [], []
    examples: list[dict[str, Any]] = []
    forbidden = set(model._forbidden.tolist() if model._forbidden is not None else [])
    for begin in track(range(0, len(rows), batch_size), description="facts long ago", transient=True):
        part, prompts, changes = rows[begin : begin + batch_size], [], []
        for row in part:
            turns = [*row["turns"], {"speaker": "user", "text": row["questions"][0]["question"]}]
            ids, where = chat_ids(turns, tokenizer, generate=True)
            annotation = row["annotations"][row["questions"][0]["annotation"]]
            prompts.append(ids)
            changes.append(where[annotation["turn"]][annotation["end"] - 1])
            distance.append(len(ids) - changes[-1])
        padding = [max(map(len, prompts)) - len(ids) for ids in prompts]
        for name in right:
            cache = DualTrackCache(config)
            if name == "base, same window":
                cache.start(len(part), model.device)
                cache.thoughtful = [True] * len(part)
            texts = answers(model, prompts, part, tokenizer, cache, name == "reflection", tokens)
            for row, text in zip(part, texts, strict=True):
                right[name].append(answered(text, row["questions"][0]))
                if len(examples) < 12:
                    examples.append({"how": name, "asked": row["questions"][0], "said": text})
            if name == "reflection":
                for index in range(len(part)):
                    nodes = cache.buffers[index].nodes
                    changed = changes[index] + padding[index]
                    grammatical += [is_grammatical(node.ids, config, forbidden) for node in nodes]
                    thoughts.append(len(nodes))
                    pages = cache.wanted(index)
                    residents.append(len(pages) / -(-(cache.length - padding[index]) // cache.page_size))
                    opened.append(any(begin <= changed < end for begin, end in cache.opened[index]))
    return {
        "accuracy": {name: share(values) for name, values in right.items()},
        "difference": {
            name: mean(np.asarray(right["reflection"], float) - np.asarray(values, float))
            for name, values in right.items()
            if name != "reflection"
        },
        "told just before": told_just_before(model, rows, tokenizer, batch_size, tokens),
        "tokens since the change": {"least": min(distance), "median": float(np.median(distance))},
        "grammatical": share(grammatical),
        "change in sight": share(opened),
        "resident pages": mean(residents),
        "thoughts": float(np.mean(thoughts)),
        "examples": examples,
    }
