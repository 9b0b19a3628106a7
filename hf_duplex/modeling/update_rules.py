"""The update rules by their name in `config.update_type`. A new rule needs one file, and one line here."""

from .update_defeasible import DefeasibleUpdate
from .update_latent import GatedUpdate, GRUUpdate, ResidualUpdate, SlotUpdate
from .update_rule import UpdateRule
from .update_validity import ValidityUpdate


UPDATE_RULES: dict[str, type[UpdateRule]] = {
    "validity": ValidityUpdate,
    "defeasible": DefeasibleUpdate,
    "gated": GatedUpdate,
    "gru": GRUUpdate,
    "residual": ResidualUpdate,
    "slot": SlotUpdate,
}

__all__ = ["UPDATE_RULES"]
