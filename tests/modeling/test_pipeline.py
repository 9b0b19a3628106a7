"""`pipeline("duplex-generation")`: a prompt, updates with their moment, streamed text."""

import pytest
import torch
from tiny_models import KINDS, Schedule, greedy, talking_model, tiny_tokenizer
from transformers import TextIteratorStreamer, pipeline

from hf_duplex import DuplexGenerationPipeline, Interrupt, InterruptError
from hf_duplex.modeling import encode_prompt, encode_update


OPTIONS = {"max_new_tokens": 10, "eos_token_id": None, "do_sample": False}
TEXT = "given x = 5, compute."
NEWS = "no, x = 7."


def talk(name):
    return pipeline("duplex-generation", model=talking_model(name), tokenizer=tiny_tokenizer())


@pytest.mark.parametrize("name", KINDS)
def test_it_says_what_generate_says(name):
    said = talk(name)(TEXT, updates=[(4, NEWS)], **OPTIONS)
    assert isinstance(talk(name), DuplexGenerationPipeline)
    tokenizer = tiny_tokenizer()
    output = greedy(
        talking_model(name),
        prompt_ids=torch.tensor([encode_prompt(tokenizer, TEXT)]),
        # The begin token stands before the four.
        interrupt_callback=Schedule([(5, encode_update(tokenizer, NEWS))]),
        n=10,
    )
    assert said["tokens"] == output.sequences[0, 1:].tolist()
    assert said["versions"] == output.versions[0, 1:].tolist() == [2] * 4 + [3] * 6
    assert said["generated_text"] == tokenizer.decode(said["tokens"], skip_special_tokens=True)


@pytest.mark.parametrize("name", KINDS)
def test_updates_come_in_the_order_of_their_moment(name):
    pipe = talk(name)
    early_last = pipe(TEXT, updates=[(6, "b"), (2, "a"), (6, "c")], **OPTIONS)
    early_first = pipe(TEXT, updates=[(2, "a"), (6, "b"), (6, "c")], **OPTIONS)
    assert early_last == early_first
    assert early_last["versions"] == [2] * 2 + [3] * 4 + [5] * 4


@pytest.mark.parametrize("name", KINDS)
def test_a_list_of_prompts_gives_a_list(name):
    pipe = talk(name)
    prompts = [TEXT, "the sky is red."]
    together = pipe(prompts, updates=[(3, NEWS)], **OPTIONS)
    assert together == [pipe(prompt, updates=[(3, NEWS)], **OPTIONS) for prompt in prompts]
    assert together[0]["tokens"] != together[1]["tokens"]


@pytest.mark.parametrize("name", KINDS)
def test_prompts_in_one_batch_are_answered_as_alone(name):
    pipe = talk(name)
    prompts = [TEXT, "a, b. c; d!", ""]
    ends = pipe(TEXT, **OPTIONS)["tokens"][3]
    for options in (OPTIONS, {**OPTIONS, "eos_token_id": ends}):
        together = pipe(prompts, batch_size=3, updates=[(0, NEWS)], **options)
        assert together == [pipe(prompt, updates=[(0, NEWS)], **options) for prompt in prompts]


@pytest.mark.parametrize("name", KINDS)
def test_several_texts_for_one_prompt(name):
    options = {**OPTIONS, "do_sample": True, "num_return_sequences": 3}
    said = talk(name)(TEXT, updates=[(4, NEWS)], **options)
    assert len(said) == 3
    assert all(record["versions"] == [2] * 4 + [3] * 6 for record in said)


@pytest.mark.parametrize("name", KINDS)
def test_text_is_streamed(name):
    streamer = TextIteratorStreamer(tiny_tokenizer(), skip_prompt=True, skip_special_tokens=True)
    said = talk(name)(TEXT, updates=[(4, NEWS)], streamer=streamer, **OPTIONS)
    assert "".join(streamer) == said["generated_text"]


@pytest.mark.parametrize("name", KINDS)
def test_a_callback_may_bring_live_updates(name):
    ids = torch.tensor([encode_update(tiny_tokenizer(), NEWS)])
    pipe = talk(name)
    live = pipe(TEXT, interrupt_callback=lambda text: Interrupt(ids) if text.shape[1] == 5 else None, **OPTIONS)
    assert live == pipe(TEXT, updates=[(4, NEWS)], **OPTIONS)


@pytest.mark.parametrize("name", KINDS)
def test_a_prompt_may_be_empty(name):
    said = talk(name)("", updates=[(4, NEWS)], **OPTIONS)
    assert said["versions"] == [0] * 4 + [1] * 6


def test_settings_may_be_given_when_it_is_made():
    pipe = pipeline("duplex-generation", model=talking_model("validity"), tokenizer=tiny_tokenizer(), **OPTIONS)
    assert pipe(TEXT) == talk("validity")(TEXT, **OPTIONS)


BAD = {
    "not both": ({"updates": [(1, "a")], "interrupt_callback": print}, ValueError),
    r"`updates` must hold pairs .*, got 'a'": ({"updates": ["a"]}, ValueError),
    r"`updates` must hold pairs .*, got \('a', 1\)": ({"updates": [("a", 1)]}, ValueError),
    "`updates` must hold texts that say something, got ' '": ({"updates": [(1, " ")]}, ValueError),
    "`updates` must hold texts that say something, got 3": ({"updates": [(1, 3)]}, ValueError),
    "more than max_message_length": ({"updates": [(1, "x" * 40)]}, InterruptError),
    "interupt_callback": ({"interupt_callback": print}, ValueError),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_refused(message):
    arguments, error = BAD[message]
    with pytest.raises(error, match=message):
        talk("validity")(TEXT, **arguments, **OPTIONS)
    with pytest.raises(ValueError, match="A prompt must be a string, got int"):
        talk("validity")(3, **OPTIONS)
