"""`focus` on a terminal: bar, colours and their absence. The terminals are real pseudo-terminals."""

from __future__ import annotations

import re
import signal
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

MOVING: dict[str, Any] = {
    "status": 2,
    "state": "moving",
    "leg": "approach",
    "current_mm": 1.5,
    "target_mm": 2.5,
    "time_left_s": 2.0,
    "speed_mm_sec": -0.49,
}
ARRIVED: dict[str, Any] = {"status": 1, "state": "idle", "current_mm": 2.5, "target_mm": 2.5}


def _timed(line: str) -> str:
    """What stands behind the UTC time of a line that `focus watch` wrote into a pipe."""
    time_text, space, said = line.partition(" ")
    moment = datetime.strptime(time_text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time_text)
    assert abs(datetime.now(timezone.utc) - moment) < timedelta(minutes=1)
    assert space
    return said


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]|\r", "", text)


def test_a_move_shows_a_bar_and_ends_with_the_result_line(script: Any, on_terminal: Any) -> None:
    held = script.hold("set_focus")
    script.report = MOVING
    terminal = on_terminal("set", "2.5")
    terminal.read_until("2.0 s left")
    script.report = ARRIVED
    held.set()

    code, text = terminal.end()
    assert code == 0
    assert "Approach" in text
    assert "━" in text
    assert "1.500 / 2.500 mm" in text
    last_lines = _plain(text).splitlines()[-2:]
    assert "Done" in last_lines[0]
    assert last_lines[1] == "Focuser is IDLE (2.500 mm)"
    # The cursor is hidden while the bar moves, and shown again.
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_ctrl_c_on_a_terminal_leaves_it_in_order(script: Any, on_terminal: Any) -> None:
    held = script.hold("set_focus")
    script.report = MOVING

    def obey() -> int:
        script.answers["set_focus"] = 1
        script.report = {**ARRIVED, "current_mm": 1.75}
        held.set()
        return 0

    script.answers["stop"] = obey
    terminal = on_terminal("set", "2.5")
    terminal.read_until("2.0 s left")
    terminal.popen.send_signal(signal.SIGINT)

    code, text = terminal.end()
    assert code == 156
    assert text.replace("\r", "").endswith("error: terminated by user\nStopped at 1.750 mm\n")
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_a_refusal_shows_no_bar(script: Any, on_terminal: Any) -> None:
    script.answers["set_focus"] = 7

    code, text = on_terminal("set", "2.5").end()
    assert code == 7
    assert text == "error: focuser is not connected. Connect and home it with `focus init`.\r\n"


def test_a_terminal_that_cannot_redraw_gets_the_result_line_only(script: Any, on_terminal: Any) -> None:
    held = script.hold("set_focus")
    script.report = MOVING
    terminal = on_terminal("set", "2.5", TERM="dumb")
    script.wait_for_call("set_focus")
    script.report = ARRIVED
    held.set()

    code, text = terminal.end()
    assert code == 0
    assert text == "Focuser is IDLE (2.500 mm)\r\n"
    # A display that draws nothing would still ask.
    assert script.reads == 1


def test_no_color_is_respected_by_bar_and_result(script: Any, on_terminal: Any) -> None:
    held = script.hold("set_focus")
    script.report = MOVING
    terminal = on_terminal("set", "2.5", NO_COLOR="1")
    terminal.read_until("2.0 s left")
    script.report = {**MOVING, "current_mm": 2.5}
    held.set()

    _, text = terminal.end()
    assert "━" in text
    assert not [number for number in range(30, 50) if f"\x1b[{number}m" in text or f";{number}m" in text]


def test_the_status_is_coloured_on_a_terminal_and_says_more_below(script: Any, on_terminal: Any) -> None:
    script.report = {"status": 0, "state": "fault", "reason": "Reply [b]lost[/b]."}

    code, text = on_terminal("status").end()
    assert code == 0
    assert "\x1b[1;31mOFFLINE\x1b[0m" in text
    # The daemon's text is no markup.
    assert text.replace("\r", "").endswith("\n  state: fault\n  reason: Reply [b]lost[/b].\n")


@pytest.mark.parametrize("report", [ARRIVED, MOVING, {"status": 0}], ids=["idle", "moving", "offline"])
def test_of_the_status_line_the_label_alone_is_bold(report: Any, script: Any, on_terminal: Any) -> None:
    script.report = report

    _, text = on_terminal("status").end()
    line = text.splitlines()[0]
    label = re.search("IDLE|MOVING|OFFLINE", line)
    assert label is not None
    colours = r"\x1b\[[0-9;]*m"
    assert len(re.findall(colours, line[: label.start()])) == 1
    assert re.findall(colours, line[label.end() :]) == ["\x1b[0m"]


