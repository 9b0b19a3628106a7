"""
When to act: a policy reads parallel streams and decides whether to speak, wait, answer or call a tool.

The model is in `modeling`, its data in `data`, its training in `training`, the benchmark and its claims in
`evaluation`, the metrics as `evaluate` modules in `metrics`; `turn_policy` lets a trained policy decide when a live
session speaks.
"""

from .modeling import StreamPolicyConfig, StreamPolicyForSequenceClassification
from .turn_policy import TurnPolicy


__all__ = ["StreamPolicyConfig", "StreamPolicyForSequenceClassification", "TurnPolicy"]
