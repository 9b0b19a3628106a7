"""The policies: what they may tell apart, what they may not, and that a checkpoint is complete."""

import shutil

import pytest
import torch
from apart import run_apart
from transformers import AutoConfig, AutoModelForSequenceClassification

from hf_duplex.interaction.modeling import StreamPolicyConfig, StreamPolicyForSequenceClassification
from hf_duplex.interaction.modeling.configuration_policy import ARCHITECTURES


# Not in the order of the alphabet, in which a configuration is written to a file.
KINDS = {"visual": ["none", "nods"], "background": ["result", "none", "pending"], "model_state": ["waiting_for"]}
THINGS = ["alarm", "oven", "parcel", "taxi"]
ACTIONS = ["wait", "resume", "notify"]

USE = """
import torch
from transformers import AutoModelForSequenceClassification

result = {}
for name, folder in argument["folders"].items():
    model = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True)
    output = model(kinds=torch.tensor(argument["kinds"]), things=torch.tensor(argument["things"]))
    result[name] = [type(model).__module__, model.config.id2label[0], output.logits.tolist()]
assert "hf_duplex" not in sys.modules
"""


def policy(architecture, seed=0, **settings):
    torch.manual_seed(seed)
    config = StreamPolicyConfig(
        **{"architecture": architecture, "kinds": KINDS, "things": THINGS, "actions": ACTIONS, "hidden_size": 16}
        | settings
    )
    return StreamPolicyForSequenceClassification(config).eval()


def timeline(batch=5, ticks=6, seed=0):
    """Random ids: any kind of each stream, and about half of the values about a thing."""
    generator = torch.Generator().manual_seed(seed)
    kinds, first = [], 2
    for held in KINDS.values():
        kinds.append(torch.randint(first, first + len(held), (batch, ticks), generator=generator))
        first += len(held)
    things = torch.randint(2, 2 + len(THINGS), (batch, ticks, len(KINDS)), generator=generator)
    things[torch.rand(things.shape, generator=generator) < 0.5] = 0
    return torch.stack(kinds, -1), things


@pytest.fixture(params=ARCHITECTURES)
def architecture(request):
    return request.param


def test_ids_count_through_the_streams():
    config = policy("gru").config
    assert config.streams == ["visual", "background", "model_state"]
    assert config.kind_ids == {
        "visual": {"none": 2, "nods": 3},
        "background": {"result": 4, "none": 5, "pending": 6},
        "model_state": {"waiting_for": 7},
    }
    assert config.thing_ids == {"alarm": 2, "oven": 3, "parcel": 4, "taxi": 5}
    assert (config.num_kinds, config.num_things, config.num_labels) == (8, 6, 3)
    assert config.id2label == {0: "wait", 1: "resume", 2: "notify"}


def test_padding_changes_nothing(architecture):
    model = policy(architecture)
    kinds, things = timeline()
    with torch.no_grad():
        alone = model(kinds, things).logits
        filler = torch.zeros(5, 3, 3, dtype=torch.long)
        mask = torch.cat([torch.ones(5, 6), torch.zeros(5, 3)], 1)
        padded = model(torch.cat([kinds, filler], 1), torch.cat([things, filler], 1), mask).logits
    torch.testing.assert_close(padded, alone)


def test_a_row_does_not_depend_on_its_neighbours(architecture):
    model = policy(architecture)
    kinds, things = timeline()
    with torch.no_grad():
        torch.testing.assert_close(model(kinds[1:2], things[1:2]).logits, model(kinds, things).logits[1:2])


def test_relations_know_things_only_by_whether_they_are_equal():
    model = policy("relational")
    kinds, things = timeline()
    renamed = torch.tensor([0, 1, 4, 5, 3, 2])[things]
    with torch.no_grad():
        torch.testing.assert_close(model(kinds, renamed).logits, model(kinds, things).logits, atol=1e-6, rtol=0)
        values = policy("gru")
        assert not torch.allclose(values(kinds, renamed).logits, values(kinds, things).logits)


