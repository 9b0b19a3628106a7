"""Conversations: who hears what when, with models whose behaviour is written down, and in batches as alone."""

from types import SimpleNamespace

import pytest
import torch
from toy_runs import VOCAB_SIZE, samples, toy_tokenizer

from dataset_builder import END
from hf_duplex import DualStreamConfig, DuplexBaselineConfig, WorkspaceConfig
from hf_duplex.data import encode_sample
from hf_duplex.evaluation import converse
from hf_duplex.modeling import DualStreamForCausalLM, DuplexBaselineForCausalLM, WorkspaceForCausalLM


PAD, BOS, EOS = 0, 1, 2
SIZES = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "initializer_range": 0.3,
    "max_message_length": 128,
}
MODELS = {
    "baseline": (DuplexBaselineForCausalLM, DuplexBaselineConfig(**SIZES)),
    "dual_stream": (DualStreamForCausalLM, DualStreamConfig(**SIZES, encoder_layers=1)),
    "workspace": (WorkspaceForCausalLM, WorkspaceConfig(**SIZES, encoder_layers=1, n_slots=256)),
}


class Actor:
    """
    Speaks its lines as a model would: up to the end token, then padding, and on with the next line when it hears
    something after the end. Writes down what it hears, as (row, tokens said before, ids).
    """

    device = torch.device("cpu")

    def __init__(self, lines: list[list[int]]):
        self.lines, self.heard = lines, []
        self.rows = list(range(len(lines)))
        self.said = [0] * len(lines)

    def batch_select_indices(self, chosen):
        self.rows = [self.rows[index] for index in chosen.tolist()]

    def generate(self, input_ids=None, interrupt_callback=None, max_new_tokens=None, **kwargs):
        columns = torch.full((len(self.rows), 1), BOS) if input_ids is None else input_ids
        silent = [input_ids is not None] * len(self.rows)
        for step in range(max_new_tokens):
            interrupt = interrupt_callback(columns)
            for index, row in enumerate(self.rows if interrupt is not None else []):
                told = zip(interrupt.update_ids[index], interrupt.update_mask[index], strict=True)
                for ids, mask in told:
                    if mask.any():
                        assert not silent[index] or step == 0, "an update came to a row that had ended"
                        self.heard.append((row, self.said[row], ids[mask.bool()].tolist()))
                        silent[index] = False
            column = []
            for index, row in enumerate(self.rows):
                over = silent[index] or self.said[row] == len(self.lines[row])
                column.append(PAD if over else self.lines[row][self.said[row]])
                self.said[row] += not over
                silent[index] = over or column[-1] == EOS
            columns = torch.cat([columns, torch.tensor(column)[:, None]], dim=1)
            if all(silent):
                break
        return SimpleNamespace(sequences=columns, past_key_values=self)


def perform(rows, lines=None, max_new_tokens=400):
    encoded = [encode_sample(toy_tokenizer(), sample) for sample in rows]
    actor = Actor(lines or [sample["input_ids"][1:] for sample in encoded])
    return actor, encoded, converse(actor, toy_tokenizer(), rows, max_new_tokens)


def test_a_model_that_says_the_samples_hears_each_update_in_its_place():
    rows = samples(40, keep_going=0, num_updates=(1, 4), after_end=0.5)
    actor, encoded, transcripts = perform(rows)
    late = 0
    for index, (sample, ids, transcript) in enumerate(zip(rows, encoded, transcripts, strict=True)):
        assert transcript.text == sample.target and transcript.ended
        assert transcript.tokens == ids["input_ids"][1:]
        expected = list(zip((at - 1 for at in ids["update_positions"]), ids["update_ids"], strict=True))
        assert [(said, update) for row, said, update in actor.heard if row == index] == expected
        starts = [len(toy_tokenizer().decode(transcript.tokens[: at - 1])) for at in ids["update_positions"]]
        assert transcript.heard_at == starts
        late += transcript.text.count(END) > 1
    assert late > 5


def line(text):
    return toy_tokenizer()(text, add_special_tokens=False)["input_ids"]


def test_a_row_that_ends_too_early_is_told_the_rest_afterwards():
    sample = next(
        row for row in samples(50, keep_going=0, num_updates=(2, 2), after_end=0) if row.updates[0]["position"] > 40
    )
    first, second = f"Short.{END}", f" Right.{END}"
    actor, encoded, (transcript,) = perform([sample], [line(first) + line(second) + line(second)])
    assert [update for _, _, update in actor.heard] == encoded[0]["update_ids"]
    assert transcript.heard_at[0] == len(first) and transcript.text.startswith(first + second[:1])
    assert len(transcript.heard_at) == 2 and transcript.ended


def test_what_comes_after_the_end_waits_for_it_however_long_a_model_speaks():
    sample = next(row for row in samples(50, keep_going=0, num_updates=(1, 1), after_end=1.0) if row.updates)
    first = f"{'a' * 300}.{END}"
    _, _, (transcript,) = perform([sample], [line(first) + line(f" Right.{END}")])
    assert transcript.heard_at == [len(first)] and len(first) > sample.updates[0]["position"]


def test_a_row_that_never_ends_is_stopped_and_still_told():
    sample = next(row for row in samples(50, keep_going=0, num_updates=(1, 1), after_end=1.0) if row.updates)
    actor, encoded, (transcript,) = perform([sample], [line("a" * 100)], max_new_tokens=10)
    assert [said for _, said, _ in actor.heard] == [10]
    assert len(transcript.tokens) == 20 and not transcript.ended


def test_a_conversation_without_updates_is_one_call():
    rows = samples(3, keep_going=0, num_updates=(0, 0))
    actor, _, transcripts = perform(rows)
    assert not actor.heard and all(transcript.heard_at == [] for transcript in transcripts)


def random_model(kind):
    """A model that babbles, and ends its sentences now and then."""
    torch.manual_seed(0)
    head, config = MODELS[kind]
    model = head(config).eval()
    model.lm_head.register_forward_hook(
        lambda module, given, logits: logits + 2.0 * torch.nn.functional.one_hot(torch.tensor(EOS), VOCAB_SIZE)
    )
    return model


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_a_batch_of_conversations_is_each_of_them_alone(kind):
    model = random_model(kind)
    rows = list(samples(20, keep_going=0, num_updates=(0, 3), after_end=0.5))
    together = converse(model, toy_tokenizer(), rows, max_new_tokens=24)
    assert len({len(transcript.tokens) for transcript in together}) > 2
    assert {transcript.ended for transcript in together} == {True, False}
    for sample, transcript in zip(rows, together, strict=True):
        assert len(transcript.heard_at) == len(sample.updates)
        assert converse(model, toy_tokenizer(), [sample], max_new_tokens=24) == [transcript]


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_who_has_ended_is_not_waited_for(kind):
    model, rows = random_model(kind), list(samples(8, keep_going=0, num_updates=(0, 3), after_end=0.5))
    steps = []
    model.lm_head.register_forward_hook(lambda module, given, logits: steps.append(len(logits)))
    said = sum(len(transcript.tokens) for transcript in converse(model, toy_tokenizer(), rows, max_new_tokens=24))
    assert steps[0] == 8 and min(steps) <= 2
    # Of all rows of all steps, three in four say something.
    assert said >= 0.75 * sum(steps)
