"""What transformers' `generate` offers works with an open input."""

import pytest
import torch
from tiny_models import (
    BOS,
    CHARACTERS,
    EOS,
    FIRST_WORD,
    GENERATORS,
    KINDS,
    SEP,
    AtOnce,
    Schedule,
    greedy,
    tiny_model,
    tiny_tokenizer,
    words,
)
from transformers import GenerationConfig, MaxLengthCriteria, StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from hf_duplex import Interrupt
from hf_duplex.modeling import DuplexGenerateOutput


PROMPT = torch.tensor([[5, 6, SEP, 7, 8]])
UPDATES = [(3, [20, 21]), (6, [22]), (6, [23, 24])]


@pytest.mark.parametrize("name", GENERATORS)
def test_versions_say_what_each_token_knew(name):
    output = greedy(tiny_model(name), prompt_ids=PROMPT, interrupt_callback=Schedule(UPDATES), n=9)
    assert isinstance(output, DuplexGenerateOutput)
    # Two messages in the prompt; the begin token was handed in.
    assert output.versions.tolist() == [[0, 2, 2, 3, 3, 3, 5, 5, 5, 5]]
    assert output.sequences.shape == output.versions.shape


@pytest.mark.parametrize("name", KINDS)
def test_plain_sequences_come_back_where_no_dict_is_wanted(name):
    model = tiny_model(name)
    options = {"prompt_ids": PROMPT, "max_new_tokens": 9, "eos_token_id": None}
    sequences = model.generate(interrupt_callback=Schedule(UPDATES), **options)
    assert sequences.tolist() == greedy(model, interrupt_callback=Schedule(UPDATES), **options).sequences.tolist()


@pytest.mark.parametrize("name", KINDS)
def test_an_update_changes_the_text(name):
    model = tiny_model(name)
    told = greedy(model, prompt_ids=PROMPT, interrupt_callback=Schedule(UPDATES), n=20).sequences[0].tolist()
    untold = greedy(model, prompt_ids=PROMPT, n=20).sequences[0].tolist()
    assert told[:3] == untold[:3]
    assert told[3:] != untold[3:]


@pytest.mark.parametrize("name", KINDS)
def test_sampling_is_reproducible(name):
    model = tiny_model(name)

    def sample(seed):
        torch.manual_seed(seed)
        return greedy(
            model, prompt_ids=PROMPT, interrupt_callback=Schedule(UPDATES), do_sample=True, top_k=20, temperature=1.5
        ).sequences.tolist()

    assert sample(1) == sample(1)
    assert sample(1) != sample(2)


@pytest.mark.parametrize("name", KINDS)
def test_several_sequences_for_each_prompt(name):
    model = tiny_model(name)
    prompts = torch.cat([PROMPT, PROMPT.roll(1, dims=1)])
    updates = [UPDATES, UPDATES, [(2, [9])], []]
    torch.manual_seed(0)
    output = greedy(
        model, prompt_ids=prompts, interrupt_callback=Schedule(*updates), do_sample=True, num_return_sequences=2
    )
    assert output.sequences.shape == (4, 13)
    assert output.versions[:, -1].tolist() == [5, 5, 3, 2]
    assert output.sequences[0].tolist() != output.sequences[1].tolist()
    # What was sampled last is sampled from what the model thinks after that very text.
    single = greedy(model, output.sequences[3:, :-1], prompt_ids=prompts[1:], n=1)
    torch.testing.assert_close(single.logits[0][0], output.logits[-1][3], atol=1e-4, rtol=0)


class CrossInputs(BaseStreamer):
    def __init__(self):
        self.tokens, self.ended = [], False

    def put(self, value):
        self.tokens += value.flatten().tolist()

    def end(self):
        self.ended = True


@pytest.mark.parametrize("name", KINDS)
def test_a_streamer_gets_every_emitted_token_and_no_incoming_one(name):
    streamer = CrossInputs()
    output = greedy(tiny_model(name), prompt_ids=PROMPT, interrupt_callback=Schedule(UPDATES), streamer=streamer, n=9)
    assert streamer.tokens == output.sequences[0].tolist()
    assert streamer.ended


class AtToken(StoppingCriteria):
    def __init__(self, token):
        self.token = token

    def __call__(self, input_ids, scores, **kwargs):
        return input_ids[:, -1] == self.token


