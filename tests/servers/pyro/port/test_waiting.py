"""Clients that wait for news: without a thread, for a while, and never in the way of others."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from rockit.focuser.ok3z.servers.pyro import MOST_CALLS, calls, waiting
from tests.support.waiting import wait_until

CONTROL_IP, STRANGER_IP = "127.0.0.1", "127.0.0.2"
LONG_S = 1000.0


@pytest.fixture
def begin(served: Any, say: Any) -> Any:
    """Begins to wait, and gives the client."""

    def begin(patience_s: float = LONG_S) -> Any:
        count = len(served.server._waiting)
        client = served.greeted()
        client.send(say.call("wait_for_news", served.target.news, patience_s))
        wait_until(lambda: len(served.server._waiting) == count + 1, "one more that waits")
        return client

    return begin


def test_news_are_told_to_all_who_wait(served: Any, begin: Any) -> None:
    clients = [begin() for _ in range(3)]
    served.target.news = 7
    served.server.news()
    assert [client.value() for client in clients] == [{"news": 7}] * 3
    assert clients[0].call("stop") == 0
    assert not served.server._waiting


def test_who_has_missed_the_news_or_has_no_patience_is_answered_at_once(served: Any) -> None:
    client = served.greeted()
    for patience_s in (0, -1, 0.01):
        assert client.call("wait_for_news", 0, patience_s) == {"news": 0}
    served.target.news = 7
    assert client.call("wait_for_news", 6, LONG_S) == {"news": 7}


def test_who_waits_takes_no_thread_and_no_turn(served: Any, begin: Any) -> None:
    before = threading.active_count()
    for _ in range(MOST_CALLS + 4):
        begin()
    client = served.greeted()
    assert [client.call("move", 1), client.call("stop")] == [0, 0]
    turns, asked = served.server._turns, served.target.asked_for_news
    time.sleep(waiting.LOOK_EVERY_S / 2)
    # Of the looks of once a second there may have been one.
    assert served.server._turns <= turns + 2
    assert served.target.asked_for_news <= asked + MOST_CALLS + 4
    assert threading.active_count() == before


def test_news_that_nobody_rings_for_are_found_all_the_same(
    served: Any, begin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LOOK_EVERY_S", 0.01)
    client = begin()
    served.target.news = 7
    assert client.value() == {"news": 7}


def test_who_is_one_too_many_is_answered_at_once(
    served: Any, begin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MOST_WAITING", 3)
    clients = [begin() for _ in range(3)]
    assert served.greeted().call("wait_for_news", 0, LONG_S) == {"news": 0}
    served.target.news = 1
    served.server.news()
    assert [client.value() for client in clients] == [{"news": 1}] * 3


def test_the_place_of_who_hangs_up_is_free(served: Any, begin: Any) -> None:
    clients = [begin() for _ in range(3)]
    clients[1].sock.close()
    wait_until(lambda: len(served.server._waiting) == 2, "the one that hung up is gone")
    served.server.news()
    assert served.ask() == {"calls": 3}


def test_who_says_more_while_it_waits_is_hung_up_on(served: Any, say: Any, begin: Any) -> None:
    client = begin()
    client.send(say.call("move", 1))
    assert client.is_hung_up_on()
    assert not served.server._waiting
    assert [name for name, *_ in served.target.calls] == ["wait_for_news"]


def test_who_waits_gives_way_to_a_stop_where_there_is_no_room(served: Any, begin: Any) -> None:
    served.server._rooms[True]._size = 3
    clients = [begin() for _ in range(3)]
    assert served.greeted().call("stop") == 0
    assert clients[0].is_hung_up_on()
    served.target.news = 1
    served.server.news()
    assert clients[2].value() == {"news": 1}


def test_a_mistake_in_what_waits_is_no_silence(
    served: Any, begin: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client = begin()
    served.target.news = property()
    served.server.news()
    assert "made a mistake" in str(client.value())


# What is told of calls that are refused


def test_each_refused_call_is_told_with_its_caller_and_its_reason(
    served: Any, say: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = served.greeted()
    client.send(say.written("move", b"(np.array([1]),)"))
    assert str(client.value()).startswith("move: ")
    client.call("move")
    client.call("report", 1)
    client.call("fly", 1)
    monkeypatch.setattr(calls, "MOST_CALLS", 0)
    client.call("move", 1)
    served.greeted(STRANGER_IP).call("move", 1)
    client.send(say.pyro(4, b"()"))
    client.value()
    told = [(address, method) for address, method, _, _ in served.refused]
    assert told == [
        (CONTROL_IP, "move"),
        (CONTROL_IP, "move"),
        (CONTROL_IP, "report"),
        (CONTROL_IP, "fly"),
        (CONTROL_IP, "move"),
        (STRANGER_IP, "move"),
        (CONTROL_IP, ""),
    ]
    whys = [why for *_, why in served.refused]
    assert all(why.endswith(".") for why in whys)
    # Whoever tells it names the method.
    assert not any("move" in why or "report:" in why for why in whys[:3])
    assert "use float(x)" in whys[0]
    assert "missing" in whys[1]
    assert [answer for _, _, answer, _ in served.refused[4:6]] == [2, 3]
