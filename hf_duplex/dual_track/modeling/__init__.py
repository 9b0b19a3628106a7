"""The dual-track model. This folder travels with a checkpoint: it is flat and imports with one dot."""

from transformers import AutoConfig, AutoModelForCausalLM

from .configuration_dual_track import DualTrackConfig
from .dual_track_cache import DualTrackCache
from .modeling_dual_track import DualTrackForCausalLM
from .reflection import boundary_ids_of, forbidden_ids_of
from .thought_buffer import ThoughtBuffer, ThoughtError, ThoughtNode


AutoConfig.register(DualTrackConfig.model_type, DualTrackConfig)
AutoModelForCausalLM.register(DualTrackConfig, DualTrackForCausalLM)

__all__ = [
    "DualTrackCache",
    "DualTrackConfig",
    "DualTrackForCausalLM",
    "ThoughtBuffer",
    "ThoughtError",
    "ThoughtNode",
    "boundary_ids_of",
    "forbidden_ids_of",
]
