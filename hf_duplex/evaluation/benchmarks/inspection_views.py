"""An inspection as a picture and on a screen, and the command `hf-duplex inspect`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ...record import command_line, describe_commit, describe_machine, describe_versions, write_json
from ...runtime.checkpoints import describe_model, is_from_scratch, open_model, set_threads
from .inspection import Difference, Inspection, Place, SlotChange, inspect_session
from .scenes import DEFAULT_EVERYDAY_SCENES, EVERYDAY_SCENES, SCENES, Scene, own_scene


if TYPE_CHECKING:
    from rich.console import Console, RenderableType


SUFFIXES = (".png", ".svg")


# As a picture


def draw(inspection: Inspection, path: str | Path) -> None:
    """
    Draws an inspection: above, the validity of each slot at each version (for latent slots: how far it moved); below,
    what each emitted token attended to, with the arrivals of updates marked.

    Args:
        inspection (`Inspection`): What to draw.
        path (`str` or `Path`): Where the picture goes, `.png` or `.svg`.

    Raises:
        ValueError: `path` has another ending, or its folder does not exist.
    """
    check_picture(path, "path")
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    upper = bool(inspection.workspaces)
    columns, rows = attention_rows(inspection)
    slots = slot_columns(inspection) if upper else []
    width = min(60.0, max(8.0, 2.5 + 0.16 * max(len(inspection.tokens), len(slots))))
    heights = [1.6 + 0.22 * len(inspection.messages)] * upper + [1.6 + 0.22 * len(rows)]
    with rc_context({"font.size": 8, "svg.hashsalt": "inspection"}):
        figure = Figure(figsize=(width, sum(heights) + 0.8), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(len(heights), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
        if upper:
            draw_slots(inspection, slots, figure, axes[0])
        draw_attention(inspection, columns, rows, figure, axes[-1])
        metadata: dict[str, Any] = {"Date": None} if Path(path).suffix.lower() == ".svg" else {}
        figure.savefig(path, dpi=110, metadata=metadata)


def check_picture(path: str | Path, argument: str) -> None:
    """Raises `ValueError`, before anything is computed, if the picture could not be written."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise ValueError(f"`{argument}` must end in {' or '.join(SUFFIXES)}, got {str(path)!r}.")
    check_folder(path, argument)


def check_folder(path: str | Path, argument: str) -> None:
    if not Path(path).parent.is_dir():
        raise ValueError(f"`{argument}`: there is no folder {str(Path(path).parent)!r}: create it first.")


def plain(text: str | None) -> str:
    """A label that matplotlib draws literally: no mathematics, no line ends."""
    return (text or "").strip().replace("\n", " ").replace("$", r"\$") or "·"


def shortened(text: str, longest: int = 36) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def slot_columns(inspection: Inspection) -> list[SlotChange]:
    """All slots of all versions, in order."""
    effects = [message.effect for message in inspection.messages if message.effect is not None]
    slots = {slot.slot: slot for effect in effects for slot in effect.slots if slot.slot is not None}
    return [slots[number] for number in sorted(slots)]


def draw_slots(inspection: Inspection, slots: list[SlotChange], figure: Any, axes: Any) -> None:
    """Versions downwards, slots from left to right."""
    at = {slot.slot: column for column, slot in enumerate(slots)}
    values = torch.full((len(inspection.messages), len(slots)), torch.nan)
    for row, message in enumerate(inspection.messages):
        for slot in message.effect.slots if message.effect is not None else ():
            value = slot.moved if inspection.latent else slot.after
            if value is not None:
                values[row, at[slot.slot]] = value
    scale: dict[str, Any] = {} if inspection.latent else {"vmin": 0, "vmax": 1}
    image = axes.imshow(values.numpy(), aspect="auto", cmap="cividis", interpolation="nearest", **scale)
    label = "moved by, relative" if inspection.latent else "validity"
    figure.colorbar(image, ax=axes, label=label, pad=0.01, fraction=0.02)
    names = [str(slot.slot) if inspection.latent else plain(slot.text) for slot in slots]
    axes.set_xticks(range(len(slots)), names, rotation=90)
    axes.set_yticks(range(len(inspection.messages)), message_labels(inspection))
    first_update = sum(message.kind == "prompt" for message in inspection.messages)
    axes.axhline(first_update - 0.5, color="tab:orange", linewidth=1)
    axes.set_title(f"Slots of the workspace after each message: {label}", loc="left")


