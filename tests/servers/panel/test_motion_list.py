"""The list of moves: the service's record in words."""

from __future__ import annotations

import json
from dataclasses import replace

from rockit.focuser.ok3z.errors import Sentence
from rockit.focuser.ok3z.servers.panel.motion_list import MotionList
from rockit.focuser.ok3z.service.motion_log import RecordedMotion, Result

AT = "2026-11-22T20:00:00Z"
STEPS_PER_MM = 5088
MOVE = RecordedMotion(1, False, AT, STEPS_PER_MM, 2 * STEPS_PER_MM)
HOMING = RecordedMotion(1, True, AT, None, None)


def told(*motions: RecordedMotion) -> list[str]:
    moves = MotionList()
    moves.see(motions)
    return [f"{move['what']}: {move['result']}, {move['words']}" for move in moves.shown()]


def test_everything_that_the_page_shows_of_a_move() -> None:
    moves = MotionList()
    moves.see((replace(MOVE, at_steps=2 * STEPS_PER_MM, result=Result.ARRIVED),))
    assert moves.shown() == [
        {
            "number": 1,
            "at": "2026-11-22 20:00:00 UTC",
            "what": "1.000 → 2.000",
            "result": "arrived",
            "words": "arrived",
            "reason": "",
        }
    ]


def test_each_result_of_a_move_and_of_homing() -> None:
    for motion, begin, at_mm, result, words in (
        (MOVE, "1.000 → 2.000", None, Result.RUNNING, "running, under way"),
        (MOVE, "1.000 → 2.000", 2, Result.ARRIVED, "arrived, arrived"),
        (MOVE, "1.000 → 2.000", 1.5, Result.SHORT, "short, ended at 1.500"),
        (MOVE, "1.000 → 2.000", 2, Result.SHORT, "short, ended at 2.000"),
        (MOVE, "1.000 → 2.000", None, Result.FAILED, "failed, failed"),
        (MOVE, "1.000 → 2.000", None, Result.UNSEEN, "unseen, end not seen"),
        (MOVE, "1.000 → 2.000", 1.75, Result.UNSEEN, "unseen, end not seen, found at 1.750"),
        (HOMING, "Homing", None, Result.RUNNING, "running, under way"),
        (HOMING, "Homing", 0, Result.ARRIVED, "arrived, homed"),
        (HOMING, "Homing", 1, Result.SHORT, "short, ended at 1.000"),
        (HOMING, "Homing", None, Result.STOPPED, "stopped, stopped"),
        (HOMING, "Homing", None, Result.FAILED, "failed, failed"),
        (HOMING, "Homing", None, Result.UNSEEN, "unseen, end not seen"),
    ):
        at_steps = None if at_mm is None else round(at_mm * STEPS_PER_MM)
        assert told(replace(motion, at_steps=at_steps, result=result)) == [f"{begin}: {words}"]


def test_what_is_not_known_is_no_number_and_there_is_no_negative_nought() -> None:
    assert told(replace(MOVE, from_steps=None)) == ["? → 2.000: running, under way"]
    assert told(replace(MOVE, from_steps=-0, to_steps=0)) == ["0.000 → 0.000: running, under way"]


def test_a_reason_stands_as_a_sentence_which_is_whole_for_who_may_control() -> None:
    moves = MotionList()
    for reason, shown in (
        ("stopped by 10.0.0.1.", "Stopped by 10.0.0.1."),
        ("/dev/ok3z is gone.", "/dev/ok3z is gone."),
        ("nan mm was asked for.", "nan mm was asked for."),
        ("", ""),
    ):
        moves.see((replace(MOVE, result=Result.SHORT, reason=reason),))
        assert moves.shown()[0]["reason"] == shown
    named = Sentence("stopped.", "stopped by 10.0.0.1.")
    moves.see((replace(MOVE, result=Result.SHORT, reason=named),))
    for may_control, text in ((False, "Stopped."), (True, "Stopped by 10.0.0.1.")):
        reason = moves.shown(may_control)[0]["reason"]
        assert (type(reason), json.dumps(reason)) == (str, f'"{text}"')


def test_it_says_whether_the_list_has_changed() -> None:
    moves = MotionList()
    ended = replace(MOVE, result=Result.ARRIVED)
    records = [(), (MOVE,), (MOVE,), (replace(MOVE),), (ended,), (ended, replace(MOVE, number=2))]
    assert [moves.see(record) for record in records] == [False, True, False, False, True, True]


def test_the_newest_come_first() -> None:
    moves = MotionList()
    moves.see(tuple(replace(MOVE, number=number) for number in (7, 8, 9)))
    assert [move["number"] for move in moves.shown()] == [9, 8, 7]
