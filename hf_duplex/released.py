"""The models that are released with this package: folders of `model_cards`, which a clone of the repository holds."""

from pathlib import Path


SHIPPED = Path(__file__).parents[1] / "model_cards"
WORKSPACE, BASELINE = "duplex-workspace-5m", "duplex-baseline-5m"
RELEASED = (WORKSPACE, BASELINE)
"""In the order in which they are compared; results of all of them lie with the first."""

ADAPTER = "duplex-smollm2-135m"
"""The duplex adapter on SmolLM2-135M-Instruct, which `demo`, `chat`, `studio` and `inspect` use by default."""

DUAL_STREAM = "duplex-dual-stream-5m"
"""A control of the comparison: its folder holds a card and results, and no weights."""

TURN_POLICY = SHIPPED / "policies" / "duplex-turn-policy"
"""The policy that decides when a live session speaks."""
