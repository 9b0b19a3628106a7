"""
The command line: `hf-duplex demo | chat | studio | inspect | train | bench | verify | data | push`.

Only typer is imported before a command runs, so that help is there at once.
"""

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dataset_builder.cli import app as data
from dataset_builder.interaction.cli import app as interaction_data
from dataset_builder.reflection.cli import app as reflection_data


PACKAGES = (Path(__file__).parents[1], Path(__file__).parents[2] / "dataset_builder")


def is_ours(error: BaseException) -> bool:
    """Whether an error was raised by our own code: then its message names the argument and the remedy."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and any(Path(frames[-1].filename).is_relative_to(package) for package in PACKAGES)


class ClearErrors(TyperGroup):
    """Prints one line for what a user can mend, and ends with status 2."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ValueError as error:
            if not is_ours(error):
                raise
            message = str(error)
        except ModuleNotFoundError as error:
            extra = "studio" if error.name == "gradio" else "train"
            message = (
                f"{error.name} is not installed: it comes with the extra {extra}, pip install 'hf_duplex[{extra}]'."
            )
        typer.echo(f"Error: {message}", err=True)
        raise typer.Exit(2)


PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

app = typer.Typer(
    cls=ClearErrors,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with [bold]hf-duplex demo[/]; then talk to the model yourself with [bold]hf-duplex chat[/].",
)
bench = typer.Typer(no_args_is_help=True, help="Measure models: how fast, and how well they revise.")
app.add_typer(bench, name="bench")
app.add_typer(data, name="data")
data.add_typer(interaction_data, name="interaction")
data.add_typer(reflection_data, name="reflection")


@app.callback()
def about() -> None:
    """Language models that listen while they speak.

    What you say reaches the model between two tokens, and the text turns:
    nothing is stopped, nothing is read again.
    """


MODEL_HELP = (
    "A duplex adapter or a model from scratch: folder, Hub name, or one that ships, as duplex-workspace-5m. "
    "none: the base without an adapter."
)
Model = Annotated[str | None, typer.Option("--model", help=MODEL_HELP, show_default="duplex-smollm2-135m")]
Base = Annotated[
    str | None,
    typer.Option(
        "--base", help="Base of the adapter: smollm2, a folder or a Hub name.", show_default="as the adapter says"
    ),
]
Baseline = Annotated[
    str | None, typer.Option("--baseline", help="For a model from scratch: the one that is restarted instead.")
]
Threads = Annotated[int, typer.Option(min=1, help="Threads of torch; more do not help a small model.")]
TalkThreads = Annotated[
    int | None,
    typer.Option("--threads", min=1, help="Threads of torch.", show_default="2; for a model from scratch 1"),
]
Samples = Annotated[int, typer.Option(min=1, help="How many held-out samples of a split.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Conversations at a time.")]
Device = Annotated[str, typer.Option(help="Where to run, as torch names it.")]
Workers = Annotated[
    int | None,
    typer.Option("--num_workers", "--num-workers", min=1, help="Processes.", show_default="all cores; 1 on a GPU"),
]
BaseOfAdapters = Annotated[
    str | None, typer.Option("--base", help="Base of duplex adapters: a folder or Hub name.", show_default="smollm2")
]
Config = Annotated[
    str | None, typer.Option(help="Build config that samples are made from: a file, tiny, small or full.")
]


