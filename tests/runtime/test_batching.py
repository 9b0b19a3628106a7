"""Conversations join and leave a running batch, and each says what it says alone."""

import random

import pytest
import torch
from tiny_models import (  # noqa: E402
    BOS,
    EOS,
    KINDS,
    PAD,
    SEP,
    SIZES,
    Schedule,
    greedy,
    tiny_model,
    tiny_tokenizer,
    words,
)
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from hf_duplex.runtime.batching import Batch  # noqa: E402
from hf_duplex.runtime.listeners import open_input  # noqa: E402
from hf_duplex.runtime.rows import join, settle, take_rows  # noqa: E402
from hf_duplex.runtime.sampling import Sampling, TokenSampler  # noqa: E402


def stock(name):
    """Models of transformers that know nothing of updates; GPT-2 has positions of its own and pads with its end."""
    torch.manual_seed(0)
    ids = {"bos_token_id": BOS, "eos_token_id": EOS}
    if name == "llama":
        return LlamaForCausalLM(LlamaConfig(**SIZES, **ids, pad_token_id=PAD)).eval()
    sizes = {"vocab_size": 64, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256, "initializer_range": 0.3}
    return GPT2LMHeadModel(GPT2Config(**sizes, **ids)).eval()


def prepared(name, ends=(EOS,), pad=PAD):
    """A model that listens; `ends` and `pad` as its words have them."""
    model = stock(name) if name in ("llama", "gpt2") else tiny_model(name)
    listener, spoken = open_input(model, tiny_tokenizer())
    spoken.ends, spoken.pad = list(ends), pad
    listener.generation_config.eos_token_id = list(ends) or None
    listener.generation_config.pad_token_id = pad
    return listener, spoken


class Scripted:
    """A speaker that hears what is written down, and says so many tokens."""

    def __init__(self, prompt, updates, most, sampling=None):
        self.prompt_ids, self.start_id = prompt, BOS
        self.updates, self.most = dict(updates), most
        self.chooser = TokenSampler(sampling or Sampling())
        self.tokens, self.versions, self.logits = [], [], []
        self.gone = self.quiet = self.live = False
        self.ends = ()

    @property
    def emitting(self):
        """Whoever has ended speaks when there is something to hear."""
        ended = self.tokens and self.tokens[-1] in self.ends and len(self.tokens) not in self.updates
        return not (self.gone or self.quiet or ended) and len(self.tokens) < self.most

    def take_update(self, new):
        return self.updates.get(len(self.tokens))

    def choose(self, scores):
        self.logits.append(scores.clone())
        return self.chooser(scores, len(self.tokens))


def note(steps):
    for member, token, version in steps:
        member.tokens.append(token)
        member.versions.append(version)
    return False


def alone(model, member):
    """The same by stock `generate`, one row, from the start to its end in one call."""
    schedule = Schedule([(step + 1, ids) for step, ids in member.updates.items()])
    prompt = torch.tensor([member.prompt_ids])
    given = torch.tensor([[member.start_id]])
    n = len(member.tokens)
    return greedy(model, given, prompt_ids=prompt, interrupt_callback=schedule, n=n, suppress_tokens=[PAD])


def assert_as_alone(model, member):
    output = alone(model, member)
    assert member.tokens == output.sequences[0, 1:].tolist()
    assert member.versions == output.versions[0, 1:].tolist()
    # Where padding would be no word, it was given no chance.
    found, expected = torch.stack(member.logits)[:, PAD + 1 :], torch.cat(output.logits)[:, PAD + 1 :]
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=0)


def draw(rng, number):
    """A conversation: prompt, updates, length."""
    prompt = words(rng.randint(2, 9), seed=10 * number).tolist()
    prompt[rng.randrange(len(prompt))] = SEP
    places = rng.sample(range(20), rng.randint(0, 4))
    updates = {place: words(rng.randint(1, 6), seed=10 * number + place + 1).tolist() for place in places}
    return Scripted(prompt, updates, rng.randint(1, 24))