def message_labels(inspection: Inspection) -> list[str]:
    labels = []
    for message in inspection.messages:
        gate = "" if message.gate is None else f" (gate {message.gate:.2f})"
        labels.append(f"v{message.version} {shortened(plain(message.text))}{gate}")
    return labels


def attention_rows(inspection: Inspection) -> tuple[list[str], list[tuple[str, list[float]]]]:
    """The emitted tokens, and the places they could attend to, each with its weight for every token."""
    tokens = inspection.tokens
    rows: list[tuple[str, list[float]]] = []
    if inspection.latent:
        numbers = sorted({slot for token in tokens for slot in token.slots})
        rows += [(f"slot {slot}", [token.slots.get(slot, 0.0) for token in tokens]) for slot in numbers]
    else:
        for message, label in zip(inspection.messages, message_labels(inspection), strict=True):
            known = [token.messages or [] for token in tokens]
            at = message.version - 1
            rows.append((label, [weights[at] if at < len(weights) else torch.nan for weights in known]))
    for name in ("nothing", "itself"):
        values = [getattr(token, name) for token in tokens]
        if any(value is not None for value in values):
            rows.append((name, values))
    return [plain(token.text) for token in tokens], rows


def draw_attention(
    inspection: Inspection, columns: list[str], rows: list[tuple[str, list[float]]], figure: Any, axes: Any
) -> None:
    """Messages downwards, emitted tokens from left to right."""
    values = torch.tensor([weights for _, weights in rows]).reshape(len(rows), len(columns))
    image = axes.imshow(values.numpy(), aspect="auto", cmap="cividis", vmin=0, vmax=1, interpolation="nearest")
    figure.colorbar(image, ax=axes, label="attention", pad=0.01, fraction=0.02)
    axes.set_xticks(range(len(columns)), columns, rotation=90)
    axes.set_yticks(range(len(rows)), [label for label, _ in rows])
    for message in inspection.messages:
        if message.after is not None:
            axes.axvline(message.after - 0.5, color="tab:orange", linewidth=1.5)
            axes.annotate(
                f"v{message.version}",
                (message.after - 0.5, -0.6),
                color="tab:orange",
                ha="center",
                annotation_clip=False,
            )
    axes.set_title("What each emitted token attended to, the mean over layers and heads", loc="left", pad=14)


# On a screen


def render(inspection: Inspection, console: "Console", following: int = 6) -> None:
    """
    Prints an inspection: the messages and what they did, and the first tokens after each arrival with what they
    attended to. Everything else is in [`Inspection.to_dict`] and the picture.

    Args:
        inspection (`Inspection`): What to print.
        console (`Console`): Where.
        following (`int`, *optional*, defaults to 6): How many tokens from each arrival on.
    """
    console.print(messages_table(inspection))
    if any(token.top for token in inspection.tokens):
        console.print(tokens_table(inspection, following))
    else:
        console.print("What tokens attended to is not shown: the attention layers of this base keep no weights.")
    if inspection.difference is not None:
        console.print(difference_table(inspection.difference))


