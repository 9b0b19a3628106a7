"""
Inspection of one conversation: what each message did to the workspace, and what each emitted token attended to.

The probes record while the text is generated, at every decoding step.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from ...modeling import Workspace, split_messages
from ...pressure.probes import AdapterAttentionProbe, AttentionProbe, GateProbe
from ...runtime.listeners import is_adapter, is_workspace
from ...runtime.live import LiveText
from ...runtime.slots import Moves, moves, slot_texts, slot_versions
from .scenes import Scene, Update


if TYPE_CHECKING:
    pass


KINDS = ("duplex_adapter", "duplex_workspace", "duplex_dual_stream", "duplex_baseline")
TOP = 5
"""How many of the most attended slots are listed for a token."""


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
        before, after (`float`, *optional*): Its validity at either; None where it is empty or evicted.
        moved (`float`): Relative change of its state.
    """

    before: float | None = None
    after: float | None = None
    moved: float = 0.0


@dataclass(frozen=True)
class Difference:
    """
    The difference between two versions.

    Attributes:
        first, second (`int`): The versions.
        moves (`Moves`): In words: written, dropped, doubted, moved.
        slots (`list[SlotChange]`): Every slot of either version.
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
    A message, and its effect.

    Attributes:
        version (`int`): The version that it made, from 1.
        kind (`str`): `prompt` or `update`.
        text (`str`): Its text.
        after (`int`, *optional*): How many tokens had been emitted before it; None for the prompt.
        gate (`float`, *optional*): How far the gates opened, 0 to 1, the mean over slots and width; None without
            gates.
        effect (`Difference`, *optional*): Its effect on the workspace; None for a model without one.
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
        id, text, version: The token, and its visible version.
        messages (`list[float]`, *optional*): Weight of each message, the first version's first; None for latent slots,
            which belong to no message.
        slots (`dict[int, float]`): Weight of each slot, by its id; empty for a model without slots.
        top (`list[tuple[Place, float]]`): The places that it attended to most.
        nothing (`float`, *optional*): Weight of the null column; None for a model without cross-attention.
        itself (`float`, *optional*): Weight of the emitted stream; None for the workspace, whose self-attention covers
            nothing else.

    The weights of one attention sum to 1: for a workspace, slots and `nothing`; for a baseline, messages and `itself`;
    for a dual stream both, the messages of the prompt with `itself`, the updates with `nothing`; for a duplex adapter
    messages and `itself`, where `top` leaves out the chat template's tokens around a message.
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
    The inspection of one conversation.

    Attributes:
        model_type (`str`): Of the model.
        update_type (`str`, *optional*): The update rule of a workspace.
        prompt, text (`str`): The prompt, and the emitted text.
        messages (`list[Message]`): In order: version k was made by `messages[k - 1]`.
        tokens (`list[EmittedToken]`): In order.
        cross_gates (`list[float]`): The cross-attention gate of each layer, -1 to 1; empty without cross-attention.
        difference (`Difference`, *optional*): Between the two requested versions.
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
        """Whether its slots are latent, not tied to tokens."""
        return self.update_type not in (None, "validity", "defeasible")

    def to_dict(self) -> dict[str, Any]:
        """Everything except the tensors, for `json`."""
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
        model, tokenizer: A duplex adapter or any of the three generators, and its tokenizer.
        prompt (`str`): The prompt.
        updates (`Sequence[Update]`): The updates.
    """

    probe: Any

    def __init__(self, model: Any, tokenizer: Any, prompt: str, updates: Sequence[Update]):
        self.model, self.tokenizer, self.config = model, tokenizer, model.config
        self.latent = model.config.model_type == "duplex_workspace" and not model.config.slots_are_tokens
        self.own = model.config.model_type != "duplex_workspace"
        self.adapter = is_adapter(model)
        self.probe = AdapterAttentionProbe(model) if self.adapter else AttentionProbe(model, own=self.own)
        self.scene = Scene("own", "inspected", prompt, tuple(updates))
        self.tokens: list[EmittedToken] = []
        self._waiting = list(updates)
        self.live = LiveText(model, tokenizer, prompt, on_step=self._tell, on_token=self._look)
        if self.adapter:
            # A chat is one message.
            self.prompt_messages = [self.live.prompt_ids]
            return
        separator, longest = model.config.message_separator_token_id, model.config.max_message_length
        ids, mask = split_messages(torch.tensor([self.live.prompt_ids]), None, separator, longest)
        self.prompt_messages = [message[there].tolist() for message, there in zip(ids[0], mask[0], strict=True)]

    # The conversation

    def run(self, max_new_tokens: int) -> LiveText:
        """Generates the text with the probe on; each update arrives after its number of tokens, or at the end."""
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
        """Raises `ValueError` if the workspace will not have these versions."""
        kind = self.config.model_type
        if not is_workspace(self.model):
            raise ValueError(f"`versions` are those of a workspace, and a {kind} model has none: leave them out.")
        last = len(self.prompt_messages) + len(self.scene.updates)
        if len(versions) != 2 or not all(0 <= version <= last for version in versions):
            raise ValueError(f"`versions` must be two numbers from 0 to {last}, got {versions}.")

    def _tell(self, said: int) -> None:
        while self._waiting and self._waiting[0].after is not None and self._waiting[0].after <= said:
            self.live.tell(self._waiting.pop(0).text)

    def heard_ids(self) -> list[list[int]]:
        """Token ids of every message received so far, the prompt's first."""
        return self.prompt_messages + [self.live.words.update(heard.text) for heard in self.live.heard]

    def texts(self) -> list[str]:
        """The text of every message received so far."""
        if self.adapter:
            return [self.live.prompt, *(heard.text for heard in self.live.heard)]
        return [self.tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in self.heard_ids()]

    # What it attended to

    def _look(self) -> None:
        """Called after each token, when the latest forward is the one that chose it."""
        token = self.live.tokens[-1]
        weights: list[tuple[Place | None, float]] = []
        nothing = itself = None
        memory = self.live.cache.memory
        if self.adapter:
            cross, own = None, self.probe.weights
        else:
            cross, own = self.probe.cross, self.probe.own
        if cross is not None:
            nothing, *rest = cross[0, -1].tolist()
            weights += zip(self._cross_places(), rest, strict=True)
        if self.adapter and own is not None and memory is not None:
            columns = own[0, -1].tolist()
            found = places(memory, self.tokenizer, self.config.max_message_length)
            # Slots of updates come before those of the prompt.
            found = [*found[memory.front :], *found[: memory.front]]
            weights = list(zip(found + [None] * (len(columns) - len(found)), columns, strict=True))
            itself = sum(columns[len(found) :])
        elif own is not None:
            columns = own[0, -1].tolist()
            # A sliding window has dropped the first ones.
            weights += zip(self._line()[-len(columns) :], columns, strict=True)
            itself = sum(weight for place, weight in weights if place is None)
        heard = [(place, weight) for place, weight in weights if place is not None]
        named = heard
        if self.adapter and memory is not None:
            told = {slot for slot, text in slot_texts(memory, self.tokenizer).items() if text.strip()}
            named = [(place, weight) for place, weight in heard if place.slot in told]
        messages = None
        if not self.latent and weights:
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
                top=sorted(named, key=lambda pair: -pair[1])[:TOP],
                nothing=nothing,
                itself=itself,
            )
        )

    def _cross_places(self) -> list[Place | None]:
        """The places of the cross-attention columns after the first: None for an empty slot, whose weight is 0."""
        if self.own:
            updates = enumerate(self.heard_ids()[len(self.prompt_messages) :], start=len(self.prompt_messages) + 1)
            return [place for version, ids in updates for place in self._tokens_of(version, ids)]
        return places(self.live.cache.memory, self.tokenizer, None if self.latent else self.config.max_message_length)

    def _line(self) -> list[Place | None]:
        """The places in the generator's own stream, token by token; None for emitted tokens."""
        line: list[Place | None] = []
        for version, ids in enumerate(self.prompt_messages, start=1):
            line += self._tokens_of(version, ids)
        line.append(None)  # the start token
        said = 0
        serialized = self.adapter or self.config.model_type == "duplex_baseline"
        for update in self.live.heard if serialized else []:
            line += [None] * (update.after - said)
            line += self._tokens_of(update.version, self.live.words.update(update.text))
            said = update.after
        return line + [None] * (len(self.live.tokens) - 1 - said)

    def _tokens_of(self, version: int, ids: Iterable[int]) -> list[Place | None]:
        return [Place(None, self.tokenizer.decode([token]), version) for token in ids]


