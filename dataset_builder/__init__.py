"""Worlds that change while they are being talked about: samples for language models that listen while they speak."""

from .builder import Builder, Sample, speak, split_of
from .config import SPLITS, BuilderConfig
from .discourse import END
from .families import FAMILIES
from .kinds import KINDS
from .reading import Claim
from .splits import split_config
from .updates import Heard


__all__ = [
    "END",
    "FAMILIES",
    "KINDS",
    "SPLITS",
    "Builder",
    "BuilderConfig",
    "Claim",
    "Heard",
    "Sample",
    "speak",
    "split_config",
    "split_of",
]
