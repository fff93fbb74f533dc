"""The end of the daemon: a motor that a lost link left running is halted, or it is said that it may run."""

from __future__ import annotations

import pytest

from rockit.focuser.ok3z.errors import HaltFailedError, LinkLostError, StoppedError
from rockit.focuser.ok3z.service.focuser import (
    CLOSE_PATIENCE_S,
    CLOSING_HALT_PATIENCE_S,
    HALT_PATIENCE_S,
    SLOW_CLOSE_RATIO,
    slow_closing_proof_s,
)
from rockit.focuser.ok3z.service.status import State

HOW = pytest.mark.parametrize("how", ["hang-up", "silence"])


def lose_in_a_move(rig, how):
    assert isinstance(rig.lose_at(5.0, 2.0, how), LinkLostError)
    assert rig.commands.snapshot.state is State.RECONNECTING


def test_a_motor_that_runs_behind_a_port_that_is_back_is_halted(rig):
    lose_in_a_move(rig, "hang-up")
    rig.give_back("hang-up")
    assert rig.model.is_moving
    rig.commands.leave()
    assert not rig.model.is_moving
    assert rig.model.motor_mm < 4.0
    assert not rig.commands.may_leave_running
    assert not rig.model.is_port_open


def test_a_motor_that_stands_is_halted_without_being_said_to_run(rig):
    states, publish = [], rig.commands._publisher.publish

    def watched(snapshot):
        states.append(snapshot.state)
        publish(snapshot)

    rig.commands._publisher.publish = watched
    rig.commands.leave()
    assert State.MOVING not in states
    assert not rig.commands.may_leave_running


def come_back_at(rig, attempt, and_then=lambda: None):
    """Let the adapter be back just before the port is opened for the `attempt`-th time."""
    open_port, attempts = rig.port.open, []

    def opened():
        attempts.append(rig.clock.monotonic())
        if len(attempts) == attempt:
            rig.give_back("hang-up")
        if len(attempts) == attempt + 1:
            and_then()
        return open_port()

    rig.port.open = opened
    return attempts


def test_a_port_that_comes_back_just_after_the_first_try_is_tried_again(rig):
    lose_in_a_move(rig, "hang-up")
    attempts = come_back_at(rig, 4)
    rig.commands.leave()
    assert len(attempts) == 4
    assert not rig.model.is_moving
    assert not rig.commands.may_leave_running


def test_a_port_that_is_lost_again_while_the_motor_is_halted_is_tried_again(rig):
    lose_in_a_move(rig, "hang-up")
    attempts = come_back_at(rig, 2, and_then=lambda: rig.give_back("hang-up"))
    sent = len(rig.sent())
    # The halt itself is lost with the link.
    rig.model.fault("hang_up", to="P021")
    rig.commands.leave()
    assert len(attempts) == 3
    assert rig.sent()[sent:].count("#P021 F $") >= 2
    assert not rig.model.is_moving
    assert not rig.commands.may_leave_running


def test_a_link_that_is_lost_only_at_the_end_is_tried_again_too(rig):
    """The daemon ends in the middle of a move, and with its last halt the adapter goes."""
    rig.interrupt_at(40)
    rig.model.fault("command_lost", to="P021", count=0)
    rig.move(5.9)
    assert rig.commands.snapshot.state is State.STOPPING
    rig.model.clear_faults()
    rig.lose("hang-up")
    come_back_at(rig, 2)
    rig.commands.leave()
    assert not rig.model.is_moving
    assert not rig.commands.may_leave_running


def test_it_is_tried_no_longer_than_there_is_time(rig):
    lose_in_a_move(rig, "hang-up")
    attempts = come_back_at(rig, 10**6)
    began_s = rig.clock.monotonic()
    rig.worker.give_up_halting_s = lambda begun_s: began_s + 0.45
    rig.commands.leave()
    assert len(attempts) > 2
    assert attempts[-1] <= began_s + 0.45
    assert rig.commands.may_leave_running


def test_a_port_that_was_slow_to_open_gets_the_halt_all_the_same(rig):
    lose_in_a_move(rig, "hang-up")
    rig.give_back("hang-up")
    # All the time that there was is over.
    rig.worker.give_up_halting_s = lambda begun_s: begun_s - 10.0
    rig.commands.leave()
    assert rig.sent()[-1] == "#P021 F $"
    rig.clock.sleep(1.0)
    assert not rig.model.is_moving
    assert rig.commands.may_leave_running, "nothing proved it"


def test_a_port_that_was_given_back_is_somebody_elses(rig):
    lose_in_a_move(rig, "hang-up")
    assert rig.carry_out(rig.commands.shutdown) is None
    rig.give_back("hang-up")
    sent = len(rig.sent())
    rig.commands.leave()
    assert rig.sent()[sent:] == []
    assert rig.commands.may_leave_running


@HOW
def test_where_that_cannot_be_done_it_is_said(rig, how):
    lose_in_a_move(rig, how)
    rig.commands.leave()
    assert rig.commands.may_leave_running
    assert rig.commands.snapshot.state is not State.IDLE
    assert not rig.model.is_port_open


