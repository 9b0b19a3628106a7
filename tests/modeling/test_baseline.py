"""The baseline is a Llama, and a splice is the text written out."""

import pytest
import torch
from tiny_models import BOS, EOS, PAD, SEP, SIZES, Schedule, greedy, pad_rows, tiny_config, tiny_model
from transformers import LlamaConfig, LlamaForCausalLM

from hf_duplex import DuplexBaselineForCausalLM
from hf_duplex.modeling import DuplexGenerationMixin


class ListeningLlama(DuplexGenerationMixin, LlamaForCausalLM):
    """A stock model of transformers with the mixin before it, and nothing else."""


def llama_config():
    ids = {"pad_token_id": PAD, "bos_token_id": BOS, "eos_token_id": EOS, "message_separator_token_id": SEP}
    return LlamaConfig(**SIZES, **ids, tie_word_embeddings=True)


def test_without_the_convolution_it_is_a_llama():
    baseline = DuplexBaselineForCausalLM(tiny_config("baseline", conv_width=0)).eval()
    llama = LlamaForCausalLM(llama_config()).eval()
    assert llama.load_state_dict(baseline.state_dict(), strict=True)
    ids, mask = pad_rows([[5, 6, 7, 8, 9], [10, 11, 12]])
    with torch.no_grad():
        ours, theirs = (model(input_ids=ids, attention_mask=mask).logits for model in (baseline, llama))
    torch.testing.assert_close(ours[mask.bool()], theirs[mask.bool()], atol=1e-5, rtol=0)


def listeners():
    yield "baseline", tiny_model("baseline")
    yield "baseline without convolution", tiny_model("baseline", conv_width=0)
    yield "baseline with a window", tiny_model("baseline", sliding_window=3)
    torch.manual_seed(0)
    yield "plain llama", ListeningLlama(llama_config()).eval()


@pytest.mark.parametrize("model", [pytest.param(model, id=name) for name, model in listeners()])
def test_a_splice_equals_decoding_the_concatenation(model):
    prompts = [[5, 6, SEP, 7], [8], [9, 10, 11, 12, 13, SEP]]
    updates = [[(3, [20, 21])], [(1, [22]), (6, [23, 24, 25]), (6, [26])], []]
    ids, mask = pad_rows(prompts, left=True)
    output = greedy(model, prompt_ids=ids, prompt_mask=mask, interrupt_callback=Schedule(*updates), n=9)
    logits = torch.stack(output.logits, dim=1)
    for row, sequence in enumerate(output.sequences.tolist()):
        text = list(prompts[row])
        for index, token in enumerate(sequence[:-1]):
            text.append(token)
            text += [word for at, update in updates[row] if at == index + 1 for word in update]
            with torch.no_grad():
                expected = model(input_ids=torch.tensor([text])).logits[0, -1]
            torch.testing.assert_close(logits[row, index], expected, atol=1e-4, rtol=0)
            assert sequence[index + 1] == int(expected.argmax())
