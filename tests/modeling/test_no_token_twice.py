"""No token is processed twice, and what a workspace is told never enters the generator."""

import pytest
import torch
from tiny_models import GENERATORS, SEP, AtOnce, Schedule, greedy, tiny_model


PROMPT = torch.tensor([[5, 6, SEP, 7, 8]])
UPDATES = [(2, [20, 21]), (5, [22, 23, 24]), (5, [25])]
N = 12


class Counter:
    """Counts the columns that enter a model's first block."""

    def __init__(self, model):
        self.seen = 0
        self.hook = model.model.layers[0].register_forward_pre_hook(self.count)

    def count(self, module, args):
        self.seen += args[0].shape[0] * args[0].shape[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.hook.remove()


@pytest.mark.parametrize("name", GENERATORS)
def test_an_update_adds_no_token_but_those_that_are_spliced(name):
    model = tiny_model(name)
    spliced = {"baseline": PROMPT.shape[1] + 6, "dual_stream": PROMPT.shape[1]}.get(name, 0)
    with Counter(model) as counter:
        output = greedy(model, prompt_ids=PROMPT, interrupt_callback=Schedule(UPDATES), n=N)
    # The last token was said, and is read when the text goes on.
    assert counter.seen == output.sequences.shape[1] - 1 + spliced == N + spliced
    assert output.past_key_values.processed_tokens == counter.seen


@pytest.mark.parametrize("name", GENERATORS)
def test_going_on_reads_nothing_again(name):
    model = tiny_model(name)
    first = greedy(model, prompt_ids=PROMPT, n=N)
    before = first.past_key_values.processed_tokens
    with Counter(model) as counter:
        output = greedy(
            model, first.sequences, past_key_values=first.past_key_values, interrupt_callback=AtOnce([[9, 9]]), n=N
        )
    assert counter.seen == N + (2 if name == "baseline" else 0)
    assert output.past_key_values.processed_tokens - before == counter.seen


@pytest.mark.parametrize("name", GENERATORS)
def test_an_update_before_the_first_token_reads_the_prompt_once(name):
    model = tiny_model(name)
    spliced = {"baseline": PROMPT.shape[1] + 2, "dual_stream": PROMPT.shape[1]}.get(name, 0)
    with Counter(model) as counter:
        output = greedy(model, prompt_ids=PROMPT, interrupt_callback=Schedule([(1, [20, 21])]), n=N)
    assert output.past_key_values.processed_tokens == counter.seen == N + spliced


@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("name", GENERATORS)
def test_an_update_to_one_row_adds_nothing_to_the_others(name, window):
    model = tiny_model(name, sliding_window=window)
    with Counter(model) as counter:
        output = greedy(
            model, prompt_ids=PROMPT.repeat(3, 1), interrupt_callback=Schedule([], UPDATES, [(7, [30])]), n=N
        )
    # Not even padding: what is counted are rows and columns.
    assert counter.seen == output.past_key_values.processed_tokens
