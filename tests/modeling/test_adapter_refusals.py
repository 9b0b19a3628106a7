"""What cannot listen says so at once, by name; a base that an adapter was not made for is refused; bad input too."""

import json

import adapters
import pytest
import torch
import transformers
from adapters import END, make_adapter, make_base, schedule, streams_of
from tiny_models import tiny_model
from transformers import AutoModelForCausalLM, DynamicCache

from hf_duplex import CannotListen, DuplexAdapterConfig, Interrupt, InterruptError, listen


IDS = {"vocab_size": 259, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
SIZES = {
    **IDS,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
HALF_LINEAR = {"layer_types": ["linear_attention", "full_attention"]}
MAMBA = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_n_groups": 1}
# Models with a state that mixes all tokens.
RECURRENT = {
    "Mamba": {**IDS, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8},
    "Rwkv": {**IDS, "hidden_size": 32, "num_hidden_layers": 2, "attention_hidden_size": 32},
    "RecurrentGemma": {**SIZES, "num_hidden_layers": 3, "lru_width": 32, "intermediate_size": 96},
    "Jamba": {
        **SIZES,
        "num_experts": 2,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "expert_layer_period": 2,
        "expert_layer_offset": 1,
    },
    "Bamba": {**SIZES, **MAMBA, "attn_layer_indices": [1]},
    "FalconH1": {**SIZES, **MAMBA, "head_dim": 8, "mamba_d_ssm": 32, "mamba_n_heads": 4},
    "Qwen3Next": {
        **SIZES,
        **HALF_LINEAR,
        "head_dim": 8,
        "linear_num_value_heads": 2,
        "linear_num_key_heads": 2,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "num_experts": 2,
        "num_experts_per_tok": 1,
        "moe_intermediate_size": 16,
        "shared_expert_intermediate_size": 16,
    },
    "MiniMax": {**SIZES, **HALF_LINEAR, "head_dim": 8, "num_local_experts": 2, "num_experts_per_tok": 1},
    "Lfm2": {**SIZES, "layer_types": ["conv", "full_attention"]},
}
# Models that have no workspace, and why; they listen without an adapter.
WITHOUT_WORKSPACE = {
    "GPT2": ({**IDS, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}, "learned positions"),
    "OPT": (
        {
            **IDS,
            "hidden_size": 32,
            "ffn_dim": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "word_embed_proj_dim": 32,
            "max_position_embeddings": 64,
        },
        "learned positions",
    ),
    "Bloom": ({**IDS, "hidden_size": 32, "n_layer": 2, "n_head": 4}, "AttentionInterface"),
    "Llama4Text": (
        {
            **SIZES,
            "head_dim": 8,
            "intermediate_size_mlp": 64,
            "num_local_experts": 2,
            "num_experts_per_tok": 1,
            "attention_chunk_size": 16,
        },
        "chunked_attention",
    ),
}
BART = {
    **IDS,
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
}
T5 = {**IDS, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 1, "num_heads": 4, "decoder_start_token_id": 0}
FRESH = DuplexAdapterConfig(lora_rank=2, doubt_size=4)


def config_of(name, fields):
    return getattr(transformers, f"{name}Config")(**fields)


@pytest.mark.parametrize("adapter", [None, FRESH], ids=["plain", "adapter"])
@pytest.mark.parametrize("name", RECURRENT)
def test_a_recurrent_or_hybrid_model_is_refused(name, adapter):
    base = AutoModelForCausalLM.from_config(config_of(name, RECURRENT[name]))
    with pytest.raises(CannotListen, match=rf"`model` \({name}\w*\) keeps a recurrent or hybrid state") as caught:
        listen(base, adapter)
    assert isinstance(caught.value, ValueError) and "all attention" in str(caught.value)


@pytest.mark.parametrize("adapter", [None, FRESH], ids=["plain", "adapter"])
@pytest.mark.parametrize("name, fields", [("Bart", BART), ("T5", T5)])
def test_an_encoder_decoder_is_refused(name, fields, adapter):
    base = getattr(transformers, f"{name}ForConditionalGeneration")(config_of(name, fields))
    with pytest.raises(CannotListen, match=rf"`model` is an encoder-decoder \({name}ForConditionalGeneration\)"):
        listen(base, adapter)


@pytest.mark.parametrize("name", WITHOUT_WORKSPACE)
def test_a_model_without_a_place_for_slots_says_why_and_listens_without_an_adapter(name):
    fields, why = WITHOUT_WORKSPACE[name]
    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_config(config_of(name, fields)).eval()
    for parameter in base.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.15)
    for mode in ("workspace", "spliced"):
        with pytest.raises(
            CannotListen, match=f"{name.removesuffix('Text')}.*{why}.*Without an adapter, `hf_duplex.listen"
        ):
            listen(base, DuplexAdapterConfig(mode=mode, lora_rank=2, doubt_size=4))
    options = {"do_sample": False, "eos_token_id": None, "max_new_tokens": 6}
    prompt, update = torch.randint(3, 250, (1, 24)), [20, 21]
    told = listen(base).generate(
        prompt_ids=prompt,
        input_ids=torch.tensor([[7]]),
        interrupt_callback=schedule([[(1, update)]]),
        **options,
    )
    line = torch.cat([prompt, torch.tensor([[7, *update]])], dim=1)
    assert told[0, 1:].tolist() == base.generate(line, **options)[0, line.shape[1] :].tolist()


@pytest.mark.parametrize(
    "thing, named", [("a name", "got str"), (None, "got NoneType"), (torch.nn.Linear(2, 2), "got Linear")]
)
def test_what_is_no_language_model_is_refused(thing, named):
    with pytest.raises(CannotListen, match=f"`model` must be a causal language model of transformers, {named}"):
        listen(thing)
    headless = transformers.AutoModel.from_config(adapters.family_configs()["llama"])
    with pytest.raises(CannotListen, match="got LlamaModel"):
        listen(headless)


@pytest.mark.parametrize("again", [None, FRESH], ids=["plain", "adapter"])
def test_what_has_an_open_input_already_is_refused(again):
    for model in (make_adapter()[1], listen(make_base()), tiny_model("validity")):
        named = rf"`model` \({type(model).__name__}\) has an open input already: use it as it is"
        with pytest.raises(CannotListen, match=named):
            listen(model, again)


@pytest.mark.parametrize(
    "fields, named",
    [
        ({"mode": "telepathy"}, "mode must be one of workspace, spliced, got 'telepathy'"),
        ({"scope": "never"}, "scope must be one of always, after_update"),
        ({"n_slots": 0}, "n_slots must be at least 1"),
        ({"max_message_length": 0}, "max_message_length must be at least 1"),
        ({"lora_rank": -1}, "lora_rank must be 0"),
    ],
)
def test_a_bad_configuration_is_refused(fields, named):
    with pytest.raises(Exception, match=named):
        DuplexAdapterConfig(**fields)


def test_bad_arguments_of_listen_are_refused():
    base = make_base()
    with pytest.raises(ValueError, match="`n_slots` goes with an adapter"):
        listen(base, n_slots=4)
    with pytest.raises(ValueError, match="`scope` goes with an adapter"):
        listen(base, scope="always")
    with pytest.raises(Exception, match="scope must be one of"):
        listen(base, FRESH, scope="sometimes")
    with pytest.raises(TypeError, match="`n_slot`"):
        listen(base, FRESH, n_slot=3)
    with pytest.raises(ValueError, match="(?i)target modules"):
        listen(base, DuplexAdapterConfig(lora_targets=["nothing"]))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapter")
    make_adapter()[1].save_pretrained(folder)
    return folder


OTHERS = {
    "another architecture": ("qwen3", {}, "model_type qwen3, but the adapter was made for llama"),
    "another vocabulary": ("llama", {"vocab_size": 300}, "vocab_size 300, but the adapter was made for 259"),
    "another width": ("llama", {"hidden_size": 64}, "hidden_size 64, but the adapter was made for 32"),
    "more layers": ("llama", {"num_hidden_layers": 3}, "num_hidden_layers 3, but the adapter was made for 2"),
    "more heads": ("llama", {"num_key_value_heads": 4}, "num_key_value_heads 4, but the adapter was made for 2"),
    "wider heads": ("llama", {"head_dim": 16}, "head_dim 16, but the adapter was made for 8"),
    "wider blocks": ("llama", {"intermediate_size": 96}, "intermediate_size 96, but the adapter was made for 64"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_base_is_refused_before_anything_changes(other, saved, caplog):
    family, fields, named = OTHERS[other]
    config = adapters.family_configs()[family]
    for name, value in fields.items():
        setattr(config, name, value)
    base = AutoModelForCausalLM.from_config(config)
    modules = [(name, type(module)) for name, module in base.named_modules()]
    with pytest.raises(ValueError, match=f"`base` has {named}: use the base that it names"):
        listen(base, saved)
    assert [(name, type(module)) for name, module in base.named_modules()] == modules
    assert not caplog.records


def test_other_weights_of_the_same_shape_are_taken_with_a_warning(saved, caplog):
    listen(make_base(), saved)
    listen(make_base().to(torch.bfloat16), saved)
    assert not caplog.records
    model = listen(make_base(seed=1), saved)
    assert ["not those that the adapter was trained on" in record.getMessage() for record in caplog.records] == [True]
    assert model.generate(prompt_ids=torch.tensor([[5, 6]]), max_new_tokens=2, eos_token_id=None).shape == (1, 3)


def test_weights_that_do_not_fit_are_refused(saved, tmp_path):
    (tmp_path / "model.safetensors").write_bytes((saved / "model.safetensors").read_bytes())
    config = json.loads((saved / "config.json").read_text())
    for fields, named in (
        ({"doubt_size": 4}, "has the shape"),
        ({"notice_updates": False}, "1 not known \\(notice\\)"),
    ):
        (tmp_path / "config.json").write_text(json.dumps({**config, **fields}))
        with pytest.raises(ValueError, match=named):
            listen(make_base(), tmp_path)


# Bad input

PROMPT = torch.tensor([[5, 6, 7, 8]])
KINDS = ("plain", "workspace", "spliced")
SMALL = {"max_message_length": 6, "n_slots": 12}


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    if request.param == "plain":
        listener = listen(make_base())
        listener.config.max_message_length = SMALL["max_message_length"]
        return listener
    return make_adapter(mode=request.param, **SMALL)[1]


def generate(model, n=4, **kwargs):
    options = {"max_new_tokens": n, "do_sample": False, "eos_token_id": END, "suppress_tokens": [END, 0], **kwargs}
    if "past_key_values" not in options:
        options.setdefault("input_ids", torch.tensor([[4]]))
    return model.generate(**{"return_dict_in_generate": True, **options})


def random_ids(length):
    return torch.randint(3, 250, (1, length))


def test_a_prompt_that_leaves_no_position_is_refused(model):
    named = r"`prompt_ids` holds a prompt of \d+ tokens, which leaves none of the 256 positions .*max_position_embe"
    if model.keeps_workspace:
        named = r"`prompt_ids` holds a prompt of \d+ tokens, more than n_slots \(12\): shorten it"
    for length in (256, 300):
        with pytest.raises(ValueError, match=named):
            generate(model, prompt_ids=random_ids(length))
        with pytest.raises(ValueError, match=named.replace("prompt_ids", "input_ids")):
            generate(model, input_ids=random_ids(length + 1))
    # What is filled up does not count.
    padded = {"prompt_ids": random_ids(300), "prompt_mask": torch.tensor([[0] * 295 + [1] * 5])}
    assert generate(model, **padded).sequences.shape == (1, 5)


def test_a_prompt_fills_all_slots_and_all_positions_but_one():
    model = make_adapter(n_slots=255)[1]
    generate(model, prompt_ids=random_ids(255), n=1)
    with pytest.raises(ValueError, match="256 tokens, more than n_slots"):
        generate(model, prompt_ids=random_ids(256))
    model.config.n_slots = 300
    with pytest.raises(ValueError, match="max_position_embeddings"):
        generate(model, prompt_ids=random_ids(256))
    model.config.n_slots = 12
    for call in (model.update_workspace, lambda ids: model(input_ids=PROMPT, prompt_ids=ids)):
        with pytest.raises(ValueError, match=r"n_slots \(12\)"):
            call(random_ids(13))


def interrupt(ids, mask=None):
    return lambda input_ids: Interrupt(ids, mask)


BAD_INTERRUPTS = {
    "too long": (interrupt(random_ids(7)), r"`update_ids` .* 7 tokens, more than max_message_length \(6\)"),
    "empty": (interrupt(torch.zeros(1, 0, dtype=torch.long)), "`update_ids` holds an empty update"),
    "all masked out": (interrupt(random_ids(2), torch.zeros(1, 2)), "`update_ids` holds an empty update"),
    "outside the vocabulary": (interrupt(torch.tensor([[259]])), "`update_ids` holds ids from 259 .* own tokenizer"),
    "negative": (interrupt(torch.tensor([[-1]])), "`update_ids` holds ids from -1"),
    "for more rows": (interrupt(random_ids(4).view(2, 2)), "`update_ids` has 2 rows, but 1 rows are being generated"),
    "no interrupt": (lambda ids: [5], "must return None or an `Interrupt`"),
}


@pytest.mark.parametrize("when", [1, 4])
@pytest.mark.parametrize("bad", BAD_INTERRUPTS)
def test_a_bad_interrupt_changes_nothing_and_the_text_goes_on(model, bad, when):
    callback, named = BAD_INTERRUPTS[bad]
    free = generate(model, prompt_ids=PROMPT, n=8)
    with pytest.raises(InterruptError, match=f"`interrupt_callback` failed: .*{named}") as caught:
        generate(
            model,
            prompt_ids=PROMPT,
            interrupt_callback=lambda ids: callback(ids) if ids.shape[1] == when else None,
            n=8,
        )
    error = caught.value
    assert error.input_ids.tolist() == free.sequences[:, :when].tolist()
    output = generate(model, input_ids=error.input_ids, past_key_values=error.past_key_values, n=9 - when)
    assert output.sequences.tolist() == free.sequences.tolist()
    assert output.versions.tolist() == free.versions.tolist()


BAD_CALLS = {
    "prompt ids outside the vocabulary": ({"prompt_ids": PROMPT + 255}, "`prompt_ids` holds ids"),
    "input ids outside the vocabulary": ({"input_ids": torch.tensor([[259]])}, "`input_ids` holds ids from 259"),
    "no cache": ({"use_cache": False}, "`use_cache=False` cannot be used"),
    "beams": ({"num_beams": 2}, "`num_beams` must be 1"),
    "a foreign cache": ({"past_key_values": DynamicCache()}, "`past_key_values` must be the `DuplexCache`"),
    "a static cache": ({"cache_implementation": "static"}, "`cache_implementation` must be None"),
    "updates": ({"update_ids": PROMPT[None]}, "`update_ids` is for training"),
    "a prompt mask alone": ({"prompt_mask": PROMPT}, "`prompt_mask` was given without `prompt_ids`"),
    "a misspelt name": ({"interupt_callback": print}, "interupt_callback"),
}


@pytest.mark.parametrize("bad", BAD_CALLS)
def test_a_bad_call_is_refused(model, bad):
    arguments, named = BAD_CALLS[bad]
    with pytest.raises(ValueError, match=named):
        generate(model, **arguments)


def test_a_bad_forward_names_its_argument():
    workspace, plain = make_adapter(**SMALL)[1], listen(make_base())
    for model in (workspace, make_adapter(mode="spliced", **SMALL)[1], plain):
        for arguments, named in (
            ({"update_ids": PROMPT[None]}, "`update_ids` needs `update_positions`"),
            ({"update_positions": PROMPT}, "`update_positions` was given without `update_ids`"),
            ({"update_mask": PROMPT[None]}, "`update_mask` was given without `update_ids`"),
            ({"prompt_mask": PROMPT}, "`prompt_mask` was given without `prompt_ids`"),
            ({"update_ids": PROMPT, "update_positions": PROMPT[:, :1]}, "must have the shape"),
        ):
            with pytest.raises(ValueError, match=named):
                model(input_ids=PROMPT, **arguments)
        with pytest.raises(ValueError, match="`input_ids` is missing"):
            model(prompt_ids=PROMPT)
    long = streams_of([[(1, [5] * 7)]], [[5]], PROMPT)
    with pytest.raises(ValueError, match=r"`update_ids` holds an update of 7 tokens, more than max_mess"):
        workspace(**long)
    with pytest.raises(ValueError, match="this model keeps no workspace"):
        plain.update_workspace(PROMPT)


def test_a_bad_message_for_a_workspace_is_refused_and_the_workspace_stays_as_it_was():
    _, model = make_adapter(**SMALL)
    workspace = model.update_workspace(PROMPT)
    for arguments, named in (
        ((random_ids(7), None, workspace), r"`message_ids` holds an update of 7 tokens, more than max_message_length"),
        ((torch.tensor([[259]]), None, workspace), "`message_ids` holds ids from 259"),
        ((PROMPT, torch.tensor([[1, 0, 1, 1]]), workspace), "`message_mask` must have its ones at the front"),
        ((PROMPT, PROMPT, workspace), "`message_mask` must hold zeros and ones"),
        ((PROMPT.repeat(2, 1), None, workspace), "`workspace` has 1 rows, but `message_ids` has 2"),
        ((PROMPT.float(),), "`message_ids` must be a tensor of integers"),
        ((PROMPT[0],), "`message_ids` must have the shape"),
    ):
        with pytest.raises(ValueError, match=named):
            model.update_workspace(*arguments)
    assert workspace.version.tolist() == [1] and workspace.token_ids.tolist() == PROMPT.tolist()
