"""Pressures are what the formulas say: bounded, monotonic in every signal, and mechanical where they decide."""

from math import tanh

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_duplex.pressure.pressure import (
    compute_fast_pressure,
    compute_mid_pressure,
    compute_net_pressure,
    compute_pressure_weights,
    compute_residual_intent,
    compute_slow_pressure,
    hold_lone_veto,
    should_pause,
)


real = st.floats(-50, 50)
share = st.floats(0, 1)
pressure = st.floats(-1, 1)
# Rounding may turn a step of nothing into one of the smallest size.
ROUNDING = 1e-12

# Function, the domain of each argument, and the direction that each pushes in.
FUNCTIONS = {
    "fast": (compute_fast_pressure, (share, real, real), (-1, 1, 1)),
    "mid": (compute_mid_pressure, (real, real, real, real), (-1, 1, 1, 1)),
    "slow": (compute_slow_pressure, (real, st.floats(0, 50), share), (1, -1, None)),
    "net": (compute_net_pressure, (pressure,) * 3 + (st.floats(0, 0.2), st.floats(0.5, 1), st.floats(0, 0.3)), None),
    "intent": (
        compute_residual_intent,
        (pressure, share, real, st.integers(0, 150), st.integers(150, 400)),
        (1, -1, -1, -1, 1),
    ),
}
MONOTONIC = [
    (name, index)
    for name, (_, domains, signs) in FUNCTIONS.items()
    for index in range(len(domains))
    if (signs[index] if signs else index < 3 or None) is not None
]


@pytest.mark.parametrize("name", FUNCTIONS)
@given(data=st.data())
def test_bounded(name, data):
    function, domains, _ = FUNCTIONS[name]
    value = function(*(data.draw(domain) for domain in domains))
    assert (0 if name == "intent" else -1) <= value <= 1


@pytest.mark.parametrize("name", FUNCTIONS)
@given(data=st.data())
def test_deterministic(name, data):
    function, domains, _ = FUNCTIONS[name]
    arguments = [data.draw(domain) for domain in domains]
    assert function(*arguments) == function(*arguments)


@pytest.mark.parametrize(("name", "index"), MONOTONIC)
@given(data=st.data())
def test_monotonic_in_each_signal(name, index, data):
    function, domains, signs = FUNCTIONS[name]
    arguments = [data.draw(domain) for domain in domains]
    low, high = sorted([arguments[index], data.draw(domains[index])])
    less, more = (function(*arguments[:index], value, *arguments[index + 1 :]) for value in (low, high))
    assert (signs[index] if signs else 1) * (more - less) >= -ROUNDING


@given(prox=real, penalty=st.floats(0, 50), low=share, high=share)
def test_confidence_scales_what_the_slow_clock_says(prox, penalty, low, high):
    low, high = sorted([low, high])
    direction = compute_slow_pressure(prox, penalty, 1.0)
    assert direction * (compute_slow_pressure(prox, penalty, high) - compute_slow_pressure(prox, penalty, low)) >= 0


@given(entropy=share, intent=share, confidence=share)
def test_weights_keep_their_authority(entropy, intent, confidence):
    fast, mid, slow = compute_pressure_weights(entropy, intent, confidence)
    assert 0 <= fast <= 0.2 and 0.5 <= mid <= 1 and 0 <= slow <= 0.3
    assert (fast, mid, slow) == (min(0.2, 1 - entropy), 0.5 + 0.5 * intent, 0.3 * confidence)


@given(low=share, high=share, other=share)
def test_weights_are_monotonic(low, high, other):
    low, high = sorted([low, high])
    assert compute_pressure_weights(low, other, other)[0] >= compute_pressure_weights(high, other, other)[0]
    assert compute_pressure_weights(other, low, other)[1] <= compute_pressure_weights(other, high, other)[1]
    assert compute_pressure_weights(other, other, low)[2] <= compute_pressure_weights(other, other, high)[2]


