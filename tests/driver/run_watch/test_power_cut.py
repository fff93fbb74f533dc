"""A power cut: the register starts again from 0, or from wherever."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rockit.focuser.ok3z.driver.reading import Reading
from rockit.focuser.ok3z.driver.run_watch import Verdict
from rockit.focuser.ok3z.errors import PositionLostError

# Up to so far from a register it cannot be seen that the register was lost: the motor could have run there.
BLIND_STEPS = 500


@pytest.mark.parametrize("end", [-1000, 7000, 20000, -20000, 3000, -3000])
@pytest.mark.parametrize("length", [2544, 7632, -2544, -7632])
@pytest.mark.parametrize("gap_s", [0.0, 1.0])
def test_a_power_cut_in_a_leg_is_never_an_arrival(
    end: int, length: int, gap_s: float, make_run: Any, from_then_on: Any
) -> None:
    leg = make_run(end - length, end)
    for moment in range(leg.readings - 2):
        cut = from_then_on(moment, lambda reading: Reading(0, True, reading.at_s))
        with pytest.raises(PositionLostError):
            list(leg.follow(_with_gap(cut, moment, gap_s)))


@pytest.mark.parametrize("length", [2544, 7632, 30000, -2544, -7632, -30000])
@pytest.mark.parametrize("gap_s", [0.0, 0.3, 1.0])
def test_a_power_cut_does_not_arrive_at_a_target_that_happens_to_be_its_register(
    length: int, gap_s: float, make_run: Any, from_then_on: Any
) -> None:
    leg = make_run(-length, 0)
    for moment, (reading, _) in enumerate(list(leg.follow())):
        if abs(reading.register) <= BLIND_STEPS:
            break
        cut = from_then_on(moment, lambda reading: Reading(0, True, reading.at_s))
        with pytest.raises(PositionLostError, match="power"):
            list(leg.follow(_with_gap(cut, moment, gap_s)))


@pytest.mark.parametrize("length", [2544, 7632, -2544, -7632])
def test_a_power_cut_that_was_silent_does_not_arrive_however_near(
    length: int, make_run: Any, from_then_on: Any
) -> None:
    leg = make_run(-length, 0)
    for moment, (reading, _) in enumerate(list(leg.follow())):
        if reading.register == 0:
            break
        cut = from_then_on(moment, lambda reading: Reading(0, True, reading.at_s))
        with pytest.raises(PositionLostError, match="power"):
            list(leg.follow(_with_gap(cut, moment, 0.3)))


@pytest.mark.parametrize("start", [0, 10000, -3000, -6000, -20000, -45000])
@pytest.mark.parametrize("gap_s", [0.0, 1.0])
def test_a_power_cut_while_homing_is_no_end_that_anybody_saw(
    start: int, gap_s: float, make_run: Any, from_then_on: Any
) -> None:
    run = make_run(start, start + 7632, homing=True)
    for moment, (reading, _) in enumerate(list(run.follow())[:-4]):
        if abs(reading.register) <= BLIND_STEPS and not gap_s:
            continue
        cut = from_then_on(moment, lambda reading: Reading(0, True, reading.at_s))
        watch = run.watch()
        try:
            *_, (_, verdict) = run.follow(_with_gap(cut, moment, gap_s), watch)
        except PositionLostError:
            continue
        # Where the motor had not left a register of 0, it is simply told again to run.
        assert watch.tracker.came_unseen or verdict is Verdict.NOT_STARTED, moment


@pytest.mark.parametrize("leg", ["inward", "outward"], indirect=True)
@pytest.mark.parametrize("register", [2**31, -(2**31), 100_000])
def test_a_register_that_starts_again_from_anywhere_is_a_fact_after_three_readings(
    leg: Any, register: int, from_then_on: Any
) -> None:
    moment = leg.readings // 2
    cut = from_then_on(moment, lambda reading: Reading(register, True, reading.at_s))
    verdicts: list[Verdict] = []
    with pytest.raises(PositionLostError, match=f"left its path: {register} was read after"):
        verdicts.extend(verdict for _, verdict in leg.follow(cut))
    assert verdicts[moment:] == [Verdict.LOOK_AGAIN] * 2


def test_a_jump_along_the_path_is_believed_when_three_readings_agree_and_marked(
    make_run: Any, t0_s: float
) -> None:
    tracker = make_run(0, 30000).tracker()
    assert not tracker.take(Reading(20000, True, t0_s + 0.02))
    assert tracker.last.register == 0
    assert not tracker.take(Reading(20000, True, t0_s + 0.04))
    assert tracker.last.register == 0
    assert tracker.take(Reading(20000, True, t0_s + 0.05))
    assert (tracker.last.register, tracker.leapt, tracker.came_unseen) == (20000, (0, 20000), True)
    assert tracker.take(Reading(20000, True, t0_s + 0.06))
    assert tracker.came_unseen
    assert tracker.take(Reading(20050, False, t0_s + 0.08))
    assert not tracker.came_unseen


@pytest.mark.parametrize("run", ["inward", "outward"], indirect=True)
@pytest.mark.parametrize("back", [20, 40, 90])
def test_a_register_that_falls_back_a_little_and_stays_did_not_come_there_by_itself(
    run: Any, back: int, from_then_on: Any
) -> None:
    """Either the last reading was garbled, or the register begins anew there: nobody can tell."""
    moment = run.readings // 2
    passed = list(run.follow())[moment - 1][0].register
    fallen = passed - back if run.end > run.start else passed + back
    spoil = from_then_on(moment, lambda reading: Reading(fallen, True, reading.at_s))
    watch = run.watch()
    try:
        list(run.follow(spoil, watch))
    except PositionLostError:
        return
    assert watch.tracker.came_unseen


def test_what_came_while_nothing_was_heard_came_unseen(make_run: Any, t0_s: float) -> None:
    tracker = make_run(0, 30000).tracker()
    assert tracker.take(Reading(100, False, t0_s + 0.1))
    assert not tracker.came_unseen
    assert tracker.take(Reading(900, True, t0_s + 0.5))
    assert tracker.came_unseen
    assert tracker.take(Reading(900, True, t0_s + 0.6))
    assert tracker.came_unseen
    assert tracker.take(Reading(901, False, t0_s + 0.7))
    assert not tracker.came_unseen


def _with_gap(spoil: Any, moment: int, gap_s: float) -> Any:
    """Nothing is heard for `gap_s` before the reading at that moment."""
    return lambda at, reading: spoil(
        at, replace(reading, at_s=reading.at_s + gap_s) if at == moment else reading
    )
