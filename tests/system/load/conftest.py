"""A crowd at the port of a real daemon: clients that say nothing, or half of it, or ask and never listen."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from Pyro4 import message, util

from tests.support.processes import Simulator
from tests.support.waiting import BOUND_S

NEEDED_FILES = 4096
SERPENT = util.get_serializer("serpent")


@pytest.fixture(scope="session", autouse=True)
def _files_for_a_crowd() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < NEEDED_FILES <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (NEEDED_FILES, hard))


def greeting(object_id: str) -> bytes:
    data = SERPENT.dumps({"handshake": "hello", "object": object_id})
    return bytes(message.Message(message.MSG_CONNECT, data, 1, message.FLAGS_META_ON_CONNECT, 0).to_bytes())


def call(object_id: str, method: str) -> bytes:
    data = SERPENT.dumpsCall(object_id, method, (), {})
    return bytes(message.Message(message.MSG_INVOKE, data, 1, 0, 1).to_bytes())


class Crowd:
    """Rude clients of one daemon, all at once."""

    def __init__(self, daemon: Any) -> None:
        self._daemon = daemon
        self.sockets: list[socket.socket] = []

    def silent(self, count: int, source: str = "127.0.0.1") -> None:
        for _ in range(count):
            self._connect(source)

    def half_greeted(self, count: int) -> None:
        for number in range(count):
            self._connect().sendall(greeting(self._daemon.object_name)[: 1 + number % 100])

    def half_asked(self, count: int) -> None:
        for _ in range(count):
            self._greet().sendall(call(self._daemon.object_name, "report_status")[:-1])

    def never_reading(self) -> None:
        """Ask until neither side takes any more."""
        deaf = self._greet()
        deaf.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                deaf.send(call(self._daemon.object_name, "report_status") * 50)

    def what_is_told_to(self, source: str) -> str:
        """The status as a machine at another address gets it."""
        client = self._greet(source)
        client.sendall(call(self._daemon.object_name, "report_status"))
        return client.recv(65536).decode(errors="replace")

    def close(self) -> None:
        for each in self.sockets:
            each.close()
        self.sockets.clear()

    def _greet(self, source: str = "127.0.0.1") -> socket.socket:
        client = self._connect(source)
        client.sendall(greeting(self._daemon.object_name))
        assert client.recv(4096)
        return client

    def _connect(self, source: str = "127.0.0.1") -> socket.socket:
        address = (self._daemon.address.host, self._daemon.address.port)
        self.sockets.append(socket.create_connection(address, BOUND_S, source_address=(source, 0)))
        return self.sockets[-1]


@pytest.fixture
def gather() -> Iterator[Callable[[Any], Crowd]]:
    """Makes the crowd of a daemon."""
    crowds: list[Crowd] = []

    def make(daemon: Any) -> Crowd:
        crowds.append(Crowd(daemon))
        return crowds[-1]

    yield make
    for crowd in crowds:
        crowd.close()


class Pollers:
    """Fifty clients that ask for the status ten times a second, each over a connection of its own."""

    COUNT, PERIOD_S = 50, 0.1

    def __init__(self, daemon: Any) -> None:
        self._daemon = daemon
        self._over = threading.Event()
        self.answers = [0] * self.COUNT
        self.failures: list[BaseException] = []
        self._threads = [threading.Thread(target=self._poll, args=(number,)) for number in range(self.COUNT)]
        for thread in self._threads:
            thread.start()

    def _poll(self, number: int) -> None:
        try:
            with self._daemon.proxy() as proxy:
                while not self._over.wait(self.PERIOD_S):
                    report = proxy.report_status()
                    assert report["status"] in (1, 2)
                    assert 0 <= report["current_mm"] <= 6
                    self.answers[number] += 1
        except BaseException as error:
            self.failures.append(error)

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(BOUND_S)


@pytest.fixture
def poll() -> Iterator[Callable[[Any], Pollers]]:
    """Lets fifty clients poll a daemon; none may ever fail."""
    made: list[Pollers] = []

    def begin(daemon: Any) -> Pollers:
        made.append(Pollers(daemon))
        return made[-1]

    yield begin
    for pollers in made:
        pollers.end()
        assert pollers.failures == []
        assert min(pollers.answers) > 0


class Usage:
    """What the process of a daemon takes of the machine."""

    def __init__(self, daemon: Any) -> None:
        self._proc = Path(f"/proc/{daemon.popen.pid}")

    @property
    def threads(self) -> int:
        return self._status("Threads")

    @property
    def memory_kb(self) -> int:
        return self._status("VmRSS")

    @property
    def files(self) -> int:
        return len(os.listdir(self._proc / "fd"))

    def _status(self, key: str) -> int:
        found = re.search(rf"^{key}:\s+(\d+)", (self._proc / "status").read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1])


@pytest.fixture
def usage_of() -> type[Usage]:
    return Usage


@pytest.fixture
def real_port(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """For a daemon: a serial port with a virtual controller behind it, and how fast that lives."""
    with Simulator(tmp_path) as simulator:
        yield simulator.port
