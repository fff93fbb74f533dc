"""What goes over the wire is kept as a file: after a fault, when somebody asks for it, and of a whole session."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.constants import CommandStatus
from tests.support.processes import run


def recordings_of(daemon: Any) -> list[Path]:
    return sorted((daemon.folder / "state").glob("*.recordings/*.jsonl.gz"))


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.open(path)]


def test_somebody_asks_for_it(focuser: Any, run_focus: Any) -> None:
    run = run_focus(focuser, "record")
    assert (run.returncode, run.stderr) == (0, "")
    path = recordings_of(focuser)[-1]
    assert run.stdout.startswith(f"Recorded in {path.name}, ")
    head, *lines = lines_of(path)
    assert head["daemon"] == "system_test"
    assert any("sent" in line for line in lines)
    assert "127.0.0" not in gzip.decompress(path.read_bytes()).decode()


def test_a_stranger_may_not(focuser: Any, proxy_from: Callable[[Any, str], Any]) -> None:
    before = recordings_of(focuser)
    assert proxy_from(focuser, "127.0.0.3").record() == CommandStatus.InvalidControlIP
    assert recordings_of(focuser) == before


def test_a_state_folder_that_takes_nothing(make_daemon: Any, run_focus: Any) -> None:
    daemon = make_daemon()
    (daemon.folder / "state").write_text("no folder")
    daemon.start()
    run = run_focus(daemon, "record")
    assert run.returncode == CommandStatus.Failed
    assert "A recording of the wire cannot be written" in run.stderr


def test_a_fault_is_kept_and_a_night_without_one_is_not(make_daemon: Any) -> None:
    daemon = make_daemon().start()
    assert daemon.call("initialize") == 0
    assert daemon.call("set_focus", 2.0) == 0
    assert recordings_of(daemon) == []
    daemon.tell("motor frozen")
    assert daemon.call("set_focus", 4.0) == CommandStatus.Failed
    daemon.wait_for_log("what went over the wire is recorded in")
    (path,) = recordings_of(daemon)
    head, *lines = lines_of(path)
    assert "Look at its power" in head["why"]
    assert head["settings"]["focus_range_mm"] == 6.0
    assert f"fault: {head['why']}" in [line.get("concluded") for line in lines]


def test_a_session_is_lived_through_again_by_another_daemon(make_daemon: Any) -> None:
    # Slow enough that how long an answer takes does not say how far the homing backs off.
    first = make_daemon(serial_port={"time_scale": 1, "start_mm": 0.2})
    session = first.folder / "session.jsonl.gz"
    first.start("--record", str(session))
    assert first.call("initialize") == 0
    assert first.call("set_focus", 0.5) == 0
    first.end()

    second = make_daemon(serial_port=f"replay://{session}", time_scale=1).start()
    assert second.call("initialize") == 0
    assert second.call("set_focus", 0.5) == 0
    assert second.status()["current_mm"] == 0.5
    # What was never recorded has no answer, and none is made up.
    assert second.call("set_focus", 0.8) == CommandStatus.Failed
    second.wait_for_log("the recording cannot answer #P092")


def test_a_session_needs_a_place(make_daemon: Any) -> None:
    daemon = make_daemon()
    daemon.launch("--record", "/absent/session.jsonl.gz")
    assert daemon.wait() == 1
    assert "/absent/session.jsonl.gz cannot be written: No such file or directory." in daemon.log


@pytest.mark.parametrize("what", ["--check", "--print-port"])
def test_with_what_opens_no_port_nothing_can_be_recorded(make_daemon: Any, tmp_path: Path, what: str) -> None:
    daemon, file = make_daemon(), tmp_path / "session.jsonl.gz"
    ended = run(daemon.command, what, "--record", str(file), str(daemon.config_path))
    assert ended.returncode == 2
    assert "--record goes with what opens the serial port" in ended.stderr
    assert not file.exists()
