"""
The command line: `hf-duplex demo | chat | studio | inspect | train | bench | push | verify | data`.

Only typer is imported before a command runs, so that help appears at once. Each command has its own file.
"""

import os
import sys

import typer

from dataset_builder.cli import app as data
from dataset_builder.interaction.cli import app as interaction_data
from dataset_builder.reflection.cli import app as reflection_data

from .bench import bench
from .chat import chat
from .demo import demo
from .errors import ClearErrors
from .inspect import inspect
from .options import PASS_ON
from .push import push
from .studio import studio
from .train import train
from .verify import verify


app = typer.Typer(
    cls=ClearErrors,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with [bold]hf-duplex demo[/]; then talk to the model yourself with [bold]hf-duplex chat[/].",
)
app.add_typer(bench, name="bench")
app.add_typer(data, name="data")
data.add_typer(interaction_data, name="interaction")
data.add_typer(reflection_data, name="reflection")

app.command()(demo)
app.command()(chat)
app.command()(studio)
app.command()(inspect)
app.command(context_settings=PASS_ON)(train)
app.command()(push)
app.command()(verify)


@app.callback()
def about() -> None:
    """Language models that listen while they speak.

    What you say reaches the model between two tokens, and the text turns:
    nothing is stopped, nothing is read again.
    """


def main() -> None:
    """The entry point."""
    # Waiting threads yield their core instead of spinning: on a shared machine, spinning is ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


if __name__ == "__main__":
    main()
