"""The state of a stream: rows, time, and how much of it there is."""

import copy

import pytest
import torch
from tiny_models import BOS, GENERATORS, KINDS, RULES, SEP, AtOnce, Schedule, greedy, tiny_model, words

from hf_duplex import DuplexCache
from hf_duplex.modeling.cache import SPARE, GrowingLayer
from hf_duplex.modeling.cache import grown as appended


PROMPTS = torch.tensor([[5, 6, SEP, 7, 8], [9, SEP, 10, 11, 12]])
WINDOWS = [None, 3]


def tensors_of(cache: DuplexCache) -> list[torch.Tensor]:
    """Everything in a cache that decides what comes next."""
    found = [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]
    found += list(cache._conv_states.values())
    found += [tensor for pair in cache.cross or () for tensor in pair]
    found += [cache.version, cache.ended, *cache.versions]
    found += [tensor for tensor in (cache.mask, cache.cross_bias) if tensor is not None]
    return [tensor.clone() for tensor in found]


def same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return len(first) == len(second) and all(map(torch.equal, first, second))


def told(model, n=8, rows=2, **kwargs):
    updates = [[(2, [20, 21])], [(3, [22])]][:rows]
    return greedy(model, prompt_ids=PROMPTS[:rows], interrupt_callback=Schedule(*updates), n=n, **kwargs)


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("name", GENERATORS)
def test_cropping_and_going_on_equals_having_stopped_there(name, columns):
    model = tiny_model(name)
    longer, shorter = told(model, n=9), told(model, n=9 - columns)
    longer.past_key_values.crop(-columns)
    assert longer.past_key_values.emitted == shorter.past_key_values.emitted
    texts = [
        greedy(model, shorter.sequences, past_key_values=output.past_key_values, interrupt_callback=AtOnce([[9]], []))
        for output in (longer, shorter)
    ]
    assert texts[0].sequences.tolist() == texts[1].sequences.tolist()
    assert texts[0].versions.tolist() == texts[1].versions.tolist()
    torch.testing.assert_close(texts[0].logits[-1], texts[1].logits[-1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", GENERATORS)
def test_cropping_keeps_to_a_window(name):
    model = tiny_model(name, sliding_window=4)
    cropped = 0
    for n in range(8, 13):
        cache, shorter = told(model, n=n).past_key_values, told(model, n=n - 1)
        try:
            cache.crop(-1)
        except ValueError as error:
            assert "snapshot()" in str(error)
            continue
        cropped += 1
        texts = [greedy(model, shorter.sequences, past_key_values=past) for past in (cache, shorter.past_key_values)]
        assert texts[0].sequences.tolist() == texts[1].sequences.tolist()
        torch.testing.assert_close(texts[0].logits[0], texts[1].logits[0], atol=1e-5, rtol=0)
    assert cropped


def test_cropping_into_a_splice_is_refused():
    cache = told(tiny_model("baseline"), n=6).past_key_values
    before = tensors_of(cache)
    # Six tokens were said, the last update came after the third of them.
    with pytest.raises(ValueError, match=r"`tokens_to_remove` is -5, but only the last 3 .* `snapshot\(\)` before"):
        cache.crop(-5)
    assert same(before, tensors_of(cache))


@pytest.mark.parametrize("name", GENERATORS)
def test_cropping_takes_a_negative_number(name):
    cache = told(tiny_model(name), n=6).past_key_values
    before = tensors_of(cache)
    with pytest.raises(ValueError, match="must be negative"):
        cache.crop(2)
    cache.crop(0)
    assert same(before, tensors_of(cache))


@pytest.mark.parametrize("name", RULES + ["dual_stream"])
def test_what_was_heard_stays_when_words_are_taken_back(name):
    model = tiny_model(name)
    longer, shorter = told(model, n=6), told(model, n=1)
    longer.past_key_values.crop(-5)
    regretted = greedy(model, shorter.sequences, past_key_values=longer.past_key_values)
    news = AtOnce([[20, 21]], [[22]])
    informed = greedy(model, shorter.sequences, past_key_values=shorter.past_key_values, interrupt_callback=news)
    assert regretted.sequences.tolist() == informed.sequences.tolist()
    assert regretted.versions.tolist() == informed.versions.tolist()


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", GENERATORS)
def test_undoing_an_update_equals_never_having_received_it(name, window):
    model = tiny_model(name, sliding_window=window)
    first = told(model)
    cache = first.past_key_values
    snapshot, before = cache.snapshot(), tensors_of(cache)
    greedy(model, first.sequences, past_key_values=cache, interrupt_callback=AtOnce([[30, 31], [32]], [[33]]))
    assert not same(before, tensors_of(cache))
    assert same(before, tensors_of(snapshot))

    cache.rollback(snapshot)
    assert same(before, tensors_of(cache))
    undone = greedy(model, first.sequences, past_key_values=cache)
    again = told(model)
    never = greedy(model, again.sequences, past_key_values=again.past_key_values)
    assert undone.sequences.tolist() == never.sequences.tolist()
    assert undone.versions.tolist() == never.versions.tolist()
    for ours, theirs in zip(undone.logits, never.logits, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", KINDS)
def test_a_snapshot_can_be_gone_on_from_as_a_branch(name):
    model = tiny_model(name)
    first = told(model)
    branch = first.past_key_values.snapshot()
    news = AtOnce([[30]], [[31]])
    main = greedy(model, first.sequences, past_key_values=first.past_key_values)
    side = greedy(model, first.sequences, past_key_values=branch, interrupt_callback=news)
    assert main.sequences.tolist() != side.sequences.tolist()
    assert main.past_key_values.version.tolist() == [3, 3]
    assert side.past_key_values.version.tolist() == [4, 4]


CHOICES = {
    "reorder_cache": (lambda cache: cache.reorder_cache(torch.tensor([1, 0])), [1, 0]),
    "batch_repeat_interleave": (lambda cache: cache.batch_repeat_interleave(2), [0, 0, 1, 1]),
    "batch_select_indices": (lambda cache: cache.batch_select_indices(torch.tensor([1])), [1]),
}


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("name", GENERATORS)
def test_choosing_rows_carries_everything(name, choice, window):
    model = tiny_model(name, sliding_window=window)
    choose, rows = CHOICES[choice]
    first = told(model)
    cache = first.past_key_values
    untouched = cache.snapshot()
    choose(cache)
    news = [[[30, 31]], [[32]]]
    chosen = greedy(
        model,
        first.sequences[rows],
        past_key_values=cache,
        interrupt_callback=AtOnce(*(news[row] for row in rows)),
    )
    expected = greedy(model, first.sequences, past_key_values=untouched, interrupt_callback=AtOnce(*news))
    assert chosen.sequences.tolist() == expected.sequences[rows].tolist()
    assert chosen.versions.tolist() == expected.versions[rows].tolist()
    if window is None:
        cache.crop(-3)


@pytest.mark.parametrize("name", ["validity", "gated"])
def test_a_workspace_with_a_window_stays_within_its_bytes(name):
    model = tiny_model(name, sliding_window=8)
    sizes = []

    def watch(input_ids):
        length = input_ids.shape[1]
        if length % 16 == 0:
            sizes.append(cache.nbytes)
        return Schedule([(at, [5 + at % 50, 7]) for at in range(0, 600, 10)])(input_ids)

    cache = DuplexCache()
    cache.max_crop = 8
    greedy(model, torch.tensor([[BOS]]), past_key_values=cache, interrupt_callback=watch, n=500)
    assert len(sizes) == 31
    assert max(sizes) <= 2 * min(sizes)
    assert max(sizes[-10:]) <= max(sizes[5:15])


def test_a_stream_without_a_window_grows_where_one_with_a_window_does_not():
    columns = [
        greedy(tiny_model("validity", sliding_window=window), n=50).past_key_values.get_seq_length()
        for window in (None, 8)
    ]
    assert columns[0] == 50
    assert columns[1] < 16


@pytest.mark.parametrize("name", KINDS)
def test_the_convolution_forgets_what_can_no_longer_be_cropped(name):
    model = tiny_model(name)
    cache = DuplexCache()
    cache.max_crop = 4
    output = greedy(model, words(1, 3), past_key_values=cache, n=40)
    assert all(sum(block.shape[1] for block in inputs) <= 2 * 9 for inputs in cache._conv_inputs.values())
    with pytest.raises(ValueError, match="only the last 4 tokens"):
        cache.crop(-5)
    cache.crop(-4)
    fresh = greedy(model, output.sequences[:, :-4], n=4)
    again = greedy(model, output.sequences[:, :-4], past_key_values=cache, n=4)
    assert again.sequences.tolist() == fresh.sequences.tolist()
    torch.testing.assert_close(again.logits[-1], fresh.logits[-1], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", KINDS)
def test_reset_forgets_everything(name):
    model = tiny_model(name)
    output = told(model)
    cache = output.past_key_values
    cache.reset()
    assert cache.get_seq_length() == 0
    again = greedy(
        model,
        torch.full((2, 1), BOS),
        past_key_values=cache,
        prompt_ids=PROMPTS,
        interrupt_callback=Schedule([(2, [20, 21])], [(3, [22])]),
        n=8,
    )
    assert again.sequences.tolist() == output.sequences.tolist()


def columns_of(*values: int) -> torch.Tensor:
    """Columns that hold one number each, `(1, 1, columns, 1)`."""
    return torch.tensor(values, dtype=torch.float).view(1, 1, -1, 1)


def holds(layer: GrowingLayer) -> list[float]:
    assert torch.equal(layer.keys, layer.values)
    return layer.keys.flatten().tolist()


@torch.no_grad()
def grown(*values: int) -> GrowingLayer:
    layer = GrowingLayer()
    layer.update(columns_of(*values), columns_of(*values))
    return layer


@torch.no_grad()
def test_a_layer_grows_without_moving():
    layer = grown(1, 2)
    place = layer.keys.data_ptr()
    for value in range(3, 40):
        layer.update(columns_of(value), columns_of(value))
    assert layer.keys.data_ptr() == place and holds(layer) == list(range(1, 40))
    layer.update(*2 * [columns_of(*range(40, 500))])
    assert holds(layer) == list(range(1, 500))


@torch.no_grad()
def test_branches_of_a_layer_never_write_over_each_other():
    trunk = grown(1, 2)
    left, right = copy.copy(trunk), copy.copy(trunk)
    for branch, values in ((left, [3, 4]), (right, [5]), (trunk, [6]), (left, [7]), (right, [8])):
        branch.update(*2 * [columns_of(*values)])
    assert (holds(trunk), holds(left), holds(right)) == ([1, 2, 6], [1, 2, 3, 4, 7], [1, 2, 5, 8])


@torch.no_grad()
def test_a_layer_that_was_cut_writes_elsewhere():
    layer = grown(1, 2, 3)
    before = copy.copy(layer)
    layer.crop(-2)
    layer.update(*2 * [columns_of(4, 5)])
    assert (holds(before), holds(layer)) == ([1, 2, 3], [1, 4, 5])
    layer.keys, layer.values = layer.keys.flip(2), layer.values.flip(2)
    layer.update(*2 * [columns_of(6)])
    assert holds(layer) == [5, 4, 1, 6]


def test_a_layer_filled_in_inference_mode_goes_on_outside():
    with torch.inference_mode():
        layer = grown(1, 2)
    with torch.no_grad():
        layer.update(*2 * [columns_of(3)])
    assert holds(layer) == [1, 2, 3]


@pytest.mark.parametrize("name", KINDS)
def test_a_gradient_flows_through_a_cache(name):
    model, ids = tiny_model(name), words(2, 6)
    first = model(ids[:, :4], use_cache=True)
    last = model(ids[:, 4:], past_key_values=first.past_key_values)
    whole = model(ids)
    torch.testing.assert_close(last.logits, whole.logits[:, 4:], atol=1e-5, rtol=0)
    weight = model.lm_head.weight
    gradients = [torch.autograd.grad(logits.sum(), weight)[0] for logits in (last.logits, whole.logits[:, 4:])]
    torch.testing.assert_close(*gradients, atol=1e-3, rtol=1e-3)


def test_a_stream_that_grows_is_written_in_place():
    """Only when its free columns are used up are its keys and values copied."""
    with torch.no_grad():
        pair, places = None, []
        for number in range(3 * SPARE):
            new = torch.full((1, 2, 1, 4), float(number))
            pair = appended(pair, new, new)
            places.append(pair[0].data_ptr())
    assert len(set(places)) <= 4
    assert pair[0][0, 0, :, 0].tolist() == list(range(3 * SPARE))
