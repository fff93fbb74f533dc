"""What only a `focus` process of its own can show: its imports, its signals, its closed and full outputs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import pytest

# Pyro4 uses an old name of threading's.
pytestmark = pytest.mark.filterwarnings("ignore:isSet:DeprecationWarning")

OFFLINE = {"date": "2026-11-22T20:00:00Z", "status": 0}


@pytest.mark.parametrize("words", [["status"], ["json"], ["stop"], ["kill"]])
def test_short_commands_load_nothing_heavy(words: list[str], environment: dict[str, str]) -> None:
    program = (
        "import sys; from rockit.focuser.ok3z.cli.main import main; code = main(sys.argv[1:]); "
        "heavy = {'argparse', 'rich', 'jsonschema', 'serial', 'asyncio'} & set(sys.modules); "
        "sys.exit(f'{code} {heavy}' if heavy or code else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


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
    process.popen.send_signal(signal.SIGINT)

    assert process.end() == (156, "Stopped at 1.234 mm\n", "error: terminated by user\n")
    assert script.calls == [("set_focus", 5.0, False), ("stop",)]


@pytest.mark.parametrize("words", [["offset", "1"], ["init"]])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_every_motion_is_stopped_by_a_signal(words: list[str], number: int, script: Any, start: Any) -> None:
    method = "initialize" if words == ["init"] else "set_focus"
    held = script.hold(method)

    def obey() -> int:
        script.answers[method] = 1
        script.report = OFFLINE
        held.set()
        return 0

    script.answers["stop"] = obey
    process = start(*words)
    script.wait_for_call(method)
    process.popen.send_signal(number)

    assert process.end() == (156, "Stopped. Focuser is OFFLINE\n", "error: terminated by user\n")


def test_a_second_ctrl_c_gives_up_and_warns(script: Any, start: Any) -> None:
    script.hold("set_focus")
    script.hold("stop")
    process = start("set", "5")
    script.wait_for_call("set_focus")
    process.popen.send_signal(signal.SIGINT)
    script.wait_for_call("stop")
    process.popen.send_signal(signal.SIGINT)

    code, out, error = process.end()
    assert (code, out) == (156, "")
    assert error == (
        "error: terminated by user\nGave up waiting. THE FOCUSER MAY STILL BE MOVING: run `focus stop`.\n"
    )


def test_a_stop_that_fails_is_told_loudly(script: Any, start: Any) -> None:
    script.hold("set_focus")
    script.answers["stop"] = 3
    process = start("set", "5")
    script.wait_for_call("set_focus")
    process.popen.send_signal(signal.SIGINT)

    code, out, error = process.end()
    assert (code, out) == (156, "")
    assert "THE STOP FAILED, AND THE FOCUSER MAY STILL BE MOVING. The daemon refused: " in error
    assert "command not accepted from this IP" in error


def test_ctrl_c_before_anything_was_asked_ends_without_a_traceback(script: Any, start: Any) -> None:
    script.hold("report_status")
    process = start("status")
    script.wait_for_reads(1)
    process.popen.send_signal(signal.SIGINT)

    assert process.end() == (156, "", "error: terminated by user\n")


@pytest.mark.parametrize("words", [["status"], ["json"], ["set", "2"], ["--help"], ["watch"]])
def test_a_reader_that_goes_away_is_no_error(words: list[str], environment: dict[str, str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "rockit.focuser.ok3z.cli.main", *words],
        env=environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=20,
        check=False,
    )
    os.close(writer)

    assert (done.returncode, done.stderr) == (0, b"")


def test_watch_ends_when_its_reader_has_gone_though_nothing_changes(script: Any, start: Any) -> None:
    """`focus watch | head -1`, while the focuser stands."""
    process = start("watch")
    assert process.popen.stdout.readline() == "Focuser is IDLE (2.000 mm)\n"
    process.popen.stdout.close()

    assert process.popen.wait(20) == 0
    assert process.popen.stderr.read() == ""


UNWRITABLE = pytest.mark.parametrize(
    ("redirection", "why"), [(">&-", "stdout is closed"), (">/dev/full", "No space left on device")]
)


def ended(command: str, redirection: str, environment: dict[str, str]) -> tuple[int, str]:
    """The exit code of a command of `focus` whose stdout is redirected so, and what it said on stderr."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m rockit.focuser.ok3z.cli.main {command} {redirection}', sys.executable],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        timeout=20,
        check=False,
    )
    return done.returncode, done.stderr


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


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_output_changes_no_exit_code_and_mixes_nothing(
    closed: str, environment: dict[str, str]
) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m rockit.focuser.ok3z.cli.main set abc {closed}', sys.executable],
        env=environment,
        stdout=subprocess.PIPE,
        timeout=20,
        check=False,
    )

    assert (done.returncode, done.stdout) == (255, b"")


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
        process.popen.stdout.readline()
    else:
        script.wait_for_call("set_focus")
    for number in numbers:
        process.popen.send_signal(number)
    with pytest.raises(subprocess.TimeoutExpired):
        process.popen.wait(0.5)
    assert ("stop",) not in script.calls
    held.set()
