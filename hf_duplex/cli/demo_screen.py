"""Screen of the demo: two columns, versions under the text, and measurements below."""

import io
import textwrap
from collections.abc import Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ..evaluation.benchmarks.demo import Play, names, stretches
from ..evaluation.metrics.rules import Ruling
from ..evaluation.metrics.verdict import Verdict
from ..runtime.live import LiveText
from ..runtime.slots import Doubted, beliefs


# One colour per version, starting with the prompt; then the discarded and the restarted text.
COLOURS = ("cyan", "magenta", "yellow", "green", "blue")
GONE, ANEW = "bright_black", "white"
# On narrower screens, the columns are stacked.
SIDE_BY_SIDE = 72
WIDEST = 120


def colour(version: int, first: int) -> str:
    """The colour of a version, where the prompt made the version `first`."""
    return COLOURS[max(0, version - first) % len(COLOURS)]


def first_version(text: LiveText) -> int:
    """The version that the prompt alone made."""
    return text.heard[0].version - 1 if text.heard else text.version


def ruled(said: str, version: int, style: str, width: int, cursor: bool) -> list[RenderableType]:
    """Wrapped lines of a stretch of text, under each a ruler in its colour; the first names the version it knew."""
    lines: list[RenderableType] = []
    wrapped = [part for line in said.strip().splitlines() for part in textwrap.wrap(line, width - 1)]
    label = f"v{version}"
    for number, line in enumerate(wrapped):
        last = cursor and number + 1 == len(wrapped)
        lines.append(Text(line + "▌" * last, style=style))
        lines.append(Text((label + "─" * len(line))[: max(len(line), len(label))], style=f"dim {style}"))
        label = ""
    return lines