def test_a_silent_port_still_gets_the_halt(rig):
    lose_in_a_move(rig, "silence")
    sent = len(rig.sent())
    rig.commands.leave()
    assert rig.sent()[sent] == "#P021 F $"
    assert not rig.model.is_moving


def test_a_halt_that_was_never_proven_is_not_forgotten_at_the_end(rig):
    rig.interrupt_at(40)
    rig.model.fault("command_lost", to="P021", count=0)
    rig.move(5.9)
    assert rig.commands.snapshot.state is State.STOPPING
    rig.commands.leave()
    assert rig.commands.may_leave_running


def test_at_rest_there_is_nothing_to_halt(rig):
    rig.lose("hang-up")
    rig.rest(5.0)
    rig.give_back("hang-up")
    sent = len(rig.sent())
    rig.commands.leave()
    assert rig.sent()[sent:] == []
    assert not rig.commands.may_leave_running


def test_a_motion_of_an_earlier_process_is_not_this_ones(rig):
    """Nobody asked this process for the focuser: what listens at its port was never proven to be one."""
    assert rig.kill_when(
        lambda: rig.model.is_moving and rig.model.motor_mm > 2.0, lambda: rig.commands.move(5.0, False)
    )
    assert rig.commands.snapshot.motor_may_run
    sent = len(rig.sent())
    rig.commands.leave()
    assert rig.sent()[sent:] == []
    assert not rig.commands.may_leave_running


def test_a_mistake_in_forgetting_leaves_no_old_status_standing(rig, monkeypatch):
    def mistaken(motion):
        raise ZeroDivisionError("planted")

    assert rig.move(2.0) is None
    with monkeypatch.context() as patch:
        patch.setattr(rig.commands._memory, "found_elsewhere", mistaken)
        with pytest.raises(ZeroDivisionError):
            rig.commands.settle_mistake("a mistake.")
    assert rig.commands.snapshot.state is State.STOPPING
    assert rig.commands.snapshot.current_steps is None
    rig.rest(2.0)
    assert rig.commands.snapshot.state is State.UNHOMED


# A motor that is halted although nobody wants the focuser connected


def halt_in_vain(rig):
    assert rig.kill_when(
        lambda: rig.model.is_moving and rig.model.motor_mm > 2.0, lambda: rig.commands.move(5.0, False)
    )
    rig.model.fault("command_lost", to="P021", count=0)
    assert isinstance(rig.carry_out(rig.commands.halt_at_rest), HaltFailedError)
    assert rig.commands.snapshot.state is State.STOPPING
    rig.model.clear_faults()


def test_its_port_is_given_back_when_it_stands_at_last(rig):
    halt_in_vain(rig)
    rig.rest(3.0)
    assert not rig.model.is_moving
    assert not rig.model.is_port_open
    assert rig.commands.snapshot.state is State.DISCONNECTED
    assert "was halted" in rig.commands.snapshot.reason


def test_a_shutdown_meanwhile_gives_it_back_too(rig):
    halt_in_vain(rig)
    assert rig.carry_out(rig.commands.shutdown) is None
    assert not rig.model.is_moving
    assert not rig.model.is_port_open
    assert rig.commands.snapshot.state is State.DISCONNECTED


def test_a_controller_that_answers_with_an_empty_text_was_spoken_to_all_the_same(make_rig):
    rig = make_rig()
    rig.model.fault("replaced", to="S051", count=0, text="")
    rig.home()
    rig.lose_at(5.0, 2.0, "hang-up")
    assert rig.commands.may_leave_running


@pytest.mark.parametrize("reply_delay_s", [0.06, 0.1, 0.2, 0.3, 0.5, 0.7])
@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("at", [30, 41, 60, 75])
def test_slow_answers_prove_the_last_halt_too(make_rig, reply_delay_s, paired, at):
    rig = make_rig(reply_delay_s=reply_delay_s, baud_pacing=True, paired=paired)
    rig.home()
    slow_proof_s = slow_closing_proof_s(rig.commands.answer_s)
    close_by_s = []

    def give_up_halting_s(begun_s):
        return min([begun_s + HALT_PATIENCE_S, *close_by_s])

    def end(number):
        if number >= first:
            close_by_s.append(rig.clock.monotonic() + CLOSING_HALT_PATIENCE_S + slow_proof_s)
            raise StoppedError("stopped because the daemon is ending.")

    rig.worker.give_up_halting_s = give_up_halting_s
    first = rig.exchanges + at
    rig.at_exchange = end
    assert isinstance(rig.move(5.0), StoppedError)
    assert not rig.commands.may_leave_running
    rig.assert_honest()
    rig.commands.leave()
    later_s = CLOSE_PATIENCE_S - CLOSING_HALT_PATIENCE_S + (SLOW_CLOSE_RATIO - 1) * slow_proof_s
    assert rig.clock.monotonic() < close_by_s[0] + later_s
    assert not rig.commands.may_leave_running
