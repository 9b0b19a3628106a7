"""Prints samples, or measures how fast they are made.

python -m dataset_builder --family fact_correction --num 5
python -m dataset_builder --num 1000 --json > samples.jsonl
python -m dataset_builder --bench
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from .builder import Builder, Sample
from .config import SPLITS, BuilderConfig
from .families import FAMILIES


def render(sample: Sample) -> str:
    """A sample for the eye: each update in [brackets] at the character that may first know it."""
    pieces, at = [], 0
    for update in sample.updates:
        pieces += [sample.target[at : update["position"]], f"[{update['text']}]"]
        at = update["position"]
    pieces.append(sample.target[at:])
    return f"#{sample.index} {sample.task_type}\n  > {sample.prompt}\n  < {''.join(pieces)}"


def bench(config: BuilderConfig, num: int) -> str:
    lines = []
    for family in config.families:
        builder = Builder(BuilderConfig(**{**vars(config), "families": (family,)}))
        start = time.process_time()
        samples = list(builder.samples(num))
        seconds = time.process_time() - start
        lengths = sorted(len(sample.target) for sample in samples)
        repaired = sum(sample.requires_revision for sample in samples) / num
        lines.append(
            f"{family}: {num / seconds:,.0f} samples a second and core; {repaired:.0%} with a repair; characters "
            f"5 % {lengths[num // 20]}, median {lengths[num // 2]}, 95 % {lengths[num * 19 // 20]}"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m dataset_builder", description="Print samples of the data set.")
    parser.add_argument("--family", action="append", choices=list(FAMILIES), help="family to draw from (default: all)")
    parser.add_argument("--num", type=int, help="how many samples (default: 5, or 5000 for --bench)")
    parser.add_argument("--start", type=int, default=0, help="index of the first sample (default: 0)")
    parser.add_argument("--split", choices=SPLITS, default="train", help="split (default: train)")
    parser.add_argument("--seed", type=int, default=0, help="seed (default: 0)")
    parser.add_argument(
        "--updates", type=int, nargs=2, metavar=("MIN", "MAX"), default=(0, 4), help="updates a sample"
    )
    parser.add_argument("--facts", type=int, nargs=2, metavar=("MIN", "MAX"), default=(1, 5), help="facts a prompt")
    parser.add_argument(
        "--questions", type=int, nargs=2, metavar=("MIN", "MAX"), default=(1, 5), help="questions a prompt"
    )
    parser.add_argument("--novel-values", action="store_true", help="only values that are never drawn otherwise")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="one JSON object a line")
    shape.add_argument("--bench", action="store_true", help="measure samples a second instead")
    options = parser.parse_args(arguments)
    num = options.num if options.num is not None else 5000 if options.bench else 5
    if num < 1:
        parser.error(f"--num must be at least 1, got {num}")
    if options.start < 0:
        parser.error(f"--start must not be negative, got {options.start}")
    try:
        config = BuilderConfig(
            families=tuple(options.family or FAMILIES),
            split=options.split,
            seed=options.seed,
            num_facts=tuple(options.facts),
            num_questions=tuple(options.questions),
            num_updates=tuple(options.updates),
            novel_values=options.novel_values,
        )
    except ValueError as error:
        parser.error(str(error))
    if options.bench:
        print(bench(config, num))
        return
    for sample in Builder(config).samples(num, options.start):
        print(json.dumps(sample.to_dict()) if options.json else render(sample) + "\n")


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.stderr.close()
