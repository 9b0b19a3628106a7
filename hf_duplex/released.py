"""The models that are released with this package: folders of `model_cards`, which a clone of the repository holds."""

from pathlib import Path


SHIPPED = Path(__file__).parents[1] / "model_cards"
WORKSPACE, BASELINE, DUAL_STREAM = "duplex-workspace-5m", "duplex-baseline-5m", "duplex-dual-stream-5m"
RELEASED = (WORKSPACE, BASELINE, DUAL_STREAM)
"""In the order in which they are compared; results of all of them lie with the first."""

TURN_POLICY = SHIPPED / "policies" / "duplex-turn-policy"
"""The policy that decides when a live session speaks."""
