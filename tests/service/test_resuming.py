"""A process that ends and another that carries on: when what was kept is believed."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from rockit.focuser.ok3z.constants import FocuserStatus
from rockit.focuser.ok3z.driver.planning import Limits
from rockit.focuser.ok3z.errors import StoppedError
from rockit.focuser.ok3z.service.status import State, Trust

WHY_HOMED = "homing, because it cannot be resumed: "


@pytest.mark.parametrize("target_mm", [0.0, 2.0, 5.5])
def test_a_restart_at_rest_is_resumed_only_if_asked(rig, target_mm):
    assert rig.move(target_mm) is None
    homed_at = rig.confidence.homed_at
    rig.restart()
    assert rig.commands.snapshot.status == FocuserStatus.Disabled
    assert rig.confidence.trust is Trust.UNKNOWN
    assert f"{target_mm:.3f} mm" in rig.confidence.reason
    assert "focus init --resume" in rig.confidence.reason
    rig.resume()
    rig.assert_stands_at(target_mm)
    assert rig.homings == 1
    assert rig.confidence.trust is Trust.RESUMED
    assert rig.confidence.homed_at == homed_at
    assert rig.confidence.reason
    for position_mm in (1.0, 3.0, 2.95):
        assert rig.move(position_mm) is None
        rig.assert_stands_at(position_mm)
    rig.restart()
    rig.home()
    assert rig.homings == 2
    assert rig.confidence.trust is Trust.HOMED


def test_the_time_of_the_homing_is_of_the_homing(rig):
    first = rig.confidence.homed_at
    rig.clock.sleep(3600)
    assert rig.move(2.0) is None
    assert rig.confidence.homed_at == first
    assert rig.carry_out(rig.commands.shutdown) is None
    assert rig.confidence.homed_at == ""
    rig.home()
    assert rig.confidence.homed_at > first


@pytest.mark.matrix
@pytest.mark.parametrize("target_mm", [0.5, 3.5])
def test_a_process_that_dies_at_any_exchange_of_a_move_is_resumed_where_the_motor_stands(make_rig, target_mm):
    rig = make_rig()
    rig.home()
    number = died = found_running = 0
    while True:
        number += 7
        assert rig.move(2.0) is None
        if not rig.kill_at(number, target_mm):
            break
        died += 1
        if died % 3:
            # The motor goes on to the end of its leg.
            rig.clock.sleep(30.0)
        found_running += rig.model.is_moving
        rig.resume()
        rig.assert_honest()
        assert rig.commands.snapshot.state is State.IDLE
        assert rig.confidence.trust is Trust.RESUMED
        assert rig.move(1.5) is None
        rig.assert_stands_at(1.5)
    assert died > found_running > 2


def test_a_motor_that_a_dead_process_left_running_ends_its_leg_and_is_resumed_there(rig):
    rig.kill_at(40, 4.0)
    assert rig.model.is_moving
    assert rig.commands.snapshot.motor_may_run
    before = len(rig.sent())
    rig.resume()
    assert rig.sent()[before:] == []
    assert rig.confidence.trust is Trust.RESUMED
    assert rig.position_mm == pytest.approx(4.5, abs=1 / 5088)
    rig.assert_honest()


def test_a_motor_that_runs_elsewhere_is_halted_and_homed(rig):
    """Where it was halted nobody had foreseen, and others may have moved it since."""
    rig.kill_at(40, 1.0)
    rig.clock.sleep(30.0)
    rig.by_hand = True
    rig.model.hand(20.0, drive=True)
    began_s = rig.clock.monotonic()
    rig.resume()
    assert rig.sent(began_s)[0] == "#P021 F $"
    assert rig.confidence.trust is Trust.HOMED
    rig.model.forget_extremes()
    rig.assert_stands_at(0.0)


def test_a_stop_while_a_motor_that_was_left_running_is_waited_for(rig):
    rig.kill_at(40, 6.0)
    rig.interrupt_at(20)
    assert isinstance(rig.carry_out(lambda: rig.commands.initialize(resume=True)), StoppedError)
    assert not rig.model.is_moving
    assert rig.unhalted is None
    assert rig.commands.snapshot.state is State.UNHOMED


def test_what_was_kept_is_not_believed_because_the_register_lies_between(make_rig):
    """Others may have homed and moved the focuser since, and left nothing in this file."""
    rig = make_rig(register=40000)
    rig.home()
    rig.kill_at(40, 6.0)
    rig.clock.sleep(30.0)
    stale = rig.keeper.kept
    assert rig.carry_out(lambda: rig.commands.initialize()) is None
    assert rig.move(5.9) is None
    rig.model.power_cut(0.0)
    rig.home()
    assert rig.move(2.0) is None
    rig.restart()
    rig.keeper.kept = stale
    rig.start_process()
    assert min(stale.way) < rig.model.register < max(stale.way)
    rig.resume()
    assert rig.confidence.trust is Trust.HOMED
    rig.assert_stands_at(0.0)


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("power_up_register", [0, 123456])
def test_a_power_cut_between_two_processes_makes_it_home(make_rig, moving, power_up_register):
    rig = make_rig(power_up_register=power_up_register)
    rig.home()
    assert rig.move(2.0) is None
    if moving:
        assert rig.kill_at(40, 4.0)
    rig.model.power_cut(0.0)
    rig.restart()
    rig.resume()
    assert rig.homings >= 2
    assert rig.confidence.trust is Trust.HOMED
    rig.assert_stands_at(0.0)
    assert any(WHY_HOMED in message for level, message in rig.announced if level == logging.WARNING)
    assert "register" in rig.confidence.reason


def test_a_process_that_died_while_homing_leaves_nothing_to_resume(make_rig):
    rig = make_rig()
    assert rig.kill_when(lambda: rig.model.is_moving, rig.commands.initialize)
    assert rig.confidence.reason == ""
    assert rig.commands.snapshot.motor_may_run
    rig.resume()
    assert rig.confidence.trust is Trust.HOMED
    rig.assert_stands_at(0.0)


@pytest.mark.parametrize(
    "change",
    [
        {"port": "/dev/another"},
        {"origin_register": None},
        {"register": None},
        {"register": 17},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_was_kept_of_another_is_not_believed(rig, change):
    assert rig.move(2.0) is None
    rig.restart()
    rig.keeper.kept = replace(rig.keeper.kept, **change)
    rig.start_process()
    rig.resume()
    assert rig.confidence.trust is Trust.HOMED
    rig.assert_stands_at(0.0)


def test_without_anything_kept_it_homes(rig):
    assert rig.move(2.0) is None
    rig.keeper.kept = None
    rig.restart()
    rig.resume()
    assert rig.confidence.trust is Trust.HOMED
    rig.assert_stands_at(0.0)


def test_a_shutdown_can_be_resumed_too(rig):
    assert rig.move(2.0) is None
    assert rig.carry_out(rig.commands.shutdown) is None
    assert "2.000 mm" in rig.confidence.reason
    rig.resume()
    rig.assert_stands_at(2.0)
    assert rig.homings == 1


@pytest.mark.parametrize("restarted", [False, True])
def test_a_shutdown_that_proves_a_late_halt_can_be_resumed(rig, restarted):
    assert rig.move(2.0) is None
    rig.interrupt_at(60)
    rig.model.fault("command_lost", to="P021", count=0)
    assert isinstance(rig.move(5.0), StoppedError)
    assert rig.commands.snapshot.state is State.STOPPING
    rig.model.clear_faults()
    assert rig.carry_out(rig.commands.shutdown) is None
    assert rig.keeper.kept.way is None
    assert rig.keeper.kept.register == rig.model.register
    assert f"it stood at {rig.model.motor_mm:.3f} mm" in rig.confidence.reason
    if restarted:
        rig.restart()
    sent = len(rig.sent())
    rig.resume()
    assert rig.sent()[sent:] == []
    assert rig.confidence.trust is Trust.RESUMED
    rig.assert_honest()
    assert rig.move(1.5) is None
    rig.assert_stands_at(1.5)


def test_the_end_of_the_daemon_in_a_move_keeps_where_it_stands(rig):
    rig.interrupt_at(60)
    assert isinstance(rig.move(4.0), StoppedError)
    rig.commands.leave()
    assert rig.keeper.kept.way is None
    rig.start_process()
    rig.resume()
    rig.assert_honest()
    assert rig.confidence.trust is Trust.RESUMED


def test_the_backlash_is_known_again(rig):
    """After a stop in the overshoot the play lies on the wrong side, also for the next process."""
    assert rig.move(1.0) is None

    def stop(number: int) -> None:
        if rig.model.motor_mm > 3.2:
            raise StoppedError("stopped by the test.")

    rig.at_exchange = stop
    assert isinstance(rig.move(3.0), StoppedError)
    here_mm = rig.position_mm
    rig.restart()
    rig.resume()
    assert rig.move(here_mm) is None
    rig.assert_stands_at(here_mm)


def test_what_the_last_approach_lacked_is_known_again(rig):
    assert rig.move(6.0) is None
    assert rig.commands.snapshot.shortfall_steps == 2544
    rig.restart()
    rig.resume()
    assert rig.commands.snapshot.shortfall_steps == 2544


def test_a_stop_while_it_is_resumed_is_harmless(rig):
    assert rig.move(2.0) is None
    for number in range(1, 12):
        rig.restart()
        rig.interrupt_at(number)
        rig.carry_out(lambda: rig.commands.initialize(resume=True))
        rig.assert_honest()
    rig.restart()
    rig.resume()
    rig.assert_stands_at(2.0)


def stale_entry(rig):
    """What a process left that died in a move; others have homed and moved the focuser since."""
    rig.kill_at(40, 6.0)
    rig.clock.sleep(30.0)
    stale = rig.keeper.kept
    rig.home()
    assert rig.move(5.9) is None
    rig.model.power_cut(0.0)
    rig.home()
    assert rig.move(2.0) is None
    rig.kill_process()
    rig.keeper.kept = stale
    rig.start_process()
    assert min(stale.way) < rig.model.register < max(stale.way)


@pytest.mark.one_in(4)
@pytest.mark.parametrize("disturbance", ["stop", "silence", "hang-up"])
@pytest.mark.parametrize("number", [1, 3, 5, 8, 12])
def test_a_stale_entry_is_not_resumed_unasked_when_resuming_was_disturbed(make_rig, disturbance, number):
    rig = make_rig(register=40000)
    rig.home()
    stale_entry(rig)
    if disturbance == "stop":
        rig.interrupt_at(number)
    else:
        rig.do_at(number, lambda: rig.lose(disturbance))
    rig.carry_out(lambda: rig.commands.initialize(resume=True))
    rig.at_exchange = lambda number: None
    rig.give_back("silence")
    rig.lose("hang-up")
    rig.rest(3.0)
    rig.give_back("hang-up")
    rig.rest(30.0)
    assert rig.confidence.trust in (Trust.UNKNOWN, Trust.HOMED)
    rig.assert_honest()


def test_a_focuser_that_was_let_go_is_not_resumed_unasked(rig):
    """Between shutdown and initialize others may have had it."""
    assert rig.move(2.0) is None
    assert rig.carry_out(rig.commands.shutdown) is None
    assert not rig.commands._memory.is_watched
    rig.resume()
    assert rig.commands._memory.is_watched


# Because the configuration says so


@pytest.mark.parametrize(("asked", "homings"), [(None, 1), (True, 1), (False, 2)])
def test_resume_on_init_resumes_where_the_call_does_not_say(rig, asked, homings):
    rig.settings = replace(rig.settings, resume_on_init=True)
    assert rig.move(2.0125) is None
    rig.restart()
    assert rig.carry_out(lambda: rig.commands.initialize(asked)) is None
    assert rig.homings == homings
    rig.assert_stands_at(2.0125 if homings == 1 else 0.0)


def test_a_focuser_that_was_resumed_unasked_says_so(rig):
    rig.settings = replace(rig.settings, resume_on_init=True)
    assert rig.move(2.0125) is None
    rig.restart()
    rig.announced.clear()
    assert rig.carry_out(rig.commands.initialize) is None
    how = (
        f"resumed at 2.013 mm without homing, as resume_on_init says; last homed at {rig.confidence.homed_at}"
    )
    assert rig.commands.snapshot.reason == f"{how}."
    assert (logging.INFO, how) in rig.announced
    assert rig.confidence.trust is Trust.RESUMED


def test_an_old_homing_is_not_resumed_unasked(rig):
    rig.settings = replace(rig.settings, resume_on_init=True, resume_max_age_s=3600.0)
    assert rig.move(2.0) is None
    rig.restart()
    rig.clock.sleep(3600.0)
    assert rig.carry_out(rig.commands.initialize) is None
    assert rig.homings == 2
    assert rig.confidence.trust is Trust.HOMED
    assert "the last homing is 1.0 h away, and resume_max_age_h is 1." in rig.confidence.reason


def test_an_old_homing_is_resumed_where_somebody_asks_for_it(rig):
    rig.settings = replace(rig.settings, resume_on_init=True, resume_max_age_s=3600.0)
    assert rig.move(2.0) is None
    rig.restart()
    rig.clock.sleep(3600.0)
    rig.resume()
    assert rig.homings == 1


def test_after_a_power_cut_it_is_homed_whatever_the_configuration_says(rig):
    rig.settings = replace(rig.settings, resume_on_init=True)
    assert rig.move(2.0) is None
    rig.kill_process()
    rig.model.power_cut(0.0)
    rig.start_process()
    assert rig.carry_out(rig.commands.initialize) is None
    assert rig.confidence.trust is Trust.HOMED
    assert "it could not be resumed" in rig.confidence.reason


# Returning


def test_restore_returns_to_the_last_target_that_was_reached(rig):
    assert rig.move(2.0) is None
    rig.interrupt_at(60)
    assert isinstance(rig.move(4.0), StoppedError)
    rig.restart()
    assert rig.carry_out(lambda: rig.commands.initialize(restore=True)) is None
    rig.assert_stands_at(2.0)
    assert rig.homings == 2
    assert rig.confidence.trust is Trust.HOMED


@pytest.mark.parametrize("how", [{"resume": True}, {"restore": True}])
def test_what_was_asked_for_outlives_a_restart(rig, how):
    assert rig.move(2.0125) is None
    rig.restart()
    assert rig.carry_out(lambda: rig.commands.initialize(**how)) is None
    rig.assert_stands_at(2.0125)
    assert rig.commands.snapshot.target_mm == 2.0125
    assert rig.move(-0.0125, offset=True) is None
    assert rig.commands.snapshot.target_mm == 2.0


@pytest.mark.parametrize(("configured", "asked", "returns"), [(True, None, True), (True, False, False)])
def test_the_configuration_chooses_where_the_call_does_not(rig, configured, asked, returns):
    assert rig.move(2.0) is None
    rig.settings = replace(rig.settings, restore_on_init=configured)
    rig.restart()
    assert rig.carry_out(lambda: rig.commands.initialize(restore=asked)) is None
    rig.assert_stands_at(2.0 if returns else 0.0)


def test_restore_survives_homings_that_were_not_restored(rig):
    assert rig.move(2.0) is None
    for _ in range(2):
        rig.restart()
        rig.home()
    rig.restart()
    assert rig.carry_out(lambda: rig.commands.initialize(restore=True)) is None
    rig.assert_stands_at(2.0)


@pytest.mark.parametrize("target_steps", [None, 6 * 5088 + 1, -1])
def test_without_a_target_within_the_range_it_stays_and_says_so(rig, target_steps):
    rig.restart()
    rig.keeper.kept = replace(rig.keeper.kept, target_steps=target_steps)
    rig.start_process()
    assert rig.carry_out(lambda: rig.commands.initialize(restore=True)) is None
    rig.assert_stands_at(0.0)
    assert any("not returning" in message for _, message in rig.announced)


def test_resume_and_restore_together_finish_the_move_that_was_cut(rig):
    assert rig.move(2.0) is None
    assert rig.kill_at(60, 4.0)
    rig.clock.sleep(30.0)
    rig.resume(restore=True)
    rig.assert_stands_at(2.0)
    assert rig.homings == 1


def test_less_backlash_in_the_configuration_is_no_negative_shortfall(rig, make_rig):
    assert rig.move(2.0) is None
    rig.settings = replace(rig.settings, limits=Limits.from_mm(6.0, 6.0, 0.1))
    rig.restart()
    rig.resume()
    assert rig.commands.snapshot.shortfall_steps == 0
