"""Snapshots of a session, and differences between two versions, recomputed from its messages."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from ..modeling import Workspace, WorkspaceChange, split_messages
from .history import QueuedUpdate
from .listeners import is_adapter, is_workspace
from .slots import Moves, moves


class Snapshot(NamedTuple):
    """A position in a session that it can go back to. It holds only a few numbers; the log holds the rest."""

    session: str
    event: int
    step: int
    version: int


class VersionDiff(NamedTuple):
    """
    The changes between two versions.

    Attributes:
        before, after (`int`): The versions.
        messages (`list[str]`): The updates that were applied in between, without messages of the prompt.
        changes (`WorkspaceChange`, *optional*): Their changes to the slots; None for a model without a workspace.
        moves (`Moves`, *optional*): The same changes, by word.
    """

    before: int
    after: int
    messages: list[str]
    changes: WorkspaceChange | None = None
    moves: Moves | None = None


def prompt_messages(config: Any, prompt_ids: list[int]) -> list[list[int]]:
    """Splits a prompt into messages, as the model does."""
    if not prompt_ids:
        return []
    separator, longest = config.message_separator_token_id, config.max_message_length
    ids, mask = split_messages(torch.tensor([prompt_ids]), None, separator, longest)
    return [message[there].tolist() for message, there in zip(ids[0], mask[0], strict=True) if bool(there.any())]


@torch.no_grad()
def workspace_after(model: Any, messages: Sequence[list[int]], steps: Sequence[int] = ()) -> Workspace:
    """
    The workspace of a model after it has received these messages and nothing else.

    Args:
        model (`PreTrainedModel`): A model with a workspace.
        messages (`Sequence[list[int]]`): The messages: those of the prompt, then the updates.
        steps (`Sequence[int]`, *optional*): For each of the last messages, the updates, the number of tokens that had
            been emitted when it arrived. A duplex adapter reads an update at the position where it arrived.
    """
    if is_adapter(model):
        prompt, updates = messages[: len(messages) - len(steps)], messages[len(messages) - len(steps) :]
        ids = torch.tensor([[token for message in prompt for token in message]], dtype=torch.long)
        workspace = model.update_workspace(ids.to(model.device))
        for update, step in zip(updates, steps, strict=True):
            workspace = model.update_workspace(torch.tensor([update], device=model.device), None, workspace, step)
        return workspace
    count, longest = max(1, len(messages)), max([1, *map(len, messages)])
    ids = torch.zeros(1, count, longest, dtype=torch.long, device=model.device)
    mask = torch.zeros_like(ids)
    for index, message in enumerate(messages):
        ids[0, index, : len(message)] = torch.tensor(message)
        mask[0, index, : len(message)] = 1
    return model.update_workspace(ids, mask)


def version_diff(
    model: Any,
    tokenizer: Any,
    prompt_ids: list[int],
    heard: Sequence[tuple[QueuedUpdate, int]],
    before: int,
    after: int,
) -> VersionDiff:
    """
    The changes between two versions of a session; `heard` holds each update that it received, and its step.

    Raises:
        ValueError: There is no such version, or they are in the wrong order.
    """
    prompt = prompt_messages(model.config, prompt_ids)
    first, latest = len(prompt), len(prompt) + len(heard)
    if not 0 <= before <= after <= latest:
        raise ValueError(f"`before` and `after` must be versions from 0 to {latest}, in order: got {before}, {after}.")
    texts = [update.text for update, _ in heard[max(0, before - first) : max(0, after - first)]]
    if not is_workspace(model):
        return VersionDiff(before, after, texts)
    messages = [*prompt, *(update.ids for update, _ in heard)]
    steps = [step for _, step in heard]
    old, new = (workspace_after(model, messages[:k], steps[: max(0, k - first)]) for k in (before, after))
    return VersionDiff(before, after, texts, new.changes(old), moves(old, new, tokenizer))
