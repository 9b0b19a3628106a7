"""Looking inside: what is shown equals what a forward over the whole conversation computes, for every generator."""

import io
import json
import xml.etree.ElementTree as ElementTree

import pytest
import torch
from rich.console import Console
from tiny_models import (  # noqa: E402
    BOS,
    GENERATORS,
    RULES,
    SEP,
    pad_messages,
    talking_model,
    tiny_model,
    tiny_tokenizer,
    words,
)

from hf_duplex.evaluation.benchmarks.inspection import inspect_session
from hf_duplex.evaluation.benchmarks.inspection_views import draw, render, run_inspect
from hf_duplex.evaluation.benchmarks.scenes import Update
from hf_duplex.modeling import encode_prompt, encode_update, split_messages
from hf_duplex.pressure.probes import AttentionProbe, GateProbe
from hf_duplex.released import WORKSPACE


TOKENIZER = tiny_tokenizer()
PROMPT = "a is 5, b is 3. say a, b."
UPDATES = (Update("no, a is 7.", 0), Update("b is 9.", 4), Update("a is 2.", None))
PROMPT_MESSAGES = 4
LATENT = ["gated", "gru", "residual", "slot"]


def inspected(name, **options):
    return inspect_session(talking_model(name), TOKENIZER, PROMPT, UPDATES, max_new_tokens=8, **options)


@pytest.fixture(scope="module")
def inspections():
    return {name: inspected(name) for name in GENERATORS}


def conversation(inspection):
    """The whole conversation as `forward` takes it: the last token was never read."""
    after = [message.after for message in inspection.messages if message.kind == "update"]
    update_ids, update_mask = pad_messages([[encode_update(TOKENIZER, update.text) for update in UPDATES]])
    return {
        "input_ids": torch.tensor([[BOS, *(token.id for token in inspection.tokens)][:-1]]),
        "prompt_ids": torch.tensor([encode_prompt(TOKENIZER, PROMPT)]),
        "update_ids": update_ids,
        "update_mask": update_mask,
        "update_positions": torch.tensor([[1 + count for count in after]]),
    }


def heard_ids(inspection):
    ids, mask = split_messages(torch.tensor([encode_prompt(TOKENIZER, PROMPT)]), None, SEP, 32)
    prompt = [message[there].tolist() for message, there in zip(ids[0], mask[0], strict=True)]
    return prompt + [encode_update(TOKENIZER, update.text) for update in UPDATES]


def parallel_cross(name, inspection):
    """Cross-attention of every emitted token, `(tokens, 1 + slots of all versions)`, from one forward."""
    model = talking_model(name)
    with torch.no_grad(), AttentionProbe(model) as probe:
        model(**conversation(inspection))
    return probe.cross[0]


def close(given, wanted):
    torch.testing.assert_close(torch.as_tensor(given), torch.as_tensor(wanted), atol=1e-5, rtol=0)


def test_the_probe_takes_the_mean_over_layers_and_heads_of_self_attention():
    model, ids = tiny_model("baseline", seed=1, attention="eager"), words(2, 7)
    with torch.no_grad(), AttentionProbe(model) as probe:
        attentions = model(ids, output_attentions=True).attentions
    assert probe.cross is None and len(attentions) == 2
    close(probe.own, sum(layer[:, head] for layer in attentions for head in range(4)) / 8)


def test_the_probe_takes_the_mean_over_layers_and_heads_of_cross_attention():
    model, ids, prompt = tiny_model("validity", num_key_value_heads=4), words(1, 3), words(1, 5, seed=1)
    queries = []
    hooks = [
        layer.cross_attn.register_forward_pre_hook(lambda module, args: queries.append((module, args)))
        for layer in model.model.layers
    ]
    with torch.no_grad(), AttentionProbe(model, own=False) as probe:
        model(ids, prompt_ids=prompt)
    wanted = torch.zeros(3, 6)
    for module, (hidden, (keys, _), bias, known) in queries:
        bias = known[:, None] @ bias
        for head in range(4):
            query = module.q_proj(hidden)[0, :, 8 * head : 8 * head + 8]
            wanted += (query @ keys[0, head].T / 8**0.5 + bias.expand(1, 4, -1, -1)[0, head]).softmax(-1).detach() / 8
    for hook in hooks:
        hook.remove()
    close(probe.cross[0], wanted)
    assert probe.own is None


