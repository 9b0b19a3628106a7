"""The controller: chunks, pauses that only a user ends, commands, and what is typed at a pause."""

import io
import json

import pytest
import torch
from tiny_models import KINDS, talking_model, tiny_tokenizer, words  # noqa: E402
from transformers import LogitsProcessor

from hf_duplex.modeling import Interrupt, InterruptError, encode_prompt
from hf_duplex.pressure.controller import ChunkEnd, SessionController
from hf_duplex.pressure.multistep import MultistepWorkspaceForCausalLM
from hf_duplex.pressure.signals import Clock, Signals
from hf_duplex.pressure.telemetry import PAUSE_REASONS, stream_to
from hf_duplex.released import SHIPPED, WORKSPACE
from hf_duplex.runtime.checkpoints import load_checkpoint
from hf_duplex.runtime.live import LiveText


PROMPT = "Given x = 5, y = 3, compute 1) 3x + 2; 2) x + y; 3) 4y + 1."
CALM = Signals(0.2, 0.5, 0.0, 0.5, 0.5, 0.5, 0.5, 0.0, 0.5)


@pytest.fixture(scope="module")
def loaded():
    return load_checkpoint(str(SHIPPED / WORKSPACE), "--model")


class Fixed:
    """A provider that always says the same."""

    def __init__(self, signals=CALM):
        self.now, self.constraint_penalty, self.resets = signals, 0.0, 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def logits_processors(self):
        return ()

    def signals(self):
        return Signals(**{**self.now.to_dict(), "constraint_penalty": self.constraint_penalty})

    def clocks(self):
        return dict.fromkeys(("fast", "mid", "slow"), Clock(0, 0.5))

    def reset(self):
        self.resets += 1


def tiny(name="validity", chunk_size=6, provider=None, mode="multistep", **kwargs):
    controller = SessionController(talking_model(name), chunk_size, provider=provider or Fixed(), **kwargs)
    controller.set_mode(mode)
    return controller


def begin(controller, max_chunks=10, **kwargs):
    options = {"prompt_ids": words(1, 5), "do_sample": False, "eos_token_id": None, **kwargs}
    return controller.generate_with_pauses(None, max_chunks, **options)


def arithmetic(loaded, mode="multistep", chunk_size=20, **kwargs):
    controller = SessionController(loaded[0], chunk_size, tokenizer=loaded[1], **kwargs)
    controller.set_mode(mode)
    ids = torch.tensor([encode_prompt(loaded[1], PROMPT)])
    return controller, controller.generate_with_pauses(None, 20, prompt_ids=ids, do_sample=False)


def count_forwards(model, calls):
    return model.model.register_forward_pre_hook(lambda module, args: calls.append(1))


# Chunks and pauses


@pytest.mark.parametrize("name", KINDS)
def test_multistep_pauses_after_every_chunk_and_says_what_one_go_says(name):
    whole = begin(tiny(name, chunk_size=24), max_chunks=1).token_ids
    controller = tiny(name)
    pauses = [begin(controller)] + [controller.reply() for _ in range(3)]
    assert {pause.reason for pause in pauses} == {"multistep_chunk_complete"}
    assert [pause.chunks for pause in pauses] == [1] * 4 and [len(pause.token_ids) for pause in pauses] == [6] * 4
    assert sum((pause.token_ids for pause in pauses), []) == whole


def test_after_a_pause_nothing_is_said_until_the_user_acts(loaded):
    controller = tiny()
    calls = []
    handle = count_forwards(controller.model, calls)
    begin(controller)
    said, at_pause = list(controller.turn.said), len(calls)
    controller.set_mode("multistep")
    assert controller.command("multistep on") and controller.reply("multistep off") is None
    controller.provider.signals()
    assert len(calls) == at_pause == 6 and controller.turn.said == said
    controller.reply("multistep on")
    controller.reply()
    handle.remove()
    assert len(calls) == 12


def test_the_whole_conversation_takes_one_forward_for_each_token(loaded):
    """Watching costs none, pausing costs none, and no token enters twice."""
    calls = []
    handle = count_forwards(loaded[0], calls)
    controller, pause = arithmetic(loaded)
    while not pause.ended:
        pause = controller.reply()
    handle.remove()
    assert len(calls) == len(controller.turn.said) == controller.turn.cache.processed_tokens


