"""Gold changes and conflicts in a long conversation of a real person's kind (cri-benchmark): which messages are
flagged, by a dual-track model, by n-grams and by sentence embeddings.

The conversation is a test set: nothing is fitted to it. All methods rank the messages of the user, and are compared
where each flags as many of them. Similarity takes the nearest earlier message: what is said of the same thing again
may change it. The classifiers are fitted to the dialogues that the model was trained on.
"""

import importlib.util
import json
import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from torch.nn import functional

from ..data import chat_ids
from ..modeling.configuration_dual_track import THOUGHT_TYPES
from ..modeling.dual_track_cache import DualTrackCache
from ..modeling.modeling_dual_track import DualTrackForCausalLM
from ..modeling.thought_buffer import ThoughtNode
from .thoughts import share


CHANGING = [THOUGHT_TYPES.index(name) for name in ("UPDATE", "CONFLICT")]
BUDGETS = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Shares of the user's messages that are flagged."""


@dataclass(frozen=True)
class Gold:
    """
    Args:
        kind: `change` or `conflict`.
        about: Of what.
        messages: The messages that say it, of which one has to be flagged.
    """

    kind: str
    about: str
    messages: frozenset[int]


def read_cri(folder: str | Path | None = None) -> tuple[list[dict[str, str]], list[Gold]]:
    """
    The conversation, in order, and what changes in it; messages are counted from 0.

    Args:
        folder: With `conversations.jsonl` and `ground_truth.json`; that of PyPI `cri-benchmark` (MIT) if not given.

    Raises:
        ValueError: It is not installed, or the folder holds something else.
    """
    if folder is None:
        found = importlib.util.find_spec("cri")
        if found is None or not found.submodule_search_locations:
            raise ValueError("cri-benchmark is not installed: `pip install cri-benchmark`, or name its folder.")
        folder = Path(found.submodule_search_locations[0], "datasets", "persona-1-base")
    folder = Path(folder)
    try:
        with (folder / "conversations.jsonl").open() as lines:
            rows = [json.loads(line) for line in lines]
        truth = json.loads((folder / "ground_truth.json").read_text())
        number = {row["message_id"]: index for index, row in enumerate(rows)}
        gold = [
            Gold("change", change["fact"], frozenset(
                number[key] for key in change["key_messages"] if key >= change["changed_around_msg"]
            ))
            for change in truth["changes"]
        ]  # fmt: skip
        gold += [
            Gold("conflict", conflict["topic"], frozenset({number[max(conflict["introduced_at_messages"])]}))
            for conflict in truth["conflicts"]
        ]
        turns = [{"speaker": row["role"], "text": row["content"]} for row in rows]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"`folder`: {folder} does not hold what cri-benchmark does: {error!r}") from error
    return turns, gold


@torch.no_grad()
def thoughts_of(model: DualTrackForCausalLM, turns: Sequence[Mapping[str, str]], tokenizer) -> list[ThoughtNode]:
    """All thoughts that a model has while it reads a conversation."""
    cache, found = DualTrackCache(model.config), []

    def keep(row: int, ids: list[int], node: ThoughtNode | None) -> None:
        if node is not None:
            found.append(node)

    cache.streamer = keep
    ids, _ = chat_ids(turns, tokenizer)
    size = 512
    for begin in track(range(0, len(ids), size), description="reading", transient=True):
        part = torch.tensor([ids[begin : begin + size]], device=model.device)
        with torch.autocast(model.device.type, torch.bfloat16, enabled=model.device.type == "cuda"):
            model.step(part, cache)
    return found


def scores_of_thoughts(
    thoughts: Sequence[ThoughtNode], turns: Sequence[Mapping[str, str]], tokenizer
) -> tuple[np.ndarray, np.ndarray]:
    """
    For each turn how likely a thought of it is one of a change or a conflict (0 without a thought), and whether it had
    a thought at all.
    """
    _, where = chat_ids(turns, tokenizer)
    firsts = [places[0] for places in where]
    scores, thought = np.zeros(len(turns)), np.zeros(len(turns), dtype=bool)
    for node in thoughts:
        turn = bisect_right(firsts, node.content[1] - 1) - 1
        likely = node.activation * sum(node.type_probabilities[kind] for kind in CHANGING)
        scores[turn], thought[turn] = max(scores[turn], likely), True
    return scores, thought