def test_the_probe_sees_through_compiled_blocks():
    ids, prompt = words(1, 3), words(1, 5, seed=1)
    plain, model = (tiny_model("gated", seed=4, attention="eager", rms_norm_eps=eps) for eps in (1e-6, 1.0001e-6))
    for layer in model.model.layers:
        layer.compile(backend="eager")
    seen = []
    for listener in (plain, model):
        with torch.no_grad():
            listener(ids, prompt_ids=prompt)
            with AttentionProbe(listener) as probe:
                listener(ids, prompt_ids=prompt)
        seen.append(probe.cross)
    close(*seen)


@pytest.mark.parametrize("name", GENERATORS)
def test_messages_are_told_with_their_versions_and_places(inspections, name):
    inspection = inspections[name]
    assert [message.version for message in inspection.messages] == list(range(1, 8))
    texts = [message.text for message in inspection.messages]
    assert texts == ["a is 5,", "b is 3.", "say a,", "b.", "no, a is 7.", "b is 9.", "a is 2."]
    after = [message.after for message in inspection.messages]
    assert after[:6] == [None] * PROMPT_MESSAGES + [0, 4]
    known = [PROMPT_MESSAGES + sum(count <= at for count in after[4:]) for at in range(len(inspection.tokens))]
    assert [token.version for token in inspection.tokens] == known and known[0] == 5 and known[-1] == 7
    # What ended or was cut off at 8 tokens was told the last update, and went on.
    assert after[6] == min(8, after[6]) < len(inspection.tokens)


@pytest.mark.parametrize("name", GENERATORS)
def test_the_weights_of_each_attention_sum_to_1(inspections, name):
    for token in inspections[name].tokens:
        if name == "dual_stream":
            close(sum(token.messages[:PROMPT_MESSAGES]) + token.itself, 1.0)
            close(sum(token.messages[PROMPT_MESSAGES:]) + token.nothing, 1.0)
        elif name == "baseline":
            assert token.nothing is None
            close(sum(token.messages) + token.itself, 1.0)
        else:
            assert token.itself is None
            close(sum(token.slots.values()) + token.nothing, 1.0)
        weights = [weight for _, weight in token.top]
        assert weights == sorted(weights, reverse=True) and weights[0] > 0


def test_validity_attends_step_by_step_as_in_one_forward(inspections):
    inspection = inspections["validity"]
    cross = parallel_cross("validity", inspection)
    assert len(cross) == len(inspection.tokens)
    lengths = [len(ids) for ids in heard_ids(inspection)]
    # The slots of all messages lie side by side.
    by_message = cross[:, 1:].split(lengths, dim=1)
    for at, token in enumerate(inspection.tokens):
        weights = [slots[at] for slots in by_message[: token.version]]
        close(token.nothing, cross[at, 0])
        close(token.messages, [float(slots.sum()) for slots in weights])
        known = [token.slots[32 * message + at] for message in range(token.version) for at in range(lengths[message])]
        close(known, torch.cat(weights))


@pytest.mark.parametrize("name", LATENT)
def test_latent_slots_are_attended_to_step_by_step_as_in_one_forward(inspections, name):
    inspection = inspections[name]
    # The versions after the prompt and after each update lie side by side.
    by_version = parallel_cross(name, inspection)[:, 1:].unflatten(1, (1 + len(UPDATES), -1))
    for token, weights in zip(inspection.tokens, by_version, strict=True):
        assert token.messages is None and sorted(token.slots) == list(range(5))
        close([token.slots[slot] for slot in range(5)], weights[token.version - PROMPT_MESSAGES])


