"""Answers programs that look for Alpaca devices: a datagram comes to UDP port 32227, and the TCP port goes back.

Programs call to the broadcast address of each of their networks, and over IPv6 to a multicast group. Whoever sends
may have written somebody else's address on the datagram, so answers are short and few. Nothing that comes in can
take more than a few milliseconds a second of this process.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import struct
import threading
import time
from typing import Callable

from ..net.allowance import Allowance

_log = logging.getLogger(__name__)

DISCOVERY_PORT = 32227
MULTICAST_GROUP = "ff12::a1:9aca"
# The last character is the version. Some programs pad it.
QUERY = b"alpacadiscovery1"
ANSWERS_PER_S = 10.0
# Programs ask more than once, and on each of their networks.
ANSWERS_AT_ONCE = 30
# What is read before others get the processor, and how long they have it.
DATAGRAMS_PER_TURN = 20
BETWEEN_TURNS_S = 0.05
# Networks come and go: how often the multicast group is joined on those that are new.
JOIN_AGAIN_S = 60.0
CLOSE_PATIENCE_S = 0.5

# As Linux has them; Python 3.9 does not name the first.
_IP_PKTINFO = 8
_IPV6_PKTINFO = 50
_EVERY_IPV4, _EVERY_IPV6 = "0.0.0.0", "::"


def is_query(datagram: bytes) -> bool:
    """Whether somebody asks for Alpaca devices, and in the version that is spoken here."""
    return datagram.startswith(QUERY)


def answer(alpaca_port: int) -> bytes:
    """What goes back: the TCP port, in as few bytes as can be."""
    return b'{"AlpacaPort":%d}' % alpaca_port


class Ear:
    """A socket that hears queries of one family, and answers from the address at which the server can be reached.

    Args:
        family: of the address: AF_INET or AF_INET6.
        host: the server's address; of all of its own the system chooses the one that the asker can reach.
        udp_port: where queries come in; 0 is any that is free.

    Raises:
        OSError: the port cannot be had.
    """

    def __init__(self, family: int, host: str, udp_port: int) -> None:
        self._source = [] if host in (_EVERY_IPV4, _EVERY_IPV6) else [_from(family, host)]
        self._joined: set[int] = set()
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            # Each Alpaca server of a machine listens at this port, and each hears what is sent to all.
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self.sock.bind((_EVERY_IPV6 if family == socket.AF_INET6 else _EVERY_IPV4, udp_port))
            self.sock.setblocking(False)
        except BaseException:
            self.sock.close()
            raise
        self.join()

    def join(self) -> None:
        """Hear what is sent to the multicast group, on each network that is there by now."""
        if self.sock.family != socket.AF_INET6:
            return
        there = _networks()
        for network in there - self._joined:
            # One that cannot be joined is tried again, and is no reason to do without the others.
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, _membership(network))
                self._joined.add(network)
        for network in self._joined - there:
            # The system remembers what has gone, and has room for so many.
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, _membership(network))
            self._joined.remove(network)

    def hear(self) -> tuple[bytes, object] | None:
        """The beginning of a datagram, and who sent it; None if none is there, or it could not be read."""
        with contextlib.suppress(OSError):
            return self.sock.recvfrom(len(QUERY))
        return None

    def answer(self, text: bytes, asker: object) -> None:
        """Send it, if it can go out at once from an address where the server is."""
        with contextlib.suppress(OSError):
            self.sock.sendmsg([text], self._source, 0, asker)  # type: ignore[arg-type]


class Discovery:
    """Answers queries on a thread of its own, from `start` to `close`.

    Args:
        host: the address on which the server listens. Only who can reach it gets an answer.
        alpaca_port: the server's TCP port.
        udp_port: where queries come in; 0 is any that is free.
        now_s: a clock that never goes back, in seconds.

    Raises:
        OSError: the UDP port cannot be had.
    """

    def __init__(
        self,
        host: str,
        alpaca_port: int,
        udp_port: int = DISCOVERY_PORT,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._answer = answer(alpaca_port)
        self._allowance = Allowance(ANSWERS_AT_ONCE, ANSWERS_PER_S)
        self._now_s = now_s
        self._ears = _ears(host, udp_port)
        self._join_again_s = time.monotonic() + JOIN_AGAIN_S
        self._closing = threading.Event()
        self._bell_out, self._bell_in = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="alpaca-discovery", daemon=True)

    @property
    def udp_port(self) -> int:
        """Where queries come in."""
        port: int = self._ears[0].sock.getsockname()[1]
        return port

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop answering, and give the port back."""
        self._closing.set()
        # Closed if the thread has ended by itself.
        with contextlib.suppress(OSError):
            self._bell_in.send(b"x")
        if self._thread.is_alive():
            self._thread.join(CLOSE_PATIENCE_S)
        else:
            self._close_sockets()

    def _serve(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._bell_out, selectors.EVENT_READ)
                for ear in self._ears:
                    selector.register(ear.sock, selectors.EVENT_READ, ear)
                while not self._closing.is_set():
                    self._turn(selector)
        except Exception:
            _log.exception("a mistake in this program: programs that look for Alpaca devices get no answer")
        finally:
            self._close_sockets()

    def _turn(self, selector: selectors.BaseSelector) -> None:
        ready = selector.select(JOIN_AGAIN_S)
        for key, _ in ready:
            if key.data is not None:
                self._hear_out(key.data)
        if time.monotonic() >= self._join_again_s:
            self._join_again_s = time.monotonic() + JOIN_AGAIN_S
            for ear in self._ears:
                ear.join()
        self._closing.wait(BETWEEN_TURNS_S)

    def _hear_out(self, ear: Ear) -> None:
        for _ in range(DATAGRAMS_PER_TURN):
            heard = ear.hear()
            if heard is None:
                return
            datagram, asker = heard
            if is_query(datagram) and self._allowance.take(self._now_s()):
                ear.answer(self._answer, asker)

    def _close_sockets(self) -> None:
        for sock in (*(ear.sock for ear in self._ears), self._bell_out, self._bell_in):
            sock.close()


def _ears(host: str, udp_port: int) -> list[Ear]:
    """One for each family in which the server can be reached."""
    if ":" not in host:
        return [Ear(socket.AF_INET, host, udp_port)]
    # What listens on every IPv6 address is reached over IPv4 too.
    ears = [Ear(socket.AF_INET, _EVERY_IPV4, udp_port)] if host == _EVERY_IPV6 else []
    try:
        return [*ears, Ear(socket.AF_INET6, host, ears[0].sock.getsockname()[1] if ears else udp_port)]
    except BaseException:
        for ear in ears:
            ear.sock.close()
        raise


def _from(family: int, host: str) -> tuple[int, int, bytes]:
    """What makes a datagram leave from an address: clients call back where the answer came from."""
    address = socket.inet_pton(family, host)
    if family == socket.AF_INET6:
        return socket.IPPROTO_IPV6, _IPV6_PKTINFO, struct.pack("=16sI", address, 0)
    return socket.IPPROTO_IP, _IP_PKTINFO, struct.pack("=i4s4s", 0, address, address)


def _membership(network: int) -> bytes:
    return struct.pack("=16sI", socket.inet_pton(socket.AF_INET6, MULTICAST_GROUP), network)


def _networks() -> set[int]:
    """The numbers of the network interfaces; 0, the one that the system chooses, if they may not be listed."""
    try:
        return {number for number, _ in socket.if_nameindex()}
    except OSError:
        return {0}
