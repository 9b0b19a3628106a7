"""
Releases models and draws results into cards and README.

    python -m hf_duplex.hub release runs/workspace-longer model_cards/duplex-workspace-4m
    python -m hf_duplex.hub card model_cards/duplex-workspace-4m
    python -m hf_duplex.hub readme
    python -m hf_duplex.hub trials docs/trials runs/workspace runs/baseline
"""

import typer

from .cards import write_card
from .release import release
from .tables import fill_readme
from .trials import draw_trials


app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command("release")
def release_command(run: str, folder: str) -> None:
    """Turn a training run into a model folder: bf16 weights, code, tokenizer, facts, card."""
    release(run, folder)


@app.command("card")
def card_command(folder: str) -> None:
    """Draw a model folder's card anew, from its training.json, results.json and speed.json."""
    write_card(folder)


@app.command("readme")
def readme_command(readme: str = "README.md", cards: str = "model_cards") -> None:
    """Draw the README's tables anew, from the results files in the model folders."""
    fill_readme(readme, cards)


@app.command("trials")
def trials_command(folder: str, runs: list[str] = typer.Argument(default_factory=list)) -> None:  # noqa: B008
    """Draw the page of a folder of trials anew, training runs taken into it first."""
    draw_trials(folder, runs)


if __name__ == "__main__":
    app()
