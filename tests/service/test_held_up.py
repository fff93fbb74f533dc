"""A process that is held up for seconds (a suspended machine, SIGSTOP) loses no position, and fails no move."""

from __future__ import annotations

import pytest

from rockit.focuser.ok3z.errors import StoppedError
from rockit.focuser.ok3z.service.status import State


@pytest.mark.parametrize(("register", "every"), [(-40000, 9), (2000, 1)])
@pytest.mark.parametrize("held_s", [0.7, 3.0, 40.0])
def test_a_move_arrives_wherever_the_process_was_held_up(make_rig, held_s, register, every):
    """Also if the register of a power cut lies on the way, and it is past that when the process is back."""
    rig = make_rig(start_mm=0.5, register=register)
    rig.home()
    for look in range(1, 200 if every > 1 else 40, every):
        target_mm = 0.3 if rig.position_mm > 1.0 else 1.4
        rig.late_clock.hold_up(look, held_s)
        assert rig.move(target_mm) is None, look
        rig.assert_stands_at(target_mm)


@pytest.mark.parametrize("held_s", [0.7, 3.0])
def test_rest_and_homing_outlast_it(make_rig, held_s):
    rig = make_rig(start_mm=0.5)
    for look in range(1, 300, 23):
        rig.late_clock.hold_up(look, held_s)
        rig.home()
        rig.assert_stands_at(0.0)
        rig.late_clock.hold_up(look % 7 + 1, held_s)
        rig.rest(3.0)
        assert rig.commands.snapshot.state is State.IDLE
        rig.carry_out(rig.commands.shutdown)


@pytest.mark.parametrize("held_s", [3.0, 40.0])
def test_a_stop_outlasts_it(make_rig, held_s):
    rig = make_rig(start_mm=0.5)
    rig.home()
    for look in range(1, 12):

        def stop(number, look=look):
            if rig.model.is_moving:
                rig.at_exchange = lambda number: None
                rig.late_clock.hold_up(look, held_s)
                raise StoppedError("stopped by the test.")

        rig.at_exchange = stop
        assert isinstance(rig.move(0.3 if rig.position_mm > 1.0 else 3.0), StoppedError)
        assert rig.commands.snapshot.state is State.IDLE, (look, rig.commands.snapshot.reason)
        rig.assert_honest()
