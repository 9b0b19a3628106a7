"""A mixture of experts made from scratch: its routers are read as they route, and clocks choose among candidates."""

import functools

import pytest
import torch
from tiny_models import BOS, EOS, FIRST_WORD, PAD, SIZES, VOCAB, words  # noqa: E402
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, MixtralConfig, MixtralForCausalLM

from hf_duplex.pressure.chronovisor import MixtureSignals, Tournament, find_routers
from hf_duplex.pressure.clocks import ClockHead
from hf_duplex.pressure.controller import SessionController
from hf_duplex.pressure.multistep import ClockGatedMixtralForCausalLM
from hf_duplex.pressure.signals import CLOCKS


IDS = {"pad_token_id": PAD, "bos_token_id": BOS, "eos_token_id": EOS}


def mixtral_config():
    return MixtralConfig(**SIZES, **IDS, num_local_experts=4, num_experts_per_tok=2, sliding_window=None)


@functools.cache
def mixtral():
    torch.manual_seed(0)
    return ClockGatedMixtralForCausalLM(mixtral_config()).eval()


def generate(model, ids, provider=None, n=10, **kwargs):
    options = {"max_new_tokens": n, "do_sample": False, "eos_token_id": None, **kwargs}
    if provider is None:
        return model.generate(ids, **options)
    with provider:
        return model.generate(ids, logits_processor=list(provider.logits_processors()), **options)


def test_the_router_says_what_the_signals_say():
    model, provider = mixtral(), MixtureSignals(mixtral(), candidates=0)
    ids = words(1, 6)
    generate(model, ids, provider, n=1)
    with torch.no_grad():
        logits = model(input_ids=ids, output_router_logits=True).router_logits
    shares = torch.stack([layer[-1].softmax(-1) for layer in logits])
    entropy = torch.special.entr(shares).sum(-1).mean() / torch.tensor(4.0).log()
    best = shares.topk(2, dim=-1).values
    assert provider.signals().router_entropy == pytest.approx(float(entropy), abs=1e-5)
    assert provider.signals().router_margin == pytest.approx(float((best[:, 0] - best[:, 1]).mean()), abs=1e-5)
    assert provider.coherence.phases.shape == (2 * 4,)


@pytest.mark.parametrize("candidates", [0, 8])
def test_there_is_no_second_forward(candidates):
    model, counts = mixtral(), []
    for provider in (None, MixtureSignals(model, candidates=candidates)):
        calls = []
        hook = model.model.register_forward_pre_hook(lambda module, args, calls=calls: calls.append(1))
        generate(model, words(1, 6), provider)
        hook.remove()
        counts.append(len(calls))
    assert counts == [10, 10]


def test_without_a_tournament_the_text_is_as_ever():
    model = mixtral()
    plain = generate(model, words(1, 6))
    assert torch.equal(plain, generate(model, words(1, 6), MixtureSignals(model, candidates=0)))
    assert torch.equal(plain, generate(model, words(1, 6), MixtureSignals(model, candidates=1)))
    assert torch.equal(plain, generate(model, words(1, 6), MixtureSignals(model, say=0.0)))


def test_the_tournament_is_deterministic_even_when_sampling():
    model = mixtral()
    said = [generate(model, words(1, 6), MixtureSignals(model, say=3.0), do_sample=sample) for sample in (0, 0, 1)]
    assert torch.equal(said[0], said[1]) and torch.equal(said[0], said[2])


def clocks_at(direction):
    heads = {name: ClockHead(0.5, 4, 0.7) for name in CLOCKS}
    for head in heads.values():
        head.step(direction)
    return heads


def test_the_clocks_decide_between_near_equals_only():
    embedding = torch.eye(4)
    scores = torch.tensor([[2.0, 1.9, -5.0, -6.0]])
    tournament = Tournament(clocks_at(embedding[1]), embedding)
    assert int(tournament(None, scores).argmax()) == 1
    assert int(Tournament(clocks_at(embedding[2]), embedding)(None, scores).argmax()) == 0
    assert int(Tournament(clocks_at(embedding[1]), embedding, candidates=1)(None, scores).argmax()) == 0
    assert tournament(None, scores).isfinite().sum() == 1


