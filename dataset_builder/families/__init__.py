"""The families of tasks. Each is one module with a class that draws scenes and reads claims back from any text."""

from ..config import EVERYDAY
from .base import Family
from .business_insight.task import BusinessInsight
from .constraint_revision.task import ConstraintRevision
from .fact_correction.task import FactCorrection
from .list_editing.task import ListEditing
from .logic_redirection.task import LogicRedirection
from .scheduling.task import Scheduling
from .structured_transformation.task import StructuredTransformation
from .variable_substitution.task import VariableSubstitution


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        VariableSubstitution(),
        FactCorrection(),
        ConstraintRevision(),
        LogicRedirection(),
        ListEditing(),
        StructuredTransformation(),
        Scheduling(),
        BusinessInsight(),
    )
}

__all__ = ["EVERYDAY", "FAMILIES", "Family"]
