"""What is kept for clients is bounded: their rates, their sessions, the calls that wait."""

from __future__ import annotations

import asyncio
import threading

import pytest

from rockit.focuser.ok3z.errors import BusyError, FocuserError, InternalError, StoppedError
from rockit.focuser.ok3z.servers.alpaca.sessions import Client, Sessions
from rockit.focuser.ok3z.servers.http import rate_limit
from rockit.focuser.ok3z.servers.http.awaiting import made_on
from rockit.focuser.ok3z.servers.http.rate_limit import Rates, network_of
from rockit.focuser.ok3z.servers.net.lane import Lane


def test_an_address_may_ask_so_often_at_once_and_then_so_often_a_second() -> None:
    limited = Rates(burst=3, per_s=2)
    assert [limited.allows("10.0.0.1", 100.0) for _ in range(5)] == [True] * 3 + [False] * 2
    assert [limited.allows("10.0.0.1", 101.0) for _ in range(3)] == [True] * 2 + [False]
    assert limited.allows("10.0.0.2", 101.0)


def test_all_addresses_together_are_limited() -> None:
    limited = Rates(burst=3, per_s=2)
    allowed = sum(limited.allows(f"10.0.{n // 256}.{n % 256}", 100.0) for n in range(2000))
    assert allowed == rate_limit.BURST_OF_ALL


def test_so_many_addresses_are_known_and_no_more() -> None:
    limited = Rates()
    for n in range(3 * rate_limit.MAX_ADDRESSES):
        limited.allows(f"10.1.{n // 256}.{n % 256}", 100.0)
    assert len(limited) == rate_limit.MAX_ADDRESSES


def test_a_network_of_ipv6_is_one_address() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") != network_of("2001:db8:0:1::1")
    assert network_of("::ffff:10.0.0.1") == "10.0.0.1"


def test_the_session_that_was_not_used_for_longest_makes_room() -> None:
    sessions = Sessions(most=2)
    first, second, third = (Client("10.0.0.1", n) for n in (1, 2, 3))
    for client in (first, second):
        sessions.open(client).connected = True
    assert sessions.own(first)
    sessions.open(third)
    assert (sessions.own(first) is None, sessions.own(second) is None, len(sessions)) == (False, True, 2)


def test_what_a_call_raises_is_its_result() -> None:
    stopped = StoppedError("stopped by a test.")

    def stop() -> None:
        raise stopped

    def blunder() -> None:
        raise ZeroDivisionError

    def leave() -> None:
        raise SystemExit

    async def run() -> list[FocuserError | None]:
        lane = Lane("test-lane", 2, waiting=0)
        try:
            return [await made_on(lane, call) for call in (lambda: None, stop, blunder, leave)]
        finally:
            lane.close()

    nothing, told, *mistakes = asyncio.run(run())
    assert (nothing, told) == (None, stopped)
    assert [type(mistake) for mistake in mistakes] == [InternalError] * 2


@pytest.mark.parametrize("waiting", [0, 1])
def test_a_call_for_which_there_is_no_room_is_refused(waiting: int) -> None:
    gate = threading.Event()

    def call() -> None:
        gate.wait(10)

    async def run() -> list[FocuserError | None]:
        lane = Lane("test-lane", 2, waiting)
        try:
            ends = [made_on(lane, call) for _ in range(3 + waiting)]
            refused = await ends[-1]
            gate.set()
            return [refused, *await asyncio.gather(*ends[:-1])]
        finally:
            gate.set()
            lane.close()

    refused, *others = asyncio.run(run())
    assert isinstance(refused, BusyError)
    assert others == [None] * (2 + waiting)
