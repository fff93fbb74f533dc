"""Real `focusd` and `focus` processes on loopback, over real Pyro4.

Every daemon has a port, a site file and a virtual controller of its own, so that tests run side by side and
next to a developer's own focusd. Each is ended by its process id, and must end well: exit code 0, and
no process, socket, link or listening port left behind.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

import Pyro4
import pytest

from rockit.focuser.ok3z.simulator.control import tell

BIN = Path(sys.executable).parent
# How long anything may take before a test gives up on it. Nothing is expected to need a tenth of it.
BOUND_S = 20.0
POLL_S = 0.005
SHOWN_LOG_LINES = 60
# Further out no test stops a move that shall keep its position.
STOPS_BELOW_MM = 2.0
OBJECT_NAME = "system_test_focuser"
Report = dict[str, Any]

CONFIG: dict[str, Any] = {
    "daemon": "system_test",
    "log_name": "focusd@system_test",
    "control_machines": ["LocalHost"],
    "serial_port": "sim://",
    "serial_baud": 38400,
    "serial_timeout": 5,
    "move_timeout": 180,
    "steps_per_mm": 5088,
    "anti_backlash_mm": 0.2,
    "focus_range_mm": 6.0,
    "speed_mm_sec": 0.2,
    "acceleration_mm_sec_sec": 5,
}
FAST_SIM = {"start_mm": 0.3, "time_scale": 40}
# Of which time_scale makes 4 mm/s for the clock on the wall: time enough to step in.
SLOW = {"speed_mm_sec": 0.1, "anti_backlash_mm": 1.5}

# As fast for the clock on the wall, from a speed four times as high and a scale four times as low: a halt in the first
# milliseconds of a move then takes the motor no further than a real one could come.
STEADY = {"serial_port": {"time_scale": 10}, "speed_mm_sec": 0.4, "anti_backlash_mm": 1.5}

# 0.5 mm/s for the clock on the wall: time enough for whole processes to come and go during a move. It is for moves that
# a test ends itself.
PATIENT = {"serial_port": {"time_scale": 10}, "speed_mm_sec": 0.05}

alive: list[Daemon] = []


def wait_until(holds: Callable[[], Any], what: str) -> Any:
    """Poll until something true comes, and give it."""
    deadline_s = time.monotonic() + BOUND_S
    while True:
        found = holds()
        if found:
            return found
        assert time.monotonic() < deadline_s, f"this never came: {what}"
        time.sleep(POLL_S)


def group_is_gone(group: int) -> bool:
    """Whether no process of a process group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


