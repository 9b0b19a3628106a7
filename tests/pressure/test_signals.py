"""Signals of our generators: from the forward that chose a token, for the same text, and odd where a text is odd."""

import threading

import pytest
import torch
from tiny_models import GENERATORS, KINDS, AtOnce, greedy, tiny_model, words  # noqa: E402

from hf_duplex.pressure.clocks import ClockHead, Coherence
from hf_duplex.pressure.signals import CLOCKS, DuplexSignals, evenness, lead, workspace_motion
from hf_duplex.released import SHIPPED, WORKSPACE
from hf_duplex.runtime.checkpoints import load_checkpoint
from hf_duplex.runtime.live import LiveText


PROMPTS = [
    "Given x = 5, y = 3, compute 1) 3x + 2; 2) x + y; 3) 4y + 1.",
    "Given a = 2, b = 9, compute 1) 2a + b; 2) 3b.",
]
NOISE = ["q@@zz v#xk&&w j=%q zzk,vq##", "@#zx=&& qvq+jjk %%w;zx@"]


@pytest.fixture(scope="module")
def loaded():
    return load_checkpoint(str(SHIPPED / WORKSPACE), "--model")


class Forwards:
    """Counts calls of a model's decoder and of its head."""

    def __init__(self, model):
        self.decoder = self.head = 0
        self.handles = [model.model.register_forward_pre_hook(self._decoder)]
        self.handles.append(model.get_output_embeddings().register_forward_pre_hook(self._head))

    def _decoder(self, module, args):
        self.decoder += 1

    def _head(self, module, args):
        self.head += 1

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for handle in self.handles:
            handle.remove()


def watched(model, n=12, interrupt=None, **kwargs):
    provider = DuplexSignals(model)
    with provider:
        output = greedy(model, prompt_ids=words(1, 5), interrupt_callback=interrupt, n=n, **kwargs)
    return provider, output


@pytest.mark.parametrize("name", GENERATORS)
def test_there_is_no_second_forward_and_no_other_text(name):
    model = tiny_model(name)
    with Forwards(model) as plain:
        expected = greedy(model, prompt_ids=words(1, 5), interrupt_callback=AtOnce([[7, 8, 9]]))
    with Forwards(model) as counted:
        provider, output = watched(model, interrupt=AtOnce([[7, 8, 9]]))
    assert torch.equal(output.sequences, expected.sequences)
    assert (counted.decoder, counted.head) == (plain.decoder, plain.head) and counted.head == provider.steps == 12


@pytest.mark.parametrize("name", GENERATORS)
def test_signals_are_bounded_and_deterministic(name):
    first, second = (watched(tiny_model(name))[0] for _ in range(2))
    signals = first.signals()
    assert signals == second.signals() and first.clocks() == second.clocks()
    for key in ("router_entropy", "router_margin", "margin", "trans_prob", "confidence"):
        assert 0 <= getattr(signals, key) <= 1, key
    for key in ("delta_R", "prox_meso", "prox_macro"):
        assert -1 <= getattr(signals, key) <= 1, key
    assert set(first.clocks()) == set(CLOCKS)


@pytest.mark.parametrize("name", KINDS)
def test_the_model_is_left_as_it_was(name):
    model = tiny_model(name)
    attention = model.config._attn_implementation
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()]
    watched(model)
    assert model.config._attn_implementation == attention
    assert hooks == [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()]


@pytest.mark.parametrize("name", GENERATORS)
def test_an_update_moves_what_was_heard(name):
    model = tiny_model(name)
    provider = DuplexSignals(model)
    with provider:
        said = greedy(model, prompt_ids=words(1, 5), n=3)
        assert provider.motion == 0
        update = AtOnce([[7, 8, 9]])
        greedy(model, said.sequences, past_key_values=said.past_key_values, interrupt_callback=update, n=3)
        assert 0 < provider.motion <= 1


def test_motion_loosens_the_coupling_and_wears_off():
    model = tiny_model("validity")
    provider, holds = DuplexSignals(model), []
    step, update = provider.coherence.step, AtOnce([[7, 8, 9]])

    def callback(input_ids):
        return update(input_ids) if len(holds) == 3 else None

    provider.coherence.step = lambda load, hold: holds.append(hold) or step(load, hold)
    with provider:
        greedy(model, prompt_ids=words(1, 5), interrupt_callback=callback, n=6)
    assert holds[:3] == [1.0] * 3 and 0 <= holds[3] < holds[4] < holds[5] < 1


def test_forwards_of_another_thread_are_not_seen():
    model = tiny_model("validity")
    provider = DuplexSignals(model)
    with provider:
        thread = threading.Thread(target=lambda: greedy(model, prompt_ids=words(1, 5), n=4))
        thread.start()
        thread.join()
    assert provider.steps == 0
    with pytest.raises(ValueError, match="before the first token"):
        provider.signals()


