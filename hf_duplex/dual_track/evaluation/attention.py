"""How much of full attention is kept where only what K thoughts are about is in sight, and in how many pages."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from rich.progress import track
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from ..data import ReflectionCollator, boundaries, encode_dialogue
from ..modeling.modeling_dual_track import DualTrackForCausalLM
from .thoughts import mean


@torch.no_grad()
def attention_kept(
    model: DualTrackForCausalLM, rows: Sequence[Mapping[str, Any]], tokenizer, ks: Sequence[int] = (0, 1, 2, 4, 8)
) -> dict[str, Any]:
    """
    KL of attention kept to full attention, against K: of the last content token, mean over layers and heads. Kept are
    the sinks, the window and the sentence after which each of the K thoughts was had that the network ranks first, as
    the runtime opens them; KL is -log of their mass.
    """
    config, device = model.config, model.device
    collate = ReflectionCollator(config, tokenizer.pad_token_id)
    found: dict[int, list[float]] = {k: [] for k in ks}
    pages: dict[int, list[float]] = {k: [] for k in ks}
    before, model.training_step = model.training_step, "reflect"
    for row in track(rows, description="attention kept", transient=True):
        turns = [*row["turns"], {"speaker": "user", "text": row["questions"][0]["question"]}]
        end = len(row["questions"][0]["question"])
        question = {
            "type": "RECALL",
            "summary": "the user asks again",
            "turn": len(turns) - 1,
            "end": end,
            "link": -1,
            "operation": "PUSH",
        }
        encoded = encode_dialogue(
            {**row, "turns": turns, "annotations": [*row["annotations"], question]}, tokenizer, config, 10**6
        )
        batch = {
            name: value.to(device) for name, value in collate([encoded]).items() if not name.startswith("teacher")
        }
        output = model(**batch)
        number = len(encoded["thoughts"]) - 1
        there = [j for j in range(number) if encoded["until"][j] >= number]
        scores = model.memory(output.thought_vectors, output.thought_vectors)[0, number]
        ranked = sorted(there, key=lambda j: -float(scores[j]))
        ids = torch.tensor([encoded["input_ids"]], device=device)
        weights = _last_attention(model, ids)
        length = ids.shape[1]
        columns = torch.arange(length, device=device)
        asked = boundaries(encoded["input_ids"], config)
        for k in ks:
            keep = (columns >= length - config.window) | (columns < config.sinks)
            for j in ranked[:k]:
                begin, stop = encoded["spans"][j]
                sentence = max((end + 1 for end in asked if end + 1 < stop), default=0)
                keep |= (columns >= max(begin, sentence, stop - config.max_range)) & (columns < stop)
            mass = weights[..., keep].sum(-1).clamp_min(1e-9)
            found[k].append(float(-mass.log().mean()))
            held = set((columns[keep] // config.page_size).tolist())
            pages[k].append(len(held) / -(-length // config.page_size))
    model.training_step = before
    return {str(k): {"kl": mean(found[k]), "pages": mean(pages[k])} for k in ks}


def _last_attention(model: DualTrackForCausalLM, ids: torch.Tensor) -> torch.Tensor:
    """`[layers, heads, tokens]`, the full attention of the last token of the base model."""
    queries: list[torch.Tensor] = []
    layers = model.backbone.model.layers
    hooks = [
        layer.self_attn.q_proj.register_forward_hook(lambda m, i, o: queries.append(o[:, -1:])) for layer in layers
    ]
    try:
        _, _, cache = model.utter(ids)
    finally:
        for hook in hooks:
            hook.remove()
    position = torch.tensor([[ids.shape[1] - 1]], device=ids.device)
    cosine, sine = model.backbone.model.rotary_emb(queries[0], position_ids=position)
    found = []
    for layer, thought_layer, query in zip(cache.layers, model.thought_layers, queries, strict=True):
        query = query.view(1, 1, thought_layer.heads, -1).transpose(1, 2)
        query, _ = apply_rotary_pos_emb(query, query, cosine, sine)
        keys = layer.keys.repeat_interleave(thought_layer.heads // thought_layer.key_heads, 1)
        found.append((query @ keys.transpose(-1, -2) * thought_layer.head_size**-0.5).float().softmax(-1)[0, :, 0])
    return torch.stack(found)
