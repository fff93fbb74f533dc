"""The installed focusd, running on the virtual controller, with a port of its own on loopback."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from typing import Any

from .machine import Machine
from .shell import Result

BOUND_S = 30.0
POLL_S = 0.02
CONFIG = "/etc/focusd/ngts_m06.json"
SITE = "etc/rockit/site.json"
# A hundred times as fast as the clock on the wall.
SIMULATED = {
    "daemon": "rehearsal",
    "control_machines": ["LocalHost"],
    "serial_port": "sim://?start_mm=0.3&time_scale=100",
}


class Port:
    """A port on loopback that nobody else is given meanwhile."""

    def __init__(self) -> None:
        # Bound and not listening: who sets SO_REUSEADDR too can listen there.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.number: int = self._reserved.getsockname()[1]

    def close(self) -> None:
        self._reserved.close()


def write_site(machine: Machine, port: Port) -> None:
    """Register the daemon of this rehearsal in the phone book of a machine."""
    site = machine.root / SITE
    site.parent.mkdir(exist_ok=True)
    daemon = {"name": "rehearsal_daemon", "machine": "LocalHost", "port": port.number}
    site.write_text(json.dumps({"daemons": {"rehearsal": daemon}}))


class Daemon:
    """A `focusd` that runs in a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._popen: subprocess.Popen[bytes] | None = None
        self._log = machine.folder / "focusd.log"

    @property
    def pid(self) -> int:
        assert self._popen is not None
        return self._popen.pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def start(self) -> Daemon:
        """Start it, and wait until it listens."""
        self._popen = self._machine.start("/usr/bin/focusd", CONFIG, log=self._log)
        end_s = time.monotonic() + BOUND_S
        while "serving rehearsal_daemon" not in self.log:
            assert self.is_running, f"focusd ended with {self._popen.returncode}:\n{self.log}"
            assert time.monotonic() < end_s, f"focusd did not listen within {BOUND_S} s:\n{self.log}"
            time.sleep(POLL_S)
        return self

    @property
    def is_running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def end(self) -> None:
        """End it as systemd does; it must end well."""
        assert self._popen is not None
        self._popen.send_signal(signal.SIGTERM)
        assert self._popen.wait(BOUND_S) == 0, self.log

    def dispose(self) -> None:
        """Whatever became of it, it does not outlive its test."""
        if self._popen is not None and self.is_running:
            self._popen.kill()
            self._popen.wait(BOUND_S)


def focus(machine: Machine, *words: str) -> Result:
    """What `focus` says on a machine, which has the only configuration."""
    return machine.run("/usr/bin/focus", *words)


def status(machine: Machine) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(focus(machine, "json").ok())
    return report
