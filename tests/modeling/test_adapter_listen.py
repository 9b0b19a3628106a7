"""`listen`: the base's own logits until something comes in, and a base that stays as it is."""

import adapters
import pytest
import torch
from adapters import FAMILIES, make_adapter, make_base, schedule, shake
from torch.nn import functional

from hf_duplex import DuplexAdapterConfig, listen


# In float32 these are equal bit by bit; a window is a mask, which attention adds up in another order.
TOLERANCE = {family: 1e-5 if family in ("mistral", "qwen3", "gemma2", "gemma3") else 0.0 for family in FAMILIES}
PROMPT = torch.randint(3, 250, (1, 24), generator=torch.Generator().manual_seed(0))
EMITTED = torch.randint(3, 250, (1, 9), generator=torch.Generator().manual_seed(1))
LINE = torch.cat([PROMPT, EMITTED], dim=1)
SIZES = {"lora_rank": 4, "doubt_size": 8}
KINDS = ("plain", "workspace", "spliced")


def listening(base, kind, **config):
    """A listener without an adapter, or with a fresh one."""
    return listen(base, None if kind == "plain" else DuplexAdapterConfig(mode=kind, **SIZES, **config))


def generated(model, *ids, n=8, **kwargs):
    output = model.generate(
        *ids,
        max_new_tokens=n,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
        output_logits=True,
        return_dict_in_generate=True,
        **kwargs,
    )
    return torch.stack(output.logits, dim=1)


def base_logits(base, n=8):
    """Logits of the prompt and the emitted tokens, and those of what the base then generates."""
    with torch.no_grad():
        return base(LINE).logits, generated(base, LINE, n=n)


def own_logits(model, n=8):
    with torch.no_grad():
        return model(LINE).logits, generated(model, n=n, prompt_ids=PROMPT, input_ids=EMITTED)


def assert_equal(found, wanted, tolerance):
    for mine, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, theirs, atol=tolerance, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_without_an_update_logits_are_those_of_the_base(family, kind):
    base = make_base(family)
    model, wanted = listening(base, kind), base_logits(base)
    assert_equal(own_logits(model), wanted, TOLERANCE[family])
    # Laid out beside the prompt, tokens are added up in another order.
    with torch.no_grad():
        beside = model(input_ids=EMITTED, prompt_ids=PROMPT).logits
    torch.testing.assert_close(beside, wanted[0][:, PROMPT.shape[1] :], atol=1e-5, rtol=0)


