"""Training on the Trainer: arguments from YAML and command line, a curriculum, and the run itself."""

from .arguments import DataArguments, ModelArguments, parse_arguments
from .telemetry import Telemetry
from .trainer import DuplexTrainer


__all__ = ["DataArguments", "DuplexTrainer", "ModelArguments", "Telemetry", "parse_arguments"]
