"""Trapezoid speed ramps as exact functions of time.

A ramp is a tuple of phases of constant acceleration, in steps and seconds. In each phase the speed
keeps its sign, so a position limit is crossed at most once a phase. Nothing here integrates in small
steps: the answer does not depend on how often one asks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What the motor may do, in steps/s and steps/s^2, all above zero."""

    speed: float
    acceleration: float
    deceleration: float


@dataclass(frozen=True)
class Phase:
    """A stretch of constant acceleration that begins with `velocity` (signed, steps/s)."""

    duration_s: float
    velocity: float
    acceleration: float

    @property
    def is_rest(self) -> bool:
        return self.velocity == 0 and self.acceleration == 0

    def velocity_at(self, elapsed_s: float) -> float:
        return self.velocity + self.acceleration * elapsed_s

    def displacement_at(self, elapsed_s: float) -> float:
        """Signed steps made since the beginning of the phase."""
        return (self.velocity + self.acceleration * elapsed_s / 2) * elapsed_s


Ramp = tuple[Phase, ...]


def rest(duration_s: float) -> Ramp:
    """Stand still for a while: what a controller does before it obeys."""
    return (Phase(duration_s, 0.0, 0.0),) if duration_s > 0 else ()


def to_rest(velocity: float, deceleration: float) -> Ramp:
    """Slow down from `velocity` to standstill."""
    if velocity == 0:
        return ()
    return (Phase(abs(velocity) / deceleration, velocity, -math.copysign(deceleration, velocity)),)


def stopping_distance(velocity: float, deceleration: float) -> float:
    """Signed steps that `to_rest` makes."""
    return velocity * abs(velocity) / (2 * deceleration)


def to_speed(target: float, velocity: float, limits: Limits) -> Ramp:
    """From `velocity` to the signed speed `target`, and on with it until something ends the run."""
    phases: list[Phase] = []
    if velocity * target < 0:
        phases += to_rest(velocity, limits.deceleration)
        velocity = 0.0
    if velocity != target:
        rate = limits.acceleration if abs(target) > abs(velocity) else limits.deceleration
        signed_rate = math.copysign(rate, target - velocity)
        phases.append(Phase((target - velocity) / signed_rate, velocity, signed_rate))
    phases.append(Phase(math.inf, target, 0.0))
    return tuple(phases)


def to_distance(distance: float, velocity: float, limits: Limits) -> Ramp:
    """From `velocity` to standstill exactly `distance` signed steps away.

    If the motor runs the wrong way, or is too fast to stop in time, it first comes to rest.
    """
    overrun = stopping_distance(velocity, limits.deceleration)
    if velocity != 0 and (velocity * distance <= 0 or abs(overrun) > abs(distance) + 1e-9):
        return to_rest(velocity, limits.deceleration) + to_distance(distance - overrun, 0.0, limits)
    if distance == 0:
        return ()
    sign = math.copysign(1.0, distance)
    return _one_way(abs(distance), abs(velocity), sign, limits)


def _one_way(distance: float, speed: float, sign: float, limits: Limits) -> Ramp:
    phases: list[Phase] = []
    up, down = limits.acceleration, limits.deceleration
    if speed > limits.speed:
        slow_down = Phase((speed - limits.speed) / down, sign * speed, -sign * down)
        phases.append(slow_down)
        distance -= abs(slow_down.displacement_at(slow_down.duration_s))
        speed = limits.speed
    peak = min(limits.speed, math.sqrt((2 * distance * up * down + speed**2 * down) / (up + down)))
    peak = max(peak, speed)
    if peak > speed:
        phases.append(Phase((peak - speed) / up, sign * speed, sign * up))
    cruise = distance - (peak**2 - speed**2) / (2 * up) - peak**2 / (2 * down)
    if cruise > 0:
        phases.append(Phase(cruise / peak, sign * peak, 0.0))
    phases.append(Phase(peak / down, sign * peak, -sign * down))
    return tuple(phases)
