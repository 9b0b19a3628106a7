"""The command line: `python -m dataset_builder.interaction build | check | show`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..cli import ClearErrors


app = typer.Typer(
    cls=ClearErrors,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Build, check and look at alias pairs: the same transcript, another action.",
)

Suite = Annotated[str, typer.Option(help="mini, hard or noisy.")]
Seed = Annotated[int, typer.Option(help="Another seed gives other examples.")]


@app.command()
def build(
    out: Annotated[Path, typer.Argument(help="Folder to build into.", metavar="OUT", show_default=False)],
    suite: Suite = "mini",
    seed: Seed = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Build a suite of parquet files, which [cyan]datasets.load_dataset(OUT)[/] loads, with a card and a manifest.

    [bold]Example[/]

    [cyan]python -m dataset_builder.interaction build --suite mini data/interaction-mini[/]
    """
    from .build import build_suite

    manifest = build_suite(suite, out, seed=seed, progress=not quiet)
    counts = ", ".join(f"{count:,} {split}" for split, count in manifest["examples"].items())
    typer.echo(f"{out}: {counts} examples.")


@app.command()
def check(
    dir: Annotated[Path, typer.Argument(help="Folder of a built suite.", metavar="DIR", show_default=False)],
) -> None:
    """Check a built suite: every file against the manifest, every pair, and every action against the rules."""
    from .build import load_suite
    from .rules import decide

    splits = load_suite(dir)
    for split, examples in splits.items():
        right = sum(decide(example.streams)[0] == example.action for example in examples)
        typer.echo(
            f"{split}: {len(examples):,} examples in pairs; the rules give {right / len(examples):.1%} of actions."
        )


@app.command()
def show(
    suite: Suite = "mini",
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "train",
    family: Annotated[list[str] | None, typer.Option(help="Family to draw from; may be repeated.")] = None,
    num: Annotated[int, typer.Option(min=1, help="How many pairs.")] = 3,
    seed: Seed = 0,
) -> None:
    """Print pairs: the transcript, the streams, and what is right in each member.

    [bold]Example[/]

    [cyan]python -m dataset_builder.interaction show --suite hard --family backchannel[/]
    """
    from .card import render_pair
    from .suites import make_pairs

    for first, second in make_pairs(suite, split, num, seed, family):
        typer.echo(f"#{first.pair} {first.family}\n{render_pair(first, second)}\n")


def main() -> None:
    """The entry point."""
    app()
