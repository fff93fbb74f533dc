"""Debian's indiserver with our driver, before a real `focusd` on the virtual controller."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.support.indi import NAME
from tests.support.ports import free_port
from tests.support.processes import BIN, Focusd, running
from tests.support.waiting import BOUND_S, wait_until

# 2 mm/s on the clock on the wall: time enough to step in.
SETTINGS: dict[str, Any] = {"serial_port": {"time_scale": 10}, "speed_mm_sec": 0.2, "anti_backlash_mm": 0.5}


class Server:
    """An `indiserver` with a FIFO and a port of its own.

    Args:
        folder: for its files.
        environment: of the process; its PATH leads to our driver.
        drivers: those that it starts with.
        options: more of its own.
    """

    def __init__(
        self, folder: Path, environment: dict[str, str], *drivers: str, options: tuple[str, ...] = ()
    ) -> None:
        self.port = free_port()
        folder.mkdir(exist_ok=True)
        self.fifo = folder / f"fifo{self.port}"
        os.mkfifo(self.fifo)
        self.log_path = folder / f"log{self.port}"
        words = ["-p", str(self.port), "-u", f"{folder}/unix{self.port}", *options]
        # With a FIFO, drivers of the command line are given no name.
        words += drivers or ("-f", str(self.fifo))
        with self.log_path.open("wb") as log:
            self.popen = subprocess.Popen(
                ["indiserver", "-v", *words],
                env={**environment, "PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._listens, "indiserver listens")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def tell(self, line: str) -> None:
        """Start or stop a driver."""
        self.fifo.write_text(f"{line}\n")

    @property
    def driver_ids(self) -> list[int]:
        """The processes of our driver that are its children."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == self.popen.pid and b"indi_ok3z_focus" in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def get(self, *names: str, timeout_s: float = 1) -> dict[str, str]:
        """What `indi_getprop` reads; `PROPERTY.ELEMENT` of our device."""
        words = [f"{NAME}.{name}" for name in names] or [f"{NAME}.*.*"]
        said = self.run("indi_getprop", "-t", timeout_s, *words).stdout
        return dict(re.findall(rf"^{re.escape(NAME)}\.(.+?)=(.*)$", said, re.MULTILINE))

    def set(self, name: str, value: object, timeout_s: float = BOUND_S) -> int:
        """Set one element, as `indi_setprop` does; gives its exit code."""
        return self.run("indi_setprop", "-t", timeout_s, f"{NAME}.{name}={value}").returncode

    def wait(self, expression: str) -> None:
        """Wait until an expression of `indi_eval` is true; `[NAME]` in it is an operand of our device."""
        words = re.sub(r"\[(.+?)\]", rf'"{NAME}.\1"', expression)
        outcome = self.run("indi_eval", "-w", "-t", BOUND_S, words)
        assert outcome.returncode == 0, (expression, self.get(), self.log[-3000:])

    def run(self, command: str, *words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [command, "-p", str(self.port), *map(str, words)],
            capture_output=True,
            text=True,
            timeout=2 * BOUND_S,
            check=False,
        )

    def connect(self) -> None:
        assert self.set("CONNECTION.CONNECT", "On") == 0
        self.wait("[CONNECTION._STATE]==1 && [ABS_FOCUS_POSITION._STATE]==1")

    def end(self) -> None:
        """End it; no driver may outlive it."""
        drivers = self.driver_ids
        self.popen.kill()
        self.popen.wait(BOUND_S)
        wait_until(lambda: not any(os.path.exists(f"/proc/{each}") for each in drivers), "the drivers end")


@pytest.fixture(scope="session")
def focusd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Focusd]:
    """A homed focuser."""
    with running(Focusd(tmp_path_factory.mktemp("focusd"), **SETTINGS)) as daemon:
        assert daemon.call("initialize") == 0
        yield daemon


@pytest.fixture
def make_server(tmp_path: Path, focusd: Focusd) -> Iterator[Callable[..., Server]]:
    """Makes servers, and ends them. They find the configuration of `focusd`."""
    made: list[Server] = []

    def make(*drivers: str, options: tuple[str, ...] = ()) -> Server:
        environment = {**focusd.environment, "INDIDEV": NAME}
        made.append(Server(tmp_path / "server", environment, *drivers, options=options))
        return made[-1]

    yield make
    for server in made:
        server.end()
        assert "Traceback" not in server.log


@pytest.fixture
def server(make_server: Callable[..., Server], focusd: Focusd) -> Server:
    """A server whose driver was started by its FIFO, as Ekos does it, and is connected. The focuser stands at 5088."""
    assert focusd.call("set_focus", 1.0) == 0
    # Ekos gives up at the first end of a driver.
    server = make_server(options=("-r", "0"))
    server.tell(f'start indi_ok3z_focus -n "{NAME}"')
    wait_until(lambda: server.get("CONNECTION.CONNECT"), "the driver")
    server.connect()
    return server
