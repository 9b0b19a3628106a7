"""`hf-duplex push`."""

from pathlib import Path
from typing import Annotated

import typer


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
