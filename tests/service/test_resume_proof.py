"""Whether a controller is as it was left: every register, judged without one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Callable

import pytest

from rockit.focuser.ok3z.driver.planning import Limits
from rockit.focuser.ok3z.driver.registers import POSITION_TOLERANCE_STEPS
from rockit.focuser.ok3z.driver.whereabouts import Window
from rockit.focuser.ok3z.errors import PositionLostError
from rockit.focuser.ok3z.service.resume_proof import (
    HAND_NEEDS_S,
    HAND_TRAVEL_STEPS,
    require_known_position,
    taken_up_at_an_end,
    taken_up_at_rest,
    taken_up_on_the_way,
)
from rockit.focuser.ok3z.storage.state_file import Entry

LIMITS = Limits.from_mm(6.0, 6.0, 0.5)
AT_REST = Entry("/dev/x", 5000, -1000, None, 2544, 6000, datetime(2026, 11, 22, tzinfo=timezone.utc))
OUTWARD = replace(AT_REST, way=(-1000, -9000, -6456))
INWARD = replace(AT_REST, register=-9000, way=(-9000, -6456), taken_up_steps=100)
# Long enough for a hand.
LONG_S = HAND_NEEDS_S + 0.1
STRETCH = Window(-8000, -7000)
END = Window(-6456 - POSITION_TOLERANCE_STEPS, -6456 + POSITION_TOLERANCE_STEPS)


def refused(judge: Callable[[], int]) -> str:
    with pytest.raises(PositionLostError) as caught:
        judge()
    return str(caught.value)


# Left at rest


@pytest.mark.parametrize("halted", [True, False])
def test_at_rest_the_register_must_be_where_it_was_within_the_tolerance(halted: bool) -> None:
    for inside in (-1000, -1008, -992):
        assert taken_up_at_rest(AT_REST, inside, LIMITS, halted) == 2544
    for outside in (-1009, -991, 1000, 0):
        assert str(outside) in refused(lambda: taken_up_at_rest(AT_REST, outside, LIMITS, halted))  # noqa: B023


def test_at_rest_the_register_of_a_power_cut_proves_nothing() -> None:
    assert "proves nothing" in refused(
        lambda: taken_up_at_rest(replace(AT_REST, register=0), 0, LIMITS, False)
    )


def test_beside_the_register_of_a_power_cut_only_the_very_register_is_a_proof() -> None:
    """After a power cut it would stand just at 0, unless a halt has moved it by some steps."""
    beside = replace(AT_REST, register=-1)
    assert taken_up_at_rest(beside, -1, LIMITS, halted=False) == 2544
    assert "proves nothing" in refused(lambda: taken_up_at_rest(beside, -1, LIMITS, halted=True))
    assert "proves nothing" in refused(lambda: taken_up_at_rest(beside, 0, LIMITS, halted=False))


def test_where_it_was_found_after_an_earlier_power_cut_it_proves_nothing_either() -> None:
    known = replace(AT_REST, power_up_registers=(30000, -1000))
    assert "proves nothing" in refused(lambda: taken_up_at_rest(known, -1000, LIMITS, False))
    assert "proves nothing" in refused(lambda: taken_up_at_rest(known, -1003, LIMITS, False))


# Left in a move, and watched until the link went


def test_on_its_way_it_must_be_where_the_motor_can_have_come_to_stand() -> None:
    windows = (STRETCH, END)
    for inside in (-8000, -7500, -7000, -6456, -6448):
        taken_up_on_the_way(OUTWARD, inside, LIMITS, windows, LONG_S)
    why = refused(lambda: taken_up_on_the_way(OUTWARD, -3000, LIMITS, windows, LONG_S))
    assert "reads -3000" in why
    assert "between -8000 and -7000, or at -6456" in why
    assert "hand control" in why


def test_where_nobody_saw_it_nothing_is_believed() -> None:
    assert "where nobody saw it" in refused(lambda: taken_up_on_the_way(OUTWARD, -1000, LIMITS, (), LONG_S))


def test_a_stretch_that_a_hand_reaches_from_the_register_of_a_power_cut_proves_nothing() -> None:
    entry = replace(OUTWARD, way=(3000, -9000), power_up_registers=(-20000,))
    wide = (Window(-30000, 8000),)
    for register in (0, 500, -500, HAND_TRAVEL_STEPS, -HAND_TRAVEL_STEPS, -20000 + HAND_TRAVEL_STEPS):
        assert "power cut" in refused(lambda: taken_up_on_the_way(entry, register, LIMITS, wide, LONG_S))  # noqa: B023
    taken_up_on_the_way(entry, -HAND_TRAVEL_STEPS - 1, LIMITS, wide, LONG_S)


def test_a_gap_in_which_nobody_can_have_used_a_hand_control_is_believed_near_a_power_cut() -> None:
    entry, wide = replace(OUTWARD, way=(3000, -9000)), (Window(-2000, 2000),)
    taken_up_on_the_way(entry, 48, LIMITS, wide, HAND_NEEDS_S)
    within = POSITION_TOLERANCE_STEPS
    assert "power cut" in refused(lambda: taken_up_on_the_way(entry, within, LIMITS, wide, HAND_NEEDS_S))


def test_the_end_of_the_leg_is_one_place_and_no_stretch() -> None:
    end = (Window(500 - 8, 500 + 8),)
    taken_up_on_the_way(replace(OUTWARD, way=(3000, 500)), 500, LIMITS, end, LONG_S)
    assert "power cut" in refused(lambda: taken_up_on_the_way(OUTWARD, 4, LIMITS, (Window(-5, 11),), LONG_S))


# Left in a move by another process


@pytest.mark.parametrize("entry", [OUTWARD, INWARD])
def test_unwatched_only_an_end_of_a_leg_is_a_proof(entry: Entry) -> None:
    assert entry.way is not None
    for end in entry.way:
        taken_up_at_an_end(entry, end, LIMITS)
        taken_up_at_an_end(entry, end + POSITION_TOLERANCE_STEPS, LIMITS)
    why = refused(lambda: taken_up_at_an_end(entry, -7000, LIMITS))
    assert "reads -7000, which is none of them" in why
    assert "stopped on its way" in why, "a stop is the likeliest reason, before a power cut"


def test_a_motion_of_unknown_way_is_not_resumed() -> None:
    homing = replace(AT_REST, way=())
    assert refused(lambda: taken_up_at_an_end(homing, -1000, LIMITS))


# Either way


def test_on_the_way_the_backlash_is_known_only_where_it_ran_inward() -> None:
    wide = (Window(-9000, -6000),)
    assert taken_up_on_the_way(OUTWARD, -6456, LIMITS, wide, LONG_S) == 0
    assert taken_up_on_the_way(INWARD, -8000, LIMITS, wide, LONG_S) == 1100
    assert taken_up_at_an_end(INWARD, -6456, LIMITS) == 2544


def test_what_was_kept_must_be_of_this_port_and_of_a_known_position() -> None:
    assert require_known_position(AT_REST, "/dev/x") == 5000
    for entry, port in (
        (AT_REST, "/dev/y"),
        (replace(AT_REST, origin_register=None), "/dev/x"),
        (replace(AT_REST, register=None), "/dev/x"),
    ):
        with pytest.raises(PositionLostError):
            require_known_position(entry, port)


def test_less_backlash_than_was_taken_up_is_all_of_it() -> None:
    assert taken_up_at_rest(AT_REST, -1000, Limits.from_mm(6.0, 6.0, 0.1), False) == 509
