"""Clients of the Alpaca port of a real `focusd`: the official Python client, and plain HTTP by hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from alpaca.focuser import Focuser

from tests.support.http import AlpacaClient


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the official client uses would ask a proxy even for this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="session")
def client_ids() -> Iterator[int]:
    return itertools.count(1001)


@pytest.fixture
def served(alpaca_daemon: Any) -> Any:
    """A healthy daemon that is homed, and stands where a move outward has room."""
    alpaca_daemon.ready()
    if not 0.2 < alpaca_daemon.status()["current_mm"] < 1.0:
        alpaca_daemon.ready_at(0.5)
    return alpaca_daemon


@pytest.fixture
def make_wire(client_ids: Iterator[int]) -> Iterator[Callable[..., AlpacaClient]]:
    """Clients of the Alpaca port of a daemon, each with a ClientID of its own."""
    made: list[AlpacaClient] = []

    def make(daemon: Any, **options: Any) -> AlpacaClient:
        made.append(AlpacaClient(daemon.alpaca.port, **{"client_id": next(client_ids), **options}))
        return made[-1]

    yield make
    for wire in made:
        wire.close()


@pytest.fixture
def wire(served: Any, make_wire: Callable[..., AlpacaClient]) -> AlpacaClient:
    """A client that has not connected the device."""
    return make_wire(served)


@pytest.fixture
def connected(wire: AlpacaClient) -> Iterator[AlpacaClient]:
    """A client that has."""
    yield wire.connect()
    wire.put("connected", Connected=False)


@pytest.fixture
def make_alpyca() -> Iterator[Callable[[Any], Focuser]]:
    """The official client for a daemon. All of one process have one ClientID."""
    made: list[Focuser] = []

    def make(daemon: Any) -> Focuser:
        made.append(Focuser(f"127.0.0.1:{daemon.alpaca.port}", 0))
        return made[-1]

    yield make
    for focuser in made:
        focuser.rqs.close()


@pytest.fixture
def alpyca(served: Any, make_alpyca: Callable[[Any], Focuser]) -> Iterator[Focuser]:
    """The official client, connected."""
    focuser = make_alpyca(served)
    focuser.Connected = True
    yield focuser
    focuser.Connected = False


@pytest.fixture
def spoil(served: Any) -> Iterator[Callable[[str], None]]:
    """Does something to the virtual controller that the test need not mend."""
    yield served.tell
    for line in ("clear", "return", "power-on"):
        served.tell(line)
