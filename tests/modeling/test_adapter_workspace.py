"""The workspace of a duplex adapter: bounded, revisable, and the same however it came about."""

import copy

import pytest
import torch
from adapters import END, make_adapter, schedule
from torch import nn

from hf_duplex import DuplexCache, Interrupt


SYSTEM = [9, 10, 11, 50, 51, 52, 8]
PROMPT = [*SYSTEM, 9, 12, 60, 61, 62]
UPDATES = [(3, [20, 21]), (6, [22, 23, 24]), (6, [25]), (9, [26, 27])]
KINDS = [("workspace", "always"), ("workspace", "after_update"), ("spliced", "always"), ("spliced", "after_update")]
MODELS = {}


def model_of(mode="workspace", scope="always", **config):
    """An adapter that does something, shared between tests; one that knows its system prompt."""
    key = mode, scope, tuple(config.items())
    if key not in MODELS:
        ends = {"system_prefix_ids": SYSTEM[:3], "turn_end_token_id": SYSTEM[-1]}
        MODELS[key] = make_adapter(mode=mode, scope=scope, **ends, **config)[1]
    return MODELS[key]


def greedy(model, n=12, prompts=(PROMPT,), updates=(UPDATES,), callback=None, **kwargs):
    """Greedy generation with everything returned; prompts and updates at the start of a stream only."""
    if "past_key_values" not in kwargs or not kwargs["past_key_values"].emitted:
        longest = max(map(len, prompts))
        ids = [[0] * (longest - len(prompt)) + prompt for prompt in prompts]
        mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        kwargs.setdefault("input_ids", torch.full((len(prompts), 1), 4))
        kwargs |= {"prompt_ids": torch.tensor(ids), "prompt_mask": torch.tensor(mask)}
    return model.generate(
        interrupt_callback=schedule(updates) if callback is None else callback,
        max_new_tokens=n,
        do_sample=False,
        suppress_tokens=[0, END],
        output_logits=True,
        return_dict_in_generate=True,
        **{"pad_token_id": 0, "eos_token_id": END, **kwargs},
    )


def go_on(model, first, cache=None, n=8, updates=()):
    """Goes on from what was returned, or from another state; updates as from [`schedule`]."""
    cache = first.past_key_values if cache is None else cache
    return greedy(model, n, updates=updates, input_ids=first.sequences, past_key_values=cache)


def assert_same_text(first, second, n=None):
    assert first.sequences.tolist() == second.sequences.tolist()
    assert first.versions.tolist() == second.versions.tolist()
    logits = [torch.stack(output.logits[-n if n else 0 :], dim=1) for output in (first, second)]
    torch.testing.assert_close(*logits, atol=2e-5, rtol=0)


def used(workspace, row, name):
    value = getattr(workspace, name)[row]
    return value[workspace.slot_ids[row] >= 0]


def assert_same_row(first, row, second, other=0):
    """A row of a workspace is a row of another, but for unused columns behind."""
    for name in ("slot_ids", "token_ids", "messages", "positions", "protected"):
        assert used(first, row, name).tolist() == used(second, other, name).tolist(), name
    for name in ("version", "prompt_length", "updates"):
        assert int(getattr(first, name)[row]) == int(getattr(second, name)[other]), name
    for name in ("slots", "log_validity"):
        torch.testing.assert_close(used(first, row, name), used(second, other, name), atol=2e-5, rtol=0)
    for pair, twin in zip(first.merged().key_values, second.merged().key_values, strict=True):
        for mine, theirs in zip(pair, twin, strict=True):
            mine, theirs = mine[row][:, first.slot_ids[row] >= 0], theirs[other][:, second.slot_ids[other] >= 0]
            torch.testing.assert_close(mine, theirs, atol=2e-5, rtol=0)


def tensors_of(cache):
    """Everything in a cache that decides what comes next."""
    found = [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]
    found += [cache.version, cache.ended, cache.last_ids, *cache.versions]
    found += [tensor for tensor in (cache.mask, cache.updated, cache.notice) if tensor is not None]
    if cache.memory is not None:
        cache.memory.map(lambda tensor: found.append(tensor) or tensor)
    return [tensor.clone() for tensor in found]


def same(first, second):
    return len(first) == len(second) and all(map(torch.equal, first, second))


# Bounds


