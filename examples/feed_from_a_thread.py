"""
Feeds updates into a running `generate` from another thread, through a queue: a sensor, a socket, a user.

    python examples/feed_from_a_thread.py
    python examples/feed_from_a_thread.py --seconds 0.05 "Actually x = 7." "No, x = 9."
"""

import argparse
import queue
import threading
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, TextStreamer

from hf_duplex import Interrupt
from hf_duplex.modeling import encode_prompt, encode_update
from hf_duplex.released import SHIPPED, WORKSPACE


PROMPT = "Given x = 5, y = 3, compute 1) 3x + 2; 2) x + y; 3) 4y + 1; 4) 2x + 3y."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("updates", nargs="*", default=["Actually x = 7.", "No, x = 9."])
    parser.add_argument("--model", default=str(SHIPPED / WORKSPACE), help="model folder or Hub name")
    parser.add_argument("--seconds", type=float, default=0.1, help="time between two updates")
    options = parser.parse_args()

    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()
    prompt_ids = torch.tensor([encode_prompt(tokenizer, PROMPT)])
    updates: queue.Queue[torch.Tensor] = queue.Queue()
    speaking = threading.Event()

    def feed() -> None:
        speaking.wait()
        for text in options.updates:
            time.sleep(options.seconds)
            updates.put(torch.tensor([encode_update(tokenizer, text)]))

    def interrupt_callback(input_ids: torch.Tensor) -> Interrupt | None:
        if input_ids.shape[1] > 1:
            speaking.set()
        try:
            return Interrupt(updates.get_nowait())
        except queue.Empty:
            return None

    streamer = TextStreamer(tokenizer, skip_special_tokens=True)
    arguments = {"interrupt_callback": interrupt_callback, "streamer": streamer, "max_new_tokens": 200}
    feeder = threading.Thread(target=feed)
    feeder.start()
    output = model.generate(prompt_ids=prompt_ids, return_dict_in_generate=True, **arguments)
    feeder.join()
    # What came too late for the text is heard now: the model goes on from where it ended.
    while not updates.empty():
        output = model.generate(
            output.sequences, past_key_values=output.past_key_values, return_dict_in_generate=True, **arguments
        )
    print(f"\nHeard {len(options.updates)} updates; the workspace is at version {int(output.versions[0, -1])}.")


if __name__ == "__main__":
    main()
