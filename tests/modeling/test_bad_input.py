"""Bad input gives one clear error, before anything has changed, and the text goes on after it."""

import pytest
import torch
from tiny_models import GENERATORS, KINDS, RULES, SEP, greedy, pad_messages, tiny_config, tiny_model, words
from transformers import DynamicCache
from transformers.utils import logging

from hf_duplex import DuplexBaselineConfig, Interrupt, InterruptError, WorkspaceConfig, WorkspaceForCausalLM


PROMPT = torch.tensor([[5, 6, SEP, 7, 8]])


def raising(ids):
    raise KeyError("the queue is gone")


def interrupt(ids, mask=None):
    return lambda input_ids: Interrupt(ids, mask)


BAD_CALLBACKS = {
    "raises": (raising, "the queue is gone"),
    "returns no interrupt": (lambda ids: [1, 2], "must return None or an `Interrupt` .* not list"),
    "lists of ids": (interrupt([[5]]), "must return None or an `Interrupt`"),
    "too long": (
        interrupt(words(1, 7)),
        r"`update_ids` .* 7 tokens, more than max_message_length \(6\): send it as sev",
    ),
    "outside the vocabulary": (interrupt(torch.tensor([[64]])), "`update_ids` holds ids from 64 .* own tokenizer"),
    "negative": (interrupt(torch.tensor([[-1]])), "`update_ids` holds ids from -1 .* own tokenizer"),
    "empty": (interrupt(torch.zeros(1, 0, dtype=torch.long)), "`update_ids` holds an empty update: return None"),
    "all masked out": (interrupt(words(1, 2), torch.zeros(1, 2)), "`update_ids` holds an empty update: return None"),
    "floats": (interrupt(torch.ones(1, 2)), "`update_ids` must be a tensor of integers"),
    "one dimension": (interrupt(words(3)), r"`update_ids` must have the shape \(batch, length\) or"),
    "other batch size": (
        interrupt(words(2, 3)),
        "`update_ids` has 2 rows, but 1 rows are being generated: give one f",
    ),
    "mask of another shape": (interrupt(words(1, 3), torch.ones(1, 2)), "`update_mask` must be a tensor of the shape"),
    "mask with gaps": (
        interrupt(words(1, 3), torch.tensor([[1, 0, 1]])),
        "`update_mask` must have its ones at the fr",
    ),
    "mask of fractions": (interrupt(words(1, 2), torch.tensor([[1, 0.5]])), "`update_mask` must hold zeros and ones"),
}


@pytest.mark.parametrize("when", [1, 4])
@pytest.mark.parametrize("bad", BAD_CALLBACKS)
@pytest.mark.parametrize("name", KINDS)
def test_a_bad_interrupt_changes_nothing_and_the_text_goes_on(name, bad, when):
    model = tiny_model(name)
    callback, message = BAD_CALLBACKS[bad]
    with pytest.raises(InterruptError, match=f"`interrupt_callback` failed: .*{message}") as caught:
        greedy(
            model,
            prompt_ids=PROMPT,
            interrupt_callback=lambda ids: callback(ids) if ids.shape[1] == when else None,
            n=9,
        )
    error = caught.value
    free = greedy(model, prompt_ids=PROMPT, n=9)
    assert error.input_ids.tolist() == free.sequences[:, :when].tolist()
    output = greedy(model, error.input_ids, past_key_values=error.past_key_values, n=10 - when)
    assert output.sequences.tolist() == free.sequences.tolist()
    assert output.versions.tolist() == free.versions.tolist()


