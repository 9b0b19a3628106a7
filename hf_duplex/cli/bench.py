"""`hf-duplex bench`: a command for each benchmark."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import PASS_ON, BaseOfAdapters, BatchSize, Config, Device, Samples, Threads, Workers


bench = typer.Typer(no_args_is_help=True, help="Measure models: how fast, and how well they revise.")


@bench.command()
def speed(
    json: Annotated[
        Path | None, typer.Option(help="Write the results here; an interrupted run goes on from it.")
    ] = None,
    history: Annotated[
        list[int] | None, typer.Option(min=1, help="Incoming tokens heard before; may be repeated.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Turns that each model takes.")] = 7,
    checkpoint: Annotated[str | None, typer.Option(help="Workspace checkpoint to take the sizes from.")] = None,
    base: Annotated[
        str | None, typer.Option(help="Measure a pretrained base instead, with a duplex adapter and without.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="With --base: the duplex adapter.", show_default="a fresh one")
    ] = None,
    seed: int = 0,
    threads: Threads = 1,
) -> None:
    """Milliseconds from update to next token, per token, and bytes of state, as the history grows.

    [cyan]hf-duplex bench speed --json speed.json[/]

    [cyan]hf-duplex bench speed --history 128 --history 1024 --repeats 3[/]

    [cyan]hf-duplex bench speed --base smollm2 --model runs/adapter --history 128 --history 8192 --threads 2[/]
    """
    if base is not None:
        from ..evaluation.benchmarks.speed_base import print_base_speed_table, run_base_speed_benchmark

        if checkpoint is not None:
            raise ValueError("`--checkpoint` gives sizes of models from scratch; leave it out with `--base`.")
        told: dict[str, Any] = {"histories": history} if history else {}
        print_base_speed_table(
            run_base_speed_benchmark(base, model, **told, repeats=repeats, seed=seed, threads=threads, json_path=json)
        )
        return
    if model is not None:
        raise ValueError("`--model` is a duplex adapter and goes with `--base`.")
    from ..evaluation import print_speed_table, run_speed_benchmark

    arguments: dict[str, Any] = {"histories": history} if history else {}
    print_speed_table(
        run_speed_benchmark(
            **arguments, repeats=repeats, seed=seed, threads=threads, checkpoint=checkpoint, json_path=json
        )
    )


@bench.command()
def revision(
    model: Annotated[list[str] | None, typer.Option(help="Model folder or Hub name; may be repeated.")] = None,
    samples: Samples = 1000,
    split: Annotated[
        list[str] | None, typer.Option(help="Any split of the builder; may be repeated.", show_default="test")
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option(help="Write the results here, the cases beside it; an interrupted run goes on from there."),
    ] = None,
    seed: int = 0,
    batch_size: BatchSize = 16,
    device: Device = "cpu",
    num_workers: Workers = None,
    data: Annotated[Path | None, typer.Option(help="A data set that was built, instead of new samples.")] = None,
    config: Config = None,
    base: BaseOfAdapters = None,
) -> None:
    """How well models revise what they say: six metrics, read back out of free-running text.

    A model is a folder or Hub name. Behind an @ it takes part in another way:
    restart (stopped and told anew), deaf, frozen, relocated, or a control that
    must lose: shuffled, late, noise, permuted. A duplex adapter takes its scope
    there: always, after_update. NAME=PATH,PATH,PATH joins training seeds. The
    first model is held against the others.

    [bold]Examples[/]

    [cyan]hf-duplex bench revision --model runs/workspace --model runs/baseline --samples 200[/]

    [cyan]hf-duplex bench revision --model runs/baseline --model runs/baseline@restart --split late --json late.json[/]
    """
    from dataset_builder.build.config import load_build_config

    from ..evaluation import print_revision_table, run_revision_benchmark
    from ..evaluation.benchmarks.revision import read_specs
    from ..evaluation.contestants.models import check_contestant
    from ..released import RELEASED
    from ..runtime.checkpoints import find_checkpoint

    shipped = [find_checkpoint(None, name, "--model") for name in RELEASED] if not model else []
    for spec in [spec for specs in read_specs(model or shipped).values() for spec in specs]:
        check_contestant(spec)
    print_revision_table(
        run_revision_benchmark(
            list(model or shipped),
            splits=split or ["test"],
            samples=samples,
            seed=seed,
            batch_size=batch_size,
            device=device,
            num_workers=num_workers,
            json_path=json,
            data=data,
            builder=None if config is None else load_build_config(config).builder_config(),
            base=base,
        )
    )


@bench.command()
def natural(
    data: Annotated[Path, typer.Option(help="The cases, one JSON object a line.", show_default=False)],
    model: Annotated[list[str], typer.Option(help="Who takes part; may be repeated.", show_default=False)],
    base: Annotated[str, typer.Option(help="Base of duplex adapters: a folder or Hub name.")] = "smollm2",
    json: Annotated[Path | None, typer.Option(help="Write the results here.")] = None,
    cases: Annotated[Path | None, typer.Option(help="Write every answer here, to read.")] = None,
    device: Device = "cpu",
    batch_size: BatchSize = 32,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest text after an update, in tokens.")] = 90,
    noise: Annotated[
        int | None, typer.Option(help="Add noise of the size of 4-bit quantization to the base; a seed.")
    ] = None,
) -> None:
    """Interruptions in natural English: how often what comes after an update keeps it.

    A model is a duplex adapter, by folder or Hub name, behind an @ its scope:
    always, after_update; a generator, as duplex-workspace-5m; or a baseline:
    smollm2@next_turn (stopped, the update as the next turn), smollm2@restart
    (everything in one turn), smollm2@spliced (listens without an adapter).

    [bold]Example[/]

    [cyan]hf-duplex bench natural --data cases.jsonl --model runs/adapter --model smollm2@next_turn --json out.json[/]
    """
    from ..evaluation.benchmarks.natural import print_natural_table, run_natural_benchmark

    results = run_natural_benchmark(
        data, model, base, device, batch_size, max_new_tokens, noise, json_path=json, cases_path=cases
    )
    print_natural_table(results)


@bench.command()
def fidelity(
    model: Annotated[list[str], typer.Option(help="Duplex adapter; may be repeated.", show_default=False)],
    base: Annotated[str, typer.Option(help="Its base: a folder or Hub name.")] = "smollm2",
    data: Annotated[
        Path | None,
        typer.Option(help="Chat without updates, JSON lines.", show_default="human replies of chitchat-dataset"),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the results here.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="At most so many conversations.")] = 256,
    device: Device = "cpu",
    batch_size: BatchSize = 8,
    noise: Annotated[
        int | None,
        typer.Option(help="Measure on a base with noise of the size of 4-bit quantization too; a seed."),
    ] = None,
) -> None:
    """What an adapter leaves of its base where nobody interrupts: perplexity on chat, and logits.

    The ratio to the base's perplexity is to be at most 1.03. The logits of a
    fresh adapter, and of the scope after_update before the first update, are
    to be those of the base.

    [bold]Example[/]

    [cyan]hf-duplex bench fidelity --model runs/adapter --data chat.jsonl --json fidelity.json[/]
    """
    from ..evaluation.benchmarks.fidelity import print_fidelity_table, run_fidelity_benchmark

    print_fidelity_table(run_fidelity_benchmark(model, data, base, samples, device, batch_size, noise, json))


@bench.command()
def ablations(
    plan: Annotated[Path, typer.Argument(help="YAML file with the variants.", metavar="PLAN", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for table, figure, cases and models.", show_default=False)],
    samples: Samples = 1000,
    split: Annotated[str, typer.Option(help="Any split of the builder.")] = "test",
    seed: int = 0,
    batch_size: BatchSize = 16,
    device: Device = "cpu",
    config: Config = None,
) -> None:
    """What each part is worth: variants of models, trained where they are not there yet, in one table and one figure.

    Controls that must hurt are among them. Where one does not, the command
    names it and ends with status 1. An interrupted run goes on from OUT.

    [bold]Example[/]

    [cyan]hf-duplex bench ablations examples/configs/ablations.yaml --out runs/ablations --samples 500[/]
    """
    from dataset_builder.build.config import load_build_config

    from ..evaluation.benchmarks.ablations import read_plan, run_ablations
    from ..evaluation.benchmarks.revision import evaluator
    from ..evaluation.reporting.tables import ablation_table

    builder = None if config is None else load_build_config(config).builder_config()
    read = read_plan(plan)
    settings = {"samples": samples, "split": split, "seed": seed, "config": config}
    evaluate = evaluator(builder, split, samples, seed, batch_size, device)
    results = run_ablations(read, out, evaluate, settings, seed=seed)
    typer.echo(ablation_table(results))
    for failure in results["failures"]:
        typer.echo(f"Failed: {failure}", err=True)
    if results["failures"]:
        raise typer.Exit(1)


def run_apart(main: Callable[..., None], name: str, arguments: list[str]) -> None:
    """Runs a command that has its options beside what it does."""
    apart = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
    apart.command()(main)
    apart(arguments, prog_name=f"hf-duplex bench {name}")


@bench.command(context_settings=PASS_ON)
def load(ctx: typer.Context) -> None:
    """Many live sessions on one model, told things at random moments: is anything lost, and how fast is it?"""
    from ..evaluation.benchmarks.load_test import main

    run_apart(main, "load", ctx.args)


@bench.command(context_settings=PASS_ON)
def kill(ctx: typer.Context) -> None:
    """A process with live sessions is killed at random moments: is anything lost that was acknowledged?"""
    from ..evaluation.benchmarks.kill_test import main

    run_apart(main, "kill", ctx.args)


@bench.command(context_settings=PASS_ON)
def interaction(ctx: typer.Context) -> None:
    """Who can tell when to act: alias pairs. [dim]--help lists experiments and options.[/]

    [cyan]hf-duplex bench interaction all --out results/interaction[/]
    """
    from ..interaction.evaluation.experiments import app as experiments

    experiments(ctx.args, prog_name="hf-duplex bench interaction")


@bench.command(context_settings=PASS_ON)
def reflection(ctx: typer.Context) -> None:
    """What thoughts beside the text are worth, of a dual-track adapter. [dim]--help lists the options.[/]

    [cyan]hf-duplex bench reflection measure runs/connect data/reflection --base BASE --json
    results/reflection/reflection.json[/]
    """
    from ..dual_track.evaluation.commands import app as measure

    measure(ctx.args, prog_name="hf-duplex bench reflection")
