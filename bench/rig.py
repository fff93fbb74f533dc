"""What is measured and soaked: a real `focusd` process on the pseudo-terminal of an `ok3z-simulator` process.

By default the line is paced to 38400 baud, and time is not scaled. Client, daemon and controller share the machine's
monotonic clock, so that a moment at the controller can be compared with one at the client.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import Pyro4

from bench.interruption import held_back
from bench.wire_log import BAUD, WireLog
from rockit.focuser.ok3z.driver.planning import Drive, steps_from_mm

BIN = Path(sys.executable).parent
OBJECT_NAME = "bench_focuser"
# Of the trace: more than a stop makes, and more than the longest move, at most 240 in a second.
SHORT_TRACE, LONG_TRACE = 200, 4000
# How long anything may take before the run gives up on it; the longest move takes 9 s, homing 41 s.
PATIENCE_S = 60.0
POLL_S = 0.005
END_S = 10.0
KEPT_LINES = 40
MISTAKES = ("Traceback", "a mistake in this program")
# Of the environment, what would change what is measured.
UNWANTED = ("PYTHONDONTWRITEBYTECODE", "FOCUSD_CONFIG_PATH")

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
CALL_ERRORS = (Pyro4.errors.CommunicationError, OSError)


class BenchError(Exception):
    """Something did not do its work, so that there is no figure."""


def wait_for(holds: Callable[[], Any], bound_s: float) -> Any:
    """Poll until something true comes, and give it; what is false after `bound_s`."""
    deadline_s = time.monotonic() + bound_s
    while not (found := holds()) and time.monotonic() < deadline_s:
        time.sleep(POLL_S)
    return found


def wait_until(holds: Callable[[], Any], what: str) -> Any:
    """Poll until something true comes, and give it. Raises BenchError where nothing does."""
    if found := wait_for(holds, PATIENCE_S):
        return found
    raise BenchError(f"this did not come within {PATIENCE_S:.0f} s: {what}")


@dataclass(frozen=True)
class Usage:
    """What a process holds: memory in MB of 1,000,000 bytes (resident, at most, proportional), threads, open files."""

    rss_mb: float
    hwm_mb: float
    pss_mb: float
    threads: int
    files: int

    @classmethod
    def of(cls, pid: int) -> Usage:
        """Raises OSError where the process is gone."""
        process = Path(f"/proc/{pid}")
        text = (process / "status").read_text() + (process / "smaps_rollup").read_text()
        found = dict(line.split(":", 1) for line in text.splitlines() if line.endswith(" kB"))
        rss_mb, hwm_mb, pss_mb = (
            int(found[key].split()[0]) * 1024 / 1e6 for key in ("VmRSS", "VmHWM", "Pss")
        )
        threads, files = (len(os.listdir(process / what)) for what in ("task", "fd"))
        return cls(rss_mb, hwm_mb, pss_mb, threads, files)


class Log:
    """What a program says, through all its processes."""

    def __init__(self) -> None:
        self.lines = self.mistakes = 0
        self.last: deque[str] = deque(maxlen=KEPT_LINES)

    def take(self, line: str) -> None:
        self.lines += 1
        self.mistakes += any(mistake in line for mistake in MISTAKES)
        self.last.append(line.rstrip())


class Process:
    """A program of ours while it runs. Raises BenchError where it ends and never says that it is ready."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], log: Log, ready: str) -> None:
        self._log = log
        self._ready = ready
        self._is_ready = False
        self._has_begun = threading.Event()
        with held_back():
            self.popen = subprocess.Popen(
                [str(BIN / words[0]), *words[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            self._reader = threading.Thread(target=self._read, name="log")
            self._reader.start()

    def wait_until_ready(self) -> None:
        """Raises BenchError where it ends, or has not come so far in time."""
        self._has_begun.wait(PATIENCE_S)
        if not self._is_ready:
            raise BenchError(f"{self.popen.args!r} did not start:\n" + "\n".join(self._log.last))

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self._log.take(line)
            if self._ready in line:
                self._is_ready = True
                self._has_begun.set()
        self._has_begun.set()

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal, by SIGKILL after END_S; its exit code. One that was stopped is woken."""
        with suppress(ProcessLookupError):
            self.popen.send_signal(number)
            self.popen.send_signal(signal.SIGCONT)
        try:
            code = self.popen.wait(END_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            code = self.popen.wait(END_S)
        # The log is read to its end before its pipe is closed.
        self._reader.join(END_S)
        assert self.popen.stdout is not None
        self.popen.stdout.close()
        return code


class Simulator:
    """An `ok3z-simulator` process on a pseudo-terminal. Any thread may ask it."""

    def __init__(self, folder: Path, environment: Mapping[str, str], options: Mapping[str, object]) -> None:
        self.link, control = str(folder / "port"), str(folder / "control")
        self._lock = threading.Lock()
        words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        command = ["ok3z-simulator", "--link", self.link, "--control", control, *words]
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._process = Process(command, environment, Log(), "ready at")
        try:
            self._process.wait_until_ready()
            self._socket.settimeout(END_S)
            self._socket.connect(control)
            self._answers = self._socket.makefile("rb")
        except BaseException:
            self._process.end()
            raise

    def tell(self, line: str) -> dict[str, Any]:
        """Say a line to the control socket. Raises BenchError where it is refused."""
        with self._lock:
            self._socket.sendall(line.encode() + b"\n")
            answer: dict[str, Any] = json.loads(self._answers.readline())
        if not answer["ok"]:
            raise BenchError(f"the virtual controller refused {line!r}: {answer}")
        return answer

    def close(self) -> None:
        self._answers.close()
        self._socket.close()
        self._process.end()


class Rig:
    """A daemon, through all its processes, and the virtual controller behind it. Calls may come from any thread.

    Args:
        folder: for configuration, sockets and state; empty.
        options: of the virtual controller; None where it lives in the daemon, by `serial_port` of `changes`.
        time_scale: how much faster than the clock the mechanics run.
        changes: other values of the configuration.
    """

    def __init__(
        self,
        folder: Path,
        options: Mapping[str, object] | None,
        time_scale: float,
        changes: Mapping[str, Any],
    ) -> None:
        self.time_scale = time_scale
        self.log = Log()
        self._process: Process | None = None
        self.simulator: Simulator | None = None
        self._reserved = [_reserved(), _reserved()]
        self.port, self.alpaca_port = (int(each.getsockname()[1]) for each in self._reserved)
        self.uri = f"PYRO:{OBJECT_NAME}@127.0.0.1:{self.port}"
        self.config_path = folder / "bench.json"
        site_path, state_path = folder / "site.json", folder / "state"
        state_path.mkdir()
        daemon = {"name": OBJECT_NAME, "machine": "LocalHost", "port": self.port}
        site_path.write_text(json.dumps({"machines": {}, "daemons": {"bench": daemon}}), encoding="utf-8")
        self.environment = {
            **{key: value for key, value in os.environ.items() if key not in UNWANTED},
            "ROCKIT_SITE_PATH": str(site_path),
            "FOCUSD_CONFIG_PATH": str(self.config_path),
            "STATE_DIRECTORY": str(state_path),
            "PYTHONUNBUFFERED": "1",
        }
        self.config = {**CONFIG, "serial_port": str(folder / "port"), **changes}
        self.config_path.write_text(json.dumps(self.config), encoding="utf-8")
        if options is not None:
            self.simulator = Simulator(folder, self.environment, {"time_scale": time_scale, **options})

    # The process

    def serve_alpaca(self) -> None:
        """From the next start on."""
        self.config["alpaca"] = {"port": self.alpaca_port}
        self.config_path.write_text(json.dumps(self.config), encoding="utf-8")

    def start(self) -> None:
        """Start the daemon, and wait until it serves."""
        scale = ["--time-scale", str(self.time_scale)] if self.time_scale != 1 else []
        words = ["focusd", str(self.config_path), *scale]
        self._process = Process(words, self.environment, self.log, f"serving {OBJECT_NAME}")
        self._process.wait_until_ready()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while the daemon runs."""
        return self._process.popen.poll() if self._process else None

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def usage(self) -> Usage:
        return Usage.of(self.pid)

    def end(self, number: int = signal.SIGTERM) -> int:
        """End the daemon; its exit code."""
        assert self._process is not None
        return self._process.end(number)

    def close(self) -> None:
        """Whatever became of them, daemon and virtual controller are gone afterwards."""
        self.close_daemon()
        if self.simulator is not None:
            self.simulator.close()
        for each in self._reserved:
            each.close()

    def close_daemon(self) -> None:
        """Whatever became of it, it is gone afterwards."""
        if self._process is not None:
            self._process.end()

    # The calls

    def proxy(self, timeout_s: float = PATIENCE_S) -> Any:
        """A proxy that is not connected yet. Use it as a context manager."""
        proxy = Pyro4.Proxy(self.uri)
        proxy._pyroTimeout = timeout_s
        return proxy

    def connected(self) -> Any:
        """A proxy whose connection is open already."""
        proxy = self.proxy()
        proxy._pyroBind()
        return proxy

    def call(self, method: str, *words: Any, timeout_s: float = PATIENCE_S, **named: Any) -> Any:
        """One call over a connection of its own. Raises CALL_ERRORS."""
        with self.proxy(timeout_s) as proxy:
            return getattr(proxy, method)(*words, **named)

    def status(self) -> dict[str, Any]:
        report: dict[str, Any] = self.call("report_status", timeout_s=5.0)
        return report

    def expect(self, method: str, *words: Any) -> None:
        """A call that must succeed."""
        if status := self.call(method, *words):
            raise BenchError(f"{method}{words} gave {status}: {self.status()}")

    # The virtual controller

    def tell(self, line: str) -> dict[str, Any]:
        """Say something to the virtual controller."""
        assert self.simulator is not None
        return self.simulator.tell(line)

    def truth(self) -> dict[str, Any]:
        """What is true of the virtual controller, whatever it says."""
        return self.tell("state")

    def wire(self, lines: int = SHORT_TRACE) -> WireLog:
        """What went over the wire lately."""
        return WireLog(self.tell(f"trace {lines}")["trace"])


def _reserved() -> socket.socket:
    """Bound and not listening: focusd, which reuses addresses, can listen there, and nobody gets it by chance."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("127.0.0.1", 0))
    return one


@contextmanager
def idle_rig(
    options: Mapping[str, object] | None = None, time_scale: float = 1.0, **changes: Any
) -> Iterator[Rig]:
    """A rig whose daemon has not been started. Nothing of it is left at the end."""
    with tempfile.TemporaryDirectory(prefix="focusd-bench-") as folder, ExitStack() as stack:
        with held_back():
            made = Rig(Path(folder), options, time_scale, changes)
            stack.callback(_close, made)
        yield made


def _close(made: Rig) -> None:
    with held_back():
        made.close()


@contextmanager
def rig(start_mm: float = 0.3, alpaca: bool = False, **options: object) -> Iterator[Rig]:
    """A daemon that serves, on a virtual controller with these options whose carriage stands at `start_mm`, in real
    time."""
    with idle_rig({"start_mm": start_mm, **options}) as made:
        if alpaca:
            made.serve_alpaca()
        made.start()
        yield made


def ideal_s(*legs_mm: float) -> float:
    """How long legs of these lengths take by the trapezoid of the real register speeds, in seconds."""
    return sum(DRIVE.duration_s(steps_from_mm(leg_mm)) for leg_mm in legs_mm)


def ramp_s(speed_mm_sec: float) -> float:
    """How long the motor takes from a speed to standstill, in seconds."""
    return speed_mm_sec / DRIVE.acceleration_mm_sec_sec
