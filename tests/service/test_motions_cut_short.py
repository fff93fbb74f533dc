"""The record of motions whose end was not as it should be: failures, halts that are not proven, the link, processes."""

from __future__ import annotations

import pytest

from rockit.focuser.ok3z.errors import (
    HaltFailedError,
    HomingFailedError,
    InternalError,
    LinkLostError,
    NoProgressError,
    PositionLostError,
)
from rockit.focuser.ok3z.service.status import State

HOMED = "homing: arrived at 0.000"


def told(rig) -> list[str]:
    """Each motion in words. The first is the homing of the rig."""
    return [_words(motion) for motion in rig.commands.motions]


def _words(motion) -> str:
    what = "homing" if motion.homing else f"{_mm(motion.from_steps)} -> {_mm(motion.to_steps)}"
    where = "" if motion.at_steps is None else f" at {_mm(motion.at_steps)}"
    return f"{what}: {motion.result.value}{where}"


def _mm(steps: int) -> str:
    return f"{steps / 5088:.3f}"


def here(rig) -> str:
    return _mm(rig.commands.snapshot.current_steps)


# Halts that are not proven


def never_halts(rig):
    rig.interrupt_at(40)
    rig.model.fault("command_lost", to="P021", count=0)
    rig.move(5.9)
    assert rig.commands.snapshot.state is State.STOPPING
    assert told(rig) == [HOMED, "0.000 -> 5.900: running"]


def test_a_motion_whose_halt_is_not_proven_runs_until_it_is(rig):
    never_halts(rig)
    rig.model.clear_faults()
    rig.rest(3.0)
    assert told(rig) == [HOMED, f"0.000 -> 5.900: short at {here(rig)}"]
    assert "It stands now." in rig.commands.motions[-1].reason


def test_a_second_stop_ends_it_too(rig):
    never_halts(rig)
    rig.model.clear_faults()
    assert rig.carry_out(rig.commands.halt_at_rest) is None
    assert told(rig) == [HOMED, f"0.000 -> 5.900: short at {here(rig)}"]
    # Else it would go on saying that the motor may be running.
    assert rig.commands.snapshot.reason.endswith("It stands now.")


def test_a_shutdown_that_proves_it_ends_it_too(rig):
    never_halts(rig)
    rig.model.clear_faults()
    assert rig.carry_out(rig.commands.shutdown) is None
    where = _mm(round(rig.model.motor_mm * 5088))
    assert told(rig) == [HOMED, f"0.000 -> 5.900: short at {where}"]
    assert "It stands now." in rig.commands.motions[-1].reason


def test_a_homing_run_whose_halt_is_proven_by_a_shutdown_has_failed(make_rig):
    rig = make_rig(start_mm=3.0)
    rig.interrupt_at(40)
    rig.model.fault("command_lost", to="P021", count=0)
    rig.carry_out(rig.commands.initialize)
    assert rig.commands.snapshot.state is State.STOPPING
    assert told(rig) == ["homing: running"]
    rig.model.clear_faults()
    assert rig.carry_out(rig.commands.shutdown) is None
    assert not rig.model.is_moving
    assert told(rig) == ["homing: failed"]
    assert "home the focuser" in rig.commands.motions[-1].reason
    assert (rig.keeper.kept.origin_register, rig.keeper.kept.way) == (None, None)


def test_a_daemon_that_ends_meanwhile_has_not_seen_its_end(rig):
    never_halts(rig)
    rig.commands.leave()
    assert told(rig) == [HOMED, "0.000 -> 5.900: unseen"]
    assert rig.commands.motions[-1].reason, "why its end was not seen"


def test_a_focuser_that_is_initialised_anew_meanwhile_has_two_motions(rig):
    never_halts(rig)
    rig.model.clear_faults()
    assert rig.carry_out(rig.commands.initialize) is None
    # That it stands at 0 mm is of the second.
    assert told(rig) == [HOMED, "0.000 -> 5.900: unseen", HOMED]


def test_a_halt_at_rest_that_fails_is_no_motion(rig):
    rig.model.fault("replaced", to="S001", count=0, text="SM")
    assert isinstance(rig.carry_out(rig.commands.halt_at_rest), HaltFailedError)
    rig.model.clear_faults()
    rig.rest(5.0)
    assert rig.commands.snapshot.state is State.IDLE
    assert told(rig) == [HOMED]


# Failures


def test_a_motor_that_does_not_advance_ends_where_it_stands(rig):
    rig.model.fault("command_lost", to="P092", count=0)
    assert isinstance(rig.move(2.0), NoProgressError)
    assert told(rig) == [HOMED, "0.000 -> 2.000: short at 0.000"]
    assert "does not advance" in rig.commands.motions[-1].reason


def test_a_position_that_is_lost_in_a_move_fails_it(rig):
    rig.by_hand = True

    def cut(number):
        if rig.model.motor_mm > 1.0:
            rig.at_exchange = lambda number: None
            rig.model.power_cut(0.0)

    rig.at_exchange = cut
    assert isinstance(rig.move(3.0), PositionLostError)
    assert rig.commands.snapshot.state is State.UNHOMED
    assert told(rig) == [HOMED, "0.000 -> 3.000: failed"]
    assert rig.commands.motions[-1].reason == rig.commands.snapshot.reason != ""


def test_a_position_that_is_lost_at_rest_is_no_motion(rig):
    rig.by_hand = True
    rig.model.hand(0.5, register=True)
    rig.rest(3.0)
    assert rig.commands.snapshot.state is State.UNHOMED
    assert told(rig) == [HOMED]
    rig.home()
    assert told(rig) == [HOMED, HOMED]