class Address:
    """A port on loopback that is kept from everybody else, for a daemon to listen on."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        # Bound and not listening: who sets SO_REUSEADDR too can listen there, and nobody is given the port by chance.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind((host, 0))
        self.host, self.port = self._reserved.getsockname()

    def is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0

    def close(self) -> None:
        self._reserved.close()


class Daemon:
    """A `focusd` process and its configuration, and calls to it as old clients make them."""

    def __init__(
        self,
        folder: Path,
        environment: dict[str, str],
        changes: Report,
        site: Report,
        time_scale: float | None = None,
    ) -> None:
        self.folder = folder
        # What a virtual controller that is not behind `sim://` does not tell.
        self._words = [] if time_scale is None else [f"--time-scale={time_scale}"]
        self.address = Address()
        # Where Alpaca programs find it, if it is configured.
        self.alpaca = Address()
        self.uri = f"PYRO:{OBJECT_NAME}@{self.address.host}:{self.address.port}"
        self.object_name = OBJECT_NAME
        self.command = BIN / "focusd"
        self.control = str(folder / "control")
        self.config_path = folder / "focuser.json"
        self.write_config(**changes)
        self.site_path = folder / "site.json"
        self.write_site(site)
        self.environment = {**environment, "ROCKIT_SITE_PATH": str(self.site_path)}
        self.environment["FOCUSD_CONFIG_PATH"] = str(self.config_path)
        self.environment["STATE_DIRECTORY"] = str(folder / "state")
        self.log_path = folder / "focusd.log"
        self.popen: subprocess.Popen[bytes] | None = None

    def write_config(self, **changes: Any) -> None:
        values = {**CONFIG, **changes}
        if "alpaca" in values:
            values["alpaca"] = {"port": self.alpaca.port, **values["alpaca"]}
        if isinstance(values["serial_port"], dict):
            options = {**FAST_SIM, **values["serial_port"], "control": self.control}
            values["serial_port"] = "sim://?" + "&".join(f"{key}={value}" for key, value in options.items())
        self.config_path.write_text(json.dumps(values))

    def write_site(self, additions: Report) -> None:
        own = {"name": OBJECT_NAME, "machine": "LocalHost", "port": self.address.port}
        daemons = {"system_test": own, **additions.get("daemons", {})}
        machines = {"Elsewhere": "127.0.0.2", **additions.get("machines", {})}
        self.site_path.write_text(json.dumps({"machines": machines, "daemons": daemons}))

    # The process

    def start(self, *words: str, command: Path = BIN / "focusd") -> Daemon:
        """Start, and wait until it listens."""
        self.launch(*words, command=command)
        return self.wait_until_up()

    def wait_until_up(self) -> Daemon:
        wait_until(self._is_up, "focusd listens")
        return self

    def launch(self, *words: str, command: Path = BIN / "focusd", log: int | None = None) -> None:
        """Start, and wait for nothing. `log` is a file descriptor that takes the place of the log file."""
        with self.log_path.open("wb") as file:
            self.popen = subprocess.Popen(
                [str(command), str(self.config_path), *self._words, *words],
                stdin=subprocess.DEVNULL,
                stdout=file if log is None else log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.folder,
                start_new_session=True,
            )
        if self not in alive:
            alive.append(self)

    def _is_up(self) -> bool:
        assert self.popen is not None
        assert self.popen.poll() is None, f"focusd ended with {self.popen.returncode}:\n{self.log}"
        return f"serving {OBJECT_NAME}" in self.log

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_for_log(self, text: str) -> None:
        wait_until(lambda: text in self.log, f"{text!r} in the log")

    def send_signal(self, number: int) -> None:
        assert self.popen is not None
        self.popen.send_signal(number)

    def wait(self) -> int:
        """The exit code, once it has ended."""
        assert self.popen is not None
        return self.popen.wait(BOUND_S)

    @property
    def is_running(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it by a signal; it must end well and leave nothing behind."""
        self.send_signal(number)
        self.assert_ended_well()

    def assert_ended_well(self) -> None:
        assert self.wait() == 0
        self.assert_gone()

    def assert_gone(self) -> None:
        """Nothing is left of it, and it never showed anybody a traceback."""
        assert self.popen is not None
        assert group_is_gone(self.popen.pid)
        assert not self.address.is_listening()
        assert not self.alpaca.is_listening()
        assert not os.path.lexists(self.control)
        assert "Traceback" not in self.log

    def dispose(self) -> None:
        """Whatever became of it, it does not outlive its test."""
        self.address.close()
        self.alpaca.close()
        if self.popen is not None and self.is_running:
            self.popen.kill()
            self.popen.wait(BOUND_S)
        if self in alive:
            alive.remove(self)

    # The calls

    def call(self, method: str, *arguments: Any, timeout: float = BOUND_S, **named: Any) -> Any:
        """One call over a connection of its own."""
        with self.proxy(timeout) as proxy:
            return getattr(proxy, method)(*arguments, **named)

    def proxy(self, timeout: float = BOUND_S) -> Any:
        proxy = Pyro4.Proxy(self.uri)
        proxy._pyroTimeout = timeout
        return proxy

    def status(self) -> Report:
        report: Report = self.call("report_status")
        return report

    def wait_for(self, holds: Callable[[Report], Any], what: str) -> Report:
        """Poll the status over one connection until it is as wanted."""
        with self.proxy() as proxy:
            seen: list[Report] = []

            def look() -> bool:
                seen[:] = [proxy.report_status()]
                return bool(holds(seen[0]))

            wait_until(look, what)
            return seen[0]

    def wait_for_leg(self, leg: str) -> Report:
        """Wait until a leg has really begun to move."""
        return self.wait_for(lambda report: report.get("leg") == leg and report["speed_mm_sec"], f"the {leg}")

    def wait_for_homing(self) -> Report:
        return self.wait_for(lambda report: report.get("homing_travelled_mm", 0) > 0.1, "the homing run")

    # The virtual controller of `sim://`, which exists from the first `initialize` on

    def tell(self, line: str) -> Report:
        answer = tell(self.control, line)
        assert answer["ok"], answer
        return answer

    def truth(self) -> Report:
        """What is true of the device, whatever it says."""
        return self.tell("state")

    @property
    def power_up_mm(self) -> float:
        """Where the register is 0, as it is after a power cut."""
        truth = self.truth()
        return float(truth["motor_mm"] + truth["register"] / CONFIG["steps_per_mm"])

    def sent(self) -> int:
        """How many go-to commands have reached the controller."""
        return int(self.truth()["frames_seen"].get("P092", 0))

    def ready(self) -> Daemon:
        """Healthy and homed, whatever the test before has left."""
        if os.path.exists(self.control):
            for line in ("clear", "return", "power-on"):
                self.tell(line)
        if self.status()["status"] != 1:
            self.call("stop")
            assert self.call("initialize") in (0, 8)
        if os.path.exists(self.control) and 0 <= self.power_up_mm < STOPS_BELOW_MM:
            # A stop next to where the controller began after a power cut loses the position: not in the next test.
            assert self.call("shutdown") == 0
            self.tell(f"hand {STOPS_BELOW_MM - self.power_up_mm}")
            assert self.call("initialize") == 0
        return self

    def ready_at(self, at_mm: float) -> Daemon:
        """Healthy, homed, and standing at a position."""
        assert self.ready().call("set_focus", at_mm) == 0
        return self


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach the logs of the daemons to what is said of a failure."""
    report = yield
    if report.failed:
        for daemon in alive:
            lines = daemon.log.splitlines()[-SHOWN_LOG_LINES:]
            report.sections.append((f"log of focusd in {daemon.folder.name}", "\n".join(lines)))
    return report


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The environment of every process: the developer's, without what would change how they behave."""
    unwanted = (
        "ROCKIT_SITE_PATH",
        "FOCUSD_CONFIG_PATH",
        "PYTHONPATH",
        "COLUMNS",
        "LINES",
        "NO_COLOR",
        "FORCE_COLOR",
    )
    kept = {key: value for key, value in os.environ.items() if key not in unwanted}
    return {**kept, "PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8"}