def test_each_clock_has_a_round():
    """Eight enter, and each round the better half by that clock's own score survives."""
    embedding = torch.eye(8)
    heads = {name: ClockHead(0.5, 4, 0.7) for name in CLOCKS}
    for name, vector in zip(CLOCKS, ([1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1, 0, 0], [0, 0, 0, 1, 0, 0, 0, 1.0])):
        heads[name].step(torch.tensor(vector, dtype=torch.float))
    assert int(Tournament(heads, embedding)(None, torch.zeros(1, 8)).argmax()) == 3


def test_what_is_ruled_out_never_wins():
    scores = torch.full((1, 4), -torch.inf)
    scores[0, 2] = 0.0
    assert int(Tournament(clocks_at(torch.eye(4)[0]), torch.eye(4), say=9.0)(None, scores).argmax()) == 2


def test_text_from_elsewhere_is_farther_from_the_basins():
    """Clocks that know the states of one stream see another one come in: they are outside, and coherence falls."""
    model = mixtral()
    usual = (words(1, 4, seed=1).repeat(1, 15), words(1, 60, seed=2))
    provider = MixtureSignals(model, candidates=0)
    proximity, coherence = [], []
    with provider, torch.no_grad():
        for stream in usual:
            cache, seen = None, []
            for token in stream[0]:
                output = model(input_ids=token[None, None], past_key_values=cache, use_cache=True)
                cache = output.past_key_values
                seen.append((provider.heads["fast"].proximity, provider.coherence.R))
            proximity.append(sum(near for near, _ in seen[-20:]) / 20)
            coherence.append(sum(R for _, R in seen[-20:]) / 20)
    assert proximity[1] < proximity[0] - 0.2 and coherence[1] < coherence[0]


def test_it_speaks_in_chunks_and_hears_in_place():
    model = mixtral()
    pause = model.generate_multistep(words(1, 6), "multistep", chunk_size=5, eos_token_id=None)
    assert pause.reason in ("multistep_chunk_complete", "negative_pressure") and len(pause.token_ids) == 5
    assert model.controller.reply().chunks == 1
    names = {"router_entropy", "router_margin", "delta_R", "margin", "trans_prob", "prox_meso", "prox_macro"}
    assert set(model.get_pressure_signals()) == names | {"constraint_penalty", "confidence"}
    assert all(FIRST_WORD - 5 <= token < VOCAB for token in pause.token_ids)


def test_no_signals_before_the_first_token():
    model = ClockGatedMixtralForCausalLM(mixtral_config())
    with pytest.raises(ValueError, match="generate_multistep"):
        model.get_pressure_signals()


def test_it_is_saved_as_a_plain_mixtral(tmp_path):
    model = mixtral()
    model.save_pretrained(tmp_path)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(plain) is MixtralForCausalLM and type(model) is ClockGatedMixtralForCausalLM
    again = ClockGatedMixtralForCausalLM.from_pretrained(tmp_path).eval()
    assert torch.equal(generate(again, words(1, 6)), generate(model, words(1, 6)))


def test_a_model_without_routers_is_refused():
    llama = LlamaForCausalLM(LlamaConfig(**SIZES, **IDS))
    assert find_routers(llama) == []
    with pytest.raises(ValueError, match="no routers"):
        MixtureSignals(llama)
    with pytest.raises(ValueError, match="DuplexGenerationMixin"):
        SessionController(llama)


@pytest.mark.parametrize("arguments", [{"candidates": -1}, {"say": -0.1}])
def test_bad_arguments_are_named(arguments):
    with pytest.raises(ValueError, match=f"`{next(iter(arguments))}`"):
        MixtureSignals(mixtral(), **arguments)
