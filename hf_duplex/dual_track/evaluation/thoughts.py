"""Activation, types, links and operations of thoughts, all earlier thoughts being an oracle's."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from rich.progress import track

from ...evaluation.metrics.statistics import ratio
from ..data import ReflectionCollator, encode_dialogue
from ..modeling.modeling_dual_track import DualTrackForCausalLM


def share(right: Sequence[bool]) -> dict[str, Any]:
    """How many are right, with an interval that none and all have too."""
    return ratio(np.asarray(right, dtype=int), np.ones(len(right), dtype=int))


def mean(right: Sequence[float], seed: int = 0, draws: int = 2000) -> dict[str, Any]:
    """Mean, its 95 % interval by the percentile bootstrap over samples, and their number."""
    values = np.asarray(right, dtype=float)
    if not len(values):
        return {"value": None, "interval": None, "n": 0}
    means = np.random.default_rng(seed).choice(values, (draws, len(values))).mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return {"value": float(values.mean()), "interval": [float(low), float(high)], "n": len(values)}


@torch.no_grad()
def score_teacher_forced(
    model: DualTrackForCausalLM, rows: list[dict], tokenizer, batch_size: int, length: int
) -> dict[str, Any]:
    """
    Activation logits and labels at boundaries; and, where the oracle reflects, types, links and operations, all
    earlier thoughts being the oracle's; and the mean of the tokens of a thought.
    """
    encoded = [encode_dialogue(row, tokenizer, model.config, length) for row in rows]
    encoded = [row for row in encoded if row["thoughts"]]
    collate = ReflectionCollator(model.config, tokenizer.pad_token_id)
    device = model.device
    found: dict[str, Any] = defaultdict(list)
    before, model.training_step = model.training_step, "reflect"
    for begin in track(range(0, len(encoded), batch_size), description="teacher-forced", transient=True):
        part = encoded[begin : begin + batch_size]
        batch = {name: value.to(device) for name, value in collate(part).items()}
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            output = model(**{name: value for name, value in batch.items() if not name.startswith("teacher")})
            scores = model.memory(output.thought_vectors, output.thought_vectors).float().cpu()
            operations = model.memory.operation(output.thought_vectors).float().argmax(-1).cpu()
        types = output.thought_logits[..., model.config.type_ids].argmax(-1).cpu()
        starts = [(row == model.config.start_id).nonzero().squeeze(-1).tolist() for row in batch["thought_ids"].cpu()]
        for index, row in enumerate(part):
            asked = torch.tensor(row["activation_labels"]) >= 0
            found["logits"] += output.activation_logits[index, : len(asked)].float().cpu()[asked].tolist()
            labels = torch.tensor(row["activation_labels"])[asked]
            kinds = torch.full_like(labels, -1)
            kinds[labels == 1] = torch.tensor(row["types"])
            found["labels"] += labels.tolist()
            found["kinds"] += kinds.tolist()
            found["vectors"] += output.thought_vectors[index, : len(row["thoughts"])].float().cpu().tolist()
            for number, (place, kind) in enumerate(zip(starts[index], row["types"], strict=True)):
                found["types"].append(kind)
                found["type_right"].append(int(types[index, place]) == kind)
                if row["links"][number] >= 0:
                    there = [j for j in range(number) if row["until"][j] >= number]
                    ranked = sorted(there, key=lambda j: -float(scores[index, number, j]))
                    found["linked_first"].append(ranked[0] == row["links"][number])
                    found["linked"].append(row["links"][number] in ranked[: model.config.linked_thoughts])
                    found["operation_right"].append(int(operations[index, number]) == row["operations"][number])
    model.training_step = before
    own = model.config.latent_tokens
    found["tokens"] = own + 3 if own else float(np.mean([len(said) for row in encoded for said in row["thoughts"]]))
    return found