def test_a_homing_run_that_finds_no_switch_has_failed(make_rig):
    rig = make_rig()
    rig.model.fault("command_lost", to="P103", count=0)
    rig.model.fault("command_lost", to="P092", count=0)
    assert isinstance(rig.carry_out(rig.commands.initialize), HomingFailedError)
    assert told(rig) == ["homing: failed"]
    assert "neither inward nor outward" in rig.commands.motions[-1].reason


def test_a_mistake_of_the_program_fails_the_motion(rig):
    def mistake(number):
        if rig.model.is_moving:
            raise InternalError("the daemon made a mistake.")

    rig.at_exchange = mistake
    assert isinstance(rig.move(2.0), InternalError)
    assert told(rig) == [HOMED, "0.000 -> 2.000: failed"]


def test_a_motion_that_nobody_settled_is_over_when_the_next_begins(rig):
    """The thread's last resort after two mistakes of the program, one of them in settling."""

    def mistake(number):
        if rig.model.motor_mm > 1.0:
            raise ZeroDivisionError

    rig.at_exchange = mistake
    with pytest.raises(ZeroDivisionError):
        rig.commands.move(2.0, False)
    rig.at_exchange = lambda number: None
    rig.clock.sleep(30.0)
    rig.carry_out(rig.commands.initialize)
    assert told(rig) == [HOMED, "0.000 -> 2.000: unseen", HOMED]


# The link


def lose_in_a_move(rig, target_mm: float = 4.0) -> None:
    """The link is lost on the way from 2 mm, beyond 2.5 mm."""
    assert rig.move(2.0) is None

    def lose(number):
        if rig.model.is_moving and rig.model.motor_mm > 2.5:
            rig.at_exchange = lambda number: None
            rig.model.hang_up()

    rig.at_exchange = lose
    assert isinstance(rig.move(target_mm), LinkLostError)


def test_a_link_that_is_lost_in_a_move_leaves_its_end_unseen_and_says_later_where_it_stands(rig):
    lose_in_a_move(rig)
    assert told(rig)[2:] == ["2.000 -> 4.000: unseen"]
    reason = rig.commands.motions[-1].reason
    assert reason == rig.commands.snapshot.reason != ""
    rig.rest(30.0)
    assert told(rig)[2:] == ["2.000 -> 4.000: unseen"]
    rig.model.come_back()
    rig.rest(20.0)
    # The leg that ran went to its end: the overshoot.
    rig.assert_honest()
    assert rig.commands.snapshot.state is State.IDLE
    assert told(rig)[2:] == ["2.000 -> 4.000: unseen at 4.500"]
    assert rig.commands.motions[-1].reason == reason
    assert rig.move(4.0) is None
    assert told(rig)[3:] == ["4.500 -> 4.000: arrived at 4.000"]
    assert told(rig)[2:3] == ["2.000 -> 4.000: unseen at 4.500"]


def test_a_focuser_that_is_homed_after_the_loss_was_not_found(rig):
    lose_in_a_move(rig)
    rig.model.power_cut(1.0)
    rig.rest(5.0)
    rig.model.come_back()
    rig.rest(20.0)
    assert rig.commands.snapshot.state is State.UNHOMED
    rig.home()
    assert told(rig)[2:] == ["2.000 -> 4.000: unseen", HOMED]


def test_a_lost_link_that_is_given_up_and_resumed_says_where_it_stands(rig):
    lose_in_a_move(rig)
    assert rig.carry_out(rig.commands.shutdown) is None
    rig.clock.sleep(30.0)
    rig.model.come_back()
    assert rig.carry_out(lambda: rig.commands.initialize(resume=True)) is None
    assert told(rig)[2:] == ["2.000 -> 4.000: unseen at 4.500"]


def test_a_link_that_is_lost_at_rest_is_no_motion(rig):
    assert rig.move(2.0) is None
    rig.model.hang_up()
    rig.rest(10.0)
    rig.model.come_back()
    rig.rest(15.0)
    assert rig.commands.snapshot.state is State.IDLE
    assert told(rig) == [HOMED, "0.000 -> 2.000: arrived at 2.000"]


def test_a_link_that_is_lost_while_homing_leaves_its_end_unseen(make_rig):
    rig = make_rig(start_mm=3.0)

    def lose(number):
        if rig.model.is_moving:
            rig.at_exchange = lambda number: None
            rig.model.hang_up()

    rig.at_exchange = lose
    assert isinstance(rig.carry_out(rig.commands.initialize), LinkLostError)
    assert told(rig) == ["homing: unseen"]
    rig.model.come_back()
    rig.rest(20.0)
    assert rig.commands.snapshot.state is State.UNHOMED
    rig.home()
    assert told(rig) == ["homing: unseen", HOMED]


# A new process


def test_a_new_process_resumes_without_a_motion(rig):
    assert rig.move(2.0) is None
    rig.kill_process()
    rig.start_process()
    assert rig.carry_out(lambda: rig.commands.initialize(resume=True)) is None
    rig.assert_stands_at(2.0)
    assert rig.commands.motions == ()


def test_a_move_of_a_dead_process_is_none_of_the_next(rig):
    class KilledError(Exception):
        pass

    def kill(number):
        if rig.model.motor_mm > 1.0:
            raise KilledError

    rig.at_exchange = kill
    with pytest.raises(KilledError):
        rig.commands.move(4.0, False)
    rig.at_exchange = lambda number: None
    rig.kill_process()
    rig.start_process()
    assert rig.model.is_moving
    assert rig.carry_out(lambda: rig.commands.initialize(resume=True)) is None
    assert rig.commands.snapshot.state is State.IDLE
    assert rig.commands.motions == ()
