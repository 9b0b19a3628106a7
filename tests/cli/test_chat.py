"""Talking to a model while it talks: in a script, and on a screen."""

import re
import subprocess
import sys

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from typer.testing import CliRunner

from dataset_builder import FAMILIES
from hf_duplex.cli.app import app
from hf_duplex.cli.chat_screen import Chat, Screen, Transcript
from hf_duplex.released import SHIPPED, WORKSPACE
from hf_duplex.runtime.checkpoints import load_checkpoint


PROMPT = "Given x = 5, y = 3, compute 1) 3x + 2; 2) x + y; 3) 4y + 1."


def script(*lines):
    done = CliRunner().invoke(app, ["chat", "--model", WORKSPACE], input="\n".join(lines) + "\n")
    assert done.exit_code == 0, done.output
    return done


def values(text):
    return {claim.key: claim.value for claim in FAMILIES["variable_substitution"].read(text)}


@pytest.fixture(scope="module")
def loaded():
    return load_checkpoint(str(SHIPPED / WORKSPACE), "--model")


def test_lines_from_a_pipe_reach_the_text():
    shown = script(PROMPT, "Actually x = 7.").stdout
    # What was heard stands on a line of its own, in the middle of what is said.
    said = re.sub(r"\n\[v.*\]\n", "", shown)
    assert "Actually x = 7." in shown and values(said) | {"3x + 2": "23", "x + y": "10"} == values(said)


def test_a_model_that_has_finished_goes_on():
    before, after = script(PROMPT, "/wait", "No, y = 9.").stdout.split("No, y = 9.")
    assert values(before)["4y + 1"] == "13" and values(after) == {"y": "9", "x + y": "14", "4y + 1": "37"} | values(
        after
    )


def test_commands():
    done = script("/help", "/slots", "/undo", PROMPT, "/undo", "/dance", "/slots", "/new", "/workspace", "/quit")
    assert "/undo       takes" in done.stdout and done.stdout.count("Nothing has been said yet.") == 2
    assert done.stdout.count("There is no update to take back.") == 2
    assert "of 256 slots" in done.stdout and "Given 1.00" not in done.stderr
    assert done.stderr.strip() == "Error: there is no command /dance: /help lists them."


def test_undo_goes_on_as_if_it_had_never_come():
    shown = script(PROMPT, "/wait", "No, y = 9.", "/undo", "Actually x = 7.").stdout
    assert "Taken back: No, y = 9." in shown
    assert values(shown.split("Taken back")[1]) | {"x + y": "10"} == values(shown.split("Taken back")[1])


def test_an_unusable_line_is_refused_and_the_text_goes_on():
    done = script(PROMPT, "Actually " + "x = 7, " * 30)
    assert done.stderr.startswith("Error: `update` has") and values(done.stdout)["4y + 1"] == "13"


def test_the_text_is_told_from_another_thread_while_it_speaks(loaded):
    chat = Chat(*loaded, on_token=lambda: None)

    def on_token():
        if len(chat.text.tokens) == 20:
            chat.text.tell("Actually x = 7.")

    chat.on_token = on_token
    chat.say(PROMPT)
    chat.wait()
    assert not chat.speaking and chat.text.heard[0].after == 20
    assert values(chat.text.text)["3x + 2"] == "23"


def test_a_failure_is_raised_where_it_is_seen(loaded):
    def on_token():
        raise RuntimeError("the listener fell over")

    chat = Chat(*loaded, on_token=on_token)
    chat.say(PROMPT)
    with pytest.raises(RuntimeError, match="fell over"):
        chat.wait()
    assert chat.text is None and not chat.speaking


def test_a_screen(loaded, capsys):
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        transcript = Transcript()
        chat = Chat(*loaded, on_token=lambda: None)
        screen = Screen(chat, transcript)

        def on_token():
            transcript.follow(chat.text)
            screen.refresh()

        chat.on_token = on_token
        for line in ("", PROMPT, "/wait", "Actually x = 7.", "/wait", "/undo", "/nonsense", "/workspace", "/quit"):
            keys.send_text(f"{line}\r")
        screen.run()
    shown = capsys.readouterr().out
    assert "Taken back: Actually x = 7." in shown and "no command /nonsense" in shown and "of 256 slots" in shown
    said = "".join(text for kind, text in transcript.pieces if kind.startswith("v"))
    assert "3 * 5 + 2" in said and "3 * 7 + 2" in said
    assert any(kind == "heard" and "Actually x = 7." in text for kind, text in transcript.pieces)


def test_quitting_at_once_lets_the_model_finish_and_ends_cleanly():
    lines = "Given x = 5, compute 3x + 2 step by step.\n/quit\n"
    command = [sys.executable, "-c", "from hf_duplex.cli.app import main; main()", "chat", "--model", WORKSPACE]
    finished = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr
    assert "= 17" in finished.stdout
