"""The ten families of alias pairs, by name."""

from .base import Contrast, Family
from .notice import PROACTIVE_NOTICE, REPAIR_AFTER_CORRECTION, VISUAL_REFERENCE
from .tools import APPROVAL_BEFORE_TOOL, POLICY_BOUND_REFUSAL, RESUME_AFTER_BACKGROUND
from .turns import BACKCHANNEL, HOLD_WHILE_HESITATING, STOP_WHEN_INTERRUPTED, YIELD_TO_USER


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        YIELD_TO_USER,
        BACKCHANNEL,
        STOP_WHEN_INTERRUPTED,
        APPROVAL_BEFORE_TOOL,
        RESUME_AFTER_BACKGROUND,
        REPAIR_AFTER_CORRECTION,
        HOLD_WHILE_HESITATING,
        VISUAL_REFERENCE,
        PROACTIVE_NOTICE,
        POLICY_BOUND_REFUSAL,
    )
}

__all__ = ["FAMILIES", "Contrast", "Family"]
