"""What leaves for the Hub: model folders and their cards."""

from .cards import write_card
from .release import release


__all__ = ["release", "write_card"]
