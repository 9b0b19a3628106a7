"""Encodes conversations for a duplex adapter on a pretrained model, as turns of its chat template."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from dataset_builder import END, Sample

from ..modeling.chat_format import ChatFormat
from .encoding import EncodedSample, token_positions
from .own import Conversation


class ChatEncoder:
    """
    Encodes conversations.

    Args:
        tokenizer (`PreTrainedTokenizerBase`): The base's tokenizer.
        mode (`str`, *optional*, defaults to `"workspace"`): As in [`~hf_duplex.DuplexAdapterConfig`].
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, mode: str = "workspace"):
        self.tokenizer, self.format = tokenizer, ChatFormat(tokenizer, spliced=mode == "spliced")
        self.end_id: int = tokenizer.eos_token_id

    def emitted(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """
        Tokens of an emitted text, and the character range of each. The end-of-text marker of the dataset builder
        becomes the token that ends a turn.
        """
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []
        start = 0
        for number, part in enumerate(text.split(END)):
            if number:
                ids.append(self.end_id)
                offsets.append((start - len(END), start))
            if part:
                made = self.tokenizer(
                    part, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=True
                )
                ids += made["input_ids"]
                offsets += [(start + first, start + last) for first, last in made["offset_mapping"]]
            start += len(part) + len(END)
        return ids, offsets

    def __call__(
        self, messages: str | Sequence[dict[str, str]], text: str, updates: Sequence[tuple[int, str]]
    ) -> EncodedSample:
        """
        Encodes one conversation.

        Args:
            messages (`str` or `list[dict[str, str]]`): The prompt.
            text (`str`): The emitted text, with its end-of-text marker.
            updates (`list[tuple[int, str]]`): Updates, each with the number of characters of `text` before it.
        """
        prompt, first = self.format.prompt(messages)
        ids, offsets = self.emitted(text)
        return EncodedSample(
            input_ids=[first, *ids],
            prompt_ids=prompt,
            update_ids=[self.format.update(update) for _, update in updates],
            update_positions=token_positions(offsets, [position for position, _ in updates]),
        )

    def sample(self, sample: Sample) -> EncodedSample:
        """Encodes a sample of the dataset builder."""
        updates = [(update["position"], update["text"]) for update in sample.updates]
        return self(sample.prompt, sample.target, updates)

    def conversation(self, conversation: Conversation) -> EncodedSample:
        """Encodes a conversation of a user's data, which ends with its text."""
        return self(conversation.messages, conversation.text + END, conversation.updates)