def test_the_dual_stream_hears_updates_step_by_step_as_in_one_forward(inspections):
    inspection = inspections["dual_stream"]
    weights = parallel_cross("dual_stream", inspection)
    # `forward` lays the prompt before the emitted stream.
    weights = weights[-len(inspection.tokens) :]
    lengths = [len(ids) for ids in heard_ids(inspection)[PROMPT_MESSAGES:]]
    by_update = torch.stack([part.sum(-1) for part in weights[:, 1:].split(lengths, dim=1)], dim=1)
    for token, nothing, updates in zip(inspection.tokens, weights[:, 0], by_update, strict=True):
        close(token.nothing, nothing)
        close(token.messages[PROMPT_MESSAGES:], updates[: token.version - PROMPT_MESSAGES])


@pytest.mark.parametrize("window", [None, 12])
def test_the_baseline_attends_as_over_the_line_that_it_has_read(window):
    model = tiny_model("baseline", max_message_length=32, sliding_window=window)
    inspection = inspect_session(model, TOKENIZER, PROMPT, UPDATES, max_new_tokens=8)
    heard = heard_ids(inspection)
    line = [(token, version) for version, ids in enumerate(heard[:4], start=1) for token in ids] + [(BOS, 0)]
    for at, token in enumerate(inspection.tokens):
        for message in inspection.messages:
            if message.after == at:
                line += [(entry, message.version) for entry in heard[message.version - 1]]
        with torch.no_grad(), AttentionProbe(model) as probe:
            model(torch.tensor([[entry for entry, _ in line]]))
        weights = probe.own[0, -1]
        owners = torch.tensor([version for _, version in line])
        sums = [float(weights[owners == version].sum()) for version in range(token.version + 1)]
        close([token.itself, *token.messages], sums)
        best = max((float(weight), at) for at, weight in enumerate(weights) if line[at][1])
        assert token.top[0][0].text == TOKENIZER.decode([line[best[1]][0]])
        line.append((token.id, 0))


@pytest.mark.parametrize("name", RULES)
def test_effects_are_the_changes_of_the_workspace(inspections, name):
    inspection, model = inspections[name], talking_model(name)
    workspace = inspection.workspaces[0]
    for message, ids in zip(inspection.messages, heard_ids(inspection), strict=True):
        with torch.no_grad():
            after = model.update_workspace(torch.tensor([ids]), workspace=workspace)
        change = after.changes(workspace)
        effect = message.effect
        assert (effect.first, effect.second) == (message.version - 1, message.version)
        assert [slot.slot for slot in effect.slots if slot.before is None] == change.written
        assert [slot.slot for slot in effect.slots if slot.after is None] == change.dropped
        by_slot = {slot.slot: slot for slot in effect.slots}
        for slot, (before, now) in change.doubted.items():
            close([by_slot[slot].before, by_slot[slot].after], [before, now])
        for slot, motion in change.moved.items():
            close(by_slot[slot].moved, motion)
        assert set(effect.moves.moved) == {f"slot {slot}" for slot in change.moved}
        workspace = after
    close(inspection.workspaces[-1].slots, workspace.slots)
    assert len(inspection.workspaces) == 1 + len(inspection.messages)
    doubts, motion = bool(change.doubted), bool(change.moved)
    assert (doubts, motion) == ((True, False) if name in ("validity", "defeasible") else (False, True))


def test_slots_of_the_validity_rule_name_their_token_and_message(inspections):
    written = [slot for slot in inspections["validity"].messages[4].effect.slots if slot.before is None]
    assert "".join(slot.text for slot in written) == "<update> no, a is 7.<sep>"
    assert {slot.message for slot in written} == {5} and {slot.after for slot in written} == {1.0}


def test_a_full_workspace_tells_what_it_dropped():
    model = tiny_model("validity", max_message_length=32, n_slots=32)
    inspection = inspect_session(model, TOKENIZER, PROMPT, UPDATES, max_new_tokens=8)
    dropped = [slot for message in inspection.messages for slot in message.effect.slots if slot.after is None]
    assert dropped and all(slot.before > 0 for slot in dropped)
    for token in inspection.tokens:
        close(sum(token.messages) + token.nothing, 1.0)
        assert len(token.slots) <= 32


