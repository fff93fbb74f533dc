"""How often the register is renewed, as it is seen, and what standstill then takes."""

from __future__ import annotations

from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z.driver.reading import Reading
from rockit.focuser.ok3z.driver.refresh import (
    CHANGING_READINGS,
    LONGEST_INTERVAL_S,
    STANDSTILL_GAP_S,
    UNKNOWN_INTERVAL_S,
    Refresh,
)
from rockit.focuser.ok3z.driver.run_watch import HaltWatch, StandstillWatch
from rockit.focuser.ok3z.driver.tracking import Tracker

T0_S = 1000.0
SPEED = 1272.0
Read = Callable[[float], Reading]


def motor(period_s: float, runs_for_s: float = 1e6, phase_s: float = 0.0) -> Read:
    """A motor that runs from T0_S on, behind a controller that renews its register so often."""

    def read(at_s: float) -> Reading:
        run_s = at_s - T0_S
        renewed_s = (run_s + phase_s) // period_s * period_s - phase_s if period_s else run_s
        register = int(SPEED * min(max(0.0, renewed_s), runs_for_s))
        return Reading(register, run_s >= runs_for_s, at_s)

    return read


def watched(read: Read, spacing_s: float, seconds: float, refresh: Refresh | None = None) -> Refresh:
    """What was seen of it in so many seconds."""
    refresh = refresh or Refresh()
    refresh.begin()
    for number in range(int(seconds / spacing_s)):
        refresh.take(read(T0_S + number * spacing_s))
    return refresh


def test_of_a_controller_that_was_never_seen_running_the_worst_is_supposed() -> None:
    refresh = Refresh()
    assert not refresh.is_known
    assert refresh.supposed_s == UNKNOWN_INTERVAL_S
    assert refresh.interval_s == 0.0


@pytest.mark.parametrize(("spacing_s", "supposed_s"), [(0.02, 0.0), (0.029, 0.0), (0.04, 0.04), (0.3, 0.3)])
def test_a_register_that_changes_with_every_look_is_no_older_than_a_look_ago(
    spacing_s: float, supposed_s: float
) -> None:
    refresh = watched(motor(0.0), spacing_s, spacing_s * (CHANGING_READINGS + 4))
    assert refresh.is_known
    assert not refresh.is_slow
    assert refresh.supposed_s == pytest.approx(supposed_s)


@given(st.floats(0.1, 0.6), st.floats(0.0, 0.6), st.sampled_from([0.02, 0.045, 0.08]))
def test_the_interval_that_is_seen_is_never_too_short(
    period_s: float, phase_s: float, spacing_s: float
) -> None:
    refresh = watched(motor(period_s, phase_s=phase_s), spacing_s, 4.0)
    if period_s > 2 * spacing_s:
        assert refresh.is_slow
    if refresh.is_slow:
        assert period_s <= refresh.supposed_s <= period_s + 3 * spacing_s


def test_a_register_that_stands_before_the_first_change_shows_nothing() -> None:
    """A motor may be slow to start."""
    refresh = Refresh()
    for number in range(20):
        refresh.take(Reading(5, False, T0_S + number * 0.05))
    assert not refresh.is_known


def test_a_register_that_changes_at_rest_is_renewed_slowly() -> None:
    refresh = watched(motor(0.0), 0.04, 1.0)
    refresh.take(Reading(2000, True, T0_S + 2.0))
    refresh.take(Reading(2016, True, T0_S + 2.05))
    assert not refresh.is_slow, "it may flicker"
    refresh.take(Reading(2040, True, T0_S + 2.1))
    assert refresh.supposed_s == UNKNOWN_INTERVAL_S


def test_an_interval_in_which_nobody_could_look_is_bounded() -> None:
    refresh = Refresh()
    for register, at_s in ((0, 0.0), (100, 0.1), (100, 0.2), (900, 30.0)):
        refresh.take(Reading(register, False, T0_S + at_s))
    assert refresh.interval_s == LONGEST_INTERVAL_S


