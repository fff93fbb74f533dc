"""Who calls? Asked inside real Pyro calls, from more than one address."""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import Pyro4
import pytest
from rockit.common.helpers import pyro_client_matches
from rockit.common.registered_daemon import RegisteredDaemon


@Pyro4.expose
class Gate:
    """Answers whether its caller is among some addresses."""

    def admits(self, ips: Any) -> bool:
        return pyro_client_matches(ips)


@pytest.fixture
def call_from(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Calls that arrive from another address of the loopback network."""

    def call(source: str, daemon: RegisteredDaemon, ips: Any) -> Any:
        def connect_from_source(connect: tuple[str, int], **_options: object) -> socket.socket:
            return socket.create_connection(connect, timeout=10, source_address=(source, 0))

        with monkeypatch.context() as patch, daemon.connect() as proxy:
            patch.setattr(Pyro4.socketutil, "createSocket", connect_from_source)
            return proxy.admits(ips)

    return call


def test_the_caller_is_told_from_others(serve: Callable[[object], RegisteredDaemon]) -> None:
    daemon = serve(Gate())
    with daemon.connect() as proxy:
        assert proxy.admits(["10.2.5.115", "127.0.0.1"]) is True
        assert proxy.admits(["10.2.5.115"]) is False
        assert proxy.admits([]) is False


def test_each_connection_has_its_own_caller(
    serve: Callable[[object], RegisteredDaemon], call_from: Callable[..., Any]
) -> None:
    daemon = serve(Gate())
    assert call_from("127.0.0.2", daemon, ["127.0.0.2"]) is True
    assert call_from("127.0.0.3", daemon, ["127.0.0.2"]) is False
    assert call_from("127.0.0.1", daemon, ["127.0.0.2"]) is False


def test_there_is_no_caller_outside_a_call(serve: Callable[[object], RegisteredDaemon]) -> None:
    serve(Gate())
    assert pyro_client_matches(["127.0.0.1"]) is False


def as_if_called_from(monkeypatch: pytest.MonkeyPatch, peer: object, client: object = "a connection") -> None:
    context = SimpleNamespace(client=client, client_sock_addr=peer)
    monkeypatch.setattr(Pyro4, "current_context", context)


@pytest.mark.parametrize(
    "peer",
    [("10.1.2.3", 4711), ("::ffff:10.1.2.3", 4711, 0, 0), ("::ffff:a01:203", 4711, 0, 0)],
)
def test_a_mapped_address_is_its_ipv4_address(monkeypatch: pytest.MonkeyPatch, peer: object) -> None:
    as_if_called_from(monkeypatch, peer)
    assert pyro_client_matches(["10.1.2.3"])
    assert pyro_client_matches(["::ffff:10.1.2.3"])
    assert not pyro_client_matches(["10.1.2.4", "::1"])


def test_a_caller_without_an_address_or_a_connection_matches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for peer in (None, "", ("", 0), ("somewhere", 1)):
        as_if_called_from(monkeypatch, peer)
        assert not pyro_client_matches(["127.0.0.1", "", "somewhere"])
    as_if_called_from(monkeypatch, ("127.0.0.1", 1), client=None)
    assert not pyro_client_matches(["127.0.0.1"])


def test_one_address_as_a_text_is_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    as_if_called_from(monkeypatch, ("10.2.3.4", 1))
    assert pyro_client_matches("10.2.3.4")
    assert not pyro_client_matches("10.2.3.40")


def test_any_iterable_will_do_and_nonsense_in_it_matches_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    as_if_called_from(monkeypatch, ("10.2.3.4", 1))
    assert pyro_client_matches(ip for ip in ("no address", "", "10.2.3.4"))
    assert not pyro_client_matches({"no address", ""})