@pytest.mark.parametrize("name", [*KINDS, "gated", "llama", "gpt2"])
def test_rows_that_come_and_go_say_what_they_say_alone(name):
    model, spoken = prepared(name, ends=())
    rng = random.Random(name)
    members = [draw(rng, number) for number in range(14)]
    to_come = list(members)
    batches = []
    while any(len(member.tokens) < member.most for member in members):
        if to_come and rng.random() < 0.6:
            count = rng.randint(1, 3)
            fresh = Batch(model, spoken, to_come[:count], note)
            del to_come[:count]
            fresh.run(rng.choice([1, 1, 4]))
            batches.append(fresh)
        if len(batches) > 1 and rng.random() < 0.7:
            batches[0].absorb([batches.pop()])
        for batch in list(batches):
            for member in batch.members:
                member.quiet = rng.random() < 0.2
            batch.run(rng.randint(1, 5))
            left = [row for row, member in enumerate(batch.members) if len(member.tokens) < member.most]
            out = [row for row in left if rng.random() < 0.2]
            batches += [batch.part([row]) for row in out]
            kept = [row for row in left if row not in out]
            if not kept:
                batches.remove(batch)
            elif len(kept) < len(batch) and (out or rng.random() < 0.5):
                batch.keep(kept)
    assert all(len(member.tokens) == member.most for member in members)
    for member in members:
        assert_as_alone(model, member)


@pytest.mark.parametrize("name, pad", [("validity", PAD), ("baseline", PAD), ("dual_stream", PAD), ("gpt2", EOS)])
def test_who_has_ended_is_woken_beside_those_who_speak(name, pad):
    """An end, or a silence, leaves no trace in a row: gpt2 fills up with its own end token."""
    model, spoken = prepared(name, ends=())
    prompt, update = words(5, seed=3).tolist(), words(4, seed=4).tolist()
    free = Scripted(prompt, {}, 12)
    Batch(model, spoken, [free], note).run(12)
    # A word that it has not said before is an end from now on.
    end = next(token for place, token in enumerate(free.tokens) if place and token not in free.tokens[:place])
    length = free.tokens.index(end) + 1
    model, spoken = prepared(name, ends=[end], pad=end if pad == EOS else pad)
    told, other = Scripted(prompt, {}, length + 8), Scripted(words(7, seed=5).tolist(), {2: update}, 40)
    told.ends = other.ends = [end]
    batch = Batch(model, spoken, [told, other], note)
    batch.run(1)
    batch.run(length + 3)
    batch.run(2)
    assert told.tokens == free.tokens[:length] and not told.live and not told.emitting
    told.updates[length] = update
    batch.run(3)
    assert len(told.tokens) > length and told.versions[-1] == told.versions[0] + 1
    told.quiet = True
    batch.run(2)
    told.quiet = False
    batch.run(20)
    model.generation_config.eos_token_id = None
    for member in (told, other):
        assert_as_alone(model, member)


@pytest.mark.parametrize("name", ["validity", "baseline"])
def test_what_is_drawn_depends_on_no_neighbour(name):
    model, spoken = prepared(name, ends=())
    kinds = [
        Sampling(temperature=1.5, seed=3),
        Sampling(temperature=0.8, top_k=5, seed=4),
        Sampling(),
        Sampling(temperature=1.0, top_p=0.7, seed=3),
    ]
    prompt = words(6, seed=1).tolist()

    def run(settings):
        members = [Scripted(prompt, {4: words(3, seed=2).tolist()}, 15, sampling) for sampling in settings]
        Batch(model, spoken, members, note).run(15)
        return [member.tokens for member in members]

    together = run(kinds)
    assert together == [run([sampling])[0] for sampling in kinds]
    assert together == run(kinds[::-1])[::-1]
    assert len({tuple(tokens) for tokens in together}) == 4


