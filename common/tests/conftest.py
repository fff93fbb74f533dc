"""Shared by the tests of rockit.common: free ports, served objects, fresh interpreters."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import Pyro4
import pytest
from rockit.common.registered_daemon import RegisteredDaemon

from tests.support import ports
from tests.support.processes import clean_environment, run
from tests.support.waiting import wait_until

Serve = Callable[[object], RegisteredDaemon]
RunPython = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def free_port() -> int:
    """A loopback port that nobody listens on."""
    return ports.free_port()


@pytest.fixture
def serve(free_port: int) -> Iterator[Serve]:
    """Serves objects by `launch` on the free port, each until the test ends or it is shut down."""
    running: list[tuple[Any, threading.Thread]] = []

    def start(obj: object) -> RegisteredDaemon:
        daemon = RegisteredDaemon("probe_daemon", "127.0.0.1", free_port)
        thread = threading.Thread(target=daemon.launch, args=(obj,))
        thread.start()
        running.append((obj, thread))
        wait_until_served(daemon)
        return daemon

    yield start
    for obj, thread in running:
        server = getattr(obj, "_pyroDaemon", None)
        if server is not None:
            server.shutdown()
        thread.join(timeout=10)
        assert not thread.is_alive(), "launch did not end"


@pytest.fixture
def stop_serving() -> Callable[[Any], None]:
    """Ends the `launch` of an object, as another thread of a daemon would."""
    return lambda obj: obj._pyroDaemon.shutdown()


@pytest.fixture
def run_python() -> RunPython:
    """Runs code in a fresh interpreter, with the built-in phone book unless `env` names a site file."""

    def run_one(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return run("python", *arguments, env=clean_environment(**(env or {})))

    return run_one


def wait_until_served(daemon: RegisteredDaemon) -> None:
    """Returns when the daemon greets its callers; each refused attempt returns at once."""

    def greets() -> bool:
        try:
            with daemon.connect() as proxy:
                proxy._pyroBind()
                return True
        except Pyro4.errors.CommunicationError:
            return False

    wait_until(greets, f"somebody serves {daemon}")
