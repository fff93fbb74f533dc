"""Calls that wait, and who waits for them."""

from __future__ import annotations

import socket
import struct
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from rockit.focuser.ok3z.servers.pyro import CONTROL_THREADS, URGENT_THREADS

STRANGER_IP = "127.0.0.2"
BOUND_S = 20.0
BUSY = 2


def test_calls_that_wait_hold_up_neither_stops_nor_the_status(served: Any, pool: ThreadPoolExecutor) -> None:
    waiting: list[Future[int]] = []
    for _ in range(CONTROL_THREADS):
        client = served.greeted()
        waiting.append(pool.submit(client.call, "wait"))
        assert served.target.waiting.acquire(timeout=BOUND_S)
    more = [served.greeted() for _ in range(5)]
    assert [client.call("wait") for client in more] == [BUSY] * 5
    assert [client.call("stop") for client in more] == [0] * 5
    assert served.ask(STRANGER_IP)["calls"] == CONTROL_THREADS + 5
    served.target.go_on.set()
    assert [future.result(BOUND_S) for future in waiting] == [0] * CONTROL_THREADS


def test_a_call_of_a_client_that_is_gone_goes_on(served: Any, say: Any) -> None:
    client = served.greeted()
    client.send(say.call("wait"))
    assert served.target.waiting.acquire(timeout=BOUND_S)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.sock.close()
    served.target.go_on.set()
    assert served.ask() == {"calls": 1}


def test_calls_can_run_when_the_server_is_closed(served: Any, say: Any) -> None:
    client = served.greeted()
    client.send(say.call("wait"))
    assert served.target.waiting.acquire(timeout=BOUND_S)
    served.server.close()
    assert client.is_hung_up_on()


def test_a_mistake_that_would_end_a_thread_ends_neither_it_nor_the_connection(
    served: Any, say: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blunder() -> int:
        raise SystemExit

    monkeypatch.setattr(served.target, "stop", blunder)
    client = served.greeted()
    client.send(say.call("stop") * (2 * URGENT_THREADS) + say.call("report"))
    assert client.value() == {"calls": 0}


def test_more_stops_than_threads_are_all_made(served: Any, pool: ThreadPoolExecutor) -> None:
    clients = [served.greeted() for _ in range(40)]
    assert list(pool.map(lambda client: client.call("stop"), clients)) == [0] * 40
    assert served.target.calls == [("stop",)] * 40