def test_every_policy_sees_who_is_about_what(architecture):
    """The same values in a tick, in other streams: a plain sum of embeddings could not tell."""
    model = policy(architecture, relations=False)
    kinds, _ = timeline(batch=1)
    one, other = torch.zeros(2, 1, 6, 3, dtype=torch.long)
    one[..., 0], one[..., 1], one[..., 2] = 2, 2, 3
    other[..., 0], other[..., 1], other[..., 2] = 2, 3, 2
    with torch.no_grad():
        assert not torch.allclose(model(kinds, one).logits, model(kinds, other).logits)


def test_order_matters(architecture):
    model = policy(architecture)
    kinds, things = timeline()
    with torch.no_grad():
        assert not torch.allclose(model(kinds.flip(1), things.flip(1)).logits, model(kinds, things).logits)


def test_what_is_varied_in_training_is_names_and_whole_streams():
    model = policy("gru", stream_dropout=0.5)
    kinds, things = timeline(batch=200)
    kinds[:, -1], things[:, -1] = 0, 0  # padding
    varied_kinds, varied_things = model.vary(kinds, things)
    hidden = (varied_kinds == 1).sum(1)
    assert set(hidden.unique().tolist()) == {0, 5} and 0.4 < (hidden == 5).float().mean() < 0.6
    kept = (hidden == 0)[:, None].expand_as(kinds)
    assert torch.equal(varied_kinds[kept], kinds[kept])
    assert (varied_things[~kept] == 0).all()
    same = (things[..., :1] == things[..., 1:2]) & kept[..., :1] & kept[..., 1:2]
    now_same = varied_things[..., :1] == varied_things[..., 1:2]
    assert torch.equal(now_same & kept[..., :1] & kept[..., 1:2], same)
    assert torch.equal(varied_things[kept] == 0, things[kept] == 0) and (varied_things != things).any()


def test_it_learns_from_its_loss(architecture):
    model = policy(architecture).train()
    kinds, things = timeline(batch=64)
    labels = (kinds[:, -1, 1] == 4).long()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    for _ in range(100):
        loss = model(kinds, things, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss < 0.1


def test_a_checkpoint_loads_in_this_process_and_in_one_without_the_package(tmp_path):
    kinds, things = timeline()
    folders, wanted = {}, {}
    for architecture in ARCHITECTURES:
        model = policy(architecture, seed=1)
        folder = tmp_path / "copies" / architecture
        model.save_pretrained(folder)
        with torch.no_grad():
            wanted[architecture] = model(kinds, things).logits
            loaded = AutoModelForSequenceClassification.from_pretrained(folder)
            assert type(loaded) is type(model) and torch.equal(loaded(kinds, things).logits, wanted[architecture])
        config = AutoConfig.from_pretrained(folder)
        assert config.streams == model.config.streams and config.kind_ids == model.config.kind_ids
        folders[architecture] = str(folder)
    apart = tmp_path / "apart"
    shutil.copytree(tmp_path / "copies", apart / "copies")
    used = run_apart(apart, USE, {"folders": folders, "kinds": kinds.tolist(), "things": things.tolist()})
    for architecture, (module, first, logits) in used.items():
        assert module.startswith("transformers_modules.") and first == "wait"
        torch.testing.assert_close(torch.tensor(logits), wanted[architecture])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"architecture": "lstm"}, "`architecture` must be one of gru, transformer, relational"),
        ({"architecture": "transformer", "num_attention_heads": 3}, "`hidden_size` .* multiple of"),
        ({"streams": ["visual", "background"]}, "`streams` must name what `kinds` holds"),
        ({"stream_dropout": 1.0}, "`stream_dropout` must be at least 0 and below 1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(Exception, match=message):
        policy(settings.pop("architecture", "gru"), **settings)


def test_ids_of_another_shape_are_refused(architecture):
    kinds, things = timeline()
    for wrong in ((kinds[..., :2], things[..., :2]), (kinds, things[:, :3]), (kinds[0], things[0])):
        with pytest.raises(ValueError, match=r"must both be \(batch, ticks, 3 streams\)"):
            policy(architecture)(*wrong)
