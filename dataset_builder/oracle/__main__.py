"""Agreement of the oracle with the gold texts: `python -m dataset_builder.oracle --family fact_correction`."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console
from rich.progress import track

from dataset_builder import FAMILIES, SPLITS, Builder, BuilderConfig, split_config

from .checks import disagreements


SHOWN = 10


def main(arguments: list[str] | None = None) -> int:
    """Prints how many samples of a family agree, and the errors of the first ones that do not.

    Returns:
        `int`: The exit status, 1 if any disagrees.
    """
    parser = argparse.ArgumentParser(prog="python -m dataset_builder.oracle", description=__doc__)
    parser.add_argument("--family", required=True, choices=list(FAMILIES), help="the family to check")
    parser.add_argument("--num", type=int, default=10_000, help="how many samples (default: 10000)")
    parser.add_argument("--split", default="train", choices=SPLITS, help="the split (default: train)")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the builder (default: 0)")
    parser.add_argument("--start", type=int, default=0, help="the index of the first sample (default: 0)")
    args = parser.parse_args(arguments)
    if args.num < 1 or args.start < 0:
        parser.error("`--num` must be at least 1, and `--start` not negative.")
    builder = Builder(split_config(BuilderConfig(families=(args.family,), seed=args.seed), args.split))
    output, wrong = Console(highlight=False, soft_wrap=True, markup=False), 0
    samples = builder.samples(args.num, args.start)
    for sample in track(samples, args.family, total=args.num, console=Console(stderr=True), transient=True):
        found = disagreements(sample.to_row())
        wrong += bool(found)
        if found and wrong <= SHOWN:
            output.print(f"sample {sample.index}:", *found, sep="\n  ")
    agreeing = args.num - wrong
    output.print(f"{args.family}, {args.split}: {agreeing} of {args.num} agree ({100 * agreeing / args.num:.2f} %)")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
