"""Chat models: stopped where an update is due, told, and given another turn; with models whose lines are known."""

import copy
import dataclasses
from types import SimpleNamespace

import pytest
import torch
from toy_runs import VOCAB_SIZE, samples, toy_tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from hf_duplex.evaluation.benchmarks.cases import score
from hf_duplex.evaluation.contestants.chat_model import ChatModel, mark_turn
from hf_duplex.evaluation.contestants.models import load_contestant
from hf_duplex.evaluation.metrics.judging import JudgedText


PAD, EOS = 0, 2
# As strict as templates come: speakers alternate, the user first.
TEMPLATE = (
    "{% for message in messages %}"
    "{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('in turns') }}{% endif %}"
    "[{{ message.role }}] {{ message.content }}\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)


def chat_tokenizer():
    tokenizer = copy.deepcopy(toy_tokenizer())
    tokenizer.chat_template = TEMPLATE
    return tokenizer


class Actor:
    """Says its lines, one a turn and row, as `generate` would, and writes down what it was given to read."""

    device = torch.device("cpu")
    config = SimpleNamespace(model_type="actor")
    generation_config = SimpleNamespace(eos_token_id=EOS)

    def __init__(self, *lines: list[str]):
        self.lines = [list(row) for row in lines]
        self.read: list[list[str]] = []

    def num_parameters(self):
        return 1

    def generate(self, input_ids, attention_mask, stopping_criteria, max_new_tokens, **kwargs):
        read = [chat_tokenizer().decode(ids[mask.bool()]) for ids, mask in zip(input_ids, attention_mask, strict=True)]
        self.read.append(read)
        assert all(mask.tolist() == sorted(mask.tolist()) for mask in attention_mask)
        # Rows whose conversation is over have no more lines.
        waiting = [row for row in self.lines if row][: len(read)]
        lines = [chat_tokenizer()(row.pop(0), add_special_tokens=False)["input_ids"] for row in waiting]
        done = torch.zeros(len(lines), dtype=torch.bool)
        for step in range(max_new_tokens):
            tokens = [PAD if over or step >= len(line) else line[step] for line, over in zip(lines, done, strict=True)]
            input_ids = torch.cat([input_ids, torch.tensor(tokens)[:, None]], dim=1)
            done |= (input_ids[:, -1] == EOS) | stopping_criteria(input_ids, None)
            if bool(done.all()):
                break
        return input_ids


def sample(*updates, target="one two three four five six.<eos>"):
    """A conversation with updates at given places."""
    (row,) = samples(1)
    told = [{**row_update(), "text": text, "position": place} for place, text in updates]
    return dataclasses.replace(row, prompt="Count.", initial_target=target, revised_target="", updates=told)


def row_update():
    return {"kind": "correction", "source": "user", "earliest": 0, "repair": False, "changes": []}


def perform(actor, *rows, max_new_tokens=400):
    return ChatModel("actor", actor, chat_tokenizer()).converse(rows, max_new_tokens)


def test_it_is_stopped_where_the_update_is_due_and_takes_another_turn():
    actor = Actor(["one two three four five six.<eos>", "two four.<eos>"])
    (transcript,) = perform(actor, sample((9, "Only even ones.")))
    first = "one two three"
    assert transcript.text == f"{first} --<eos> two four.<eos>" and transcript.ended
    assert transcript.heard_at == [len(f"{first} --<eos>")]
    assert actor.read == [
        ["[user] Count.\n[assistant] "],
        [f"[user] Count.\n[assistant] {first}\n[user] Only even ones.\n[assistant] "],
    ]
    tokens = chat_tokenizer()(first, add_special_tokens=False)["input_ids"]
    assert transcript.heard_after == [len(tokens)] and transcript.tokens[: len(tokens)] == tokens
    assert len(transcript.milliseconds) == 1 and transcript.milliseconds[0] > 0


def test_what_comes_before_a_word_was_said_is_part_of_the_first_message():
    actor = Actor(["two four.<eos>"])
    (transcript,) = perform(actor, sample((0, "Only even ones."), (0, "To four.")))
    assert actor.read == [["[user] Count.\nOnly even ones.\nTo four.\n[assistant] "]]
    assert transcript.text == "two four.<eos>" and transcript.heard_at == [0, 0] and len(transcript.milliseconds) == 2


def test_one_who_is_done_too_early_is_told_what_comes_next():
    actor = Actor(["one.<eos>", "two.<eos>", "three.<eos>"])
    (transcript,) = perform(actor, sample((9, "On."), (12, "Go on.")))
    assert transcript.text == "one.<eos> two.<eos> three.<eos>" and transcript.heard_at == [9, 19]
    assert actor.read[2] == [
        "[user] Count.\n[assistant] one.\n[user] On.\n[assistant] two.\n[user] Go on.\n[assistant] "
    ]


def test_what_comes_after_the_end_waits_for_it_however_long_it_speaks():
    long = f"{'one ' * 40}end."
    target = "one.<eos>"
    actor = Actor([f"{long}<eos>", "two.<eos>"])
    (transcript,) = perform(actor, sample((len(target), "On."), target=target))
    assert transcript.text == f"{long}<eos> two.<eos>" and transcript.heard_at == [len(f"{long}<eos>")]


def test_one_who_never_ends_is_stopped_each_turn():
    actor = Actor(["a" * 100, "b" * 100])
    (transcript,) = perform(actor, sample((30, "Stop.")), max_new_tokens=7)
    assert len(transcript.tokens) == 14 and not transcript.ended and transcript.heard_after == [7]
    assert transcript.text[: transcript.heard_at[0]].endswith("a --<eos>") and transcript.text.endswith("b")


def test_one_who_says_nothing_is_told_all_the_same():
    actor = Actor(["<eos>", "<eos>"])
    (transcript,) = perform(actor, sample((9, "Only even ones.")))
    assert transcript.text == "" and transcript.tokens == [] and transcript.heard_at == [0] and transcript.ended
    assert actor.read[1] == ["[user] Count.\nOnly even ones.\n[assistant] "]


def fact(*updates, target):
    """A conversation about two facts; what the updates change is given with them."""
    told = [(place, f"No, the {key} is {value}.") for place, key, value in updates]
    first = {"capital of Norland": "Velm", "founder of Norland": "Orr"}
    changes = [(key, number, value) for number, (_, key, value) in enumerate(updates, 1)]
    timeline = [(key, 0, value) for key, value in first.items()] + changes
    last = first | {key: value for key, _, value in changes}
    return dataclasses.replace(
        sample(*told, target=target),
        task_type="fact_correction",
        timeline=[{"key": key, "version": version, "value": value} for key, version, value in timeline],
        answers=[{"key": key, "value": value} for key, value in last.items()],
        provenance=[],
    )


@pytest.mark.parametrize(
    ("said", "place", "claims"),
    [
        # What was cut and what comes next are not one sentence, nor one name.
        (["The capital of Norland is in the north.<eos>", "Bern is nice.<eos>"], 23, []),
        (
            ["The capital of Norland is Velm since then.<eos>", "The founder of Norland is Orr.<eos>"],
            28,
            ["Velm", "Orr"],
        ),
        # The name that is being said is finished: half of it would be a wrong one.
        (["The capital of Norland is Velmburg.<eos>", "Sorry, it is Zug.<eos>"], 28, ["Velmburg"]),
        (["The capital of Norland is Velm.<eos>", "The capital of Norland is Zug.<eos>"], 28, ["Velm", "Zug"]),
    ],
)
def test_a_turn_that_is_cut_is_judged_by_its_own_words(said, place, claims):
    row = fact((place, "capital of Norland", "Zug"), target="The capital of Norland is Velm for the time being.<eos>")
    (transcript,) = perform(Actor(said), row)
    hearing = JudgedText(row.to_row(), transcript.text, transcript.heard_at, transcript.ended)
    assert [claim.value for claim in hearing.claims] == claims
    assert [claim.version for claim in hearing.claims] == [0, 1][: len(claims)]


def test_a_sum_that_is_cut_is_no_answer():
    row = dataclasses.replace(
        sample((12, "No, b = 3."), target="b * a + 4 = 2 * 5 + 4 = 10 + 4 = 14.<eos>"),
        task_type="variable_substitution",
        timeline=[
            {"key": "b * a + 4", "version": 0, "value": "14"},
            {"key": "b * a + 4", "version": 1, "value": "19"},
        ],
        answers=[{"key": "b * a + 4", "value": "19"}],
        provenance=[],
    )
    (transcript,) = perform(Actor(["b * a + 4 = 2 * 5 + 4 = 10 + 4 = 14.<eos>", "b * a + 4 = 19.<eos>"]), row)
    assert transcript.text == "b * a + 4 = 2 --<eos> b * a + 4 = 19.<eos>"
    counts = score(row, transcript)["counts"]
    assert (counts["answers_right"], counts["revised"], counts["revised_right"], counts["coherent"]) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("turn", "ended", "marked"),
    [
        (" The capital is ", False, "The capital is --<eos>"),
        ("The capital is Velm", True, "The capital is Velm<eos>"),
        ("The capital is Velm.", False, "The capital is Velm.<eos>"),
        ('{"capital": "Velm"}', False, '{"capital": "Velm"}<eos>'),
    ],
)
def test_only_what_is_broken_off_is_marked_as_such(turn, ended, marked):
    assert mark_turn(turn, ended) == marked


