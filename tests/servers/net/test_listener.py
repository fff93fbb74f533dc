"""Sockets that listen: where they can be reached, and what those that they accept inherit."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.servers import pyro
from rockit.focuser.ok3z.servers.http import admission
from rockit.focuser.ok3z.servers.net.listener import Manner, listen, stop_listening
from tests.support.waiting import BOUND_S

MANNERS = pytest.mark.parametrize("manner", [pyro.MANNER, admission.MANNER], ids=["pyro", "alpaca"])


@pytest.fixture
def accepted() -> Iterator[Callable[..., socket.socket]]:
    """What a listener accepts of a client that connects to an address."""
    opened: list[socket.socket] = []

    def accept(listener: socket.socket, address: str) -> socket.socket:
        opened.append(socket.create_connection((address, listener.getsockname()[1]), BOUND_S))
        listener.settimeout(BOUND_S)
        opened.append(listener.accept()[0])
        return opened[-1]

    yield accept
    for sock in opened:
        sock.close()


@pytest.fixture
def strict_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system on which a socket of IPv6 is for IPv6 only, unless it is told otherwise."""

    class Strict(socket.socket):
        def __init__(self, family: int = -1, *rest: Any, **named: Any) -> None:
            super().__init__(family, *rest, **named)
            if family == socket.AF_INET6 and not named.get("fileno"):
                self.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)

    monkeypatch.setattr(socket, "socket", Strict)


@MANNERS
def test_every_address_is_every_one_of_ipv4_too(strict_system: None, accepted: Any, manner: Manner) -> None:
    with listen("::", 0, manner) as listener:
        assert accepted(listener, "::1").getpeername()[0] == "::1"
        assert accepted(listener, "127.0.0.1").getpeername()[0] == "::ffff:127.0.0.1"


@MANNERS
def test_one_address_is_that_address_which_is_taken_then(accepted: Any, manner: Manner) -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        with listen(host, 0, manner) as listener:
            address, port = listener.getsockname()[:2]
            assert address == ("127.0.0.1" if host == "localhost" else host)
            with pytest.raises(OSError, match="in use"):
                listen(host, port, manner)
            # It never waits.
            with pytest.raises(BlockingIOError):
                listener.accept()
            accepted(listener, address)


@pytest.mark.parametrize("keep_alive", [False, True])
def test_what_is_accepted_inherits_its_manner(accepted: Any, keep_alive: bool) -> None:
    with listen("127.0.0.1", 0, Manner(8, buffer_bytes=30000, keep_alive=keep_alive)) as listener:
        sock = accepted(listener, "127.0.0.1")
    assert bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) is keep_alive
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        # The system doubles it, for its own notes.
        assert sock.getsockopt(socket.SOL_SOCKET, buffer) == 60000


@pytest.mark.parametrize("backlog", [2, 64])
def test_so_many_may_wait_to_be_accepted(monkeypatch: pytest.MonkeyPatch, backlog: int) -> None:
    asked: list[int] = []

    class Noted(socket.socket):
        def listen(self, backlog: int = -1) -> None:
            asked.append(backlog)
            super().listen(backlog)

    monkeypatch.setattr(socket, "socket", Noted)
    listen("127.0.0.1", 0, Manner(backlog)).close()
    assert asked == [backlog]


@MANNERS
def test_a_port_that_is_listened_on_no_more_is_a_successors(
    manner: Manner, accepted: Callable[..., socket.socket]
) -> None:
    with listen("127.0.0.1", 0, manner) as listener:
        port = listener.getsockname()[1]
        inside = accepted(listener, "127.0.0.1")
        stop_listening(listener)
        stop_listening(listener)
        with pytest.raises(OSError, match="Invalid argument") as caught:
            listener.accept()
        assert caught.value.errno == errno.EINVAL
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), BOUND_S)
        with listen("127.0.0.1", port, manner) as successor:
            assert accepted(successor, "127.0.0.1").getsockname()[1] == port
        # Who is inside is still answered.
        inside.sendall(b"x")
    stop_listening(listener)
