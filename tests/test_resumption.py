"""Whether a controller is as it was left: every register, judged without one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from rockit.focuser.ok3z.errors import PositionLostError
from rockit.focuser.ok3z.mechanics import Limits
from rockit.focuser.ok3z.resumption import require_known_position, taken_up_if_as_left
from rockit.focuser.ok3z.state_file import Entry
from rockit.focuser.ok3z.watch import PATH_MARGIN_STEPS

LIMITS = Limits.from_mm(6.0, 6.0, 0.5)
AT_REST = Entry("/dev/x", 5000, -1000, None, 2544, 6000, datetime(2026, 11, 22, tzinfo=timezone.utc))
OUTWARD = replace(AT_REST, way=(-1000, -9000, -6456))
INWARD = replace(AT_REST, register=-9000, way=(-9000, -6456), taken_up_steps=100)


def taken_up(entry: Entry, register: int, **changes: Any) -> int:
    return taken_up_if_as_left(entry, **{"register": register, "limits": LIMITS, "watched": True, **changes})


def refused(entry: Entry, register: int, **changes: Any) -> str:
    with pytest.raises(PositionLostError) as caught:
        taken_up(entry, register, **changes)
    return str(caught.value)


@pytest.mark.parametrize("watched", [True, False])
def test_at_rest_only_the_very_register_is_a_proof(watched: bool) -> None:
    assert taken_up(AT_REST, -1000, watched=watched) == 2544
    for register in (-1001, -999, 1000, 0):
        assert str(register) in refused(AT_REST, register, watched=watched)


@pytest.mark.parametrize("register", range(-PATH_MARGIN_STEPS, PATH_MARGIN_STEPS + 1, 8))
def test_near_the_register_of_a_power_cut_a_move_is_not_resumed(register: int) -> None:
    entry = replace(AT_REST, register=3000, way=(3000, -5000))
    assert "power cut" in refused(entry, register)


def test_at_rest_the_register_of_a_power_cut_proves_nothing() -> None:
    assert "proves nothing" in refused(replace(AT_REST, register=0), 0)
    assert taken_up(replace(AT_REST, register=1), 1) == 2544


@pytest.mark.parametrize("entry", [OUTWARD, INWARD])
def test_watched_the_register_must_lie_on_the_way(entry: Entry) -> None:
    assert entry.way is not None
    for inside in (*entry.way, -7000, min(entry.way) - PATH_MARGIN_STEPS):
        taken_up(entry, inside)
    for outside in (min(entry.way) - PATH_MARGIN_STEPS - 1, max(entry.way) + PATH_MARGIN_STEPS + 1):
        assert str(outside) in refused(entry, outside)


@pytest.mark.parametrize("entry", [OUTWARD, INWARD])
def test_unwatched_only_an_end_of_a_leg_is_a_proof(entry: Entry) -> None:
    assert entry.way is not None
    for end in entry.way:
        taken_up(entry, end, watched=False)
    why = refused(entry, -7000, watched=False)
    assert "reads -7000, which is none of them" in why
    assert "stopped on its way" in why, "a stop is the likeliest reason, before a power cut"


def test_on_the_way_the_backlash_is_known_only_where_it_ran_inward() -> None:
    assert taken_up(OUTWARD, -6456) == 0
    assert taken_up(INWARD, -8000) == 1100
    assert taken_up(INWARD, -6456) == 2544


def test_a_motion_of_unknown_way_is_not_resumed() -> None:
    assert refused(replace(AT_REST, way=()), -1000)
    assert refused(replace(AT_REST, way=()), -1000, watched=False)


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
    assert taken_up(AT_REST, -1000, limits=Limits.from_mm(6.0, 6.0, 0.1)) == 509
