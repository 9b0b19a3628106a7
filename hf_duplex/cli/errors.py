"""Prints errors that a user can correct in one line."""

import traceback
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup


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
