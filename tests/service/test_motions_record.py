"""The record of motions by itself, and as the service gives it to readers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rockit.focuser.ok3z.driver.planning import Drive, Limits
from rockit.focuser.ok3z.errors import Sentence, whole
from rockit.focuser.ok3z.service.focuser import STALE_S, Focuser
from rockit.focuser.ok3z.service.motion_log import MOST_MOTIONS, UNANSWERED, Result, recorded, unanswered
from rockit.focuser.ok3z.service.settings import Settings
from rockit.focuser.ok3z.service.status import Snapshot, State
from rockit.focuser.ok3z.simulator import VirtualClock
from rockit.focuser.ok3z.storage.state_store import Journal

SETTINGS = Settings("the bench", 5.0, 180.0, Limits.from_mm(6.0, 6.0, 0.5), Drive.from_mm(0.5, 5.0))
AT = "2026-11-22T20:00:00Z"
IDLE = Snapshot(State.IDLE, current_steps=1000, target_steps=1000, read_at_s=1.0)
MOVING = replace(IDLE, state=State.MOVING, target_steps=3000)
STOPPING = replace(MOVING, state=State.STOPPING, reason="stopped by 10.0.0.1.")
LOST = Snapshot(State.RECONNECTING, reason="the port hung up.", motion_unproven=True)


def record_of(*snapshots):
    record, before = (), Snapshot()
    for snapshot in snapshots:
        record = recorded(record, before, snapshot, AT)
        before = snapshot
    return record


def results(*snapshots):
    return [motion.result for motion in record_of(*snapshots)]


def test_the_reason_of_the_end_goes_before_that_of_the_halt():
    (motion,) = record_of(IDLE, MOVING, STOPPING, replace(IDLE, reason="stopped. It stands now."))
    assert motion.reason == "stopped. It stands now."
    (motion,) = record_of(IDLE, MOVING, STOPPING, Snapshot())
    assert (motion.result, motion.reason) == (Result.UNSEEN, "stopped by 10.0.0.1.")


def test_a_reason_of_which_strangers_read_less_is_kept_whole():
    named = Sentence("stopped.", "stopped by 10.0.0.1.")
    (motion,) = record_of(IDLE, MOVING, replace(STOPPING, reason=named), Snapshot())
    assert (motion.reason, whole(motion.reason)) == ("stopped.", "stopped by 10.0.0.1.")


def test_a_reason_from_before_the_motion_is_none_of_its_own():
    (motion,) = record_of(replace(IDLE, reason="an old story."), MOVING, replace(IDLE, current_steps=3000))
    assert motion.reason == ""


def test_the_same_object_is_returned_where_nothing_has_changed():
    record = record_of(IDLE, MOVING)
    assert recorded(record, MOVING, replace(MOVING, current_steps=2000), AT) is record
    assert recorded(record, MOVING, STOPPING, AT) is record
    ended = record_of(IDLE, MOVING, IDLE)
    assert recorded(ended, IDLE, replace(IDLE, read_at_s=2.0), AT) is ended
    assert recorded((), Snapshot(), IDLE, AT) == ()


def test_what_never_happens_ends_no_thread_and_loses_no_motion():
    """A next motion that begins without an end of the one before."""
    homing = Snapshot(State.HOMING)
    assert results(MOVING, replace(MOVING, target_steps=5)) == [Result.UNSEEN, Result.RUNNING]
    assert results(MOVING, homing) == [Result.UNSEEN, Result.RUNNING]
    assert results(homing, MOVING) == [Result.UNSEEN, Result.RUNNING]


@pytest.mark.parametrize("state", State)
def test_every_state_ends_a_motion_or_is_a_part_of_it(state):
    (motion,) = record_of(IDLE, MOVING, replace(MOVING, state=state))[:1]
    assert (motion.result is Result.RUNNING) == (state in (State.MOVING, State.STOPPING))


def test_it_is_found_once_and_stays_so():
    elsewhere = replace(IDLE, current_steps=2000)
    (motion,) = record_of(IDLE, MOVING, LOST, LOST, IDLE, elsewhere)
    assert (motion.result, motion.at_steps, motion.reason) == (Result.UNSEEN, 1000, "the port hung up.")


def test_it_is_bounded_while_one_runs_too():
    snapshots = [IDLE, MOVING] * (2 * MOST_MOTIONS)
    record = record_of(*snapshots)
    assert [motion.number for motion in record] == list(range(MOST_MOTIONS + 1, 2 * MOST_MOTIONS + 1))


def test_where_the_service_does_not_answer_a_motion_is_unseen_and_an_end_stands():
    running = record_of(IDLE, MOVING)
    (motion,) = unanswered(running)
    assert motion == replace(running[0], result=Result.UNSEEN, reason=UNANSWERED)
    ended = record_of(IDLE, MOVING, IDLE)
    assert unanswered(ended) is ended
    assert unanswered(()) == ()


def test_a_service_that_hangs_in_a_motion_says_so_until_it_is_back():
    clock = VirtualClock()
    focuser = Focuser(SETTINGS, lambda: None, lambda *_: None, Journal(None, lambda *_: None), clock)
    board = focuser._commands._board
    at_s = clock.monotonic()
    board.publish(replace(IDLE, read_at_s=at_s))
    board.publish(replace(MOVING, read_at_s=at_s))
    clock.sleep(STALE_S)
    assert [motion.result for motion in focuser.motions] == [Result.RUNNING]
    clock.sleep(0.1)
    assert focuser.snapshot.state is State.FAULT
    assert [motion.result for motion in focuser.motions] == [Result.UNSEEN]
    before = focuser.motions
    clock.sleep(1.0)
    assert focuser.motions == before, "the page is sent it again and again"
    board.publish(replace(MOVING, read_at_s=clock.monotonic()))
    assert focuser.motions[-1].result is Result.RUNNING
    board.publish(replace(IDLE, current_steps=3000, read_at_s=clock.monotonic()))
    assert [motion.result for motion in focuser.motions] == [Result.ARRIVED]
