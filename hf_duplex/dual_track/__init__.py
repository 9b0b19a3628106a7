"""
Dual-track reflection: a frozen language model whose small additions write thoughts beside its text.

The model is in `modeling`, its data in `data`, its training in `training`, its benchmarks in `evaluation`; `chat`
talks to it, and `page` draws docs/dual_track.md.
"""

from .modeling import DualTrackCache, DualTrackConfig, DualTrackForCausalLM, ThoughtBuffer, ThoughtError, ThoughtNode


__all__ = [
    "DualTrackCache",
    "DualTrackConfig",
    "DualTrackForCausalLM",
    "ThoughtBuffer",
    "ThoughtError",
    "ThoughtNode",
]
