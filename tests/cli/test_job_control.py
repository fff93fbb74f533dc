"""`focus` as a job of a shell: Ctrl-Z, Ctrl-\\, `fg`, `bg` and `&`, on a pseudo-terminal, as a person sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.processes import BIN
from tests.support.shells import CTRL_BACKSLASH, CTRL_C, CTRL_Z, Shell

MOVING: dict[str, Any] = {
    "status": 2,
    "state": "moving",
    "leg": "approach",
    "current_mm": 1.5,
    "target_mm": 2.5,
    "time_left_s": 9.0,
}
ARRIVED: dict[str, Any] = {"status": 1, "state": "idle", "current_mm": 2.5, "target_mm": 2.5}
METHODS = {"set 2.5": "set_focus", "offset 1": "set_focus", "init": "initialize", "audit": "audit"}
GOES_ON = "The focuser goes on: `fg` returns to it, `focus stop` stops it."
NOT_WAITED_FOR = "THE FOCUSER MAY STILL BE MOVING: run `focus stop`."


@pytest.fixture
def shell(environment: dict[str, str]) -> Iterator[Shell]:
    with Shell(environment) as shell:
        yield shell


@pytest.fixture(params=[*METHODS, "watch"])
def drawing(request: pytest.FixtureRequest, script: Any) -> str:
    """Each command that draws, while the focuser moves."""
    command: str = request.param
    script.report = MOVING
    if command in METHODS:
        script.hold(METHODS[command])
    return command


def end_of(command: str, script: Any, shell: Shell) -> None:
    """Let the focuser arrive, or end the watch."""
    if command == "watch":
        shell.type(CTRL_C)
        return
    script.report = ARRIVED
    script.release()


def test_ctrl_z_gives_the_cursor_back_and_fg_draws_on(drawing: str, script: Any, shell: Shell) -> None:
    shell.type(f"{BIN}/focus {drawing}\n")
    shell.wait_for("9.0 s left")
    assert shell.hides_cursor

    shell.type(CTRL_Z)
    shell.wait_until_it_asks()
    assert not shell.hides_cursor
    assert (GOES_ON in shell.text) == (drawing != "watch")
    assert not [line for line in shell.lines if "s left" in line and "ready>" in line]

    shell.type("fg\n")
    script.report = {**MOVING, "time_left_s": 7.0}
    shell.wait_for("7.0 s left")
    assert shell.hides_cursor

    end_of(drawing, script, shell)
    shell.wait_until_it_asks()
    assert not shell.hides_cursor
    if drawing != "watch":
        assert "Focuser is IDLE (2.500 mm)" in shell.text


def test_fg_draws_at_once_what_was_there(drawing: str, script: Any, shell: Shell) -> None:
    """Also of a focuser of which nothing new is heard."""
    shell.type(f"{BIN}/focus {drawing}\n")
    shell.wait_for("9.0 s left")
    shell.type(CTRL_Z)
    shell.wait_until_it_asks()
    shell.clear()
    script.hold("report_status")
    shell.type("fg\n")
    shell.wait_for("9.0 s left")
    assert shell.hides_cursor


def test_ctrl_backslash_gives_the_cursor_back(drawing: str, script: Any, shell: Shell) -> None:
    shell.type(f"{BIN}/focus {drawing}\n")
    shell.wait_for("9.0 s left")

    shell.type(CTRL_BACKSLASH)
    shell.wait_until_it_asks()
    assert not shell.hides_cursor
    assert (NOT_WAITED_FOR in shell.text) == (drawing != "watch")
    assert "Traceback" not in shell.text
    shell.type("echo $?\n")
    shell.wait_for("131")
    assert ("stop",) not in script.calls


def test_in_the_background_nothing_is_drawn(drawing: str, script: Any, shell: Shell) -> None:
    shell.type(f"{BIN}/focus {drawing} &\n")
    script.wait_for_reads(8)
    shell.look()
    assert not shell.hides_cursor
    assert "s left" not in shell.text
    shell.type("echo it is $((40 + 2))\n")
    shell.wait_for("it is 42")
    shell.look()
    assert "s left" not in shell.text

    shell.type("fg\n")
    shell.wait_for("9.0 s left")
    assert shell.hides_cursor
    end_of(drawing, script, shell)
    shell.wait_until_it_asks()
    assert not shell.hides_cursor


def test_after_bg_nothing_is_drawn(drawing: str, script: Any, shell: Shell) -> None:
    shell.type(f"{BIN}/focus {drawing}\n")
    shell.wait_for("9.0 s left")
    shell.type(CTRL_Z)
    shell.wait_until_it_asks()
    shell.clear()
    shell.type("bg\n")
    script.report = {**MOVING, "time_left_s": 7.0}
    script.wait_for_reads(8)
    shell.look()
    assert not shell.hides_cursor
    assert "s left" not in shell.text
    if drawing == "watch":
        return
    end_of(drawing, script, shell)
    shell.wait_for("Focuser is IDLE (2.500 mm)")
    shell.look()
    assert not shell.hides_cursor
    assert "Done" not in shell.text


def test_a_stop_that_was_under_way_at_ctrl_z_goes_on(script: Any, shell: Shell) -> None:
    """The daemon has answered long before the command is there again to hear it."""
    script.report = MOVING
    held, stopping = script.hold("set_focus"), script.hold("stop")
    script.answers["set_focus"] = 1
    shell.type(f"{BIN}/focus set 2.5\n")
    shell.wait_for("9.0 s left")
    shell.type(CTRL_C)
    script.wait_for_call("stop")
    shell.type(CTRL_Z)
    shell.wait_until_it_asks()
    script.report = {**ARRIVED, "current_mm": 1.75}
    held.set()
    stopping.set()
    shell.look()
    shell.type("fg\n")
    shell.wait_for("Stopped at 1.750 mm")
    shell.wait_until_it_asks()
    assert not shell.hides_cursor
