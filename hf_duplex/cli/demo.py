"""`hf-duplex demo`."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Base, Baseline, Model, TalkThreads


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
