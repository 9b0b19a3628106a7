"""Pauses: columns in which an update is read, and of which nothing is left afterwards."""

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from tiny_models import PAD, SEP, AtOnce, Schedule, greedy, tiny_config, tiny_model, words

from hf_duplex.modeling.layout import Layout
from hf_duplex.modeling.pauses import lay_out_pauses


PROMPT = words(1, 6, seed=3)
UPDATES = [(3, [7, 8]), (6, [9, 10, 11]), (7, [12])]
NEVER = torch.iinfo(torch.long).max


def laid_out(positions, mask=None, length=6, count=2):
    known = torch.zeros(len(positions), length, dtype=torch.long)
    for row, places in enumerate(positions):
        for place in places:
            known[row, max(0, place - 1) :] += 1
    ids = words(len(positions), length)
    return ids, lay_out_pauses(ids, mask, known, torch.tensor(positions), count, SEP)


def test_pauses_stand_behind_the_stream_and_the_last_one_predicts_the_next_token():
    ids, (line, predictor, known, pauses) = laid_out([[2, 5]])
    assert line.tolist() == [ids[0].tolist() + [SEP] * 4]
    assert predictor.tolist() == [[0, 7, 2, 3, 9, 5]]
    assert pauses.place.tolist() == [[0, 1, 2, 3, 4, 5, 2, 3, 5, 6]]
    assert pauses.group.tolist() == [[0] * 6 + [2, 2, 5, 5]]
    assert known.tolist() == [[0, 1, 1, 1, 2, 2, 1, 1, 2, 2]]


def test_updates_that_come_in_together_are_read_together_and_one_that_never_comes_not_at_all():
    _, (_, predictor, known, pauses) = laid_out([[3, 3], [4, NEVER]])
    assert pauses.group[:, 6:].tolist() == [[-1, -1, 3, 3], [4, 4, -1, -1]]
    assert predictor.tolist() == [[0, 1, 9, 3, 4, 5], [0, 1, 2, 7, 4, 5]]
    assert known[0, 8:].tolist() == [2, 2]


def test_who_sees_whom():
    _, (_, _, _, pauses) = laid_out([[2, 5]])
    sees = (pauses.attention_mask(None, torch.float32)[0, 0] == 0).int().tolist()
    assert sees[5] == [1, 1, 1, 1, 1, 1, 0, 0, 0, 0]  # a token sees no pause
    assert sees[7] == [1, 1, 0, 0, 0, 0, 1, 1, 0, 0]  # a pause what was said before it, and its own group
    assert sees[8] == [1, 1, 1, 1, 1, 0, 0, 0, 1, 0]
    near = (pauses.attention_mask(3, torch.float32)[0, 0] == 0).int().tolist()
    assert near[8] == [0, 0, 0, 1, 1, 0, 0, 0, 1, 0]  # three places back at most


def test_padding_in_front_moves_no_place():
    mask = torch.tensor([[0, 0, 1, 1, 1, 1]])
    _, (_, _, _, pauses) = laid_out([[4, NEVER]], mask)
    assert pauses.place[0].tolist() == [0, 0, 0, 1, 2, 3, 2, 3, 0, 0]
    assert pauses.group[0].tolist() == [-1, -1, 0, 0, 0, 0, 2, 2, -1, -1]


def test_a_layout_with_pauses_goes_through_its_tensors():
    model = tiny_model("pausing")
    told = {"prompt_ids": PROMPT, "update_ids": words(1, 2, 3), "update_positions": torch.tensor([[2, 4]])}
    layout = model.model.lay_out(model.config, input_ids=words(1, 6), **told)
    again = Layout.from_tensors(layout.tensors())
    assert torch.equal(again.pauses.place, layout.pauses.place)
    assert torch.equal(again.messages.ids, layout.messages.ids)
    with torch.no_grad():
        logits = model(input_ids=words(1, 6), **told).logits
        padded = model(layout=layout.padded(8).tensors()).logits[:, :6]
    torch.testing.assert_close(padded, logits, atol=1e-5, rtol=0)


def test_no_later_token_sees_a_pause():
    pausing, plain = tiny_model("pausing"), tiny_model("validity")
    told = {"update_ids": words(1, 2, 3), "update_positions": torch.tensor([[3, 6]])}
    with torch.no_grad():
        with_pauses, without = (model(input_ids=words(1, 9), **told).logits[0] for model in (pausing, plain))
    differs = (with_pauses - without).abs().amax(-1) > 1e-5
    assert differs.nonzero().flatten().tolist() == [2, 5]  # those that predict the first token to know an update


@pytest.mark.parametrize("rows", [1, 2])
def test_nothing_is_left_of_pauses(rows):
    model = tiny_model("pausing")
    schedule = Schedule(UPDATES, *[[]] * (rows - 1))
    output = greedy(model, prompt_ids=PROMPT.expand(rows, -1), interrupt_callback=schedule, n=12)
    cache = output.past_key_values
    assert cache.aside is None
    said = torch.full((rows,), 12) if cache.mask is None else cache.mask.sum(1)
    # The last token is not read yet.
    assert said.tolist() == [12] * rows
    assert rows > 1 or cache.get_seq_length() == 12


def test_a_state_that_is_left_while_it_pauses_can_be_gone_on_from_rolled_back_and_cropped():
    model = tiny_model("pausing")
    update = [[words(4).tolist()]]
    whole = greedy(model, prompt_ids=PROMPT, interrupt_callback=Schedule([(5, update[0][0])]), n=9).sequences
    first = greedy(model, prompt_ids=PROMPT, n=4)
    start = first.past_key_values.snapshot()
    told = greedy(model, first.sequences, past_key_values=start, interrupt_callback=AtOnce(*update), n=1)
    cache = told.past_key_values
    assert cache.aside is not None  # it has read the update, and said one token since
    kept = cache.snapshot()
    rest = greedy(model, told.sequences, past_key_values=cache, n=4)
    assert torch.equal(rest.sequences, whole)
    cache.rollback(kept)
    assert torch.equal(greedy(model, told.sequences, past_key_values=cache, n=4).sequences, whole)
    kept.crop(-1)
    assert kept.aside is None and kept.get_seq_length() == first.past_key_values.get_seq_length()


def test_rows_that_are_repeated_while_they_pause_go_on_alike():
    model = tiny_model("pausing")
    told = greedy(model, prompt_ids=PROMPT, interrupt_callback=Schedule([(5, [7, 8, 9])]), n=5)
    cache = told.past_key_values
    assert cache.aside is not None
    alone = greedy(model, told.sequences, past_key_values=cache.snapshot(), n=4).sequences
    cache.batch_repeat_interleave(3)
    output = greedy(model, told.sequences.repeat_interleave(3, dim=0), past_key_values=cache, n=4)
    assert torch.equal(output.sequences, alone.expand(3, -1))
    assert output.past_key_values.get_seq_length() == alone.shape[1] - 1


def test_a_negative_number_of_pauses_is_refused():
    with pytest.raises(StrictDataclassClassValidationError, match="pause_tokens must be 0"):
        tiny_config("pausing", pause_tokens=-1)


def test_without_a_separator_padding_stands_for_a_pause():
    assert tiny_config("pausing", message_separator_token_id=None).pause_token_id == PAD