@pytest.mark.parametrize("name", KINDS)
def test_stopping_criteria_see_the_emitted_text(name):
    model = tiny_model(name)
    free = greedy(model, prompt_ids=PROMPT, interrupt_callback=Schedule(UPDATES)).sequences[0].tolist()
    for criteria in (AtToken(free[7]), MaxLengthCriteria(free.index(free[7], 1) + 1)):
        output = greedy(
            model,
            prompt_ids=PROMPT,
            interrupt_callback=Schedule(UPDATES),
            stopping_criteria=StoppingCriteriaList([criteria]),
        )
        assert output.sequences[0].tolist() == free[: free.index(free[7], 1) + 1]


@pytest.mark.parametrize("name", KINDS)
def test_stop_strings(name):
    model = tiny_model(name)
    free = greedy(model, prompt_ids=PROMPT, interrupt_callback=Schedule(UPDATES)).sequences[0].tolist()
    wanted = next(index for index in range(6, len(free)) if free[index] >= FIRST_WORD)
    output = greedy(
        model,
        prompt_ids=PROMPT,
        interrupt_callback=Schedule(UPDATES),
        stop_strings=[CHARACTERS[free[wanted] - FIRST_WORD]],
        tokenizer=tiny_tokenizer(),
    )
    assert output.sequences[0].tolist() == free[: free.index(free[wanted], 1) + 1]


@pytest.mark.parametrize("name", KINDS)
def test_an_end_token_ends(name):
    model = tiny_model(name)
    free = greedy(model, prompt_ids=PROMPT, interrupt_callback=Schedule(UPDATES)).sequences[0].tolist()
    config = GenerationConfig(eos_token_id=free[6], pad_token_id=0, bos_token_id=BOS, max_new_tokens=12)
    for options in ({"generation_config": config}, {"eos_token_id": [EOS, free[6]], "max_new_tokens": 12}):
        sequences = model.generate(prompt_ids=PROMPT, interrupt_callback=Schedule(UPDATES), **options)
        assert sequences[0].tolist() == free[: free.index(free[6], 1) + 1]


@pytest.mark.parametrize("name", KINDS)
def test_a_generation_config_may_come_second(name):
    model = tiny_model(name)
    config = GenerationConfig(eos_token_id=None, max_new_tokens=5)
    ids = torch.tensor([[BOS]])
    assert model.generate(ids, config, prompt_ids=PROMPT).shape == (1, 6)
    with pytest.raises(ValueError, match="use_cache"):
        model.generate(ids, GenerationConfig(use_cache=False), prompt_ids=PROMPT)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", KINDS)
def test_scores_logits_attentions_and_hidden_states_come_back(name, attention):
    model = tiny_model(name, attention=attention)
    output = greedy(
        model,
        prompt_ids=PROMPT,
        interrupt_callback=Schedule(UPDATES),
        n=9,
        output_scores=True,
        output_hidden_states=True,
        output_attentions=attention == "eager",
    )
    assert len(output.scores) == len(output.logits) == len(output.hidden_states) == 9
    for states in output.hidden_states:
        assert len(states) == model.config.num_hidden_layers + 1
    if attention == "eager":
        columns = output.past_key_values.get_seq_length()
        assert len(output.attentions) == 9
        for weights in output.attentions:
            assert len(weights) == model.config.num_hidden_layers
        assert output.attentions[-1][0].shape == (1, 4, 1, columns)


@pytest.mark.parametrize("name", GENERATORS)
def test_the_forward_over_all_versions_gives_the_hidden_states_of_the_generator(name):
    model = tiny_model(name, attention="eager")
    emitted = words(1, 6)
    with torch.no_grad():
        output = model(
            input_ids=emitted,
            update_ids=words(1, 2, 3),
            update_positions=torch.tensor([[2, 4]]),
            output_hidden_states=True,
            output_attentions=True,
        )
    line = 12 if name == "baseline" else 6
    assert [tuple(states.shape) for states in output.hidden_states[:-1]] == [(1, line, 32)] * 2
    assert len(output.hidden_states) == 3
    assert [tuple(weights.shape) for weights in output.attentions] == [(1, 4, line, line)] * 2


