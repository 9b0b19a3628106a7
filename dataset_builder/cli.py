"""
The command line: `hf-duplex data show | build | inspect | check | push | disfl-qa | bench`, or
`python -m dataset_builder ...`.

Only typer is imported before a command runs, so that help appears at once.
"""

from __future__ import annotations

import json as jsonlib
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup


if TYPE_CHECKING:
    from .builder import Sample
    from .config import BuilderConfig


class ClearErrors(TyperGroup):
    """Prints user errors without a traceback: exits with status 2 for bad input, 1 for a build that stopped."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ValueError as error:
            frames = traceback.extract_tb(error.__traceback__)
            if not Path(frames[-1].filename).is_relative_to(Path(__file__).parent):
                raise
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(2) from None
        except ModuleNotFoundError as error:
            if error.name is None or error.name.startswith(__package__):
                raise
            message = f"{error.name} is not installed: it comes with the extra train, pip install 'hf_duplex[train]'."
            typer.echo(f"Error: {message}", err=True)
            raise typer.Exit(2) from None


app = typer.Typer(
    cls=ClearErrors,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Build, look at, check and publish conversations in which the world changes while it is talked about.",
    epilog="Start with [bold]hf-duplex data show[/]; then build a small one with "
    "[bold]hf-duplex data build --config tiny --out data/tiny[/].",
)

CONFIG_HELP = "A YAML file, or a shipped config: tiny (seconds), small (100 k samples) or full (10 M)."
Folder = Annotated[Path, typer.Argument(help="Folder of a data set.", metavar="DIR", show_default=False)]
Family = Annotated[list[str] | None, typer.Option(help="Family to draw from; may be repeated. All, if none is given.")]
Updates = Annotated[tuple[int, int], typer.Option(help="Fewest and most updates a sample.", metavar="MIN MAX")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]


@app.command()
def show(
    config: Annotated[str | None, typer.Option(help=CONFIG_HELP + " Else, the options below.")] = None,
    family: Family = None,
    num: Annotated[int, typer.Option(min=1, help="How many samples.")] = 5,
    start: Annotated[int, typer.Option(min=0, help="Index of the first sample.")] = 0,
    split: Annotated[str, typer.Option(help="Any split, as train, test or more_updates.")] = "train",
    seed: Annotated[int, typer.Option(help="Another seed gives other samples.")] = 0,
    updates: Updates = (0, 4),
    facts: Annotated[tuple[int, int], typer.Option(help="Facts a prompt.", metavar="MIN MAX")] = (1, 5),
    questions: Annotated[tuple[int, int], typer.Option(help="Questions a prompt.", metavar="MIN MAX")] = (1, 5),
    novel_values: Annotated[bool, typer.Option("--novel-values", help="Only values never drawn otherwise.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Print samples: prompt, text, and each update in \\[brackets] where it arrives.

    They are made on the spot and written nowhere.

    [bold]Examples[/]

    [cyan]hf-duplex data show --family variable_substitution --num 3[/]

    [cyan]hf-duplex data show --config tiny --split late --start 40[/]

    [cyan]hf-duplex data show --num 1000 --json > samples.jsonl[/]
    """
    from .build.splits import SPLITS, split_config
    from .builder import Builder

    if split not in SPLITS:
        raise ValueError(f"`--split` must be one of {', '.join(SPLITS)}, got {split!r}.")
    if config is not None:
        from .build.config import load_build_config

        base = load_build_config(config).builder_config()
    else:
        base = _builder_config(
            family, seed=seed, num_facts=facts, num_questions=questions, num_updates=updates, novel_values=novel_values
        )
    for sample in Builder(split_config(base, split)).samples(num, start):
        print(jsonlib.dumps(sample.to_row()) if json else render(sample) + "\n")


