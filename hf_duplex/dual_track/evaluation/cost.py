"""What reflection costs: the thought track on against off, in pairs of the same dialogue."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from rich.progress import track

from ..data import chat_ids
from ..modeling.dual_track_cache import DualTrackCache
from ..modeling.modeling_dual_track import DualTrackForCausalLM
from .thoughts import mean


CLOCKS = ("clock", "processor time")
REQUEST = "Please write a long story about a lighthouse keeper."


@torch.no_grad()
def cost(
    model: DualTrackForCausalLM, rows: Sequence[Mapping[str, Any]], tokenizer, tokens: int = 120
) -> dict[str, Any]:
    """
    The track on against off, in pairs of the same dialogue, whose last turn with something to remember is followed by
    `REQUEST`: decode tokens a second of the reply, reflections while it is said included; and the same with these two
    turns read too, and thought about. What was said before is read beforehand in both. Seconds are those of the clock
    and, on a processor, of its own time too, which other work on the machine does not change.
    """
    ratios: dict[str, list[float]] = {name: [] for name in (*CLOCKS, *(f"{name}, with the turns" for name in CLOCKS))}
    reflections = {"turns": 0, "reply": 0}
    for number, row in enumerate(track(rows, description="cost", transient=True)):
        last = row["annotations"][-1]["turn"]
        before, _ = chat_ids(row["turns"][:last], tokenizer)
        new, _ = chat_ids([row["turns"][last], {"speaker": "user", "text": REQUEST}], tokenizer, generate=True)
        prompt = torch.tensor([[*before, *new]], device=model.device)
        seconds: dict[bool, np.ndarray] = {}
        # Which comes first changes from row to row, so that neither is always the warm one.
        for reflect in (False, True) if number % 2 else (True, False):
            cache = DualTrackCache(model.config)
            cache.reflect = reflect
            if before:
                model.step(prompt[:, : len(before)], cache)
            counts, times = [cache.reflections], [_now(model)]
            model.step(prompt[:, len(before) : -1], cache)
            counts.append(cache.reflections)
            times.append(_now(model))
            model.generate(
                prompt, attention_mask=torch.ones_like(prompt), past_key_values=cache, reflect=reflect,
                max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False, pad_token_id=tokenizer.pad_token_id,
            )  # fmt: skip
            times.append(_now(model))
            seconds[reflect] = np.diff(times, axis=0)
            reflections["turns"] += counts[1] - counts[0]
            reflections["reply"] += cache.reflections - counts[1]
        for index, name in enumerate(CLOCKS):
            off, on = seconds[False][:, index], seconds[True][:, index]
            ratios[name].append(off[1] / on[1])
            ratios[f"{name}, with the turns"].append(off.sum() / on.sum())
    if model.device.type == "cuda":
        ratios = {name: values for name, values in ratios.items() if not name.startswith("processor")}
    return {
        "ratio": {name: mean(values) | {"median": float(np.median(values))} for name, values in ratios.items()},
        "reflections": {name: count / len(rows) for name, count in reflections.items()},
        "tokens": tokens,
    }


def _now(model: DualTrackForCausalLM) -> tuple[float, float]:
    """Seconds of `CLOCKS`, with all that was asked of the device done."""
    if model.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter(), time.process_time()
