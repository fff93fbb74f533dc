"""Ramps keep their limits, end where they should, and take the time of the trapezoid."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z.simulator import ramp
from rockit.focuser.ok3z.simulator.ramp import Limits, Phase, Ramp

speeds = st.floats(1, 50000)
rates = st.floats(10, 250000)
limits = st.builds(Limits, speeds, rates, rates)
distances = st.integers(-60000, 60000)
velocities = st.one_of(st.just(0.0), st.floats(-50000, 50000))


def total(phases: Ramp) -> float:
    return math.fsum(phase.displacement_at(phase.duration_s) for phase in phases)


def duration(phases: Ramp) -> float:
    return math.fsum(phase.duration_s for phase in phases)


@given(distances, velocities, limits)
def test_distance_ramp_ends_at_rest_exactly_there(distance: int, velocity: float, limit: Limits) -> None:
    phases = ramp.to_distance(distance, velocity, limit)

    assert total(phases) == pytest.approx(distance, abs=1e-4, rel=1e-9)
    if phases:
        last = phases[-1]
        assert last.velocity_at(last.duration_s) == pytest.approx(0, abs=1e-6 * limit.speed)


@given(distances, velocities, limits)
def test_velocity_is_continuous_keeps_its_sign_in_a_phase_and_its_limits(
    distance: int, velocity: float, limit: Limits
) -> None:
    now = velocity
    allowed = max(abs(velocity), limit.speed) * (1 + 1e-9)
    for phase in ramp.to_distance(distance, velocity, limit):
        end = phase.velocity_at(phase.duration_s)
        assert phase.duration_s >= 0
        assert phase.velocity == pytest.approx(now, abs=1e-6 * allowed)
        assert abs(end) <= allowed
        assert phase.velocity * end >= -1e-6 * allowed**2
        assert abs(phase.acceleration) <= max(limit.acceleration, limit.deceleration)
        now = end


@given(st.integers(1, 60000), limits)
def test_move_from_rest_takes_the_time_of_the_trapezoid(distance: int, limit: Limits) -> None:
    symmetric = Limits(limit.speed, limit.acceleration, limit.acceleration)
    v, a = symmetric.speed, symmetric.acceleration
    expected = 2 * math.sqrt(distance / a) if distance < v * v / a else distance / v + v / a

    assert duration(ramp.to_distance(distance, 0.0, symmetric)) == pytest.approx(expected, rel=1e-6)
    assert duration(ramp.to_distance(-distance, 0.0, symmetric)) == pytest.approx(expected, rel=1e-6)


@given(st.floats(1, 50000), velocities, limits)
def test_run_reaches_its_speed_and_goes_on_for_ever(target: float, velocity: float, limit: Limits) -> None:
    *before, last = ramp.to_speed(target, velocity, limit)

    assert last == Phase(math.inf, target, 0.0)
    if before:
        assert before[-1].velocity_at(before[-1].duration_s) == pytest.approx(target, rel=1e-6)


@given(velocities, rates)
def test_stop_takes_the_stopping_distance(velocity: float, deceleration: float) -> None:
    phases = ramp.to_rest(velocity, deceleration)

    assert total(phases) == pytest.approx(ramp.stopping_distance(velocity, deceleration), rel=1e-9)
    assert duration(phases) == pytest.approx(abs(velocity) / deceleration)


def test_no_distance_is_no_ramp() -> None:
    assert ramp.to_distance(0, 0.0, Limits(100, 100, 100)) == ()


def test_overrun_comes_back() -> None:
    phases = ramp.to_distance(10, 1000.0, Limits(1000, 1000, 1000))

    reached = 0.0
    furthest = 0.0
    for phase in phases:
        reached += phase.displacement_at(phase.duration_s)
        furthest = max(furthest, reached)
    assert furthest == pytest.approx(500)
    assert reached == pytest.approx(10)
