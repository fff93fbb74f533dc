"""What is kept for clients is bounded: their rates, their sessions, the commands that are awaited."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from rockit.focuser.ok3z.errors import BusyError, FocuserError, InternalError, StoppedError
from rockit.focuser.ok3z.servers.alpaca.sessions import Client, Sessions
from rockit.focuser.ok3z.servers.http import rate_limit
from rockit.focuser.ok3z.servers.http.awaiting import Calls, Told
from rockit.focuser.ok3z.servers.http.rate_limit import Rates, network_of
from rockit.focuser.ok3z.service.focuser import Ending
from rockit.focuser.ok3z.service.status import Snapshot

BOUND_S = 20.0


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


@pytest.fixture
def focuser() -> Any:
    """Has of a service what the log wants to know."""
    return SimpleNamespace(snapshot=Snapshot())


def ended(outcome: FocuserError | None = None) -> Ending:
    ending = Ending(BOUND_S)
    ending.resolve(outcome)
    return ending


def test_what_a_command_raises_or_ends_with_is_its_result(focuser: Any) -> None:
    stopped, busy = StoppedError("stopped by a test."), BusyError("another one runs.")

    def refuse() -> Ending:
        raise busy

    def blunder() -> Ending:
        raise ZeroDivisionError

    def leave() -> Ending:
        raise SystemExit

    async def run() -> list[FocuserError | None]:
        calls = Calls(focuser, 2)
        return [await calls.begin(begin) for begin in (ended, lambda: ended(stopped), refuse, blunder, leave)]

    nothing, told, refused, *mistakes = asyncio.run(run())
    assert (nothing, told, refused) == (None, stopped, busy)
    assert [type(mistake) for mistake in mistakes] == [InternalError] * 2


def test_a_command_that_has_no_answer_says_so(focuser: Any) -> None:
    async def run() -> FocuserError | None:
        return await Calls(focuser, 2).begin(lambda: Ending(0.01))

    assert "gave no answer" in str(asyncio.run(run()))


def test_a_command_for_which_there_is_no_room_is_not_begun(focuser: Any) -> None:
    async def run() -> list[FocuserError | None]:
        calls, ends = Calls(focuser, 2), [Ending(BOUND_S) for _ in range(2)]
        waiting = [calls.begin(lambda end=end: end) for end in ends]
        refused = await calls.begin(lambda: pytest.fail("it was begun"))
        for end in ends:
            end.resolve(None)
        return [refused, *await asyncio.gather(*waiting), await calls.begin(ended)]

    refused, *others = asyncio.run(run())
    assert isinstance(refused, BusyError)
    assert others == [None] * 3


def test_the_end_of_a_command_is_logged_where_nobody_waits_for_it(
    focuser: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def run() -> None:
        calls, end = Calls(focuser, 2), Ending(BOUND_S)
        waiting = calls.begin(lambda: end, Told("a move", lambda _: "arrived"))
        await asyncio.sleep(0)
        waiting.cancel()
        end.resolve(None)
        while "a move: arrived after " not in caplog.text:
            await asyncio.sleep(0.001)

    asyncio.run(run())


def test_an_end_that_comes_after_the_port_has_closed_is_nobodys(
    focuser: Any, caplog: pytest.LogCaptureFixture
) -> None:
    end = Ending(BOUND_S)

    async def run() -> None:
        Calls(focuser, 2).begin(lambda: end)
        await asyncio.sleep(0)

    asyncio.run(run())
    end.resolve(None)
    assert caplog.records == []


def test_a_mistake_in_what_the_log_says_is_a_result_too(
    focuser: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def blunder(_: Snapshot) -> str:
        raise ZeroDivisionError

    async def run() -> FocuserError | None:
        return await Calls(focuser, 2).begin(ended, Told("a move", blunder))

    assert isinstance(asyncio.run(run()), InternalError)
    assert "a mistake in this program" in caplog.text
