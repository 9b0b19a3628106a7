"""Gives a language model thoughts about your own dialogues: annotates them with a chat endpoint, splits, trains.

    transformers serve --port 8000
    python examples/reflect_on_dialogues.py my_dialogues.jsonl --base HuggingFaceTB/SmolLM2-135M-Instruct \
        --oracle Qwen/Qwen2.5-7B-Instruct --url http://localhost:8000/v1 --out runs/mine
    hf-duplex chat --dual-track runs/mine/connect --base HuggingFaceTB/SmolLM2-135M-Instruct

Each line of the file is a dialogue: {"turns": [{"speaker": "user", "text": "..."}, {"speaker": "assistant", ...}]}.
With `--oracle scripted` lines must hold their annotations already. What is annotated is kept; a run that stopped goes
on.
"""

import argparse
import json
from pathlib import Path

from dataset_builder.reflection.oracle import ChatOracle, ScriptedOracle
from dataset_builder.reflection.passes import annotate_all, read_finished
from dataset_builder.reflection.schema import Annotation, Dialogue, Turn
from dataset_builder.reflection.shares import balanced, split
from hf_duplex.dual_track.training import main as train


def main(arguments: list[str] | None = None) -> None:
    """Reads arguments, and does it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dialogues", type=Path)
    parser.add_argument("--base", required=True)
    parser.add_argument("--oracle", required=True, help="a model of the endpoint, or: scripted")
    parser.add_argument("--url")
    parser.add_argument("--out", type=Path, default=Path("runs/mine"))
    parser.add_argument("--max_steps", type=int, default=600)
    given = parser.parse_args(arguments)
    if not given.dialogues.is_file():
        raise SystemExit(f"Error: there is no {given.dialogues}.")

    rows = [json.loads(line) for line in given.dialogues.read_text().splitlines()]
    dialogues = [
        Dialogue(
            [Turn(**turn) for turn in row["turns"]],
            [Annotation(**annotation) for annotation in row.get("annotations", ())],
            source=given.dialogues.stem,
        )
        for row in rows
    ]
    oracle = ScriptedOracle() if given.oracle == "scripted" else ChatOracle(given.oracle, url=given.url)
    annotated = given.out / "annotated.jsonl"
    annotate_all(dialogues, annotated, oracle)
    for name, part in split(list(read_finished(annotated).values())).items():
        lines = balanced(part) if name == "train" else part
        (given.out / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))

    common = ["--per_device_train_batch_size", "4", "--save_strategy", "no", "--report_to", "none"]
    common += ["--max_steps", str(given.max_steps), "--lr_scheduler_type", "cosine"]
    reflect, connect = str(given.out / "reflect"), str(given.out / "connect")
    train([given.base, str(given.out), "--output_dir", reflect, "--learning_rate", "1e-3", *common])
    train(
        [given.base, str(given.out), "--adapter", reflect, "--step", "connect", "--output_dir", connect]
        + ["--learning_rate", "2e-3", *common]
    )
    print(f"hf-duplex chat --dual-track {connect} --base {given.base}")


if __name__ == "__main__":
    main()
