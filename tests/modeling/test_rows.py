"""A row's result never depends on its neighbours."""

import pytest
import torch
from tiny_models import BOS, GENERATORS, PAD, SEP, AtOnce, Schedule, greedy, pad_rows, tiny_model


PROMPTS = [[5, 6, SEP, 7, 8], [9], [], [10, 11, 12, SEP, 13, 14, SEP, 15], [16, 17, 18]]
UPDATES = [[(2, [20, 21])], [], [(4, [22, 23, 24]), (4, [25])], [(1, [26]), (3, [27, 28])], [(9, [30, 31])]]
# With so many ends, rows end at different times.
ENDS = [2, 33, 36, 38, 41, 45, 47, 50, 52, 55, 58, 61]


# Nobody ends before the first step.
AT_ONCE = [[(1, message) for _, message in updates] for updates in UPDATES]


def together_and_alone(model, ends, all_updates=UPDATES, **kwargs):
    ids, mask = pad_rows(PROMPTS)
    streams = {"prompt_ids": ids, "prompt_mask": mask}
    together = greedy(model, interrupt_callback=Schedule(*all_updates), eos_token_id=ends, **streams, **kwargs)
    alone = [
        greedy(
            model,
            torch.tensor([[BOS]]),
            prompt_ids=torch.tensor([prompt], dtype=torch.long) if prompt else None,
            interrupt_callback=Schedule(updates),
            eos_token_id=ends,
            **kwargs,
        )
        for prompt, updates in zip(PROMPTS, all_updates, strict=True)
    ]
    return together, alone


@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("name", GENERATORS)
def test_a_row_in_a_batch_says_what_it_says_alone(name, window):
    together, alone = together_and_alone(tiny_model(name, sliding_window=window), None, n=14)
    for row, output in enumerate(alone):
        assert together.sequences[row].tolist() == output.sequences[0].tolist()
        assert together.versions[row].tolist() == output.versions[0].tolist()


@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("name", GENERATORS)
def test_rows_that_end_at_different_times_say_what_they_say_alone(name, window):
    together, alone = together_and_alone(tiny_model(name, sliding_window=window), ENDS, n=14)
    lengths = {output.sequences.shape[1] for output in alone}
    assert len(lengths) > 1
    for row, output in enumerate(alone):
        length = output.sequences.shape[1]
        assert together.sequences[row, :length].tolist() == output.sequences[0].tolist()
        assert together.versions[row, :length].tolist() == output.versions[0].tolist()
        assert (together.sequences[row, length:] == PAD).all()


@pytest.mark.parametrize("pad", [PAD, 63, ENDS[1]])
@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("name", GENERATORS)
def test_rows_that_have_ended_go_on_when_told_something_new(name, window, pad):
    model = tiny_model(name, sliding_window=window)
    together, alone = together_and_alone(model, ENDS, AT_ONCE, n=10, pad_token_id=pad)
    again = sum(output.sequences.shape[1] < together.sequences.shape[1] for output in alone)
    news = [[[40, 41]], [], [[42], [43, 44]], [[45]], []]
    cache = together.past_key_values
    further = greedy(
        model,
        together.sequences,
        past_key_values=cache,
        interrupt_callback=AtOnce(*news),
        pad_token_id=pad,
        n=8,
    )
    for row, output in enumerate(alone):
        expected = greedy(
            model,
            output.sequences,
            past_key_values=output.past_key_values,
            interrupt_callback=AtOnce(news[row]) if news[row] else None,
            pad_token_id=pad,
            n=8,
        )
        assert further.sequences[row, -8:].tolist() == expected.sequences[0, -8:].tolist()
        assert further.versions[row, -8:].tolist() == expected.versions[0, -8:].tolist()
        logits, wanted = (torch.stack(out.logits, dim=1)[at] for out, at in ((further, row), (expected, 0)))
        torch.testing.assert_close(logits, wanted, atol=1e-4, rtol=0)
    # The one token that is read again: the last one of a row that ended before its neighbours.
    assert cache.processed_tokens - again == sum(output.past_key_values.processed_tokens for output in alone)
