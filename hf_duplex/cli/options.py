"""Options that several commands share."""

from typing import Annotated

import typer


# For commands that read their arguments themselves.
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

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