@app.command()
def demo(
    model: Model = None,
    base: Base = None,
    baseline: Baseline = None,
    scene: Annotated[
        list[str] | None, typer.Option(help="Name of a scene, or all; may be repeated.", show_default="six of them")
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="A scene of your own: what is said first.")] = None,
    update: Annotated[list[str] | None, typer.Option(help="What arrives while it speaks; may be repeated.")] = None,
    after: Annotated[
        list[str] | None, typer.Option(help="After how many tokens each update arrives, or end.", show_default="12")
    ] = None,
    pace: Annotated[
        float | None,
        typer.Option(min=0, help="Milliseconds to wait after each token.", show_default="30 on a screen, else 0"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the facts as JSON, and nothing else.")] = False,
    svg: Annotated[Path | None, typer.Option(help="Draw the demo into this file instead.")] = None,
    threads: TalkThreads = None,
    max_new_tokens: Annotated[
        int | None,
        typer.Option(min=1, help="Longest text, in tokens.", show_default="80; for a model from scratch 200"),
    ] = None,
) -> None:
    """Watch a model change its mind in the middle of a sentence.

    On the left, a model that listens while it speaks: the update goes into
    its workspace, and the next token knows it. On the right, what everyone
    does today: stop, glue the update to the prompt, start again. All of it is
    generated, measured and judged while you watch.

    The models are SmolLM2-135M-Instruct with the duplex adapter, and without.
    Where SmolLM2 is not installed, or with --model duplex-workspace-5m, two
    models from scratch play scenes of their own.

    [bold]Examples[/]

    [cyan]hf-duplex demo[/]

    [cyan]hf-duplex demo --scene all --json > facts.json[/]

    [cyan]hf-duplex demo --prompt "Write a note that I am back at 3." --update "Make it 4." --after 8[/]

    [cyan]hf-duplex demo --model duplex-workspace-5m --scene twice --pace 100[/]
    """
    from .demo_show import show_demo

    show_demo(
        model,
        baseline,
        scene or [],
        prompt,
        update or [],
        after or [],
        pace,
        json,
        svg,
        threads,
        max_new_tokens,
        base,
    )


@app.command()
def chat(
    model: Model = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="Base of the adapter, also with --dual-track: smollm2, a folder or a Hub name.",
            show_default="as the adapter says",
        ),
    ] = None,
    pace: Annotated[
        float | None,
        typer.Option(min=0, help="Milliseconds to wait after each token.", show_default="150 on a screen, else 0"),
    ] = None,
    threads: TalkThreads = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest text, in tokens.")] = 300,
    dual_track: Annotated[
        str | None, typer.Option(help="Folder of a dual-track adapter: chat with its thoughts beside the text.")
    ] = None,
    reflect_on_replies: Annotated[
        bool, typer.Option("--reflect-on-replies", help="On two tracks, think also about what the model says itself.")
    ] = False,
) -> None:
    """Talk to a model while it talks.

    The first line is the prompt. Every other line is an update: it reaches
    the model before its next token, and a model that has finished goes on.
    /help lists the commands.

    [bold]Examples[/]

    [cyan]hf-duplex chat --pace 300[/]

    [cyan]printf 'A pen costs $2. How much are 4 pens?\\nI need 6.\\n' | hf-duplex chat[/]

    [cyan]hf-duplex chat --model none --base HuggingFaceTB/SmolLM2-1.7B-Instruct[/]  [dim]no adapter: updates are
    spliced into the stream of the base[/]

    [cyan]hf-duplex chat --model duplex-workspace-5m[/]

    [cyan]hf-duplex chat --dual-track runs/connect --base HuggingFaceTB/SmolLM2-135M-Instruct[/]
    """
    if dual_track:
        from ..dual_track.chat import run_dual_track_chat

        run_dual_track_chat(dual_track, base, threads or 1, max_new_tokens, reflect_on_replies)
        return
    from .chat_screen import run_chat

    run_chat(model, pace, threads, max_new_tokens, base)