@app.command()
def build(
    config: Annotated[str, typer.Option(help=CONFIG_HELP, show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder to build into.", metavar="DIR", show_default=False)],
    num_workers: Annotated[
        int | None, typer.Option("--num_workers", "--num-workers", min=1, help="Processes.", show_default="all cores")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Remove a build that DIR holds first.")] = False,
    quiet: Quiet = False,
) -> None:
    """Build a data set of parquet files, which [cyan]datasets.load_dataset(DIR)[/] loads.

    The same config gives the same bytes, whatever the number of workers.
    Stop it with Ctrl-C, or run out of disk: finished files are kept, and the
    same command resumes. No prompt with its updates comes twice, within or
    across splits; a search for leaks at the end proves it.

    [bold]Examples[/]

    [cyan]hf-duplex data build --config tiny --out data/tiny[/]

    [cyan]hf-duplex data build --config mine.yaml --out data/mine --num_workers 8[/]
    """
    from .build.config import load_build_config
    from .build.dataset import build_dataset, finished_shards
    from .build.shards import BuildError

    loaded = load_build_config(config)
    try:
        manifest = build_dataset(
            loaded, out, num_workers=num_workers or _cores(), overwrite=overwrite, progress=not quiet
        )
    except BuildError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        done, shards = finished_shards(loaded, out)
        typer.echo(f"Stopped. {done} of {shards} shards are kept; run the same command to resume.", err=True)
        raise typer.Exit(130) from None
    typer.echo(f"{out}: {manifest['samples']:,} samples, {manifest['redrawn']:,} of them drawn again to differ.")


@app.command()
def inspect(
    dir: Folder,
    split: Annotated[str | None, typer.Option(help="Only this split.", show_default="all")] = None,
    num: Annotated[int, typer.Option(min=0, help="How many samples of a split; 0 for none.")] = 3,
    start: Annotated[int, typer.Option(min=0, help="Row of the first one.")] = 0,
    plots: Annotated[Path | None, typer.Option(help="Draw the distributions into this file.")] = None,
) -> None:
    """Look at a data set: samples in colour (emitted, stale, repaired, retained), and plots.

    [bold]Examples[/]

    [cyan]hf-duplex data inspect data/tiny --split test --num 5[/]

    [cyan]hf-duplex data inspect data/tiny --plots distributions.png[/]
    """
    from rich.console import Console

    from .build.inspect import inspect_dataset

    inspect_dataset(dir, split=split, num=num, start=start, plots=plots, console=Console())


@app.command()
def check(
    dir: Folder,
    oracle: Annotated[int, typer.Option(min=0, help="Rows of each split whose values are worked out again.")] = 200,
    quiet: Quiet = False,
) -> None:
    """Check a data set: files, columns, leaks, balance, provenance, and values. Ends with status 1 if it fails.

    [bold]Examples[/]

    [cyan]hf-duplex data check data/tiny[/]

    [cyan]hf-duplex data check data/small --oracle 10000[/]
    """
    from rich.console import Console

    from .build.check import check_dataset, print_report

    report = check_dataset(dir, oracle=oracle, progress=not quiet)
    print_report(report, Console())
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def push(
    dir: Folder,
    repo_id: Annotated[str, typer.Argument(help="Name on the Hub: user/name.", metavar="REPO", show_default=False)],
    private: Annotated[bool, typer.Option("--private", help="Only for you and those you let in.")] = False,
    token: Annotated[
        str | None, typer.Option(help="Token that may write.", show_default="the one you are logged in with")
    ] = None,
) -> None:
    """Put a data set on the Hub, with its card.

    [bold]Example[/]

    [cyan]hf-duplex data push data/small me/worlds-that-change --private[/]
    """
    from .build.push import push_dataset

    typer.echo(push_dataset(dir, repo_id, private=private, token=token))


@app.command("disfl-qa")
def disfl_qa(
    path: Annotated[
        Path, typer.Argument(help="Folder that holds train.json and dev.json.", metavar="PATH", show_default=False)
    ],
    split: Annotated[
        list[str] | None, typer.Option(help="train, dev or test; may be repeated.", show_default="train and dev")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the rows here, one parquet file a split.", metavar="DIR")
    ] = None,
    only_cut: Annotated[bool, typer.Option("--only-cut", help="Write no question in which no cue was found.")] = False,
    show: Annotated[int, typer.Option(min=0, help="Rows of each split to show.")] = 0,
    cues: Annotated[int, typer.Option(min=0, help="How many cues to list.")] = 20,
    json: Annotated[Path | None, typer.Option(help="Write all figures here.")] = None,
) -> None:
    """Read Disfl-QA: questions that people corrected while they asked them, as rows of the same columns.

    The question up to its repair cue ("no wait") is the prompt, still being
    spoken; the rest is the update. Tells how often the rule finds a cue, and
    what two baselines score: the question as said, and as repaired by rule
    (EM and F1 normalised as in SQuAD).
    The data are not part of this package; they are CC-BY-4.0, at
    https://github.com/google-research-datasets/Disfl-QA.

    [bold]Example[/]

    [cyan]hf-duplex data disfl-qa disfl_qa/ --show 5 --out data/disfl_qa[/]
    """
    from .build.disfl_qa import load_disfl_qa, report, summary, write_parquet
    from .build.disfl_qa import show as show_row

    try:
        splits = {name: load_disfl_qa(path, name) for name in split or ("train", "dev")}
    except FileNotFoundError as error:
        raise ValueError(str(error)) from None
    found = {name: summary(rows) for name, rows in splits.items()}
    for name, rows in splits.items():
        print("\n".join([report(name, found[name], cues), *map(show_row, rows[:show])]))
        if out is not None:
            write_parquet([row for row in rows if row["updates"] or not only_cut], out / f"{name}.parquet")
    if json is not None:
        json.write_text(jsonlib.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@app.command()
def bench(
    family: Family = None,
    num: Annotated[int, typer.Option(min=1, help="Samples of a run of one family.")] = 200,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each family; the best one counts.")] = 25,
    updates: Updates = (0, 4),
    memory: Annotated[
        str | None, typer.Option(help="Build so many samples too, and tell the peak memory.", metavar="10000,100000")
    ] = None,
    config: Annotated[str, typer.Option(help="With --memory: the config to build.")] = "small",
    num_workers: Annotated[
        int, typer.Option("--num_workers", "--num-workers", min=1, help="With --memory: processes.")
    ] = 2,
    json: Annotated[Path | None, typer.Option(help="Write the results here.")] = None,
) -> None:
    """Measure the builder: samples a second and core of each family, and memory against samples.

    [bold]Examples[/]

    [cyan]hf-duplex data bench --family fact_correction --json bench.json[/]

    [cyan]hf-duplex data bench --memory 10000,100000,1000000[/]
    """
    from rich.console import Console

    from .build.bench import (
        describe,
        measure_memory,
        measure_speed,
        print_machine,
        print_memory,
        print_speed,
        sizes_of,
    )

    console, sizes = Console(), sizes_of(memory) if memory is not None else []
    results = describe()
    print_machine(results, console)
    speed = measure_speed(_builder_config(family, num_updates=updates), num, repeats)
    results["speed"] = {"updates": list(updates), "samples": num, "runs": repeats, "families": speed}
    print_speed(speed, repeats, console)
    if sizes:
        results["memory"] = measure_memory(config, sizes, num_workers)
        print_memory(results["memory"], console)
    if json is not None:
        json.write_text(jsonlib.dumps(results, indent=2) + "\n", encoding="utf-8")


def render(sample: Sample) -> str:
    """Formats a sample for reading: each update in [brackets] before the first character that may depend on it."""
    pieces, at = [], 0
    for update in sample.updates:
        pieces += [sample.target[at : update["position"]], f"[{update['text']}]"]
        at = update["position"]
    pieces.append(sample.target[at:])
    return f"#{sample.index} {sample.task_type}\n  > {sample.prompt}\n  < {''.join(pieces)}"


def _builder_config(family: list[str] | None, **fields: Any) -> BuilderConfig:
    from .config import BuilderConfig
    from .families import FAMILIES

    return BuilderConfig(families=tuple(family or FAMILIES), **fields)


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main() -> None:
    """The entry point."""
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
