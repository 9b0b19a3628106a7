"""One sample as token ids: three streams, and the place in the emitted one where each update is first known."""

from bisect import bisect_left
from typing import TypedDict

from transformers import PreTrainedTokenizerBase

from dataset_builder import Sample

from ..modeling import encode_prompt, encode_updates


class EncodedSample(TypedDict):
    """
    Attributes:
        input_ids (`list[int]`): The emitted stream, opened by the start token.
        prompt_ids (`list[int]`): The prompt, each message ended by the separator.
        update_ids (`list[list[int]]`): The updates.
        update_positions (`list[int]`): Index in `input_ids` of the first token that may know each update.
    """

    input_ids: list[int]
    prompt_ids: list[int]
    update_ids: list[list[int]]
    update_positions: list[int]


def token_positions(offsets: list[tuple[int, int]], positions: list[int]) -> list[int]:
    """
    Character positions as indices of an emitted stream that a start token opens: each goes to the first token that
    starts there or later, since a token under way is finished.
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