@pytest.mark.parametrize("name", GENERATORS)
def test_going_on_from_a_returned_state_equals_one_long_run(name):
    model = tiny_model(name)
    whole = greedy(model, prompt_ids=PROMPT, interrupt_callback=Schedule(UPDATES), n=15)
    parts = greedy(model, prompt_ids=PROMPT, interrupt_callback=Schedule(UPDATES), n=4)
    for n in (1, 3, 7):
        parts = greedy(
            model,
            parts.sequences,
            past_key_values=parts.past_key_values,
            interrupt_callback=Schedule(UPDATES),
            n=n,
        )
    assert parts.sequences.tolist() == whole.sequences.tolist()
    assert parts.versions.tolist() == whole.versions.tolist()
    torch.testing.assert_close(parts.logits[-1], whole.logits[-1], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_model_that_has_ended_can_be_told_something_new(name):
    model = tiny_model(name)
    free = greedy(model, prompt_ids=PROMPT, n=8).sequences[0].tolist()
    ended = greedy(model, prompt_ids=PROMPT, n=20, eos_token_id=free[5])
    length = ended.sequences.shape[1]
    output = greedy(
        model, ended.sequences, past_key_values=ended.past_key_values, interrupt_callback=AtOnce([[20, 21]]), n=6
    )
    whole = greedy(model, prompt_ids=PROMPT, interrupt_callback=Schedule([(length, [20, 21])]), n=length + 5)
    assert output.sequences.tolist() == whole.sequences.tolist()
    assert output.versions.tolist() == whole.versions.tolist()


@pytest.mark.parametrize("name", KINDS)
def test_text_may_be_added_by_hand_before_going_on(name):
    model = tiny_model(name)
    first = greedy(model, prompt_ids=PROMPT, n=5)
    longer = torch.cat([first.sequences, torch.tensor([[9, 10, 11]])], dim=1)
    fresh = greedy(model, longer, prompt_ids=PROMPT, n=6)
    output = greedy(model, longer, past_key_values=first.past_key_values, n=6)
    assert output.sequences.tolist() == fresh.sequences.tolist()
    torch.testing.assert_close(output.logits[-1], fresh.logits[-1], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_state_filled_by_a_plain_forward_can_be_gone_on_from(name):
    model = tiny_model(name)
    emitted = words(2, 6)
    mask = torch.tensor([[1] * 6, [0, 0, 1, 1, 1, 1]])
    with torch.no_grad():
        cache = model(input_ids=emitted[:, :4], attention_mask=mask[:, :4]).past_key_values
    output = greedy(model, emitted, attention_mask=mask, past_key_values=cache, n=4)
    fresh = greedy(model, emitted, attention_mask=mask, n=4)
    assert output.sequences.tolist() == fresh.sequences.tolist()
    assert output.versions.shape == output.sequences.shape


@pytest.mark.parametrize("name", GENERATORS)
def test_emitted_text_may_be_padded_on_the_left(name):
    model = tiny_model(name)
    emitted = torch.tensor([[0, 0, BOS, 9, 10], [BOS, 11, 12, 13, 14]])
    together = greedy(model, emitted, attention_mask=(emitted != 0).long(), interrupt_callback=AtOnce([[7]], []))
    alone = greedy(model, emitted[:1, 2:], interrupt_callback=AtOnce([[7]]))
    assert together.sequences[0, 2:].tolist() == alone.sequences[0].tolist()


@pytest.mark.parametrize("name", KINDS)
def test_the_padding_token_is_a_word_where_nothing_ends_a_text(name):
    model = tiny_model(name)
    output = greedy(model, prompt_ids=PROMPT, n=6)
    expected = greedy(model, torch.tensor([[BOS, 9, 0, 10]]), attention_mask=torch.ones(1, 4), prompt_ids=PROMPT)
    first = greedy(model, torch.tensor([[BOS, 9]]), prompt_ids=PROMPT, n=1)
    further = greedy(model, torch.tensor([[BOS, 9, 0, 10]]), past_key_values=first.past_key_values)
    assert further.sequences.tolist() == expected.sequences.tolist()
    assert output.sequences.shape == (1, 7)


class Anything:
    """Looks like an interrupt, and is none."""

    def __init__(self, update_ids, update_mask=None):
        self.update_ids, self.update_mask = update_ids, update_mask


@pytest.mark.parametrize("name", KINDS)
def test_any_object_with_the_two_attributes_is_an_interrupt(name):
    model = tiny_model(name)

    def told_by(kind, *args):
        return greedy(model, interrupt_callback=lambda ids: kind(*args) if ids.shape[1] == 3 else None).sequences

    update = torch.tensor([[7, 8]])
    assert told_by(Anything, update).tolist() == told_by(Interrupt, update).tolist()


@pytest.mark.parametrize("name", KINDS)
def test_padding_inside_an_update_has_no_consequence(name):
    model = tiny_model(name)
    padded = Interrupt(
        torch.full((1, 9), -100).index_fill(1, torch.tensor([0, 1]), 7), torch.tensor([[1] * 2 + [0] * 7])
    )
    plain = Interrupt(torch.tensor([[7, 7]]))
    texts = [
        greedy(model, interrupt_callback=lambda ids, told=told: told if ids.shape[1] == 3 else None).sequences.tolist()
        for told in (padded, plain)
    ]
    assert texts[0] == texts[1]