def bubble(text: str, style: str) -> Table:
    """An update, where it arrived."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_row(Text("▶", style=f"bold {style}"), Text(f" {text} ", style=f"bold reverse {style}"))
    return grid


def doubted_words(words: Sequence[Doubted], most: int = 3) -> Text:
    """The words that kept least of their validity, before and after."""
    line = Text()
    for word in words[:most]:
        line.append(word.word, style="bold strike")
        line.append(f" {word.before:.2f}→{word.after:.2f}  ")
    if len(words) > most:
        line.append(f"and {len(words) - most} more, less", style="dim")
    return line


def belief_line(text: LiveText) -> Text:
    """The workspace itself: the words it holds, those that it no longer believes fading."""
    line, first = Text(), first_version(text)
    for word, version, validity in beliefs(text.cache.memory, text.tokenizer, text.model.config.max_message_length):
        shade = "dim strike" if validity < 0.3 else "dim" if validity < 0.6 else "" if validity < 0.85 else "bold"
        line.append(word if line else word.lstrip(), style=f"{shade} {colour(version, first)}".strip())
    return line


def heard_facts(play: Play, number: int) -> list[tuple[str, Text]]:
    """Rows about one update."""
    text, heard = play.listening, play.listening.heard[number]
    style, moves = colour(heard.version, first_version(text)), heard.moves
    rows = [(f"v{heard.version - 1}→v{heard.version}", Text(heard.text, style=style))]
    if moves.doubted:
        rows.append(("doubted", doubted_words(moves.doubted)))
    if moves.moved:
        rows.append(("moved", Text(", ".join(list(moves.moved)[:6]))))
    if moves.written:
        rows.append(("written", Text(" ".join(moves.written))))
    rows.append(("update → token", Text(f"{play.update_ms(number):.1f} ms", style="bold green")))
    return rows


def ruling_rows(ruling: Ruling, due: str) -> list[tuple[str, Text]]:
    """Whether the text after the last update keeps the rule of the scene."""
    if ruling.right:
        return [("judged", Text(f"right: {due}", style="bold green"))]
    line = Text(f"wrong: it is {due}", style="bold red")
    if ruling.stale:
        line.append(f"; stale: {', '.join(ruling.stale)}", style="not bold red")
    return [("judged", line)]


def verdict_rows(verdict: Verdict | Ruling | None, due: str = "") -> list[tuple[str, Text]]:
    """How many answers are right in the end, each that is not with what it should be, and what was wrong when said."""
    if verdict is None:
        return [("in the end", Text("not judged: in the words of no family", style="dim"))]
    if isinstance(verdict, Ruling):
        return ruling_rows(verdict, due)
    counted = f"{verdict.right} of {len(verdict.answers)} right"
    line = Text(counted, style="bold green" if verdict.right == len(verdict.answers) else "bold red")
    for answer in verdict.answers:
        if not answer.right:
            said = "not said" if answer.said is None else f"said to be {answer.said}"
            line.append(f"; {answer.key} is {answer.due}, {said}", style="not bold red")
    rows = [("in the end", line)]
    if verdict.slips:
        told = [f"{slip.key} is {slip.due}, said to be {slip.said}" for slip in verdict.slips]
        rows.append(("on the way", Text("; ".join(told), style="red")))
    return rows


def facts_table(rows: Sequence[tuple[str, Text]]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    return table


def workspace_panel(play: Play, width: int, done: bool, shaded: bool) -> Panel:
    """The left column: the text as it turns, and what moved."""
    text, inner, first = play.listening, width - 4, first_version(play.listening)
    updates = {heard.version: heard for heard in text.heard}
    parts: list[RenderableType] = []
    pieces = stretches(text.tokens)
    for number, piece in enumerate(pieces):
        version, style = piece["version"], colour(piece["version"], first)
        if version in updates:
            parts.append(bubble(updates[version].text, style))
        talking = not done and number + 1 == len(pieces) and not text.ended
        parts += ruled(piece["text"], version, style, inner, cursor=talking)
    rows = [row for number in range(len(text.heard)) for row in heard_facts(play, number)]
    if text.ended:
        rows.append(("read again", Text(f"{text.processed_again} tokens", style="bold green")))
    if done:
        rows += verdict_rows(play.verdict(), play.scene.due)
    below: list[RenderableType] = []
    if text.ended and shaded and text.cache.memory is not None:
        below = [Text(f"\nworkspace v{text.version}: what is doubted fades", style="dim"), belief_line(text)]
    return panel(f"{names(play)[0]}: listens while it speaks", parts, rows, width, COLOURS[0], below)


def baseline_panel(play: Play, width: int, done: bool) -> Panel:
    """The right column: what was thrown away, and what was begun anew."""
    parts: list[RenderableType] = []
    rows: list[tuple[str, Text]] = []
    if not play.stopped:
        parts.append(Text("waits for its turn", style="dim italic"))
    for number, stopped in enumerate(play.stopped):
        if number == 0:
            parts.append(Text(stopped.text, style=f"strike {GONE}" if play.restarts else ANEW))
        if number < len(play.restarts):
            restart, update = play.restarts[number], play.scene.updates[number]
            parts.append(bubble(update.text, "red"))
            parts.append(Text("■ stop, re-prompt, restart", style="bold red"))
            given_up = number + 1 < len(play.stopped)
            parts.append(Text(restart.text.lstrip(), style=f"strike {GONE}" if given_up else ANEW))
            if restart.tokens:
                rows += restart_facts(play, number)
    if done:
        rows += verdict_rows(play.restart_verdict(), play.scene.due)
    return panel(f"{names(play)[1]}: stops and starts again", parts, rows, width, "red")


def restart_facts(play: Play, number: int) -> list[tuple[str, Text]]:
    return [
        ("update → token", Text(f"{play.restart_ms(number):.1f} ms", style="bold red")),
        ("read again", Text(f"{play.restarts[number].read_again} tokens", style="bold red")),
        ("thrown away", Text(f"{len(play.stopped[number].tokens)} tokens", style="bold red")),
    ]


def panel(
    title: str,
    parts: list[RenderableType],
    rows: list[tuple[str, Text]],
    width: int,
    style: str,
    below: Sequence[RenderableType] = (),
) -> Panel:
    if width < len(title) + 6:
        title = title.split(":")[0]
    body = [*parts, Text(), facts_table(rows), *below] if rows else parts
    return Panel(Group(*body), title=f"[bold]{title}[/]", border_style=style, width=width, title_align="left")


def scene_view(play: Play, width: int, done: bool = True, shaded: bool = True) -> RenderableType:
    """A scene as it stands."""
    head = Text.assemble(
        (f"{play.scene.name}", "bold"),
        (f"  {play.scene.title}\n", "dim"),
        ("▶ ", "bold cyan"),
        (play.scene.prompt, "cyan"),
    )
    width = min(width, WIDEST)
    if width < SIDE_BY_SIDE:
        return Group(head, workspace_panel(play, width, done, shaded), baseline_panel(play, width, done), Text())
    left = (width + 9) // 2
    panels = workspace_panel(play, left, done, shaded), baseline_panel(play, width - left, done)
    ruler = Console(width=width, file=io.StringIO())
    height = max(len(ruler.render_lines(column)) for column in panels)
    grid = Table.grid()
    for column in panels:
        column.height = height
        grid.add_column(width=column.width)
    grid.add_row(*panels)
    return Group(head, grid, Text())


def summary_table(plays: Sequence[Play]) -> Table:
    """One row for each update."""
    table = Table(box=box.SIMPLE_HEAD, title="From update to the first token that knows it", title_justify="left")
    table.add_column("scene")
    table.add_column("tokens", justify="right")
    listens = names(plays[0])[0].split()[-1] if plays else "workspace"
    for name, style in ((listens, "green"), ("restart", "red"), (f"read again,\n{listens}", "green")):
        table.add_column(name, justify="right", style=style)
    table.add_column("read again,\nrestart", justify="right", style="red")
    table.add_column("thrown\naway", justify="right", style="red")
    for play in plays:
        text = play.listening
        for number, (stopped, restart) in enumerate(zip(play.stopped, play.restarts, strict=True)):
            table.add_row(
                play.scene.name if number == 0 else "",
                str(len(text.tokens)) if number == 0 else "",
                f"{play.update_ms(number):.1f} ms",
                f"{play.restart_ms(number):.1f} ms",
                str(text.processed_again),
                str(restart.read_again),
                str(len(stopped.tokens)),
            )
    return table


def verdict_line(plays: Sequence[Play]) -> str:
    """How much of what was asked in the scenes both got right in the end, and what was wrong on the way."""
    found = [(play, own, other) for play in plays if (own := play.verdict()) and (other := play.restart_verdict())]
    if not found:
        return "Nothing was judged: the words are those of no family."
    ruled = [(own, other) for _, own, other in found if isinstance(own, Ruling) and isinstance(other, Ruling)]
    if ruled:
        own, other = (sum(ruling.right for ruling in rulings) for rulings in zip(*ruled, strict=True))
        mine, theirs = names(found[0][0])
        count = f"{len(ruled)} scene{'s' * (len(ruled) > 1)}"
        return f"By the rule of each scene: {mine} right in {own} of {count}; {theirs}, restarted, in {other}."
    told = []
    pairs = [(own, other) for _, own, other in found if isinstance(own, Verdict) and isinstance(other, Verdict)]
    for verdicts in zip(*pairs, strict=True):
        right, asked = sum(verdict.right for verdict in verdicts), sum(len(verdict.answers) for verdict in verdicts)
        wrong = sum(len(verdict.slips) for verdict in verdicts)
        told.append(f"{right} of {asked} answers right in the end, {wrong} wrong on the way")
    return f"As an independent listener hears it: workspace {told[0]}; restarted baseline {told[1]}."
