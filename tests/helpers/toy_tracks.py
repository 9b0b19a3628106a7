"""A tiny base with a chat tokenizer, and tracks on it."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from dataset_builder.reflection.dialogues import DialogueConfig, write_dialogue


def write_base(folder: Path) -> Path:
    """A base of two layers, and a tokenizer that knows ChatML."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = [turn.text for seed in range(40) for turn in write_dialogue(seed, "train").turns]
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=700, special_tokens=special, initial_alphabet=alphabet)
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=special[1],
        eos_token=special[2],
        pad_token=special[2],
        unk_token=special[0],
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(fast), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, bos_token_id=1, eos_token_id=2, pad_token_id=2, max_position_embeddings=4096,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def write_corpus(folder: Path, count: int = 12) -> Path:
    """A corpus as `hf-duplex data reflection synthetic` makes it, but small."""
    import json

    folder.mkdir(parents=True, exist_ok=True)
    config = DialogueConfig(events=(2, 4), small_talk=0.1)
    for split in ("train", "validation", "test"):
        rows = [write_dialogue(seed, split, config=config).to_row() for seed in range(count)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rows = [write_dialogue(seed, "test", config=DialogueConfig(events=(2, 3), far=60)).to_row() for seed in range(2)]
    (folder / "far.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def write_encoder(folder: Path) -> Path:
    """A tiny encoder of sentences, with the tokenizer of the tiny base."""
    tokenizer = AutoTokenizer.from_pretrained(write_base(folder))
    torch.manual_seed(0)
    BertModel(
        BertConfig(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=32, num_hidden_layers=1,
                   num_attention_heads=2, max_position_embeddings=512)
    ).save_pretrained(folder)  # fmt: skip
    return folder
