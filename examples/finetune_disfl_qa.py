"""
Fine-tunes a model on Disfl-QA with the Trainer, and scores it on the dev questions: the question is streamed in, the
speaker's correction comes as an update, and the model says the question as meant. Exact match and token F1, beside
copying the input and a rule. Get the data from https://github.com/google-research-datasets/Disfl-QA.

    python examples/finetune_disfl_qa.py disfl_qa/ --model model_cards/duplex-workspace-5m --json runs/disfl_qa.json
    python examples/finetune_disfl_qa.py disfl_qa/ --num_train_epochs 1 --train_rows 320 --dev_rows 50     # a try
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch
from tqdm.auto import tqdm
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainingArguments, set_seed

from dataset_builder import END, Sample
from dataset_builder.build.disfl_qa import baseline_scores, load_disfl_qa, scores
from dataset_builder.build.disfl_qa_words import with_other_words
from hf_duplex.data import ChannelCollator, encode_sample
from hf_duplex.evaluation.benchmarks.conversation import converse
from hf_duplex.modeling import encode_update
from hf_duplex.released import SHIPPED, WORKSPACE
from hf_duplex.training import DuplexTrainer


def in_messages(sample: Sample, tokenizer, longest: int) -> Sample:
    """The sample with updates that are longer than a message cut in two, as often as it takes."""
    updates = []
    waiting = list(sample.updates)
    while waiting:
        update = waiting.pop(0)
        words = update["text"].split(" ")
        if len(words) > 1 and len(encode_update(tokenizer, update["text"])) > longest:
            halves = words[: len(words) // 2], words[len(words) // 2 :]
            waiting = [update | {"text": " ".join(half)} for half in halves] + waiting
        else:
            updates.append(update)
    return replace(sample, updates=updates)


def say(model, tokenizer, samples: list[Sample], batch_size: int) -> list[str]:
    """What a model takes each question to be."""
    said = []
    for start in tqdm(range(0, len(samples), batch_size), desc="Asking", unit="batch"):
        batch = samples[start : start + batch_size]
        said += [out.text.replace(END, "") for out in converse(model, tokenizer, batch, max_new_tokens=96)]
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", help="folder with train.json and dev.json")
    parser.add_argument("--model", default=str(SHIPPED / WORKSPACE), help="model folder or Hub name to start from")
    parser.add_argument("--output_dir", default="runs/disfl_qa")
    parser.add_argument("--num_train_epochs", type=float, default=10)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--copies", type=int, default=0, help="copies of each question with other words in it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train_rows", type=int, help="only so many rows of train")
    parser.add_argument("--dev_rows", type=int, help="only so many rows of dev")
    parser.add_argument("--json", type=Path, help="write the scores and what was said there")
    options = parser.parse_args()

    set_seed(options.seed)
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
    rows = {
        "train": load_disfl_qa(options.path, "train")[: options.train_rows],
        "dev": load_disfl_qa(options.path, "dev")[: options.dev_rows],
    }
    rows["train"] = with_other_words(rows["train"], options.copies, seed=options.seed)
    longest = model.config.max_message_length
    samples = {
        split: [in_messages(Sample(**row), tokenizer, longest) for row in found] for split, found in rows.items()
    }
    encoded = {split: [encode_sample(tokenizer, sample) for sample in found] for split, found in samples.items()}
    trainer = DuplexTrainer(
        model=model,
        args=TrainingArguments(
            output_dir=options.output_dir,
            num_train_epochs=options.num_train_epochs,
            per_device_train_batch_size=options.batch_size,
            per_device_eval_batch_size=options.batch_size,
            learning_rate=options.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=50,
            weight_decay=0.01,
            logging_steps=50,
            eval_strategy="epoch",
            save_strategy="no",
            report_to="none",
            seed=options.seed,
            remove_unused_columns=False,
            dataloader_pin_memory=torch.cuda.is_available(),
        ),
        train_dataset=encoded["train"],
        eval_dataset=encoded["dev"],
        data_collator=ChannelCollator(tokenizer),
        processing_class=tokenizer,
    )
    trainer.train()
    trainer.save_model()

    model.eval()
    said = say(model, tokenizer, samples["dev"], options.batch_size)
    compared = {"model": scores(said, rows["dev"]), **baseline_scores(rows["dev"])}
    print(f"{len(said):,} dev questions")
    for name, found in compared.items():
        print(f"  {name:8} exact match {found['exact_match']:.1%}, F1 {found['f1']:.1%}")
    if options.json:
        result = {
            "benchmark": "disfl_qa",
            "model": Path(options.model).name,
            "model_type": model.config.model_type,
            "settings": {name: str(value) for name, value in vars(options).items() if name not in ("path", "json")},
            "questions": len(said),
            "eval_losses": [entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry],
            "scores": compared,
            "said": said,
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