def test_gates_of_the_gated_rule_are_those_of_its_formula(inspections):
    model, inspection = talking_model("gated"), inspections["gated"]
    rule, before = model.model.update_rule, inspection.workspaces[3]
    ids = torch.tensor([[heard_ids(inspection)[3]]])
    states = model.model.encode(ids, torch.ones_like(ids).bool())[:, 0]
    read = rule.read(before.slots, states, torch.ones_like(ids[0]).bool())
    both = torch.cat([rule.slot_norm(before.slots), read], dim=-1)
    close(inspection.messages[3].gate, rule.gate(both).sigmoid().mean())


@pytest.mark.parametrize("name", ["gru", "slot"])
def test_gates_of_a_gru_say_how_much_of_the_new_value_is_taken(name):
    rule = talking_model(name).model.update_rule
    read, slots = torch.randn(2, 1, 5, 32)
    with GateProbe(rule) as probe, torch.no_grad():
        new = rule.write(slots, read)[0]
        # The candidate that a GRU mixes with its old value, by the textbook.
        cell, linear = rule.cell, torch.nn.functional.linear
        reset, _, from_read = linear(read[0], cell.weight_ih, cell.bias_ih).chunk(3, dim=-1)
        reset_too, _, from_slots = linear(slots[0], cell.weight_hh, cell.bias_hh).chunk(3, dim=-1)
        candidate = (from_read + (reset + reset_too).sigmoid() * from_slots).tanh()
        taken = (new - slots[0]) / (candidate - slots[0])
    torch.testing.assert_close(probe.openness[0][0], taken.mean(-1), atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", GENERATORS)
def test_only_rules_with_gates_have_gates(inspections, name):
    gates = [message.gate for message in inspections[name].messages]
    if name in ("gated", "gru", "slot"):
        assert all(0 < gate < 1 for gate in gates)
    else:
        assert gates == [None] * 7


@pytest.mark.parametrize("name", RULES)
def test_any_two_versions_can_be_compared(name):
    inspection = inspected(name, versions=(2, 6))
    difference = inspection.difference
    assert (difference.first, difference.second) == (2, 6)
    change = inspection.workspaces[6].changes(inspection.workspaces[2])
    assert [slot.slot for slot in difference.slots if slot.before is None] == change.written
    same = inspected(name, versions=(3, 3)).difference
    assert not any((same.moves.written, same.moves.dropped, same.moves.doubted, same.moves.moved))


@pytest.mark.parametrize("name", GENERATORS)
def test_the_model_is_left_as_it_was(name):
    model = talking_model(name)

    def hooks():
        return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())

    before = model.config._attn_implementation, hooks()
    inspected(name)
    assert (model.config._attn_implementation, hooks()) == before == ("sdpa", 0)
    with pytest.raises(KeyError), AttentionProbe(model):
        raise KeyError("something went wrong")
    assert (model.config._attn_implementation, hooks()) == before


@pytest.mark.parametrize("name", GENERATORS)
def test_everything_goes_into_json(inspections, name):
    facts = json.loads(json.dumps(inspections[name].to_dict()))
    assert len(facts["messages"]) == 7 and len(facts["tokens"]) == len(inspections[name].tokens)
    assert facts["tokens"][0]["top"][0].keys() == {"slot", "text", "message", "weight"}
    if name in RULES:
        assert facts["messages"][5]["slots"][0].keys() == {"slot", "text", "message", "before", "after", "moved"}
        assert facts["update_type"] == name and len(facts["cross_gates"]) == 2


@pytest.mark.parametrize("name", GENERATORS)
def test_it_can_be_drawn(inspections, name, tmp_path):
    draw(inspections[name], tmp_path / "picture.svg")
    drawn = (tmp_path / "picture.svg").read_text()
    ElementTree.fromstring(drawn)
    assert "v6 b is 9." in drawn or name in LATENT
    assert ("Slots of the workspace" in drawn) == (name in RULES)


def test_a_picture_is_the_same_each_time(inspections, tmp_path):
    for copy in ("first.svg", "second.svg"):
        draw(inspections["gated"], tmp_path / copy)
    assert (tmp_path / "first.svg").read_text() == (tmp_path / "second.svg").read_text()