def test_a_single_turn_runs_to_its_end(loaded):
    untold = LiveText(*loaded, PROMPT)
    untold.run()
    records = []
    controller, pause = arithmetic(loaded, "single_turn", on_record=records.append)
    assert pause.ended and pause.reason == "end_of_text" and pause.chunks == len(records) > 1
    assert pause.text == untold.text
    assert [record["pause_reason"] for record in records] == ["continue"] * (pause.chunks - 1) + ["end_of_text"]
    with pytest.raises(ValueError, match="has ended"):
        controller.reply()


def test_there_is_a_maximum_of_chunks():
    assert begin(tiny(mode="single_turn"), max_chunks=3).reason == "max_chunks"
    controller = tiny()
    begin(controller, max_chunks=2)
    controller.reply()
    with pytest.raises(ValueError, match="`max_chunks`"):
        controller.reply()
    assert len(controller.turn.said) == 12


@pytest.mark.parametrize("mode", ["single_turn", "multistep"])
def test_pressure_that_holds_back_pauses_in_either_mode(mode):
    drift = Signals(0.9, 0.0, -3.0, 5.0, 0.0, -2.0, -2.0, 0.0, 0.9)
    pause = begin(tiny(provider=Fixed(drift), mode=mode))
    assert pause.reason == "negative_pressure" and pause.chunks == 1 and len(pause.token_ids) == 6


@pytest.mark.parametrize("mode", ["single_turn", "multistep"])
def test_the_fast_clock_brakes_at_once(mode):
    pause = begin(tiny(provider=Fixed(Signals(1.0, -3.0, -1.0, 0.2, 0.9, 0.9, 0.9, 0.0, 0.9)), mode=mode))
    assert pause.reason == "fast_instability" and len(pause.token_ids) == 1


def test_decisions_are_the_same_twice(loaded):
    runs = []
    for _ in range(2):
        records = []
        controller, pause = arithmetic(loaded, on_record=records.append)
        while not pause.ended:
            pause = controller.reply()
        runs.append((records, controller.turn.said))
    assert runs[0] == runs[1]


# Ends of sentences


def chunk_lengths(text, size, longest):
    """Where a chunk ends that says a text letter by letter."""
    tokenizer = tiny_tokenizer()
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    end = ChunkEnd(size, longest, tokenizer, brake=lambda: False)
    return next((n for n in range(1, len(ids) + 1) if end.is_over(ids[:n])), None)


