"""Encodes samples as token ids: three streams, and the first emitted token that can see each update."""

from bisect import bisect_left
from typing import TypedDict

from transformers import PreTrainedTokenizerBase

from dataset_builder import Sample

from ..modeling import encode_prompt, encode_updates
from .own import Conversation


# Control tokens that tokenizers of the models from scratch have.
CONTROL_TOKENS = ("bos", "eos", "sep", "update")


class EncodedSample(TypedDict):
    """
    Attributes:
        input_ids (`list[int]`): The emitted stream, which begins with the start token.
        prompt_ids (`list[int]`): The prompt, each message ended by the separator.
        update_ids (`list[list[int]]`): The updates.
        update_positions (`list[int]`): Index in `input_ids` of the first token that can see each update.
    """

    input_ids: list[int]
    prompt_ids: list[int]
    update_ids: list[list[int]]
    update_positions: list[int]


def token_positions(offsets: list[tuple[int, int]], positions: list[int]) -> list[int]:
    """
    Converts character positions to indices of an emitted stream with a start token: the first token that starts at the
    position or later, since a token that has begun is completed.
    """
    starts = [start for start, _ in offsets]
    return [1 + bisect_left(starts, position) for position in positions]


def encode_sample(tokenizer: PreTrainedTokenizerBase, sample: Sample) -> EncodedSample:
    """Encodes a sample of the dataset builder."""
    target = tokenizer(sample.target, add_special_tokens=False, return_offsets_mapping=True)
    return EncodedSample(
        input_ids=[tokenizer.bos_token_id, *target["input_ids"]],
        prompt_ids=encode_prompt(tokenizer, sample.prompt),
        update_ids=encode_updates(tokenizer, [update["text"] for update in sample.updates]),
        update_positions=token_positions(target["offset_mapping"], [update["position"] for update in sample.updates]),
    )


def encode_conversation(
    tokenizer: PreTrainedTokenizerBase, conversation: Conversation, max_message_length: int | None = None
) -> EncodedSample:
    """
    Encodes a conversation of a user's data for the models from scratch. Each clause of each chat message is a message
    of the prompt, and an end token is appended to the text. Control tokens written in a text are encoded as plain
    text.

    Args:
        tokenizer (`PreTrainedTokenizerBase`): A tokenizer from [`train_tokenizer`].
        conversation ([`Conversation`]): The conversation.
        max_message_length (`int`, *optional*): The `max_message_length` of the model's configuration.

    Raises:
        ValueError: The tokenizer lacks a control token, or an update is longer than `max_message_length`.
    """
    missing = [name for name in CONTROL_TOKENS if getattr(tokenizer, f"{name}_token_id", None) is None]
    if missing:
        raise ValueError(
            f"`tokenizer` has no {', '.join(missing)} token; use one that `hf_duplex.data.train_tokenizer` made."
        )
    text, updates = conversation.text, conversation.updates
    emitted = tokenizer(text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True)
    update_ids = encode_updates(tokenizer, [update for _, update in updates])
    longest = max(map(len, update_ids), default=0)
    if max_message_length is not None and longest > max_message_length:
        raise ValueError(
            f"{conversation.where}: an update has {longest} tokens, more than max_message_length "
            f"({max_message_length}); write it as several updates at the same position, or raise max_message_length."
        )
    return EncodedSample(
        input_ids=[tokenizer.bos_token_id, *emitted["input_ids"], tokenizer.eos_token_id],
        prompt_ids=[id for message in conversation.messages for id in encode_prompt(tokenizer, message["content"])],
        update_ids=update_ids,
        update_positions=token_positions(
            [*emitted["offset_mapping"], (len(text), len(text))], [position for position, _ in updates]
        ),
    )
