"""A stop of a motor that may run, where nobody wants the focuser connected: an earlier process died in a move, or the
link was lost in one and then given up."""

from __future__ import annotations

import pytest

from rockit.focuser.ok3z.errors import LinkError, NotConnectedError
from rockit.focuser.ok3z.service.status import State


def stop(rig):
    return rig.carry_out(rig.commands.halt_at_rest)


def die_in_a_move(rig):
    assert rig.kill_when(
        lambda: rig.model.is_moving and rig.model.motor_mm > 2.0, lambda: rig.commands.move(5.0, False)
    )


def die_in_homing(rig):
    rig.move(5.0)
    rig.carry_out(rig.commands.shutdown)
    assert rig.kill_when(lambda: rig.model.is_moving and rig.model.motor_mm < 3.5, rig.commands.initialize)


def give_up_in_a_move(rig):
    assert isinstance(rig.lose_at(5.0, 2.0, "hang-up"), LinkError)
    assert rig.carry_out(rig.commands.shutdown) is None
    rig.give_back("hang-up")


LEAVING = pytest.mark.parametrize("leave", [die_in_a_move, die_in_homing, give_up_in_a_move])


@LEAVING
def test_it_is_halted(rig, leave):
    leave(rig)
    assert rig.model.is_moving
    assert rig.commands.snapshot.motor_may_run
    assert stop(rig) is None
    assert not rig.model.is_moving
    assert 1.0 < rig.model.motor_mm < 4.0
    snapshot = rig.commands.snapshot
    assert (snapshot.state, snapshot.motor_may_run, snapshot.current_steps) == (
        State.DISCONNECTED,
        False,
        None,
    )
    assert "was halted" in snapshot.reason
    # Nobody wants it connected: the port is for others.
    assert not rig.model.is_port_open
    # What is known by now has nothing to halt any more.
    assert isinstance(stop(rig), NotConnectedError)


@pytest.mark.one_in(4)
@LEAVING
@pytest.mark.parametrize("number", range(1, 40, 3))
def test_from_wherever_it_was_halted_a_resume_is_never_false(rig, leave, number):
    leave(rig)
    rig.clock.sleep(0.1 * number)
    assert stop(rig) is None
    rig.resume()
    rig.assert_honest()
    assert rig.move(3.0) is None
    rig.assert_stands_at(3.0)


def test_of_a_homing_run_that_was_halted_the_next_process_knows(rig):
    die_in_homing(rig)
    assert stop(rig) is None
    rig.restart()
    assert not rig.commands.snapshot.motor_may_run


def test_a_port_that_is_not_there_is_no_proof(rig):
    die_in_a_move(rig)
    rig.lose("hang-up")
    assert isinstance(stop(rig), LinkError)
    assert rig.unhalted
    assert rig.commands.snapshot.motor_may_run
    assert rig.commands.snapshot.state is State.DISCONNECTED
    rig.give_back("hang-up")
    assert stop(rig) is None
    assert not rig.model.is_moving


def test_a_motor_that_does_not_obey_is_halted_until_it_does(rig):
    die_in_a_move(rig)
    rig.model.fault("command_lost", to="P021", count=0)
    assert stop(rig) is not None
    assert rig.unhalted
    assert rig.commands.snapshot.motor_may_run
    rig.model.clear_faults()
    rig.rest(3.0)
    assert not rig.model.is_moving
    assert not rig.commands.snapshot.motor_may_run
    rig.home()
    assert rig.move(3.0) is None
    rig.assert_stands_at(3.0)
