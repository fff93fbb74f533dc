"""The record of motions: each motion of each command is there once, with how it ended."""

from __future__ import annotations

import pytest

from rockit.focuser.ok3z.errors import OutsideLimitsError, StoppedError
from rockit.focuser.ok3z.service.motion_log import MOST_MOTIONS, Result
from rockit.focuser.ok3z.service.status import State

MM = 5088
HOMED = ("homing", None, None, 0.0, Result.ARRIVED)


def told(rig) -> list[tuple]:
    """Each motion: whence and where to in mm, where it stands, its result. The first is the homing of the rig."""
    return [
        (
            "homing" if motion.homing else "move",
            *(mm(steps) for steps in (motion.from_steps, motion.to_steps, motion.at_steps)),
            motion.result,
        )
        for motion in rig.commands.motions
    ]


def mm(steps: int | None) -> float | None:
    return None if steps is None else round(steps / MM, 3)


def moved(start_mm: float, end_mm: float) -> tuple:
    return ("move", start_mm, end_mm, end_mm, Result.ARRIVED)


# Ends as they should be


def test_before_the_first_there_is_none(make_rig):
    rig = make_rig()
    assert rig.commands.motions == ()
    assert isinstance(rig.move(1.0), Exception)
    assert rig.commands.motions == ()


def test_homing_and_moves_are_counted_with_their_beginnings(make_rig):
    rig = make_rig()
    begun = []
    for run in (rig.home, lambda: rig.move(2.0), lambda: rig.move(1.9)):
        rig.clock.sleep(3600.0)
        begun.append(rig.late_clock.utc_now().strftime("%Y-%m-%dT%H:%M:%SZ"))
        run()
    assert told(rig) == [HOMED, moved(0.0, 2.0), moved(2.0, 1.9)]
    assert [motion.began_at for motion in rig.commands.motions] == begun
    assert [motion.number for motion in rig.commands.motions] == [1, 2, 3]
    assert [motion.reason for motion in rig.commands.motions] == ["", "", ""]


def test_two_moves_one_right_after_the_other_both_have_their_end(rig):
    """Not a moment of the clock lies between the end of the one and the beginning of the other."""
    clock_s = []
    for target_mm in (2.0, 3.0):
        clock_s.append(rig.clock.monotonic())
        assert rig.move(target_mm) is None
        clock_s.append(rig.clock.monotonic())
    assert clock_s[1] == clock_s[2]
    assert told(rig)[1:] == [moved(0.0, 2.0), moved(2.0, 3.0)]


def test_the_shortest_motion_is_no_exception(rig):
    assert rig.move(1.0) is None
    assert rig.move(1.0 - 1 / MM) is None
    assert rig.move(1.0 - 2 / MM) is None
    assert [motion.at_steps for motion in rig.commands.motions] == [0, MM, MM - 1, MM - 2]
    assert {motion.result for motion in rig.commands.motions} == {Result.ARRIVED}


def test_where_nothing_moves_there_is_no_motion(rig):
    assert rig.move(2.0) is None
    assert rig.move(2.0) is None
    assert rig.move(0.0, offset=True) is None
    assert isinstance(rig.move(7.0), OutsideLimitsError)
    assert rig.carry_out(rig.commands.halt_at_rest) is None
    rig.rest(30.0)
    assert rig.carry_out(rig.commands.shutdown) is None
    assert rig.carry_out(lambda: rig.commands.initialize(resume=True)) is None
    assert told(rig) == [HOMED, moved(0.0, 2.0)]


def test_back_and_forth_to_the_same_place_is_a_motion(rig):
    """After a stop on the way out the backlash is taken up where the focuser stands."""
    rig.interrupt_at(40)
    assert isinstance(rig.move(4.0), StoppedError)
    here_mm = mm(rig.commands.snapshot.current_steps)
    assert rig.move(0.0, offset=True) is None
    assert told(rig)[2:] == [moved(here_mm, here_mm)]  # type: ignore[arg-type]


def test_an_audit_is_a_homing_run_and_a_move(rig):
    assert rig.move(2.0) is None
    assert rig.carry_out(rig.commands.audit) is None
    homing = ("homing", 2.0, None, 0.0, Result.ARRIVED)
    assert told(rig) == [HOMED, moved(0.0, 2.0), homing, moved(0.0, 2.0)]


def test_an_audit_at_0_has_nowhere_to_return(rig):
    assert rig.carry_out(rig.commands.audit) is None
    assert told(rig) == [HOMED, ("homing", 0.0, None, 0.0, Result.ARRIVED)]


def test_restoring_is_a_homing_run_and_a_move(rig):
    assert rig.move(2.0) is None
    assert rig.carry_out(rig.commands.shutdown) is None
    assert rig.carry_out(lambda: rig.commands.initialize(restore=True)) is None
    assert told(rig) == [HOMED, moved(0.0, 2.0), HOMED, moved(0.0, 2.0)]


def test_a_homing_run_that_had_to_be_proven_is_one_motion(make_rig):
    """At the switch already: it backs off and comes again."""
    rig = make_rig(start_mm=0.0)
    rig.home()
    assert told(rig) == [HOMED]


def test_an_arrival_keeps_what_there_is_to_say_of_it(rig):
    assert rig.move(5.8) is None
    assert told(rig)[1:] == [moved(0.0, 5.8)]
    assert "0.300 mm short of taking up the backlash" in rig.commands.motions[-1].reason
    assert rig.move(3.0) is None
    assert rig.commands.motions[-1].reason == ""


