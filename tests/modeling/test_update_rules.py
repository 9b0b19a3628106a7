"""The workspace: five rules, one contract."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import FIRST_WORD, RULES, VOCAB, AtOnce, greedy, pad_messages, tiny_model, words

from hf_duplex import WorkspaceConfig
from hf_duplex.modeling.packing import pack_messages
from hf_duplex.modeling.update_latent import LatentSlots
from hf_duplex.modeling.update_rule import LOG_ZERO, UpdateRule


def update(model, *messages, workspace=None):
    """One message a row, None for a row without."""
    ids, mask = pad_messages([[message] if message else [] for message in messages])
    with torch.no_grad():
        return model.update_workspace(ids[:, 0], mask[:, 0], workspace)


def clone(workspace):
    return workspace.map(torch.Tensor.clone)


def same(first, second) -> bool:
    return all(
        torch.equal(getattr(first, field.name), getattr(second, field.name)) for field in dataclasses.fields(first)
    )


@pytest.mark.parametrize("name", RULES)
def test_a_row_without_a_message_keeps_its_slots_and_its_version(name):
    model = tiny_model(name)
    before = update(model, [5, 6], [7, 8, 9])
    after = update(model, None, [10], workspace=before)
    assert before.version.tolist() == [1, 1]
    assert after.version.tolist() == [1, 2]
    for field in dataclasses.fields(before):
        assert torch.equal(getattr(before, field.name)[0], getattr(after, field.name)[0]), field.name
    assert not torch.equal(before.slots[1], after.slots[1])


@pytest.mark.parametrize("name", RULES)
def test_an_update_makes_a_new_workspace_and_leaves_the_old_one(name):
    model = tiny_model(name)
    before = update(model, [5, 6])
    kept = clone(before)
    update(model, [7], workspace=before)
    assert same(before, kept)
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.slots = kept.slots


@pytest.mark.parametrize("name", RULES)
def test_memory_is_bounded(name):
    model = tiny_model(name, n_slots=6)
    workspace = update(model, [5])
    size = workspace.nbytes
    for step in range(12):
        workspace = update(model, list(range(5, 6 + step % 6)), workspace=workspace)
        assert workspace.slots.shape == (1, 6, 32)
        assert workspace.nbytes == size
    assert workspace.version.tolist() == [13]


@pytest.mark.parametrize("name", RULES)
def test_the_order_of_messages_matters(name):
    model = tiny_model(name)
    one, other = (update(model, b, workspace=update(model, a)) for a, b in (([5, 6], [7]), ([7], [5, 6])))
    assert not torch.allclose(one.slots, other.slots)


@pytest.mark.parametrize("name", RULES)
def test_gradients_flow_through_every_update_to_the_first_message(name):
    model = tiny_model(name, seed=7)
    model.zero_grad()
    embedded = []
    hook = model.model.embed_tokens.register_forward_hook(
        lambda module, args, output: embedded.append(output) or output.retain_grad()
    )
    workspace = model.update_workspace(torch.tensor([[[5, 6], [7, 8], [9, 10]]]))
    hook.remove()
    probe = torch.randn(workspace.slots.shape, generator=torch.Generator().manual_seed(0))
    finite = workspace.log_validity[workspace.log_validity.isfinite()]
    ((workspace.slots * probe).sum() + finite.sum()).backward()
    assert all(embedded[0].grad[message].abs().sum() > 0 for message in range(3))
    missing = [name for name, weight in model.model.update_rule.named_parameters() if weight.grad is None]
    assert not missing
    model.zero_grad()


def messages(rows):
    word = st.integers(FIRST_WORD, VOCAB - 1)
    return st.lists(st.lists(st.lists(word, max_size=6), max_size=6), min_size=rows, max_size=rows)


def check_all_versions(model, ids, mask, first=0):
    """Compares all versions at once with the fold, the first messages taken for a prompt; gives the fold."""
    rule = model.model.update_rule
    with torch.no_grad():
        messages = pack_messages(None, (ids, mask), None, model.config.max_message_length)
        prompt = mask[:, :first].any(-1).sum(1)
        messages = dataclasses.replace(messages, first=prompt)
        packed = model.model.encoder(model.model.embed_tokens(messages.ids), messages.message, messages.offset)
        slots, log_validity = rule.all_versions(packed, messages)
        states = model.model.encode(ids, mask)
        folds = [rule.initial(len(ids))]
        for message in range(ids.shape[1]):
            folds.append(rule(folds[-1], states[:, message], mask[:, message], ids[:, message]))
    for workspace in folds[first:]:
        for row, version in enumerate(workspace.version.tolist()):
            at_version = log_validity[row, version - int(prompt[row])]
            held, kept = at_version > LOG_ZERO, workspace.log_validity[row].isfinite()
            torch.testing.assert_close(slots[row, held], workspace.slots[row, kept], atol=1e-4, rtol=1e-5)
            torch.testing.assert_close(at_version[held], workspace.log_validity[row, kept], atol=1e-4, rtol=0)
    return folds


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=20)
@given(rows=messages(2), n_slots=st.sampled_from([6, 7, 9, 40]), first=st.integers(0, 2))
def test_all_versions_at_once_equal_the_fold(name, rows, n_slots, first):
    ids, mask = pad_messages(rows)
    check_all_versions(tiny_model(name, n_slots=n_slots), ids, mask.bool(), min(first, ids.shape[1]))


def test_what_was_dropped_does_not_come_back():
    ids = words(4, 20, 3)
    folds = check_all_versions(tiny_model("validity", n_slots=8), ids, torch.ones_like(ids, dtype=torch.bool))
    for before, after in zip(folds, folds[1:], strict=False):
        for row in range(4):
            change = after.changes(before, row=row)
            assert all(slot >= 6 * before.version[row] for slot in change.written)


def test_the_least_valid_slot_goes_first():
    model = tiny_model("validity", n_slots=6)
    before = update(model, [5, 6, 7], workspace=update(model, [8, 9]))
    doubted = dataclasses.replace(before, log_validity=before.log_validity.clone())
    column = doubted.slot_ids[0].tolist().index(6)
    doubted.log_validity[0, column] = -50.0
    after = update(model, [10, 11], workspace=doubted)
    assert sorted(before.slot_ids[0].tolist()) == [-1, 0, 1, 6, 7, 8]
    # One empty place, then the first token of the second message.
    assert sorted(after.slot_ids[0].tolist()) == [0, 1, 7, 8, 12, 13]
    assert after.token_ids[0][after.slot_ids[0].argsort()].tolist() == [8, 9, 6, 7, 10, 11]


def test_among_equals_the_oldest_slot_goes_first():
    model = tiny_model("validity", n_slots=6)
    before = update(model, [5, 6, 7], workspace=update(model, [8, 9]))
    equal = dataclasses.replace(before, log_validity=torch.where(before.slot_ids >= 0, -1.0, -torch.inf))
    rule = model.model.update_rule
    # A message that doubts everything alike.
    states = torch.zeros(1, 3, 32)
    weight = rule.distance.weight.data.clone()
    try:
        rule.distance.weight.data.zero_()
        with torch.no_grad():
            after = rule(equal, states, torch.ones(1, 3, dtype=torch.bool), torch.tensor([[10, 11, 12]]))
    finally:
        rule.distance.weight.data.copy_(weight)
    assert after.slot_ids[0].tolist() == [6, 7, 8, 12, 13, 14]


def test_a_message_doubts_older_slots_and_believes_its_own():
    model = tiny_model("validity")
    before = update(model, [5, 6])
    after = update(model, [7], workspace=before)
    old, new = after.slot_ids[0] < 6, after.slot_ids[0] >= 6
    held = after.slot_ids[0] >= 0
    assert (after.validity[0, old & held] < 1).all()
    assert (after.validity[0, new] == 1).all()
    assert (after.validity[0, ~held] == 0).all()


def test_changes_say_what_was_written_doubted_and_dropped():
    model = tiny_model("validity", n_slots=6)
    before = update(model, [5, 6, 7, 8, 9])
    after = update(model, [10, 11, 12], workspace=before)
    change = after.changes(before, threshold=0.0)
    assert change.written == [6, 7, 8]
    assert len(change.dropped) == 2 and set(change.dropped) <= {0, 1, 2, 3, 4}
    assert set(change.doubted) == {0, 1, 2, 3, 4} - set(change.dropped)
    assert all(old == 1.0 and new < 1.0 for old, new in change.doubted.values())
    assert change.moved == {}
    assert after.changes(after).written == after.changes(after).dropped == []


@pytest.mark.parametrize("name", RULES[2:])
def test_changes_say_how_far_latent_slots_moved(name):
    model = tiny_model(name)
    before = update(model, [5, 6], [5, 6])
    after = update(model, [10], None, workspace=before)
    assert after.changes(before).written == after.changes(before).dropped == []
    assert set(after.changes(before, threshold=0.0).moved) == set(range(5))
    assert after.changes(before, row=1).moved == {}


@pytest.mark.parametrize("name", RULES)
def test_a_workspace_moves_and_chooses_rows(name):
    workspace = update(tiny_model(name), [5, 6], [7])
    assert workspace.map(lambda tensor: tensor[1:]).version.tolist() == [1]
    assert same(workspace.to("cpu"), workspace)


@pytest.mark.parametrize("name", RULES)
def test_messages_folded_one_by_one_equal_messages_folded_together(name):
    model = tiny_model(name)
    ids, mask = pad_messages([[[5, 6], [7, 8, 9]], [[10], []]])
    with torch.no_grad():
        together = model.update_workspace(ids, mask)
    apart = update(model, [7, 8, 9], None, workspace=update(model, [5, 6], [10]))
    torch.testing.assert_close(together.slots, apart.slots, atol=1e-5, rtol=0)
    assert together.version.tolist() == apart.version.tolist() == [2, 1]
    assert together.slot_ids.tolist() == apart.slot_ids.tolist()


@pytest.mark.parametrize("name", RULES)
def test_the_workspace_behind_a_text_is_the_fold_of_what_was_heard(name):
    model = tiny_model(name)
    output = greedy(model, prompt_ids=torch.tensor([[5, 6, 3, 7, 3]]), interrupt_callback=AtOnce([[9, 10], [11]]), n=3)
    workspace = None
    for message in ([5, 6, 3], [7, 3], [9, 10], [11]):
        workspace = update(model, message, workspace=workspace)
    heard = output.past_key_values.memory
    torch.testing.assert_close(heard.slots, workspace.slots, atol=1e-4, rtol=0)
    assert heard.slot_ids.tolist() == workspace.slot_ids.tolist()
    assert heard.token_ids.tolist() == workspace.token_ids.tolist()


@pytest.mark.parametrize("name", RULES)
def test_bad_messages_are_refused(name):
    model = tiny_model(name)
    workspace = update(model, [5, 6])
    kept = clone(workspace)
    for message, arguments in {
        "longer than max_message_length": (words(1, 7), None, workspace),
        "`message_mask` must": (words(1, 3), torch.ones(1, 2), workspace),
        "`workspace` has 1 rows, but `message_ids` has 2": (words(2, 3), None, workspace),
        "`message_ids` holds ids from 5 to 64, outside the vocabulary": (torch.tensor([[5, 64]]), None, workspace),
        "`message_mask` must have its ones at the front": (words(1, 3), torch.tensor([[0, 1, 1]]), workspace),
        "`message_ids` must be a tensor of integers": ([[5, 6]], None, workspace),
    }.items():
        with pytest.raises(ValueError, match=message):
            model.update_workspace(*arguments)
    assert same(workspace, kept)


def test_a_doubt_that_is_doubted_gives_back_what_it_took():
    """The rule worked out by hand: a fact, a correction that doubts it, a retraction that doubts the correction."""
    rule = tiny_model("defeasible").model.update_rule
    age, present = torch.tensor([[3, 2, 1]]), torch.ones(1, 3, dtype=torch.bool)
    doubts = torch.zeros(1, 3, rule.remembered)
    doubts[0, 0, 2] = 0.9  # the correction, one message ago, doubts the fact
    doubts[0, 1, 1] = 0.8  # the retraction, the newest, doubts the correction
    validity = rule._validity(doubts, age, present).exp()
    torch.testing.assert_close(validity, torch.tensor([[1 - 0.9 * (1 - 0.8), 1 - 0.8, 1.0]]))


def test_doubts_count_in_full_while_nobody_doubts_them():
    full, defeasible = tiny_model("validity", seed=3), tiny_model("defeasible", seed=3)
    defeasible.load_state_dict(full.state_dict())
    ids = torch.tensor([[[5, 6], [7, 8]]])
    one, other = full.update_workspace(ids), defeasible.update_workspace(ids)
    torch.testing.assert_close(one.log_validity, other.log_validity, atol=1e-5, rtol=1e-5)
    assert one.log_validity[one.log_validity.isfinite()].min() < -0.01


def test_a_rule_that_lacks_a_part_says_which():
    class Half(UpdateRule):
        def initial(self, batch_size):
            return None

    with pytest.raises(TypeError, match="abstract methods.*all_versions.*forward"):
        Half(WorkspaceConfig())
    with pytest.raises(TypeError, match="abstract method.*write"):
        LatentSlots(WorkspaceConfig())
