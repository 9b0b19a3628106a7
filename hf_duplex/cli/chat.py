"""`hf-duplex chat`."""

from typing import Annotated

import typer

from .options import Model, TalkThreads


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
