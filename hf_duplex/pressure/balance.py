"""Applies the formulas of `pressure` to signals: three pressures, their weights, and their weighted sum."""

from typing import NamedTuple

from .pressure import (
    compute_fast_pressure,
    compute_mid_pressure,
    compute_net_pressure,
    compute_pressure_weights,
    compute_slow_pressure,
)
from .signals import Signals


class Balance(NamedTuple):
    """Pressures of the fast, the mid and the slow clock, their weights in the same order, and their weighted sum."""

    fast: float
    mid: float
    slow: float
    weights: tuple[float, float, float]
    net: float

    @property
    def pressures(self) -> tuple[float, float, float]:
        return self.fast, self.mid, self.slow


def weigh(now: Signals, residual_intent: float) -> Balance:
    """
    Args:
        now ([`Signals`]): Signals read from the model.
        residual_intent (`float`): How much is unfinished, 0 to 1.
    """
    fast = compute_fast_pressure(now.router_entropy, now.router_margin, now.delta_R)
    mid = compute_mid_pressure(now.margin, now.trans_prob, now.prox_meso, now.delta_R)
    slow = compute_slow_pressure(now.prox_macro, now.constraint_penalty, now.confidence)
    weights = compute_pressure_weights(now.router_entropy, residual_intent, now.confidence)
    return Balance(fast, mid, slow, weights, compute_net_pressure(fast, mid, slow, *weights))
