"""Reports in words: the lines of the contract to the letter, and no report that breaks them."""

from __future__ import annotations

from typing import Any

import pytest

from rockit.focuser.ok3z.cli import wording
from rockit.focuser.ok3z.constants import CommandStatus
from rockit.focuser.ok3z.driver.run_watch import SWITCH_REPEAT_STEPS

OLD_IDLE = {"date": "2026-11-22T20:00:00Z", "status": 1, "current_mm": 2.0, "target_mm": 2.0}


def offline(state: str, **more: Any) -> dict[str, Any]:
    return {"status": 0, "state": state, **more}


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
        (offline("disconnected"), []),
        ({"status": 2, "state": "moving", "leg": "overshoot", "reading_age_s": 0.1}, []),
        (
            offline("homing", homing_travelled_mm=0.75, time_left_s=33.0),
            ["  state: homing, 0.750 mm travelled, at most 33.0 s left"],
        ),
        (
            offline("homing", speed_mm_sec=0.485, time_left_s=4.5),
            ["  state: homing, leaving the limit switch, to come to it once more, at most 4.5 s left"],
        ),
        (
            offline("fault", reason="The port\nhung \x1b[31mup."),
            ["  state: fault", "  reason: The port hung [31mup."],
        ),
        (
            {"status": 1, "state": "idle", "reading_age_s": 12.4},
            ["  the position was read 12 s ago: the focuser does not answer"],
        ),
        ({"status": 1, "state": 7, "reason": None, "reading_age_s": "old"}, []),
        (
            offline("reconnecting", moving=False, reason="The port hung up."),
            ["  state: reconnecting, the daemon keeps trying by itself", "  reason: The port hung up."],
        ),
        (
            offline("reconnecting", moving=True),
            [
                "  state: reconnecting, the daemon keeps trying by itself",
                "  THE MOTOR MAY BE RUNNING: its last motion was not seen to end",
            ],
        ),
        ({"status": 2, "state": "moving", "moving": True}, []),
    ],
)
def test_details_are_given_only_where_there_is_something_to_say(report: Any, lines: list[str]) -> None:
    assert wording.detail_lines(report) == lines


RESUMED = {
    **OLD_IDLE,
    "state": "idle",
    "position_trust": "resumed",
    "homed_at": "2026-11-22T19:00:00Z",
    "trust_reason": "the controller was found as it had been left.",
}


@pytest.mark.parametrize(
    ("report", "lines"),
    [
        (OLD_IDLE, []),
        ({"status": 0}, []),
        ({**OLD_IDLE, "state": "idle", "position_trust": "homed", "homed_at": "2026-11-22T19:00:00Z"}, []),
        (
            RESUMED,
            [
                "  position resumed, last homed 2026-11-22 19:00:00 UTC "
                "(the controller was found as it had been left)"
            ],
        ),
        ({**OLD_IDLE, "position_trust": "resumed"}, ["  position resumed"]),
        (
            {**OLD_IDLE, "position_trust": "resumed", "homed_at": "last year"},
            ["  position resumed, last homed last year"],
        ),
        (
            offline("disconnected", position_trust="unknown"),
            ["  connect and home it with `focus init`"],
        ),
        (
            offline(
                "disconnected",
                position_trust="unknown",
                trust_reason="it stood at 2 mm; `focus init --resume` carries on from there.",
            ),
            ["  position unknown: it stood at 2 mm; `focus init --resume` carries on from there."],
        ),
        (
            offline(
                "unhomed",
                position_trust="unknown",
                reason="The register jumped.",
                trust_reason="The register jumped.",
            ),
            ["  home it with `focus init`"],
        ),
        (
            {**RESUMED, "reason": RESUMED["trust_reason"]},
            ["  position resumed, last homed 2026-11-22 19:00:00 UTC"],
        ),
        (offline("unhomed", reason="position lost: home it (focus init)."), []),
        (
            offline("reconnecting", position_trust="unknown", reason="The port hung up."),
            ["  look at its power, its cable and its adapter"],
        ),
        (offline("homing", position_trust="unknown"), []),
        (
            {**OLD_IDLE, "state_file_problem": "the disk is full."},
            ["  the disk is full."],
        ),
        (
            {**OLD_IDLE, "alpaca_problem": "its port is taken.", "state_file_problem": "the disk is full."},
            ["  the disk is full.", "  its port is taken."],
        ),
        ({**OLD_IDLE, "position_trust": 7, "trust_reason": [], "homed_at": {}, "state_file_problem": 1}, []),
    ],
)
def test_a_person_is_told_how_far_to_trust_the_position_and_what_to_do(report: Any, lines: list[str]) -> None:
    assert wording.status_lines(report) == lines


