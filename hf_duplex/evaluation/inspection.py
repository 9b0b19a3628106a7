"""
Looking inside one conversation: what each message did to the workspace, and what each emitted token attended to.

The text is generated while the probes are on, so what is shown is what happened, at every step of decoding.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..modeling import Workspace, encode_update, split_messages
from ..record import command_line, describe_commit, describe_machine, describe_versions, write_json
from ..session.checkpoints import WORKSPACE, describe_model, find_checkpoint, load_checkpoint
from ..session.live import LiveText
from ..session.probes import AttentionProbe, GateProbe
from ..session.scenes import SCENES, Scene, Update, own_scene
from ..session.slots import Moves, moves


if TYPE_CHECKING:
    from rich.console import Console, RenderableType


KINDS = ("duplex_workspace", "duplex_dual_stream", "duplex_baseline")
SUFFIXES = (".png", ".svg")
TOP = 5
"""How many of the slots that a token attended to most are named."""


@dataclass(frozen=True)
class Place:
    """
    Something that can be attended to: a slot, or a token of a message.

    Attributes:
        slot (`int`, *optional*): The id of the slot; None for a token outside a workspace.
        text (`str`, *optional*): The token; None for a latent slot.
        message (`int`, *optional*): The version that the token came with, from 1; None for a latent slot.
    """

    slot: int | None
    text: str | None
    message: int | None


@dataclass(frozen=True)
class SlotChange(Place):
    """
    A slot between two versions.

    Attributes:
        before, after (`float`, *optional*): Its validity at either; None where it is empty or gone.
        moved (`float`): Relative motion of its state.
    """

    before: float | None = None
    after: float | None = None
    moved: float = 0.0


@dataclass(frozen=True)
class Difference:
    """
    What lies between two versions.

    Attributes:
        first, second (`int`): The versions.
        moves (`Moves`): In words: written, dropped, doubted, moved.
        slots (`list[SlotChange]`): Every slot that one of them holds.
    """

    first: int
    second: int
    moves: Moves
    slots: list[SlotChange]

    def to_dict(self) -> dict[str, Any]:
        return {
            "first": self.first,
            "second": self.second,
            **asdict(self.moves),
            "slots": [asdict(slot) for slot in self.slots],
        }


@dataclass(frozen=True)
class Message:
    """
    A message, and what it did.

    Attributes:
        version (`int`): The version that it made, from 1.
        kind (`str`): `prompt` or `update`.
        text (`str`): What it says.
        after (`int`, *optional*): How many tokens had been emitted before it; None for the prompt.
        gate (`float`, *optional*): How far the gates opened, 0 to 1, the mean over slots and width; None without
            gates.
        effect (`Difference`, *optional*): What it did to the workspace; None for a model that has none.
    """

    version: int
    kind: str
    text: str
    after: int | None
    gate: float | None = None
    effect: Difference | None = None

    def to_dict(self) -> dict[str, Any]:
        facts = {name: getattr(self, name) for name in ("version", "kind", "text", "after", "gate")}
        return facts if self.effect is None else {**facts, **self.effect.to_dict()}


@dataclass(frozen=True)
class EmittedToken:
    """
    An emitted token, and what it attended to when it was chosen: weights of attention, the mean over layers and heads.

    Attributes:
        id, text, version: The token, and the version that it knows.
        messages (`list[float]`, *optional*): Weight of each message, the first version's first; None for latent slots,
            which belong to no message.
        slots (`dict[int, float]`): Weight of each slot, by its id; empty for a model without slots.
        top (`list[tuple[Place, float]]`): What it attended to most.
        nothing (`float`, *optional*): Weight of hearing nothing; None for a model without cross-attention.
        itself (`float`, *optional*): Weight of what was emitted itself; None for the workspace, whose self-attention
            holds nothing else.

    The weights of one attention sum to 1: for a workspace, slots and `nothing`; for a baseline, messages and `itself`;
    for a dual stream both, the messages of the prompt with `itself`, the updates with `nothing`.
    """

    id: int
    text: str
    version: int
    messages: list[float] | None
    slots: dict[int, float]
    top: list[tuple[Place, float]]
    nothing: float | None
    itself: float | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "text": self.text,
            "version": self.version,
            "messages": self.messages,
            "slots": self.slots,
            "top": [{**asdict(place), "weight": weight} for place, weight in self.top],
            "nothing": self.nothing,
            "itself": self.itself,
        }


@dataclass
class Inspection:
    """
    One conversation from inside.

    Attributes:
        model_type (`str`): Of the model.
        update_type (`str`, *optional*): The update rule of a workspace.
        prompt, text (`str`): What was said first, and what the model said.
        messages (`list[Message]`): In order: version k was made by `messages[k - 1]`.
        tokens (`list[EmittedToken]`): In order.
        cross_gates (`list[float]`): How far each layer lets in what it hears, -1 to 1; empty without cross-attention.
        difference (`Difference`, *optional*): Between the two versions that were asked for.
        workspaces (`list[Workspace]`): Each version of the workspace, of one row, the empty one first.
    """

    model_type: str
    update_type: str | None
    prompt: str
    text: str
    messages: list[Message]
    tokens: list[EmittedToken]
    cross_gates: list[float] = field(default_factory=list)
    difference: Difference | None = None
    workspaces: list[Workspace] = field(default_factory=list, repr=False)

    @property
    def latent(self) -> bool:
        """Whether its slots are latent, read from no token."""
        return self.update_type not in (None, "validity", "defeasible")

    def to_dict(self) -> dict[str, Any]:
        """Everything but the tensors, for `json`."""
        return {
            "model_type": self.model_type,
            "update_type": self.update_type,
            "prompt": self.prompt,
            "text": self.text,
            "cross_gates": self.cross_gates,
            "messages": [message.to_dict() for message in self.messages],
            "tokens": [token.to_dict() for token in self.tokens],
            "difference": None if self.difference is None else self.difference.to_dict(),
        }


class Reader:
    """
    Reads the workspace and the attention of one conversation.

    Args:
        model, tokenizer: Any of the three generators, and its tokenizer.
        prompt (`str`): What is said first.
        updates (`Sequence[Update]`): What is said later.
    """

    def __init__(self, model: Any, tokenizer: Any, prompt: str, updates: Sequence[Update]):
        self.model, self.tokenizer, self.config = model, tokenizer, model.config
        self.latent = model.config.model_type == "duplex_workspace" and not model.config.slots_are_tokens
        self.own = model.config.model_type != "duplex_workspace"
        self.probe = AttentionProbe(model, own=self.own)
        self.scene = Scene("own", "inspected", prompt, tuple(updates))
        self.tokens: list[EmittedToken] = []
        self._waiting = list(updates)
        self.live = LiveText(model, tokenizer, prompt, on_step=self._tell, on_token=self._look)
        separator, longest = model.config.message_separator_token_id, model.config.max_message_length
        ids, mask = split_messages(torch.tensor([self.live.prompt_ids]), None, separator, longest)
        self.prompt_messages = [message[there].tolist() for message, there in zip(ids[0], mask[0], strict=True)]

    # The conversation

    def run(self, max_new_tokens: int) -> LiveText:
        """Generates the text with the probe on; each update is told after as many tokens as it says, or at the end."""
        self.live.max_new_tokens = max_new_tokens
        with self.probe:
            self.live.run()
            while self._waiting:
                self.live.tell(self._waiting.pop(0).text)
                self.live.run()
        return self.live

    def check(self) -> None:
        """Raises `ValueError` if an update is unusable, before the first token."""
        trial = LiveText(self.model, self.tokenizer, self.scene.prompt)
        for update in self.scene.updates:
            trial.tell(update.text)

    def check_versions(self, versions: tuple[int, int]) -> None:
        """Raises `ValueError` unless the workspace will have these versions."""
        kind = self.config.model_type
        if kind != "duplex_workspace":
            raise ValueError(f"`versions` are those of a workspace, and a {kind} model has none: leave them out.")
        last = len(self.prompt_messages) + len(self.scene.updates)
        if len(versions) != 2 or not all(0 <= version <= last for version in versions):
            raise ValueError(f"`versions` must be two numbers from 0 to {last}, got {versions}.")

    def _tell(self, said: int) -> None:
        while self._waiting and self._waiting[0].after is not None and self._waiting[0].after <= said:
            self.live.tell(self._waiting.pop(0).text)

    def heard_ids(self) -> list[list[int]]:
        """Token ids of every message heard so far, the prompt's first."""
        return self.prompt_messages + [encode_update(self.tokenizer, heard.text) for heard in self.live.heard]

    # What it attended to

    def _look(self) -> None:
        """Called after each token, when the newest forward is the one that chose it."""
        token = self.live.tokens[-1]
        weights: list[tuple[Place | None, float]] = []
        nothing = itself = None
        cross, own = self.probe.cross, self.probe.own
        if cross is not None:
            nothing, *rest = cross[0, -1].tolist()
            weights += zip(self._cross_places(), rest, strict=True)
        if own is not None:
            columns = own[0, -1].tolist()
            # A sliding window has forgotten the first ones.
            weights += zip(self._line()[-len(columns) :], columns, strict=True)
            itself = sum(weight for place, weight in weights if place is None)
        heard = [(place, weight) for place, weight in weights if place is not None]
        messages = None
        if not self.latent:
            messages = [
                sum(weight for place, weight in heard if place.message == version)
                for version in range(1, token.version + 1)
            ]
        self.tokens.append(
            EmittedToken(
                id=token.id,
                text=self.tokenizer.decode([token.id]),
                version=token.version,
                messages=messages,
                slots={place.slot: weight for place, weight in heard if place.slot is not None},
                top=sorted(heard, key=lambda pair: -pair[1])[:TOP],
                nothing=nothing,
                itself=itself,
            )
        )

    def _cross_places(self) -> list[Place | None]:
        """What the columns of cross-attention are, but for the first: None for an empty slot, which weighs nothing."""
        if self.own:
            updates = enumerate(self.heard_ids()[len(self.prompt_messages) :], start=len(self.prompt_messages) + 1)
            return [place for version, ids in updates for place in self._tokens_of(version, ids)]
        return places(self.live.cache.memory, self.tokenizer, None if self.latent else self.config.max_message_length)

    def _line(self) -> list[Place | None]:
        """What stands in the generator's own stream, token by token; None for what it emitted itself."""
        line: list[Place | None] = []
        for version, ids in enumerate(self.prompt_messages, start=1):
            line += self._tokens_of(version, ids)
        line.append(None)  # the start token
        said = 0
        heard = self.live.heard if self.config.model_type == "duplex_baseline" else []
        for update in heard:
            line += [None] * (update.after - said)
            line += self._tokens_of(update.version, encode_update(self.tokenizer, update.text))
            said = update.after
        return line + [None] * (len(self.live.tokens) - 1 - said)

    def _tokens_of(self, version: int, ids: Iterable[int]) -> list[Place | None]:
        return [Place(None, self.tokenizer.decode([token]), version) for token in ids]


