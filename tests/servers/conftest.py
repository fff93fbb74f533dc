"""The HTTP port over a focuser that does what the test says, and clients of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Callable, cast

import pytest

from rockit.focuser.ok3z.servers.http.admission import MANNER, Bounds
from rockit.focuser.ok3z.servers.metrics import Metrics
from rockit.focuser.ok3z.servers.net.listener import listen
from rockit.focuser.ok3z.servers.web import WebServer
from rockit.focuser.ok3z.service.focuser import Focuser
from tests.support.focusers import MovingFocuser
from tests.support.http import LOOPBACK, OTHER_CONTROL, STRANGER, AlpacaClient


@pytest.fixture
def focuser() -> Iterator[MovingFocuser]:
    """A focuser that stands at 0 mm."""
    focuser = MovingFocuser()
    yield focuser
    focuser.close()


@pytest.fixture
def serve(focuser: MovingFocuser) -> Iterator[Callable[..., WebServer]]:
    """A maker of servers: with an address to listen at, its own names, a clock for the log, and Bounds."""
    servers: list[WebServer] = []

    def make(
        host: str = LOOPBACK,
        find_own_names: Callable[[], list[str]] = lambda: ["nuc.example.org"],
        now_s: Callable[[], float] = time.monotonic,
        metrics: Metrics | None = None,
        **bounds: Any,
    ) -> WebServer:
        server = WebServer(
            listen(host, 0, MANNER),
            cast("Focuser", focuser),
            [LOOPBACK, OTHER_CONTROL],
            "dome_focuser",
            6.0,
            device_name="Dome",
            machine_id="0123456789abcdef0123456789abcde0",
            host_names=["DomeNUC"],
            bounds=Bounds(**bounds),
            metrics=metrics,
            find_own_names=find_own_names,
            now_s=now_s,
        )
        server.start()
        servers.append(server)
        return server

    yield make
    focuser.close()
    for server in servers:
        server.close()
        assert not server.lives()


@pytest.fixture
def server(serve: Callable[..., WebServer]) -> WebServer:
    """A server with its usual bounds."""
    return serve()


@pytest.fixture
def dial() -> Iterator[Callable[..., AlpacaClient]]:
    """A maker of connections: dial(server, source=..., client_id=...)."""
    clients: list[AlpacaClient] = []

    def make(server: WebServer, **options: Any) -> AlpacaClient:
        clients.append(AlpacaClient(server.port, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def wire(server: WebServer, dial: Callable[..., AlpacaClient]) -> AlpacaClient:
    """A client that may control, on a connection of its own, and is not connected to the device."""
    return dial(server)


@pytest.fixture
def program(server: WebServer, dial: Callable[..., AlpacaClient]) -> AlpacaClient:
    """A program with a ClientID that is connected to the device."""
    return dial(server, client_id=7).connect()


@pytest.fixture
def other(server: WebServer, dial: Callable[..., AlpacaClient]) -> AlpacaClient:
    """Another program that is connected."""
    return dial(server, client_id=8).connect()


@pytest.fixture
def stranger(server: WebServer, dial: Callable[..., AlpacaClient]) -> AlpacaClient:
    """A client that may look only."""
    return dial(server, source=STRANGER)
