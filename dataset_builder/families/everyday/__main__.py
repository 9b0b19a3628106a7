"""Prints samples: `python -m dataset_builder.families.everyday --domain bookings --count 20 --seed 1`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from random import Random
from time import perf_counter
from typing import Any

from .oracle import problems
from .sample import SPLITS, sample
from .wordings import available, domain


def shown(made: dict[str, Any]) -> str:
    """A sample as text, each update where it came."""
    text, last = "", 0
    for update in made["updates"]:
        text += made["text"][last : update["after_chars"]] + f" ⟪{update['text']}⟫"
        last = update["after_chars"]
    text += made["text"][last:]
    kinds = ", ".join(update["kind"] for update in made["updates"])
    return f"[{made['domain']}/{made['scenario']}: {kinds or 'no update'}]\n> {made['prompt']}\n{text}\n"


def counts(names: Sequence[str]) -> str:
    """A table of what is written: a line for each domain, and the sum."""
    head = ("domain", "scenarios", "prompts", "answers", "updates", "restatements", "repairs")
    rows = []
    for name in names:
        scenarios = domain(name).scenarios.values()
        said_again = [choices for one in scenarios for choices in (*one.restate.values(), one.outcome, one.confirm)]
        lists = (
            [one.prompts for one in scenarios],
            [one.answers for one in scenarios],
            [choices for one in scenarios for choices in one.updates.values()],
            said_again,
            list(domain(name).repairs.values()),
        )
        rows.append((f"`{name}`", len(scenarios), *(sum(len(choices.all) for choices in one) for one in lists)))
    rows.append(("all", *(sum(column) for column in list(zip(*rows))[1:])))
    cells = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in cells)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dataset_builder.families.everyday", description=__doc__)
    parser.add_argument("--domain", choices=available(), help="only this domain")
    parser.add_argument("--scenario", help="only this scenario of the domain")
    parser.add_argument("--split", choices=SPLITS, default="train")
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--check", action="store_true", help="check the wordings and many samples instead of printing")
    parser.add_argument("--counts", action="store_true", help="count the wordings instead of printing samples")
    options = parser.parse_args()
    rng = Random(options.seed)
    names = [options.domain] if options.domain else list(available())
    if options.counts:
        print(counts(names))
        return 0
    if not options.check:
        for _ in range(options.count):
            name = options.domain or rng.choice(names)
            print(shown(sample(rng, split=options.split, domain_name=name, scenario_name=options.scenario)))
        return 0
    found = [line for name in names for scenario in domain(name).scenarios.values() for line in scenario.problems()]
    print("\n".join(found) or "The wordings are complete.")
    began, count = perf_counter(), max(options.count, 500)
    bad = 0
    for index in range(count):
        made = sample(rng, split=SPLITS[index % len(SPLITS)], domain_name=rng.choice(names))
        for problem in problems(made):
            bad += 1
            if bad <= 10:
                print(f"{problem}\n{shown(made)}")
    print(f"{count} samples, {bad} problems, {count / (perf_counter() - began):.0f} samples a second.")
    return int(bool(found or bad))


if __name__ == "__main__":
    sys.exit(main())