def places(workspace: Workspace, tokenizer: Any, message_length: int | None) -> list[Place | None]:
    """
    What the slots of the first row are, None for an empty one.

    Args:
        workspace (`Workspace`): The slots.
        tokenizer: Puts their tokens in words.
        message_length (`int`, *optional*): `config.max_message_length`, by which slot ids tell their message; None for
            latent slots.
    """
    found: list[Place | None] = []
    for slot, token in zip(workspace.slot_ids[0].tolist(), workspace.token_ids[0].tolist(), strict=True):
        text = tokenizer.decode([token]) if token >= 0 else None
        message = None if message_length is None else slot // message_length + 1
        found.append(None if slot < 0 else Place(slot, text, message))
    return found


def compare(
    before: Workspace, after: Workspace, tokenizer: Any, message_length: int | None, versions: tuple[int, int]
) -> Difference:
    """The difference between two versions of one conversation; arguments as for [`places`]."""
    old, new = (
        dict(zip(version.slot_ids[0].tolist(), version.validity[0].tolist(), strict=True))
        for version in (before, after)
    )
    known: dict[int, Place] = {}
    for version in (before, after):
        found = zip(version.slot_ids[0].tolist(), places(version, tokenizer, message_length), strict=True)
        known |= {slot: place for slot, place in found if place is not None}
    # Below every threshold: all slots that both hold.
    motion = after.changes(before, threshold=-1.0).moved
    slots = [
        SlotChange(place.slot, place.text, place.message, old.get(slot), new.get(slot), motion.get(slot, 0.0))
        for slot, place in sorted(known.items())
    ]
    return Difference(*versions, moves(before, after, tokenizer), slots)


