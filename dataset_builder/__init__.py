"""Generates samples whose facts change while the text is emitted, for models that read updates during generation."""

from .build.splits import split_config
from .builder import Builder, Sample, speak, split_of
from .config import SPLITS, BuilderConfig
from .families import FAMILIES
from .reading import Claim
from .speech.discourse import END
from .speech.updates import PlacedUpdate
from .world.kinds import KINDS


__all__ = [
    "END",
    "FAMILIES",
    "KINDS",
    "SPLITS",
    "Builder",
    "BuilderConfig",
    "Claim",
    "PlacedUpdate",
    "Sample",
    "speak",
    "split_config",
    "split_of",
]
