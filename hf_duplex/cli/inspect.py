"""`hf-duplex inspect`."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Base, Model, TalkThreads


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
