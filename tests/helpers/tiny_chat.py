"""A tiny chat model with a byte tokenizer, and duplex adapters on it whose additions matter, in folders."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from hf_duplex import DuplexAdapterConfig, listen


SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
UNKNOWN, OPENS, ENDS = range(3)
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def chat_tokenizer() -> PreTrainedTokenizerFast:
    """One token for each byte; what ends a turn pads too, as for many a chat model."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={token: n for n, token in enumerate([*SPECIAL, *alphabet])}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token=SPECIAL[UNKNOWN],
        bos_token=SPECIAL[OPENS],
        eos_token=SPECIAL[ENDS],
        pad_token=SPECIAL[ENDS],
        chat_template=TEMPLATE,
    )


def chat_model(max_position_embeddings: int = 2048) -> LlamaForCausalLM:
    """Random weights, large enough that what comes in changes what is emitted."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=259,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=max_position_embeddings,
        bos_token_id=OPENS,
        eos_token_id=ENDS,
        pad_token_id=ENDS,
        initializer_range=0.15,
    )
    return LlamaForCausalLM(config).eval()


def write_base(folder: Path, **sizes: int) -> str:
    """A base and its tokenizer."""
    chat_model(**sizes).save_pretrained(folder)
    chat_tokenizer().save_pretrained(folder)
    return str(folder)


def write_adapter(folder: Path, base: LlamaForCausalLM, trained: bool = True, **fields: object) -> str:
    """An adapter; a trained one has additions that are far from zero."""
    adapter = listen(base, DuplexAdapterConfig(lora_rank=4, doubt_size=8, **fields))
    torch.manual_seed(1)
    for value in adapter.additions().values() if trained else ():
        torch.nn.init.normal_(value.data, std=0.2)
    adapter.save_pretrained(folder)
    return str(folder)
