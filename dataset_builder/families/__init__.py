"""The families of tasks. Each is one module with a class that draws scenes and reads claims back from any text."""

from .base import Family
from .fact_correction import FactCorrection
from .variable_substitution import VariableSubstitution


FAMILIES: dict[str, Family] = {family.name: family for family in (VariableSubstitution(), FactCorrection())}

__all__ = ["FAMILIES", "Family"]
