"""Serialized streams: the prompt, the emitted tokens, and each update before the first token that can see it."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Streams:
    """The streams of a batch side by side; shapes and meanings are those of `DuplexForCausalLM.forward`."""

    input_ids: torch.LongTensor
    attention_mask: torch.Tensor | None = None
    prompt_ids: torch.LongTensor | None = None
    prompt_mask: torch.Tensor | None = None
    update_ids: torch.LongTensor | None = None
    update_mask: torch.Tensor | None = None
    update_positions: torch.LongTensor | None = None

    def updates(self):
        """The updates as from [`sort_updates`], or None."""
        if self.update_ids is None:
            return None
        return sort_updates(self.update_ids, self.update_mask, self.update_positions)

    def line(self, updates=None):
        """Ids and predictors of the serialized streams, as from [`serialize`]."""
        ids, _, predictor = serialize(self.input_ids, self.attention_mask, self.prompt_ids, self.prompt_mask, updates)
        return ids, predictor


def is_serialized(input_ids: torch.LongTensor, labels: torch.LongTensor, bos_token_id: int | None) -> bool:
    """
    Whether rows `(batch, length)` hold a prompt and its text as serialized by a `SerializedCollator`: the emitted text
    begins with the start token, and neither this token nor the tokens before it have a loss.
    """
    start = input_ids == (-1 if bos_token_id is None else bos_token_id)
    before = start.cumsum(1) == 0
    first = start & (start.cumsum(1) == 1)
    learned = (labels != -100) & (before | first)
    prompted = start.any(1) & before[:, 0]
    return bool((prompted & ~learned.any(1)).all())


def missing_prompt(or_serialized: bool = False) -> ValueError:
    """The error for a training batch without prompts."""
    other = " or a `SerializedCollator`, which masks the prompt's labels and opens the text with the start token"
    return ValueError(
        "`prompt_ids` is missing: in training `input_ids` and `labels` are the emitted text, and the prompt is given "
        "as `prompt_ids`; a prompt in `input_ids` would be learned as emitted text. Encode with an `OwnDataset`, and "
        "collate with a `ChannelCollator`"
        f"{other if or_serialized else ''}. To train without a prompt, give `prompt_ids` of shape (batch, 0)."
    )


def sort_updates(update_ids, update_mask, update_positions):
    """
    Checks updates and sorts them by arrival, missing ones last.

    Args:
        update_ids (`torch.LongTensor` of shape `(batch, updates, length)`): The updates.
        update_mask (`torch.Tensor` of the same shape, *optional*): Non-zero where they hold tokens.
        update_positions (`torch.LongTensor` of shape `(batch, updates)`): Index of the first token that can see each.

    Raises:
        ValueError: An argument is missing or shapes do not fit; the message names it.
    """
    if update_positions is None:
        raise ValueError(
            "`update_ids` needs `update_positions`: the index of the first token that may know each update."
        )
    if update_ids.dim() != 3 or update_positions.shape != update_ids.shape[:2]:
        raise ValueError(
            "`update_ids` must have the shape (batch, updates, length) and `update_positions` (batch, updates), got "
            f"{tuple(update_ids.shape)} and {tuple(update_positions.shape)}."
        )
    update_mask = torch.ones_like(update_ids) if update_mask is None else update_mask
    if update_mask.shape != update_ids.shape:
        raise ValueError(f"`update_mask` must have the shape of `update_ids`, {tuple(update_ids.shape)}.")
    if not update_ids.numel():
        # Represent no updates as one update that is masked out.
        batch_size = update_ids.shape[0]
        update_ids, update_mask = update_ids.new_zeros(batch_size, 1, 1), update_mask.new_zeros(batch_size, 1, 1)
        update_positions = update_positions.new_zeros(batch_size, 1)
    update_mask = update_mask.bool()
    never = torch.iinfo(update_positions.dtype).max
    positions = update_positions.masked_fill(~update_mask.any(-1), never)
    positions, order = positions.sort(dim=1, stable=True)
    by_row = order[..., None].expand_as(update_ids)
    return update_ids.gather(1, by_row), update_mask.gather(1, by_row), positions


def serialize(input_ids, attention_mask, prompt_ids=None, prompt_mask=None, updates=None):
    """
    Serializes the three streams of each row.

    Args:
        input_ids (`torch.LongTensor` of shape `(batch, length)`): The emitted stream.
        attention_mask (`torch.Tensor` of the same shape, *optional*): Non-zero where it holds a token.
        prompt_ids, prompt_mask (`(batch, prompt_length)`, *optional*): The prompt, which comes first.
        updates (`tuple`, *optional*): As from [`sort_updates`].

    Returns:
        Token ids and mask `(batch, total)`, padded on the right; and predictors `(batch, length)`: for each index of
        the emitted stream, the serialized index of the token that predicts the next emitted token.
    """
    if input_ids is None:
        raise ValueError("`prompt_ids` and `update_ids` need `input_ids`: embeddings cannot be laid out beside them.")
    batch_size, length = input_ids.shape
    emitted_mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
    # Sort keys: prompts below 0, token i at 2i + 1, an update for position p at 2p, padding last.
    index = torch.arange(length, device=input_ids.device).expand(batch_size, -1)
    parts = [(input_ids, emitted_mask.bool(), 2 * index + 1)]
    if prompt_ids is not None:
        prompt_mask = torch.ones_like(prompt_ids) if prompt_mask is None else prompt_mask
        parts.insert(0, (prompt_ids, prompt_mask.bool(), torch.full_like(prompt_ids, -1)))
    if updates is not None:
        update_ids, update_mask, positions = updates
        places = 2 * positions.clamp(1, length)
        parts.append((update_ids.flatten(1), update_mask.flatten(1), places.repeat_interleave(update_ids.shape[2], 1)))
    ids, mask, place = (torch.cat(tensors, dim=1) for tensors in zip(*parts, strict=True))
    place = place.masked_fill(~mask, 2 * length + 2)
    place, order = place.sort(dim=1, stable=True)
    longest = int(mask.sum(1).max())
    place, order = place[:, :longest].contiguous(), order[:, :longest]  # the rest is padding
    # The last token before emitted token i + 1 predicts it.
    predictor = torch.searchsorted(place, 2 * index + 3) - 1
    return ids.gather(1, order), mask.gather(1, order), predictor


def visible_versions(length: int, positions: torch.LongTensor) -> torch.LongTensor:
    """Number of updates visible to each emitted token when it predicts the next: (b, u) -> (b, length)."""
    following = torch.arange(1, length + 1, device=positions.device)
    return (positions[:, None, :] <= following[None, :, None]).sum(-1)
