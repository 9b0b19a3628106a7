"""Contestants: what each hears, when, and what it makes of it; in batches as alone."""

import dataclasses

import pytest
import torch
from toy_runs import VOCAB_SIZE, samples, toy_tokenizer
from transformers import PreTrainedTokenizerFast

from hf_duplex import DualStreamConfig, DuplexBaselineConfig, WorkspaceConfig
from hf_duplex.data import encode_sample
from hf_duplex.evaluation import Transcript, converse
from hf_duplex.evaluation.contestants.models import (
    MODES,
    Mishearing,
    PermutedWorkspaceModel,
    Restarted,
    Scripted,
    Shuffled,
    load_contestant,
)
from hf_duplex.modeling import (
    DualStreamForCausalLM,
    DuplexBaselineForCausalLM,
    DuplexCache,
    WorkspaceForCausalLM,
    encode_prompt,
    encode_update,
)


PAD, BOS, EOS = 0, 1, 2
TOKENS = 24
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
    "latent": (WorkspaceForCausalLM, WorkspaceConfig(**SIZES, encoder_layers=1, n_slots=8, update_type="gated")),
    "window": (DuplexBaselineForCausalLM, DuplexBaselineConfig(**SIZES, sliding_window=16)),
}
FOR_ANY = ("restart", "deaf", "shuffled", "late", "noise")
CASES = [(kind, mode) for kind in ("baseline", "dual_stream", "workspace") for mode in (None, *FOR_ANY)]
CASES += [("baseline", "relocated"), ("workspace", "frozen"), ("workspace", "permuted"), ("latent", "frozen")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All models, saved with their tokenizer."""
    root = tmp_path_factory.mktemp("models")
    for name, (head, config) in MODELS.items():
        torch.manual_seed(0)
        model = head(config)
        for key, parameter in model.named_parameters():
            # What starts at nothing takes part here.
            if key.endswith(("update_rule.distance.weight", "update_rule.bias")):
                torch.nn.init.normal_(parameter, std=0.5)
        model.save_pretrained(root / name)
        toy_tokenizer().save_pretrained(root / name)
    return root


def load(folder, kind, mode=None):
    """A contestant that babbles, and ends its sentences now and then."""
    contestant = load_contestant(f"{folder / kind}@{mode}" if mode else str(folder / kind))
    contestant.model.lm_head.register_forward_hook(
        lambda module, given, logits: logits + 2.0 * torch.nn.functional.one_hot(torch.tensor(EOS), VOCAB_SIZE)
    )
    return contestant


def facts(transcript):
    """All of a transcript but how long it took."""
    return transcript.text, transcript.tokens, transcript.heard_at, transcript.heard_after, transcript.ended


def rows():
    return list(samples(16, num_updates=(0, 3), after_end=0.5, keep_going=0.3))


def inside():
    """Conversations whose updates come within the first words of whoever speaks."""
    return list(samples(6, num_updates=(1, 2), after_end=0, keep_going=0, window=(0.0, 0.1)))


@pytest.mark.parametrize(("kind", "mode"), CASES)
def test_a_batch_is_each_of_its_conversations_alone(folder, kind, mode):
    contestant = load(folder, kind, mode)
    assert contestant.name == kind + (f"@{mode}" if mode else "")
    assert contestant.model_type == MODELS[kind][1].model_type
    assert contestant.parameters == contestant.model.num_parameters() > 10000
    together = contestant.converse(rows(), TOKENS)
    assert len({len(transcript.tokens) for transcript in together}) > 1
    for sample, transcript in zip(rows(), together, strict=True):
        count = len(sample.updates)
        assert len(transcript.heard_at) == len(transcript.heard_after) == count
        assert transcript.heard_at == sorted(transcript.heard_at)
        assert not count or transcript.heard_at[-1] <= len(transcript.text)
        if mode != "shuffled":
            (alone,) = contestant.converse([sample], TOKENS)
            assert facts(alone) == facts(transcript)


@pytest.mark.parametrize("kind", ["baseline", "dual_stream", "workspace"])
def test_one_without_a_mode_is_the_model_as_it_is(folder, kind):
    contestant = load(folder, kind)
    expected = converse(contestant.model, toy_tokenizer(), rows(), TOKENS)
    assert list(map(facts, contestant.converse(rows(), TOKENS))) == list(map(facts, expected))


@pytest.mark.parametrize("kind", ["baseline", "dual_stream", "workspace"])
def test_a_restart_says_what_it_says_to_all_of_it_at_once(folder, kind):
    contestant = load(folder, kind, "restart")
    chosen = [row for row in samples(40, num_updates=(0, 3), keep_going=0) if len(row.updates) != 1][:6]
    for sample, transcript in zip(chosen, contestant.converse(chosen, TOKENS), strict=True):
        heard = [encode_update(toy_tokenizer(), update["text"]) for update in sample.updates]
        prompt = sum(heard, encode_prompt(toy_tokenizer(), sample.prompt))
        output = contestant.model.generate(prompt_ids=torch.tensor([prompt]), max_new_tokens=TOKENS, do_sample=False)
        assert transcript.tokens == output[0, 1:].tolist()
        assert transcript.heard_at == transcript.heard_after == [0] * len(heard)
        assert len(transcript.milliseconds) == len(heard) and all(time > 0 for time in transcript.milliseconds)


def test_a_restart_counts_what_it_reads_again(folder):
    contestant = load(folder, "baseline", "restart")
    assert isinstance(contestant, Restarted)
    (sample,) = samples(1, num_updates=(3, 3), keep_going=0)
    prompt, first, second = (
        len(encode_prompt(toy_tokenizer(), sample.prompt)),
        *(len(encode_update(toy_tokenizer(), update["text"])) for update in sample.updates[:2]),
    )
    assert contestant.read_again(sample) == prompt + (prompt + first) + (prompt + first + second)
    assert contestant.read_again(dataclasses.replace(sample, updates=[])) == 0


def test_nobody_starts_again_to_be_stopped(folder):
    contestant = load(folder, "baseline", "restart")
    (sample,) = samples(1, num_updates=(2, 2), keep_going=1.0)
    assert [update["kind"] == "stop" for update in sample.updates] == [False, False, True]
    (transcript,) = contestant.converse([sample], 400)
    stopped = dataclasses.replace(sample, updates=sample.updates[:2])
    (never,) = contestant.converse([stopped], 400)
    assert transcript.heard_at[:2] == [0, 0] and transcript.heard_after[2] > 0
    assert transcript.tokens[: transcript.heard_after[2]] == never.tokens[: transcript.heard_after[2]]
    assert contestant.read_again(sample) == contestant.read_again(stopped)


@pytest.mark.parametrize("kind", ["baseline", "workspace"])
def test_the_deaf_say_what_they_say_to_nothing(folder, kind):
    chosen = inside()
    contestant, as_it_is = load(folder, kind, "deaf"), load(folder, kind)
    silence = as_it_is.converse([dataclasses.replace(row, updates=[]) for row in chosen], TOKENS)
    told = as_it_is.converse(chosen, TOKENS)
    deaf = contestant.converse(chosen, TOKENS)
    assert [one.text for one in deaf] == [one.text for one in silence] != [one.text for one in told]
    # Up to its first update, whoever hears says the same: there the update was due.
    assert [one.heard_after[0] for one in deaf] == [one.heard_after[0] for one in told]
    assert [one.heard_at[0] for one in deaf] == [one.heard_at[0] for one in told]
    assert not any(one.milliseconds for one in deaf)


def test_what_comes_after_the_end_is_due_there(folder):
    chosen = samples(4, num_updates=(1, 1), after_end=1.0, keep_going=0)
    for transcript in load(folder, "workspace", "deaf").converse(chosen, TOKENS):
        assert transcript.heard_after == [len(transcript.tokens)] and transcript.heard_at == [len(transcript.text)]


@pytest.mark.parametrize("kind", ["workspace", "latent"])
def test_a_frozen_workspace_is_told_and_says_what_a_deaf_one_says(folder, kind):
    chosen = inside()
    frozen, deaf = load(folder, kind, "frozen"), load(folder, kind, "deaf").converse(chosen, TOKENS)
    encoded = []
    frozen.model.model.encoder.register_forward_hook(lambda module, given, states: encoded.append(given[1].shape))
    said = frozen.converse(chosen, TOKENS)
    assert len(encoded) > 1
    for one, other in zip(said, deaf, strict=True):
        end = other.heard_after[-1] < len(other.tokens)
        assert one.heard_after == other.heard_after
        assert facts(one) == facts(other) if end else one.text.startswith(other.text)


def test_the_late_are_told_after_the_end_and_judged_by_when_it_was_due(folder):
    # Some are due only after the end of what is said.
    chosen = [*inside(), *samples(4, num_updates=(1, 2), after_end=0.5, keep_going=0)]
    late, deaf = (load(folder, "workspace", mode).converse(chosen, TOKENS) for mode in ("late", "deaf"))
    for one, other in zip(late, deaf, strict=True):
        assert one.tokens[: len(other.tokens)] == other.tokens and len(one.tokens) > len(other.tokens)
        assert one.heard_at == other.heard_at and one.heard_after == other.heard_after


def test_the_shuffled_hear_the_next_conversation_that_was_told_anything():
    told = {len(row.updates): row for row in samples(60, num_updates=(0, 3), keep_going=0)}
    none, one, two, three = (told[count] for count in range(4))
    swapped = Shuffled.swap([one, none, three, two])
    texts = [[update["text"] for update in row.updates] for row in swapped]
    (first,), (a, b, c), (d, e) = ([update["text"] for update in row.updates] for row in (one, three, two))
    assert texts == [[a], [], [d, e, d], [first, first]]
    for row, own in zip(swapped, (one, none, three, two), strict=True):
        assert [update["position"] for update in row.updates] == [update["position"] for update in own.updates]
        assert row.prompt == own.prompt
    assert not Shuffled.swap([two, none])[0].updates and not Shuffled.swap([two])[0].updates


def test_one_who_has_nobody_to_swap_with_is_deaf(folder):
    (chosen,) = inside()[:1]
    alone, deaf = (load(folder, "baseline", mode).converse([chosen], TOKENS) for mode in ("shuffled", "deaf"))
    assert list(map(facts, alone)) == list(map(facts, deaf))


def test_noise_is_as_long_and_the_same_for_the_same_update(folder):
    contestant = load(folder, "baseline", "noise")
    ears = Mishearing(contestant.model, toy_tokenizer())
    update, other = (encode_update(toy_tokenizer(), text) for text in ("Actually x = 7.", "Actually x = 8."))
    noise = ears.noise(update)
    assert len(noise) == len(update) and (noise[0], noise[-1]) == (update[0], update[-1])
    assert noise == ears.noise(update) != update and noise[1:] != ears.noise(other)[1:]
    assert not set(noise[1:-1]) & set(toy_tokenizer().all_special_ids)


def test_noise_comes_in_the_place_of_updates(folder):
    contestant = load(folder, "workspace", "noise")
    heard = []
    update_workspace = contestant.model.model.update_workspace

    def listen(ids, mask, *rest):
        heard.extend(row[row_mask.bool()].tolist() for row, row_mask in zip(ids[:, 0], mask[:, 0], strict=True))
        return update_workspace(ids, mask, *rest)

    contestant.model.model.update_workspace = listen
    (sample,) = inside()[:1]
    (transcript,) = contestant.converse([sample], TOKENS)
    ears = Mishearing(contestant.model, toy_tokenizer())
    update = encode_sample(toy_tokenizer(), sample)["update_ids"][0]
    assert ears.noise(update) in heard and update not in heard
    (told,) = load(folder, "workspace").converse([sample], TOKENS)
    assert transcript.heard_at[0] == told.heard_at[0] and transcript.text != told.text


def test_validity_is_told_of_other_slots_at_every_step():
    torch.manual_seed(0)
    model = PermutedWorkspaceModel(MODELS["workspace"][1]).eval()
    torch.nn.init.normal_(model.update_rule.bias, std=0.5)
    cache, told, cross_bias = DuplexCache(), [], model.cross_bias
    messages = torch.randint(5, VOCAB_SIZE, (2, 3, 7))
    mask = torch.ones_like(messages).bool()
    mask[1, 1:] = False

    def note(workspace):
        told.append(workspace.log_validity)
        return cross_bias(workspace)

    with torch.no_grad():
        model.read_messages(cache, messages, mask)
        own = cache.memory.log_validity.clone()
        model.cross_bias = note
        for token in (5, 6):
            embeds = model.embed_tokens(torch.full((2, 1), token))
            assert torch.equal(model.cross_inputs(cache, embeds).bias, cross_bias(replace_validity(cache, told[-1])))
            model(inputs_embeds=embeds, past_key_values=cache)
    first, again, second, _ = told
    assert torch.equal(first, again) and not torch.equal(first, second)
    for seen in (first, second):
        assert torch.equal(seen.isneginf(), own.isneginf())
        assert torch.equal(seen.sort(dim=1).values, own.sort(dim=1).values)
        assert not torch.equal(seen[0], own[0])
        # Nobody doubted anything in the row with one message: there is nothing to mix up.
        assert torch.equal(seen[1], own[1])
    assert torch.equal(cache.memory.log_validity, own)


def replace_validity(cache, log_validity):
    return dataclasses.replace(cache.memory, log_validity=log_validity)


def test_the_scripted_say_their_lines():
    chosen = rows()
    contestant = Scripted("gold", lambda sample: Transcript([], sample.target, [], True))
    assert (contestant.name, contestant.model_type, contestant.parameters) == ("gold", "scripted", 0)
    assert [one.text for one in contestant.converse(chosen, 5)] == [row.target for row in chosen]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("baseline@loud", "mode 'loud'.*restart, deaf"),
        ("@deaf", "mode 'deaf'"),
        ("baseline@frozen", "duplex_baseline model, and 'frozen' is a mode of duplex_workspace alone"),
        ("dual_stream@permuted", "mode of duplex_workspace alone"),
        ("workspace@relocated", "mode of duplex_baseline alone"),
        ("latent@permuted", "gated.* update type validity"),
        ("window@relocated", "sliding window"),
        ("nothing", "cannot be loaded"),
        ("", "no config.json"),
    ],
)
def test_what_cannot_take_part_is_refused_at_once(folder, monkeypatch, spec, message):
    monkeypatch.chdir(folder)
    with pytest.raises(ValueError, match=f"(?s)^`--model`: .*{message}"):
        load_contestant(f"./{spec}" if spec in ("", "nothing") else spec)


def test_a_tokenizer_without_the_token_that_opens_an_update_is_refused(folder, tmp_path):
    load(folder, "baseline").model.save_pretrained(tmp_path)
    PreTrainedTokenizerFast(tokenizer_object=toy_tokenizer().backend_tokenizer).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="^`--model`: .* no `update_token`"):
        load_contestant(str(tmp_path))


def test_every_mode_is_played(folder):
    assert {mode for _, mode in CASES} == {None, *MODES}
