"""The mechanics of the focuser, as pure arithmetic: millimetres and steps, the legs of a move, how long it takes.

Two measures, kept apart by name. *Steps out* count from the inner limit switch outward: 0 is fully in.
The controller's *register* grows inward and starts anywhere, so `steps_out = origin - register`
(docs/protocol.md). Positions are kept in whole steps; millimetres are for people.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..errors import InvalidArgumentError, OutsideLimitsError
from .rates import needed_steps
from .registers import (
    HOMING_RUN_REGISTER,
    STEPS_PER_MM,
    TRAVEL_MM,
    acceleration_register,
    move_duration_s,
    register_acceleration_mm_sec_sec,
    register_homing_speed_mm_sec,
    register_speed_mm_sec,
    speed_register,
)

HOMING_SPEED_MM_SEC = register_homing_speed_mm_sec(HOMING_RUN_REGISTER)

# A drive that needs a longer run than this to prove its rate is not asked for it.
LONGEST_PROOF_MM = 1.5
# What adding up decimal fractions in binary may be off by, in mm.
SUM_ROUNDING_MM = 1e-9
# Sums of what was asked for are kept to 1e-6 mm, which is far less than a step.
SUM_DECIMALS = 6


@dataclass(frozen=True)
class Limits:
    """Where the focuser may go.

    Args:
        range_mm: the outermost position that may be asked for, in mm.
        range_steps: the last whole step within it, in steps out (the innermost is 0).
        travel_steps: how far out an overshoot leg may go; at least range_steps.
        backlash_steps: how far inward the last approach must run to take up the backlash.
    """

    range_mm: float
    range_steps: int
    travel_steps: int
    backlash_steps: int

    @classmethod
    def from_mm(cls, focus_range_mm: float, travel_mm: float, anti_backlash_mm: float) -> Limits:
        """The limits of a configuration. They are rounded down to whole steps, so that none lies outside."""
        return cls(
            range_mm=focus_range_mm,
            range_steps=_whole_steps_within(focus_range_mm),
            travel_steps=_whole_steps_within(travel_mm),
            backlash_steps=steps_from_mm(anti_backlash_mm),
        )


@dataclass(frozen=True)
class Drive:
    """How the motor runs: the motion registers, and the speeds (mm/s) and acceleration (mm/s^2) that they
    really stand for, after truncation to whole units."""

    speed_register: int
    acceleration_register: int
    speed_mm_sec: float
    acceleration_mm_sec_sec: float
    homing_mm_sec: float
    """Of a homing run. The maximum speed may hold it back; whether a controller does that is not known."""

    @classmethod
    def from_mm(cls, speed_mm_sec: float, acceleration_mm_sec_sec: float, time_scale: float = 1.0) -> Drive:
        """The drive nearest below what is configured. ValueError where the registers cannot hold it.

        Args:
            time_scale: how many times faster than a real one the controller lives; 1 but for a virtual one.
        """
        return cls.of_registers(
            speed_register(speed_mm_sec), acceleration_register(acceleration_mm_sec_sec), time_scale
        )

    @classmethod
    def of_registers(cls, speed: int, acceleration: int, time_scale: float = 1.0) -> Drive:
        """What two motion registers make; `time_scale` as for `from_mm`."""
        return cls(
            speed,
            acceleration,
            register_speed_mm_sec(speed) * time_scale,
            register_acceleration_mm_sec_sec(acceleration) * time_scale**2,
            min(HOMING_SPEED_MM_SEC, register_speed_mm_sec(speed)) * time_scale,
        )

    def at_ratio(self, ratio: float | None) -> Drive:
        """This drive as it was seen to run: speed and ramps so many times as computed; None if that is not known."""
        if ratio is None:
            return self
        acceleration_mm_sec_sec = self.acceleration_mm_sec_sec * ratio
        return replace(
            self, speed_mm_sec=self.speed_mm_sec * ratio, acceleration_mm_sec_sec=acceleration_mm_sec_sec
        )

    def ramp_steps(self, speed_mm_sec: float) -> float:
        """How many steps the motor needs to come to a speed from rest."""
        return speed_mm_sec**2 / 2 / self.acceleration_mm_sec_sec * STEPS_PER_MM

    def duration_s(self, run_steps: int) -> float:
        """How long a run of so many steps takes from rest to rest, in seconds."""
        return move_duration_s(mm_from_steps(abs(run_steps)), self.speed_mm_sec, self.acceleration_mm_sec_sec)

    def homing_duration_s(self, left_mm: float = TRAVEL_MM) -> float:
        """How long a homing run takes at worst, in seconds: the whole travel, or what is left of it, in mm."""
        return left_mm / self.homing_mm_sec

    @property
    def homing_deadline_s(self) -> float:
        """How long a homing run may take, in seconds. move_timeout does not shorten it: homing has its own speed.

        A motor that hangs is noticed long before: its register does not change. The run may be half as fast as
        computed.
        """
        return 2 * self.homing_duration_s() + 10

    def proof_steps(self, ratio: float | None, seen_for_s: float) -> int:
        """How many steps a leg must have to prove by its rate that the settings are there; 0 if none can.

        Args:
            ratio: how fast legs were seen to run, over what the settings make; None if that is not known.
            seen_for_s: how long it must be seen at one speed, in seconds.
        """
        if ratio is None:
            return 0
        speed_steps_s = self.speed_mm_sec * STEPS_PER_MM
        steps = needed_steps(speed_steps_s, self.ramp_steps(self.speed_mm_sec), ratio, seen_for_s)
        return steps if steps <= steps_from_mm(LONGEST_PROOF_MM) else 0

    def run_out_s(self, left_steps: int) -> float:
        """How long a motor that runs needs at least for its last steps, in seconds."""
        left_mm = mm_from_steps(abs(left_steps))
        ramp_mm = self.speed_mm_sec**2 / 2 / self.acceleration_mm_sec_sec
        if left_mm <= ramp_mm:
            return math.sqrt(2 * left_mm / self.acceleration_mm_sec_sec)
        return (left_mm - ramp_mm) / self.speed_mm_sec + self.speed_mm_sec / self.acceleration_mm_sec_sec


@dataclass(frozen=True)
class Target:
    """Where the focuser shall stand.

    Args:
        steps: the whole step, in steps out.
        asked_mm: what was asked for, in mm, from which the step is less than one away; None if nobody asked.
    """

    steps: int
    asked_mm: float | None = None

    @property
    def mm(self) -> float:
        """What an offset counts from, in mm."""
        return mm_from_steps(self.steps) if self.asked_mm is None else self.asked_mm


@dataclass(frozen=True)
class Leg:
    """One go-to of a move, in steps out. `overshoot` marks the leg that runs past the target."""

    target_steps: int
    overshoot: bool = False


@dataclass(frozen=True)
class Plan:
    """The legs of a move, and how much of the backlash they leave untaken.

    Args:
        target_steps: where the focuser shall stand, in steps out.
        legs: what to run, in this order; empty if nothing needs to move.
        shortfall_steps: what the last approach lacks of the full backlash, because the outer limit
            left no room for more; 0 if the backlash is taken up.
    """

    target_steps: int
    legs: tuple[Leg, ...]
    shortfall_steps: int


def move_deadline_s(duration_s: float, move_timeout_s: float) -> float:
    """How long a move may take: twice what it should and ten seconds, which a slow line survives, at most
    `move_timeout_s`."""
    return min(2 * duration_s + 10, move_timeout_s)


def steps_from_mm(position_mm: float) -> int:
    """The whole step nearest to a finite position."""
    return round(position_mm * STEPS_PER_MM)


def mm_from_steps(steps: float) -> float:
    """Millimetres of travel that `steps` are."""
    return steps / STEPS_PER_MM


def _whole_steps_within(length_mm: float) -> int:
    # 6.0 mm must give 30528 steps although a product of floats may end in .999...
    return math.floor(length_mm * STEPS_PER_MM + 1e-6)


def requested_target(position: object, offset_from_mm: float | None, limits: Limits) -> Target:
    """What a caller asks for.

    Args:
        position: millimetres from fully in; or, with `offset_from_mm`, relative to that.
        offset_from_mm: what a relative position counts from, in mm; None: it is absolute.

    Raises:
        InvalidArgumentError: `position` is no number (a bool or a text is none).
        OutsideLimitsError: NaN, an infinity, or a position outside 0 ... focus_range_mm. It is never clamped; only a
            sum that lies less than a step outside is the limit.
    """
    if isinstance(position, bool) or not isinstance(position, (int, float)):
        raise InvalidArgumentError(
            f"the position is of type {type(position).__name__}; a number of millimetres was expected."
        )
    position_mm = as_float(position)
    # 0.1 + 0.2 is 0.3, also where the caller has added it up.
    beyond_mm = SUM_ROUNDING_MM
    if offset_from_mm is not None:
        position_mm = round(offset_from_mm + position_mm, SUM_DECIMALS)
        beyond_mm = mm_from_steps(1)
    if not -beyond_mm <= position_mm <= limits.range_mm + beyond_mm:
        raise _outside_limits(position_mm, limits)
    # Not -0.0: it would be published so.
    asked_mm = min(max(position_mm, 0.0), limits.range_mm) + 0.0
    return Target(min(steps_from_mm(asked_mm), limits.range_steps), asked_mm)


def as_float(number: float) -> float:
    """A number as a float, which is infinite if that cannot hold it."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _outside_limits(position_mm: float, limits: Limits) -> OutsideLimitsError:
    return OutsideLimitsError(
        f"{position_mm:.6g} mm was asked for; the focuser goes from 0 to {limits.range_mm:.3f} mm."
    )