def many_updates(input_ids):
    """An update of two tokens, or of one, before every other token."""
    length = input_ids.shape[1]
    if length % 2 == 0:
        return Interrupt(torch.tensor([[20 + length % 100, 130][: 1 + length % 4 // 2]]))


@pytest.mark.parametrize("n_slots", [16, 40])
def test_many_updates_keep_to_the_slots_and_the_bytes(n_slots):
    model = model_of(n_slots=n_slots)
    cache, sizes, columns, protected = DuplexCache(), [], [], []

    def watch(input_ids):
        if cache.memory is not None:
            sizes.append(cache.memory.nbytes)
            columns.append(cache.memory.slot_ids.shape[1])
            protected.append(used(cache.memory, 0, "token_ids")[: len(SYSTEM)].tolist())
        return many_updates(input_ids)

    output = greedy(model, 100, callback=watch, past_key_values=cache)
    assert max(columns) == columns[-1] == n_slots
    assert sizes[60:] == sizes[60:61] * len(sizes[60:])
    assert all(held == SYSTEM for held in protected)
    assert cache.memory.version.tolist() == [1 + 50]
    assert output.versions[0, -1] == 51
    # The stream itself holds the emitted tokens and nothing else.
    assert cache.get_seq_length() == 100 and len(cache.versions) == 101
    # Newest slots are there: nothing has cast doubt on them.
    assert int(cache.memory.messages.max()) == 50


def test_the_sink_and_a_system_prompt_are_never_doubted_nor_evicted():
    memory = greedy(model_of(n_slots=14), 40, callback=many_updates).past_key_values.memory
    first = memory.protected[0]
    assert used(memory, 0, "token_ids")[first].tolist() == SYSTEM
    assert not memory.log_validity[0, first].any() and bool((memory.log_validity[0, ~first] < 0).any())
    # Without a system prompt it is the first token alone.
    plain = greedy(model_of(n_slots=14), 40, prompts=[PROMPT[7:]], callback=many_updates).past_key_values.memory
    assert used(plain, 0, "protected").sum() == 1 and int(plain.token_ids[0, 0]) == PROMPT[7]
    assert float(plain.log_validity[0, 0]) == 0.0


def test_the_least_valid_slot_goes_first_and_among_equals_the_oldest():
    model = model_of(n_slots=16)
    small, large = copy.copy(model), copy.copy(model)
    large.config = copy.deepcopy(model.config)
    large.config.n_slots = 64
    before = small.update_workspace(torch.tensor([PROMPT]))
    message = torch.tensor([[30, 31, 32, 33, 34, 35]])
    whole, kept = (one.update_workspace(message, None, before) for one in (large, small))
    assert whole.slot_ids.shape[1] == 18 and kept.slot_ids.shape[1] == 16
    order = whole.log_validity[0].masked_fill(whole.protected[0], torch.inf).sort(stable=True).indices
    gone = set(whole.slot_ids[0, order[:2]].tolist())
    assert gone == set(whole.slot_ids[0].tolist()) - set(kept.slot_ids[0].tolist())
    assert kept.slot_ids[0].tolist() == [slot for slot in whole.slot_ids[0].tolist() if slot not in gone]
    # Where nothing is doubted, what came first goes.
    equal = model_of(n_slots=16, doubt_size=0)
    kept = equal.update_workspace(message, None, equal.update_workspace(torch.tensor([PROMPT])))
    assert kept.token_ids[0].tolist() == [*SYSTEM, *PROMPT[9:], 30, 31, 32, 33, 34, 35]


def test_an_update_longer_than_the_slots_keeps_its_end():
    memory = greedy(model_of(n_slots=14), 6, updates=[[(3, list(range(100, 120)))]]).past_key_values.memory
    assert memory.token_ids[0].tolist() == [*SYSTEM, *range(113, 120)]


# Time


@pytest.mark.parametrize("mode, scope", KINDS)
def test_rolling_back_equals_never_having_heard(mode, scope):
    model = model_of(mode, scope)
    first = greedy(model, 5)
    before, state = first.past_key_values.snapshot(), tensors_of(first.past_key_values)
    quiet = go_on(model, first, first.past_key_values.snapshot(), updates=[[]])
    for update in ([(6, [40, 41])], [(6, [42]), (9, [43])]):
        told = go_on(model, first, updates=[update])
        assert told.sequences.tolist() != quiet.sequences.tolist()
        first.past_key_values.rollback(before)
        assert same(tensors_of(first.past_key_values), state)
    again = go_on(model, first, updates=[[]])
    assert_same_text(again, quiet)
    assert again.past_key_values.processed_tokens == quiet.past_key_values.processed_tokens


@pytest.mark.parametrize("mode, scope", KINDS)
def test_branches_know_nothing_of_each_other(mode, scope):
    model = model_of(mode, scope)
    first = greedy(model, 7)
    left, right = first.past_key_values.snapshot(), first.past_key_values.snapshot()
    updates = [[(8, [40, 41])]]
    told, quiet = go_on(model, first, left, updates=updates), go_on(model, first, right, updates=[[]])
    alone = greedy(model, 15)
    # The updates that are due later came in none of them.
    assert quiet.sequences.tolist() == greedy(model, 15, updates=[UPDATES[:3]]).sequences.tolist()
    assert told.sequences.tolist() == greedy(model, 15, updates=[[*UPDATES[:3], *updates[0]]]).sequences.tolist()
    assert len({str(output.sequences.tolist()) for output in (told, quiet, alone)}) == 3


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("mode, scope", KINDS)
def test_cropping_and_going_on_equals_having_stopped_there(mode, scope, columns):
    model = model_of(mode, scope)
    longer, shorter = greedy(model, 12), greedy(model, 12 - columns)
    longer.past_key_values.crop(-columns)
    news = [[(13 - columns, [40, 41])]]
    outputs = [go_on(model, shorter, output.past_key_values, updates=news) for output in (longer, shorter)]
    assert_same_text(*outputs)


@pytest.mark.parametrize("mode, scope", KINDS)
def test_going_on_from_a_returned_state_equals_one_long_run(mode, scope):
    model = model_of(mode, scope)
    whole = greedy(model, 15)
    parts = greedy(model, 4)
    for n in (1, 3, 7):
        parts = go_on(model, parts, n=n, updates=[UPDATES])
    assert parts.sequences.tolist() == whole.sequences.tolist()
    assert parts.versions.tolist() == whole.versions.tolist()
    assert parts.past_key_values.processed_tokens == whole.past_key_values.processed_tokens


@pytest.mark.parametrize("mode, scope", KINDS)
def test_what_is_given_as_input_ids_is_the_prompt_and_the_start(mode, scope):
    model = model_of(mode, scope)
    told = greedy(model, 8)
    line = torch.tensor([[*PROMPT, 4]])
    shifted = [[(position + len(PROMPT), ids) for position, ids in UPDATES]]
    output = model.generate(
        line, interrupt_callback=schedule(shifted), max_new_tokens=8, do_sample=False, suppress_tokens=[0, END]
    )
    assert output[0, len(PROMPT) :].tolist() == told.sequences[0].tolist()


CHOICES = {
    "reorder_cache": (lambda cache: cache.reorder_cache(torch.tensor([1, 0])), [1, 0]),
    "batch_repeat_interleave": (lambda cache: cache.batch_repeat_interleave(2), [0, 0, 1, 1]),
    "batch_select_indices": (lambda cache: cache.batch_select_indices(torch.tensor([1])), [1]),
}


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("mode, scope", KINDS)
def test_choosing_rows_carries_everything(mode, scope, choice):
    model = model_of(mode, scope)
    choose, rows = CHOICES[choice]
    first = greedy(model, 8, prompts=[PROMPT, [5, 6, 7]], updates=[UPDATES, [(4, [30])]])
    cache, untouched = first.past_key_values, first.past_key_values.snapshot()
    choose(cache)
    news = [[(9, [40, 41])], []]
    whole = go_on(model, first, untouched, updates=news)
    first.sequences = first.sequences[rows]
    chosen = go_on(model, first, cache, updates=[news[row] for row in rows])
    assert chosen.sequences.tolist() == whole.sequences[rows].tolist()
    assert chosen.versions.tolist() == whole.versions[rows].tolist()


# Rows


PROMPTS = [PROMPT, [5], [*range(100, 120)], PROMPT[7:]]
ROWS = [UPDATES, [], [(1, [30, 31]), (5, [32])], [(2, [33]), (2, [34, 35, 36]), (7, [37])]]


@pytest.mark.parametrize("n_slots", [2048, 22])
@pytest.mark.parametrize("mode, scope", KINDS)
def test_a_row_in_a_batch_is_the_row_alone(mode, scope, n_slots):
    model = model_of(mode, scope, n_slots=n_slots)
    together = greedy(model, 12, prompts=PROMPTS, updates=ROWS)
    processed = 0
    for row, (prompt, updates) in enumerate(zip(PROMPTS, ROWS, strict=True)):
        alone = greedy(model, 12, prompts=[prompt], updates=[updates])
        assert together.sequences[row].tolist() == alone.sequences[0].tolist()
        assert together.versions[row].tolist() == alone.versions[0].tolist()
        processed += alone.past_key_values.processed_tokens
        if mode == "workspace":
            assert_same_row(together.past_key_values.memory, row, alone.past_key_values.memory)
    assert together.past_key_values.processed_tokens == processed


# Nobody has ended when these come.
EARLY = [[(2, [20, 21])], [], [(1, [30, 31]), (2, [32])], [(2, [33]), (2, [34, 35, 36])]]
NEWS = [[[40]], [[41, 42]], [], [[43]]]


@pytest.mark.parametrize("mode, scope", KINDS)
def test_rows_that_have_ended_go_on_when_something_comes_in(mode, scope):
    model = model_of(mode, scope)
    free = greedy(model, 10, prompts=PROMPTS, updates=EARLY).sequences
    # So rows end at different times, and all updates come before.
    early = set(free[:, :3].flatten().tolist())
    late = [[token for token in free[row].tolist() if token not in early] for row in (1, 3)]
    ends = {"eos_token_id": [late[0][0], late[1][2]]}
    first = greedy(model, 10, prompts=PROMPTS, updates=EARLY, **ends)
    assert bool((first.sequences[:, -1] == 0).any())
    news = Interrupt.from_lists(NEWS)
    length = first.sequences.shape[1]
    further = greedy(
        model,
        8,
        callback=lambda ids: news if ids.shape[1] == length else None,
        input_ids=first.sequences,
        past_key_values=first.past_key_values,
        **ends,
    )
    for row, prompt in enumerate(PROMPTS):
        emitted = [token for token in first.sequences[row].tolist() if token]
        if not NEWS[row]:
            continue
        due = [*EARLY[row], *((len(emitted), update) for update in NEWS[row])]
        forced = {"logits_processor": [Forced(emitted)]}
        whole = greedy(model, len(emitted) + 7, prompts=[prompt], updates=[due], **forced).sequences[0].tolist()
        new = further.sequences[row, length:].tolist()
        new = new[: next((place + 1 for place, token in enumerate(new) if token in ends["eos_token_id"]), len(new))]
        assert whole[len(emitted) :][: len(new)] == new


class Forced:
    """Makes a model emit what is written down."""

    def __init__(self, ids):
        self.ids = ids

    def __call__(self, input_ids, scores):
        if input_ids.shape[1] >= len(self.ids):
            return scores
        return torch.full_like(scores, -torch.inf).index_fill(1, torch.tensor([self.ids[input_ids.shape[1]]]), 0.0)


# `update_workspace`


MESSAGES = [[40, 41, 42], [43], [44, 45]]


def padded(rows):
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    return ids, torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])


@pytest.mark.parametrize("n_slots", [2048, 22])
@torch.no_grad()
def test_workspaces_of_a_batch_are_those_of_each_row(n_slots):
    model = model_of(n_slots=n_slots)
    news = [[40, 41, 42], [], [43], [44, 45, 46, 47]]
    together = model.update_workspace(*padded(PROMPTS))
    together = model.update_workspace(*padded(news), together, emitted=3)
    together = model.update_workspace(*padded(news[::-1]), together, emitted=5)
    for row, prompt in enumerate(PROMPTS):
        alone = model.update_workspace(torch.tensor([prompt]))
        for ids, emitted in ((news[row], 3), (news[::-1][row], 5)):
            if ids:
                alone = model.update_workspace(torch.tensor([ids]), None, alone, emitted)
        assert_same_row(together, row, alone)
    assert together.version.tolist() == [3, 2, 2, 3]


@torch.no_grad()
def test_messages_of_one_call_came_together():
    model = model_of()
    ids, mask = padded([PROMPT, *MESSAGES])
    at_once = model.update_workspace(ids[None], mask[None])
    after = model.update_workspace(ids[None, 1:], mask[None, 1:], model.update_workspace(torch.tensor([PROMPT])))
    assert_same_row(at_once, 0, after)
    # In generation they are the updates of one interrupt.
    cache = greedy(model, 3, updates=[[(1, message) for message in MESSAGES]]).past_key_values
    assert_same_row(cache.memory, 0, at_once)
    assert at_once.version.tolist() == [4] and at_once.positions[0, -6:].tolist() == [7, 8, 9, 10, 11, 12]


@torch.no_grad()
def test_the_workspace_in_the_cache_is_that_of_the_same_messages():
    model = model_of()
    cache = greedy(model, 12).past_key_values
    workspace = model.update_workspace(torch.tensor([PROMPT]))
    workspace = model.update_workspace(torch.tensor([[20, 21]]), None, workspace, emitted=2)
    both, mask = padded([[22, 23, 24], [25]])
    workspace = model.update_workspace(both[None], mask[None], workspace, emitted=5)
    workspace = model.update_workspace(torch.tensor([[26, 27]]), None, workspace, emitted=8)
    assert_same_row(cache.memory, 0, workspace)
    assert bool((workspace.log_validity[0, len(SYSTEM) :] < 0).any())


@torch.no_grad()
def test_a_workspace_is_a_value():
    model = model_of(n_slots=16)
    before = model.update_workspace(torch.tensor([PROMPT]))
    kept = before.map(torch.clone)
    first = model.update_workspace(torch.tensor([[30, 31]]), None, before, 4)
    model.update_workspace(torch.tensor([[32] * 6]), None, before, 4)
    assert_same_row(before, 0, kept)
    assert_same_row(first, 0, model.update_workspace(torch.tensor([[30, 31]]), None, kept, 4))
    change = first.changes(before)
    assert len(change.written) == 2 and not change.dropped and not change.moved and change.doubted
    assert model.update_workspace(torch.zeros(1, 0, dtype=torch.long)).slot_ids.shape == (1, 0)


def test_a_gradient_reaches_the_doubt_head_and_the_additions():
    model = model_of()
    workspace = model.update_workspace(torch.tensor([PROMPT]))
    workspace = model.update_workspace(torch.tensor([[40, 41]]), None, workspace)
    parameters = model.additions()
    doubt = {name: value for name, value in parameters.items() if name.startswith("doubt.")}
    lora = {name: value for name, value in parameters.items() if "lora_" in name}
    validity = workspace.log_validity.exp().sum()
    grads = torch.autograd.grad(validity, [*doubt.values()], retain_graph=True)
    assert all(bool(grad.any()) for grad in grads), [*doubt]
    pairs = workspace.merged().key_values
    keys = sum(keys.square().sum() + values.square().sum() for keys, values in pairs)
    grads = torch.autograd.grad(keys, [*lora.values()], allow_unused=True)
    # The last layer's keys and values do not depend on what comes after them.
    assert sum(grad is not None and bool(grad.any()) for grad in grads) > len(grads) / 2


# Once


class Counter:
    """Counts the columns that enter a model's first block."""

    def __init__(self, model):
        self.seen = 0
        self.hook = model.decoder.layers[0].register_forward_pre_hook(self.count)

    def count(self, module, args):
        self.seen += args[0].shape[0] * args[0].shape[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.hook.remove()


@pytest.mark.parametrize("first", [1, 3])
@pytest.mark.parametrize("mode, scope", KINDS)
def test_no_token_is_processed_twice(mode, scope, first):
    model = model_of(mode, scope)
    updates = [(first, [20, 21]), *UPDATES[1:]]
    with Counter(model) as counter:
        output = greedy(model, 12, updates=[updates])
    cache = output.past_key_values
    incoming = len(PROMPT) + sum(len(ids) for _, ids in updates)
    # The last token was emitted, and is read when the text goes on.
    assert counter.seen == cache.processed_tokens == incoming + 12
    with Counter(model) as counter:
        go_on(model, output, n=5, updates=[[(13, [9, 9])]])
    assert counter.seen == 5 + 2 and cache.processed_tokens == incoming + 12 + 5 + 2


def test_an_update_enters_no_emitted_stream():
    output = greedy(model_of(), 12)
    assert output.past_key_values.get_seq_length() == 12
    assert output.versions.tolist() == [[0, 1, 1, 2, 2, 2, 4, 4, 4, 5, 5, 5, 5]]
    spliced = greedy(model_of("spliced"), 12)
    assert spliced.past_key_values.get_seq_length() == 12 + len(PROMPT) + 8
    assert spliced.versions.tolist() == output.versions.tolist()


def test_notice_marks_the_token_that_has_just_received_an_update():
    model = copy.deepcopy(model_of())
    wanted = greedy(model, 8, updates=[UPDATES[:1]])
    nn.init.zeros_(model.notice)
    without = greedy(model, 8, updates=[UPDATES[:1]])
    torch.testing.assert_close(wanted.logits[1], without.logits[1], atol=0, rtol=0)
    assert not torch.allclose(wanted.logits[2], without.logits[2])
