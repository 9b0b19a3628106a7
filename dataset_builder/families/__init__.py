"""The families of tasks. Each is one module with a class that draws scenes and reads claims back from any text."""

from .base import Family
from .business_insight import BusinessInsight
from .constraint_revision import ConstraintRevision
from .fact_correction import FactCorrection
from .list_editing import ListEditing
from .logic_redirection import LogicRedirection
from .scheduling import Scheduling
from .structured_transformation import StructuredTransformation
from .variable_substitution import VariableSubstitution


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
EVERYDAY = "everyday"
"""A family that makes its rows itself (`everyday.rows`). It is drawn only where a config names it."""

__all__ = ["EVERYDAY", "FAMILIES", "Family"]
