"""What is measured: a real `focusd` process on the pseudo-terminal of an `ok3z-simulator` process, in real time.

The line is paced to 38400 baud, and time is not scaled. Client, daemon and controller share the machine's monotonic
clock, so that a moment at the controller can be compared with one at the client.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Callable

import Pyro4

from bench.wire_log import BAUD, WireLog
from rockit.focuser.ok3z.driver.planning import Drive, steps_from_mm
from rockit.focuser.ok3z.simulator.control import tell

BIN = Path(sys.executable).parent
OBJECT_NAME = "bench_focuser"
LONGEST_TRACE = 200
# How long anything may take before the benchmark gives up on it; the longest move takes 9 s, homing 41 s.
PATIENCE_S = 60.0
POLL_S = 0.005
# Of the environment, what would change what is measured.
UNWANTED = ("PYTHONDONTWRITEBYTECODE", "ROCKIT_SITE_PATH", "FOCUSD_CONFIG_PATH", "STATE_DIRECTORY")

CONFIG: dict[str, Any] = {
    "daemon": "bench",
    "log_name": "focusd@bench",
    "control_machines": ["LocalHost"],
    "serial_baud": BAUD,
    "serial_timeout": 5,
    "move_timeout": 180,
    "steps_per_mm": 5088,
    "anti_backlash_mm": 0.5,
    "focus_range_mm": 6.0,
    "speed_mm_sec": 0.5,
    "acceleration_mm_sec_sec": 5,
}
# What the motor really does, after truncation to whole units of its registers.
DRIVE = Drive.from_mm(CONFIG["speed_mm_sec"], CONFIG["acceleration_mm_sec_sec"])


class BenchError(Exception):
    """Something that is measured did not do its work, so that there is no figure."""


def wait_until(holds: Callable[[], Any], what: str) -> Any:
    """Poll until something true comes, and give it."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        if time.monotonic() > deadline_s:
            raise BenchError(f"this did not come within {PATIENCE_S:.0f} s: {what}")
        time.sleep(POLL_S)
    return found


class Workspace:
    """A temporary folder for all runs: configuration, compiled code, sockets, state and logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config_path = folder / "bench.json"
        self.site_path = folder / "site.json"
        self.state_path = folder / "state"
        self.link = str(folder / "port")
        self.control = str(folder / "control")
        self._reserved = socket.socket()
        # Bound and not listening: focusd, which reuses addresses, can listen there, and nobody gets it by chance.
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port = int(self._reserved.getsockname()[1])
        self.uri = f"PYRO:{OBJECT_NAME}@127.0.0.1:{self.port}"
        self._write_files()

    def _write_files(self) -> None:
        self.state_path.mkdir()
        self.config_path.write_text(json.dumps({**CONFIG, "serial_port": self.link}), encoding="utf-8")
        daemon = {"name": OBJECT_NAME, "machine": "LocalHost", "port": self.port}
        self.site_path.write_text(
            json.dumps({"machines": {}, "daemons": {"bench": daemon}}), encoding="utf-8"
        )

    @property
    def environment(self) -> dict[str, str]:
        """Of every process that is measured."""
        kept = {key: value for key, value in os.environ.items() if key not in UNWANTED}
        # What runs from a clone is compiled once, as installed packages are.
        own = {
            "PYTHONPYCACHEPREFIX": str(self.folder / "compiled"),
            "ROCKIT_SITE_PATH": str(self.site_path),
            "FOCUSD_CONFIG_PATH": str(self.config_path),
            "STATE_DIRECTORY": str(self.state_path),
        }
        return {**kept, **own}

    def close(self) -> None:
        """Give the TCP port back."""
        self._reserved.close()


@contextmanager
def workspace() -> Iterator[Workspace]:
    """A workspace that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="focusd-bench-") as folder:
        space = Workspace(Path(folder))
        try:
            yield space
        finally:
            space.close()


class Rig:
    """A daemon on a virtual controller, both running; see `rig`."""

    def __init__(self, space: Workspace, focusd: subprocess.Popen[bytes]) -> None:
        self.space = space
        self.pid = focusd.pid

    def proxy(self) -> Any:
        """A connected proxy. Use it as a context manager."""
        proxy = Pyro4.Proxy(self.space.uri)
        proxy._pyroTimeout = PATIENCE_S
        proxy._pyroBind()
        return proxy

    def call(self, method: str, *arguments: Any) -> Any:
        """One call over a connection of its own."""
        with self.proxy() as proxy:
            return getattr(proxy, method)(*arguments)

    def expect(self, method: str, *arguments: Any) -> None:
        """A call that must succeed."""
        if status := self.call(method, *arguments):
            raise BenchError(f"{method}{arguments} gave {status}: {self.call('report_status')}")

    def home(self) -> None:
        """Bring the focuser up."""
        self.expect("initialize")

    def tell(self, line: str) -> dict[str, Any]:
        """Say something to the virtual controller."""
        answer = tell(self.space.control, line)
        if not answer["ok"]:
            raise BenchError(f"the virtual controller refused {line!r}: {answer}")
        return answer

    def truth(self) -> dict[str, Any]:
        """What is true of the virtual controller, whatever it says."""
        return self.tell("state")

    def gather(self, log: WireLog) -> WireLog:
        """Add to a log what went over the wire lately."""
        log.add(self.tell(f"trace {LONGEST_TRACE}")["trace"])
        return log


@contextmanager
def rig(space: Workspace, start_mm: float = 0.3) -> Iterator[Rig]:
    """A daemon on a virtual controller whose carriage stands at `start_mm`. Both are ended at the end."""
    with ExitStack() as stack:
        simulator = ["ok3z-simulator", "--link", space.link, "--control", space.control]
        stack.enter_context(_process(space, [*simulator, "--start-mm", str(start_mm)], "ready at"))
        focusd = stack.enter_context(_process(space, ["focusd", str(space.config_path)], "serving"))
        yield Rig(space, focusd)


@contextmanager
def _process(space: Workspace, command: list[str], ready: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has said that it is ready; ended by SIGTERM, or killed where it does not end."""
    log_path = space.folder / f"{command[0]}.log"
    with log_path.open("wb") as log:
        popen = subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=space.environment,
            cwd=space.folder,
            start_new_session=True,
        )
    try:
        wait_until(lambda: _is_ready(popen, log_path, ready), f"{command[0]} starts")
        yield popen
    finally:
        end(popen)


def _is_ready(popen: subprocess.Popen[bytes], log_path: Path, ready: str) -> bool:
    log = log_path.read_text(errors="replace")
    if popen.poll() is not None:
        raise BenchError(f"{popen.args!r} ended with {popen.returncode}:\n{log}")
    return ready in log


def end(popen: subprocess.Popen[bytes]) -> None:
    """End a process that was started here."""
    popen.send_signal(signal.SIGTERM)
    try:
        popen.wait(10)
    except subprocess.TimeoutExpired:
        popen.kill()
        popen.wait(10)


def compile_all(space: Workspace) -> None:
    """Run everything once, so that all code is compiled before it is measured."""
    with rig(space) as ready:
        ready.home()


def ideal_s(*legs_mm: float) -> float:
    """How long legs of these lengths take by the trapezoid of the real register speeds, in seconds."""
    return sum(DRIVE.duration_s(steps_from_mm(leg_mm)) for leg_mm in legs_mm)


def ramp_s(speed_mm_sec: float) -> float:
    """How long the motor takes from a speed to standstill, in seconds."""
    return speed_mm_sec / DRIVE.acceleration_mm_sec_sec