@app.command()
def studio(
    model: Model = None,
    base: Base = None,
    baseline: Baseline = None,
    advisor: Annotated[
        str | None, typer.Option(help="A chat model that advises instead, by folder or Hub name.")
    ] = None,
    formalizer: Annotated[
        str | None, typer.Option(help="A chat model that finds out what was meant, instead of rules.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; another than this machine's needs --password.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 7860,
    password: Annotated[
        str | None, typer.Option(envvar="HF_DUPLEX_PASSWORD", help="Asked for beside the user name duplex.")
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    threads: TalkThreads = None,
) -> None:
    """Talk to a model on a web page, and correct yourself while it speaks.

    What you mean stands on the left, what follows from it on the right. Below:
    what each update moved, versions to go back to, and with a model from
    scratch pressures while it speaks. A second tab plays one correction
    against a model that is stopped and restarted.

    [bold]Examples[/]

    [cyan]hf-duplex studio --open[/]

    [cyan]hf-duplex studio --model duplex-workspace-5m[/]

    [cyan]HF_DUPLEX_PASSWORD=... hf-duplex studio --host 0.0.0.0 --port 8000[/]
    """
    from ..studio.launch import check_access, launch_studio

    check_access(host, password)
    launch_studio(
        host,
        port,
        password,
        open_browser,
        model=model,
        baseline=baseline,
        advisor=advisor,
        formalizer=formalizer,
        threads=threads,
        base=base,
    )


@app.command()
def inspect(
    model: Model = None,
    base: Base = None,
    prompt: Annotated[str | None, typer.Option(help="What is said first; a scene of the demo if not given.")] = None,
    update: Annotated[list[str] | None, typer.Option(help="What arrives while it speaks; may be repeated.")] = None,
    after: Annotated[
        list[str] | None, typer.Option(help="After how many tokens each update arrives, or end.", show_default="12")
    ] = None,
    versions: Annotated[
        tuple[int, int] | None, typer.Option(help="Compare these two versions of the workspace, 0 the empty one.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write everything here.")] = None,
    png: Annotated[Path | None, typer.Option(help="Draw it into this file, .png or .svg.")] = None,
    threads: TalkThreads = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest text, in tokens.")] = 200,
) -> None:
    """Look inside a model while it is corrected.

    Which slots each message wrote, doubted or moved and by how much, how far
    gates opened, and what each emitted token attended to. Works for duplex
    adapters and all three generators; a model without a workspace shows its
    attention alone.

    [bold]Examples[/]

    [cyan]hf-duplex inspect --png inside.png[/]

    [cyan]hf-duplex inspect --prompt "Note: I am back at 3." --update "Make it 4." --after 8 --versions 1 2[/]
    """
    from ..evaluation.benchmarks.inspection_views import run_inspect

    run_inspect(model, prompt, update or [], after or [], versions, json, png, threads, max_new_tokens, base)


@app.command(context_settings=PASS_ON)
def train(ctx: typer.Context) -> None:
    """Train an adapter or a generator: CONFIG.yaml, then --any_field value. [dim]--help lists all fields.[/]

    A duplex adapter teaches a pretrained model that you have to listen
    (model_type adapter, --base smollm2, a folder or a Hub name); the other
    model types are generators from scratch. --data takes conversations of
    your own, one JSON object a line.

    [bold]Examples[/]

    [cyan]hf-duplex train examples/configs/adapter_smollm2.yaml --output_dir runs/adapter[/]

    [cyan]hf-duplex train --model_type adapter --base smollm2 --data my.jsonl --max_steps 500 --output_dir runs/mine[/]

    [cyan]hf-duplex train examples/configs/all_families.yaml --model_type workspace --output_dir runs/workspace[/]
    """
    from ..training.train import main as train_main

    train_main(ctx.args)


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


@app.command()
def push(
    folder: Annotated[
        Path,
        typer.Argument(help="A model folder, or a data set that was built.", metavar="FOLDER", show_default=False),
    ],
    repo_id: Annotated[str, typer.Argument(help="Name on the Hub: user/name.", metavar="REPO", show_default=False)],
    private: Annotated[bool, typer.Option("--private", help="Only for you and those you let in.")] = False,
    revision: Annotated[
        str | None,
        typer.Option("--revision", "--branch", help="Branch to send a model to.", show_default="main"),
    ] = None,
    token: Annotated[
        str | None, typer.Option(help="Token that may write.", show_default="the one you are logged in with")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be sent, and send nothing.")] = False,
) -> None:
    """Put a model on the Hub, with its code, card, tokenizer and results, or a data set with its card.

    Weights go as they are, all in one commit. Whoever loads the model needs
    transformers, [cyan]trust_remote_code=True[/], and not this package. The
    card's metadata tell what results.json says.

    [bold]Examples[/]

    [cyan]hf-duplex push model_cards/duplex-workspace-5m me/duplex-workspace-5m --dry-run[/]

    [cyan]hf-duplex push runs/workspace me/workspace --private --branch seed-1[/]

    [cyan]hf-duplex push data/small me/worlds-that-change[/]
    """
    from ..hub import push_folder

    typer.echo(push_folder(folder, repo_id, private=private, revision=revision, token=token, dry_run=dry_run))


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


@app.command()
def verify(
    results: Annotated[Path, typer.Argument(help="Folder of evidence.")] = Path("results/interaction"),
    data: Annotated[
        Path | None, typer.Option(help="Suites that were built, to check their hashes too.", show_default=False)
    ] = None,
    ledger: Annotated[Path | None, typer.Option(help="Write the claims with their evidence here.")] = None,
    failures: Annotated[Path | None, typer.Option(help="Write what falls short here.")] = None,
) -> None:
    """Re-check every claim of the interaction benchmark against its evidence.

    Ends with 0 if all hold, 1 if one falls short or has no evidence, and 2 if
    a file does not match its hash.

    [bold]Example[/]

    [cyan]hf-duplex verify results/interaction --ledger ledger.md --failures failures.md[/]
    """
    from ..interaction.evaluation.verify import main as verify_main

    raise typer.Exit(verify_main(results, data, ledger, failures))


def main() -> None:
    """The entry point."""
    # Threads that wait for each other give their core away: where others compute too, spinning is ten times as slow.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


if __name__ == "__main__":
    main()
