"""
Pressure: whether to continue generating, as a weighted sum of three clocks. Pure functions of floats.

A positive pressure favors continuing, a negative one favors pausing. The fast clock measures stability and can only
brake; the mid clock measures what is unfinished; the slow clock measures constraints that must hold. Each function is
monotonic in each of its signals (for `confidence`, the direction is the sign of what it scales).

Two consequences of the formulas:

- With a `router_margin` of 0 or more and any `delta_R`, `P_fast` never falls below -0.7: -0.5 - 0.2 at the very most.
  The brake `fast_instability` is for providers whose margin can be negative.
- At a `router_entropy` of 1 the fast clock has no weight, so that only its brake has an effect.
"""

from math import tanh
from typing import Literal


Mode = Literal["single_turn", "multistep"]
MODES: tuple[Mode, ...] = ("single_turn", "multistep")
BRAKE = -0.7
"""Below this, the fast clock alone causes a pause."""
LARGEST_FAST_WEIGHT = 0.2


def clip(value: float, low: float, high: float) -> float:
    return max(low, min(high, value))


def compute_fast_pressure(router_entropy: float, router_margin: float, delta_R: float) -> float:
    """
    Whether the state is stable enough to continue now, -1 to 1.

    Args:
        router_entropy (`float`): Entropy of the routing distribution divided by its maximum, 0 to 1.
        router_margin (`float`): By how much the first expert leads the second.
        delta_R (`float`): Change of coherence (the Kuramoto order parameter).
    """
    return clip(0.5 * -router_entropy + 0.3 * tanh(router_margin) + 0.2 * tanh(delta_R), -1.0, 1.0)


def compute_mid_pressure(margin: float, trans_prob: float, prox_meso: float, delta_R: float) -> float:
    """
    Whether there is unfinished content to continue with, -1 to 1.

    Args:
        margin (`float`): Routing margin; a small one means uncertainty.
        trans_prob (`float`): How plausible the last transition between basins was, 0 to 1.
        prox_meso (`float`): How near the mid clock is to its basin, the topic.
        delta_R (`float`): Change of coherence.
    """
    pressure = 0.4 * tanh(1.0 - margin) + 0.3 * tanh(trans_prob) + 0.2 * tanh(prox_meso) + 0.1 * tanh(delta_R)
    return clip(pressure, -1.0, 1.0)


def compute_slow_pressure(prox_macro: float, constraint_penalty: float, confidence: float) -> float:
    """
    Whether continuing agrees with long-term constraints, -1 to 1.

    Args:
        prox_macro (`float`): How near the slow clock is to its basin.
        constraint_penalty (`float`): Sum of the penalties of the registered constraints, 0 or more.
        confidence (`float`): How settled the slow clock is, 0 to 1; it has an effect only when settled.
    """
    return clip(confidence * (0.3 * tanh(prox_macro) - 0.7 * tanh(constraint_penalty)), -1.0, 1.0)


def compute_pressure_weights(
    router_entropy: float, residual_intent: float, slow_confidence: float
) -> tuple[float, float, float]:
    """Weights of the fast, the mid and the slow clock: at most 0.2, 0.5 to 1, 0 to 0.3."""
    w_fast = min(LARGEST_FAST_WEIGHT, 1.0 - router_entropy)
    w_mid = 0.5 + 0.5 * residual_intent
    w_slow = 0.3 * slow_confidence
    return w_fast, w_mid, w_slow


def compute_net_pressure(
    P_fast: float, P_mid: float, P_slow: float, w_fast: float, w_mid: float, w_slow: float
) -> float:
    """The weighted sum of the three pressures, -1 to 1."""
    return clip(w_fast * P_fast + w_mid * P_mid + w_slow * P_slow, -1.0, 1.0)


def hold_lone_veto(net_pressure: float, P_fast: float, P_mid: float, w_fast: float, w_mid: float) -> float:
    """
    Returns the net pressure that decides about a pause. The slow clock cannot cause a pause alone: if the weighted sum
    of the fast and mid pressures is not negative, a negative net pressure becomes 0.
    """
    faster = w_fast * P_fast + w_mid * P_mid
    return net_pressure if faster < 0 else max(0.0, net_pressure)


def should_pause(P_fast: float, net_pressure: float, mode: str) -> tuple[bool, str]:
    """Whether to pause after a chunk, and the reason; `continue` if it does not pause."""
    if P_fast < BRAKE:
        return True, "fast_instability"
    if net_pressure < 0:
        return True, "negative_pressure"
    if mode == "multistep":
        return True, "multistep_chunk_complete"
    return False, "continue"


def compute_residual_intent(P_mid: float, margin: float, delta_R: float, chunk_tokens: int, max_chunk: int) -> float:
    """
    How much is still unfinished, 0 to 1.

    Args:
        P_mid (`float`): Pressure of the mid clock.
        margin (`float`): Routing margin; uncertainty raises the intent.
        delta_R (`float`): Change of coherence; recovery lowers it.
        chunk_tokens (`int`): Length of the chunk; the longer, the less is left.
        max_chunk (`int`): Maximum length of a chunk.

    Raises:
        ValueError: `max_chunk` is not positive.
    """
    if max_chunk <= 0:
        raise ValueError(f"`max_chunk` must be at least 1 token, got {max_chunk}.")
    room = 1.0 - chunk_tokens / max_chunk
    uncertainty = 1.0 + (1.0 - margin)
    recovery = 1.0 if delta_R < 0 else max(0.5, 1.0 - delta_R)
    return clip(max(0.0, P_mid) * room * uncertainty * recovery, 0.0, 1.0)
