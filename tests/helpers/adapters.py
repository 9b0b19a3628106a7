"""Tiny models of every family that a duplex adapter supports, with adapters whose additions are far from zero."""

import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3Config,
    Gemma3TextConfig,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    Olmo2Config,
    Phi3Config,
    Qwen2Config,
    Qwen3Config,
    SiglipVisionConfig,
    SmolLM3Config,
)

from hf_duplex import DuplexAdapterConfig, Interrupt, listen


VOCABULARY = 259
END = 258
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
WITHOUT_HEAD_DIM = {name: value for name, value in SIZES.items() if name != "head_dim"}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
HALF_SLIDING = ["sliding_attention", "full_attention"]


def family_configs():
    """A configuration for each family, by name. Windows are short, so that they are passed."""
    return {
        "llama": LlamaConfig(**SIZES),
        "mistral": MistralConfig(**SIZES, sliding_window=16),
        "qwen2": Qwen2Config(**SIZES),
        "qwen3": Qwen3Config(**SIZES, use_sliding_window=True, sliding_window=12, max_window_layers=1),
        "gemma2": Gemma2Config(**SIZES, sliding_window=16, query_pre_attn_scalar=8),
        "gemma3": Gemma3TextConfig(**SIZES, sliding_window=16, layer_types=HALF_SLIDING),
        "gemma3_nested": Gemma3Config(
            text_config=Gemma3TextConfig(**SIZES), vision_config=SiglipVisionConfig(**VISION), mm_tokens_per_image=4
        ),
        "phi3": Phi3Config(**WITHOUT_HEAD_DIM),
        "smollm3": SmolLM3Config(**SIZES),
        "gpt_neox": GPTNeoXConfig(
            **{name: value for name, value in WITHOUT_HEAD_DIM.items() if name != "num_key_value_heads"}
        ),
        "olmo2": Olmo2Config(**SIZES),
    }


FAMILIES = tuple(family_configs())


def make_base(family="llama", seed=0):
    """A model with weights large enough for its attention to matter."""
    torch.manual_seed(seed)
    base = AutoModelForCausalLM.from_config(family_configs()[family]).eval()
    for parameter in base.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.15)
    return base


def shake(model, seed=1):
    """Gives the additions of an adapter values that matter, as training would."""
    torch.manual_seed(seed)
    for value in model.additions().values():
        torch.nn.init.normal_(value.data, std=0.1)
    if hasattr(model, "doubt"):
        model.doubt.bias.data.zero_()
    return model


def make_adapter(family="llama", base=None, **config):
    """A base, and the same listening through an adapter that does something."""
    base = make_base(family) if base is None else base
    config = {"lora_rank": 4, "doubt_size": 8, **config}
    return base, shake(listen(base, DuplexAdapterConfig(**config)))


def schedule(rows):
    """An `interrupt_callback`: `rows` holds for each row pairs (index of the first token that knows it, ids)."""

    def callback(input_ids):
        now = input_ids.shape[1]
        return Interrupt.from_lists([[ids for position, ids in row if position == now] for row in rows])

    return callback


def streams_of(rows, prompts, emitted):
    """The same as arguments of `forward`, prompts padded on the left."""
    longest = max(map(len, prompts))
    updates = max([1, *(len(row) for row in rows)])
    length = max([1, *(len(ids) for row in rows for _, ids in row)])
    streams = {
        "input_ids": emitted,
        "prompt_ids": torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts]),
        "prompt_mask": torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]),
        "update_ids": torch.zeros(len(rows), updates, length, dtype=torch.long),
        "update_mask": torch.zeros(len(rows), updates, length, dtype=torch.long),
        "update_positions": torch.zeros(len(rows), updates, dtype=torch.long),
    }
    for row, updates_of_row in enumerate(rows):
        for number, (position, ids) in enumerate(updates_of_row):
            streams["update_ids"][row, number, : len(ids)] = torch.tensor(ids)
            streams["update_mask"][row, number, : len(ids)] = 1
            streams["update_positions"][row, number] = position
    return streams


def play(model, rows, prompts, tokens, seed=0, **kwargs):
    """Generates while updates arrive, sampling so that texts vary; returns sequences, logits and the cache."""
    torch.manual_seed(seed)
    longest = max(map(len, prompts))
    output = model.generate(
        input_ids=torch.full((len(prompts), 1), 4),
        prompt_ids=torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts]),
        prompt_mask=torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]),
        interrupt_callback=schedule(rows),
        max_new_tokens=tokens,
        do_sample=True,
        top_k=0,
        suppress_tokens=[0, END],
        pad_token_id=0,
        eos_token_id=END,
        output_logits=True,
        return_dict_in_generate=True,
        **kwargs,
    )
    return output.sequences, torch.stack(output.logits, dim=1), output.past_key_values
