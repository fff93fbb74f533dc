"""`focus` with the real `focusd` on the simulated controller, which runs ten times as fast as the real one."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rockit.common.registered_daemon import RegisteredDaemon

import rockit.focuser.ok3z
from rockit.focuser.ok3z.client.calls import FocuserClient

BOUND_S = 20.0


class Night:
    """A running focusd, and `focus` on it."""

    def __init__(self, directory: Path, speed_mm_sec: float = 0.5) -> None:
        # Bound and not listening: who sets SO_REUSEADDR too can listen there, and nobody is given the port by chance.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        port = self._reserved.getsockname()[1]
        site = directory / "site.json"
        site.write_text(
            json.dumps({"daemons": {"night": {"name": "night_daemon", "machine": "LocalHost", "port": port}}})
        )
        # The test's own look at the focuser: a process for each would take longer than a move.
        registered: Any = RegisteredDaemon("night_daemon", "127.0.0.1", port)
        self.client = FocuserClient(registered)
        values = json.loads((Path(__file__).parents[2] / "test.json").read_text())
        # Its port is for one focusd of a machine.
        del values["alpaca"]
        values.update(
            daemon="night", serial_port="sim://?start_mm=0.5&time_scale=10", speed_mm_sec=speed_mm_sec
        )
        self.config = directory / "night.json"
        self.config.write_text(json.dumps(values))
        source = Path(rockit.focuser.ok3z.__file__).parents[3]
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(source), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
            "ROCKIT_SITE_PATH": str(site),
            "FOCUSD_CONFIG_PATH": str(self.config),
            "STATE_DIRECTORY": str(directory / "state"),
        }
        self.start()

    def start(self) -> None:
        """Start focusd, with a controller that was just switched on."""
        self.daemon = self._start("daemon.main", str(self.config), stderr=subprocess.DEVNULL)
        deadline_s = time.monotonic() + BOUND_S
        while self.focus("json")[0] != 0:
            assert time.monotonic() < deadline_s
            assert self.daemon.poll() is None

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start `focus`, without waiting for its end."""
        return self._start("cli.main", *words, stderr=subprocess.PIPE)

    def focus(self, *words: str) -> tuple[int, str, str]:
        """Run `focus`; gives exit code, stdout and stderr."""
        return self.end(self.begin(*words))

    def end(self, process: subprocess.Popen[str]) -> tuple[int, str, str]:
        """Wait for the end of `focus`; gives exit code, stdout and stderr."""
        out, err = process.communicate(timeout=BOUND_S)
        return process.returncode, out, err

    def report(self) -> dict[str, Any]:
        return self.client.report_status()

    def wait_until(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        deadline_s = time.monotonic() + BOUND_S
        while not condition(self.report()):
            assert time.monotonic() < deadline_s
            time.sleep(0.01)

    def end_daemon(self) -> None:
        self.daemon.terminate()
        self.daemon.communicate(timeout=BOUND_S)

    def close(self) -> None:
        self.end_daemon()
        self._reserved.close()

    def begin_program(self, lines: str) -> subprocess.Popen[str]:
        """Start a program in Python, which finds the focuser as `focus` does."""
        return self._popen("-c", f"from rockit.focuser.ok3z import connect\n{lines}", stderr=subprocess.PIPE)

    def _start(self, module: str, *words: str, stderr: int) -> subprocess.Popen[str]:
        return self._popen("-m", f"rockit.focuser.ok3z.{module}", *words, stderr=stderr)

    def _popen(self, *words: str, stderr: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    night = Night(tmp_path_factory.mktemp("night"))
    yield night
    night.close()


@pytest.fixture(scope="module")
def slow_night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """With moves that take longer than `focus` takes to start, some times over, on a busy machine too."""
    night = Night(tmp_path_factory.mktemp("slow_night"), speed_mm_sec=0.05)
    yield night
    night.close()


@pytest.fixture
def slow(slow_night: Night) -> Night:
    """The focuser is homed, and stands further in than 3 mm."""
    assert slow_night.focus("init")[0] in (0, 8)
    if slow_night.report()["current_mm"] > 3.0:
        assert slow_night.focus("set", "1")[0] == 0
    return slow_night


@pytest.fixture
def homed(night: Night) -> Night:
    """The focuser is homed, and stands at 1 mm."""
    assert night.focus("init")[0] in (0, 8)
    assert night.focus("set", "1")[:2] == (0, "Focuser is IDLE (1.000 mm)\n")
    return night


def test_a_night_from_init_to_kill(night: Night) -> None:
    night.focus("kill")

    assert night.focus("status") == (0, "Focuser is OFFLINE\n", "")
    assert night.focus("set", "1")[0] == 7
    assert night.focus("init") == (0, "Focuser is IDLE (0.000 mm)\n", "")
    assert night.focus("init")[0] == 8
    assert night.focus("set", "1.5") == (0, "Focuser is IDLE (1.500 mm)\n", "")
    assert night.focus("offset", "-.25") == (0, "Focuser is IDLE (1.250 mm)\n", "")
    assert night.focus("status") == (0, "Focuser is IDLE (1.250 mm)\n", "")
    assert night.focus("kill") == (0, "Focuser is OFFLINE\n", "")
    assert night.focus("kill")[0] == 7


@pytest.mark.parametrize(
    "words", [["set", "6.001"], ["set", "-0.001"], ["offset", "5.5"], ["offset", "-1e1"]]
)
def test_a_position_outside_the_range_moves_nothing(homed: Night, words: list[str]) -> None:
    code, out, error = homed.focus(*words)

    assert (code, out) == (6, "")
    assert error.endswith("not between 0 and 6 mm.\n")
    assert homed.report()["current_mm"] == 1.0


def test_ctrl_c_stops_the_motor_and_tells_the_place(slow: Night) -> None:
    mover = slow.begin("set", "6")
    slow.wait_until(lambda report: report["status"] == 2)
    mover.send_signal(signal.SIGINT)

    code, out, error = slow.end(mover)
    assert (code, error) == (156, "error: terminated by user\n")
    report = slow.report()
    assert report["status"] == 1
    assert out == f"Stopped at {report['current_mm']:.3f} mm\n"
    assert 0.0 <= report["current_mm"] < 6.0


def test_stop_from_another_shell_ends_the_move_as_failed(slow: Night) -> None:
    mover = slow.begin("set", "6")
    slow.wait_until(lambda report: report["status"] == 2)
    assert slow.focus("set", "2")[0] == 2
    code, out, _ = slow.focus("stop")

    assert (code, out) == (0, f"Focuser is IDLE ({slow.report()['current_mm']:.3f} mm)\n")
    code, out, error = slow.end(mover)
    assert (code, out) == (1, "")
    assert error.startswith("error: command failed. ")


def test_what_was_only_disconnected_carries_on_without_homing(homed: Night) -> None:
    homed_at = homed.report()["homed_at"]
    assert homed.focus("kill")[0] == 0
    code, out, error = homed.focus("init", "--resume")

    assert (code, error) == (0, "")
    status, came_of_it = out.splitlines()
    assert status == "Focuser is IDLE (1.000 mm)"
    assert came_of_it.startswith("Resumed, last homed at ")
    assert homed.report()["position_trust"] == "resumed"
    assert homed.report()["homed_at"] == homed_at
    assert homed.focus("set", "1.25") == (0, "Focuser is IDLE (1.250 mm)\n", "")


def test_after_a_restart_the_focuser_is_homed_and_returns_to_where_it_was(tmp_path: Path) -> None:
    night = Night(tmp_path)
    try:
        assert night.focus("init")[0] == 0
        assert night.focus("set", "1")[0] == 0
        night.end_daemon()
        night.start()
        code, out, error = night.focus("init", "--resume", "--restore")
    finally:
        night.close()

    assert (code, error) == (0, "")
    status, came_of_it = out.splitlines()
    assert status == "Focuser is IDLE (1.000 mm)"
    assert came_of_it.startswith("Homed at ")
    assert "it could not be resumed: the register was left at " in came_of_it
    assert came_of_it.endswith(" It stands at 1.000 mm.")


def test_an_audit_of_a_good_focuser_finds_nothing_and_comes_back(homed: Night) -> None:
    code, out, error = homed.focus("audit")

    assert (code, error) == (0, "")
    status, audit = out.splitlines()
    assert status == "Focuser is IDLE (1.000 mm)"
    assert audit.startswith("Audit: ")
    assert abs(homed.report()["audit"]["lost_steps"]) <= 4


def test_without_a_link_there_is_nothing_to_audit(night: Night) -> None:
    night.focus("kill")

    assert night.focus("audit") == (
        7,
        "",
        "error: focuser is not connected. Connect and home it with `focus init`.\n",
    )


def test_ctrl_c_in_a_program_stops_the_motor_first(slow: Night) -> None:
    mover = slow.begin_program("connect().move_to(6.0)")
    slow.wait_until(lambda report: report["status"] == 2)
    mover.send_signal(signal.SIGINT)

    code, out, error = slow.end(mover)
    assert (code, out) == (-signal.SIGINT, "")
    assert error.splitlines()[-1] == "KeyboardInterrupt"
    assert "STOP FAILED" not in error
    report = slow.report()
    assert report["status"] == 1
    assert 0.0 <= report["current_mm"] < 6.0


def test_a_move_that_nobody_waits_for_runs_to_its_end(homed: Night) -> None:
    program = "connect().move_to(2.0, wait=False)\nprint(connect().wait_until_idle().current_mm)"

    assert homed.end(homed.begin_program(program)) == (0, "2.0\n", "")


def test_a_program_that_ends_stops_nothing(homed: Night) -> None:
    assert homed.end(homed.begin_program("connect().move_to(2.0, wait=False)")) == (0, "", "")

    homed.wait_until(lambda report: report["status"] == 1 and report["current_mm"] == 2.0)
