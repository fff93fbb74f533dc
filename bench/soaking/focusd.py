"""The daemon of a run: a real `focusd` process, killed and started again, and calls to it as clients make them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import IO, Any

import Pyro4

from .interruption import held_back
from .processes import Usage, end_process

PROGRAM = (sys.executable, "-m", "rockit.focuser.ok3z.daemon.main")
OBJECT_NAME = "soak_focuser"
START_S = 30.0
STATUS_S = 5.0
POLL_S = 0.02
KEPT_LINES = 40
MISTAKES = ("Traceback", "a mistake in this program")

CONFIG: dict[str, Any] = {
    "daemon": "soak",
    "log_name": "focusd@soak",
    "control_machines": ["LocalHost"],
    "serial_baud": 38400,
    "serial_timeout": 2,
    "move_timeout": 60,
    "steps_per_mm": 5088,
    "anti_backlash_mm": 0.3,
    "focus_range_mm": 6.0,
    # Less than the backlash beyond the range, so that the outer end has moves that lack a part of it.
    "travel_mm": 6.1,
    "speed_mm_sec": 0.5,
    "acceleration_mm_sec_sec": 5,
}
CALL_ERRORS = (Pyro4.errors.CommunicationError, OSError)


class Focusd:
    """One daemon, through all its processes. Calls may come from any thread."""

    def __init__(self, folder: Path, serial_port: str, time_scale: float) -> None:
        self._folder = folder
        self._time_scale = time_scale
        # Bound and not listening: nobody else is given the port by chance, and the daemon can listen there.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._reserved.getsockname()
        self._config = folder / "soak.json"
        self._config.write_text(json.dumps({**CONFIG, "serial_port": serial_port}))
        site = {"daemons": {"soak": {"name": OBJECT_NAME, "machine": "LocalHost", "port": self.address[1]}}}
        (folder / "site.json").write_text(json.dumps(site))
        (folder / "state").mkdir()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._has_begun = threading.Event()
        self._is_serving = False
        self.lines = 0
        """How many lines have been logged by all its processes."""
        self.mistakes = 0
        """How many lines of the log tell of a mistake of the program."""
        self._last_lines: deque[str] = deque(maxlen=KEPT_LINES)

    # The process

    def start(self) -> None:
        """Start a process, and wait until it serves. Raises RuntimeError where it does not."""
        self._has_begun.clear()
        self._is_serving = False
        environment = {
            **os.environ,
            "ROCKIT_SITE_PATH": str(self._folder / "site.json"),
            "STATE_DIRECTORY": str(self._folder / "state"),
            "PYTHONUNBUFFERED": "1",
        }
        with held_back():
            self._process = subprocess.Popen(
                [*PROGRAM, str(self._config), "--time-scale", str(self._time_scale)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            assert self._process.stdout is not None
            self._reader = threading.Thread(target=self._read_log, args=(self._process.stdout,), name="log")
            self._reader.start()
        self._has_begun.wait(START_S)
        if not self._is_serving:
            raise RuntimeError("focusd did not begin to serve:\n" + "\n".join(self.last_log()))

    def _read_log(self, stream: IO[str]) -> None:
        for line in stream:
            self.lines += 1
            self._last_lines.append(line.rstrip())
            self.mistakes += any(mistake in line for mistake in MISTAKES)
            if f"serving {OBJECT_NAME}" in line:
                self._is_serving = True
                self._has_begun.set()
        self._has_begun.set()

    def last_log(self) -> list[str]:
        """The last lines of the log, and the exit code where it has ended."""
        code = self.exit_code
        return list(self._last_lines) + ([] if code is None else [f"it has ended with {code}"])

    @property
    def exit_code(self) -> int | None:
        """None while it runs, or has not been started."""
        return self._process.poll() if self._process else None

    def send_signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> int:
        """End the process; its exit code."""
        assert self._process is not None
        assert self._process.stdout is not None
        assert self._reader is not None
        code = end_process(self._process, number)
        # The log is read to its end before its pipe is closed.
        self._reader.join(START_S)
        self._process.stdout.close()
        return code

    def usage(self) -> Usage:
        assert self._process is not None
        return Usage.of(self._process.pid)

    def close(self) -> None:
        """Whatever became of it, it is gone afterwards."""
        if self._process is not None:
            self.end()
            self._process = None
        self._reserved.close()

    # The calls

    def proxy(self, timeout_s: float) -> Any:
        proxy = Pyro4.Proxy(f"PYRO:{OBJECT_NAME}@{self.address[0]}:{self.address[1]}")
        proxy._pyroTimeout = timeout_s
        return proxy

    def call(self, method: str, *words: Any, timeout_s: float, **named: Any) -> Any:
        """One call over a connection of its own. Raises CALL_ERRORS."""
        with self.proxy(timeout_s) as proxy:
            return getattr(proxy, method)(*words, **named)

    def status(self) -> dict[str, Any]:
        report: dict[str, Any] = self.call("report_status", timeout_s=STATUS_S)
        return report


def wait_for(holds: Any, bound_s: float) -> Any:
    """Poll until something true comes, and give it; what is false after `bound_s`."""
    deadline_s = time.monotonic() + bound_s
    while True:
        found = holds()
        if found or time.monotonic() > deadline_s:
            return found
        time.sleep(POLL_S)
