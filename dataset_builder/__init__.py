"""Worlds that change while they are being talked about: samples for language models that listen while they speak."""

from .builder import Builder, Heard, Sample, speak, split_of
from .config import SPLITS, BuilderConfig
from .discourse import END
from .families import FAMILIES
from .reading import Claim


__all__ = ["END", "FAMILIES", "SPLITS", "Builder", "BuilderConfig", "Claim", "Heard", "Sample", "speak", "split_of"]
