"""Talking to a duplex adapter, looking into it, and giving it to a pipeline: a tiny one."""

import pytest
import torch
from tiny_chat import chat_model, chat_tokenizer, write_adapter, write_base
from transformers import pipeline
from typer.testing import CliRunner

from hf_duplex import DuplexAdapterConfig, Interrupt, listen
from hf_duplex.cli.app import app
from hf_duplex.cognition.advisor import Edit, LiveAdvisor
from hf_duplex.evaluation.benchmarks.inspection import inspect_session
from hf_duplex.evaluation.benchmarks.scenes import Update
from hf_duplex.modeling import ChatFormat
from hf_duplex.runtime.checkpoints import load_checkpoint
from hf_duplex.runtime.live import LiveText


PROMPT = "Say one, two."


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    return write_adapter(folder / "adapter", chat_model()), write_base(folder / "base")


@pytest.fixture(scope="module")
def loaded(folders):
    return load_checkpoint(folders[0], "--model", base=folders[1])


@pytest.fixture(scope="module", params=["workspace", "spliced"])
def either(request, loaded):
    return loaded if request.param == "workspace" else (listen(chat_model()), chat_tokenizer())


def play(loaded, *updates, n=12):
    due = dict(updates)
    text = LiveText(*loaded, PROMPT, max_new_tokens=n)
    text.on_step = lambda emitted: text.tell(due.pop(emitted)) if emitted in due else None
    text.run()
    return text


def test_undo_leaves_no_trace(either):
    text, untold = play(either, (5, "Say three.")), play(either)
    assert text.heard[0].after == 5 and text.processed_again == 0 == untold.processed_again
    assert text.text != untold.text
    text.undo()
    text.max_new_tokens = 7
    text.run()
    assert text.text == untold.text and text.version == untold.version == 1


def test_after_the_end_every_line_is_an_update(folders):
    lines = f"{PROMPT}\n/wait\nSay three.\n/wait\n/slots\n/undo\n/quit\n"
    options = ["chat", "--model", folders[0], "--base", folders[1], "--max-new-tokens", "8"]
    shown = CliRunner().invoke(app, options, input=lines)
    assert shown.exit_code == 0, shown.output
    assert "v2 · Say three. ·" in shown.stdout and "of 2048 slots" in shown.stdout
    first, second = (line for line in shown.stdout.splitlines() if line.startswith("  v"))
    assert "".join(first.split()[1::2]) == "".join(PROMPT.split()), "nothing of the chat template"
    assert "".join(second.split()[1::2]) == "Saythree."
    assert "Taken back: Say three." in shown.stdout


def test_an_insight_goes_on_where_it_was_edited(loaded):
    advice = LiveAdvisor(*loaded, max_new_tokens=8).open({"1": "One."})
    before = advice.run(lambda text: True)
    edit = Edit("1", "One.", "Two.")
    advice.tell([edit])
    after = advice.run(lambda text: True)
    assert after.startswith(before) and [heard.text for heard in advice.text.heard] == ["Correction: Two."]
    advice.tell([edit.undone])
    # A text that was cut off by its length goes on.
    assert advice.run(lambda text: True).startswith(before)
    assert advice.text.heard == [] and advice.restarts == 0


def test_attention_of_an_adapter_is_that_of_its_layers(either):
    updates = (Update("Say three.", 4), Update("No, four.", None))
    found = inspect_session(*either, PROMPT, updates, max_new_tokens=10)
    plain = LiveText(*either, PROMPT, max_new_tokens=10)
    plain.run()
    assert [token.id for token in found.tokens[:4]] == [token.id for token in plain.tokens[:4]]
    assert [message.text for message in found.messages] == [PROMPT, "Say three.", "No, four."]
    for token in found.tokens:
        assert sum(token.messages) + token.itself == pytest.approx(1, abs=1e-4)
        assert len(token.messages) == token.version
    # The update is attended to, and the model is as it was.
    assert found.tokens[4].messages[1] > 0
    assert either[0].implementation != "eager" or either[0].base.config._attn_implementation == "eager"


def test_each_version_of_an_adapters_workspace_is_shown(loaded):
    updates = (Update("Say three.", 0), Update("No, four.", 5))
    found = inspect_session(*loaded, PROMPT, updates, max_new_tokens=10, versions=(1, 3))
    assert [len(message.effect.moves.written) > 0 for message in found.messages] == [True] * 3
    assert [int(workspace.version[0]) for workspace in found.workspaces] == [0, 1, 2, 3]
    assert "".join(found.difference.moves.written) == "Saythree.No,four."


def test_a_pipeline_emits_what_generate_emits(either):
    model, tokenizer = either
    words = ChatFormat(tokenizer, spliced=not model.keeps_workspace)
    options = {"max_new_tokens": 10, "eos_token_id": None, "do_sample": False}
    ids, start = words.prompt(PROMPT)
    update = Interrupt(torch.tensor([words.update("Say three.")]))
    output = model.generate(
        input_ids=torch.tensor([[start]]),
        prompt_ids=torch.tensor([ids]),
        interrupt_callback=lambda seen: update if seen.shape[1] == 5 else None,
        **options,
    )
    talk = pipeline("duplex-generation", model=model, tokenizer=tokenizer)
    found = talk(PROMPT, updates=[(4, "Say three.")], **options)
    assert found["tokens"] == output[0, 1:].tolist() and found["versions"] == [1] * 4 + [2] * 6


def test_text_generation_answers_a_chat_and_says_what_plain_text_lacks(loaded, caplog):
    adapter = listen(chat_model(), DuplexAdapterConfig(lora_rank=4, doubt_size=8, turn_end_token_id=2))
    talk = pipeline("text-generation", model=adapter, tokenizer=loaded[1])
    options = {"max_new_tokens": 8, "do_sample": False, "return_full_text": False}
    base = pipeline("text-generation", model=chat_model(), tokenizer=loaded[1])
    chat = [{"role": "user", "content": PROMPT}]
    assert talk(chat, **options) == base(chat, **options)
    assert "chat template" not in caplog.text
    assert talk(PROMPT, **options) == base(PROMPT, **options)
