"""With the thought track silent, a dual-track model is its base: the largest difference of logits, in float32."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from rich.progress import track

from ..data import chat_ids
from ..modeling.dual_track_cache import DualTrackCache
from ..modeling.modeling_dual_track import DualTrackForCausalLM


@torch.no_grad()
def silent_difference(
    model: DualTrackForCausalLM, base: Any, rows: Sequence[Mapping[str, Any]], tokenizer, tokens: int = 20
) -> dict[str, Any]:
    """
    Of each dialogue: logits of all tokens in one forward, then of each token of a greedy reply, said step by step
    through the paged cache.

    Args:
        base: The base itself, loaded by transformers.
    """
    forward, steps, same = 0.0, 0.0, True
    for row in track(rows, description="silent", transient=True):
        ids = torch.tensor([chat_ids(row["turns"], tokenizer, generate=True)[0]])
        forward = max(forward, float((model(ids).logits - base(ids).logits).abs().max()))
        cache = DualTrackCache(model.config)
        cache.reflect = False
        mine, theirs = model.step(ids, cache), base(ids, use_cache=True, logits_to_keep=1)
        for _ in range(tokens):
            one, other = mine.logits[:, -1:], theirs.logits[:, -1:]
            steps = max(steps, float((one - other).abs().max()))
            same = same and bool((one.argmax(-1) == other.argmax(-1)).all())
            said = other.argmax(-1)
            mine, theirs = model.step(said, cache), base(said, past_key_values=theirs.past_key_values)
    return {"forward": forward, "step by step": steps, "same tokens": same, "dialogues": len(rows), "tokens": tokens}
