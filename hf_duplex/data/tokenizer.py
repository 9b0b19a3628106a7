"""A byte-level BPE tokenizer with separate digits, trained on texts that the models read and emit."""

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from dataset_builder import END


SPECIAL_TOKENS = ("<pad>", "<bos>", END, "<sep>", "<update>")

# Words with the preceding space, single digits, runs of other characters.
PIECES = Regex(r" ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+")


def train_tokenizer(texts: Iterable[str], vocab_size: int = 1024) -> PreTrainedTokenizerFast:
    """
    Trains a tokenizer.

    Args:
        texts (`Iterable[str]`): Prompts, updates and emitted texts.
        vocab_size (`int`, *optional*, defaults to 1024): Number of tokens, special ones included.

    Returns:
        A plain [`~transformers.PreTrainedTokenizerFast`]: padding 0, start 1, end 2, message separator 3, and update
        token 4. Loading it needs no code of this package.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(PIECES, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text.replace(END, "") for text in texts), trainer)
    pad, bos, eos, sep, update = SPECIAL_TOKENS
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        bos_token=bos,
        eos_token=eos,
        sep_token=sep,
        extra_special_tokens={"update_token": update},
        clean_up_tokenization_spaces=False,
    )