def doubted_line(effect: Difference, most: int = 3) -> str:
    words = [f"{word.word} {word.before:.2f}→{word.after:.2f}" for word in effect.moves.doubted]
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def moved_line(effect: Difference, most: int = 3) -> str:
    by_motion = sorted(effect.moves.moved.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{slot} by {motion:.2f}" for slot, motion in by_motion[:most])


def messages_table(inspection: Inspection) -> "RenderableType":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    title = " ".join(filter(None, (inspection.model_type, inspection.update_type)))
    table = Table(box=box.SIMPLE, title=title, title_justify="left")
    gates = any(message.gate is not None for message in inspection.messages)
    effects = any(message.effect is not None for message in inspection.messages)
    for heading in ("", "message", "after") + ("wrote", "moved" if inspection.latent else "doubted") * effects:
        table.add_column(heading)
    if gates:
        table.add_column("gate")
    for message in inspection.messages:
        cells = [f"v{message.version}", message.text, "" if message.after is None else str(message.after)]
        if message.effect is not None:
            cells.append(f"{sum(slot.before is None for slot in message.effect.slots)} slots")
            cells.append((moved_line if inspection.latent else doubted_line)(message.effect))
        if gates:
            cells.append(f"{message.gate:.2f}")
        table.add_row(*map(Text, cells))
    return table


def tokens_table(inspection: Inspection, following: int) -> "RenderableType":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    starts = [0, *(message.after for message in inspection.messages if message.after is not None)]
    shown = sorted({at for start in starts for at in range(start, start + following) if at < len(inspection.tokens)})
    table = Table(box=box.SIMPLE, title="what the first tokens of each stretch attended to", title_justify="left")
    for heading in ("", "token", "knows", "most of all", "nothing" if inspection.cross_gates else "itself"):
        table.add_column(heading)
    for at in shown:
        token = inspection.tokens[at]
        top = [f"{place_label(place)} {weight:.2f}" for place, weight in token.top[:3]]
        rest = token.nothing if inspection.cross_gates else token.itself
        cells = str(at), token.text, f"v{token.version}", ", ".join(top), "" if rest is None else f"{rest:.2f}"
        table.add_row(*map(Text, cells))
    return table


def place_label(place: Place) -> str:
    return f"slot {place.slot}" if place.message is None else f"{(place.text or '').strip()} (v{place.message})"


def difference_table(difference: Difference) -> "RenderableType":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    title = f"from v{difference.first} to v{difference.second}"
    table = Table(box=box.SIMPLE, title=title, title_justify="left", show_header=False)
    words = difference.moves
    for name, said in (
        ("wrote", " ".join(words.written)),
        ("dropped", " ".join(words.dropped)),
        ("doubted", doubted_line(difference, most=10)),
        ("moved", moved_line(difference, most=10)),
    ):
        if said:
            table.add_row(name, Text(said))
    if not table.row_count:
        table.add_row("", "nothing changed")
    return table


# The command


def default_scene(model: Any) -> Scene:
    """The default conversation."""
    return SCENES["arithmetic"] if is_from_scratch(model) else EVERYDAY_SCENES[DEFAULT_EVERYDAY_SCENES[0]]


def run_inspect(
    model: str | None = None,
    prompt: str | None = None,
    update: Sequence[str] = (),
    after: Sequence[str] = (),
    versions: tuple[int, int] | None = None,
    json_path: str | Path | None = None,
    png_path: str | Path | None = None,
    threads: int | None = None,
    max_new_tokens: int = 200,
    base: str | None = None,
) -> Inspection:
    """Inspects, prints, and writes the requested files; the arguments are the options of `hf-duplex inspect`."""
    from rich.console import Console

    if prompt is None and (update or after):
        raise ValueError("`--prompt` is missing: `--update` and `--after` belong to a conversation of your own.")
    if after and not update:
        raise ValueError("`--after` needs an `--update` that arrives then.")
    scene = None
    if prompt is not None and update:
        scene = own_scene(prompt, list(update), list(after))
    elif prompt is not None:
        scene = Scene("own", "a conversation of your own", prompt, ())
    if json_path is not None:
        check_folder(json_path, "--json")
    if png_path is not None:
        check_picture(png_path, "--png")
    loaded, tokenizer, _ = open_model(model, base)
    set_threads(threads, loaded)
    scene = scene or default_scene(loaded)
    inspection = inspect_session(loaded, tokenizer, scene.prompt, scene.updates, max_new_tokens, versions)
    console = Console(highlight=False)
    render(inspection, console)
    facts = {
        "command": command_line(),
        "commit": describe_commit(),
        "versions": describe_versions(),
        "machine": describe_machine(),
        "model": describe_model(loaded),
        **inspection.to_dict(),
    }
    write_json(facts, json_path)
    if png_path is not None:
        draw(inspection, png_path)
    for written in filter(None, (json_path, png_path)):
        console.print(f"Wrote {written}", markup=False)
    return inspection
