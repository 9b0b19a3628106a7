"""The grammar of thoughts, `<start> TYPE | summary <end>`, as a logits processor: nothing else can be said."""

import torch
from transformers import LogitsProcessor

from .configuration_dual_track import DualTrackConfig


class ThoughtGrammarLogitsProcessor(LogitsProcessor):
    """
    Lets the thought track say one type, then a summary of at least one token (or the query tokens of stage B), then
    the end. Ids of nodes cannot be invented: no token with `#` may be in a summary.

    Args:
        config ([`DualTrackConfig`]): The ids of the control tokens, and the longest summary.
        forbidden_ids (`torch.Tensor`): Tokens of the base that no summary holds: special ones, line breaks, `#`.
        alone (`torch.Tensor`): `[batch]`, true for rows without an earlier thought: these can only say NEW.
    """

    def __init__(self, config: DualTrackConfig, forbidden_ids: torch.Tensor, alone: torch.Tensor):
        self.config, self.forbidden_ids, self.alone = config, forbidden_ids, alone

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """`[batch, tokens said of this thought]` and `[batch, base and control tokens]` to the same scores, masked."""
        config, said = self.config, input_ids.shape[1]
        allowed = torch.zeros_like(scores, dtype=torch.bool)
        if said == 1:
            allowed[:, config.type_ids] = True
            allowed[self.alone.nonzero().squeeze(-1)[:, None], config.type_ids[1:]] = False
        elif config.latent_tokens:
            step = said - 2
            allowed[:, config.latent_ids[step] if step < config.latent_tokens else config.end_id] = True
        elif said == 2:
            allowed[:, config.separator_id] = True
        elif said >= 3 + config.max_summary:
            allowed[:, config.end_id] = True
        else:
            allowed[:, : config.vocab_size] = True
            allowed[:, self.forbidden_ids] = False
            allowed[:, config.end_id] = said > 3
        # A row that has ended waits for the others.
        ended = (input_ids == config.end_id).any(-1)
        allowed[ended] = False
        allowed[ended, config.end_id] = True
        return scores.masked_fill(~allowed, -torch.inf)


def is_grammatical(ids: list[int], config: DualTrackConfig, forbidden_ids: set[int]) -> bool:
    """Whether tokens are one whole thought, told without the processor (so that it can be tested against it)."""
    if len(ids) < 4 or ids[0] != config.start_id or ids[-1] != config.end_id or ids[1] not in config.type_ids:
        return False
    if config.latent_tokens:
        return ids[2:-1] == config.latent_ids
    summary = ids[3:-1]
    return (
        ids[2] == config.separator_id
        and 1 <= len(summary) <= config.max_summary
        and all(token < config.vocab_size and token not in forbidden_ids for token in summary)
    )
