"""
Converts a chat to the incoming stream of a pretrained model: every message is a turn of its chat template.

Control tokens written in a text are encoded as plain text.
"""

from collections.abc import Sequence
from typing import Any


PLAIN_UPDATE = "\n[Update: ", "]\n"
MARK = "\ue000{}\ue000"


class ChatFormat:
    """
    Token ids of prompts and updates.

    Args:
        tokenizer (`PreTrainedTokenizerBase`): The tokenizer. Without a chat template, a prompt is encoded
            unchanged and an update is put in brackets.
        spliced (`bool`, *optional*, defaults to `False`): Updates are written into the emitted stream, so each ends
            the current turn and starts the next.

    Raises:
        ValueError: The chat template changes the texts of messages.
    """

    def __init__(self, tokenizer: Any, spliced: bool = False):
        self.tokenizer, self.spliced = tokenizer, spliced
        self.around_update: tuple[str, ...] = PLAIN_UPDATE
        if tokenizer.chat_template:
            turns = [self._turn("user", 0), self._turn("assistant", 1), self._turn("user", 2)]
            after = self._render(turns, open_answer=spliced).split(MARK.format(1))[-1]
            around = after.split(MARK.format(2))
            if not spliced and len(around) == 2:
                # The end of the preceding answer belongs to the emitted stream.
                ends = self._render(turns[:2], open_answer=False).split(MARK.format(1))[-1]
                around[0] = around[0].removeprefix(ends)
            self.around_update = tuple(around)
        if len(self.around_update) != 2:
            raise ValueError("`tokenizer` has a chat template that changes what it is given: name another model.")

    @staticmethod
    def _turn(role: str, number: int) -> dict[str, str]:
        return {"role": role, "content": MARK.format(number)}

    def _render(self, messages: Sequence[dict[str, str]], open_answer: bool) -> str:
        return self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=open_answer)

    def _encode(self, text: str, plain: bool) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=plain) if text else []

    def prompt(self, messages: str | Sequence[dict[str, str]]) -> tuple[list[int], int]:
        """
        The prompt, and the first token of the emitted stream, which is the last one of the chat template.

        Args:
            messages (`str` or `list[dict[str, str]]`): A user message, or a whole chat with `role` and `content`.
        """
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        if self.tokenizer.chat_template:
            turns = [self._turn(message["role"], number) for number, message in enumerate(messages)]
            rest, ids = self._render(turns, open_answer=True), []
            for number, message in enumerate(messages):
                before, found, rest = rest.partition(MARK.format(number))
                if not found:
                    raise ValueError(
                        f"the chat template leaves out the {message['role']} message: use roles that it knows."
                    )
                ids += self._encode(before, plain=False) + self._encode(message["content"], plain=True)
            ids += self._encode(rest, plain=False)
        else:
            ids = self._encode("\n".join(message["content"] for message in messages), plain=True)
        bos = self.tokenizer.bos_token_id
        if bos is not None and (not ids or ids[0] != bos) and not self.tokenizer.chat_template:
            ids = [bos, *ids]
        return ids[:-1], ids[-1]

    def update(self, text: str) -> list[int]:
        """One update."""
        before, after = self.around_update
        return [*self._encode(before, False), *self._encode(text, True), *self._encode(after, False)]

    def system_prefix(self) -> list[int] | None:
        """The first tokens of a system prompt; None if the template does not support one."""
        if not self.tokenizer.chat_template:
            return None
        try:
            rendered = self._render([self._turn("system", 0), self._turn("user", 1)], open_answer=False)
        except Exception:  # Templates without system prompts raise different errors.
            return None
        before, found, _ = rendered.partition(MARK.format(0))
        return self._encode(before, plain=False) or None if found else None


__all__ = ["ChatFormat"]
