"""Telemetry: the numbers are right, the training is untouched, and they reach whatever `report_to` names."""

import itertools

import pytest
import torch
from tiny_models import GENERATORS, RULES, SEP, tiny_model, words  # noqa: E402
from toy_runs import samples, toy_tokenizer, train, weights, write_config

from hf_duplex.data import ChannelCollator, encode_sample
from hf_duplex.modeling import split_messages
from hf_duplex.pressure.probes import AttentionProbe
from hf_duplex.training import Telemetry


ALWAYS = {"workspace_norm", "slot_diversity", "dead_slots", "attention_to_heard"}
NAMES = {
    "baseline": set(),
    "dual_stream": {"attention_to_heard"},
    "validity": ALWAYS | {"mean_validity", "doubted_slots"},
    "defeasible": ALWAYS | {"mean_validity", "doubted_slots"},
    "gated": ALWAYS | {"gate_openness"},
    "gru": ALWAYS | {"gate_openness"},
    "residual": ALWAYS,
    "slot": ALWAYS | {"gate_openness"},
}


def conversation(row: int, updates: int = 2) -> dict[str, list]:
    """One conversation of plain words: a prompt of three messages and some updates."""
    prompt = [token for part in range(3) for token in [*words(4, seed=10 * row + part).tolist(), SEP]]
    return {
        "input_ids": words(9 + row, seed=10 * row + 5).tolist(),
        "prompt_ids": prompt,
        "update_ids": [words(4, seed=10 * row + 6 + number).tolist() for number in range(updates)],
        "update_positions": [3 + 2 * number for number in range(updates)],
    }


def batch_of(*conversations, multiple: int = 4) -> dict[str, torch.Tensor]:
    return ChannelCollator(toy_tokenizer(), pad_to_multiple_of=multiple)(conversations)


def messages_of(conversation) -> list[list[int]]:
    ids, mask = split_messages(torch.tensor([conversation["prompt_ids"]]), None, SEP, 6)
    prompt = [message[there].tolist() for message, there in zip(ids[0], mask[0], strict=True)]
    return prompt + conversation["update_ids"]


@torch.no_grad()
def by_hand(model, given) -> dict[str, float]:
    """The same numbers for one conversation, slot by slot."""
    workspace = model.model.update_rule.initial(1)
    openness = []
    for message in messages_of(given):
        ids = torch.tensor([[message]])
        if model.config.update_type == "gated":
            rule, states = model.model.update_rule, model.model.encode(ids, torch.ones_like(ids).bool())[:, 0]
            read = rule.read(workspace.slots, states, torch.ones_like(ids[0]).bool())
            openness.append(rule.gate(torch.cat([rule.slot_norm(workspace.slots), read], dim=-1)).sigmoid().mean())
        workspace = model.update_workspace(ids, workspace=workspace)
    held = [at for at, slot in enumerate(workspace.slot_ids[0].tolist()) if slot >= 0]
    states = [workspace.slots[0, at] for at in held]
    pairs = [1 - torch.cosine_similarity(a, b, dim=0) for a, b in itertools.combinations(states, 2)]
    values = {
        "workspace_norm": sum(state.norm() for state in states) / len(states),
        "slot_diversity": sum(pairs) / len(pairs),
    }
    if openness:
        values["gate_openness"] = sum(openness) / len(openness)
    if model.config.slots_are_tokens:
        validity = [workspace.validity[0, at] for at in held]
        values["mean_validity"] = sum(validity) / len(validity)
        values["doubted_slots"] = sum(float(value < 0.5) for value in validity) / len(validity)
    return {name: float(value) for name, value in values.items()}


@pytest.mark.parametrize("name", RULES)
def test_the_workspace_is_measured_as_by_hand(name):
    model, given = tiny_model(name), conversation(0)
    measured = Telemetry(batch_of(given)).measure(model)
    wanted = by_hand(model, given)
    assert {name: measured[name] for name in wanted} == pytest.approx(wanted, abs=1e-4)


def test_a_message_that_a_row_does_not_hear_opens_no_gate():
    model, first, second = tiny_model("gated"), conversation(0), conversation(1, updates=1)
    both = Telemetry(batch_of(first, second)).measure(model)["gate_openness"]
    # One heard 5 messages, the other 4.
    wanted = (5 * by_hand(model, first)["gate_openness"] + 4 * by_hand(model, second)["gate_openness"]) / 9
    assert both == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("name", GENERATORS)
def test_each_kind_of_model_has_its_numbers(name):
    measured = Telemetry(batch_of(conversation(0), conversation(1))).measure(tiny_model(name))
    assert measured.keys() == NAMES[name]
    assert all(0 <= value <= 1 for name, value in measured.items() if name not in ("workspace_norm", "slot_diversity"))


def test_without_updates_the_dual_stream_has_nothing_to_attend_to():
    batch = batch_of(conversation(0, updates=0))
    assert "update_ids" not in batch
    assert Telemetry(batch).measure(tiny_model("dual_stream")) == {}
    assert Telemetry(batch).measure(tiny_model("validity")).keys() == NAMES["validity"]


@pytest.mark.parametrize("name", ["dual_stream", *RULES])
def test_padding_and_neighbours_change_nothing(name):
    model, first, second = tiny_model(name), conversation(0), conversation(1, updates=1)
    # 6 tokens are the longest message that fits.
    narrow, wide = (Telemetry(batch_of(first, second, multiple=multiple)).measure(model) for multiple in (1, 6))
    assert narrow == pytest.approx(wide, abs=1e-4)


