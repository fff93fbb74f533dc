"""Homing as machine tools do it: to the limit switch, off it, and to it once more, whatever the switch is like."""

from __future__ import annotations

import pytest

from rockit.focuser.ok3z.errors import HomingFailedError, NoProgressError, NoSwitchError
from rockit.focuser.ok3z.service.status import State


def runs(rig):
    """The motion commands that were sent, by their code."""
    return [frame[1:5] for frame in rig.sent() if frame[1:5] in ("P103", "P092")]


def settings_between_runs(rig):
    """How often the motor was released before each of the motion commands."""
    counts, count = [], 0
    for frame in rig.sent():
        if frame.startswith("#P031"):
            count += 1
        elif frame[1:5] in ("P103", "P092"):
            counts.append(count)
            count = 0
    return counts


def fail_to_home(rig):
    outcome = rig.carry_out(rig.commands.initialize)
    assert outcome is not None
    assert rig.commands.snapshot.state is State.UNHOMED
    return outcome


def work(rig):
    """A good night."""
    rig.home()
    for position_mm in (2.0, 1.95, 3.0, 5.5, 0.4, 0.35, 0.3, 0.3, 4.0, 1.0):
        assert rig.move(position_mm) is None, position_mm
    assert rig.carry_out(rig.commands.audit) is None
    rig.rest(3.0)
    assert rig.commands.snapshot.state is State.IDLE
    assert rig.position_mm == pytest.approx(1.0, abs=0.002)
    return rig.commands.snapshot.audit.lost_steps


def test_the_focuser_comes_to_the_switch_twice_each_time_with_its_settings(make_rig):
    rig = make_rig()
    rig.home()
    assert runs(rig) == ["P103", "P092", "P103"]
    assert settings_between_runs(rig)[:2] == [2, 2]
    rig.assert_stands_at(0.0)
    assert rig.model.highest_motor_mm <= 1.0 + 0.2 + 1 / 5088


@pytest.mark.one_in(3)
@pytest.mark.parametrize("register", [0, -5088, -6106, 5000])
@pytest.mark.parametrize("start_mm", [0.0, 0.05, 1.0, 9.0])
def test_homing_ends_at_the_switch_wherever_it_begins_and_whatever_the_register(make_rig, start_mm, register):
    rig = make_rig(start_mm=start_mm, register=register)
    rig.home()
    rig.assert_stands_at(0.0)
    assert rig.move(2.0) is None
    rig.assert_stands_at(2.0)


@pytest.mark.parametrize("start_mm", [0.0, 0.005, 0.3, 2.0])
@pytest.mark.parametrize("power_up_register", [0, 3000])
def test_a_switch_that_acts_on_its_edge(make_rig, start_mm, power_up_register):
    rig = make_rig(
        switch_kind="edge", start_mm=start_mm, power_up_register=power_up_register, backlash_mm=0.0
    )
    rig.home()
    # Where it begins on the closed switch, at a place that nobody knows, it runs against the stop once.
    assert rig.model.ground_mm == 0 or start_mm == 0.0
    rig.model.forget_extremes()
    rig.assert_stands_at(0.0)
    # Known to stand at the switch, it leaves it first.
    for _ in range(2):
        rig.carry_out(rig.commands.shutdown)
        rig.home()
        assert rig.carry_out(rig.commands.audit) is None
    assert rig.model.ground_mm == 0
    rig.assert_stands_at(0.0)


@pytest.mark.parametrize("how", ["shutdown", "restart", "power cut", "power cut and restart", "stopped"])
@pytest.mark.parametrize("place_mm", [0.0, 0.05])
def test_near_the_switch_homing_backs_off_first(make_rig, place_mm, how):
    rig = make_rig(switch_kind="edge", power_up_mode=4, backlash_mm=0.0)
    rig.home()
    assert rig.move(place_mm) is None
    if how == "shutdown":
        rig.carry_out(rig.commands.shutdown)
    elif how == "stopped":
        rig.carry_out(rig.commands.shutdown)
        rig.interrupt_at(1)
        rig.carry_out(rig.commands.initialize)
    else:
        if "power cut" in how:
            rig.model.power_cut(0.0)
            rig.rest(2.0)
        if "restart" in how:
            rig.restart()
        elif how == "power cut":
            rig.carry_out(rig.commands.shutdown)
    before = len(runs(rig))
    rig.model.forget_extremes()
    rig.carry_out(rig.commands.initialize)
    assert runs(rig)[before] == "P092"
    rig.assert_stands_at(0.0)
    assert rig.model.ground_mm == 0