def places(workspace: Workspace, tokenizer: Any, message_length: int | None) -> list[Place | None]:
    """
    The places of the slots of the first row, None for an empty one.

    Args:
        workspace (`Workspace`): The slots.
        tokenizer: Decodes their tokens.
        message_length (`int`, *optional*): `config.max_message_length`, which maps slot ids to messages; None for
            latent slots.
    """
    found: list[Place | None] = []
    versions = {} if message_length is None else slot_versions(workspace, message_length)
    for slot, token in zip(workspace.slot_ids[0].tolist(), workspace.token_ids[0].tolist(), strict=True):
        text = tokenizer.decode([token]) if token >= 0 else None
        message = versions.get(slot)
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
    # Below every threshold: all slots of both versions.
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
    Generates one conversation, greedily, and inspects it at every step.

    Args:
        model (`PreTrainedModel`): A duplex adapter or any of the three generators, on the CPU. It is not changed.
        tokenizer (`PreTrainedTokenizerBase`): Its tokenizer.
        prompt (`str`): The prompt.
        updates (`Sequence[Update]`, *optional*): The updates: each a text, and after how many emitted tokens it
            arrives, None for after the model has ended.
        max_new_tokens (`int`, *optional*, defaults to 200): It stops after this many tokens, counted anew each time it
            emits.
        versions (`tuple[int, int]`, *optional*): Two versions of the workspace to be compared, 0 for the empty one.

    Returns:
        An [`Inspection`]. For a model without a workspace it has no effects of messages and no slots, only attention.

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
    texts = reader.texts()
    first = len(reader.prompt_messages)
    said = [None] * first + [heard.after for heard in live.heard]
    messages = [
        Message(version, "prompt" if version <= first else "update", text, after)
        for version, (text, after) in enumerate(zip(texts, said, strict=True), start=1)
    ]
    inspection = Inspection(kind, None, live.prompt, live.text, messages, reader.tokens)
    if reader.adapter:
        if is_workspace(model):
            look_at_slots(inspection, reader, versions)
        return inspection
    if kind != "duplex_baseline":
        inspection.cross_gates = [float(layer.cross_gate.tanh()) for layer in model.model.layers]
    if kind == "duplex_workspace":
        look_at_workspace(inspection, reader, versions)
    return inspection