def test_formulas_as_written():
    assert compute_fast_pressure(0.3, 0.8, 0.1) == pytest.approx(-0.15 + 0.3 * tanh(0.8) + 0.2 * tanh(0.1))
    mid = 0.4 * tanh(0.6) + 0.3 * tanh(0.7) + 0.2 * tanh(0.8) + 0.1 * tanh(0.1)
    assert compute_mid_pressure(0.4, 0.7, 0.8, 0.1) == pytest.approx(mid)
    assert compute_slow_pressure(0.5, 2.0, 0.9) == pytest.approx(0.9 * (0.3 * tanh(0.5) - 0.7 * tanh(2.0)))
    assert compute_net_pressure(-0.2, 0.6, 0.1, 0.15, 0.85, 0.27) == pytest.approx(-0.03 + 0.51 + 0.027)
    assert compute_net_pressure(1, 1, 1, 0.2, 1.0, 0.3) == 1.0
    assert compute_residual_intent(0.5, 0.4, -0.1, 50, 100) == pytest.approx(0.5 * 0.5 * 1.6)
    assert compute_residual_intent(0.5, 0.4, 0.2, 50, 100) == pytest.approx(0.5 * 0.5 * 1.6 * 0.8)
    assert compute_residual_intent(0.5, 0.4, 3.0, 50, 100) == pytest.approx(0.5 * 0.5 * 1.6 * 0.5)


@pytest.mark.parametrize(
    ("fast", "net", "mode", "decision"),
    [
        (-0.71, 0.5, "single_turn", (True, "fast_instability")),
        (-0.71, -0.5, "multistep", (True, "fast_instability")),
        (-0.7, -0.01, "single_turn", (True, "negative_pressure")),
        (0.0, -0.01, "multistep", (True, "negative_pressure")),
        (0.0, 0.0, "multistep", (True, "multistep_chunk_complete")),
        (0.0, 0.0, "single_turn", (False, "continue")),
    ],
)
def test_the_rules_of_pausing_in_their_order(fast, net, mode, decision):
    assert should_pause(fast, net, mode) == decision


@given(fast=pressure, net=pressure)
def test_multistep_always_pauses(fast, net):
    assert should_pause(fast, net, "multistep")[0]


@given(entropy=share, margin=st.floats(0, 50), delta=real)
def test_the_brake_needs_a_negative_margin(entropy, margin, delta):
    """A consequence of the formula that its docstring states."""
    assert not compute_fast_pressure(entropy, margin, delta) < -0.7
    assert compute_fast_pressure(1.0, -3.0, -3.0) < -0.7


@given(fast=pressure, mid=pressure, slow=pressure, entropy=share, intent=share, confidence=share)
def test_a_slow_veto_needs_the_faster_clocks(fast, mid, slow, entropy, intent, confidence):
    w_fast, w_mid, w_slow = compute_pressure_weights(entropy, intent, confidence)
    net = compute_net_pressure(fast, mid, slow, w_fast, w_mid, w_slow)
    held = hold_lone_veto(net, fast, mid, w_fast, w_mid)
    if w_fast * fast + w_mid * mid < 0:
        assert held == net
    else:
        assert held == max(0.0, net)


def test_a_lone_veto_does_not_pause():
    net = compute_net_pressure(0.1, 0.1, -0.7, 0.2, 0.5, 0.3)
    assert net < 0 and not should_pause(0.1, hold_lone_veto(net, 0.1, 0.1, 0.2, 0.5), "single_turn")[0]
    net = compute_net_pressure(-0.1, -0.1, -0.7, 0.2, 0.5, 0.3)
    assert should_pause(-0.1, hold_lone_veto(net, -0.1, -0.1, 0.2, 0.5), "single_turn") == (True, "negative_pressure")


def test_intent_decays_as_a_chunk_fills():
    intents = [compute_residual_intent(0.6, 0.3, -0.1, tokens, 150) for tokens in range(0, 170, 10)]
    assert intents == sorted(intents, reverse=True) and intents[0] > 0.6 and intents[-2:] == [0.0, 0.0]


@pytest.mark.parametrize("longest", [0, -3])
def test_a_chunk_without_room_is_refused(longest):
    with pytest.raises(ValueError, match="`max_chunk`"):
        compute_residual_intent(0.5, 0.5, 0.0, 0, longest)
