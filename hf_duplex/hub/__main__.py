"""
Releases models and draws results into cards and README.

    python -m hf_duplex.hub release runs/workspace model_cards/duplex-workspace-5m --n-slots 256
    python -m hf_duplex.hub average runs/first runs/second runs/average --share 0.3
    python -m hf_duplex.hub card model_cards/duplex-workspace-5m
    python -m hf_duplex.hub code
    python -m hf_duplex.hub readme
    python -m hf_duplex.hub disfl-qa DATA runs/disfl/*.json --out model_cards/disfl_qa
    python -m hf_duplex.hub trials docs/trials runs/workspace runs/baseline
    python -m hf_duplex.hub report model_cards
"""

import typer

from ..dual_track.page import draw
from ..released import SHIPPED
from .average import average
from .cards import write_card
from .code import folders_with_code, write_code
from .disfl_qa import keep_disfl_qa
from .readme import fill_readme
from .release import keep_results, release
from .report import write_report
from .trials import draw_trials


app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command("release")
def release_command(
    run: str,
    folder: str,
    n_slots: int | None = typer.Option(None, help="Slots that a workspace keeps; as in training if not given."),
    sliding_window: int | None = typer.Option(
        None, help="Tokens of its own text that the generator reaches back; as in training if not given."
    ),
) -> None:
    """Turn a training run into a model folder: bf16 weights, code, tokenizer, facts, card."""
    release(run, folder, n_slots, sliding_window)


@app.command("results")
def results_command(comparison: str, folders: list[str] = typer.Argument(...)) -> None:  # noqa: B008
    """Give each model folder its results.json: of COMPARISON its own in full, and what it is compared with."""
    for folder in folders:
        print(keep_results(comparison, folder))


@app.command("dual-track")
def dual_track_command(results: str = "results/reflection", page: str = "docs/dual_track.md") -> None:
    """Draw the tables of the page on dual-track reflection anew, from its results files."""
    draw(results, page)


@app.command("average")
def average_command(
    first: str,
    second: str,
    out: str,
    share: float = typer.Option(0.5, help="How much of the second, between 0 and 1."),
    chosen_on: str | None = typer.Option(None, help="The cases on which the share was chosen, for the card."),
) -> None:
    """Average two adapters, the second trained further from the first; the average keeps more of the base."""
    print(average(first, second, share, out, chosen_on))


@app.command("card")
def card_command(folder: str) -> None:
    """Draw a model folder's card anew, from its training.json, results.json and speed.json."""
    write_card(folder)


@app.command("code")
def code_command(
    folders: list[str] = typer.Argument(default_factory=list, help="All that ship if none is named."),  # noqa: B008
    check: bool = typer.Option(False, help="Write nothing; exit with status 1 if a file differs."),
) -> None:
    """Write into model folders the code that their configurations name, and remove code that they no longer need."""
    named = folders or folders_with_code(SHIPPED)
    differs = {path: how for folder in named for path, how in write_code(folder, check).items()}
    for path, how in differs.items():
        print(f"{path}: {how}" if check else f"{path}: was {how}")
    if check and differs:
        print("The same command without --check writes them.")
        raise typer.Exit(1)


@app.command("readme")
def readme_command(readme: str = "README.md", cards: str = "model_cards") -> None:
    """Draw the README's tables and the text of its example anew, from the released models."""
    fill_readme(readme, cards)


@app.command("disfl-qa")
def disfl_qa_command(
    data: str,
    files: list[str] = typer.Argument(...),  # noqa: B008
    out: str = typer.Option("model_cards/disfl_qa", help="Where what is kept of them goes."),
) -> None:
    """Keep of results on Disfl-QA the scores and what was said wrong. DATA is the folder with dev.json."""
    print(*keep_disfl_qa(data, files, out), sep="\n")


@app.command("trials")
def trials_command(
    folder: str,
    runs: list[str] = typer.Argument(default_factory=list),  # noqa: B008
    results: str | None = typer.Option(None, help="A results file of bench revision to take into trials.csv."),
    trial: str | None = typer.Option(None, help="What the trial of these results is called."),
) -> None:
    """Draw the page of trials anew, training runs and results taken into it first."""
    draw_trials(folder, runs, results, trial)


@app.command("report")
def report_command(cards: str = typer.Argument("model_cards"), trials: str = "docs/trials") -> None:
    """Draw the report on the comparison, REPORT.md and its figures, from the results files beside the model cards."""
    print(write_report(cards, trials))


if __name__ == "__main__":
    app()
