"""
Interrupts a running `generate` with a callback: it is asked once a step, and returns None or an `Interrupt`.

    python examples/interrupt_with_callback.py
    python examples/interrupt_with_callback.py --update "No, y = 9." --after 18
"""

import argparse

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, TextStreamer

from hf_duplex import Interrupt
from hf_duplex.modeling import encode_prompt, encode_update
from hf_duplex.released import SHIPPED, WORKSPACE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(SHIPPED / WORKSPACE), help="model folder or Hub name")
    parser.add_argument("--prompt", default="Given x = 5, y = 3, compute 1) 3x + 2; 2) x + y; 3) 4y + 1.")
    parser.add_argument("--update", default="Actually x = 7.")
    parser.add_argument("--after", type=int, default=30, help="tokens emitted before the update arrives")
    options = parser.parse_args()

    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()
    prompt_ids = torch.tensor([encode_prompt(tokenizer, options.prompt)])
    update_ids = torch.tensor([encode_update(tokenizer, options.update)])

    def interrupt_callback(input_ids: torch.Tensor) -> Interrupt | None:
        # All that was emitted, the start token included.
        return Interrupt(update_ids) if input_ids.shape[1] == 1 + options.after else None

    output = model.generate(
        prompt_ids=prompt_ids,
        interrupt_callback=interrupt_callback,
        streamer=TextStreamer(tokenizer, skip_special_tokens=True),
        max_new_tokens=200,
        return_dict_in_generate=True,
    )

    print("\nEach token knows the version of the workspace that it saw:")
    for version in output.versions[0, 1:].unique().tolist():
        print(f"  v{version}: {tokenizer.decode(output.sequences[0][output.versions[0] == version])}")


if __name__ == "__main__":
    main()
