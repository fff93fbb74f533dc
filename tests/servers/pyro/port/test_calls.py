"""Calls that run, and who waits for them."""

from __future__ import annotations

import socket
import struct
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from Pyro4 import errors

from rockit.focuser.ok3z.servers.pyro import MOST_CALLS
from rockit.focuser.ok3z.servers.pyro.later import AtEnd
from tests.support.pyro import ONEWAY
from tests.support.waiting import BOUND_S

STRANGER_IP = "127.0.0.2"
BUSY = 2


def test_sixty_four_connections_that_wait_hold_up_neither_stops_nor_the_status(served: Any, say: Any) -> None:
    """As many of them as may wait; the others are told so, and are connected all the same."""
    before = threading.active_count()
    clients = [served.greeted() for _ in range(64)]
    for client in clients:
        client.send(say.call("wait"))
    more = clients[MOST_CALLS:]
    assert [client.value() for client in more] == [BUSY] * len(more)
    assert [client.call("stop") for client in more] == [0] * len(more)
    assert served.greeted().call("stop") == 0
    assert served.ask(STRANGER_IP) == {"calls": MOST_CALLS + len(more) + 1}
    assert [client.is_open() for client in clients] == [True] * 64
    assert threading.active_count() == before, "no call has a thread"
    served.target.go_on.open()
    assert [client.value() for client in clients[:MOST_CALLS]] == [0] * MOST_CALLS


def test_a_call_of_a_client_that_is_gone_goes_on(served: Any, say: Any) -> None:
    client = served.greeted()
    client.send(say.call("wait"))
    assert served.target.waiting.acquire(timeout=BOUND_S)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.sock.close()
    served.target.go_on.open()
    assert served.ask() == {"calls": 1}


def test_calls_can_run_when_the_server_is_closed(served: Any, say: Any) -> None:
    client = served.greeted()
    client.send(say.call("wait"))
    assert served.target.waiting.acquire(timeout=BOUND_S)
    served.server.close()
    assert client.is_hung_up_on()


def test_a_mistake_that_would_end_the_thread_ends_neither_it_nor_the_connection(
    served: Any, say: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blunder() -> int:
        raise SystemExit

    monkeypatch.setattr(served.target, "stop", blunder)
    client = served.greeted()
    client.send(say.call("stop") + say.call("stop", flags=ONEWAY) + say.call("report"))
    assert isinstance(client.value(), errors.PyroError)
    assert client.value() == {"calls": 0}
    assert served.thread.is_alive()


def test_many_stops_at_once_are_all_made(served: Any, pool: ThreadPoolExecutor) -> None:
    clients = [served.greeted() for _ in range(40)]
    assert list(pool.map(lambda client: client.call("stop"), clients)) == [0] * 40
    assert served.target.calls == [("stop",)] * 40


def test_a_call_whose_end_does_not_come_is_answered_when_the_patience_is_over(served: Any) -> None:
    served.target.patience_s = 0.05
    client = served.greeted()
    assert client.call("wait") == 1
    served.target.go_on.open()
    assert client.call("wait") == 0
    assert len(served.server._running) == 0


def test_an_end_may_be_followed_by_another(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first: Future[None] = Future()
    second: Future[None] = Future()

    def wait() -> AtEnd:
        return AtEnd(first, BOUND_S, lambda: AtEnd(second, BOUND_S, lambda: 7))

    monkeypatch.setattr(served.target, "wait", wait)
    client = served.greeted()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.call, "wait")
        first.set_result(None)
        assert served.greeted().call("stop") == 0
        assert not waiting.done()
        second.set_result(None)
        assert waiting.result(BOUND_S) == 7


def test_a_mistake_at_the_end_of_a_call_is_told_without_its_details(
    served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    end: Future[None] = Future()
    end.set_result(None)

    def blunder() -> int:
        raise SystemExit("a secret")

    monkeypatch.setattr(served.target, "wait", lambda: AtEnd(end, BOUND_S, blunder))
    client = served.greeted()
    mistake = client.call("wait")
    assert isinstance(mistake, errors.PyroError)
    assert "secret" not in str(mistake)
    assert client.call("stop") == 0
