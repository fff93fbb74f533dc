"""A motor that stalls on its way: it is halted, and sent again where it is proven to stand."""

from __future__ import annotations

import logging

import pytest

from rockit.focuser.ok3z.driver.axis import STALL_TRIES
from rockit.focuser.ok3z.errors import StalledError, StoppedError
from rockit.focuser.ok3z.service.status import State


def stall(rig, at_mm, times=1):
    """Hold the motor when it passes a place, until it was halted; so many times."""
    left, held = [times], [False]

    def hold(number):
        if held[0] and rig.sent()[-1] == "#P021 F $":
            held[0] = False
            rig.model.motor("works")
        elif not held[0] and left[0] and rig.model.is_moving and rig.model.motor_mm >= at_mm:
            left[0] -= 1
            held[0] = True
            rig.model.motor("frozen")

    rig.at_exchange = hold


@pytest.mark.parametrize("times", [1, 2, STALL_TRIES])
def test_a_motor_that_stalls_is_sent_again_and_that_is_said(rig, times):
    stall(rig, 1.5, times)
    assert rig.move(5.0) is None
    rig.assert_stands_at(5.0)
    often = "once" if times == 1 else f"{times} times"
    assert (
        rig.commands.snapshot.reason
        == f"the motor stalled {often} on its way and was sent again. Look at its load."
    )
    assert (logging.WARNING, rig.commands.snapshot.reason) in rig.announced


def test_a_motor_that_stalls_again_and_again_is_given_up_with_its_position(rig):
    stall(rig, 1.5, times=100)
    assert isinstance(rig.move(5.0), StalledError)
    assert sum(frame.startswith("#P092") for frame in rig.sent()[-40:]) >= 1 + STALL_TRIES
    rig.model.clear_faults()
    assert rig.commands.snapshot.state is State.IDLE
    rig.assert_honest()
    assert rig.move(2.0) is None
    rig.assert_stands_at(2.0)


def test_a_stall_does_not_outlast_move_timeout(make_rig):
    rig = make_rig(move_timeout_s=20.0)
    rig.home()
    stall(rig, 0.5, times=100)
    begun_s = rig.clock.monotonic()
    rig.move(5.0)
    assert rig.clock.monotonic() - begun_s < 20.0 + 8.0


def test_a_stop_ends_a_stalled_move(rig):
    stall(rig, 1.5)
    hold = rig.at_exchange

    def stop(number):
        hold(number)
        if rig.sent()[-1] == "#P021 F $":
            raise StoppedError("stopped by the test.")

    rig.at_exchange = stop
    assert isinstance(rig.move(5.0), StoppedError)
    rig.model.clear_faults()
    rig.assert_honest()
    assert rig.commands.snapshot.state is State.IDLE
