"""Where a motor must be that nobody has watched: at any rate within the error, halted at any moment or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z.driver.planning import Drive, steps_from_mm
from rockit.focuser.ok3z.driver.reading import Reading
from rockit.focuser.ok3z.driver.registers import POSITION_TOLERANCE_STEPS
from rockit.focuser.ok3z.driver.whereabouts import MOST_HALTS, OBEYS_WITHIN_S, RATE_ERROR, Sighting, Window

DRIVE = Drive.from_mm(0.5, 5.0)
SPEED_STEPS_S = DRIVE.speed_mm_sec * 5088
TOLERANCE = POSITION_TOLERANCE_STEPS


def seen_at(register: int, at_s: float = 100.0) -> Reading:
    return Reading(register, False, at_s, at_s - 0.01)


def holds(windows: tuple[Window, ...], register: int) -> bool:
    return any(register in window for window in windows)


def test_a_motor_that_had_time_for_its_leg_stands_at_its_end_and_nowhere_else() -> None:
    (window,) = Sighting(seen_at(2000), 0, 10000).windows(DRIVE, 130.0)
    assert window == Window(10000 - TOLERANCE, 10000 + TOLERANCE)
    assert window.is_exact


def test_a_motor_that_had_not_is_where_it_was_halted() -> None:
    run_steps = 1.0 * SPEED_STEPS_S
    (window,) = Sighting(seen_at(2000), 0, 10000).halted(101.0).windows(DRIVE, 101.5)
    assert window.low == pytest.approx(2000 + (1 - RATE_ERROR) * run_steps, abs=20)
    assert window.high == pytest.approx(2000 + (1 + RATE_ERROR) * (1.21 * SPEED_STEPS_S) + 130, abs=20)


def test_outward_the_register_falls() -> None:
    inward = Sighting(seen_at(2000), 0, 10000).halted(101.0).windows(DRIVE, 101.5)
    outward = Sighting(seen_at(-2000), 0, -10000).halted(101.0).windows(DRIVE, 101.5)
    assert [Window(-window.high, -window.low) for window in outward] == list(inward)


def test_a_motor_that_nobody_saw_moving_may_stand_where_it_stood() -> None:
    windows = Sighting(seen_at(7), 7, 10000).halted(101.0).windows(DRIVE, 101.5)
    assert Window(7 - TOLERANCE, 7 + TOLERANCE) in windows
    assert not holds(windows, 7 + TOLERANCE + 1)


def test_a_motor_that_stands_is_where_it_stands() -> None:
    assert set(Sighting(seen_at(7), 7, 7).halted(101.0).windows(DRIVE, 200.0)) == {Window(7 - 8, 7 + 8)}


def test_a_halt_of_which_nobody_knows_whether_it_came_leaves_two_places() -> None:
    windows = Sighting(seen_at(2000), 0, 10000).halted(101.0).windows(DRIVE, 130.0)
    assert holds(windows, 2000 + round(SPEED_STEPS_S))
    assert holds(windows, 10000)
    assert not holds(windows, 7000)


def test_of_many_halts_the_first_and_the_last_are_kept() -> None:
    sighting = Sighting(seen_at(0), 0, 10000)
    for moment in range(20):
        sighting = sighting.halted(float(moment))
    assert len(sighting.halts_s) == MOST_HALTS
    assert sighting.halts_s[0] == 0.0
    assert sighting.halts_s[-1] == 19.0


def test_a_controller_at_twice_the_speed_is_known_to_be_further() -> None:
    (window,) = Sighting(seen_at(2000), 0, 20000, ratio=2.0).halted(101.0).windows(DRIVE, 101.5)
    assert 2000 + round(2 * SPEED_STEPS_S) in window
    assert 2000 + round(SPEED_STEPS_S) not in window


@given(
    length=st.integers(1, 30000),
    outward=st.booleans(),
    error=st.floats(1 - RATE_ERROR, 1 + RATE_ERROR),
    ratio=st.sampled_from([0.5, 1.0, 2.0]),
    seen_s=st.floats(0.0, 70.0),
    unseen_s=st.floats(0.0, 70.0),
    obeys_s=st.floats(0.0, OBEYS_WITHIN_S),
    is_halted=st.booleans(),
)
def test_wherever_it_really_is_a_window_holds_it(
    length: int,
    outward: bool,
    error: float,
    ratio: float,
    seen_s: float,
    unseen_s: float,
    obeys_s: float,
    is_halted: bool,
) -> None:
    sign = -1 if outward else 1
    factor = error * ratio
    speed_steps_s = steps_from_mm(DRIVE.speed_mm_sec * factor)
    acceleration = steps_from_mm(DRIVE.acceleration_mm_sec_sec * factor)

    def done_at(time_s: float) -> float:
        ramp_s = min(speed_steps_s / acceleration, (length / acceleration) ** 0.5)
        end_s = ramp_s + length / (acceleration * ramp_s)
        if time_s >= end_s:
            return length
        if time_s > end_s - ramp_s:
            return length - acceleration * (end_s - time_s) ** 2 / 2
        if time_s < ramp_s:
            return acceleration * time_s**2 / 2
        return acceleration * ramp_s**2 / 2 + acceleration * ramp_s * (time_s - ramp_s)

    seen = Reading(sign * round(done_at(seen_s)), False, seen_s, seen_s)
    sighting = Sighting(seen, 0, sign * length, ratio)
    found_s = seen_s + unseen_s + obeys_s + 1.0
    if is_halted:
        sighting = sighting.halted(seen_s + unseen_s)
        stands = done_at(seen_s + unseen_s + obeys_s)
    else:
        stands = done_at(found_s)
        if stands < length:
            return
    assert holds(sighting.windows(DRIVE, found_s), sign * round(stands))


def test_the_windows_of_a_long_gap_are_narrow() -> None:
    windows = Sighting(seen_at(1000), 0, 30000).halted(103.0).windows(DRIVE, 103.2)
    width = sum(window.high - window.low for window in windows)
    assert width < 0.4 * 3.2 * SPEED_STEPS_S + 600


def test_it_is_told_in_words() -> None:
    assert str(Window(-8, 8)) == "at 0"
    assert str(Window(100, 900)) == "between 100 and 900"
    assert str(replace(Window(100, 900), high=110)) == "at 105"