@pytest.mark.parametrize(
    ("report", "resume", "restore", "sentence"),
    [
        (
            RESUMED,
            True,
            False,
            "Resumed, last homed at 2026-11-22 19:00:00 UTC (the controller was found as it had been left).",
        ),
        (
            {**RESUMED, "position_trust": "homed", "trust_reason": ""},
            True,
            False,
            "It could not be resumed, so it was homed, at 2026-11-22 19:00:00 UTC. The daemon's log says why.",
        ),
        (
            {**OLD_IDLE, "position_trust": "homed", "current_mm": 0.0},
            False,
            True,
            "Homed at an unknown time. It stands at 0.000 mm: there was no other position to return to.",
        ),
        ({"position_trust": "homed"}, False, True, "Homed at an unknown time."),
        ({}, True, True, "The daemon does not say whether it has homed."),
        (
            {"position_trust": "unknown", "current_mm": "far"},
            False,
            True,
            "The daemon does not say whether it has homed.",
        ),
    ],
)
def test_what_came_of_an_initialisation(report: Any, resume: bool, restore: bool, sentence: str) -> None:
    assert wording.initialized(report, resume, restore) == sentence


@pytest.mark.parametrize(
    ("audit", "beginning", "ending"),
    [
        ({"lost_steps": 0, "lost_mm": 0.0, "since": None}, "no steps were lost since the last homing.", ""),
        (
            {"lost_steps": -1, "lost_mm": -0.0, "since": "2026-11-22T19:00:00Z"},
            "1 step (0.000 mm) of difference since the homing at 2026-11-22 19:00:00 UTC. ",
            "The limit switch repeats no better: nothing was lost.",
        ),
        ({"lost_steps": 32}, "32 steps of difference since the last homing. ", "nothing was lost."),
        (
            {"lost_steps": 33, "lost_mm": 0.006},
            "33 steps (0.006 mm) were lost since the last homing: the focuser stood further out than it said. ",
            "speed_mm_sec and acceleration_mm_sec_sec.",
        ),
        (
            {"lost_steps": -5088, "lost_mm": -1.0},
            "5088 steps (1.000 mm) were lost ",
            "acceleration_mm_sec_sec.",
        ),
        (
            {"lost_steps": None, "lost_mm": None},
            "the end of the homing run was not seen, so the lost steps cannot be counted. Audit again.",
            "",
        ),
        ({"lost_steps": "many"}, "the daemon does not say how many steps were lost.", ""),
        ({"lost_steps": float("nan")}, "the daemon does not say how many steps were lost.", ""),
        ([], "the daemon does not say how many steps were lost.", ""),
        (None, "the daemon does not say how many steps were lost.", ""),
    ],
)
def test_what_an_audit_found_and_what_it_means(audit: Any, beginning: str, ending: str) -> None:
    sentence = wording.audited({**OLD_IDLE, "audit": audit})

    assert sentence.startswith(f"Audit: {beginning}")
    assert sentence.endswith(ending)


def test_steps_were_lost_further_in_where_the_difference_is_negative() -> None:
    assert "further in than it said" in wording.audited({"audit": {"lost_steps": -100}})


def test_what_counts_as_lost_may_still_be_two_ends_that_homing_takes_for_one() -> None:
    assert wording.SWITCH_MARGIN_STEPS == 32 < SWITCH_REPEAT_STEPS


def test_the_live_line_without_a_link_has_no_speed() -> None:
    report = offline("reconnecting", moving=True, speed_mm_sec=0.0, reason="The port hung up.")

    assert wording.live_parts(report) == [
        "Focuser is OFFLINE",
        "reconnecting",
        "THE MOTOR MAY BE RUNNING",
        "The port hung up.",
    ]
    assert wording.live_parts(offline("disconnected")) == ["Focuser is OFFLINE"]


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


LOST = offline("reconnecting", moving=False)


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
        (
            {**LOST, "reason": "the port hung up."},
            "The port hung up. Its link is lost; the daemon opens the port again and again. "
            "Look at the cable and the power.",
        ),
        (
            {**LOST, "reason": "the port hung up. Look at the adapter."},
            "The port hung up. Look at the adapter. Its link is lost; the daemon opens the port again and again.",
        ),
        (
            {**LOST, "moving": True, "reason": "the port hung up. Look at the adapter."},
            "The port hung up. Look at the adapter. THE MOTOR MAY BE RUNNING: `focus stop` tries to halt it. "
            "Its link is lost; the daemon opens the port again and again.",
        ),
        (
            offline("disconnected", moving=True),
            "Focuser is OFFLINE. Look into the daemon's log. "
            "THE MOTOR MAY BE RUNNING: `focus stop` tries to halt it.",
        ),
        ({"status": 2, "state": "moving", "moving": True, "reason": "It stalls."}, "It stalls."),
        ({**LOST, "moving": "yes", "state": "disconnected", "reason": "It fell."}, "It fell."),
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