def bad_calls(model):
    """Arguments of `generate`, and what the error says."""
    return {
        "a misspelt name": ({"interupt_callback": print}, "interupt_callback"),
        "another misspelt name": ({"prompts_ids": PROMPT}, "prompts_ids"),
        "prompt ids outside the vocabulary": ({"prompt_ids": PROMPT + 60}, "`prompt_ids` holds ids .* own tokenizer"),
        "prompt ids as a list": ({"prompt_ids": [[5, 6]]}, "`prompt_ids` must be a tensor of integers"),
        "prompt ids of one dimension": (
            {"prompt_ids": PROMPT[0]},
            r"`prompt_ids` must have the shape \(batch, length",
        ),
        "prompt ids of floats": ({"prompt_ids": PROMPT.float()}, "`prompt_ids` must be a tensor of integers"),
        "a prompt mask alone": ({"prompt_mask": torch.ones(1, 5)}, "`prompt_mask` was given without `prompt_ids`"),
        "a prompt mask of another shape": (
            {"prompt_ids": PROMPT, "prompt_mask": torch.ones(1, 4)},
            "`prompt_mask` must be a tensor of the shape of `prompt_ids`",
        ),
        "other batch sizes": ({"prompt_ids": PROMPT, "inputs": words(2, 3)}, "`prompt_ids` has 1 rows, but 2 rows"),
        "input ids outside the vocabulary": ({"inputs": torch.tensor([[99]])}, "`input_ids` holds ids from 99"),
        "input ids twice": (
            {"inputs": words(1, 2), "input_ids": words(1, 2)},
            "`inputs` and `input_ids` are the same",
        ),
        "beams": ({"num_beams": 2}, "`num_beams` must be 1: .* Use greedy search or sampling"),
        "no cache": ({"use_cache": False}, "`use_cache=False` cannot be used"),
        "a static cache": ({"cache_implementation": "static"}, "`cache_implementation` must be None"),
        "a prefill in chunks": ({"prefill_chunk_size": 4}, "`prefill_chunk_size` must be None"),
        "a foreign cache": ({"past_key_values": DynamicCache()}, "`past_key_values` must be the `DuplexCache`"),
        "a callback that is none": ({"interrupt_callback": 3}, "`interrupt_callback` must be callable, got int"),
        "updates": ({"update_ids": words(1, 1, 2)}, "`update_ids` is for training: .* `interrupt_callback`"),
        "assisted decoding": ({"assistant_model": model}, "(?i)assist"),
        "prompt lookup": ({"prompt_lookup_num_tokens": 2}, "(?i)assist"),
    }


@pytest.mark.parametrize("bad", bad_calls(None))
@pytest.mark.parametrize("name", KINDS)
def test_a_bad_call_is_refused(name, bad):
    model = tiny_model(name)
    arguments, message = bad_calls(model)[bad]
    with pytest.raises(ValueError, match=message):
        model.generate(max_new_tokens=3, **arguments)


@pytest.mark.parametrize("name", KINDS)
def test_a_bad_continuation_is_refused_and_changes_nothing(name):
    model = tiny_model(name)
    first = greedy(model, prompt_ids=PROMPT, n=4)
    cache, text = first.past_key_values, first.sequences
    columns = cache.get_seq_length()
    for message, arguments in {
        "`prompt_ids` cannot be given with a running": {"inputs": text, "prompt_ids": PROMPT},
        r"`input_ids` must be the `sequences` .* \(1 rows, more than 4 columns\)": {"inputs": text[:, :3]},
        "`input_ids` must be the `sequences` that": {"inputs": text.repeat(2, 1)},
        "`input_ids` must be the `sequences` that were": {},
        "`num_return_sequences` must be 1 with .*batch_repeat_interleave": {
            "inputs": text,
            "num_return_sequences": 2,
            "do_sample": True,
        },
        "`update_mask` is for training": {"inputs": text, "update_mask": words(1, 1, 1)},
        "`num_beams` must be 1": {"inputs": text, "num_beams": 3},
    }.items():
        with pytest.raises(ValueError, match=message):
            model.generate(past_key_values=cache, max_new_tokens=3, **arguments)
        assert cache.get_seq_length() == columns and cache.emitted == 4
    whole = greedy(model, prompt_ids=PROMPT, n=8)
    assert greedy(model, text, past_key_values=cache, n=4).sequences.tolist() == whole.sequences.tolist()