def test_a_sentence_that_was_cut_is_not_held_against_it():
    row = fact((40, "capital of Norland", "Zug"), target="The capital of Norland is not what the founder wanted.<eos>")
    said = [
        "The capital of Norland is a question that Norland has not yet settled.<eos>",
        "The capital of Norland is Zug.<eos>",
    ]
    (transcript,) = perform(Actor(said), row)
    assert score(row, transcript)["counts"]["coherent"] == 1


def test_rows_take_turns_of_their_own():
    quiet = sample()
    early, late = sample((3, "A."), (25, "B.")), sample((20, "C."))
    lines = (["one two three.<eos>"], ["one two three.<eos>", "x " * 20, "y.<eos>"], ["one " * 10, "z.<eos>"])
    together = perform(Actor(*lines), quiet, early, late)
    for row, line, transcript in zip((quiet, early, late), lines, together, strict=True):
        (alone,) = perform(Actor(line), row)
        assert (alone.text, alone.tokens) == (transcript.text, transcript.tokens)
        assert (alone.heard_at, alone.heard_after) == (transcript.heard_at, transcript.heard_after)
    assert [len(transcript.heard_at) for transcript in together] == [0, 2, 1]
    assert [transcript.ended for transcript in together] == [True, True, True]


def llama():
    """A model that babbles, and ends its turns now and then."""
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    special = {"pad_token_id": PAD, "bos_token_id": 1, "eos_token_id": EOS}
    config = LlamaConfig(vocab_size=VOCAB_SIZE, initializer_range=0.3, tie_word_embeddings=False, **sizes, **special)
    return LlamaForCausalLM(config).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("llama")
    torch.manual_seed(0)
    llama().save_pretrained(path)
    chat_tokenizer().save_pretrained(path)
    return path


