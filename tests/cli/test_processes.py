"""What only a `focus` process of its own can show: its imports, its signals, its closed and full outputs."""

from __future__ import annotations

import signal
import subprocess
from typing import Any

import pytest

from tests.support.processes import BIN, UNTIL_NOBODY_READS, run

OFFLINE = {"date": "2026-11-22T20:00:00Z", "status": 0}


def ended(command: str, redirection: str, environment: dict[str, str], before: str = "") -> tuple[int, str]:
    """The exit code of a command of `focus` whose stdout is redirected so, and what it said on stderr."""
    line = f'{{ {before} "$0" {command}; echo "ended with $?" >&2; }} {redirection}'
    ran = run("/bin/sh", "-c", line, BIN / "focus", env=environment)
    said, _, code = ran.stderr.rpartition("ended with ")
    return int(code), said


def test_short_commands_load_nothing_heavy(environment: dict[str, str]) -> None:
    program = (
        "import sys; from rockit.focuser.ok3z.cli.main import main; "
        "codes = [main([word]) for word in ('status', 'json', 'stop', 'kill')]; "
        "heavy = {'argparse', 'rich', 'jsonschema', 'serial', 'asyncio'} & set(sys.modules); "
        "sys.exit(f'{codes} {heavy}' if heavy or any(codes) else 0)"
    )
    ran = run("python", "-c", program, env=environment)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_ctrl_c_stops_the_focuser_and_says_where_it_stands(script: Any, start: Any) -> None:
    held = script.hold("set_focus")

    def obey() -> int:
        script.answers["set_focus"] = 1
        script.report = {**script.report, "status": 1, "current_mm": 1.234}
        held.set()
        return 0

    script.answers["stop"] = obey
    process = start("set", "5")
    script.wait_for_call("set_focus")
    assert process.end(signal.SIGINT) == (156, "Stopped at 1.234 mm\n", "error: terminated by user\n")
    assert script.calls == [("set_focus", 5.0, False), ("stop",)]


@pytest.mark.parametrize(
    ("words", "method", "number"),
    [(["offset", "1"], "set_focus", signal.SIGTERM), (["init"], "initialize", signal.SIGINT)],
)
def test_every_motion_is_stopped_by_a_signal(
    words: list[str], method: str, number: int, script: Any, start: Any
) -> None:
    held = script.hold(method)

    def obey() -> int:
        script.answers[method] = 1
        script.report = OFFLINE
        held.set()
        return 0

    script.answers["stop"] = obey
    process = start(*words)
    script.wait_for_call(method)
    assert process.end(number) == (156, "Stopped. Focuser is OFFLINE\n", "error: terminated by user\n")


def test_a_second_ctrl_c_gives_up_and_warns(script: Any, start: Any) -> None:
    script.hold("set_focus")
    script.hold("stop")
    process = start("set", "5")
    script.wait_for_call("set_focus")
    process.signal(signal.SIGINT)
    script.wait_for_call("stop")
    code, out, error = process.end(signal.SIGINT)
    assert (code, out) == (156, "")
    assert error == (
        "error: terminated by user\nGave up waiting. THE FOCUSER MAY STILL BE MOVING: run `focus stop`.\n"
    )


def test_a_stop_that_fails_is_told_loudly(script: Any, start: Any) -> None:
    script.hold("set_focus")
    script.answers["stop"] = 3
    process = start("set", "5")
    script.wait_for_call("set_focus")
    code, out, error = process.end(signal.SIGINT)
    assert (code, out) == (156, "")
    assert "THE STOP FAILED, AND THE FOCUSER MAY STILL BE MOVING. The daemon refused: " in error
    assert "command not accepted from this IP" in error


def test_ctrl_c_before_anything_was_asked_ends_without_a_traceback(script: Any, start: Any) -> None:
    script.hold("report_status")
    process = start("status")
    script.wait_for_reads(1)
    assert process.end(signal.SIGINT) == (156, "", "error: terminated by user\n")


@pytest.mark.parametrize("words", ["status", "json", "set 2", "--help", "watch"])
def test_a_reader_that_goes_away_is_no_error(words: str, environment: dict[str, str]) -> None:
    assert ended(words, "| sleep 0", environment, before=UNTIL_NOBODY_READS) == (0, "")


def test_watch_ends_when_its_reader_has_gone_though_nothing_changes(script: Any, start: Any) -> None:
    """`focus watch | head -1`, while the focuser stands."""
    process = start("watch")
    assert process.read_line().endswith("Z Focuser is IDLE (2.000 mm)\n")
    process.popen.stdout.close()

    assert process.popen.wait(20) == 0
    assert process.popen.stderr.read() == ""


UNWRITABLE = pytest.mark.parametrize(
    ("redirection", "why"), [(">&-", "stdout is closed"), (">/dev/full", "No space left on device")]
)


@UNWRITABLE
@pytest.mark.parametrize("command", ["status", "json", "watch"])
def test_a_result_that_cannot_be_written_is_told(
    command: str, redirection: str, why: str, environment: dict[str, str]
) -> None:
    assert ended(command, redirection, environment) == (1, f"error: the result cannot be written: {why}.\n")


@UNWRITABLE
@pytest.mark.parametrize("command", ["set 2", "init", "stop", "kill"])
def test_what_was_done_is_done_although_its_result_cannot_be_written(
    command: str, redirection: str, why: str, environment: dict[str, str]
) -> None:
    told = f"Done, but the result cannot be written: {why}.\n"
    assert ended(command, redirection, environment) == (0, told)


@pytest.mark.parametrize("command", ["status", "status --daemon stand_in", "watch", "set 2"])
def test_what_an_output_cannot_write_is_escaped(
    command: str, script: Any, start: Any, environment: dict[str, str]
) -> None:
    environment["PYTHONIOENCODING"] = "ascii"
    script.report = {"status": 0, "state": "fault", "reason": "10 µm too far …"}
    script.answers["set_focus"] = 1
    process = start(*command.split())
    if command == "watch":
        assert "10 \\xb5m too far \\u2026" in process.read_line()
        assert process.end(signal.SIGINT) == (0, "", "")
        return
    code, out, error = process.end()
    assert code == (1 if command == "set 2" else 0)
    assert "10 \\xb5m too far \\u2026" in out + error
    assert "Traceback" not in error


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_output_changes_no_exit_code_and_mixes_nothing(
    closed: str, environment: dict[str, str]
) -> None:
    ran = run("/bin/sh", "-c", f'"$0" set abc {closed}', BIN / "focus", env=environment)
    assert (ran.returncode, ran.stdout) == (255, "")


@pytest.mark.parametrize("words", [["watch"], ["set", "5"]])
def test_a_signal_that_was_ignored_at_the_start_stays_ignored(
    words: list[str], script: Any, start: Any
) -> None:
    """As in what a script starts after `trap "" INT TERM`; a move that runs is not stopped."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    held = script.hold("set_focus")
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        process = start(*words)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if words == ["watch"]:
        process.read_line()
    else:
        script.wait_for_call("set_focus")
    for number in numbers:
        process.signal(number)
    with pytest.raises(subprocess.TimeoutExpired):
        process.popen.wait(0.5)
    assert ("stop",) not in script.calls
    held.set()
