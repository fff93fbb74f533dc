"""Reports in words: the lines of the contract to the letter, and no report that breaks them."""

from __future__ import annotations

from typing import Any

import pytest

from rockit.focuser.ok3z.command import wording
from rockit.focuser.ok3z.constants import CommandStatus

OLD_IDLE = {"date": "2026-11-22T20:00:00Z", "status": 1, "current_mm": 2.0, "target_mm": 2.0}


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (OLD_IDLE, "Focuser is IDLE (2.000 mm)"),
        ({**OLD_IDLE, "target_mm": 3.0}, "Focuser is IDLE (2.000 mm)"),
        ({"status": 2, "current_mm": 1.234, "target_mm": 2}, "Focuser is MOVING (1.234 / 2.000 mm)"),
        ({"status": 2, "current_mm": 1.234}, "Focuser is MOVING (1.234 mm)"),
        ({"status": 1, "current_mm": -0.0001}, "Focuser is IDLE (0.000 mm)"),
        ({"status": 0}, "Focuser is OFFLINE"),
        ({"status": 0, "current_mm": 1.0, "target_mm": 1.0}, "Focuser is OFFLINE"),
        ({"status": 1}, "Focuser is IDLE (position unknown)"),
        ({"status": 1, "current_mm": True}, "Focuser is IDLE (position unknown)"),
        ({"status": 1, "current_mm": float("nan")}, "Focuser is IDLE (position unknown)"),
        ({"status": 2, "current_mm": "1", "target_mm": None}, "Focuser is MOVING (position unknown)"),
        ({"status": 9}, "Focuser is UNKNOWN"),
        ({"status": None}, "Focuser is UNKNOWN"),
        ({"status": []}, "Focuser is UNKNOWN"),
        ({}, "Focuser is UNKNOWN"),
    ],
)
def test_the_status_line(report: Any, line: str) -> None:
    assert wording.status_line(report) == line


def test_with_formatting_only_the_label_is_marked_up() -> None:
    assert wording.status_line(OLD_IDLE, formatting=True) == "Focuser is [b][default]IDLE[/][/b] (2.000 mm)"


@pytest.mark.parametrize(
    ("report", "lines"),
    [
        (OLD_IDLE, []),
        ({"status": 0, "state": "disconnected"}, []),
        ({"status": 2, "state": "moving", "leg": "overshoot", "reading_age_s": 0.1}, []),
        (
            {"status": 0, "state": "homing", "homing_travelled_mm": 0.75, "time_left_s": 33.0},
            ["  state: homing, 0.750 mm travelled, at most 33.0 s left"],
        ),
        (
            {"status": 0, "state": "fault", "reason": "The port\nhung \x1b[31mup."},
            ["  state: fault", "  reason: The port hung [31mup."],
        ),
        (
            {"status": 1, "state": "idle", "reading_age_s": 12.4},
            ["  the position was read 12 s ago: the focuser does not answer"],
        ),
        ({"status": 1, "state": 7, "reason": None, "reading_age_s": "old"}, []),
    ],
)
def test_details_are_given_only_where_there_is_something_to_say(report: Any, lines: list[str]) -> None:
    assert wording.detail_lines(report) == lines


def test_the_live_line_of_a_move_gives_the_leg_the_speed_and_the_time_left() -> None:
    report = {
        "status": 2,
        "state": "moving",
        "leg": "overshoot",
        "current_mm": 2.75,
        "target_mm": 2.5,
        "speed_mm_sec": 0.4918,
        "time_left_s": 3.14,
    }

    assert wording.live_parts(report) == [
        "Focuser is MOVING (2.750 / 2.500 mm)",
        "overshoot",
        "+0.492 mm/s",
        "3.1 s left",
    ]


def test_the_live_line_of_an_old_daemon_is_its_status_line() -> None:
    assert wording.live_parts(OLD_IDLE) == ["Focuser is IDLE (2.000 mm)"]


@pytest.mark.parametrize(
    ("width", "line"),
    [(80, "abcdef  ghi  jkl"), (16, "abcdef  ghi  jkl"), (15, "abcdef  ghi"), (10, "abcdef"), (4, "abcd")],
)
def test_a_narrow_terminal_shows_the_most_important_parts(width: int, line: str) -> None:
    assert wording.fitted(["abcdef", "ghi", "jkl"], width) == line


@pytest.mark.parametrize("status", [2, 3, 7, 8])
def test_a_refusal_begins_with_the_published_message_and_says_what_to_do(status: int) -> None:
    line = wording.refusal(status)

    assert line.startswith(CommandStatus.message(status) + ". ")
    assert line.endswith(".")
    assert "\n" not in line


def test_a_status_of_tomorrow_is_still_one_line() -> None:
    assert wording.refusal(42) == CommandStatus.message(42)


@pytest.mark.parametrize(
    ("report", "ending"),
    [
        (None, "Look at `focus status`, and into the daemon's log."),
        ({"status": 0, "reason": "The motor does not advance."}, "The motor does not advance."),
        ({"status": 0}, "Focuser is OFFLINE. Look into the daemon's log."),
        (OLD_IDLE, "It was stopped, or did not arrive. Focuser is IDLE (2.000 mm)."),
    ],
)
def test_a_failure_gives_the_reason_that_the_daemon_knows(report: Any, ending: str) -> None:
    assert wording.refusal(CommandStatus.Failed, report) == f"error: command failed. {ending}"


@pytest.mark.parametrize(
    ("asked_for_mm", "range_mm", "offset", "report", "ending"),
    [
        (7.0, 6.0, False, OLD_IDLE, "7 mm is not between 0 and 6 mm."),
        (7.0, None, False, None, "7 mm is not between 0 mm and focus_range_mm."),
        (4.5, 6.0, True, OLD_IDLE, "2 mm +4.5 mm is 6.5 mm, which is not between 0 and 6 mm."),
        (-3.0, 6.0, True, None, "The target with -3 mm is not between 0 and 6 mm."),
    ],
)
def test_a_position_outside_the_range_is_told_with_the_range(
    asked_for_mm: float, range_mm: Any, offset: bool, report: Any, ending: str
) -> None:
    line = wording.outside_range(asked_for_mm, range_mm, offset, report)

    assert line == f"error: requested position outside range. {ending}"
