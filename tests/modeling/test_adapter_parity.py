"""One forward over all versions equals step-by-step generation; nothing that comes later changes what came before."""

import adapters
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hf_duplex.modeling.packed_adapter import Budget, PackedBatch
from hf_duplex.modeling.streams import Streams


TOKENS = 14
MODELS = {}

ids = st.lists(st.integers(3, 250), min_size=1, max_size=5)
update = st.tuples(st.integers(1, TOKENS), ids)
conversations = st.lists(
    st.tuples(st.lists(st.integers(3, 250), min_size=1, max_size=9), st.lists(update, max_size=5)),
    min_size=1,
    max_size=3,
)


def model_of(family, mode, scope="always"):
    key = family, mode, scope
    if key not in MODELS:
        MODELS[key] = adapters.make_adapter(family, mode=mode, scope=scope)[1]
    return MODELS[key]


def check_parity(model, drawn):
    prompts, rows = [prompt for prompt, _ in drawn], [sorted(row, key=lambda one: one[0]) for _, row in drawn]
    sequences, logits, _ = adapters.play(model, rows, prompts, TOKENS)
    streams = adapters.streams_of(rows, prompts, sequences[:, :-1])
    with torch.no_grad():
        parallel = model(**streams).logits
    torch.testing.assert_close(parallel, logits, atol=1e-4, rtol=0)
    return streams, parallel


@pytest.mark.parametrize("mode", ["workspace", "spliced"])
@pytest.mark.parametrize("family", adapters.FAMILIES)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=conversations)
def test_parallel_forward_equals_generation(family, mode, drawn):
    check_parity(model_of(family, mode), drawn)


@pytest.mark.parametrize("mode", ["workspace", "spliced"])
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=conversations)
def test_parallel_forward_equals_generation_after_update_only(mode, drawn):
    check_parity(model_of("llama", mode, "after_update"), drawn)


@pytest.mark.parametrize("scope", ["always", "after_update"])
@pytest.mark.parametrize("mode", ["workspace", "spliced"])
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=conversations)
def test_training_without_padding_computes_the_same_loss_and_gradients(mode, scope, drawn):
    model = model_of("llama", mode, scope)
    streams, _ = check_parity(model, drawn)
    assert model.can_pack
    labels = streams["input_ids"].clone()
    labels[0, 3:5] = -100
    streams["attention_mask"] = torch.ones_like(labels)
    found = []
    for training in (False, True):
        model.train(training)
        model.zero_grad()
        loss = model(**streams, labels=labels).loss
        loss.backward()
        found.append((loss.detach(), {name: value.grad for name, value in model.additions().items()}))
    model.eval()
    (padded, gradients), (packed, others) = found
    torch.testing.assert_close(padded, packed, atol=1e-5, rtol=0)
    for name, gradient in gradients.items():
        if gradient is None:
            assert others[name] is None or not others[name].any(), name
        else:
            torch.testing.assert_close(gradient, others[name], atol=1e-4, rtol=1e-3, msg=name)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("mode", ["workspace", "spliced"])
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=conversations, other=ids, position=st.integers(2, TOKENS))
def test_a_later_update_changes_no_earlier_logit(mode, training, drawn, other, position):
    model = model_of("llama", mode)
    prompts, rows = [prompt for prompt, _ in drawn], [[*row, (position, other)] for _, row in drawn]
    emitted = torch.randint(3, 250, (len(rows), TOKENS))
    changed = [[*row[:-1], (position, [251, *other])] for row in rows]
    model.train(training)
    with torch.no_grad():
        hidden = [model(**adapters.streams_of(kind, prompts, emitted), labels=None).logits for kind in (rows, changed)]
    model.eval()
    # Index i predicts token i + 1, so the first that may differ is position - 1.
    torch.testing.assert_close(hidden[0][:, : position - 1], hidden[1][:, : position - 1], atol=1e-5, rtol=0)
    assert not torch.allclose(hidden[0][:, position - 1 :], hidden[1][:, position - 1 :], atol=1e-4)


@pytest.mark.parametrize("mode", ["workspace", "spliced"])
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=conversations)
def test_a_row_in_a_batch_is_the_row_alone(mode, drawn):
    model = model_of("llama", mode)
    prompts, rows = [prompt for prompt, _ in drawn], [sorted(row, key=lambda one: one[0]) for _, row in drawn]
    sequences, logits, _ = adapters.play(model, rows, prompts, TOKENS)
    for row, (prompt, updates) in enumerate(zip(prompts, rows, strict=True)):
        streams = adapters.streams_of([updates], [prompt], sequences[row : row + 1, :-1])
        with torch.no_grad():
            alone = model(**streams).logits
        torch.testing.assert_close(alone[0], logits[row], atol=1e-4, rtol=0)


@pytest.mark.parametrize("scope", ["always", "after_update"])
@pytest.mark.parametrize("mode", ["workspace", "spliced"])
def test_a_batch_that_is_filled_up_to_a_budget_has_the_same_loss_and_gradients(mode, scope):
    model = model_of("llama", mode, scope)
    prompts, rows = [[5, 6, 7], [9], [11, 12]], [[(3, [20, 21]), (9, [30])], [], [(1, [40, 41, 42])]]
    emitted = torch.randint(3, 250, (3, TOKENS))
    mask = torch.ones_like(emitted)
    mask[1, 9:] = 0
    streams = Streams(**adapters.streams_of(rows, prompts, emitted), attention_mask=mask)
    budget = Budget(41, 57, 5, longest_incoming=12, longest_emitted=20)
    if mode == "spliced":
        budget = Budget(0, 90, 5, longest_incoming=1, longest_emitted=40)
    found = []
    for limits in (None, budget):
        model.zero_grad()
        loss = model.packed_loss(PackedBatch.of(streams, emitted, model.config, budget=limits))
        loss.backward()
        found.append((loss.detach(), {name: value.grad for name, value in model.additions().items()}))
    (loss, gradients), (filled, others) = found
    torch.testing.assert_close(loss, filled, atol=1e-5, rtol=0)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, others[name], atol=1e-5, rtol=1e-4, msg=name)


def test_a_batch_beyond_its_budget_is_refused():
    model = model_of("llama", "workspace")
    streams = Streams(**adapters.streams_of([[]], [[5, 6, 7]], torch.randint(3, 250, (1, TOKENS))))
    with pytest.raises(ValueError, match="does not fit into the budget"):
        PackedBatch.of(streams, None, model.config, budget=Budget(2, 57, 5))
