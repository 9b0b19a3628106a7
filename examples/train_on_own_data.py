"""
Trains a tiny model from scratch on JSON lines of one's own, read through `datasets`, and plays one line with its
update: colors are repeated until another one is asked for. Ten seconds on a CPU; needs the extra `train`.

    python examples/train_on_own_data.py
    python examples/train_on_own_data.py --max_steps 2 --folder runs/try
"""

import argparse
import json
import random
from functools import partial
from pathlib import Path

from datasets import load_dataset
from transformers import Trainer, TrainingArguments, pipeline

from hf_duplex import WorkspaceConfig, WorkspaceForCausalLM
from hf_duplex.data import ChannelCollator, OwnDataset, encode_conversation, read_conversations, train_tokenizer


def line(rng: random.Random) -> dict:
    first, second = rng.sample(["red", "green", "blue", "black", "white"], 2)
    before, after = rng.randint(1, 6), rng.randint(2, 4)
    text = " ".join([first] * before + [second] * after) + "."
    update = {"after_words": before, "text": f"Make it {second}, {after} times."}
    return {"prompt": f"Repeat {first}.", "text": text, "updates": [update]}


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--folder", type=Path, default=Path("runs/own_data"))
parser.add_argument("--max_steps", type=int, default=300)
options = parser.parse_args()
options.folder.mkdir(parents=True, exist_ok=True)
path = options.folder / "train.jsonl"
rng = random.Random(0)
path.write_text("".join(json.dumps(line(rng)) + "\n" for _ in range(500)))

conversations = read_conversations(load_dataset("json", data_files=str(path), split="train"))
tokenizer = train_tokenizer((text for one in conversations for text in one.texts()), vocab_size=384)
sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
model = WorkspaceForCausalLM(WorkspaceConfig(vocab_size=384, encoder_layers=1, n_slots=64, **sizes))
encode = partial(encode_conversation, tokenizer, max_message_length=model.config.max_message_length)
arguments = TrainingArguments(
    str(options.folder / "model"), max_steps=options.max_steps, per_device_train_batch_size=16, learning_rate=3e-3,
    logging_steps=50, save_strategy="no", report_to="none", use_cpu=True,
)  # fmt: skip
train_dataset = OwnDataset(conversations[:-1], encode)
Trainer(model, arguments, train_dataset=train_dataset, data_collator=ChannelCollator(tokenizer)).train()

held_out, sample = conversations[-1], encode(conversations[-1])
talk = pipeline("duplex-generation", model=model.eval(), tokenizer=tokenizer)
updates = [(at - 1, text) for at, (_, text) in zip(sample["update_positions"], held_out.updates, strict=True)]
played = talk(held_out.messages[0]["content"], updates=updates, max_new_tokens=32, do_sample=False)
print(f"Prompt: {held_out.messages[0]['content']} After {updates[0][0]} tokens: {updates[0][1]}")
print(f"Emitted:  {played['generated_text']}\nWritten: {held_out.text}")
