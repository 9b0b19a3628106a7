"""
Augments Disfl-QA by replacing words: the same disfluencies about other subjects.

A few thousand questions are soon memorized. A model should learn which words a speaker takes back, whatever the words
are. So each copy of a question replaces some of its rarer words, everywhere they occur, by words of other questions.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..speech.discourse import END
from ..speech.disfluency import find_cue


WORD = re.compile(r"[A-Za-z]+(?:['’][a-z]+)?|[0-9]+")
COMMON = 150
"""Number of most frequent words, which carry the grammar of questions and of repairs, and are not replaced."""

Row = dict[str, Any]


def shape(word: str) -> str:
    """The properties that a word shares with its replacement."""
    if word.isdigit():
        return f"{len(word)} digits"
    return "upper" if word.isupper() and len(word) > 1 else "capital" if word[0].isupper() else "lower"


def with_other_words(rows: Sequence[Row], copies: int, share: float = 0.4, seed: int = 0) -> list[Row]:
    """
    The rows, and copies of them with replaced words.

    Args:
        rows (`Sequence[dict]`): Rows of [`~dataset_builder.build.disfl_qa.load_disfl_qa`], of the split to train on.
        copies (`int`): Number of copies of each row; 0 gives the rows alone.
        share (`float`, *optional*, defaults to 0.4): The share of the replaceable words that is replaced.
        seed (`int`, *optional*, defaults to 0): Seed for the choice of words and replacements.

    Returns:
        `list[dict]`: The rows, then `copies` times as many, copy by copy.

    Raises:
        `ValueError`: `copies` is negative, or `share` is not from 0 to 1.
    """
    if copies < 0:
        raise ValueError(f"`copies` must be at least 0, got {copies}.")
    if not 0 <= share <= 1:
        raise ValueError(f"`share` must be from 0 to 1, got {share}.")
    counts = Counter(word for row in rows for word in WORD.findall(_text(row)))
    common = {word.lower() for word, _ in Counter(word.lower() for word in counts.elements()).most_common(COMMON)}
    pools: dict[str, list[str]] = {}
    for word in sorted(counts):
        if word.lower() not in common:
            pools.setdefault(shape(word), []).append(word)
    rng = random.Random(seed)
    return list(rows) + [_replaced(row, common, pools, share, rng) for _ in range(copies) for row in rows]


def _text(row: Row) -> str:
    return " ".join([row["prompt"], *(update["text"] for update in row["updates"]), row["revised_target"]])


def _replaced(row: Row, common: set[str], pools: dict[str, list[str]], share: float, rng: random.Random) -> Row:
    updates = [update["text"] for update in row["updates"]]
    # A word that is not in the input could not be guessed, and the cue marks the repair.
    heard = {word for text in (row["prompt"], *updates) for word in WORD.findall(text)}
    cues = {word for text in updates for word in WORD.findall(find_cue(text))}
    rare = sorted(word for word in heard - cues if word.lower() not in common)
    other = {word: rng.choice(pools[shape(word)]) for word in rare if shape(word) in pools and rng.random() < share}

    def put(text: str) -> str:
        return WORD.sub(lambda found: other.get(found.group(), found.group()), text)

    return row | {
        "prompt": put(row["prompt"]),
        "updates": [update | {"text": put(update["text"])} for update in row["updates"]],
        "revised_target": put(row["revised_target"].removesuffix(END)) + END,
    }