@pytest.mark.parametrize(
    ("text", "size", "length"),
    [
        ("aaaa bbbb. cccc dddd. eeee ffff.", 20, 21),  # the end just behind
        ("aaaa bbbb. cccc dddd. eeee ffff.", 24, 21),  # the end before it is nearer than the next will be
        ("aaaa bbbb. cccc dddd. eeee ffff.", 28, 32),  # and here it is not
        ("aaaa bbbb! cccc dddd? eeee ffff.", 22, 21),
        ("it is 3.5 m and 4.5 m wide. and so on.", 8, 27),  # a decimal point ends nothing
        ("it is 3 m or 4. and so on", 12, 16),  # a full stop behind a number does, once white space follows
        ("a" * 60, 20, 30),  # no end: the longest that a chunk can be
    ],
)
def test_a_chunk_ends_at_the_nearest_sentence_end(text, size, length):
    assert chunk_lengths(text, size, 40 if size == 8 else size + size // 2) == length


def test_chunks_of_the_released_model_end_with_sentences(loaded):
    controller, pause = arithmetic(loaded, chunk_size=20)
    assert 10 <= len(pause.token_ids) <= 30 and "17." in pause.text and not pause.ended


# Commands and what is typed


def test_commands():
    controller = SessionController(talking_model("validity"), 6, provider=Fixed())
    assert controller.mode == "single_turn"
    assert controller.reply("  Multistep ON ") is None and controller.mode == "multistep"
    assert controller.reply("multistep off") is None and controller.mode == "single_turn"
    controller.set_mode("multistep")
    begin(controller)
    controller.residual_intent = 0.4
    assert controller.reply("end loop") is None
    assert (controller.residual_intent, controller.turn, controller.chunk_id) == (0.0, None, 0)
    assert controller.provider.resets == 1 and controller.mode == "multistep"
    with pytest.raises(ValueError, match="nothing is paused"):
        controller.reply()


def test_residual_intent_is_carried_and_weighs_in():
    records = []
    controller = tiny(tokenizer=tiny_tokenizer(), on_record=records.append, chunk_size=12)
    begin(controller)
    controller.residual_intent = 0.4
    controller.reply()
    assert records[0]["pressures"]["mid"]["weight"] == 0.5
    assert records[1]["pressures"]["mid"]["weight"] == pytest.approx(0.7)


def test_a_command_within_a_text_is_text(loaded):
    controller, _ = arithmetic(loaded)
    version = int(controller.turn.cache.version[0])
    controller.reply("please end loop now")
    assert controller.mode == "multistep" and int(controller.turn.cache.version[0]) == version + 1


def test_what_is_typed_reaches_the_workspace_without_a_restart(loaded):
    controller, first = arithmetic(loaded)
    said, version = list(controller.turn.said), int(controller.turn.cache.version[0])
    second = controller.reply("Actually x = 7.")
    assert controller.turn.said[: len(said)] == said and int(controller.turn.cache.version[0]) == version + 1
    assert "7" in second.text and "23" in second.text
    live = LiveText(*loaded, PROMPT)
    live.on_step = lambda count: live.tell("Actually x = 7.") if count == len(said) and not live.heard else None
    live.run()
    assert live.text.startswith(first.text + second.text)
    assert controller.turn.cache.processed_tokens == len(controller.turn.said)


def test_what_is_typed_is_heard_once_however_many_chunks_follow(loaded):
    controller, _ = arithmetic(loaded, chunk_size=10)
    version = int(controller.turn.cache.version[0])
    controller.set_mode("single_turn")
    assert controller.reply("Actually x = 7.").chunks > 1
    assert int(controller.turn.cache.version[0]) == version + 1


def test_after_the_end_something_new_goes_on(loaded):
    controller, pause = arithmetic(loaded, "single_turn")
    more = controller.reply("No, y = 9.")
    assert pause.ended and more is not None and more.token_ids
    assert controller.turn.said == pause.token_ids + more.token_ids


def test_what_cannot_be_heard_changes_nothing(loaded):
    controller, _ = arithmetic(loaded)
    before = list(controller.turn.said), controller.turn.chunks
    with pytest.raises(ValueError, match="max_message_length"):
        controller.reply("Actually " + "x = 7, " * 60)
    assert (controller.turn.said, controller.turn.chunks) == before
    without = tiny()
    begin(without)
    with pytest.raises(ValueError, match="tokenizer"):
        without.reply("Actually x = 7.")
    assert without.reply().chunks == 1


# When something fails


class Fails(LogitsProcessor):
    def __init__(self, at):
        self.left = at

    def __call__(self, input_ids, scores):
        self.left -= 1
        if self.left == 0:
            raise RuntimeError("a processor failed")
        return scores


def test_a_chunk_that_fails_leaves_the_turn_where_it_was():
    expected = begin(tiny(chunk_size=12), max_chunks=1).token_ids
    controller = tiny()
    begin(controller, logits_processor=[Fails(9)])
    with pytest.raises(RuntimeError, match="a processor failed"):
        controller.reply()
    assert controller.reply().chunks == 1 and controller.turn.said == expected


def test_an_interrupt_callback_hears_within_a_chunk_and_may_fail():
    def callback(input_ids):
        if input_ids.shape[1] == 4:
            return Interrupt(words(1, 3, seed=1))
        if input_ids.shape[1] == 9 and failing:
            raise RuntimeError("no line")
        return None

    failing = True
    controller = tiny()
    begin(controller, interrupt_callback=callback)
    version = int(controller.turn.cache.version[0])
    with pytest.raises(InterruptError, match="no line"):
        controller.reply()
    assert len(controller.turn.said) == 8
    failing = False
    controller.reply()
    twin = tiny(chunk_size=14)
    begin(twin, interrupt_callback=callback)
    assert controller.turn.said == twin.turn.said and int(controller.turn.cache.version[0]) == version


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"max_chunks": 0}, "max_chunks"),
        ({"max_new_tokens": 5}, "max_new_tokens"),
        ({"past_key_values": None}, "past_key_values"),
        ({"prompt_ids": words(2, 5)}, "prompt_ids"),
    ],
)
def test_unusable_arguments_are_named(arguments, name):
    controller = tiny()
    with pytest.raises(ValueError, match=f"`{name}`"):
        begin(controller, **arguments)
    assert controller.turn is None


