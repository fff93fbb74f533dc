"""What goes really wrong in a run, and what is an arrival."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rockit.focuser.ok3z.driver.planning import steps_from_mm
from rockit.focuser.ok3z.driver.reading import Reading
from rockit.focuser.ok3z.driver.refresh import STANDSTILL_GAP_S
from rockit.focuser.ok3z.driver.registers import POSITION_TOLERANCE_STEPS
from rockit.focuser.ok3z.driver.run_watch import (
    HOMING_REACH_MM,
    STALL_S,
    START_GRACE_S,
    Allowance,
    LegWatch,
    Verdict,
)
from rockit.focuser.ok3z.driver.tracking import Tracker
from rockit.focuser.ok3z.errors import (
    HomingFailedError,
    MoveTimeoutError,
    NoProgressError,
    PositionLostError,
    StalledError,
)

WRONG_WAY = r"wrong way|left its path"


def test_an_early_arrival_takes_two_readings_in_a_row_at_the_target_and_at_rest(
    make_run: Any, t0_s: float
) -> None:
    run = make_run(0, 100)
    watch = LegWatch(run.tracker(), run.rate(), 100, Allowance(10), duration_s=5.0)

    def take(register: int, stands_still: bool, at_s: float) -> Verdict:
        return watch.take(Reading(register, stands_still, t0_s + at_s))

    assert take(100, True, 0.3) is Verdict.LOOK_AGAIN
    assert take(100, False, 0.35) is Verdict.GOING
    assert take(100, True, 0.4) is Verdict.LOOK_AGAIN
    assert take(80, True, 0.45) is Verdict.GOING
    assert take(100, True, 0.5) is Verdict.LOOK_AGAIN
    assert take(100, True, 0.55) is Verdict.ARRIVED


def test_the_target_is_no_arrival_while_the_motor_runs(make_run: Any, t0_s: float) -> None:
    watch = make_run(0, 100).watch()
    for number in range(1, 20):
        assert watch.take(Reading(100, False, t0_s + 0.3 + number * 0.05)) is Verdict.GOING


@pytest.mark.parametrize("leg", ["inward", "outward", "approach", "negative", "short"], indirect=True)
@pytest.mark.parametrize("beside", [1, -1, 8, -8, 9, -9])
def test_some_steps_beside_the_target_are_an_arrival_once_standstill_is_proven(leg: Any, beside: int) -> None:
    """Some controllers round their registers, or stop beside the target."""
    spoil = lambda _, reading: (  # noqa: E731
        replace(reading, register=leg.end + beside) if reading.register == leg.end else reading
    )
    if abs(beside) > POSITION_TOLERANCE_STEPS:
        assert not leg.outcome(spoil).startswith("ARRIVED")
        return
    assert leg.outcome(spoil) == f"ARRIVED at {leg.end + beside}"
    there = [reading.at_s for reading, _ in leg.follow(spoil) if reading.register == leg.end + beside]
    assert there[-1] - there[0] >= STANDSTILL_GAP_S


def test_a_motor_that_never_starts_is_told_after_the_grace_and_again_after_a_repetition(
    make_run: Any, t0_s: float
) -> None:
    for run in (make_run(0, 5000), make_run(5000, 0), make_run(0, 5000, homing=True)):
        watch = run.watch()
        dead = lambda _, reading, run=run: replace(  # noqa: E731
            reading, register=run.start, stands_still=True
        )
        readings = list(run.follow(dead, watch))
        assert readings[-1][1] is Verdict.NOT_STARTED
        told_at_s = readings[-1][0].at_s
        assert START_GRACE_S < told_at_s - t0_s < START_GRACE_S + 0.2

        watch.restarted(told_at_s)
        assert watch.take(Reading(run.start, True, told_at_s + START_GRACE_S - 0.001)) is Verdict.GOING
        assert watch.take(Reading(run.start, True, told_at_s + START_GRACE_S + 0.001)) is Verdict.NOT_STARTED


@pytest.mark.parametrize("run", ["inward", "homing"], indirect=True)
def test_a_motor_that_is_found_at_rest_after_a_long_silence_has_not_started(run: Any, t0_s: float) -> None:
    assert run.watch().take(Reading(run.start, True, t0_s + STALL_S + 1)) is Verdict.NOT_STARTED


def test_a_motor_that_starts_after_a_repetition_is_followed_to_its_end(make_run: Any, t0_s: float) -> None:
    run = make_run(0, 5000, obeys_after_s=0.7)
    watch = run.watch()
    list(run.follow(watch=watch))
    watch.restarted(t0_s + 0.65)
    ended = [watch.take(run.read(t0_s + at_s)) for at_s in (0.75, 0.85, 1.0, 1.5, 2.0, 2.5, 2.9, 3.0)]
    assert ended[-2:] == [Verdict.LOOK_AGAIN, Verdict.ARRIVED]


def test_a_motor_that_is_said_to_run_and_does_not_is_no_progress(run: Any) -> None:
    dead = lambda _, reading: Reading(run.start, False, reading.at_s)  # noqa: E731
    with pytest.raises(NoProgressError, match=f"has stood at {run.start} for {STALL_S:g} s"):
        list(run.follow(dead))


@pytest.mark.parametrize("run", ["inward", "outward", "homing"], indirect=True)
def test_a_motor_that_stalls_half_way_is_no_progress(run: Any, from_then_on: Any) -> None:
    moment = run.readings // 2
    stuck = list(run.follow())[moment][0].register
    spoil = from_then_on(moment, lambda reading: Reading(stuck, False, reading.at_s))
    with pytest.raises(NoProgressError, match=f"has stood at {stuck}"):
        list(run.follow(spoil))


@pytest.mark.parametrize("leg", ["inward", "outward"], indirect=True)
def test_a_motor_that_was_seen_coming_to_stand_short_of_its_target_has_stalled(
    leg: Any, from_then_on: Any
) -> None:
    moment = leg.readings // 2
    stuck = list(leg.follow())[moment][0].register
    spoil = from_then_on(moment, lambda reading: Reading(stuck, True, reading.at_s))
    missing = f"{abs(leg.end - stuck) / 5088:.3f} mm short of its target"
    with pytest.raises(StalledError, match=f"{missing}.*register {stuck}.*expected {leg.end}"):
        list(leg.follow(spoil))


@pytest.mark.parametrize("leg", ["inward", "outward"], indirect=True)
@pytest.mark.parametrize("beside", [0, POSITION_TOLERANCE_STEPS])
def test_one_that_stands_short_where_a_power_cut_begins_has_lost_its_position(
    leg: Any, from_then_on: Any, beside: int
) -> None:
    moment = leg.readings // 2
    stuck = list(leg.follow())[moment][0].register
    spoil = from_then_on(moment, lambda reading: Reading(stuck, True, reading.at_s))
    tracker = Tracker(leg.tracker().last, leg.end, 2502, 1.0, power_ups=(stuck + beside,))
    watch = LegWatch(tracker, leg.rate(), leg.end, Allowance(60), leg.duration_s)
    with pytest.raises(PositionLostError, match="nobody saw it come there"):
        list(leg.follow(spoil, watch))


@pytest.mark.parametrize("leg", ["inward", "outward"], indirect=True)
def test_one_that_nobody_saw_come_where_it_stands_short_has_lost_its_position(leg: Any, t0_s: float) -> None:
    watch = leg.watch()
    for at_s in (0.1, 0.15, 0.2, 0.25):
        watch.take(leg.read(t0_s + at_s))
    middle = (leg.start + leg.end) // 2
    standing = [Reading(middle, True, t0_s + 6.0 + number * 0.05) for number in range(80)]
    with pytest.raises(PositionLostError, match="nobody saw it come there"):
        list(map(watch.take, standing))


def test_a_motor_that_runs_the_wrong_way_loses_its_position(leg: Any) -> None:
    if abs(leg.end - leg.start) < 100:
        leg = replace(leg, end=leg.start + 100 * (1 if leg.end > leg.start else -1))
    mirrored = lambda _, reading: replace(reading, register=2 * leg.start - reading.register)  # noqa: E731
    taken: list[Reading] = []
    with pytest.raises(PositionLostError, match=WRONG_WAY):
        taken.extend(reading for reading, _ in leg.follow(mirrored))
    assert sum(reading.register != leg.start for reading in taken) < 8


@pytest.mark.parametrize("run", ["inward", "outward", "homing"], indirect=True)
def test_a_motor_that_turns_round_half_way_loses_its_position(run: Any, from_then_on: Any) -> None:
    moment = run.readings // 2
    turned = list(run.follow())[moment][0].register
    spoil = from_then_on(moment, lambda reading: replace(reading, register=2 * turned - reading.register))
    taken: list[Reading] = []
    with pytest.raises(PositionLostError, match=WRONG_WAY):
        taken.extend(reading for reading, _ in run.follow(spoil))
    assert len(taken) < moment + 8


@pytest.mark.parametrize("leg", ["inward", "outward"], indirect=True)
def test_a_motor_that_runs_past_its_target_loses_its_position(leg: Any) -> None:
    beyond = replace(leg, end=leg.end + (leg.end - leg.start))
    with pytest.raises(PositionLostError, match="left its path"):
        list(beyond.follow(watch=leg.watch()))


def test_a_motion_has_until_its_deadline(make_run: Any, t0_s: float) -> None:
    for run in (make_run(0, 5000), make_run(0, 5000, homing=True)):
        watch = run.watch()
        watch.rate = run.rate(ratio=None)
        deadline_s = t0_s + (80 if run.homing else 2 * run.duration_s + 10)
        crawl = 0
        at_s = t0_s
        while at_s + 0.1 <= deadline_s:
            at_s, crawl = at_s + 0.1, crawl + 1
            assert watch.take(Reading(crawl, False, at_s)) is Verdict.GOING
        with pytest.raises(MoveTimeoutError, match=f"did not end in time: the register is {crawl}"):
            watch.take(Reading(crawl, False, deadline_s + 0.001))


def test_a_homing_run_that_meets_no_switch_fails(make_run: Any) -> None:
    run = make_run(500, 500 + steps_from_mm(HOMING_REACH_MM + 1), homing=True)
    taken: list[Reading] = []
    with pytest.raises(HomingFailedError, match="met no limit switch; the whole travel is 9 mm"):
        taken.extend(reading for reading, _ in run.follow())
    assert steps_from_mm(9.0) < taken[-1].register - run.start <= steps_from_mm(HOMING_REACH_MM + 0.1)


def test_a_homing_run_over_the_whole_travel_is_in_order(make_run: Any) -> None:
    run = make_run(-20000, -20000 + steps_from_mm(9.0), homing=True)
    assert run.outcome() == f"ARRIVED at {run.end}"
