"""Updates to some rows leave gaps in the others: the cache closes them, and nobody notices."""

import pytest
import torch
from tiny_models import KINDS, tiny_model

from hf_duplex import DuplexCache, Interrupt


def talk(model, prompts, updates, rows):
    """Greedy tokens of the chosen rows, each hearing its own updates, `{step: ids}`."""

    def callback(input_ids):
        due = [updates[row].get(input_ids.shape[1]) for row in rows]
        if not any(due):
            return None
        ids = torch.zeros(len(rows), max(len(update or ()) for update in due), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for index, update in enumerate(due):
            if update:
                ids[index, : len(update)], mask[index, : len(update)] = torch.tensor(update), 1
        return Interrupt(ids, mask)

    arguments = {"max_new_tokens": 40, "min_new_tokens": 40, "do_sample": False, "return_dict_in_generate": True}
    return model.generate(prompt_ids=prompts[list(rows)], interrupt_callback=callback, **arguments)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("window", [None, 9])
def test_a_row_is_the_same_however_many_gaps_were_closed(name, window, monkeypatch):
    monkeypatch.setattr(DuplexCache, "least_gap", 4)
    model = tiny_model(name, sliding_window=window, max_message_length=12, n_slots=24)
    generator = torch.Generator().manual_seed(1)
    prompts = torch.randint(5, 60, (6, 7), generator=generator)
    updates = [
        {step: torch.randint(5, 60, (9,), generator=generator).tolist() for step in range(2 + row, 36, 6)}
        for row in range(6)
    ]
    together = talk(model, prompts, updates, range(6))
    for row in range(6):
        alone = talk(model, prompts, updates, [row])
        assert together.sequences[row].tolist() == alone.sequences[0].tolist()
    if name == "baseline":
        tokens = 7 + 40 + sum(map(len, updates[0].values()))
        assert together.past_key_values.get_seq_length() <= 2 * tokens + 4
