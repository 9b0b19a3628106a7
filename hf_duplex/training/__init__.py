"""Training on the Trainer: arguments from YAML and command line, a curriculum, and the run itself."""

from .arguments import DataArguments, ModelArguments, parse_arguments
from .trainer import DuplexTrainer


__all__ = ["DataArguments", "DuplexTrainer", "ModelArguments", "parse_arguments"]