def test_chance_is_new_at_every_step_and_the_same_for_the_same_step():
    chooser, scores = TokenSampler(Sampling(temperature=1.0, seed=1)), torch.zeros(1000)
    drawn = [chooser(scores, step) for step in range(20)]
    assert len(set(drawn)) > 15 and drawn[::-1] == [chooser(scores, step) for step in range(20)][::-1]
    assert drawn != [TokenSampler(Sampling(temperature=1.0, seed=2))(scores, step) for step in range(20)]
    narrow = TokenSampler(Sampling(temperature=1.0, top_k=3))
    assert {narrow(torch.arange(1000.0) / 10, step) for step in range(50)} == {997, 998, 999}


@pytest.mark.parametrize("bad", [{"temperature": -1}, {"top_k": 0}, {"top_p": 1.5}, {"max_new_tokens": 0}])
def test_settings_that_cannot_be_are_refused(bad):
    with pytest.raises(ValueError, match=f"`{next(iter(bad))}`"):
        Sampling(**bad)


def test_a_batch_says_when_it_is_left_and_goes_on():
    model, spoken = prepared("validity", ends=())
    member, twin = (Scripted([5, 6, 7], {}, 10) for _ in range(2))
    batch = Batch(model, spoken, [member], lambda steps: note(steps) or len(member.tokens) % 3 == 0)
    lengths = []
    while member.emitting:
        batch.run(100)
        lengths.append(len(member.tokens))
    assert lengths == [3, 6, 9, 10]
    Batch(model, spoken, [twin], note).run(100)
    assert member.tokens == twin.tokens
    batch.run(5)
    assert len(member.tokens) == 10


def test_what_is_new_waits_for_the_first_step_where_that_is_wanted():
    model, spoken = prepared("validity", ends=())
    asked = []

    class Asked(Scripted):
        def take_update(self, new):
            asked.append(new)
            return super().take_update(new)

    batch = Batch(model, spoken, [Asked([5, 6, 7], {4: [9, 10]}, 20)], note)
    batch.run(3)
    batch.run(3, at_once=False)
    batch.run(2, at_once=False)
    assert asked == [True, True, True, True, False, False, True, False]
    assert_as_alone(model, batch.members[0])


def test_no_row_sees_what_another_has_heard():
    model, spoken = prepared("validity", ends=())
    members = [Scripted(words(6, seed=number).tolist(), {2: [5 + number] * 4}, 8) for number in range(3)]
    batch = Batch(model, spoken, members, note)
    batch.run(8)
    for row, member in enumerate(members):
        held = set(batch.cache.memory.token_ids[row].tolist()) - {-1}
        assert held == {*member.prompt_ids, 5 + row}


@pytest.mark.parametrize("name", KINDS)
def test_a_row_that_is_taken_out_frees_what_the_others_need(name):
    model, spoken = prepared(name, ends=())
    members = [Scripted(words(6, seed=number).tolist(), {2: [9] * 3}, 30) for number in range(8)]
    batch = Batch(model, spoken, members, note)
    batch.run(8)
    whole = batch.nbytes
    batch.keep([3])
    assert batch.nbytes < whole / 4 and batch.members == [members[3]]
    batch.run(30)
    assert_as_alone(model, members[3])


def test_rows_keep_their_place_when_they_are_joined():
    model, spoken = prepared("dual_stream", ends=())
    parts = []
    for number, updates in enumerate([{}, {1: [9, 10]}, {1: [11], 2: [12, 13, 14]}]):
        batch = Batch(model, spoken, [Scripted(words(3 + number, seed=number).tolist(), updates, 4)], note)
        batch.run(4)
        parts.append(batch.cache)
    whole = join(parts)
    assert whole.memory.mask.sum(1).tolist() == [0, 2, 4] and whole.memory.count.tolist() == [0, 1, 2]
    # In front of what was heard stands a column for hearing nothing.
    assert whole.cross_bias.isneginf().sum(-1).flatten().tolist() == [4, 2, 0]
    assert whole.mask.sum(1).tolist() == [part.get_seq_length() for part in parts]
    for row, part in enumerate(parts):
        again = take_rows(whole, [row])
        settle(again)
        assert torch.equal(again.layers[0].keys[:, :, -part.get_seq_length() :], part.layers[0].keys)
