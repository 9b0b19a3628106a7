"""The command line: `hf-duplex data reflection synthetic | annotate | split | pilot`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from ..cli import ClearErrors


app = typer.Typer(
    cls=ClearErrors,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Dialogues annotated with thoughts: synthetic ones, and real text through oracles.",
)

Out = Annotated[Path, typer.Argument(help="Where it goes.", metavar="OUT", show_default=False)]


def _write(path: Path, rows: Iterable[Any]) -> int:
    """Rows as JSON lines, in one move."""
    from rich.progress import track

    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished, count = path.with_name(f".{path.name}.part"), 0
    with unfinished.open("w") as file:
        for row in track(rows, description=path.name, transient=True):
            file.write(json.dumps(row) + "\n")
            count += 1
    unfinished.replace(path)
    return count


@app.command()
def synthetic(
    out: Out,
    train: Annotated[int, typer.Option(help="Dialogues to train on.", min=1)] = 8000,
    held_out: Annotated[int, typer.Option(help="Dialogues of validation and of test, each.", min=1)] = 400,
    far: Annotated[
        int, typer.Option(help="Test dialogues in which a fact is asked long after it changed.", min=0)
    ] = 200,
    chats: Annotated[
        Path | None, typer.Option(help="dataset.json of chitchat-dataset, for small talk between facts.")
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="No small talk of real people.")] = False,
) -> None:
    """Write dialogues whose facts, changes, contradictions and questions are known by construction.

    [bold]Example[/]

    [cyan]hf-duplex data reflection synthetic data/reflection --train 8000[/]
    """
    from .corpora import chitchat, small_talk
    from .dialogues import DialogueConfig, write_dialogue

    found = [] if plain else list(chitchat(chats))
    cuts = [0, int(0.8 * len(found)), int(0.9 * len(found)), len(found)]
    talk = {name: small_talk(found[cuts[i] : cuts[i + 1]]) for i, name in enumerate(("train", "validation", "test"))}
    config = DialogueConfig(events=(4, 12))
    for name, count in (("train", train), ("validation", held_out), ("test", held_out)):
        _write(out / f"{name}.jsonl", (write_dialogue(i, name, talk[name], config).to_row() for i in range(count)))
    long = DialogueConfig(events=(4, 9), far=850)
    _write(out / "far.jsonl", (write_dialogue(i, "test", talk["test"], long).to_row() for i in range(far)))
    typer.echo(
        f"{out}: {train:,} train, {held_out:,} validation, {held_out:,} test, {far:,} with a question long after."
    )


@app.command()
def games(
    out: Out,
    count: Annotated[int, typer.Option(help="Games.", min=1)] = 50,
    seed: Annotated[int, typer.Option(help="Of the first game.", min=0)] = 0,
) -> None:
    """Make text games (textworld), play them, and annotate exactly what changed at each step.

    [bold]Example[/]

    [cyan]pip install textworld[/]
    [cyan]hf-duplex data reflection games data/games.jsonl --count 50[/]
    """
    from .games import textworld_games

    made = _write(out, (dialogue.to_row() for dialogue in textworld_games(count, seed)))
    typer.echo(f"{out}: {made:,} games.")


def _oracle(name: str, url: str | None, timeout: float) -> Any:
    from .oracle import ChatOracle, ScriptedOracle

    return ScriptedOracle() if name == "scripted" else ChatOracle(name, url=url, timeout=timeout)


@app.command()
def annotate(
    source: Annotated[
        str,
        typer.Argument(
            help="chitchat, a text file (a book), a .jsonl of dialogues, or a public set: wildchat, lmsys, sharegpt, "
            "gutenberg, opensubtitles, ami, stackexchange.",
            metavar="SOURCE",
            show_default=False,
        ),
    ],
    out: Out,
    oracle: Annotated[
        str, typer.Option(help="A model of a chat endpoint, or [bold]scripted[/] for dialogues that are annotated.")
    ] = "scripted",
    second: Annotated[str | None, typer.Option(help="Another; kept is what both agree on.")] = None,
    url: Annotated[
        str | None, typer.Option(help="The endpoint, such as http://localhost:8000/v1 of [bold]transformers serve[/].")
    ] = None,
    limit: Annotated[int, typer.Option(help="Texts at most.", min=1)] = 500,
    similarity: Annotated[
        str | None,
        typer.Option(
            help="A sentence-embedding model (folder or name) by which summaries of two oracles are compared; "
            "by the words they have in common if none is named."
        ),
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="The third pass.")] = False,
    min_words: Annotated[int, typer.Option(help="Texts shorter than this are left out.", min=1)] = 200,
    timeout: Annotated[float, typer.Option(help="Seconds for one answer.")] = 60.0,
) -> None:
    """Annotate real text in three passes; goes on where it was, and keeps what is annotated when an oracle fails.

    [bold]Example[/]

    [cyan]transformers serve --port 8000[/]
    [cyan]hf-duplex data reflection annotate chitchat data/chats.jsonl --oracle Qwen/Qwen2.5-7B-Instruct --url http://localhost:8000/v1[/]
    """
    from .agreement import word_overlap
    from .corpora import Filter, chitchat, filtered, narrative
    from .passes import annotate_all
    from .public_sets import PUBLIC, public
    from .schema import from_row
    from .similarity import SentenceEmbedding

    dialogues: Iterable[Any]
    if source == "chitchat":
        dialogues = chitchat()
    elif source in PUBLIC:
        dialogues = public(source)
    elif source.endswith(".jsonl"):
        with Path(source).open() as lines:
            dialogues = [from_row(json.loads(line)) for line in lines]
    else:
        dialogues = narrative(source)
    kept = islice(filtered(dialogues, Filter(min_words=min_words)), limit)
    again = _oracle(second, url, timeout) if second else None
    alike = SentenceEmbedding(similarity) if similarity else word_overlap
    counts = annotate_all(kept, out, _oracle(oracle, url, timeout), again, verify, alike)
    typer.echo(f"{out}: {counts['annotated']} annotated, {counts['before']} were there, {counts['failed']} failed.")


@app.command()
def split(
    annotated: Annotated[Path, typer.Argument(help="Annotated dialogues.", metavar="FILE", show_default=False)],
    out: Out,
    balance: Annotated[
        bool, typer.Option(help="Draw dialogues of rare types again, up to three times, in training.")
    ] = True,
    interleaved: Annotated[
        bool, typer.Option("--interleaved", help="Write texts with the thoughts in them too, NAME.interleaved.jsonl.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Another seed gives other splits.")] = 0,
) -> None:
    """Split annotated dialogues 80/10/10, stratified by type and tier, and bring the types to their target shares."""
    from .interleaved import interleaved_row
    from .passes import read_finished
    from .shares import balanced, type_shares
    from .shares import split as parts_of

    rows = list(read_finished(annotated).values())
    if not rows:
        raise ValueError(f"`FILE`: {annotated} holds no dialogues.")
    for name, part in parts_of(rows, seed).items():
        part = balanced(part, seed) if balance and name == "train" else part
        _write(out / f"{name}.jsonl", part)
        if interleaved:
            _write(out / f"{name}.interleaved.jsonl", map(interleaved_row, part))
        shares = ", ".join(f"{share:.0%} {kind}" for kind, share in type_shares(part).items())
        typer.echo(f"{name}: {len(part):,} dialogues; {shares}.")


@app.command()
def show(
    annotated: Annotated[Path, typer.Argument(help="Annotated dialogues.", metavar="FILE", show_default=False)],
    number: Annotated[int, typer.Option(help="Which of them, from 0.", min=0)] = 0,
) -> None:
    """Show a dialogue with its thoughts where they belong."""
    from rich.console import Console
    from rich.text import Text

    from .interleaved import interleave
    from .passes import read_finished
    from .schema import from_row

    rows = list(read_finished(annotated).values())
    if number >= len(rows):
        raise ValueError(f"`--number`: {annotated} holds {len(rows)} dialogues.")
    text = Text(interleave(from_row(rows[number])))
    text.highlight_regex(r"\[DSL_START\].*?\[DSL_END\]", "green")
    text.highlight_regex(r"(?m)^\w+: ", "bold")
    Console().print(text)


@app.command()
def pilot(
    annotated: Annotated[
        list[Path], typer.Argument(help="Annotated dialogues of each source.", metavar="FILE...", show_default=False)
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Write the report here, not to the terminal.")] = None,
) -> None:
    """Report on a pilot annotation: types by source, agreement, discards, and what to change before the rest."""
    from .passes import read_finished
    from .pilot import pilot_report

    report = pilot_report([row for path in annotated for row in read_finished(path).values()])
    if out:
        out.write_text(report)
    else:
        typer.echo(report)


if __name__ == "__main__":
    app()
