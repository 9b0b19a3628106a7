"""The workspace: at most N slots of width D, the revisable state of a generator."""

from dataclasses import dataclass, fields, replace

import torch


@dataclass(frozen=True)
class Workspace:
    """
    The workspace after its `version`-th message. It is immutable: an update returns a new one, so an old one serves as
    a snapshot, and passing it again is a rollback.

    Attributes:
        slots (`torch.Tensor` of shape `(batch, n_slots, hidden_size)`): The content of each slot.
        log_validity (`torch.Tensor` of shape `(batch, n_slots)`):
            Logarithm of the validity of each slot; minus infinity for an empty slot.
        slot_ids (`torch.LongTensor` of shape `(batch, n_slots)`):
            The message that wrote a slot, and the offset in it: `message * max_message_length + offset`; -1 for an
            empty slot. For latent slots, the index of the slot.
        token_ids (`torch.LongTensor` of shape `(batch, n_slots)`): The token that a slot was read from, -1 for none.
        doubts (`torch.Tensor` of shape `(batch, n_slots, kept)`):
            Doubts on each slot, kept by rules that can revoke them; otherwise of width 0.
        version (`torch.LongTensor` of shape `(batch,)`): Number of messages that each row has received.
    """

    slots: torch.Tensor
    log_validity: torch.Tensor
    slot_ids: torch.LongTensor
    token_ids: torch.LongTensor
    doubts: torch.Tensor
    version: torch.LongTensor

    @property
    def validity(self) -> torch.Tensor:
        """Validity of each slot, 0 to 1, of shape `(batch, n_slots)`."""
        return self.log_validity.exp()

    @property
    def nbytes(self) -> int:
        return sum(getattr(self, field.name).nbytes for field in fields(self))

    def map(self, function) -> "Workspace":
        """The workspace with `function` applied to each of its tensors (a device move, a choice of rows)."""
        return replace(self, **{field.name: function(getattr(self, field.name)) for field in fields(self)})

    def replace_rows(self, rows: torch.LongTensor, other: "Workspace") -> "Workspace":
        """Replaces the given rows by those of `other`, which holds only these."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return Workspace(**{name: old.index_copy(0, rows, getattr(other, name)) for name, old in values.items()})

    def to(self, *args, **kwargs) -> "Workspace":
        return self.map(lambda tensor: tensor.to(*args, **kwargs))

    def changes(self, before: "Workspace", row: int = 0, threshold: float = 0.01) -> "WorkspaceChange":
        """
        The changes to the slots of one row since the workspace `before`.

        Args:
            before (`Workspace`): An earlier version of the same row.
            row (`int`, *optional*, defaults to 0): The row of the batch.
            threshold (`float`, *optional*, defaults to 0.01): Loss of validity, or relative motion, worth reporting.
        """
        old = {int(slot): column for column, slot in enumerate(before.slot_ids[row]) if slot >= 0}
        new = {int(slot): column for column, slot in enumerate(self.slot_ids[row]) if slot >= 0}
        doubted, moved = {}, {}
        for slot in old.keys() & new.keys():
            validity_before = float(before.validity[row, old[slot]])
            validity_after = float(self.validity[row, new[slot]])
            if validity_before - validity_after > threshold:
                doubted[slot] = (validity_before, validity_after)
            state_before, state_after = before.slots[row, old[slot]], self.slots[row, new[slot]]
            motion = float((state_after - state_before).norm() / state_before.norm().clamp(min=1e-6))
            if motion > threshold:
                moved[slot] = motion
        return WorkspaceChange(
            written=sorted(new.keys() - old.keys()),
            dropped=sorted(old.keys() - new.keys()),
            doubted=dict(sorted(doubted.items())),
            moved=dict(sorted(moved.items())),
        )


@dataclass(frozen=True)
class WorkspaceChange:
    """
    The difference between two versions of one row, by slot id.

    Attributes:
        written (`list[int]`): Slots that are new.
        dropped (`list[int]`): Slots that were evicted.
        doubted (`dict[int, tuple[float, float]]`): Validity before and after, of slots that lost some.
        moved (`dict[int, float]`): Relative change of a slot's state (latent slots).
    """

    written: list[int]
    dropped: list[int]
    doubted: dict[int, tuple[float, float]]
    moved: dict[int, float]