@pytest.fixture
def make_daemon(tmp_path: Path, environment: dict[str, str]) -> Iterator[Callable[..., Daemon]]:
    """Makes daemons, not yet started; those that run at the end of the test must end well.

    Keywords are keys of the configuration. A dict for `serial_port` is options of `sim://`. `time_scale` is that of a
    virtual controller behind another port.
    """
    made: list[Daemon] = []

    def make(site: Report | None = None, time_scale: float | None = None, **changes: Any) -> Daemon:
        folder = tmp_path / f"d{len(made)}"
        folder.mkdir()
        changes.setdefault("serial_port", {})
        made.append(Daemon(folder, environment, changes, site or {}, time_scale))
        return made[-1]

    yield make
    try:
        running = [daemon for daemon in made if daemon.is_running]
        for daemon in running:
            daemon.send_signal(signal.SIGTERM)
        for daemon in running:
            daemon.assert_ended_well()
    finally:
        for daemon in made:
            daemon.dispose()


@contextmanager
def shared(folder: Path, environment: dict[str, str], **changes: Any) -> Iterator[Daemon]:
    """A daemon for all tests that leave it well."""
    daemon = Daemon(folder, environment, {"serial_port": {}, **changes}, {})
    try:
        yield daemon.start()
        daemon.end()
    finally:
        daemon.dispose()


@pytest.fixture(scope="session")
def shared_daemon(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[Daemon]:
    with shared(tmp_path_factory.mktemp("fast"), environment) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def slow_daemon(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[Daemon]:
    with shared(tmp_path_factory.mktemp("slow"), environment, **SLOW) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def alpaca_daemon(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[Daemon]:
    with shared(tmp_path_factory.mktemp("alpaca"), environment, alpaca={}, **STEADY) as daemon:
        yield daemon


@pytest.fixture
def focuser(shared_daemon: Daemon) -> Daemon:
    """A homed focuser at 0.5 mm that is fast enough to wait for."""
    return shared_daemon.ready_at(0.5)


@pytest.fixture
def slow_focuser(slow_daemon: Daemon) -> Daemon:
    """A homed focuser near its inner end that is slow enough to step in."""
    if slow_daemon.ready().status()["current_mm"] > 1.0:
        slow_daemon.ready_at(0.5)
    return slow_daemon


@pytest.fixture(scope="session")
def patient_daemon(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[Daemon]:
    with shared(tmp_path_factory.mktemp("patient"), environment, alpaca={}, **PATIENT) as daemon:
        yield daemon


@pytest.fixture
def patient_focuser(patient_daemon: Daemon) -> Daemon:
    """A homed focuser further in than 2 mm, for moves outward that the test stops."""
    if patient_daemon.ready().status()["current_mm"] > 2.0:
        patient_daemon.ready_at(0.5)
    return patient_daemon


@pytest.fixture
def background() -> Iterator[Callable[..., Future[Any]]]:
    """Runs a function on a thread of its own; all must have ended by the end of the test."""
    with ThreadPoolExecutor(max_workers=40) as pool:
        yield pool.submit


def run_to_its_end(daemon: Daemon, command: str, words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / command), *words],
        env=daemon.environment,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )


@pytest.fixture
def run_focus() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `focus WORDS` on pipes with the configuration of a daemon."""
    return lambda daemon, *words: run_to_its_end(daemon, "focus", words)


@pytest.fixture
def run_all(
    background: Callable[..., Future[Any]],
) -> Callable[..., list[subprocess.CompletedProcess[str]]]:
    """Runs a command with each of several lists of words, all at the same time."""

    def run(daemon: Daemon, command: str, *lists: tuple[str, ...]) -> list[subprocess.CompletedProcess[str]]:
        runs = [background(run_to_its_end, daemon, command, words) for words in lists]
        return [each.result() for each in runs]

    return run


@pytest.fixture
def proxy_from(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any, str], Any]]:
    """A connected proxy whose calls come from another address of this machine."""
    proxies: list[Any] = []

    def connect(daemon: Any, source_ip: str) -> Any:
        def from_there(connect: tuple[str, int], timeout: float, **_: Any) -> socket.socket:
            return socket.create_connection(connect, timeout, source_address=(source_ip, 0))

        proxies.append(daemon.proxy())
        with monkeypatch.context() as patch:
            patch.setattr(Pyro4.socketutil, "createSocket", from_there)
            proxies[-1]._pyroBind()
        return proxies[-1]

    yield connect
    for proxy in proxies:
        proxy._pyroRelease()
