"""What leaves for the Hub: model folders, their cards, and data sets."""

from .cards import write_card
from .push import push_folder
from .release import release


__all__ = ["push_folder", "release", "write_card"]
