"""
Fine-tunes the shipped workspace model with the Trainer on samples of another kind: all numbers are from 21 to 30,
which it was never told. About a minute on a CPU; needs the extra `train`.

    python examples/finetune_with_trainer.py
    python examples/finetune_with_trainer.py --max_steps 200 --samples 1600 --output_dir runs/finetuned
"""

import argparse

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainingArguments

from hf_duplex.data import ChannelCollator, CurriculumDataset, Phase
from hf_duplex.released import SHIPPED, WORKSPACE
from hf_duplex.training import DuplexTrainer


BUILDER = {
    "families": ("variable_substitution",),
    "num_facts": (1, 3),
    "num_questions": (1, 2),
    "num_updates": (1, 2),
    "novel_values": True,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(SHIPPED / WORKSPACE), help="model folder or Hub name")
    parser.add_argument("--output_dir", default="runs/finetuned")
    parser.add_argument("--max_steps", type=int, default=40)
    parser.add_argument("--samples", type=int, default=320)
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--learning_rate", type=float, default=3e-4)
    options = parser.parse_args()

    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
    trainer = DuplexTrainer(
        model=model,
        args=TrainingArguments(
            output_dir=options.output_dir,
            max_steps=options.max_steps,
            per_device_train_batch_size=options.batch_size,
            per_device_eval_batch_size=options.batch_size,
            learning_rate=options.learning_rate,
            warmup_steps=max(1, options.max_steps // 10),
            logging_steps=5,
            save_strategy="no",
            report_to="none",
            remove_unused_columns=False,
            dataloader_pin_memory=torch.cuda.is_available(),
        ),
        train_dataset=CurriculumDataset([Phase(options.samples, BUILDER)], tokenizer),
        eval_dataset=CurriculumDataset([Phase(4 * options.batch_size, BUILDER)], tokenizer, split="validation"),
        data_collator=ChannelCollator(tokenizer),
        processing_class=tokenizer,
    )
    before = trainer.evaluate()["eval_loss"]
    trainer.train()
    after = trainer.evaluate()["eval_loss"]
    trainer.save_model()
    print(f"Loss on held-out samples: {before:.3f} before, {after:.3f} after. Saved in {options.output_dir}: try")
    print(f"  hf-duplex chat --model {options.output_dir}")


if __name__ == "__main__":
    main()
