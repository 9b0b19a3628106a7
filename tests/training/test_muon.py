"""Muon for matrices, AdamW for the rest, held to torch's own."""

import pytest
import torch
from torch import nn

from hf_duplex import WorkspaceConfig, WorkspaceForCausalLM
from hf_duplex.training.muon import MuonAdamW, matrices_of, orthogonalize


SETTINGS = {"lr": 0.01, "weight_decay": 0.1}


def parameters_of(*shapes):
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]


def test_each_step_is_that_of_torch_also_after_a_resume():
    shapes = [(6, 4), (6, 4), (4, 9)]
    ours, theirs = parameters_of(*shapes, (5,)), parameters_of(*shapes, (5,))
    groups = [{"params": ours[:3], "muon": True}, {"params": ours[3:]}]
    optimizer = MuonAdamW(groups, **SETTINGS)
    muon = torch.optim.Muon(theirs[:3], adjust_lr_fn="match_rms_adamw", **SETTINGS)
    adamw = torch.optim.AdamW(theirs[3:], **SETTINGS)
    for step in range(6):
        for our, their in zip(ours, theirs, strict=True):
            our.grad = torch.randn(our.shape, generator=torch.Generator().manual_seed(step))
            their.grad = our.grad.clone()
        for one in (optimizer, muon, adamw):
            one.step()
        if step == 2:
            state = optimizer.state_dict()
            optimizer = MuonAdamW([{"params": ours[:3], "muon": True}, {"params": ours[3:]}], lr=1.0)
            optimizer.load_state_dict(state)
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 12, 5), (2, 5, 12)])
def test_singular_values_are_about_one(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonalize(matrices).float())
    assert values.min() > 0.4 and values.max() < 1.4


def test_what_has_no_gradient_stays_as_it_is():
    (matrix,) = parameters_of((4, 4))
    before = matrix.detach().clone()
    MuonAdamW([{"params": [matrix], "muon": True}], **SETTINGS).step()
    assert torch.equal(matrix, before)


def test_matrices_are_the_weights_of_linear_layers_but_not_the_embeddings():
    model = WorkspaceForCausalLM(WorkspaceConfig(vocab_size=64, hidden_size=32, num_attention_heads=4, n_slots=64))
    matrices = matrices_of(model)
    names = {name for name, parameter in model.named_parameters() if parameter in matrices}
    assert "model.update_rule.query.weight" in names and "model.layers.0.cross_attn.k_proj.weight" in names
    others = {name for name, _ in model.named_parameters()} - names
    assert {"model.embed_tokens.weight", "model.update_rule.distance.weight", "model.layers.0.conv.weight"} <= others
    assert all(model.get_parameter(name).dim() == 2 for name in names)
