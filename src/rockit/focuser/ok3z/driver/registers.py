"""What the motion registers of the controller stand for, and how long a motion takes. Pure: no state, no I/O.

The source of every figure is docs/protocol.md, "Scaling of the motion registers". The scaling is inferred
(an ST L6470 stepper driver with a tick of 250 ns), and so is the truncation to whole register units: a
configured speed is an upper bound, and the focuser really runs at the speed that the register stands for.

Speeds are mm/s, accelerations mm/s^2, distances mm, durations s. A register is a whole number of its units.
"""

from __future__ import annotations

import math

# docs/protocol.md, "Mechanics" and "Scaling of the motion registers".
STEPS_PER_MM = 5088
POSITION_STEPS_PER_FULL_STEP = 4
TICKS_PER_SECOND = 4_000_000  # a tick is 250 ns
TRAVEL_MM = 9.0  # of the mechanics, from the inner limit switch to the outer hard stop

SPEED_BITS = 10
ACCELERATION_BITS = 12
HOMING_SPEED_BITS = 20

# A register holds whole units from 1 to its maximum; 0 would be a motor that never gets going.
MAX_SPEED_REGISTER = 2**SPEED_BITS - 1
MAX_ACCELERATION_REGISTER = 2**ACCELERATION_BITS - 1
MAX_HOMING_SPEED_REGISTER = 2**HOMING_SPEED_BITS - 1

# The value in use for the homing run, proven on real focusers: 318 full steps/s, 0.25 mm/s. Send this one.
HOMING_RUN_REGISTER = 21341

# Two registers that differ by no more are one place (1.6 micrometres): a halt, a switch or a weak driver may leave the
# motor some steps beside where it was told to be, and some controllers round the register, or let it flicker at rest.
POSITION_TOLERANCE_STEPS = 8
# The position register after a power cut (inferred, docs/protocol.md). A controller may have another one.
POWER_UP_REGISTER = 0

# Register units per mm/s or mm/s^2: full steps per mm, times the scale of the register.
_FULL_STEPS_PER_MM = STEPS_PER_MM / POSITION_STEPS_PER_FULL_STEP
_SPEED_UNITS = _FULL_STEPS_PER_MM * 2**18 / TICKS_PER_SECOND
_ACCELERATION_UNITS = _FULL_STEPS_PER_MM * 2**40 / TICKS_PER_SECOND**2
_HOMING_SPEED_UNITS = _FULL_STEPS_PER_MM * 2**28 / TICKS_PER_SECOND

# Below this part of a unit a shortfall is rounding of binary fractions, not somebody's wish.
_ROUNDING = 1e-9


def is_at(register: int, expected: int) -> bool:
    """Whether two position registers are one place."""
    return abs(register - expected) <= POSITION_TOLERANCE_STEPS


def near_power_up(
    register: int, known: tuple[int, ...], within_steps: int = POSITION_TOLERANCE_STEPS
) -> bool:
    """Whether a position register reads as it may after a power cut.

    Args:
        register: what it reads.
        known: where it was found after power cuts, beside POWER_UP_REGISTER.
        within_steps: how far beside these it may be.
    """
    return any(abs(register - power_up) <= within_steps for power_up in (POWER_UP_REGISTER, *known))


def speed_register(speed_mm_sec: float) -> int:
    """The maximum speed register for a speed in mm/s, truncated: 1 to 1023, so 0.012 to 12.28 mm/s.

    Raises ValueError for a speed that the register cannot hold, or that is not finite.
    """
    return _held(
        _truncated(speed_mm_sec * _SPEED_UNITS), MAX_SPEED_REGISTER, f"a speed of {speed_mm_sec} mm/s"
    )


def acceleration_register(acceleration_mm_sec_sec: float) -> int:
    """The acceleration or deceleration register for mm/s^2, truncated: 1 to 4095, so 0.0115 to 46.85 mm/s^2.

    Raises ValueError for an acceleration that the register cannot hold, or that is not finite.
    """
    register = _truncated(acceleration_mm_sec_sec * _ACCELERATION_UNITS)
    return _held(register, MAX_ACCELERATION_REGISTER, f"an acceleration of {acceleration_mm_sec_sec} mm/s^2")


def homing_speed_register(speed_mm_sec: float) -> int:
    """The argument of the homing run for a speed in mm/s: 1 to 1048575 units of 0.0000117 mm/s.

    Rounded to the nearest unit, unlike the others: 0.25 mm/s is 21340.6 units, and 21341 is the value in use.
    Raises ValueError for a speed that the register cannot hold, or that is not finite.
    """
    register = _truncated(speed_mm_sec * _HOMING_SPEED_UNITS + 0.5)
    return _held(register, MAX_HOMING_SPEED_REGISTER, f"a homing speed of {speed_mm_sec} mm/s")


def register_speed_mm_sec(register: int) -> float:
    """The speed in mm/s that a maximum speed register (1 to 1023) really stands for. ValueError outside."""
    return _held(register, MAX_SPEED_REGISTER, f"the speed register {register}") / _SPEED_UNITS


def register_acceleration_mm_sec_sec(register: int) -> float:
    """The acceleration in mm/s^2 that a register (1 to 4095) really stands for. ValueError outside."""
    held = _held(register, MAX_ACCELERATION_REGISTER, f"the acceleration register {register}")
    return held / _ACCELERATION_UNITS


def register_homing_speed_mm_sec(register: int) -> float:
    """The speed in mm/s that the argument of a homing run (1 to 1048575) stands for. ValueError outside."""
    held = _held(register, MAX_HOMING_SPEED_REGISTER, f"the homing speed register {register}")
    return held / _HOMING_SPEED_UNITS


def move_duration_s(distance_mm: float, speed_mm_sec: float, acceleration_mm_sec_sec: float) -> float:
    """How many seconds a move from rest to rest takes, ramps included (docs/protocol.md).

    `distance_mm` is a length, 0 or more. Give the real speed and acceleration, of `register_speed_mm_sec` and
    `register_acceleration_mm_sec_sec`: both above 0. Raises ValueError for other and for non-finite numbers.
    """
    if not 0 <= distance_mm < math.inf:
        raise ValueError(f"a move of {distance_mm} mm has no duration; expected a length of 0 mm or more")
    for motion in (speed_mm_sec, acceleration_mm_sec_sec):
        if not 0 < motion < math.inf:
            raise ValueError(f"a move at {motion} has no duration; expected a speed and acceleration above 0")
    if distance_mm < speed_mm_sec**2 / acceleration_mm_sec_sec:
        # Too short to reach full speed: half the way up the ramp, half the way down.
        return 2 * math.sqrt(distance_mm / acceleration_mm_sec_sec)
    return distance_mm / speed_mm_sec + speed_mm_sec / acceleration_mm_sec_sec


def _truncated(units: float) -> int:
    # A NaN or an infinity becomes 0, which no register holds: refused like every other misfit.
    return math.floor(units * (1 + _ROUNDING)) if math.isfinite(units) else 0


def _held(register: int, maximum: int, subject: str) -> int:
    if not 1 <= register <= maximum:
        raise ValueError(f"{subject} does not fit its register, which holds 1 to {maximum} units")
    return register
