"""One forward over all versions says what step-by-step generation says."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import (
    BOS,
    FIRST_WORD,
    GENERATORS,
    SEP,
    VOCAB,
    Schedule,
    pad_messages,
    pad_rows,
    step_by_step,
    tiny_model,
    words,
)


LENGTH = 8
word = st.integers(FIRST_WORD, VOCAB - 1)
update = st.tuples(st.integers(1, LENGTH), st.lists(word, min_size=1, max_size=6))
prompt = st.lists(st.one_of(word, st.just(SEP)), max_size=12)


@st.composite
def conversations(draw):
    rows = draw(st.integers(1, 3))
    return {
        "prompts": draw(st.lists(prompt, min_size=rows, max_size=rows)),
        "updates": draw(st.lists(st.lists(update, max_size=5), min_size=rows, max_size=rows)),
        "left": draw(st.booleans()),
        "model": {
            "attention": draw(st.sampled_from(["sdpa", "eager"])),
            "conv_width": draw(st.sampled_from([4, 0])),
            "sliding_window": draw(st.sampled_from([None, 3, 1])),
            "num_key_value_heads": draw(st.sampled_from([4, 2])),
        },
    }


def both_ways(model, prompts, updates, left=False):
    """Logits of the parallel forward and of interrupted generation."""
    emitted = torch.cat([torch.full((len(prompts), 1), BOS), words(len(prompts), LENGTH - 1)], dim=1)
    prompt_ids, prompt_mask = pad_rows(prompts, left)
    update_ids, update_mask = pad_messages([[ids for _, ids in row] for row in updates])
    positions = torch.zeros(update_ids.shape[:2], dtype=torch.long)
    for index, row in enumerate(updates):
        for column, (position, _) in enumerate(row):
            positions[index, column] = position
    streams = {"prompt_ids": prompt_ids, "prompt_mask": prompt_mask}
    with torch.no_grad():
        parallel = model(
            input_ids=emitted, update_ids=update_ids, update_mask=update_mask, update_positions=positions, **streams
        ).logits
    return parallel, step_by_step(model, emitted, Schedule(*updates), **streams)[0]


@pytest.mark.parametrize("name", GENERATORS)
@settings(max_examples=25)
@given(conversation=conversations(), n_slots=st.sampled_from([6, 7, 11, 64]))
def test_the_parallel_forward_equals_interrupted_generation(name, conversation, n_slots):
    sizes = {"n_slots": n_slots} if name in ("validity", "defeasible") else {}
    model = tiny_model(name, **conversation["model"], **sizes)
    parallel, stepwise = both_ways(model, conversation["prompts"], conversation["updates"], conversation["left"])
    torch.testing.assert_close(parallel, stepwise, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", GENERATORS)
def test_an_update_changes_every_later_token_and_no_earlier_one(name):
    model = tiny_model(name)
    prompts, told = [[7, 8, SEP, 9]], [(4, [10, 11, 12])]
    for way in (0, 1):
        logits = both_ways(model, prompts, [told])[way]
        untold = both_ways(model, prompts, [[]])[way]
        difference = (logits - untold).abs().amax(-1)[0]
        assert difference[:3].max() < 1e-5
        assert difference[3:].min() > 1e-3


@pytest.mark.parametrize("name", GENERATORS)
def test_the_prompt_changes_what_is_said(name):
    first, second = (both_ways(tiny_model(name), [prompt], [[]])[0] for prompt in ([[7, 8], [7, 9]]))
    assert (first - second).abs().max() > 1e-3


@pytest.mark.parametrize("name", GENERATORS)
def test_nothing_heard_at_all_is_fine(name):
    model = tiny_model(name)
    emitted = words(2, LENGTH)
    stepwise, _ = step_by_step(model, emitted)
    with torch.no_grad():
        torch.testing.assert_close(model(input_ids=emitted).logits, stepwise, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", GENERATORS)
def test_an_empty_prompt_is_no_prompt(name):
    model = tiny_model(name)
    emitted = words(2, LENGTH)
    without, _ = step_by_step(model, emitted)
    empty, _ = step_by_step(model, emitted, prompt_ids=torch.zeros(2, 0, dtype=torch.long))
    with torch.no_grad():
        parallel = model(input_ids=emitted, prompt_ids=torch.zeros(2, 0, dtype=torch.long)).logits
    torch.testing.assert_close(empty, without, atol=1e-4, rtol=0)
    torch.testing.assert_close(parallel, without, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", GENERATORS)
def test_updates_between_missing_ones_count_as_much(name):
    model = tiny_model(name)
    emitted = words(2, LENGTH)
    ids, mask = pad_messages([[[5, 6], [], [7]], [[], [8, 9], []]])
    positions = torch.tensor([[3, 1, 3], [1, 5, 0]])
    with torch.no_grad():
        parallel = model(input_ids=emitted, update_ids=ids, update_mask=mask, update_positions=positions).logits
    stepwise, output = step_by_step(model, emitted, Schedule([(3, [5, 6]), (3, [7])], [(5, [8, 9])]))
    torch.testing.assert_close(parallel, stepwise, atol=1e-4, rtol=0)
    assert output.versions.tolist() == [[0, 0, 0, 2, 2, 2, 2, 2, 2], [0, 0, 0, 0, 0, 1, 1, 1, 1]]