@pytest.mark.parametrize("mode", ["workspace", "spliced"])
@pytest.mark.parametrize("family", FAMILIES)
def test_after_update_a_trained_adapter_is_its_base_until_the_first_update(family, mode):
    base = make_base(family)
    model = shake(listening(base, mode, scope="after_update"))
    assert_equal(own_logits(model), base_logits(base), TOLERANCE[family])
    # From the update on it is not.
    update, most = [20, 21, 22], TOLERANCE[family]
    told = generated(model, prompt_ids=PROMPT, input_ids=EMITTED, interrupt_callback=schedule([[(12, update)]]))
    wanted = base_logits(base)[1]
    torch.testing.assert_close(told[:, :3], wanted[:, :3], atol=most, rtol=0)
    assert not torch.allclose(told[:, 3:], wanted[:, 3:], atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_in_half_precision_logits_are_those_of_the_base(kind, dtype):
    base = make_base().to(dtype)
    model = listening(base, kind)
    found, wanted = own_logits(model), base_logits(base)
    assert found[0].dtype == dtype
    assert_equal(found, wanted, 0.0)
    if kind != "plain":
        shake(model)
    rows = [[(11, [20, 21]), (13, [22])]]
    told = generated(model, prompt_ids=PROMPT, input_ids=EMITTED, interrupt_callback=schedule(rows))
    assert bool(told.isfinite().all()) and not torch.equal(told, wanted[1])


def tensors(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def shape_of(model):
    """What must not change: modules, parameters and settings."""
    return (
        [(name, type(module)) for name, module in model.named_modules()],
        [(name, id(parameter), parameter.requires_grad) for name, parameter in model.named_parameters()],
        [
            getattr(module.config, "_attn_implementation", None)
            for module in model.modules()
            if hasattr(module, "config")
        ],
        [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()],
        model.training,
        model.generation_config.to_dict(),
        model.config.to_dict(),
    )


@pytest.mark.parametrize("scope", ["always", "after_update"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", ["llama", "gemma3_nested"])
def test_the_base_stays_as_it_is(family, kind, scope):
    base = make_base(family).train()
    shape, values = shape_of(base), tensors(base)
    base.eval()
    before = base_logits(base)
    base.train()
    model = listening(base, kind, **({} if kind == "plain" else {"scope": scope}))
    if kind != "plain":
        shake(model)
    generated(model, prompt_ids=PROMPT, interrupt_callback=schedule([[(3, [20, 21])]]), input_ids=EMITTED[:, :2])
    if kind != "plain":
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)
        model.train()
        for _ in range(2):
            streams = adapters.streams_of([[(3, [20, 21])]], [PROMPT[0].tolist()], EMITTED)
            model(**streams, labels=EMITTED).loss.backward()
            optimizer.step()
    assert shape_of(base) == shape
    for name, value in tensors(base).items():
        assert torch.equal(value, values[name]), name
    assert all(parameter.grad is None for parameter in base.parameters())
    base.eval()
    assert_equal(base_logits(base), before, 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_shared(kind):
    base = make_base()
    model = listening(base, kind)
    additions = sum(value.numel() for value in model.additions().values())
    assert sum(parameter.numel() for parameter in model.parameters()) == base.num_parameters() + additions
    before = own_logits(model)
    with torch.no_grad():
        base.model.layers[0].mlp.up_proj.weight.mul_(1.5)
    assert not torch.allclose(own_logits(model)[0], before[0])
    assert_equal(own_logits(model), base_logits(base), 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_tied_embeddings_stay_tied(kind):
    config = adapters.family_configs()["llama"]
    config.tie_word_embeddings = True
    base = adapters.AutoModelForCausalLM.from_config(config).eval()
    model = listening(base, kind)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert model.get_input_embeddings().weight.data_ptr() == base.lm_head.weight.data_ptr()
    assert_equal(own_logits(model), base_logits(base), 0.0)


@pytest.mark.parametrize("mode", ["workspace", "spliced"])
def test_only_the_additions_are_trained(mode):
    _, model = make_adapter(mode=mode)
    trained = {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    assert trained == {id(value) for value in model.additions().values()}
    kinds = {name.partition(".")[0] for name in model.additions()}
    assert kinds == ({"base", "doubt", "notice"} if mode == "workspace" else {"base"})


def test_a_plain_listener_hears_what_is_spliced_into_its_stream():
    base = make_base()
    update = [20, 21, 22]
    told = generated(
        listen(base), n=3, prompt_ids=PROMPT, input_ids=EMITTED, interrupt_callback=schedule([[(9, update)]])
    )
    line = torch.cat([LINE, torch.tensor([update])], dim=1)
    torch.testing.assert_close(told, generated(base, line, n=3), atol=1e-5, rtol=0)


def test_two_listeners_on_one_base_do_not_know_each_other():
    base = make_base()
    first = shake(listening(base, "workspace"))
    before = own_logits(first)
    second = shake(listening(base, "spliced", scope="after_update"), seed=5)
    with torch.no_grad():
        second(**adapters.streams_of([[(3, [20])]], [PROMPT[0].tolist()], EMITTED))
    assert_equal(own_logits(first), before, 0.0)


def test_a_configuration_that_is_handed_over_stays_as_it_is():
    config = DuplexAdapterConfig(**SIZES)
    before = config.to_dict()
    model = listen(make_base(), config, n_slots=7, scope="after_update")
    assert config.to_dict() == before
    assert (model.config.n_slots, model.config.scope) == (7, "after_update")
    assert model.config.base_config["model_type"] == "llama" and model.config.base_fingerprint


def test_the_loss_is_that_of_the_logits():
    _, model = make_adapter()
    streams = adapters.streams_of([[(3, [20, 21])]], [PROMPT[0].tolist()], EMITTED)
    labels = EMITTED.clone()
    labels[:, :2] = -100
    with torch.no_grad():
        output = model(**streams, labels=labels)
    wanted = functional.cross_entropy(output.logits[0, :-1], labels[0, 1:])
    torch.testing.assert_close(output.loss, wanted, atol=1e-5, rtol=0)
