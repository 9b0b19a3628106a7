"""The interaction bottleneck: alias pairs, of which the transcript is the same and the right action is not."""

from .check import check_examples
from .example import Example
from .families import FAMILIES
from .rules import PRINCIPLES, decide
from .streams import ACTIONS, STREAMS
from .suite_config import SPLITS, SuiteConfig
from .suites import SUITES, make_examples


__all__ = [
    "ACTIONS",
    "FAMILIES",
    "PRINCIPLES",
    "SPLITS",
    "STREAMS",
    "SUITES",
    "Example",
    "SuiteConfig",
    "check_examples",
    "decide",
    "make_examples",
]
