"""A busy machine holds the process up, at any look at the clock: that loses no position, and hides no power cut."""

from __future__ import annotations

import pytest

from rockit.focuser.ok3z.errors import MoveTimeoutError, PositionLostError, StoppedError
from rockit.focuser.ok3z.service.status import State

# The drive of a real site, the fastest that the configuration may ask for, and a slow one.
DRIVES = {"usual": (0.5, 5.0), "fastest": (12.28, 46.85), "slow": (0.15, 46.85)}
LATE_S = (0.05, 0.2, 0.4, 1.0)


@pytest.fixture(params=DRIVES)
def any_drive(request, make_rig):
    """A homed focuser for each drive; its motor stops at once, so that nobody sees it slow down."""
    speed_mm_sec, acceleration_mm_sec_sec = DRIVES[request.param]
    rig = make_rig(
        # Its register there may be that of a power cut: far from where it is stopped.
        start_mm=8.0,
        register=-90000,
        stop_mode="hard",
        move_timeout_s=600.0,
        speed_mm_sec=speed_mm_sec,
        acceleration_mm_sec_sec=acceleration_mm_sec_sec,
    )
    rig.home()
    return rig


@pytest.mark.one_in(5)
@pytest.mark.parametrize("late_s", LATE_S)
@pytest.mark.parametrize("number", [4, 6, 9, 14])
def test_while_it_halts_the_position_is_kept(any_drive, number, late_s):
    """The motor runs on until the halt has left, however long the process was held up before it."""
    rig = any_drive
    for look in range(1, 15):
        # What is held up is what comes after the stop: the halt, and the looks for standstill.
        def stop_and_be_late(look: int = look) -> None:
            rig.late_clock.hold_up(look, late_s)
            raise StoppedError("stopped by the test.")

        rig.do_at(number, stop_and_be_late)
        outward = rig.position_mm < 3.0
        outcome = rig.move(5.5 if outward else 0.2)
        assert outcome is None or isinstance(outcome, StoppedError)
        assert rig.commands.snapshot.state is State.IDLE, (look, rig.commands.snapshot.reason)
        rig.assert_honest()


@pytest.mark.parametrize("late_s", LATE_S)
def test_in_a_move_it_arrives_all_the_same(any_drive, some_of, late_s):
    rig = any_drive
    for look in some_of(range(1, 120, 2), every=5):
        rig.late_clock.hold_up(look, late_s)
        target_mm = 0.2 if rig.position_mm > 0.3 else 0.4
        assert rig.move(target_mm) is None
        rig.assert_stands_at(target_mm)


def assert_position_is_lost(rig, outcome) -> None:
    assert isinstance(outcome, (StoppedError, PositionLostError))
    assert rig.commands.snapshot.state is State.UNHOMED
    assert "not known" in rig.commands.snapshot.reason


@pytest.mark.one_in(4)
@pytest.mark.parametrize("late_s", LATE_S)
@pytest.mark.parametrize("power_up_register", [0, -60000])
@pytest.mark.parametrize("resumed", [False, True])
def test_a_power_cut_meanwhile_is_still_found(make_rig, late_s, power_up_register, resumed):
    """The register begins anew further away than the motor can have come in the time that was lost."""
    for look in range(1, 10):
        rig = make_rig(stop_mode="hard", power_up_register=power_up_register)
        rig.home()
        if resumed:
            # How fast the motor is was not watched yet.
            rig.restart()
            rig.resume()

        def stop_and_be_late(rig=rig, look=look) -> None:
            rig.late_clock.hold_up(look, late_s)
            rig.model.power_cut()
            raise StoppedError("stopped by the test.")

        rig.do_at(20, stop_and_be_late)
        assert_position_is_lost(rig, rig.move(5.5))


@pytest.mark.parametrize("look", range(5, 9))
def test_time_that_is_lost_after_the_halt_has_left_is_none_to_run_in(rig, look):
    """A motor that was told to stop in time cannot have come so far, however late it is asked."""

    def stop_and_be_late() -> None:
        assert rig.model.is_moving
        rig.late_clock.hold_up(look, 1.0)
        rig.model.options.__dict__["power_up_register"] = rig.model.register - 2000
        rig.model.power_cut()
        raise StoppedError("stopped by the test.")

    rig.do_at(20, stop_and_be_late)
    assert_position_is_lost(rig, rig.move(5.5))


@pytest.mark.parametrize("late_s", [1.76, 2.4])
def test_at_rest_a_process_that_was_held_up_finds_its_answer_in_the_port(make_rig, late_s):
    """However long: the link is not lost for it."""
    rig = make_rig(baud_pacing=True)
    rig.home()
    rig.announced.clear()
    for look in range(1, 60):
        rig.late_clock.hold_up(look, late_s)
        rig.rest(2.0)
        assert rig.commands.snapshot.state is State.IDLE, (look, rig.commands.snapshot.reason)
    assert rig.announced == []


def test_in_a_move_a_process_that_was_held_up_for_longer_loses_no_link(any_drive, some_of):
    rig = any_drive
    for look in some_of(range(1, 90, 2), every=3):
        rig.late_clock.hold_up(look, 1.9)
        outcome = rig.move(0.2 if rig.position_mm > 0.3 else 0.4)
        # The time of the move may be over by then. Its position is not lost.
        assert outcome is None or isinstance(outcome, MoveTimeoutError), (look, outcome)
        assert rig.commands.snapshot.state is State.IDLE
        rig.assert_honest()
