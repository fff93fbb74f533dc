"""Millimetres and steps, and the legs of a move: what must hold for every limit, start and target."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z.driver.planning import (
    Drive,
    Leg,
    Limits,
    Plan,
    mm_from_steps,
    plan_move,
    steps_from_mm,
    taken_up_after,
)
from rockit.focuser.ok3z.driver.registers import STEPS_PER_MM, TRAVEL_MM

# The site of ngts_m06.json: 6 mm of range, no travel beyond it, 0.5 mm of backlash.
SITE = Limits.from_mm(6.0, 6.0, 0.5)
# The same with the whole travel of the mechanics for overshoots.
ROOMY = Limits.from_mm(6.0, 9.0, 0.5)
BACKLASH = 2544


def at(position_mm: float) -> int:
    return steps_from_mm(position_mm)


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    range_steps = draw(st.integers(1, 9 * STEPS_PER_MM))
    travel_steps = draw(st.just(range_steps) | st.integers(range_steps, 9 * STEPS_PER_MM))
    return Limits(
        mm_from_steps(range_steps),
        range_steps,
        travel_steps,
        draw(st.integers(0, travel_steps - 1) | st.integers(0, 3)),
    )


@st.composite
def situations(draw: st.DrawFn) -> tuple[Limits, int, int, int]:
    """Limits; where the focuser stands, and how much is taken up there; where it shall stand."""
    where = draw(limits())
    start = draw(st.integers(0, where.travel_steps))
    near = st.integers(
        max(0, start - where.backlash_steps), min(where.range_steps, start + where.backlash_steps)
    )
    far = st.integers(0, where.range_steps)
    target = draw(far | near if start - where.backlash_steps <= where.range_steps else far)
    return where, start, draw(st.integers(0, where.backlash_steps)), target


def runs(start_steps: int, plan: Plan) -> list[int]:
    ends = [start_steps, *(leg.target_steps for leg in plan.legs)]
    return [end - begin for begin, end in zip(ends, ends[1:])]


# The legs of a move


@given(situations())
def test_a_move_ends_at_its_target_and_no_leg_leaves_the_travel(
    situation: tuple[Limits, int, int, int],
) -> None:
    where, start, taken_up, target = situation
    plan = plan_move(start, taken_up, target, where)
    assert plan.target_steps == target
    assert (plan.legs[-1].target_steps if plan.legs else start) == target
    assert all(0 <= leg.target_steps <= where.travel_steps for leg in plan.legs)
    assert all(runs(start, plan)), "a leg that runs nowhere"


@given(situations())
def test_the_last_approach_is_inward_and_takes_up_the_backlash(
    situation: tuple[Limits, int, int, int],
) -> None:
    where, start, taken_up, target = situation
    plan = plan_move(start, taken_up, target, where)
    for step_from, leg in zip([start, *(leg.target_steps for leg in plan.legs)], plan.legs):
        taken_up = taken_up_after(taken_up, step_from, leg.target_steps, where)
    assert plan.shortfall_steps == where.backlash_steps - taken_up
    if plan.shortfall_steps:
        assert target + where.backlash_steps > where.travel_steps, "a shortfall although there was room"


@given(situations())
def test_a_shortfall_is_the_smallest_that_the_outer_limit_leaves(
    situation: tuple[Limits, int, int, int],
) -> None:
    where, start, taken_up, target = situation
    plan = plan_move(start, taken_up, target, where)
    straight = taken_up + start - target if target <= start else 0
    by_turning = where.travel_steps - target
    assert plan.shortfall_steps == max(0, where.backlash_steps - max(straight, by_turning))


@given(situations())
def test_an_overshoot_is_run_only_where_it_is_needed_and_no_further(
    situation: tuple[Limits, int, int, int],
) -> None:
    where, start, taken_up, target = situation
    plan = plan_move(start, taken_up, target, where)
    if len(plan.legs) < 2:
        assert not any(leg.overshoot for leg in plan.legs)
        return
    overshoot, approach = plan.legs
    assert overshoot.overshoot
    assert not approach.overshoot
    assert overshoot.target_steps > start
    assert target < overshoot.target_steps <= target + where.backlash_steps
    straight = taken_up + start - target if target <= start else 0
    assert straight < where.backlash_steps


@dataclass
class Gap:
    """The gap between motor and carriage: 0 where the motor pulls outward, its width where it pushes inward."""

    width_steps: int
    closed_steps: int

    def run(self, outward_steps: int) -> None:
        self.closed_steps = min(self.width_steps, max(0, self.closed_steps - outward_steps))


@given(
    limits(),
    st.floats(0, 1),
    st.floats(0, 1),
    st.lists(st.tuples(st.floats(0, 1), st.none() | st.floats(0, 1)), min_size=1, max_size=12),
)
def test_the_books_on_the_backlash_never_say_more_than_is_true(
    where: Limits, gap_share: float, start_share: float, moves: list[tuple[float, float | None]]
) -> None:
    """Moves one after the other, some of them stopped part of the way: the carriage must be pushed wherever
    a plan says so, for every gap that the configured backlash covers."""
    gap = Gap(round(gap_share * where.backlash_steps), 0)
    here, taken_up = round(start_share * where.range_steps), 0
    for target_share, stopped_at_share in moves:
        plan = plan_move(here, taken_up, round(target_share * where.range_steps), where)
        for number, leg in enumerate(plan.legs):
            end = leg.target_steps
            stopped = stopped_at_share is not None and number == 0
            if stopped_at_share is not None and stopped:
                end = here + round((end - here) * stopped_at_share)
            gap.run(end - here)
            taken_up = taken_up_after(taken_up, here, end, where)
            here = end
            assert min(taken_up, gap.width_steps) <= gap.closed_steps
            if stopped:
                break
        else:
            assert gap.closed_steps >= gap.width_steps - plan.shortfall_steps


def test_an_outward_move_overshoots_and_comes_back_by_the_backlash() -> None:
    plan = plan_move(at(1), BACKLASH, at(2), SITE)
    assert plan == Plan(at(2), (Leg(at(2) + BACKLASH, overshoot=True), Leg(at(2))), 0)


def test_an_inward_move_with_the_backlash_taken_up_is_one_leg() -> None:
    for length_mm in (0.0002, 0.05, 1.0, 2.0):
        target = at(2) - at(length_mm)
        assert plan_move(at(2), BACKLASH, target, SITE) == Plan(target, (Leg(target),), 0)


def test_an_inward_move_longer_than_the_backlash_is_one_leg_whatever_came_before() -> None:
    assert plan_move(at(2), 0, at(1.5), SITE) == Plan(at(1.5), (Leg(at(1.5)),), 0)
    assert len(plan_move(at(2), 0, at(1.5) + 1, SITE).legs) == 2


def test_a_small_inward_move_after_an_outward_stop_takes_up_the_backlash_first() -> None:
    plan = plan_move(at(2), 0, at(1.95), SITE)
    assert plan == Plan(at(1.95), (Leg(at(1.95) + BACKLASH, overshoot=True), Leg(at(1.95))), 0)


def test_inward_travel_already_made_counts() -> None:
    assert plan_move(at(2), BACKLASH - 100, at(2) - 100, SITE) == Plan(at(2) - 100, (Leg(at(2) - 100),), 0)
    assert len(plan_move(at(2), BACKLASH - 101, at(2) - 100, SITE).legs) == 2


def test_a_zero_length_move_moves_nothing_with_the_backlash_taken_up_and_takes_it_up_without() -> None:
    assert plan_move(at(2), BACKLASH, at(2), SITE) == Plan(at(2), (), 0)
    assert plan_move(at(2), 0, at(2), SITE) == Plan(
        at(2), (Leg(at(2) + BACKLASH, overshoot=True), Leg(at(2))), 0
    )


def test_near_the_outer_limit_the_overshoot_is_shortened_and_the_shortfall_reported() -> None:
    target = at(6) - 1000
    assert plan_move(at(1), BACKLASH, target, SITE) == Plan(
        target, (Leg(at(6), overshoot=True), Leg(target)), BACKLASH - 1000
    )
    assert plan_move(at(1), BACKLASH, at(6), SITE) == Plan(at(6), (Leg(at(6)),), BACKLASH)


def test_a_move_that_can_take_up_no_more_runs_no_leg_in_vain() -> None:
    assert plan_move(at(6), 0, at(6), SITE) == Plan(at(6), (), BACKLASH)
    # Here the last approach began at the outer limit, and no other could do better.
    assert plan_move(at(6) - 1000, 1000, at(6) - 1000, SITE) == Plan(at(6) - 1000, (), BACKLASH - 1000)


def test_a_larger_travel_leaves_room_for_the_whole_overshoot() -> None:
    assert plan_move(at(1), BACKLASH, at(6), ROOMY) == Plan(
        at(6), (Leg(at(6) + BACKLASH, overshoot=True), Leg(at(6))), 0
    )


def test_without_backlash_every_move_is_one_leg() -> None:
    no_backlash = Limits.from_mm(6.0, 6.0, 0.0)
    assert plan_move(at(1), 0, at(2), no_backlash) == Plan(at(2), (Leg(at(2)),), 0)
    assert plan_move(at(2), 0, at(1), no_backlash) == Plan(at(1), (Leg(at(1)),), 0)
    assert plan_move(at(1), 0, at(1), no_backlash) == Plan(at(1), (), 0)


@given(situations())
def test_what_is_taken_up_grows_inward_is_lost_outward_and_is_bounded(
    situation: tuple[Limits, int, int, int],
) -> None:
    where, start, taken_up, end = situation
    after = taken_up_after(taken_up, start, end, where)
    if end > start:
        assert after == 0
    else:
        assert after == min(where.backlash_steps, taken_up + start - end)


# Measures


def test_the_limits_of_the_site() -> None:
    assert (SITE.range_steps, SITE.travel_steps, SITE.backlash_steps) == (30528, 30528, 2544)
    assert (ROOMY.range_steps, ROOMY.travel_steps, ROOMY.backlash_steps) == (30528, 45792, 2544)


@given(st.floats(0.001, TRAVEL_MM), st.floats(0.001, TRAVEL_MM), st.floats(0, 1))
def test_no_step_lies_outside_the_range_and_none_is_lost(
    range_mm: float, travel_mm: float, backlash_mm: float
) -> None:
    where = Limits.from_mm(range_mm, travel_mm, backlash_mm)
    for steps, length_mm in ((where.range_steps, range_mm), (where.travel_steps, travel_mm)):
        assert mm_from_steps(steps) <= length_mm + 1e-9
        assert mm_from_steps(steps + 1) > length_mm
    assert abs(where.backlash_steps - backlash_mm * STEPS_PER_MM) <= 0.5


@given(st.integers(-(10**6), 10**6))
def test_steps_survive_the_way_to_millimetres_and_back(steps: int) -> None:
    assert steps_from_mm(mm_from_steps(steps)) == steps


def test_the_drive_of_the_site() -> None:
    drive = Drive.from_mm(0.5, 5)
    assert (drive.speed_register, drive.acceleration_register) == (41, 437)
    assert drive.speed_mm_sec == pytest.approx(0.491832, abs=1e-6)
    assert drive.acceleration_mm_sec_sec == pytest.approx(4.999361, abs=1e-6)


def test_a_drive_that_the_registers_cannot_hold_is_refused() -> None:
    for speed, acceleration in (
        (0.0, 5.0),
        (13.0, 5.0),
        (0.5, 0.0),
        (0.5, 50.0),
        (math.nan, 5.0),
        (0.5, math.inf),
    ):
        with pytest.raises(ValueError, match="does not fit its register"):
            Drive.from_mm(speed, acceleration)


def test_a_run_takes_as_long_outward_as_inward_at_the_real_speed() -> None:
    drive = Drive.from_mm(0.5, 5)
    expected_s = 2.5 / 0.491832 + 0.491832 / 4.999361
    assert drive.duration_s(at(2.5)) == drive.duration_s(-at(2.5)) == pytest.approx(expected_s, rel=1e-5)
    assert drive.duration_s(0) == 0


@pytest.mark.parametrize("length_mm", [0.001, 0.01, 0.05, 0.5, 3.0])
def test_the_rest_of_a_run_takes_what_is_left_of_it(length_mm: float) -> None:
    """Half a run from rest takes as long to run out as it took to get there."""
    drive = Drive.from_mm(0.5, 5.0)
    whole_steps = 2 * steps_from_mm(length_mm)
    assert drive.run_out_s(whole_steps // 2) <= drive.duration_s(whole_steps) / 2 + 1e-9
    top_speed_reached = whole_steps > 2 * steps_from_mm(0.5**2 / 5)
    if top_speed_reached:
        assert drive.run_out_s(whole_steps // 2) == pytest.approx(drive.duration_s(whole_steps) / 2)
    assert drive.run_out_s(0) == 0
    assert drive.run_out_s(-100) == drive.run_out_s(100) > 0