def look_at_slots(inspection: Inspection, reader: Reader, versions: tuple[int, int] | None) -> None:
    """The workspaces of a duplex adapter as they were while it emitted the text."""
    model, live = reader.model, reader.live
    found = [live_workspace or prompt_workspace(reader) for live_workspace in live.workspaces]
    inspection.workspaces = [empty_like(found[0]), *found]
    length = model.config.max_message_length
    for version, message in enumerate(inspection.messages, start=1):
        before, after = inspection.workspaces[version - 1 : version + 1]
        effect = compare(before, after, reader.tokenizer, length, (version - 1, version))
        inspection.messages[version - 1] = replace(message, effect=effect)
    if versions is not None:
        pair = [inspection.workspaces[version] for version in versions]
        inspection.difference = compare(pair[0], pair[1], reader.tokenizer, length, versions)


def prompt_workspace(reader: Reader) -> Workspace:
    """The workspace of the prompt alone, where an update came before it was read."""
    return reader.model.update_workspace(torch.tensor([reader.live.prompt_ids]))


def empty_like(workspace: Workspace) -> Workspace:
    """The version before any message."""
    names = ("slots", "log_validity", "slot_ids", "token_ids", "doubts")
    return Workspace(
        **{name: getattr(workspace, name)[:, :0] for name in names}, version=torch.zeros_like(workspace.version)
    )


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