def test_an_unusable_controller_is_refused():
    with pytest.raises(ValueError, match="`chunk_size`"):
        tiny(chunk_size=0)
    with pytest.raises(ValueError, match="`mode`"):
        tiny(mode="forever")
    with pytest.raises(ValueError, match="tokenizer"):
        tiny().add_constraint("brief", len)


# Constraints and telemetry


def test_constraints_weigh_on_the_slow_clock(loaded):
    records = []
    controller, _ = arithmetic(loaded, on_record=records.append)
    seen = []
    controller.add_constraint("none", lambda text: 0.0)
    controller.add_constraint("no results", lambda text: seen.append(text) or 2.0 * ("=" in text))
    controller.reply()
    slow = [record["pressures"]["slow"] for record in records]
    assert [entry["signals"]["constraint_penalty"] for entry in slow] == [0.0, 2.0]
    assert slow[0]["value"] >= 0 > slow[1]["value"] and seen[0].startswith("3x + 2")


@pytest.mark.parametrize("penalty", [-1.0, float("nan"), float("inf")])
def test_a_constraint_that_makes_no_sense_is_named_and_nothing_is_lost(loaded, penalty):
    controller, _ = arithmetic(loaded, chunk_size=10)
    controller.add_constraint("odd one", lambda text: penalty)
    with pytest.raises(ValueError, match="`odd one`"):
        controller.reply()
    del controller.constraints["odd one"]
    assert controller.turn.chunks == 2 and controller.reply().chunks == 1


def test_telemetry_has_the_keys_and_holds_numbers_and_categories(loaded):
    file = io.StringIO()
    controller, pause = arithmetic(loaded, on_record=stream_to(file))
    controller.reply("Actually x = 7.")
    records = [json.loads(line) for line in file.getvalue().splitlines()]
    assert records[0] == pause.record and [record["chunk_id"] for record in records] == [1, 2]
    for record in records:
        assert list(record) == ["mode", "chunk_id", "pause_reason", "residual_intent", "pressures", "clocks"]
        assert record["pause_reason"] in PAUSE_REASONS and record["mode"] == "multistep"
        assert list(record["pressures"]) == ["fast", "mid", "slow", "net"]
        signals = {name: list(record["pressures"][name]["signals"]) for name in ("fast", "mid", "slow")}
        assert signals == {
            "fast": ["router_entropy", "router_margin", "delta_R"],
            "mid": ["margin", "trans_prob", "prox_meso", "delta_R"],
            "slow": ["prox_macro", "constraint_penalty", "confidence"],
        }
        for name in ("fast", "mid", "slow"):
            assert list(record["pressures"][name]) == ["value", "weight", "signals"]
            assert list(record["clocks"][name]) == ["current_basin", "confidence"]
            assert -1 <= record["pressures"][name]["value"] <= 1
        assert record["pressures"]["fast"]["weight"] <= 0.2


def test_a_signal_that_is_no_number_is_named():
    with pytest.raises(ValueError, match="signals.trans_prob"):
        begin(tiny(provider=Fixed(Signals(0.2, 0.5, 0.0, 0.5, float("nan"), 0.5, 0.5, 0.0, 0.5))))


# On a model


def test_a_model_speaks_in_chunks_by_itself_and_is_saved_as_a_plain_one(loaded, tmp_path):
    model = MultistepWorkspaceForCausalLM.from_pretrained(SHIPPED / WORKSPACE, dtype=torch.float32).eval()
    ids = torch.tensor([encode_prompt(loaded[1], PROMPT)])
    pause = model.generate_multistep(
        None, "multistep", chunk_size=20, tokenizer=loaded[1], prompt_ids=ids, do_sample=False
    )
    controller, expected = arithmetic(loaded)
    assert pause == expected and model.get_pressure_signals() == controller.provider.signals().to_dict()
    assert model.controller.reply("Actually x = 7.") == controller.reply("Actually x = 7.")
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["architectures"] == ["WorkspaceForCausalLM"] and (tmp_path / "modeling_workspace.py").is_file()
    assert type(model) is MultistepWorkspaceForCausalLM and model.controller is not None
