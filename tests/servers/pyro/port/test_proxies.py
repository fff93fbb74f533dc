"""What proxies need of the port, and get."""

from __future__ import annotations

import socket
from concurrent.futures import Future
from typing import Any

import Pyro4
import pytest
from Pyro4 import message

from rockit.focuser.ok3z.servers.pyro import calls
from rockit.focuser.ok3z.servers.pyro.later import AtEnd
from tests.support.pyro import ONEWAY, SERPENT
from tests.support.waiting import BOUND_S, wait_until

OBJECT = "the_object"
CONTROL_IP, STRANGER_IP = "127.0.0.1", "127.0.0.2"
NOT_PERMITTED = 3


def test_a_server_lives_as_long_as_its_thread_turns(served: Any) -> None:
    for _ in range(3):
        assert served.server.lives()
        served.ask()
    served.server.close()
    served.thread.join(BOUND_S)
    served.server.lives()
    assert not served.server.lives()


def test_a_proxy_calls_again_and_again(served: Any) -> None:
    proxy = served.proxy()
    assert proxy.report() == {"calls": 0}
    assert [proxy.move(1.5), proxy.move(2, True), proxy.move(pos=3, offset=False), proxy.stop()] == [0] * 4
    assert served.target.calls == [("move", 1.5, False), ("move", 2, True), ("move", 3, False), ("stop",)]
    assert served.target.callers == [CONTROL_IP] * 3
    proxy._pyroRelease()
    assert proxy.report() == {"calls": 4}
    proxy._pyroReconnect(1)
    assert proxy.stop() == 0


def test_listening_at_every_address_is_listening_at_those_of_ipv4_too(serve: Any) -> None:
    served = serve(host="::")
    clients = [served.greeted(source) for source in (CONTROL_IP, "::1", STRANGER_IP)]
    assert [client.call("stop") for client in clients] == [0, 0, NOT_PERMITTED]
    assert served.target.calls == [("stop",)] * 2


def test_a_proxy_is_told_of_the_methods_and_of_nothing_else(served: Any) -> None:
    proxy = served.proxy()
    proxy._pyroBind()
    assert proxy._pyroMethods == {
        *("fail", "give_unspeakable", "move", "report", "stop", "wait", "wait_for_news"),
    }
    assert proxy._pyroAttrs == proxy._pyroOneway == set()


def test_a_proxy_without_metadata_and_an_old_one_that_asks_for_it_by_a_call(
    served: Any, say: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pyro4.config, "METADATA", False)
    assert served.proxy().move(1.0) == 0
    client = served.greeted(STRANGER_IP)
    client.send(say.call("get_metadata", OBJECT, object_id="Pyro.Daemon"))
    assert set(client.value()["methods"]) >= {"report", "move"}


def test_a_ping_annotations_and_the_numbers_of_calls(served: Any, say: Any) -> None:
    client = served.greeted()
    client.send(say.pyro(message.MSG_PING, b"ping", serializer=42))
    assert client.answer().data == b"pong"
    data = SERPENT.dumpsCall(OBJECT, "stop", (), {})
    for notes in ({"CORR": b"x" * 16}, {"CORR": b""}, {"HMAC": b"x", "BLBI": b"\xff" * 100}):
        client.send(say.pyro(message.MSG_INVOKE, data, annotations=notes))
        assert client.value() == 0
    for sequence in (0, 1, 65535):
        client.send(message.Message(message.MSG_INVOKE, data, 1, 0, sequence).to_bytes())
        assert client.answer().seq == sequence


def test_a_message_may_come_byte_by_byte_and_several_at_once(served: Any, say: Any) -> None:
    client = served.connect()
    for byte in say.greeting():
        client.send(bytes([byte]))
    assert client.answer().type == message.MSG_CONNECTOK
    client.send(say.call("report") + say.call("stop") + say.call("report"))
    assert [client.value() for _ in range(3)] == [{"calls": 0}, 0, {"calls": 1}]


def test_moves_that_are_sent_ahead_do_not_begin_one_after_the_other(served: Any, say: Any) -> None:
    """They would begin when the ones before them end, perhaps because somebody has just stopped those."""
    client = served.greeted()
    client.send(say.call("wait") + say.call("move", 1) + say.call("move", 2))
    assert served.target.waiting.acquire(timeout=BOUND_S)
    assert served.greeted().call("stop") == 0
    served.target.go_on.open()
    assert client.value() == 0
    client.sock.shutdown(socket.SHUT_WR)
    assert client.is_hung_up_on()
    assert served.target.calls == [("wait",), ("stop",)]


def test_one_connection_waits_with_one_stop_at_a_time(
    served: Any, say: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of them, whose answers nobody wants, must not keep the others waiting."""
    ends: list[Future[None]] = []

    def slow_stop() -> AtEnd:
        ends.append(Future())
        return AtEnd(ends[-1], BOUND_S, lambda: 0)

    monkeypatch.setattr(served.target, "stop", slow_stop)
    flood = served.greeted()
    flood.send(say.call("stop", flags=ONEWAY) * 200)
    wait_until(lambda: len(ends) == 1, "the first of the flood")
    other = served.greeted()
    other.send(say.call("stop"))
    wait_until(lambda: len(ends) == 2, "that of the other")
    assert served.ask() == {"calls": 0}
    assert len(ends) == 2
    monkeypatch.setattr(calls, "MOST_CALLS", 1)
    assert served.greeted().call("move", 1) == 0, "stops take no room of calls"
    ends[1].set_result(None)
    assert other.value() == 0
    ends[0].set_result(None)
    wait_until(lambda: len(ends) == 3, "the second of the flood")


def test_a_call_that_wants_no_answer_is_made_and_does_not_block_the_next(served: Any, say: Any) -> None:
    client = served.greeted()
    client.send(say.call("wait", flags=ONEWAY))
    client.send(say.call("report", flags=ONEWAY))
    assert client.call("stop") == 0
    assert ("wait",) in served.target.calls or served.target.waiting.acquire(timeout=BOUND_S)


def test_a_context_never_outlives_its_call(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    end: Future[None] = Future()
    end.set_result(None)

    def wait() -> AtEnd:
        seen.append(Pyro4.current_context.client_sock_addr[0])
        return AtEnd(end, BOUND_S, lambda: seen.append(Pyro4.current_context.client_sock_addr))

    monkeypatch.setattr(served.target, "wait", wait)
    served.proxy().wait()
    assert seen == [CONTROL_IP, None]
