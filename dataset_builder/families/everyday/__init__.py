"""Interruptions in plain modern English: what people ask an assistant every day, and change while it answers.

The wordings are in `wordings/`, one YAML file a domain; `wordings/README.md` says how to add to them.
"""

from .sample import SPLITS, sample, split_of
from .wordings import DOMAINS, available


__all__ = ["DOMAINS", "SPLITS", "available", "sample", "split_of"]