def test_only_the_last_are_kept_and_keep_their_numbers(rig):
    for count in range(MOST_MOTIONS + 5):
        assert rig.move(0.1 * (count % 2 + 1)) is None
    numbers = [motion.number for motion in rig.commands.motions]
    assert numbers == list(range(7, MOST_MOTIONS + 7))


def test_a_motion_is_there_while_it_runs_and_a_record_once_read_never_changes(rig):
    seen = []
    rig.at_exchange = lambda number: seen.append(rig.commands.motions)
    assert rig.move(1.0) is None
    assert {len(motions) for motions in seen} == {2}
    assert len({id(motions) for motions in seen}) == 1, "it was made anew though nothing had changed"
    assert seen[0][-1].result is Result.RUNNING
    assert seen[0][-1].at_steps is None
    assert rig.commands.motions[-1].result is Result.ARRIVED


def test_whoever_reads_a_snapshot_finds_the_motions_that_belong_to_it(rig):
    """At no published snapshot, however short it stands, do the motions lag behind it."""
    board = rig.commands._publisher
    lagging = []

    class Watched(type(board)):  # type: ignore[misc]
        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            if name == "snapshot":
                running = bool(self.motions) and self.motions[-1].result is Result.RUNNING
                if running is not (value.state in (State.MOVING, State.HOMING)):
                    lagging.append(value.state)

    board.__class__ = Watched
    assert rig.move(1.0) is None
    assert rig.carry_out(rig.commands.audit) is None
    assert lagging == []


# Stops


@pytest.mark.matrix
def test_a_stop_in_every_exchange_of_a_move_ends_one_motion_where_it_stands(make_rig):
    number = 0
    while True:
        number += 5
        rig = make_rig(start_mm=0.4)
        rig.home()
        rig.interrupt_at(number)
        if rig.move(0.8) is None:
            break
        here_mm = mm(rig.commands.snapshot.current_steps)
        assert told(rig) == [HOMED, ("move", 0.0, 0.8, here_mm, Result.SHORT)]
        assert rig.commands.motions[-1].reason == "stopped by the test."
        # Nothing of it is said of the next.
        assert rig.move(1.0) is None
        assert told(rig)[2:] == [moved(here_mm, 1.0)]  # type: ignore[arg-type]
        assert rig.commands.motions[-1].reason == ""
    assert number > 20
    assert told(rig) == [HOMED, moved(0.0, 0.8)]


def test_a_stop_at_the_target_before_the_arrival_is_proven_is_no_arrival(rig):
    """The caller was told that it was stopped: so was the motion."""
    assert rig.move(2.0) is None

    def stop_there(number):
        if rig.model.motor_mm == pytest.approx(1.5, abs=0.5 / MM) and not rig.model.is_moving:
            raise StoppedError("stopped by the test.")

    rig.at_exchange = stop_there
    assert isinstance(rig.move(1.5), StoppedError)
    assert told(rig)[2:] == [("move", 2.0, 1.5, 1.5, Result.SHORT)]


@pytest.mark.matrix
def test_a_stop_in_every_exchange_of_homing_ends_one_motion_that_was_stopped(make_rig):
    number, begun = 0, 0
    while True:
        number += 5
        rig = make_rig(start_mm=0.4)
        rig.interrupt_at(number)
        if rig.carry_out(rig.commands.initialize) is None:
            break
        # Before the controller was identified nothing was begun.
        for motion in rig.commands.motions:
            begun += 1
            assert (motion.homing, motion.result) == (True, Result.STOPPED)
            assert motion.reason.startswith("stopped by the test. The position is not known")
        assert len(rig.commands.motions) <= 1
    assert begun > 5
    assert told(rig) == [HOMED]


def test_an_audit_that_is_stopped_before_it_ran_has_not_homed(rig):
    assert rig.move(2.0) is None
    state = []

    def stop(number):
        state.append(rig.commands.snapshot.state)
        if state[-1] is State.HOMING:
            raise StoppedError("stopped by the test.")

    rig.at_exchange = stop
    assert isinstance(rig.carry_out(rig.commands.audit), StoppedError)
    rig.assert_stands_at(2.0)
    assert told(rig)[2:] == [("homing", 2.0, None, 2.0, Result.SHORT)]


def test_a_stop_of_an_audit_on_its_way_back_leaves_the_homing_run_as_it_was(rig):
    assert rig.move(4.0) is None

    def stop(number):
        if rig.commands.snapshot.state is State.MOVING and rig.model.motor_mm > 1.0:
            raise StoppedError("stopped by the test.")

    rig.at_exchange = stop
    assert isinstance(rig.carry_out(rig.commands.audit), StoppedError)
    here_mm = mm(rig.commands.snapshot.current_steps)
    homing = ("homing", 4.0, None, 0.0, Result.ARRIVED)
    assert told(rig)[2:] == [homing, ("move", 0.0, 4.0, here_mm, Result.SHORT)]


def test_the_end_of_the_daemon_ends_the_motion(rig):
    rig.interrupt_at(40)
    assert isinstance(rig.move(4.0), StoppedError)
    here_mm = mm(rig.commands.snapshot.current_steps)
    rig.commands.leave()
    assert told(rig)[1:] == [("move", 0.0, 4.0, here_mm, Result.SHORT)]
    assert rig.commands.motions[-1].reason == "stopped by the test."
