"""The chat oracle against the real server of transformers, on the loopback: it answers, or is found wanting."""

import os
import socket
import subprocess
import sys
import time
import urllib.request

import huggingface_hub.constants
import pytest
import torch
from toy_tracks import write_base
from transformers import AutoModelForCausalLM, AutoTokenizer

from dataset_builder.reflection.dialogues import write_dialogue
from dataset_builder.reflection.oracle import HINDSIGHT, ChatOracle, OracleError
from dataset_builder.reflection.passes import annotate_all, read_finished
from dataset_builder.reflection.schema import Annotation, Dialogue, Turn


pytest.importorskip("openai", reason="`transformers serve` needs transformers[serving]")

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)


def say_none(folder):
    """Teaches a tiny base one answer, whatever it is asked: NONE."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    answer = tokenizer("NONE<|im_end|>")["input_ids"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    known = 0  # Prompts in a row whose answer was sure, which the last one alone can be by chance.
    for seed in range(1500):
        turns = write_dialogue(seed, "train").turns[: 1 + seed % 3]
        asked = HINDSIGHT + "\n".join(f"[Turn {n}] user: {turn.text}" for n, turn in enumerate(turns))
        prompt = tokenizer.apply_chat_template([{"role": "user", "content": asked}], return_dict=False)
        ids = torch.tensor([[*prompt, *answer]])
        labels = ids.masked_fill(torch.arange(ids.shape[1]) < len(prompt), -100)
        loss = model(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        known = known + 1 if loss < 0.02 else 0
        if known == 20:
            break
    assert known == 20, float(loss)
    model.save_pretrained(folder)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of `transformers serve`, and the folder of the model that it serves."""
    folder = write_base(tmp_path_factory.mktemp("base"))
    say_none(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder), "--device", "cpu"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    log = (folder / "serve.log").open("w")
    with subprocess.Popen([*command, "--port", str(port)], env=environment, stdout=log, stderr=log) as process:
        try:
            for _ in range(600):
                assert process.poll() is None, (folder / "serve.log").read_text()[-2000:]
                try:
                    urllib.request.urlopen(f"http://localhost:{port}/health", timeout=1)
                    break
                except OSError:
                    time.sleep(0.1)
            yield f"http://localhost:{port}/v1", str(folder)
        finally:
            process.terminate()


@pytest.fixture(autouse=True)
def online(monkeypatch):
    """Tests are offline, which to the client the loopback is not."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)


def test_a_model_behind_transformers_serve_annotates(server, tmp_path):
    url, name = server
    oracle = ChatOracle(name, url=url, retries=0)
    dialogues = [Dialogue([Turn("user", f"The weather was odd on day {day}.")]) for day in range(3)]
    counts = annotate_all(dialogues, tmp_path / "a.jsonl", oracle)
    assert counts == {"annotated": 3, "before": 0, "failed": 0}
    assert all(row["annotations"] == [] for row in read_finished(tmp_path / "a.jsonl").values())


def test_what_it_says_in_another_format_and_a_model_that_is_not_there_are_told(server):
    url, name = server
    dialogue = Dialogue([Turn("user", "I have a cat.")])
    with pytest.raises(OracleError, match="another format"):
        ChatOracle(name, url=url, retries=0).place(dialogue, Annotation("NEW", "the user has a cat", 0, 13))
    with pytest.raises(OracleError, match="2 times"):
        ChatOracle("another", url=url, retries=1, pause=0).annotate(dialogue)
    with pytest.raises(OracleError, match="[Tt]ime"):
        ChatOracle(name, url=url, retries=0, timeout=1e-4).annotate(dialogue)