def test_reset_forgets_everything():
    provider, _ = watched(tiny_model("validity"))
    before = provider.signals()
    provider.reset()
    assert provider.steps == 0 and provider.clocks()["slow"].current_basin == -1
    with provider:
        greedy(provider.model, prompt_ids=words(1, 5), n=12)
    assert provider.signals() == before


def test_an_odd_text_is_answered_by_less_certain_attention(loaded):
    """The released model, over all that it says: on noise attention is more even, and its first choice leads less."""

    def means(prompts):
        entropies, leads = [], []
        for prompt in prompts:
            provider = DuplexSignals(loaded[0])
            observe = provider.observe

            def note(weights, *rest, observe=observe):
                entropies.append(float(torch.cat([evenness(part) for part in weights]).mean()))
                leads.append(float(torch.cat([lead(part) for part in weights]).mean()))
                observe(weights, *rest)

            provider.observe = note
            with provider:
                LiveText(*loaded, prompt, max_new_tokens=30).run()
        return sum(entropies) / len(entropies), sum(leads) / len(leads)

    (usual_entropy, usual_lead), (odd_entropy, odd_lead) = means(PROMPTS), means(NOISE)
    assert odd_entropy > 1.2 * usual_entropy and odd_lead < 0.8 * usual_lead


def test_evenness_and_lead():
    weights = torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.25, 0.25, 0.5]])
    assert evenness(weights).tolist() == pytest.approx([1.0, 0.0, 1.5 / 1.5849625])
    assert lead(weights).tolist() == pytest.approx([0.0, 1.0, 0.25])
    assert lead(torch.ones(2, 1)).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("name", ["validity", "defeasible", "gated", "slot"])
def test_motion_of_a_workspace(name):
    model = tiny_model(name)
    before = model.update_workspace(words(1, 5))
    after = model.update_workspace(words(1, 4, seed=1), workspace=before)
    assert workspace_motion(before, before) == pytest.approx(0, abs=1e-6)
    assert 0 < workspace_motion(before, after) <= 1
    if name == "validity":
        assert workspace_motion(model.model.update_rule.initial(1), before) == 1


def test_a_clock_stays_in_a_basin_and_founds_another():
    here, there = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
    clock = ClockHead(0.5, most_basins=4, reach=0.7)
    confidences = []
    for _ in range(6):
        clock.step(here)
        confidences.append(clock.confidence)
    assert clock.current_basin == 0 and clock.proximity == 1 and confidences == sorted(confidences)
    assert clock.trans_prob > 0.5 and confidences[-1] > 0.9
    clock.step(there)
    clock.step(there)
    assert clock.current_basin == 1 and clock.confidence < 0.1 and clock.trans_prob < 0.2
    for _ in range(6):
        clock.step(here)
    assert clock.current_basin == 0 and len(clock.centres) == 2


def test_a_clock_has_no_more_basins_than_room():
    clock = ClockHead(0.0, most_basins=3, reach=0.99)
    for direction in torch.eye(8):
        clock.step(direction)
    assert len(clock.centres) == 3 and clock.proximity < 0


def test_a_slow_clock_remembers_what_a_fast_one_forgot():
    fast, slow = ClockHead(0.5, 4, 0.7), ClockHead(0.99, 4, 0.7)
    for direction in [torch.tensor([1.0, 0.0])] * 30 + [torch.tensor([0.0, 1.0])] * 10:
        fast.step(direction)
        slow.step(direction)
    assert (fast.current_basin, slow.current_basin) == (1, 0)


def test_coherence_falls_with_a_new_share_of_work_and_recovers():
    coherence = Coherence()
    generator = torch.Generator().manual_seed(0)
    usual = torch.full((8,), 1 / 8)
    for _ in range(40):
        coherence.step(usual + 0.01 * torch.rand(8, generator=generator))
    settled = coherence.R
    moved = torch.tensor([0.25, 0.0] * 4)
    coherence.step(moved)
    assert coherence.R < settled and coherence.delta_R < 0
    for _ in range(60):
        coherence.step(moved)
    assert coherence.R > 0.99 and 0 <= coherence.R <= 1


def test_coherence_of_steady_work_is_whole():
    coherence = Coherence()
    for _ in range(5):
        coherence.step(torch.tensor([0.7, 0.2, 0.1]))
    assert coherence.R == pytest.approx(1.0) and coherence.delta_R == pytest.approx(0.0)


def test_without_coupling_phases_do_not_come_together_again():
    free, held = Coherence(), Coherence()
    for coherence, hold in ((free, 0.0), (held, 1.0)):
        for load in ([0.5, 0.5], [0.6, 0.4], [0.6, 0.4], [0.6, 0.4]):
            coherence.step(torch.tensor(load), hold)
    assert free.R < held.R