def plan_move(
    start_steps: int, taken_up_steps: int, target_steps: int, limits: Limits, first_leg_steps: int = 0
) -> Plan:
    """The legs from where the focuser stands to a target within the limits.

    The last approach must run inward by the full backlash. Inward travel since the last outward run
    counts, so that small inward moves go straight. Near the outer end the overshoot is shortened.

    Args:
        start_steps: where the focuser stands, in steps out.
        taken_up_steps: how far it has run inward since it last ran outward.
        target_steps: where it shall stand, in steps out, within the limits.
        first_leg_steps: how long the first leg shall be at least, if anything moves; more legs make room for that.
    """
    inward_steps = start_steps - target_steps
    taken_up_direct_steps = taken_up_steps + inward_steps if inward_steps >= 0 else 0
    turn_steps = min(target_steps + limits.backlash_steps, limits.travel_steps)
    taken_up_turning_steps = turn_steps - target_steps if turn_steps > start_steps else 0

    if taken_up_direct_steps >= min(limits.backlash_steps, taken_up_turning_steps):
        legs: tuple[Leg, ...] = (Leg(target_steps),) if inward_steps else ()
        untaken_steps = max(0, limits.backlash_steps - taken_up_direct_steps)
    else:
        legs = (Leg(turn_steps, overshoot=True), Leg(target_steps))
        untaken_steps = limits.backlash_steps - taken_up_turning_steps
    if legs and abs(legs[0].target_steps - start_steps) < first_leg_steps:
        return _plan_by_way_of(start_steps, target_steps, limits, first_leg_steps)
    return Plan(target_steps, legs, untaken_steps)


def _plan_by_way_of(start_steps: int, target_steps: int, limits: Limits, first_leg_steps: int) -> Plan:
    """A plan whose first leg goes further than it must: outward, or inward where there is no room for that."""
    if start_steps + first_leg_steps <= limits.travel_steps:
        away_steps = max(
            start_steps + first_leg_steps, min(target_steps + limits.backlash_steps, limits.travel_steps)
        )
        legs = (Leg(away_steps, overshoot=True), Leg(target_steps))
        return Plan(target_steps, legs, max(0, limits.backlash_steps - (away_steps - target_steps)))
    away_steps = max(0, start_steps - first_leg_steps)
    rest = plan_move(away_steps, 0, target_steps, limits)
    return Plan(target_steps, (Leg(away_steps, overshoot=True), *rest.legs), rest.shortfall_steps)


def taken_up_after(taken_up_steps: int, from_steps: int, to_steps: int, limits: Limits) -> int:
    """How far the focuser has run inward since it last ran outward, after a run between two positions.

    Bounded by the backlash: more than that changes nothing.
    """
    if to_steps > from_steps:
        return 0
    return min(taken_up_steps + from_steps - to_steps, limits.backlash_steps)
