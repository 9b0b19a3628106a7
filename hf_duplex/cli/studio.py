"""`hf-duplex studio`."""

from typing import Annotated

import typer

from .options import Base, Baseline, Model, TalkThreads


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
