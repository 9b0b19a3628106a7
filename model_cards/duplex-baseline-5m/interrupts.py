"""Interrupts: updates handed to a running `generate`, checked before any state changes."""

from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass
class Interrupt:
    """
    Updates for the rows of a running batch.

    Args:
        update_ids (`torch.LongTensor` of shape `(batch, length)` or `(batch, updates, length)`):
            One update for each row, or several that arrive together, in order.
        update_mask (`torch.Tensor` of the same shape, *optional*):
            Non-zero where `update_ids` holds a token, at the front of each update. An update whose mask is all zeros
            is ignored: use it for rows without one. Defaults to ones.

    Any object with these two attributes is accepted, so code that loads a model with `trust_remote_code=True` needs
    no import.
    """

    update_ids: torch.LongTensor
    update_mask: torch.Tensor | None = None

    @classmethod
    def from_lists(cls, rows: list[list[list[int]]], device=None) -> "Interrupt | None":
        """The updates of each row as lists of token ids, padded; None if no row has any."""
        most = max((len(row) for row in rows), default=0)
        if not most:
            return None
        longest = max(len(update) for row in rows for update in row)
        ids = torch.zeros(len(rows), most, longest, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for index, row in enumerate(rows):
            for number, update in enumerate(row):
                ids[index, number, : len(update)] = torch.tensor(update, dtype=torch.long)
                mask[index, number, : len(update)] = 1
        return cls(ids.to(device), mask.to(device))


class InterruptError(RuntimeError):
    """
    Raised when `interrupt_callback` fails or returns something unusable. No state has changed: `generate(input_ids,
    past_key_values=...)` continues from the attributes of this error.

    Attributes:
        input_ids (`torch.LongTensor`): All emitted tokens.
        past_key_values (`DuplexCache`): The state after it.
    """

    def __init__(self, message: str, input_ids: torch.LongTensor, past_key_values):
        super().__init__(
            f"{message} The text so far is in `input_ids` and its state in `past_key_values` of this error."
        )
        self.input_ids = input_ids
        self.past_key_values = past_key_values


def check_ids(name: str, ids, mask, vocab_size: int, batch_size: int | None = None, dims: tuple[int, ...] = (2,)):
    """Raises `ValueError`, with the argument and the remedy, unless `ids` and `mask` are valid token ids."""
    mask_name = name.replace("_ids", "_mask")
    if not isinstance(ids, torch.Tensor) or ids.is_floating_point() or ids.dtype == torch.bool:
        raise ValueError(f"`{name}` must be a tensor of integers, got {getattr(ids, 'dtype', type(ids).__name__)}.")
    if ids.dim() not in dims:
        wanted = " or ".join({2: "(batch, length)", 3: "(batch, updates, length)"}[d] for d in dims)
        raise ValueError(f"`{name}` must have the shape {wanted}, got {tuple(ids.shape)}.")
    if batch_size is not None and ids.shape[0] != batch_size:
        raise ValueError(
            f"`{name}` has {ids.shape[0]} rows, but {batch_size} rows are being generated: give one for each "
            f"(rows without one masked out by `{mask_name}`)."
        )
    if mask is not None:
        if not isinstance(mask, torch.Tensor) or mask.shape != ids.shape:
            raise ValueError(f"`{mask_name}` must be a tensor of the shape of `{name}`, {tuple(ids.shape)}.")
        if not bool(((mask == 0) | (mask == 1)).all()):
            raise ValueError(f"`{mask_name}` must hold zeros and ones only.")
    used = ids if mask is None else ids[mask.bool()]
    if used.numel() and (int(used.min()) < 0 or int(used.max()) >= vocab_size):
        raise ValueError(
            f"`{name}` holds ids from {int(used.min())} to {int(used.max())}, outside the vocabulary of {vocab_size}: "
            "encode the text with this model's own tokenizer."
        )


def check_interrupt(
    interrupt: Interrupt, batch_size: int, vocab_size: int, max_length: int
) -> tuple[torch.LongTensor, torch.BoolTensor]:
    """
    The updates of an interrupt as ids and mask of shape `(batch, updates, length)`.

    Raises:
        ValueError: The interrupt is invalid; the message names the argument and the remedy.
    """
    ids, mask = interrupt.update_ids, interrupt.update_mask
    check_ids("update_ids", ids, mask, vocab_size, batch_size, dims=(2, 3))
    mask = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask.to(ids.device).bool()
    if ids.dim() == 2:
        ids, mask = ids[:, None], mask[:, None]
    if not bool(mask.any()):
        raise ValueError(
            "`update_ids` holds an empty update: return None from `interrupt_callback` when there is none."
        )
    if bool((mask[..., 1:] & ~mask[..., :-1]).any()):
        raise ValueError("`update_mask` must have its ones at the front: pad updates on the right.")
    if int(mask.sum(-1).max()) > max_length:
        raise ValueError(
            f"`update_ids` holds an update of {int(mask.sum(-1).max())} tokens, more than max_message_length "
            f"({max_length}): send it as several updates."
        )
    # Normalize padding: neither its length nor its content has an effect.
    length = int(mask.sum(-1).max())
    return ids.masked_fill(~mask, 0)[..., :length], mask[..., :length]


def poll(
    callback: Callable[[torch.LongTensor], Interrupt | None] | None, input_ids: torch.LongTensor, cache, config
) -> tuple[torch.LongTensor, torch.BoolTensor] | None:
    """Calls the callback once, and returns checked updates `(batch, updates, length)` and their mask, or None."""
    if callback is None:
        return None
    try:
        interrupt = callback(input_ids)
        if interrupt is None:
            return None
        if not isinstance(getattr(interrupt, "update_ids", None), torch.Tensor):
            raise ValueError(
                "it must return None or an `Interrupt` (an object with the tensors `update_ids` and `update_mask`), "
                f"not {type(interrupt).__name__}."
            )
        ids, mask = check_interrupt(
            interrupt, input_ids.shape[0], config.get_text_config().vocab_size, config.max_message_length
        )
    except Exception as error:
        raise InterruptError(f"`interrupt_callback` failed: {error}", input_ids, cache) from error
    return ids.to(input_ids.device), mask.to(input_ids.device)