def test_any_causal_language_model_takes_part_and_a_batch_is_each_row_alone(folder):
    contestant = load_contestant(str(folder))
    assert (contestant.name, contestant.model_type) == (folder.name, "llama")
    assert contestant.parameters == llama().num_parameters()
    contestant.model.lm_head.register_forward_hook(
        lambda module, given, logits: logits + 3.0 * torch.nn.functional.one_hot(torch.tensor(EOS), VOCAB_SIZE)
    )
    rows = list(samples(8, num_updates=(0, 3), after_end=0.5))
    together = contestant.converse(rows, 24)
    assert {transcript.ended for transcript in together} == {True, False}
    for row, transcript in zip(rows, together, strict=True):
        (alone,) = contestant.converse([row], 24)
        assert (alone.text, alone.tokens, alone.heard_at) == (transcript.text, transcript.tokens, transcript.heard_at)
        assert len(transcript.heard_at) == len(transcript.milliseconds) == len(row.updates)
        assert transcript.heard_at == sorted(transcript.heard_at)
        assert len(transcript.tokens) <= 24 * (1 + len(row.updates))


def test_a_tokenizer_without_a_chat_template_is_refused(folder, tmp_path):
    llama().save_pretrained(tmp_path)
    toy_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="^`--model`: .* no chat template"):
        load_contestant(str(tmp_path))


def test_a_mode_is_not_for_it(folder):
    with pytest.raises(ValueError, match="^`--model`: .* llama model, which has no mode 'deaf'"):
        load_contestant(f"{folder}@deaf")


def test_a_folder_without_weights_or_tokenizer_is_refused(folder, tmp_path):
    llama().config.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="^`--model`: .* cannot be loaded"):
        load_contestant(str(tmp_path))
    chat_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="^`--model`: .* cannot be loaded"):
        load_contestant(str(tmp_path))