@pytest.mark.parametrize("name", GENERATORS)
def test_it_can_be_printed(name):
    options = {"versions": (4, 6)} if name in RULES else {}
    console = Console(file=io.StringIO(), width=160)
    render(inspected(name, **options), console)
    shown = console.file.getvalue()
    assert "no, a is 7." in shown and "v7" in shown
    assert ("from v4 to v6" in shown) == (name in RULES)


def test_without_updates_the_prompt_alone_is_inspected():
    inspection = inspect_session(talking_model("validity"), TOKENIZER, PROMPT, max_new_tokens=3)
    assert {token.version for token in inspection.tokens} == {4} and len(inspection.messages) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prompt": " "}, "`prompt` is empty"),
        ({"updates": (Update(" ", 1),)}, "`update` is empty"),
        ({"updates": (Update("a", 3), Update("b", 3))}, "`after` must rise"),
        ({"updates": (Update("a" * 40, 3),)}, "`update` has 43 tokens, more than max_message_length"),
        ({"max_new_tokens": 0}, "`max_new_tokens` must be at least 1"),
        ({"versions": (0, 6)}, r"`versions` must be two numbers from 0 to 5, got \(0, 6\)"),
        ({"versions": (-1, 2)}, "`versions` must be two numbers"),
        ({"name": "baseline", "versions": (0, 1)}, "`versions` are those of a workspace.*leave them out"),
        ({"name": "dual_stream", "versions": (0, 1)}, "`versions` are those of a workspace"),
    ],
)
def test_every_mistake_is_named_before_anything_is_generated(arguments, message, monkeypatch):
    options = {"prompt": PROMPT, "updates": (Update("a is 7.", 2),), "max_new_tokens": 4, **arguments}
    model = talking_model(options.pop("name", "validity"))
    monkeypatch.setattr(type(model), "generate", lambda *_, **__: pytest.fail("it generated"))
    with pytest.raises(ValueError, match=message):
        inspect_session(model, TOKENIZER, **options)
    assert model.config._attn_implementation == "sdpa"


def test_another_kind_of_model_is_named():
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    with pytest.raises(ValueError, match="`model` is a llama model.*give one of duplex_adapter"):
        inspect_session(LlamaForCausalLM(LlamaConfig(vocab_size=64, **sizes)), TOKENIZER, PROMPT)


# The command


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inspected")
    run_inspect(WORKSPACE, versions=(6, 7), json_path=folder / "inside.json", png_path=folder / "inside.png")
    return folder


def test_the_command_inspects_the_shipped_workspace(shipped):
    facts = json.loads((shipped / "inside.json").read_text())
    assert {"command", "commit", "versions", "machine", "model"} <= facts.keys()
    assert facts["model"]["name"] == WORKSPACE
    assert (shipped / "inside.png").read_bytes().startswith(b"\x89PNG")
    # "Actually x = 7." casts doubt on the 5 more than on any other word of "Given x = 5, y = 3".
    facts_given = [slot for slot in facts["difference"]["slots"] if slot["message"] in (1, 2)]
    least = min(facts_given, key=lambda slot: slot["after"] / slot["before"])
    assert (least["text"].strip(), least["message"]) == ("5", 1) and least["after"] < 0.3 < 0.8 < least["before"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"update": ["no"]}, "`--prompt` is missing"),
        ({"after": ["3"]}, "`--prompt` is missing"),
        ({"prompt": "x", "after": ["3"]}, "`--after` needs an `--update`"),
        ({"prompt": "x", "update": ["no"], "after": ["soon"]}, "`--after` must be a number of tokens, or end"),
        ({"png_path": "inside.jpeg"}, "`--png` must end in .png or .svg"),
        ({"png_path": "nowhere/inside.png"}, "`--png`: there is no folder 'nowhere'"),
        ({"json_path": "nowhere/inside.json"}, "`--json`: there is no folder 'nowhere'"),
        ({"model": "nowhere"}, "`--model`: the folder 'nowhere' does not exist"),
    ],
)
def test_the_command_names_every_mistake(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        run_inspect(**arguments)
    assert not list(tmp_path.iterdir())
