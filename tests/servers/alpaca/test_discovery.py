"""Discovery: who is answered, from which address, how often, and what cannot harm it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Callable

import pytest

from rockit.focuser.ok3z.servers.alpaca import discovery
from rockit.focuser.ok3z.servers.alpaca.discovery import QUERY, Discovery, answer, is_query
from rockit.focuser.ok3z.servers.net.allowance import Allowance
from tests.support.waiting import BOUND_S, SetClock, wait_until

Open = Callable[..., Discovery]


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


IPV6 = ["::1", "::"] if _has_ipv6() else []


class Clock(SetClock):
    """It is looked at once for each query that is heard."""

    def wait_for_queries(self, number: int) -> None:
        """Until so many queries in all have been heard."""
        wait_until(lambda: self.looks >= number, f"{number} queries")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def serve(clock: Clock) -> Iterator[Open]:
    opened: list[Discovery] = []

    def make(host: str = "127.0.0.1", port: int = 11111, udp_port: int = 0) -> Discovery:
        opened.append(Discovery(host, port, udp_port, clock))
        opened[-1].start()
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def asker() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.settimeout(BOUND_S)
        yield sock


def heard(sock: socket.socket) -> tuple[object, str]:
    """The next answer and the address that it comes from."""
    data, (host, *_) = sock.recvfrom(1000)
    return json.loads(data.decode("ascii")), host


def assert_nothing_comes(asker: socket.socket, served: Discovery, clock: Clock) -> None:
    """Nothing has come by the time at which later queries of somebody else have been heard."""
    heard_before = clock.looks
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        for number in (1, 2):
            other.sendto(QUERY, ("127.0.0.1", served.udp_port))
            clock.wait_for_queries(heard_before + number)
    asker.setblocking(False)
    with pytest.raises(BlockingIOError):
        asker.recvfrom(1000)
    asker.settimeout(BOUND_S)


# The datagrams themselves


def test_an_answer_is_one_object_of_one_whole_number_and_no_query() -> None:
    """Else two servers could keep each other busy."""
    for port in (1, 80, 11111, 65535):
        assert answer(port) == json.dumps({"AlpacaPort": port}, separators=(",", ":")).encode("ascii")
        assert len(answer(port)) <= len(QUERY) + 4
        assert not is_query(answer(port))


def test_what_is_a_query() -> None:
    for datagram in (
        b"alpacadiscovery1",
        b"alpacadiscovery1\n",
        b"alpacadiscovery1" + bytes(48),
        QUERY + b"\xff",
    ):
        assert is_query(datagram), datagram
    for datagram in (
        b"",
        b"alpacadiscovery",
        b"alpacadiscovery2",
        b"Alpacadiscovery1",
        b" alpacadiscovery1",
        b"\xff\xfe\x00",
        "alpacadiscovery¹".encode(),
        b'{"AlpacaPort":11111}',
    ):
        assert not is_query(datagram), datagram


# How often


def test_so_many_at_once_and_then_so_many_a_second() -> None:
    allowance = Allowance(per_s=10, at_once=3)
    assert [allowance.take(0.0) for _ in range(5)] == [True, True, True, False, False]
    assert not allowance.take(0.09)
    assert [allowance.take(0.1) for _ in range(2)] == [True, False]
    # After a long silence no more than after a short one.
    assert [allowance.take(1000.0) for _ in range(4)] == [True, True, True, False]
    # And no way of asking gets more.
    assert sum(allowance.take(1001.0 + number * 0.013) for number in range(1000)) <= 3 + 13 * 10


# Over sockets


def test_who_asks_one_address_or_all_is_told_the_port(serve: Open, asker: socket.socket) -> None:
    served = serve(port=4567)
    for to in ("127.0.0.1", "127.255.255.255", "127.3.2.1"):
        asker.sendto(QUERY, (to, served.udp_port))
        assert heard(asker) == ({"AlpacaPort": 4567}, "127.0.0.1"), to


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.8.7", "0.0.0.0", *IPV6[1:]])
def test_the_answer_comes_from_the_address_at_which_the_server_is(
    host: str, serve: Open, asker: socket.socket
) -> None:
    """From the one that the asker can reach, if it is on every address."""
    served = serve(host)
    asker.sendto(QUERY, ("127.255.255.255", served.udp_port))
    assert heard(asker) == ({"AlpacaPort": 11111}, host if host.startswith("127.") else "127.0.0.1")


def test_if_the_server_cannot_be_reached_nobody_is_told_of_it(
    serve: Open, asker: socket.socket, clock: Clock
) -> None:
    """As a server on loopback does not answer into the network."""
    served = serve("203.0.113.7")
    asker.sendto(QUERY, ("127.0.0.1", served.udp_port))
    clock.wait_for_queries(1)
    assert_nothing_comes(asker, served, clock)


@pytest.mark.parametrize("host", IPV6)
def test_over_ipv6_the_address_is_answered_and_the_group_is_joined(host: str, serve: Open) -> None:
    """Loopback carries no multicast by itself, so that the system is asked whether it would be heard."""
    served = serve(host)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asker:
        asker.bind(("::1", 0))
        asker.settimeout(BOUND_S)
        asker.sendto(QUERY, ("::1", served.udp_port))
        assert heard(asker) == ({"AlpacaPort": 11111}, "::1")
    assert networks_joined() >= {number for number, _ in socket.if_nameindex()}


@pytest.mark.parametrize("host", IPV6[:1])
def test_a_network_that_came_later_is_joined_and_one_that_went_is_left(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback = socket.if_nametoindex("lo")
    monkeypatch.setattr(discovery, "_networks", set)
    ear = discovery.Ear(socket.AF_INET6, host, 0)
    with closing(ear.sock):
        joined = [set(ear._joined)]
        # The last one is none: it is no fault, and the other is joined all the same.
        for networks in ({loopback}, {loopback}, set(), {loopback, 999_999}):
            monkeypatch.setattr(discovery, "_networks", networks.copy)
            ear.join()
            joined.append(set(ear._joined))
    assert joined == [set(), {loopback}, {loopback}, set(), {loopback}]


def networks_joined() -> set[int]:
    """The networks of this machine on which somebody hears what is sent to the group."""
    group = socket.inet_pton(socket.AF_INET6, "ff12::a1:9aca").hex()
    lines = Path("/proc/net/igmp6").read_text().splitlines()
    return {int(line.split()[0]) for line in lines if line.split()[2] == group}


def test_if_networks_may_not_be_listed_the_system_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise OSError("Address family not supported by protocol")

    monkeypatch.setattr(socket, "if_nameindex", refused)
    assert discovery._networks() == {0}


def test_what_is_no_query_is_passed_over(serve: Open, asker: socket.socket, clock: Clock) -> None:
    served = serve(port=4567)
    for garbage in (b"", b"\xff" * 2000, b"{}", bytes(16), "alpacadiscoverý1".encode(), b"alpacadiscovery"):
        asker.sendto(garbage, ("127.0.0.1", served.udp_port))
    assert_nothing_comes(asker, served, clock)
    assert clock.looks == 2


def test_a_flood_is_answered_as_often_as_the_bound_allows(
    serve: Open, asker: socket.socket, clock: Clock
) -> None:
    served = serve()
    for _ in range(4 * discovery.ANSWERS_AT_ONCE):
        asker.sendto(QUERY, ("127.0.0.1", served.udp_port))
    clock.wait_for_queries(4 * discovery.ANSWERS_AT_ONCE)
    for _ in range(discovery.ANSWERS_AT_ONCE):
        assert heard(asker)[0] == {"AlpacaPort": 11111}
    # The clock stands: not one more, until it goes on by as much as one answer takes.
    assert_nothing_comes(asker, served, clock)
    clock.now_s += 1.01 / discovery.ANSWERS_PER_S
    asker.sendto(QUERY, ("127.0.0.1", served.udp_port))
    assert heard(asker)[0] == {"AlpacaPort": 11111}


def test_in_a_flood_others_get_the_processor_after_each_few_datagrams(
    serve: Open, asker: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "BETWEEN_TURNS_S", 0.001)
    heard_before_each_pause: list[int] = []
    count, enough = [0], threading.Event()
    hear = discovery.Ear.hear

    def counted(ear: discovery.Ear) -> tuple[bytes, object] | None:
        datagram = hear(ear)
        count[0] += datagram is not None
        return datagram

    monkeypatch.setattr(discovery.Ear, "hear", counted)
    served = Discovery("127.0.0.1", 11111, 0)
    wait = served._closing.wait

    def pause(timeout: float | None = None) -> bool:
        heard_before_each_pause.append(count[0])
        count[0] = 0
        if sum(heard_before_each_pause) >= 90:
            enough.set()
        return wait(timeout)

    monkeypatch.setattr(served._closing, "wait", pause)
    # All of them are there before anybody looks.
    for _ in range(90):
        asker.sendto(b"x", ("127.0.0.1", served.udp_port))
    served.start()
    try:
        assert enough.wait(BOUND_S)
    finally:
        served.close()
    assert max(heard_before_each_pause) == discovery.DATAGRAMS_PER_TURN


def test_several_servers_of_a_machine_all_hear_what_is_sent_to_all(serve: Open, asker: socket.socket) -> None:
    first = serve(port=1111)
    serve(port=2222, udp_port=first.udp_port)
    asker.sendto(QUERY, ("127.255.255.255", first.udp_port))
    answers = [heard(asker)[0], heard(asker)[0]]
    assert sorted(answers, key=str) == [{"AlpacaPort": 1111}, {"AlpacaPort": 2222}]


def test_a_port_that_another_program_keeps_for_itself_is_an_error_and_nothing_stays_open() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("0.0.0.0", 0))
        with pytest.raises(OSError, match="in use"):
            Discovery("127.0.0.1", 11111, holder.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            Discovery("0.0.0.0", 11111, holder.getsockname()[1])


def test_half_a_pair_of_sockets_is_not_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    make = discovery.Ear

    def only_ipv4(family: int, host: str, udp_port: int) -> discovery.Ear:
        if family == socket.AF_INET6:
            raise OSError("IPv6 is off")
        return make(family, host, udp_port)

    monkeypatch.setattr(discovery, "Ear", only_ipv4)
    with pytest.raises(OSError, match="IPv6 is off"):
        Discovery("::", 11111, 0)


def test_one_that_never_began_and_one_that_is_closed_twice_leave_nothing(serve: Open) -> None:
    Discovery("127.0.0.1", 11111, 0).close()
    served = serve()
    served.close()
    served.close()


def test_of_several_daemons_on_one_machine_each_answers_who_asks_the_whole_network(
    serve: Open, asker: socket.socket
) -> None:
    first = serve(port=11111)
    for port in (11112, 11113):
        serve(port=port, udp_port=first.udp_port)
    asker.sendto(QUERY, ("127.255.255.255", first.udp_port))
    answers = [heard(asker)[0] for _ in range(3)]
    assert sorted(map(str, answers)) == [f"{{'AlpacaPort': {port}}}" for port in (11111, 11112, 11113)]