@torch.inference_mode()
def inspect_session(
    model: Any,
    tokenizer: Any,
    prompt: str,
    updates: Sequence[Update] = (),
    max_new_tokens: int = 200,
    versions: tuple[int, int] | None = None,
) -> Inspection:
    """
    Generates one conversation, greedily, and looks inside while it goes on.

    Args:
        model (`PreTrainedModel`): Any of the three generators, on the CPU. It is left as it was.
        tokenizer (`PreTrainedTokenizerBase`): Its tokenizer.
        prompt (`str`): What is said first.
        updates (`Sequence[Update]`, *optional*): What is said later: each a text, and after how many emitted tokens it
            comes, None for when the model has ended.
        max_new_tokens (`int`, *optional*, defaults to 200): After this many tokens it stops, each time it speaks.
        versions (`tuple[int, int]`, *optional*): Two versions of the workspace to be compared, 0 for the empty one.

    Returns:
        An [`Inspection`]. A model without a workspace has no effects of messages and no slots, attention alone.

    Raises:
        ValueError: An argument is unusable, the model is of another kind, or has no such version.
    """
    kind = model.config.model_type
    if kind not in KINDS:
        raise ValueError(f"`model` is a {kind} model, which cannot be looked into: give one of {', '.join(KINDS)}.")
    if max_new_tokens < 1:
        raise ValueError(f"`max_new_tokens` must be at least 1, got {max_new_tokens}.")
    reader = Reader(model, tokenizer, prompt, updates)
    reader.check()
    if versions is not None:
        reader.check_versions(versions)
    live = reader.run(max_new_tokens)
    texts = [tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in reader.heard_ids()]
    first = len(reader.prompt_messages)
    said = [None] * first + [heard.after for heard in live.heard]
    messages = [
        Message(version, "prompt" if version <= first else "update", text, after)
        for version, (text, after) in enumerate(zip(texts, said, strict=True), start=1)
    ]
    inspection = Inspection(kind, None, live.prompt, live.text, messages, reader.tokens)
    if kind != "duplex_baseline":
        inspection.cross_gates = [float(layer.cross_gate.tanh()) for layer in model.model.layers]
    if kind == "duplex_workspace":
        look_at_workspace(inspection, reader, versions)
    return inspection