def ngrams(text: str, longest: int = 2) -> Counter[str]:
    """Words and pairs of words, counted."""
    words = re.findall(r"[a-z0-9$']+", text.lower())
    return Counter(" ".join(words[i : i + n]) for n in range(1, longest + 1) for i in range(len(words) - n + 1))


def ngram_vectors(texts: Sequence[str], size: int = 2**15) -> torch.Tensor:
    """`[texts, size]`: TF-IDF of hashed n-grams, each of length 1."""
    import zlib

    counted = [ngrams(text) for text in texts]
    often = Counter(gram for counts in counted for gram in counts)
    vectors = torch.zeros(len(texts), size)
    for row, counts in enumerate(counted):
        for gram, count in counts.items():
            idf = math.log((1 + len(texts)) / (1 + often[gram])) + 1
            vectors[row, zlib.crc32(gram.encode()) % size] += count * idf
    return functional.normalize(vectors, dim=-1)


def nearest_earlier(vectors: torch.Tensor) -> np.ndarray:
    """Cosine of each with the most similar one before it; 0 for the first."""
    cosines = (vectors @ vectors.T).tril(-1)
    return cosines.max(1).values.numpy()


def classified(train: torch.Tensor, labels: Sequence[bool], test: torch.Tensor, steps: int = 300) -> np.ndarray:
    """Logistic regression with weight decay, `[test]`, fitted to `train`."""
    torch.manual_seed(0)
    wanted = torch.tensor(labels, dtype=torch.float32)
    probe = torch.nn.Linear(train.shape[1], 1)
    optimizer = torch.optim.AdamW(probe.parameters(), lr=0.05, weight_decay=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        functional.binary_cross_entropy_with_logits(probe(train).squeeze(-1), wanted).backward()
        optimizer.step()
    with torch.no_grad():
        return probe(test).squeeze(-1).numpy()


def baseline_scores(
    texts: Sequence[str], labels: Sequence[bool], said: Sequence[str], embedding: Any
) -> dict[str, np.ndarray]:
    """
    What each baseline thinks of each message.

    Args:
        texts, labels: What the classifiers are fitted to (`training_messages`).
        said: The messages, in order.
        embedding (`SentenceEmbedding`): Of the baselines that are no n-grams.
    """
    everything = [*texts, *said]
    scores = {}
    for name, vectors in (("n-grams", ngram_vectors(everything)), ("embeddings", embedding.embed(everything))):
        fitted, own = vectors[: len(texts)], vectors[len(texts) :]
        scores[f"{name}, nearest earlier"] = nearest_earlier(own)
        scores[f"{name}, classifier"] = classified(fitted, labels, own)
    return scores


def recall_at(scores: np.ndarray, gold: Sequence[Gold], users: Sequence[int], flagged: int) -> list[bool]:
    """Whether each gold item has a message among the `flagged` messages of the user that score highest."""
    ranked = sorted(users, key=lambda turn: (-scores[turn], turn))[:flagged]
    return [bool(item.messages & set(ranked)) for item in gold]


def compare_changes(
    scores: Mapping[str, np.ndarray], gold: Sequence[Gold], users: Sequence[int], budgets: Sequence[float] = BUDGETS
) -> dict[str, Any]:
    """Recall of each method at each budget, with intervals, in all and by kind."""
    found: dict[str, Any] = {}
    for budget in budgets:
        count = round(budget * len(users))
        entry: dict[str, Any] = {"flagged": count}
        for name, values in scores.items():
            right = recall_at(values, gold, users, count)
            entry[name] = share(right) | {
                kind: sum(hit for hit, item in zip(right, gold, strict=True) if item.kind == kind)
                for kind in ("change", "conflict")
            }
        found[str(budget)] = entry
    return found


def training_messages(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[bool]]:
    """Messages of the user in annotated dialogues, and whether a change or a conflict is in each."""
    texts, labels = [], []
    for row in rows:
        changed = {a["turn"] for a in row["annotations"] if a["type"] in ("UPDATE", "CONFLICT")}
        for number, turn in enumerate(row["turns"]):
            if turn["speaker"] == "user":
                texts.append(turn["text"])
                labels.append(number in changed)
    return texts, labels
