"""Relocated updates: where they stand is where they would have stood, and nothing that was said is read again."""

import pytest
import torch
from tiny_models import BOS, Schedule, pad_rows, step_by_step, tiny_config, tiny_model, words  # noqa: E402

from hf_duplex.evaluation.contestants.relocation import RelocatedForCausalLM


LENGTH = 9
PROMPTS = [words(7, seed=1).tolist(), words(3, seed=2).tolist(), words(5, seed=3).tolist()]
UPDATES = [[words(4, seed=4).tolist()], [], [words(2, seed=5).tolist(), words(6, seed=6).tolist()]]
SHAPES = [
    {"conv_width": 0, "num_hidden_layers": 1},
    {"conv_width": 4, "num_hidden_layers": 1},
    {"conv_width": 0, "num_hidden_layers": 2},
    {"conv_width": 4, "num_hidden_layers": 2},
]


def relocating(**shape):
    model = RelocatedForCausalLM(tiny_config("baseline", **shape)).eval()
    model.load_state_dict(tiny_model("baseline", **shape).state_dict())
    return model


def emitted():
    return torch.cat([torch.full((3, 1), BOS), words(3, LENGTH, seed=7)], dim=1)


def play(model, prompts, *updates):
    ids, mask = pad_rows(prompts)
    return step_by_step(model, emitted(), Schedule(*updates) if updates else None, prompt_ids=ids, prompt_mask=mask)


def with_updates(rows):
    """The prompts, the updates of some rows behind them."""
    return [sum([prompt, *updates], []) for prompt, updates in zip(PROMPTS, rows, strict=True)]


@pytest.mark.parametrize("shape", SHAPES)
def test_what_comes_before_anything_was_said_is_a_part_of_the_prompt(shape):
    at_once = [[(1, update) for update in row] for row in UPDATES]
    logits, _ = play(relocating(**shape), PROMPTS, *at_once)
    expected, _ = play(tiny_model("baseline", **shape), with_updates(UPDATES))
    in_place, _ = play(tiny_model("baseline", **shape), PROMPTS, *at_once)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)
    assert (logits[[0, 2]] - in_place[[0, 2]]).abs().max() > 1e-2


def test_keys_that_do_not_know_their_context_are_those_of_the_new_place():
    shape = {"conv_width": 0, "num_hidden_layers": 1}
    model, plain = relocating(**shape), tiny_model("baseline", **shape)
    logits, output = play(model, PROMPTS, [(4, UPDATES[0][0])], [], [(3, UPDATES[2][0]), (6, UPDATES[2][1])])
    # With one layer, what is said next depends on keys and values alone, and these on tokens and places.
    for step in range(LENGTH):
        heard = [UPDATES[0] if step >= 3 else [], [], UPDATES[2][: (step >= 2) + (step >= 5)]]
        expected, reread = play(plain, with_updates(heard))
        torch.testing.assert_close(logits[:, step], expected[:, step], atol=1e-4, rtol=0)
    cache, reread = output.past_key_values, reread.past_key_values
    for row in range(3):
        kept, wanted = (
            state.layers[0].keys[row][:, state.mask[row]] if state.mask is not None else state.layers[0].keys[row]
            for state in (cache, reread)
        )
        torch.testing.assert_close(kept, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("said", range(1, 7))
def test_the_convolution_goes_on_behind_what_was_said(said):
    # What the first layer's convolution takes in depends on tokens alone: the last of it may lie in what was said, in
    # the update, and in the prompt.
    shape = {"conv_width": 4, "num_hidden_layers": 1}
    model, plain = relocating(**shape), tiny_model("baseline", **shape)
    (prompts, mask), (all_of_it, mask_of_all) = pad_rows(PROMPTS), pad_rows(with_updates(UPDATES))
    callback = Schedule(*([(said, update) for update in row] for row in UPDATES))
    _, output = step_by_step(model, emitted()[:, :said], callback, prompt_ids=prompts, prompt_mask=mask)
    _, expected = step_by_step(plain, emitted()[:, :said], prompt_ids=all_of_it, prompt_mask=mask_of_all)
    states = [found.past_key_values.conv_state(0)[:, 1:] for found in (output, expected)]
    torch.testing.assert_close(*states, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", SHAPES[2:])
def test_what_was_said_is_not_read_again(shape):
    updates = [(5, UPDATES[0][0])], [], [(3, UPDATES[2][0]), (8, UPDATES[2][1])]
    logits, output = play(relocating(**shape), PROMPTS, *updates)
    expected, _ = play(tiny_model("baseline", **shape), with_updates(UPDATES))
    # Its keys still come from where it did not know: close to reading it again, not the same.
    assert (logits[2, -1] - expected[2, -1]).abs().max() > 1e-3
    incoming = sum(map(len, with_updates(UPDATES)))
    assert output.past_key_values.processed_tokens == incoming + 3 * (1 + LENGTH)
    assert output.versions[:, -1].tolist() == [3, 1, 3]


def test_a_sliding_window_is_refused():
    model = RelocatedForCausalLM(tiny_config("baseline", sliding_window=4)).eval()
    with pytest.raises(ValueError, match="`sliding_window` must be None"):
        play(model, PROMPTS)