def look_at_workspace(inspection: Inspection, reader: Reader, versions: tuple[int, int] | None) -> None:
    """Folds the messages once more, one by one, with a probe on the gates."""
    model, tokenizer = reader.model, reader.tokenizer
    length = None if reader.latent else model.config.max_message_length
    rule = model.model.update_rule
    inspection.update_type = model.config.update_type
    inspection.workspaces = [rule.initial(1)]
    for version, ids in enumerate(reader.heard_ids(), start=1):
        before = inspection.workspaces[-1]
        with GateProbe(rule) as probe:
            after = model.update_workspace(torch.tensor([ids]), workspace=before)
        gate = float(probe.openness[0].mean()) if probe.openness else None
        effect = compare(before, after, tokenizer, length, (version - 1, version))
        message = inspection.messages[version - 1]
        inspection.messages[version - 1] = Message(
            message.version, message.kind, message.text, message.after, gate, effect
        )
        inspection.workspaces.append(after)
    if versions is not None:
        pair = [inspection.workspaces[version] for version in versions]
        inspection.difference = compare(pair[0], pair[1], tokenizer, length, versions)


# As a picture


def draw(inspection: Inspection, path: str | Path) -> None:
    """
    Draws an inspection: above, how far each slot is believed at each version (for latent slots: how far it moved);
    below, what each emitted token attended to, with the arrivals of updates marked.

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
    """Raises `ValueError`, before anything is computed, where a picture could not be written."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise ValueError(f"`{argument}` must end in {' or '.join(SUFFIXES)}, got {str(path)!r}.")
    check_folder(path, argument)


def check_folder(path: str | Path, argument: str) -> None:
    if not Path(path).parent.is_dir():
        raise ValueError(f"`{argument}`: there is no folder {str(Path(path).parent)!r}: create it first.")


def plain(text: str | None) -> str:
    """A label that matplotlib takes as it is: no mathematics, no line ends."""
    return (text or "").strip().replace("\n", " ").replace("$", r"\$") or "·"


def shortened(text: str, longest: int = 36) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def slot_columns(inspection: Inspection) -> list[SlotChange]:
    """Every slot that any version holds, in order."""
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
    """The emitted tokens, and what they could attend to, each with its weight for every token."""
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
    for part in (messages_table(inspection), tokens_table(inspection, following)):
        console.print(part)
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


def default_scene() -> Scene:
    """What is inspected when nothing else is said."""
    return SCENES["arithmetic"]


def run_inspect(
    model: str | None = None,
    prompt: str | None = None,
    update: Sequence[str] = (),
    after: Sequence[str] = (),
    versions: tuple[int, int] | None = None,
    json_path: str | Path | None = None,
    png_path: str | Path | None = None,
    threads: int = 1,
    max_new_tokens: int = 200,
) -> Inspection:
    """Inspects, prints, and writes what was asked for; the arguments are the options of `hf-duplex inspect`."""
    from rich.console import Console

    if prompt is None and (update or after):
        raise ValueError("`--prompt` is missing: `--update` and `--after` belong to a conversation of your own.")
    if after and not update:
        raise ValueError("`--after` needs an `--update` that arrives then.")
    if prompt is None:
        scene = default_scene()
    elif update:
        scene = own_scene(prompt, list(update), list(after))
    else:
        scene = Scene("own", "a conversation of your own", prompt, ())
    if json_path is not None:
        check_folder(json_path, "--json")
    if png_path is not None:
        check_picture(png_path, "--png")
    path = find_checkpoint(model, WORKSPACE, "--model")
    torch.set_num_threads(threads)
    loaded, tokenizer = load_checkpoint(path, "--model")
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
