"""Perplexity of the text emitted after an update, under an independent language model."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from dataset_builder import END


def load_judge(model: str, device: str = "cpu") -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """
    A causal language model and its tokenizer.

    Args:
        model (`str`): A folder or a Hub name.
        device (`str`, *optional*, defaults to `"cpu"`): Where to put it.

    Raises:
        ValueError: There is none, or it is not a causal language model.
    """
    try:
        judge = AutoModelForCausalLM.from_pretrained(model).to(device).eval()
        return judge, AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"`perplexity_model`: {model!r} is no causal language model with a tokenizer that can be loaded; name a "
            f"folder or a Hub model that AutoModelForCausalLM and AutoTokenizer read. ({error})"
        ) from error


@torch.inference_mode()
def surprisals(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    starts: Sequence[int],
    batch_size: int = 8,
) -> list[tuple[float, int]]:
    """
    The negative log-likelihood of what follows a place in each text, given all before it.

    The parts before and after a place are tokenized separately, so that no token spans it. The text begins with the
    model's own start token, if it has one; without one the first token of a text is not judged. End tokens of the text
    are left out. A text that is longer than the model can read loses its beginning.

    Args:
        model (`PreTrainedModel`): The judging model.
        tokenizer (`PreTrainedTokenizerBase`): Its tokenizer.
        texts (`Sequence[str]`): The emitted texts.
        starts (`Sequence[int]`): For each text, the first character that is judged.
        batch_size (`int`, *optional*, defaults to 8): Texts at a time; the result does not depend on it.

    Returns:
        For each text, the sum over its judged tokens in nats, and their number.

    Raises:
        ValueError: `texts` and `starts` differ in length.
    """
    if len(texts) != len(starts):
        raise ValueError(f"`starts` has {len(starts)} entries for {len(texts)} texts; give one each.")
    longest = getattr(model.config, "max_position_embeddings", None)
    begin = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    rows: list[tuple[list[int], int]] = []
    for text, start in zip(texts, starts, strict=True):
        before, after = (
            tokenizer(part.replace(END, ""), add_special_tokens=False)["input_ids"] if part else []
            for part in (text[:start], text[start:])
        )
        ids = [*begin, *before, *after][-longest:] if longest else [*begin, *before, *after]
        rows.append((ids, max(0, min(len(after), len(ids) - 1))))

    found = [(0.0, 0)] * len(rows)
    due = sorted((index for index, (_, judged) in enumerate(rows) if judged), key=lambda index: len(rows[index][0]))
    for first in range(0, len(due), batch_size):
        batch = due[first : first + batch_size]
        width = max(len(rows[index][0]) for index in batch)
        ids = torch.tensor([rows[index][0] + [0] * (width - len(rows[index][0])) for index in batch])
        mask = torch.tensor([[1] * len(rows[index][0]) + [0] * (width - len(rows[index][0])) for index in batch])
        ids, mask = ids.to(model.device), mask.to(model.device)
        logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1].float()
        losses = F.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none").double().cpu()
        for losses_of_row, index in zip(losses, batch, strict=True):
            length, judged = len(rows[index][0]), rows[index][1]
            found[index] = (float(losses_of_row[length - 1 - judged : length - 1].sum()), judged)
    return found


def perplexity(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    starts: Sequence[int],
    batch_size: int = 8,
) -> float | None:
    """
    The perplexity of what follows a place in each text, over the tokens of all texts; None where no token is judged.
    See [`surprisals`] for the arguments.
    """
    totals = surprisals(model, tokenizer, texts, starts, batch_size)
    tokens = sum(count for _, count in totals)
    if not tokens:
        return None
    return float(torch.tensor(sum(loss for loss, _ in totals) / tokens, dtype=torch.float64).exp())
