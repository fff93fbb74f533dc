"""The record of motions by itself, and as the service gives it to readers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rockit.focuser.ok3z.driver.planning import Drive, Limits
from rockit.focuser.ok3z.errors import Sentence, whole
from rockit.focuser.ok3z.service.focuser import STALE_S, Focuser
from rockit.focuser.ok3z.service.motion_log import (
    MOST_MOTIONS,
    UNANSWERED,
    MotionLog,
    RecordedMotion,
    Result,
    unanswered,
)
from rockit.focuser.ok3z.service.settings import Settings
from rockit.focuser.ok3z.service.status import State
from rockit.focuser.ok3z.storage.state_store import StateStore

SETTINGS = Settings("the bench", 5.0, 180.0, Limits.from_mm(6.0, 6.0, 0.5), Drive.from_mm(0.5, 5.0))
AT = "2026-11-22T20:00:00Z"


@pytest.fixture(name="log")
def fixture_log():
    """The record of a focuser that has just begun to move from step 1000 to step 3000."""
    log = MotionLog()
    log.begins(homing=False, began_at=AT, from_steps=1000, to_steps=3000)
    return log


def test_a_motion_is_told_from_its_beginning_to_its_end(log):
    (begun,) = log.record
    assert begun == RecordedMotion(1, False, AT, 1000, 3000)
    log.stands(Result.ARRIVED, 3000, "a word.", 7.5)
    assert log.record == (
        replace(begun, result=Result.ARRIVED, at_steps=3000, reason="a word.", ended_s=7.5),
    )


def test_a_reason_of_which_strangers_read_less_is_kept_whole(log):
    log.stands(Result.SHORT, 2000, Sentence("stopped.", "stopped by 10.0.0.1."), 7.5)
    assert (log.record[0].reason, whole(log.record[0].reason)) == ("stopped.", "stopped by 10.0.0.1.")


def test_the_same_object_is_kept_where_nothing_has_changed(log):
    log.stands(Result.ARRIVED, 3000, "", 7.5)
    ended = log.record
    log.stands(Result.ARRIVED, 3000, "", 8.5)
    log.unseen("the port hung up.")
    assert log.record is ended
    nothing = MotionLog()
    nothing.stands(Result.ARRIVED, 0, "", 1.0)
    nothing.unseen("")
    assert nothing.record == ()


def test_a_motion_without_an_end_is_unseen_when_the_next_begins(log):
    log.begins(homing=True, began_at=AT, from_steps=None, to_steps=None)
    assert [motion.result for motion in log.record] == [Result.UNSEEN, Result.RUNNING]


def test_it_is_found_once_and_stays_so(log):
    log.unseen("the port hung up.")
    log.unseen("it is not back.")
    log.stands(Result.FAILED, None, "nobody knows where.", 8.0)
    log.stands(Result.ARRIVED, 1500, "", 9.0)
    log.stands(Result.ARRIVED, 2000, "", 10.0)
    (motion,) = log.record
    assert (motion.result, motion.at_steps, motion.reason) == (Result.UNSEEN, 1500, "the port hung up.")
    assert motion.ended_s is None


def test_it_is_bounded_while_one_runs_too(log):
    for _ in range(2 * MOST_MOTIONS - 1):
        log.stands(Result.ARRIVED, 3000, "", 7.5)
        log.begins(homing=False, began_at=AT, from_steps=1000, to_steps=3000)
    assert [motion.number for motion in log.record] == list(range(MOST_MOTIONS + 1, 2 * MOST_MOTIONS + 1))


def test_where_the_service_does_not_answer_a_motion_is_unseen_and_an_end_stands(log):
    running = log.record
    (motion,) = unanswered(running)
    assert motion == replace(running[0], result=Result.UNSEEN, reason=UNANSWERED)
    log.stands(Result.ARRIVED, 3000, "", 7.5)
    assert unanswered(log.record) is log.record
    assert unanswered(()) == ()


def test_a_service_that_hangs_in_a_motion_says_so_until_it_is_back(rig):
    """As a `Focuser` reads it, whose thread does what the rig does."""
    focuser = Focuser(SETTINGS, rig.port, lambda *_: None, StateStore(None, lambda *_: None), rig.late_clock)
    focuser._commands = rig.commands
    seen = []

    def hang(number):
        if rig.model.is_moving and not seen:
            seen.append(focuser.motions[-1].result)
            rig.clock.sleep(STALE_S + 0.1)
            assert focuser.snapshot.state is State.FAULT
            seen.append(focuser.motions[-1].result)
            before = focuser.motions
            rig.clock.sleep(1.0)
            assert focuser.motions == before, "the page is sent it again and again"

    rig.at_exchange = hang
    assert rig.move(5.0) is None
    assert seen == [Result.RUNNING, Result.UNSEEN]
    assert focuser.motions[-1].result is Result.ARRIVED
