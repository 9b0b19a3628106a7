"""Two tracks on a frozen backbone: what the content track must never notice, and what the thought track must do."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from hf_duplex.dual_track.modeling import DualTrackCache, DualTrackConfig, DualTrackForCausalLM, ThoughtError
from hf_duplex.dual_track.modeling.activation_head import ActivationHeadAttention, ActivationHeadMLP, focal_loss
from hf_duplex.dual_track.modeling.codebook import ProductCodebook
from hf_duplex.dual_track.modeling.configuration_dual_track import THOUGHT_TYPES
from hf_duplex.dual_track.modeling.content_cache import PagedContentCache
from hf_duplex.dual_track.modeling.memory_prediction import gumbel_top_k
from hf_duplex.dual_track.modeling.thought_buffer import ThoughtBuffer
from hf_duplex.dual_track.modeling.thought_grammar import is_grammatical
from hf_duplex.dual_track.modeling.tracks import Content


STOP = 5


@pytest.fixture(scope="module")
def base():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=100, hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


SHAPE = {"page_size": 4, "window": 16, "sinks": 2, "max_range": 8, "max_summary": 5, "boundary_every": 1000}


def make(base, **settings):
    torch.manual_seed(1)
    model = DualTrackForCausalLM.from_base(base, boundary_ids=[STOP], **{**SHAPE, "threshold": 0.0, **settings}).eval()
    model.forbid([0, 1, 2])
    for layer in model.thought_layers:  # As after training: what LoRA adds is not zero.
        for part in layer.lora.values():
            torch.nn.init.normal_(part.up.weight, std=0.2)
    return model


@pytest.fixture(scope="module")
def model(base):
    return make(base)


@pytest.fixture
def ids():
    found = torch.randint(7, 100, (2, 40), generator=torch.Generator().manual_seed(3))
    found[:, 10], found[:, 25], found[0, 33] = STOP, STOP, STOP
    return found


def say(model, ids, **kwargs):
    cache = kwargs.pop("cache", None) or DualTrackCache(model.config)
    settings = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": None, **kwargs}
    return model.generate(ids, attention_mask=torch.ones_like(ids), past_key_values=cache, **settings), cache


def test_with_the_thought_track_silent_the_logits_are_those_of_the_base_to_the_last_bit(base, model, ids):
    with torch.no_grad():
        assert torch.equal(model(ids).logits, base(ids).logits)
    told, _ = say(model, ids, reflect=False)
    assert torch.equal(told, base.generate(ids, max_new_tokens=8, do_sample=False, eos_token_id=None))


def test_what_it_thinks_changes_what_it_says(base, model, ids):
    reflected, cache = say(model, ids)
    silent, _ = say(model, ids, reflect=False)
    assert cache.reflections == 5
    assert not torch.equal(reflected, silent)


def test_a_row_is_the_same_alone_and_in_a_batch(model, ids):
    together, cache = say(model, ids)
    for row in range(2):
        alone, own = say(model, ids[row : row + 1])
        assert torch.equal(alone[0], together[row])
        assert [n.ids for n in own.buffers[0].nodes] == [n.ids for n in cache.buffers[row].nodes]
        assert [n.links for n in own.buffers[0].nodes] == [n.links for n in cache.buffers[row].nodes]


def test_padding_on_the_left_changes_nothing(model, ids):
    alone, own = say(model, ids[:1])
    padded = torch.cat([torch.zeros(1, 6, dtype=torch.long), ids[:1]], dim=1)
    mask = torch.cat([torch.zeros(1, 6, dtype=torch.long), torch.ones_like(ids[:1])], dim=1)
    cache = DualTrackCache(model.config)
    told = model.generate(
        padded, attention_mask=mask, past_key_values=cache, max_new_tokens=8, do_sample=False, eos_token_id=None
    )
    assert torch.equal(told[0, 6:], alone[0])
    assert [n.ids for n in own.buffers[0].nodes] == [n.ids for n in cache.buffers[0].nodes]


def test_thoughts_never_advance_the_positions_of_the_content(base, ids):
    model, seen = make(base, recall_near=False), []
    handle = model.backbone.model.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["position_ids"]), with_kwargs=True
    )
    try:
        told, cache = say(model, ids[:1])
    finally:
        handle.remove()
    assert cache.buffers[0].position > 0
    assert int(seen[-1]) == told.shape[1] - 2, "the last position counts content alone"


def test_what_was_opened_is_read_just_before_the_sentence_that_called_for_it(model):
    cache = DualTrackCache(model.config)
    cache.start(1, torch.device("cpu"))
    cache.real = torch.ones(1, 40, dtype=torch.bool)
    cache.opened, cache.sentence, cache.thoughtful = [[(6, 9)]], [35], [True]
    seen = torch.zeros(1, 40, dtype=torch.bool)
    for part in (slice(0, 2), slice(6, 9), slice(30, 40)):
        seen[0, part] = True
    found = cache._in_order(torch.arange(40), seen)[0]
    assert found[:2].tolist() == [0, 1], "the sinks"
    assert found[30:35].tolist() == [2, 3, 4, 5, 6], "the window"
    assert found[6:9].tolist() == [7, 8, 9], "what was recalled"
    assert found[35:].tolist() == [10, 11, 12, 13, 14], "the sentence"


def test_keys_are_rotated_to_where_they_are_read(base, ids):
    """Read at the positions at which it was said, content is what it was."""
    model = make(base)
    with torch.no_grad():
        cache = DualTrackCache(model.config)
        cache.start(2, ids.device)
        model._read(ids, torch.ones_like(ids, dtype=torch.bool), cache)
        layer, positions = cache.layers[1], torch.arange(40).expand(2, -1)
        cosine, sine = model.backbone.model.rotary_emb(model.control_embeddings.weight, position_ids=positions)
        cache.rotate((cosine.unsqueeze(1), sine.unsqueeze(1)))
        nothing = layer.keys[:, :, :0]
        keys, _ = layer.update(nothing, nothing)
    assert torch.allclose(keys, layer.keys, atol=1e-5)


def test_every_thought_is_grammatical_and_the_first_can_only_be_new(model, ids):
    _, cache = say(model, ids)
    nodes = [node for buffer in cache.buffers for node in buffer.nodes]
    assert nodes and all(is_grammatical(node.ids, model.config, {0, 1, 2}) for node in nodes)
    assert [buffer.nodes[0].type for buffer in cache.buffers] == ["NEW", "NEW"]
    config = model.config
    good = [config.start_id, config.type_ids[0], config.separator_id, 20, config.end_id]
    assert is_grammatical(good, config, {0})
    for bad in ([*good[:-1]], [good[0], good[0], *good[2:]], [*good[:3], 0, good[4]], [*good[:3], good[4]]):
        assert not is_grammatical(bad, config, {0})


def test_spans_are_all_that_was_said_since_the_thought_before(model, ids):
    _, cache = say(model, ids, max_new_tokens=1)
    assert [node.content for node in cache.buffers[0].nodes] == [(0, 11), (11, 26), (26, 34)]


def test_the_streamer_gets_both_the_tokens_and_the_thought(model, ids):
    heard = []
    say(model, ids[:1], thought_streamer=lambda row, ids, node: heard.append((len(ids), node and node.name)))
    names = [name for _, name in heard if name]
    assert names[:3] == ["#D1", "#D2", "#D3"]
    assert any(name is None for _, name in heard)


# -- pages
# ---------------------------------------------------------------------------------------------------------------


def test_pages_that_left_come_back_to_the_letter(base, model, ids):
    with torch.no_grad():
        _, _, cache = model.utter(ids)
        keys = [layer.keys.clone() for layer in cache.layers]
        cache.keep({0, 8})
        assert cache.resident_pages < cache.total_pages and len(cache.layers[0].away)
        cache.keep(set(range(cache.total_pages)))
    assert not cache.layers[0].away
    assert all(torch.equal(layer.keys, old) for layer, old in zip(cache.layers, keys, strict=True))
    assert torch.equal(cache.columns, torch.arange(40))


def test_what_is_out_of_sight_is_not_resident_and_its_absence_changes_nothing(base, ids, monkeypatch):
    model = make(base)
    told, cache = say(model, ids[:1], max_new_tokens=12)
    assert cache.resident_pages < cache.total_pages
    monkeypatch.setattr(PagedContentCache, "keep", lambda self, wanted: None)
    all_resident, cache = say(model, ids[:1], max_new_tokens=12)
    assert cache.resident_pages == cache.total_pages
    assert torch.equal(told, all_resident)


def test_content_is_append_only():
    cache = PagedContentCache(1, 4)
    with pytest.raises(ValueError, match="append-only"):
        cache.layers[0].crop(3)


# -- training
# ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def batch(model, ids):
    config = model.config
    one = [config.start_id, config.type_ids[0], config.separator_id, 20, 21, config.end_id]
    two = [config.start_id, config.type_ids[2], config.separator_id, 22, 23, config.end_id]
    labels = torch.full((2, 40), -100)
    labels[:, 10], labels[:, 25], labels[:, 30] = 1, 1, 0
    return {
        "input_ids": ids, "attention_mask": torch.ones_like(ids), "thought_ids": torch.tensor([one + two] * 2),
        "thought_nodes": torch.tensor([[0] * 6 + [1] * 6] * 2), "node_spans": torch.tensor([[[0, 11], [11, 26]]] * 2),
        "node_links": torch.tensor([[-1, 0]] * 2), "node_until": torch.tensor([[1, 9]] * 2),
        "node_operations": torch.tensor([[0, 2]] * 2), "activation_labels": labels,
    }  # fmt: skip


def gradients(model, loss):
    model.zero_grad()
    loss.backward(retain_graph=True)
    return {
        name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0
    }


@pytest.mark.parametrize("settings", [{}, {"head_tier": 2, "head_window": 8}, {"layer_mix": 2}])
def test_the_two_losses_of_step_one_share_no_gradient_and_none_reaches_the_base(base, batch, settings):
    model = make(base, **settings)
    output = model(**batch)
    own = {"activation_head", "layer_mix"} if "layer_mix" in settings else {"activation_head"}
    assert gradients(model, output.activation_loss) == own
    assert gradients(model, output.thought_loss) == {"thought_layers", "control_embeddings", "seed"}
    assert torch.allclose(output.loss, output.thought_loss + output.activation_loss)


def test_each_step_trains_its_own_parts(base, batch):
    model = make(base)
    model.freeze_for("connect")
    assert gradients(model, model(**batch).loss) == {"memory"}
    latent = make(base, latent_tokens=2)
    latent.freeze_for("latent")
    config = latent.config
    tokens = [[config.start_id, config.type_ids[kind], *config.latent_ids, config.end_id] for kind in (0, 2)]
    inputs = batch | {
        "thought_ids": torch.tensor([tokens[0] + tokens[1]] * 2),
        "thought_nodes": torch.tensor([[0] * 5 + [1] * 5] * 2),
        "teacher_thought_ids": batch["thought_ids"].clone().where(batch["thought_ids"] < 100, batch["thought_ids"]),
        "teacher_thought_nodes": batch["thought_nodes"],
    }  # fmt: skip
    assert gradients(latent, latent(**inputs).loss) == {"memory", "control_embeddings"}
    first = config.control_tokens - config.latent_tokens
    assert latent.control_embeddings.weight.grad[:first].abs().sum() == 0
    with pytest.raises(ValueError, match="no codebook"):
        model.freeze_for("codebook")
    with pytest.raises(ValueError, match="must be one of"):
        model.freeze_for("sleep")


def test_training_sees_what_the_runtime_sees(base, ids):
    """The vector of a thought is the same in one forward of all and step by step, for as long as content is whole."""
    model = make(base, window=64)
    _, cache = say(model, ids[:1], max_new_tokens=1)
    nodes = cache.buffers[0].nodes
    batch = {
        "input_ids": ids[:1],
        "thought_ids": torch.tensor([[token for node in nodes for token in node.ids]]),
        "thought_nodes": torch.tensor([[number for number, node in enumerate(nodes) for _ in node.ids]]),
        "node_spans": torch.tensor([[node.content for node in nodes]]),
        "node_links": torch.tensor([[-1] * len(nodes)]),
        "node_until": torch.tensor([[99] * len(nodes)]),
    }
    with torch.no_grad():
        vectors = model(**batch).thought_vectors[0]
    for node, vector in zip(nodes, vectors, strict=True):
        assert torch.allclose(node.vector, vector, atol=1e-4)


def test_thoughts_read_the_content_without_positions(model, ids):
    """Content that is moved, its keys as they were, is read the same."""
    with torch.no_grad():
        _, _, cache = model.utter(ids[:1])
        order = torch.randperm(40)
        token = torch.tensor([[model.config.start_id]])
        mask, there = torch.ones(1, 1, 1, dtype=torch.bool), torch.ones(1, 1, 40, dtype=torch.bool)
        found = []
        for columns in (torch.arange(40), order):
            content = Content(
                [layer.raw[:, :, columns] for layer in cache.layers],
                [layer.values[:, :, columns] for layer in cache.layers],
                there, there,
            )  # fmt: skip
            found.append(model.think(token, torch.tensor([[0]]), content, mask)[0])
    assert torch.allclose(*found, atol=1e-5)
    with torch.no_grad():
        later = model.think(token, torch.tensor([[9]]), content, mask)[0]
    assert torch.allclose(later, found[1], atol=1e-5), "where a thought stands among thoughts changes nothing either"


def test_an_adapter_comes_back_as_it_was_without_the_base(base, model, batch, tmp_path):
    model.save_pretrained(tmp_path)
    from safetensors.torch import load_file

    assert not any(name.startswith("backbone") for name in load_file(tmp_path / "model.safetensors"))
    again = DualTrackForCausalLM.from_pretrained(tmp_path, base=base).eval()
    with torch.no_grad():
        assert torch.allclose(again(**batch).loss, model(**batch).loss)
    other = LlamaForCausalLM(LlamaConfig.from_dict(base.config.to_dict() | {"hidden_size": 32, "head_dim": 8}))
    with pytest.raises(ValueError, match="weights that this adapter is for"):
        DualTrackForCausalLM.from_pretrained(tmp_path, base=other)
    with pytest.raises(ValueError, match="name its folder"):
        DualTrackForCausalLM.from_pretrained(tmp_path)


# -- bad input
# -----------------------------------------------------------------------------------------------------------


def test_a_base_of_another_family_is_refused():
    with pytest.raises(ValueError, match="'gpt2' cannot carry a thought track"):
        DualTrackForCausalLM.from_base(GPT2LMHeadModel(GPT2Config(n_embd=8, n_head=1, n_layer=1, vocab_size=10)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"window": 0}, "`window` must be"), ({"head_tier": 3}, "`head_tier`"), ({"threshold": 2.0}, "probability")],
)
def test_settings_that_are_not_possible_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        DualTrackConfig(**settings)


def test_it_can_leave_what_it_says_itself_alone(base, ids):
    model = make(base, boundary_every=1)  # Each token is a boundary.
    for reflect, thoughts in ((True, 47), ("prompt", 40), (False, 0)):
        _, cache = say(model, ids[:1], reflect=reflect)
        assert len(cache.buffers[0].nodes) == thoughts, reflect
    with pytest.raises(ValueError, match="`reflect` must be"):
        say(model, ids[:1], reflect="always")


def test_what_is_said_without_thoughts_still_ends_sentences(model, ids):
    row = ids[:1].clone()
    row[0, 33], row[0, 38] = STOP, STOP
    cache = DualTrackCache(model.config)
    for begin, end, reflect in ((0, 30, True), (30, 36, False), (36, 40, True)):
        cache.reflect = reflect
        model.step(row[:, begin:end], cache)
    assert [node.content for node in cache.buffers[0].nodes] == [(0, 11), (11, 26), (26, 39)]
    assert cache.buffers[0].nodes[-1].focus == 34, "after the sentence that was not thought about"


def test_a_thought_sees_the_last_few_thoughts_if_it_is_told_to(base, ids):
    row = ids[:1].clone()
    row[0, 33] = STOP
    seen = {}
    for window in (0, 1):
        model = make(base, thought_window=window)
        for changed in (False, True):
            cache = DualTrackCache(model.config)
            model.step(row[:, :26], cache)
            if changed:  # What the first thought said, but not what the second did.
                cache.buffers[0].nodes[0].states.mul_(-1)
            model.step(row[:, 26:], cache)
            assert len(cache.buffers[0].nodes) == 3
            seen[window, changed] = cache.buffers[0].nodes[2].vector
    assert not torch.allclose(seen[0, False], seen[0, True], atol=1e-4)
    torch.testing.assert_close(seen[1, False], seen[1, True])


def test_a_thought_says_how_likely_it_and_its_type_were(model, ids):
    _, cache = say(model, ids)
    for node in (node for buffer in cache.buffers for node in buffer.nodes):
        assert 0 < node.activation < 1 and sum(node.type_probabilities) == pytest.approx(1)
        assert THOUGHT_TYPES[max(range(4), key=lambda kind: node.type_probabilities[kind])] == node.type


def test_a_buffer_that_is_full_says_so_and_keeps_what_it_has(base, ids):
    model = make(base, max_nodes=2)
    cache = DualTrackCache(model.config)
    with pytest.raises(ThoughtError, match="holds 2 thoughts"):
        say(model, ids[:1], cache=cache)
    assert [node.name for node in cache.buffers[0].nodes] == ["#D1", "#D2"]


def test_the_buffer_pushes_pops_and_updates():
    buffer = ThoughtBuffer(3)
    with pytest.raises(ThoughtError, match="POP: there is no thought"):
        buffer.pop()
    one, two = (buffer.push("NEW", [1], (0, 1), torch.zeros(1), torch.zeros(1, 2, 1, 1, 1)) for _ in range(2))
    with pytest.raises(ThoughtError, match="no thought '#D9'"):
        buffer.update("#D9", two)
    with pytest.raises(ThoughtError, match="own place"):
        buffer.update("#D2", two)
    buffer.update("#D1", two)
    assert buffer.nodes == [two] and two.links == ["#D1"] and buffer.tokens == 1
    assert buffer.pop() is two and not buffer.nodes


def test_a_cache_of_another_kind_is_refused(model, ids):
    from transformers import DynamicCache

    with pytest.raises(ValueError, match="needs a `DualTrackCache`"):
        model.generate(ids, past_key_values=DynamicCache(), max_new_tokens=1)
    with pytest.raises(ValueError, match="use_cache=False"):
        model.generate(ids, use_cache=False, max_new_tokens=1)


# -- the user's hand
# -----------------------------------------------------------------------------------------------------


def test_a_thought_that_is_deleted_is_out_of_sight_at_once(model, ids):
    _, cache = say(model, ids[:1], max_new_tokens=1)
    node = cache.buffers[0].nodes[-1]
    assert node.content[1] in [end for _, end in cache.opened[0]]
    model.delete_thought(cache, node.name)
    assert node.content[1] not in [end for _, end in cache.opened[0]]
    with pytest.raises(ThoughtError, match="There is no thought"):
        model.delete_thought(cache, node.name)


def test_a_thought_that_is_edited_holds_from_the_next_token(model, ids):
    _, cache = say(model, ids[:1], max_new_tokens=1)
    node = cache.buffers[0].nodes[0]
    before, length = node.vector.clone(), cache.length
    with pytest.raises(ThoughtError, match="1 to 5 tokens"):
        model.edit_thought(cache, node.name, [50, 51], [30] * 9)
    assert cache.length == length and torch.equal(node.vector, before)
    model.edit_thought(cache, node.name, [50, 51], [30, 31])
    assert node.content == (length, length + 2) and node.content in cache.opened[0]
    assert not torch.equal(node.vector, before) and node.ids[3:5] == [30, 31]
    more = torch.cat([ids[:1], torch.full((1, 2), 60)], dim=1)
    told, _ = say(model, more, cache=cache, max_new_tokens=2, reflect=False)
    assert told.shape[1] == 44


# -- parts
# ---------------------------------------------------------------------------------------------------------------


def test_heads_have_the_shapes_of_the_design():
    sizes = [tuple(p.shape) for p in ActivationHeadMLP(64).parameters() if p.dim() == 2]
    assert sizes == [(16, 64), (4, 16), (1, 4)]
    head = ActivationHeadAttention(64, window=4).eval()
    hidden = torch.randn(1, 12, 64)
    far, near = hidden.clone(), hidden.clone()
    far[:, 7], near[:, 8] = 0, 0
    with torch.no_grad():
        whole = head(hidden)[0, 11]
        assert torch.allclose(head(far)[0, 11], whole) and not torch.allclose(head(near)[0, 11], whole)


def test_focal_loss_is_the_formula():
    logits, labels = torch.tensor([0.3, -1.2]), torch.tensor([1, 0])
    p = logits.sigmoid()
    expected = -(0.25 * (1 - p[0]) ** 2 * p[0].log() + 0.75 * p[1] ** 2 * (1 - p[1]).log()) / 2
    assert torch.allclose(focal_loss(logits, labels), expected)


def test_top_k_takes_the_highest_and_gumbel_noise_draws_in_proportion():
    scores = torch.tensor([0.0, 2.0, 1.0, -torch.inf])
    assert gumbel_top_k(scores, 2).tolist() == [1, 2]
    assert gumbel_top_k(scores, 4).tolist() == [1, 2, 0, -1]
    torch.manual_seed(0)
    drawn = gumbel_top_k(scores.expand(4000, -1), 1, sample=True).squeeze(-1)
    share = torch.bincount(drawn, minlength=4) / 4000
    assert torch.allclose(share, scores.softmax(0), atol=0.03)


def test_a_codebook_says_a_vector_by_its_nearest_codes_and_learns():
    torch.manual_seed(0)
    book = ProductCodebook(8, 2, 4)
    vectors = torch.randn(32, 8, requires_grad=True)
    quantised, codes, loss = book(vectors)
    assert codes.shape == (32, 2)
    assert torch.allclose(quantised[0, :4], book.codes[0, codes[0, 0]], atol=1e-6)
    quantised.sum().backward(retain_graph=True)
    assert torch.allclose(vectors.grad, torch.ones_like(vectors)), "straight through"
    optimizer = torch.optim.Adam(book.parameters(), 0.05)
    for _ in range(50):
        optimizer.zero_grad()
        now = book(vectors.detach())[2]
        now.backward()
        optimizer.step()
    assert now < loss
    with pytest.raises(ValueError, match="must divide"):
        ProductCodebook(8, 3, 4)
