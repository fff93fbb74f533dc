"""Real `focusd` and `focus` processes on loopback, over real Pyro4.

Every daemon has a port, a site file and a virtual controller of its own, so that tests run side by side and
next to a developer's own focusd. Each is ended by its process id, and must end well: exit code 0, and
no process, socket, link or listening port left behind.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.support.processes import CONFIG, Focusd, Report, alive, clean_environment, run, running
from tests.support.pyro import connecting_from

SHOWN_LOG_LINES = 60
# Further out no test stops a move that shall keep its position.
STOPS_BELOW_MM = 2.0

# Of which time_scale makes 4 mm/s for the clock on the wall: time enough to step in.
SLOW: dict[str, Any] = {"speed_mm_sec": 0.1, "anti_backlash_mm": 1.5}

# As fast for the clock on the wall, from a speed four times as high and a scale four times as low: a halt in the first
# milliseconds of a move then takes the motor no further than a real one could come.
STEADY: dict[str, Any] = {
    # Its register is 0 further out than a test stops a move.
    "serial_port": {"time_scale": 10, "start_mm": 3.5},
    "speed_mm_sec": 0.4,
    "anti_backlash_mm": 1.5,
}

# 0.5 mm/s for the clock on the wall: time enough for whole processes to come and go during a move. It is for moves that
# a test ends itself.
PATIENT: dict[str, Any] = {"serial_port": {"time_scale": 10}, "speed_mm_sec": 0.05}


class Daemon(Focusd):
    """A `focusd` process, and what tests do to its focuser again and again."""

    def wait_for_leg(self, leg: str) -> Report:
        """Wait until a leg has really begun to move."""
        return self.wait_for(lambda report: report.get("leg") == leg and report["speed_mm_sec"], f"the {leg}")

    def wait_for_homing(self) -> Report:
        return self.wait_for(lambda report: report.get("homing_travelled_mm", 0) > 0.1, "the homing run")

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
    """The environment of every process."""
    return clean_environment()


@pytest.fixture
def make_daemon(tmp_path: Path, environment: dict[str, str]) -> Iterator[Callable[..., Daemon]]:
    """Makes daemons, not yet started; those that run at the end of the test must end well.

    Keywords are those of `Focusd`.
    """
    made: list[Daemon] = []

    def make(site: Report | None = None, **settings: Any) -> Daemon:
        folder = tmp_path / f"d{len(made)}"
        folder.mkdir()
        made.append(Daemon(folder, site=site, **settings))
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


@pytest.fixture(scope="session")
def shared_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running(Daemon(tmp_path_factory.mktemp("fast"))) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def slow_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running(Daemon(tmp_path_factory.mktemp("slow"), **SLOW)) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def alpaca_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running(Daemon(tmp_path_factory.mktemp("alpaca"), alpaca={}, **STEADY)) as daemon:
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
def patient_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running(Daemon(tmp_path_factory.mktemp("patient"), alpaca={}, **PATIENT)) as daemon:
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


@pytest.fixture
def run_focus() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `focus WORDS` on pipes with the configuration of a daemon."""
    return lambda daemon, *words: run("focus", *words, env=daemon.environment)


@pytest.fixture
def run_all(
    background: Callable[..., Future[Any]],
) -> Callable[..., list[subprocess.CompletedProcess[str]]]:
    """Runs a command with each of several lists of words, all at the same time."""

    def run_each(
        daemon: Daemon, command: str, *lists: tuple[str, ...]
    ) -> list[subprocess.CompletedProcess[str]]:
        runs = [background(run, command, *words, env=daemon.environment) for words in lists]
        return [each.result() for each in runs]

    return run_each


@pytest.fixture
def proxy_from() -> Iterator[Callable[[Any, str], Any]]:
    """A connected proxy whose calls come from another address of this machine."""
    proxies: list[Any] = []

    def connect(daemon: Any, source_ip: str) -> Any:
        proxies.append(daemon.proxy())
        with connecting_from(source_ip):
            proxies[-1]._pyroBind()
        return proxies[-1]

    yield connect
    for proxy in proxies:
        proxy._pyroRelease()
