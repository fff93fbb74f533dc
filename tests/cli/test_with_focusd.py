"""`focus` with the real `focusd` on the simulated controller, which runs ten times as fast as the real one."""

from __future__ import annotations

import contextlib
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
from rockit.focuser.ok3z.client import FocuserClient

BOUND_S = 20.0


def _free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
    return port


class Night:
    """A running focusd, and `focus` on it."""

    def __init__(self, directory: Path) -> None:
        port = _free_port()
        site = directory / "site.json"
        site.write_text(
            json.dumps({"daemons": {"night": {"name": "night_daemon", "machine": "LocalHost", "port": port}}})
        )
        # The test's own look at the focuser: a process for each would take longer than a move.
        registered: Any = RegisteredDaemon("night_daemon", "127.0.0.1", port)
        self.client = FocuserClient(registered)
        values = json.loads((Path(__file__).parents[2] / "test.json").read_text())
        values.update(daemon="night", serial_port="sim://?start_mm=0.5&time_scale=10")
        self.config = directory / "night.json"
        self.config.write_text(json.dumps(values))
        source = Path(rockit.focuser.ok3z.__file__).parents[3]
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(source), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
            "ROCKIT_SITE_PATH": str(site),
            "FOCUSD_CONFIG_PATH": str(self.config),
        }
        self.daemon = self._start("daemon", str(self.config), stderr=subprocess.DEVNULL)
        deadline_s = time.monotonic() + BOUND_S
        while self.focus("json")[0] != 0:
            assert time.monotonic() < deadline_s
            assert self.daemon.poll() is None

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start `focus`, without waiting for its end."""
        return self._start("cli", *words, stderr=subprocess.PIPE)

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

    def close(self) -> None:
        self.daemon.terminate()
        self.daemon.communicate(timeout=BOUND_S)

    def _start(self, module: str, *words: str, stderr: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", f"rockit.focuser.ok3z.{module}", *words],
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


def test_ctrl_c_stops_the_motor_and_tells_the_place(homed: Night) -> None:
    mover = homed.begin("set", "6")
    homed.wait_until(lambda report: report["status"] == 2)
    mover.send_signal(signal.SIGINT)

    code, out, error = homed.end(mover)
    assert (code, error) == (156, "error: terminated by user\n")
    report = homed.report()
    assert report["status"] == 1
    assert out == f"Stopped at {report['current_mm']:.3f} mm\n"
    assert 1.0 <= report["current_mm"] < 6.0


def test_stop_from_another_shell_ends_the_move_as_failed(homed: Night) -> None:
    mover = homed.begin("set", "6")
    homed.wait_until(lambda report: report["status"] == 2)
    assert homed.focus("set", "2")[0] == 2
    code, out, _ = homed.focus("stop")

    assert (code, out) == (0, f"Focuser is IDLE ({homed.report()['current_mm']:.3f} mm)\n")
    code, out, error = homed.end(mover)
    assert (code, out) == (1, "")
    assert error.startswith("error: command failed. ")
