"""Standstill: two readings prove it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z.driver.reading import Reading
from rockit.focuser.ok3z.driver.refresh import STANDSTILL_GAP_S
from rockit.focuser.ok3z.driver.registers import is_at
from rockit.focuser.ok3z.driver.run_watch import StandstillWatch

T0_S = 1000.0
EXCHANGES_S = 0.02


def test_standstill_takes_two_readings_at_one_register_and_some_time_apart() -> None:
    watch = StandstillWatch()
    assert not watch.take(Reading(5, True, T0_S))
    assert not watch.take(Reading(5, True, T0_S + STANDSTILL_GAP_S - 0.001))
    assert watch.take(Reading(5, True, T0_S + STANDSTILL_GAP_S + 0.001))


@pytest.mark.parametrize("between", [Reading(5, False, T0_S + 0.1), Reading(50, True, T0_S + 0.1)])
def test_standstill_begins_anew_after_whatever_contradicts_it(between: Reading) -> None:
    watch = StandstillWatch()
    assert not watch.take(Reading(5, True, T0_S))
    assert not watch.take(between)
    assert not watch.take(Reading(5, True, T0_S + 0.2))
    assert watch.take(Reading(5, True, T0_S + 0.2 + STANDSTILL_GAP_S + 0.001))


@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 2, 100]), st.booleans(), st.floats(0.001, 0.2)), max_size=40)
)
def test_standstill_is_told_only_where_two_readings_prove_it(steps: list[tuple[int, bool, float]]) -> None:
    watch, taken, now_s = StandstillWatch(), [], T0_S
    for register, stands_still, later_s in steps:
        now_s += later_s
        taken.append(Reading(register, stands_still, now_s))
        proven = False
        for earlier in reversed(taken):
            if not earlier.stands_still or not is_at(earlier.register, register):
                break
            proven = proven or (earlier.register == register and now_s - earlier.at_s >= STANDSTILL_GAP_S)
        assert watch.take(taken[-1]) == proven


@pytest.mark.parametrize("flipped_at", range(6))
def test_one_flipped_bit_delays_standstill_and_no_more(flipped_at: int, flips_of: Any) -> None:
    for register in flips_of(1234):
        watch = StandstillWatch()
        readings = [Reading(1234, True, T0_S + number * 0.03) for number in range(10)]
        readings[flipped_at] = replace(readings[flipped_at], register=register)
        told = [reading.register for reading in readings if watch.take(reading)]
        assert told
        assert set(told) == {1234}


def test_a_motor_that_creeps_does_not_stand() -> None:
    """The slowest speed that the register can hold, with a state that says standstill all the time."""
    watch = StandstillWatch()
    for number in range(200):
        at_s = number * EXCHANGES_S
        assert not watch.take(Reading(int(61 * at_s), True, T0_S + at_s))