@pytest.mark.parametrize("name", GENERATORS)
def test_a_bad_forward_names_its_argument(name):
    model = tiny_model(name)
    ids, emitted = words(1, 2, 3), words(1, 5)
    positions = torch.tensor([[1, 2]])
    for message, arguments in {
        "`update_ids` needs `update_positions`": {"update_ids": ids},
        r"`update_ids` must have the shape \(batch, updates, length\)": {
            "update_ids": ids[0],
            "update_positions": positions,
        },
        "`update_positions` .*got": {"update_ids": ids, "update_positions": positions[:, :1]},
        "`update_mask` must have the shape of `update_ids`": {
            "update_ids": ids,
            "update_positions": positions,
            "update_mask": torch.ones(1, 2, 2),
        },
        "`update_mask` was given without `update_ids`": {"update_mask": torch.ones(1, 2, 2)},
        "`update_positions` was given without `update_ids`": {"update_positions": positions},
        "`prompt_mask` was given without `prompt_ids`": {"prompt_mask": torch.ones(1, 2)},
        "`prompt_ids` lays out a whole stream at once": {
            "prompt_ids": PROMPT,
            "past_key_values": greedy(model, n=2).past_key_values,
        },
        "`past_key_values` must be a `DuplexCache`": {"past_key_values": DynamicCache()},
        "exactly one of `input_ids` and `inputs_embeds`": {"inputs_embeds": torch.zeros(1, 5, 32)},
    }.items():
        with pytest.raises(ValueError, match=message):
            model(input_ids=emitted, **arguments)
    with pytest.raises(ValueError, match="`input_ids`"):
        model(prompt_ids=PROMPT)


@pytest.mark.parametrize("name", ["dual_stream", *RULES])
def test_an_update_that_is_too_long_is_refused_in_training(name):
    with pytest.raises(ValueError, match=r"7 tokens.* max_message_length \(6\)"):
        tiny_model(name)(input_ids=words(1, 5), update_ids=words(1, 1, 7), update_positions=torch.tensor([[1]]))


@pytest.mark.parametrize("name", RULES)
def test_a_prompt_given_as_emitted_text_is_warned_of_once(name, caplog):
    model = tiny_model(name)
    logging.warning_once.cache_clear()
    for _ in range(2):
        model.generate(PROMPT, max_new_tokens=2)
    model.generate(torch.tensor([[1]]), max_new_tokens=2, prompt_ids=PROMPT)
    warned = [record for record in caplog.records if "`prompt_ids`" in record.getMessage()]
    assert len(warned) == 1


BAD_CONFIGS = {
    "hidden_size .* multiple of num_attention_heads": {"hidden_size": 33},
    "num_attention_heads .* multiple of num_key_value_heads": {"num_key_value_heads": 3},
    "conv_width must be 0": {"conv_width": -1},
    "max_message_length must be at least 1": {"max_message_length": 0},
    "sliding_window must be at least 1": {"sliding_window": 0},
}


@pytest.mark.parametrize("message", BAD_CONFIGS)
@pytest.mark.parametrize("name", KINDS)
def test_a_bad_configuration_is_refused(name, message):
    with pytest.raises(Exception, match=message):
        tiny_config(name, **BAD_CONFIGS[message])


def test_a_bad_workspace_configuration_is_refused():
    with pytest.raises(Exception, match="n_slots must be at least 1"):
        WorkspaceConfig(n_slots=0, update_type="gated")
    with pytest.raises(Exception, match=r"n_slots \(4\) must hold at least one whole message: raise it"):
        tiny_config("validity", n_slots=4)
    with pytest.raises(
        ValueError, match="update_type must be one of validity, defeasible, gated, gru, residual, slot, got 'magic'"
    ):
        WorkspaceForCausalLM(tiny_config("validity", update_type="magic"))
    with pytest.raises(Exception, match="conv_width"):
        DuplexBaselineConfig(conv_width="wide")


def test_updates_of_a_batch_need_a_row_each():
    model = tiny_model("validity")
    ids, mask = pad_messages([[[5]], []])
    output = greedy(model, prompt_ids=words(2, 3), interrupt_callback=lambda _: Interrupt(ids[:, 0], mask[:, 0]), n=2)
    assert output.versions[:, -1].tolist() == [3, 1]