@pytest.mark.parametrize("name", ["validity", "gated"])
def test_dead_slots_are_those_that_no_token_looks_at(name):
    model, given = tiny_model(name), conversation(0)
    batch = batch_of(given, multiple=1)
    with torch.no_grad(), AttentionProbe(model) as probe:
        model(**batch)
    largest = probe.cross[0, :, 1:].amax(0)
    if name == "gated":
        # Three versions side by side.
        largest = largest.view(3, 5).amax(0)
    else:
        # The slots of all messages side by side.
        assert len(largest) == sum(map(len, messages_of(given)))
    shares = largest.sort().values
    for dead in (0, 1, len(shares) // 2, len(shares)):
        low, high = float(shares[dead - 1]) if dead else 1e-9, float(shares[dead]) if dead < len(shares) else 0.999
        measured = Telemetry(batch, dead_below=(low + high) / 2).measure(model)
        assert measured["dead_slots"] == pytest.approx(dead / len(shares))


def test_a_model_that_trains_is_left_as_it_was():
    model = tiny_model("gated", seed=3)
    model.train()
    model.model.encoder.eval()
    telemetry = Telemetry(batch_of(conversation(0)))

    def state():
        hooks = sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())
        modes = [module.training for module in model.modules()]
        return hooks, modes, model.config._attn_implementation, torch.get_rng_state().tolist()

    try:
        before = state()
        telemetry.measure(model)
        assert state() == before and all(parameter.grad is None for parameter in model.parameters())
    finally:
        model.eval()


def test_samples_with_updates_are_taken_first():
    tokenizer = toy_tokenizer()
    encoded = [encode_sample(tokenizer, sample) for sample in samples(40, num_updates=(0, 1))]
    with_updates = [sample for sample in encoded if sample["update_ids"]]
    assert 4 < len(with_updates) < 40 and encoded[:4] != with_updates[:4]
    collator = ChannelCollator(tokenizer)
    chosen = Telemetry.from_samples(encoded, collator, count=4).batch
    torch.testing.assert_close(chosen["input_ids"], collator(with_updates[:4])["input_ids"])
    quiet = [sample for sample in encoded if not sample["update_ids"]]
    assert len(Telemetry.from_samples(quiet, collator, count=3).batch["input_ids"]) == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda batch: Telemetry({"input_ids": batch["input_ids"]}), "`batch` must have `prompt_ids` and `input_ids`"),
        (lambda batch: Telemetry(batch, dead_below=0.0), "`dead_below` must be between 0 and 1"),
        (lambda batch: Telemetry(batch, doubted_below=1.5), "`doubted_below` must be between 0 and 1"),
        (lambda batch: Telemetry.from_samples([], ChannelCollator(toy_tokenizer())), "`samples` is empty"),
        (lambda batch: Telemetry.from_samples([conversation(0)], None, count=0), "`count` must be at least 1"),
    ],
)
def test_every_mistake_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make(batch_of(conversation(0)))


def test_a_negative_number_of_samples_is_named(tmp_path):
    with pytest.raises(ValueError, match="`telemetry_samples` must be 0 "):
        train(write_config(tmp_path), tmp_path / "run", telemetry_samples=-1)


# In a run


def logged(facts) -> list[dict]:
    return [entry for entry in facts["log"] if "loss" in entry]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that reports to tensorboard, and one without telemetry."""
    folder = tmp_path_factory.mktemp("telemetry")
    config = write_config(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TENSORBOARD_LOGGING_DIR", str(folder / "events"))
        facts = train(config, folder / "with", report_to="tensorboard", logging_steps=2)
    without = train(config, folder / "without", telemetry_samples=0, logging_steps=2)
    return folder, facts, without


def test_each_logging_step_has_the_telemetry_beside_the_loss(run):
    _, facts, without = run
    assert [entry["step"] for entry in logged(facts)] == [2, 4, 6]
    assert all(NAMES["validity"] <= entry.keys() for entry in logged(facts))
    assert len({entry["workspace_norm"] for entry in logged(facts)}) == 3
    assert not any(NAMES["validity"] & entry.keys() for entry in without["log"])
    assert not any(NAMES["validity"] & entry.keys() for entry in facts["log"] if "loss" not in entry)


def test_telemetry_does_not_change_the_training(run):
    folder, facts, without = run
    first, second = weights(folder / "with"), weights(folder / "without")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert [entry["loss"] for entry in logged(facts)] == [entry["loss"] for entry in logged(without)]


def test_tensorboard_has_every_number(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder, facts, _ = run
    events = EventAccumulator(str(folder / "events"))
    events.Reload()
    for name in NAMES["validity"]:
        shown = [(scalar.step, scalar.value) for scalar in events.Scalars(f"train/{name}")]
        assert shown == [(entry["step"], pytest.approx(entry[name], rel=1e-5)) for entry in logged(facts)]


def test_trackio_has_every_number(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    config = write_config(tmp_path, update_type="gated", n_slots=8)
    facts = train(config, tmp_path / "run", report_to="trackio", project="toys", run_name="gated", logging_steps=3)
    from trackio.sqlite_storage import SQLiteStorage

    rows = [row for row in SQLiteStorage.get_logs("toys", "gated") if "train/loss" in row]
    assert [row["train/global_step"] for row in rows] == [3, 6]
    for name in NAMES["gated"]:
        assert [row[f"train/{name}"] for row in rows] == pytest.approx([entry[name] for entry in logged(facts)])


def test_a_baseline_trains_without_telemetry(tmp_path):
    facts = train(write_config(tmp_path), tmp_path / "run", model_type="baseline", max_steps=1)
    assert logged(facts) and not any(NAMES["validity"] & entry.keys() for entry in facts["log"])