def test_a_person_who_asks_for_the_status_is_told_how_far_to_trust_it(script: Any, on_terminal: Any) -> None:
    script.report = {
        **ARRIVED,
        "position_trust": "resumed",
        "homed_at": "2026-11-22T19:00:00Z",
        "state_file_problem": "The disk is full.",
    }

    _, text = on_terminal("status").end()
    assert _plain(text) == (
        "Focuser is IDLE (2.500 mm)\n  position resumed, last homed 2026-11-22 19:00:00 UTC\n"
        "  The disk is full.\n"
    )


def test_after_a_kill_nobody_is_told_to_connect(script: Any, on_terminal: Any) -> None:
    script.report = {"status": 0, "state": "disconnected"}

    _, text = on_terminal("kill").end()
    assert _plain(text) == "Focuser is OFFLINE\n"


def test_ctrl_c_during_an_audit_stops_the_focuser(script: Any, on_terminal: Any) -> None:
    held = script.hold("audit")
    script.report = {"status": 0, "state": "homing", "homing_travelled_mm": 0.75, "time_left_s": 33.0}

    def obey() -> int:
        script.answers["audit"] = 1
        script.report = {"status": 0, "state": "unhomed"}
        held.set()
        return 0

    script.answers["stop"] = obey
    terminal = on_terminal("audit")
    terminal.read_until("< 33.0 s left")
    terminal.popen.send_signal(signal.SIGINT)

    code, text = terminal.end()
    assert code == 156
    assert "error: terminated by user\nStopped. Focuser is OFFLINE\n" in _plain(text)
    assert "Audit" not in text


def test_json_is_one_line_on_the_narrowest_terminal(on_terminal: Any) -> None:
    _, text = on_terminal("json", columns=20).end()

    assert text.count("\n") == 1
    assert "\x1b" not in text


def test_watch_on_a_terminal_follows_the_focuser_until_ctrl_c(script: Any, on_terminal: Any) -> None:
    script.report = ARRIVED
    terminal = on_terminal("watch")
    terminal.read_until("Focuser is IDLE (2.500 mm)")
    script.report = MOVING
    terminal.read_until("Focuser is MOVING (1.500 / 2.500 mm)  approach  -0.490 mm/s  2.0 s left")
    terminal.popen.send_signal(signal.SIGINT)

    code, text = terminal.end()
    assert code == 0
    assert "Traceback" not in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_a_terminal_that_lacks_a_letter_gets_its_number(script: Any, on_terminal: Any) -> None:
    script.report = {**ARRIVED, "reason": "10 µm …"}
    terminal = on_terminal("watch", PYTHONIOENCODING="ascii")
    terminal.read_until(r"10 \xb5m \u2026")
    terminal.popen.send_signal(signal.SIGINT)
    assert terminal.end()[0] == 0
    code, text = on_terminal("status", "--daemon", "stand_in", PYTHONIOENCODING="ascii").end()
    assert code == 0
    assert r"10 \xb5m \u2026" in text


def test_watch_on_a_narrow_terminal_shows_what_fits(script: Any, on_terminal: Any) -> None:
    script.report = MOVING
    terminal = on_terminal("watch", columns=40)
    text = terminal.read_until("Focuser is MOVING (1.500 / 2.500 mm)")
    terminal.popen.send_signal(signal.SIGINT)
    _, text = terminal.end()

    assert "mm/s" not in text


@pytest.mark.parametrize("server", ["mortal"], indirect=True)
def test_watch_survives_a_daemon_that_goes_away_and_comes_back(script: Any, server: Any, start: Any) -> None:
    process = start("watch")
    assert _timed(process.read_line()) == "Focuser is IDLE (2.000 mm)\n"
    server.end()
    assert _timed(process.read_line()).startswith("Focus daemon does not answer; trying again.  ")
    script.report = MOVING
    server.start()
    lines = [_timed(process.read_line())]
    while lines[-1].startswith("Focus daemon does not answer"):
        lines.append(_timed(process.read_line()))
    assert lines[-1].startswith("Focuser is MOVING (1.500 / 2.500 mm)")
    assert process.end(signal.SIGINT) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_piped_watch_writes_a_line_for_a_change_and_none_without(
    script: Any, start: Any, number: int
) -> None:
    process = start("watch")
    assert _timed(process.read_line()) == "Focuser is IDLE (2.000 mm)\n"
    script.wait_for_reads(3)
    script.report = MOVING
    assert _timed(process.read_line()).startswith("Focuser is MOVING")
    assert process.end(number) == (0, "", "")


def test_watch_waits_for_changes_and_does_not_poll(script: Any, start: Any) -> None:
    script.answers["wait_for_change"] = lambda: {**script.report, "change": 1}
    script.report = ARRIVED
    process = start("watch")
    assert _timed(process.read_line()) == "Focuser is IDLE (2.500 mm)\n"
    script.wait_for_call("wait_for_change", 3)
    script.report = MOVING
    assert _timed(process.read_line()).startswith("Focuser is MOVING")
    assert process.end(signal.SIGINT) == (0, "", "")
    assert script.reads == 0
    assert {since for name, since, _ in script.calls if name == "wait_for_change"} == {None, 1}
