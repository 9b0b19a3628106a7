"""`hf-duplex verify`."""

from pathlib import Path
from typing import Annotated

import typer


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
