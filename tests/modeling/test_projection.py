"""Keys and values of slots that stay are kept, not computed again: that must change nothing."""

import pytest
import torch
from tiny_models import FIRST_WORD, RULES, VOCAB, head_of, tiny_config

from hf_duplex import DuplexCache


def build(name: str, **overrides):
    torch.manual_seed(0)
    config = tiny_config(name, **overrides)
    return head_of(config)(config).eval()


def message(rows: int, length: int, mask_rows=()):
    ids = torch.randint(FIRST_WORD, VOCAB, (rows, length))
    mask = torch.ones_like(ids)
    for row, tokens in mask_rows:
        mask[row, tokens:] = 0
    return ids, mask


def assert_same_as_projected_anew(model, cache):
    for pair, expected in zip(cache.cross, model.project(cache.memory), strict=True):
        for tensor, wanted in zip(pair, expected, strict=True):
            # Where a slot is empty nothing is attended to, whatever stands there.
            there = torch.nn.functional.pad(cache.memory.log_validity.isfinite(), (1, 0), value=True)
            torch.testing.assert_close(tensor.transpose(1, 2)[there], wanted.transpose(1, 2)[there])


@pytest.mark.parametrize("rule", RULES)
@torch.no_grad()
def test_a_conversation_longer_than_the_workspace(rule):
    model = build(rule).model
    cache, workspace = DuplexCache(), None
    for length in (6, 1, 4, 6, 6, 5, 6, 6, 3, 6):
        # Row 0 hears all of it, row 1 a part, row 2 nothing.
        ids, mask = message(3, length, [(1, length // 2), (2, 0)])
        workspace = model.update_workspace(ids, mask, workspace)
        model.set_workspace(cache, workspace)
        assert_same_as_projected_anew(model, cache)


@pytest.mark.parametrize("rule", ["validity", "gated"])
@torch.no_grad()
def test_another_branch_whose_slots_have_the_same_ids(rule):
    model = build(rule).model
    trunk = model.update_workspace(message(2, 5)[0])
    one, other = (model.update_workspace(message(2, 4)[0], workspace=trunk) for _ in range(2))
    assert torch.equal(one.slot_ids, other.slot_ids)
    cache = DuplexCache()
    for workspace in (trunk, one, other, trunk, one, one):
        model.set_workspace(cache, workspace)
        assert_same_as_projected_anew(model, cache)


@torch.no_grad()
def test_only_what_is_new_is_projected(monkeypatch):
    model = build("validity").model
    cache = DuplexCache()
    workspace = model.update_workspace(message(1, 6)[0])
    model.set_workspace(cache, workspace)
    attention = model.layers[0].cross_attn
    seen, project = [], attention.project
    monkeypatch.setattr(attention, "project", lambda states: seen.append(states.shape[1]) or project(states))
    model.set_workspace(cache, model.update_workspace(message(1, 4)[0], workspace=workspace))
    assert seen == [4]


@pytest.mark.parametrize("name", ["dual_stream", "validity", "gated"])
@torch.no_grad()
def test_having_heard_nothing_is_projected_once(name, monkeypatch):
    model = build(name)
    attention = model.model.layers[0].cross_attn
    calls, project = [], attention.project
    monkeypatch.setattr(attention, "project", lambda states: calls.append(1) or project(states))
    model.generate(torch.tensor([[1, 7]]), max_new_tokens=4, min_new_tokens=4)
    assert len(calls) == 1
