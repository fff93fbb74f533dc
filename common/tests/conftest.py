"""Shared by the tests of rockit.common: free ports, served objects, fresh interpreters."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import Pyro4
import pytest
from rockit.common.registered_daemon import RegisteredDaemon

Serve = Callable[[object], RegisteredDaemon]
RunPython = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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

    def run(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        inherited = {key: value for key, value in os.environ.items() if key != "ROCKIT_SITE_PATH"}
        return subprocess.run(
            [sys.executable, *arguments],
            env={**inherited, **(env or {})},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return run


def wait_until_served(daemon: RegisteredDaemon) -> None:
    """Returns when the daemon greets its callers; each refused attempt returns at once."""
    for _ in range(10_000):
        try:
            with daemon.connect() as proxy:
                proxy._pyroBind()
                return
        except Pyro4.errors.CommunicationError:
            threading.Event().wait(0.001)
    raise AssertionError(f"nobody serves {daemon}")