@pytest.mark.parametrize("place_mm", [0.2, 3.0])
def test_elsewhere_homing_runs_inward_first_for_there_may_be_no_room_outward(make_rig, place_mm):
    rig = make_rig()
    rig.home()
    assert rig.move(place_mm) is None
    rig.carry_out(rig.commands.shutdown)
    before = len(runs(rig))
    rig.home()
    assert runs(rig)[before] == "P103"


@pytest.mark.one_in(3)
@pytest.mark.parametrize("steps", [1, 7, 8, 9, 60, 400])
@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("random", [False, True])
def test_a_switch_that_lets_the_drive_fall_back(make_rig, steps, counts, random):
    rig = make_rig(fall_back_steps=steps, fall_back_counts=counts, fall_back_random=random)
    if steps > 100 and (random or not counts):
        # Its ends differ by more than SWITCH_REPEAT_STEPS: none agree, if not by chance.
        outcome = rig.carry_out(rig.commands.initialize)
        assert isinstance(outcome, HomingFailedError) or (random and outcome is None)
        return
    # What the register does not count is lost.
    assert abs(work(rig)) <= (1 if counts and not random else steps)


@pytest.mark.parametrize("scatter_steps", [1, 10, 50, 100])
def test_a_switch_that_acts_a_little_elsewhere_each_time(make_rig, scatter_steps):
    rig = make_rig(switch_scatter_steps=scatter_steps)
    assert abs(work(rig)) <= scatter_steps


@pytest.mark.parametrize("stops", ["all", "homing"])
@pytest.mark.parametrize("lead_steps", [0, 2, 8])
def test_a_go_to_that_the_switch_ends_within_the_tolerance_has_arrived(make_rig, lead_steps, stops):
    rig = make_rig(switch_lead_steps=lead_steps, switch_stops=stops)
    rig.home()
    for _ in range(2):
        assert rig.move(2.0) is None
        assert rig.move(0.0) is None
        assert rig.position_mm == pytest.approx(0.0, abs=9 / 5088)
        assert rig.position_mm == pytest.approx(rig.model.motor_mm, abs=1.5 / 5088)


@pytest.mark.parametrize("lead_steps", [9, 40, 100])
def test_a_go_to_that_the_switch_ends_further_out_fails_and_loses_no_position(make_rig, lead_steps):
    rig = make_rig(switch_lead_steps=lead_steps)
    rig.home()
    assert rig.move(2.0) is None
    assert isinstance(rig.move(0.0), NoProgressError)
    assert rig.commands.snapshot.state is State.IDLE
    assert "limit switch" in rig.commands.snapshot.reason
    assert rig.position_mm == pytest.approx(rig.model.motor_mm, abs=1.5 / 5088)
    assert rig.move(1.0) is None
    assert rig.position_mm == pytest.approx(rig.model.motor_mm, abs=1.5 / 5088)


@pytest.mark.parametrize("start_mm", [0.0, 0.5, 4.0])
def test_a_dead_switch_is_passed_once_and_then_by_half_a_millimetre_only(make_rig, start_mm):
    rig = make_rig(start_mm=start_mm)
    rig.model.limit_switch("dead")
    assert isinstance(fail_to_home(rig), NoSwitchError)
    # The first run up to its bound, and the second one no further past the stop than by half a millimetre.
    assert rig.model.ground_mm <= 9.5 - start_mm + 0.52 + 0.3


def test_a_dead_switch_that_was_mended_homes(make_rig):
    rig = make_rig(start_mm=0.5)
    rig.model.limit_switch("dead")
    fail_to_home(rig)
    rig.model.limit_switch("works")
    rig.model.forget_extremes()
    rig.home()
    rig.model.forget_extremes()
    rig.assert_stands_at(0.0)


def test_a_switch_that_is_stuck_is_no_origin(make_rig):
    rig = make_rig()
    rig.model.limit_switch("stuck")
    fail_to_home(rig)
    assert not rig.model.is_moving


@pytest.mark.parametrize("lost_steps", [0, 90, 150, 2000])
def test_an_audit_counts_from_its_first_end(make_rig, lost_steps):
    rig = make_rig()
    rig.home()
    assert rig.move(3.0) is None
    rig.model.lose_steps(lost_steps)
    assert rig.carry_out(rig.commands.audit) is None
    assert rig.commands.snapshot.audit.lost_steps == pytest.approx(lost_steps, abs=2)
    rig.assert_stands_at(3.0)


@pytest.mark.parametrize("options", [{"fall_back_steps": 40}, {"switch_scatter_steps": 50}])
def test_what_a_switch_does_not_repeat_is_not_lost_twice(make_rig, options):
    rig = make_rig(**options)
    rig.home()
    assert rig.move(3.0) is None
    for _ in range(3):
        assert rig.carry_out(rig.commands.audit) is None
        assert abs(rig.commands.snapshot.audit.lost_steps) <= 100
