"""What is published while the focuser is homed, and of how fast it was then seen to run."""

from __future__ import annotations

import logging
from datetime import datetime, timezone

import pytest

from rockit.focuser.ok3z.cli.progress import MotionEstimate
from rockit.focuser.ok3z.servers.pyro import report
from rockit.focuser.ok3z.service.status import State

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)


def homed_and_seen(rig):
    """The moment of each report of a homing, and the report."""
    seen = []

    def look(number):
        if rig.commands.snapshot.state is State.HOMING:
            seen.append((rig.clock.monotonic(), report(rig.commands.snapshot, 0.0, NOW)))

    rig.at_exchange = look
    rig.home()
    return seen


@pytest.mark.parametrize("start_mm", [0.0, 0.05, 3.0, 9.0])
def test_the_second_approach_is_no_new_homing(make_rig, start_mm):
    seen = homed_and_seen(make_rig(start_mm=start_mm))
    left_s = [answer["time_left_s"] for _, answer in seen if "time_left_s" in answer]
    # It falls all the time, and at once where the switch is met before the end of the travel.
    assert left_s == sorted(left_s, reverse=True)
    assert left_s[-1] == 0.0
    estimate, fractions = MotionEstimate(), []
    for now_s, answer in seen:
        estimate.update(answer, now_s)
        fractions.append(estimate.fraction or 0.0)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_from_the_outer_end_it_was_foretold_when_it_would_end(make_rig):
    rig = make_rig(start_mm=9.0)
    ends_s = {
        round(now_s + answer["time_left_s"], 1)
        for now_s, answer in homed_and_seen(rig)
        if "time_left_s" in answer
    }
    # Settings that are sent, and standstill that is proven, take a tenth of a second each time.
    assert rig.clock.monotonic() - 1.5 < min(ends_s) <= max(ends_s) < rig.clock.monotonic() + 0.5


def test_the_travel_counts_from_the_beginning_of_each_approach_and_not_while_the_switch_is_left(make_rig):
    seen = homed_and_seen(make_rig(start_mm=2.0, backlash_mm=0.0))
    runs = [[]]
    for _, answer in seen:
        if "homing_travelled_mm" in answer:
            runs[-1].append(answer["homing_travelled_mm"])
        elif runs[-1]:
            assert answer["speed_mm_sec"] >= 0.0
            runs.append([])
    approaches = [run for run in runs if run]
    assert approaches == [sorted(run) for run in approaches]
    assert [run[-1] for run in approaches] == pytest.approx([2.0, 0.75], abs=0.001)


@pytest.mark.parametrize("time_scale", [0.5, 1.0, 2.0])
def test_a_motor_that_runs_otherwise_than_computed_is_told_of_in_status_and_log(make_rig, time_scale, caplog):
    caplog.set_level(logging.INFO, "rockit.focuser.ok3z.service.memory")
    rig = make_rig(start_mm=2.0, time_scale=time_scale, told=False)
    assert report(rig.commands.snapshot, None, NOW).keys().isdisjoint({"rate_ratio", "homing_rate_ratio"})
    rig.home()
    rig.assert_stands_at(0.0)
    answer = report(rig.commands.snapshot, 0.0, NOW)
    told = [one.getMessage() for one in caplog.records if one.name.endswith(".memory")]
    if time_scale == 1.0:
        assert answer.keys().isdisjoint({"rate_ratio", "homing_rate_ratio"})
        assert told == []
        return
    assert answer["rate_ratio"] == pytest.approx(time_scale, rel=0.03)
    assert answer["homing_rate_ratio"] == pytest.approx(time_scale, rel=0.03)
    assert len(told) == 1
    assert told[0].startswith("the motor makes homing runs at ")
    # After a restart the status still says so, and another controller is not taken for this one.
    rig.restart()
    rig.rest(1.0)
    assert report(rig.commands.snapshot, None, NOW)["rate_ratio"] == answer["rate_ratio"]
    rig.model.fault("lost", to="S051", count=1000)
    rig.carry_out(lambda: rig.commands.initialize(new_controller=True))
    assert "rate_ratio" not in report(rig.commands.snapshot, None, NOW)