# A move is looked at about every 0.06 s.
@pytest.mark.parametrize(("spacing_s", "supposed_s"), [(0.025, 0.0), (0.061, 0.061)])
def test_what_was_taken_for_slow_by_mistake_is_taken_back(spacing_s: float, supposed_s: float) -> None:
    refresh = Refresh()
    for register, at_s in ((0, 0.0), (100, 0.1), (100, 0.2), (400, 0.3)):
        refresh.take(Reading(register, False, T0_S + at_s))
    assert refresh.is_slow
    watched(motor(0.0), spacing_s, 1.0, refresh)
    assert not refresh.is_slow
    assert refresh.supposed_s == pytest.approx(supposed_s)
    assert refresh.blur_s == 0.0


@pytest.mark.parametrize("period_s", [0.2, 0.25, 0.4, 0.6])
@pytest.mark.parametrize("known", [True, False])
def test_a_standstill_is_not_told_before_the_register_is_that_of_now(period_s: float, known: bool) -> None:
    for shift in range(12):
        read = motor(period_s, 3.0 + shift * period_s / 12)
        refresh = watched(read, 0.045, 2.0) if known else Refresh()
        watch = HaltWatch(Tracker(Reading(0, True, T0_S), 100_000, SPEED), None, 0.1, refresh)
        at_s = T0_S + 2.5
        while not watch.take(reading := read(at_s)):
            refresh.take(reading)
            at_s += 0.025
            assert at_s < T0_S + 6.0
        assert reading.register == read(at_s + 10).register
        assert watch.lost(T0_S + 2.5) is None


def test_a_motor_that_nobody_told_to_run_takes_no_longer() -> None:
    watch = StandstillWatch(Refresh(), ran=False)
    assert not watch.take(Reading(5, True, T0_S))
    assert watch.take(Reading(5, True, T0_S + STANDSTILL_GAP_S + 0.001))


def test_a_motor_that_was_seen_running_takes_as_long_as_is_supposed() -> None:
    watch = StandstillWatch(Refresh(), ran=False)
    watch.take(Reading(5, False, T0_S))
    told = [at for at in range(1, 40) if watch.take(Reading(5, True, T0_S + at * 0.05))]
    assert told[0] == pytest.approx(1 + UNKNOWN_INTERVAL_S / 0.05, abs=1)


@pytest.mark.parametrize("period_s", [0.25, 0.4, 0.6])
@pytest.mark.parametrize("spacing_s", [0.025, 0.08])
def test_a_register_that_comes_late_is_no_leap(period_s: float, spacing_s: float) -> None:
    read, refresh = motor(period_s, 3.0), Refresh()
    tracker = Tracker(Reading(0, True, T0_S), 100_000, SPEED, 1.0, refresh=refresh)
    for number in range(int(4.5 / spacing_s)):
        reading = read(T0_S + number * spacing_s)
        refresh.take(reading)
        assert tracker.take(reading)
    assert tracker.leapt is None


def test_a_power_cut_is_a_leap_all_the_same() -> None:
    """The register stood no longer than it does, and came further than the motor."""
    read, refresh = motor(0.4), Refresh()
    tracker = Tracker(Reading(0, True, T0_S), 100_000, SPEED, 1.0, refresh=refresh)
    for number in range(40):
        reading = read(T0_S + number * 0.05)
        refresh.take(reading)
        tracker.take(reading)
    for number in range(40, 50):
        with_cut = Reading(50_000, True, T0_S + number * 0.05)
        refresh.take(with_cut)
        tracker.take(with_cut)
    assert tracker.leapt is not None


@pytest.mark.parametrize(("back_steps", "slow"), [(-22, False), (22, True)])
def test_a_drive_that_falls_back_at_the_switch_has_no_register_that_comes_late(
    back_steps: int, slow: bool
) -> None:
    refresh = watched(motor(0.0), 0.02, 0.02 * (CHANGING_READINGS + 4))
    end = motor(0.0)(T0_S + 0.3).register
    for number in range(4):
        refresh.take(Reading(end + number * back_steps, True, T0_S + 0.3 + 0.02 * number))
    assert refresh.is_slow == slow
