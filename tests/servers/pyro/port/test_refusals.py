"""What is refused, and to whom."""

from __future__ import annotations

import ast
import zlib
from typing import Any

import pytest
from Pyro4 import errors, message, util

from rockit.focuser.ok3z.servers.pyro import MAX_MESSAGE_BYTES, exposed
from tests.support.pyro import SERPENT

OBJECT = "the_object"
CONTROL_IP, STRANGER_IP = "127.0.0.1", "127.0.0.2"
NOT_PERMITTED = 3


def test_only_serpent_is_taken(served: Any, say: Any) -> None:
    for name in ("pickle", "marshal", "json"):
        serializer = util.get_serializer(name)
        client = served.connect()
        client.send(say.greeting(serializer=serializer.serializer_id))
        answer = client.answer()
        assert answer.type == message.MSG_CONNECTFAIL, name
        assert "Use serpent" in SERPENT.deserializeData(answer.data), name
        assert client.is_hung_up_on(), name

        client = served.greeted()
        data = serializer.dumpsCall(OBJECT, "move", (1.0,), {})
        client.send(say.pyro(message.MSG_INVOKE, data, serializer=serializer.serializer_id))
        assert "Use serpent" in str(client.value()), name
        assert client.is_hung_up_on(), name
        proxy = served.proxy()
        proxy._pyroSerializer = name
        with pytest.raises(errors.CommunicationError, match="Use serpent"):
            proxy.move(1.0)
    assert served.target.calls == []


def test_no_flag_but_one_is_taken_with_a_call(served: Any, say: Any) -> None:
    """No batches, no compressed data, no blobs, no streams; nor what Pyro may invent."""
    for flag in {1 << bit for bit in range(16)} - {message.FLAGS_ONEWAY}:
        client = served.greeted()
        client.send(say.call("move", 1.0, flags=flag))
        assert "one plain call at a time" in str(client.value()), flag
        assert client.is_hung_up_on(), flag
    batch = served.proxy()._pyroBatch()
    batch.stop()
    with pytest.raises(errors.CommunicationError, match="one plain call at a time"):
        batch()
    assert served.target.calls == []


def test_a_small_message_that_would_unpack_to_a_huge_one_is_not_unpacked(served: Any, say: Any) -> None:
    bomb = zlib.compress(b" " * 3_000_000, 9)
    assert len(bomb) < MAX_MESSAGE_BYTES
    for kind in (message.MSG_CONNECT, message.MSG_INVOKE):
        client = served.greeted() if kind == message.MSG_INVOKE else served.connect()
        client.send(say.pyro(kind, bomb, message.FLAGS_COMPRESSED))
        assert client.is_hung_up_on()


def test_nothing_else_of_the_object_is_reachable(served: Any) -> None:
    client = served.greeted()
    for method in (
        *("hidden", "attribute", "__getattr__", "__setattr__", "__init__"),
        *("_pyroId", "move.__call__", "x" * 90),
    ):
        refusal = client.call(method, "attribute", 1)
        assert isinstance(refusal, AttributeError), method
        assert "there are: fail, " in str(refusal), method
    assert client.call("stop") == 0


def test_nothing_else_of_pyros_own_object_is_reachable(served: Any, say: Any) -> None:
    for method in ("registered", "info", "ping", "get_next_stream_item", "__getattr__", "shutdown"):
        client = served.greeted()
        client.send(say.call(method, "x", object_id="Pyro.Daemon"))
        assert isinstance(client.value(), errors.DaemonError), method


def test_another_object_is_unknown(served: Any, say: Any) -> None:
    for object_id in ("other", "Pyro.Daemon", ""):
        client = served.connect()
        client.send(say.greeting(object_id))
        answer = client.answer()
        assert answer.type == message.MSG_CONNECTFAIL, object_id
        assert SERPENT.deserializeData(answer.data) == "unknown object"
        client = served.greeted()
        client.send(say.call("move", 1.0, object_id=object_id))
        assert isinstance(client.value(), errors.PyroError), object_id
    assert served.target.calls == []
    # Each wrong greeting is told.
    assert {(address, why) for address, _, _, why in served.refused} >= {(CONTROL_IP, "unknown object")}


@pytest.mark.parametrize("arguments", [(), (1, False, 3)])
def test_wrong_arguments_are_a_type_error_without_a_traceback(
    served: Any, arguments: tuple[Any, ...]
) -> None:
    proxy = served.proxy()
    with pytest.raises(TypeError, match=r"move: .*argument") as raised:
        proxy.move(*arguments)
    assert not hasattr(raised.value, "_pyroTraceback")
    with pytest.raises(TypeError, match="speed"):
        proxy.move(1.0, speed=2)
    with pytest.raises(TypeError, match="takes no arguments"):
        proxy.report(1)
    assert served.target.calls == []


def test_a_mistake_is_told_to_the_log_and_not_to_the_caller(
    served: Any, caplog: pytest.LogCaptureFixture
) -> None:
    proxy = served.proxy()
    for method in (proxy.fail, proxy.give_unspeakable):
        with pytest.raises(errors.PyroError, match="its log has the details") as raised:
            method()
        assert "/a/path" not in repr(vars(raised.value)) + str(raised.value)
    assert "a secret" in caplog.text


@pytest.mark.parametrize("arguments", [b"(1.0,)", b"(((", b"\xff", b"(" + b"9" * 700 + b",)"])
def test_a_stranger_gets_the_refusal_and_no_argument_is_looked_at(
    served: Any, say: Any, arguments: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(exposed, "read_arguments", lambda _: pytest.fail("it was looked at"))
    client = served.greeted(STRANGER_IP)
    client.send(say.written("move", arguments))
    assert client.value() == NOT_PERMITTED
    assert client.call("stop") == NOT_PERMITTED
    assert client.call("report") == {"calls": 0}
    assert f"move refused: {STRANGER_IP} is not among control_machines" in caplog.text


def test_nothing_that_a_stranger_sends_is_ever_parsed(
    served: Any, say: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ast, "literal_eval", lambda _: pytest.fail("it was parsed"))
    client = served.connect(STRANGER_IP)
    client.send(say.greeting())
    assert client.answer().type == message.MSG_CONNECTOK
    client.send(say.call("report"))
    assert b"'calls':0" in client.answer().data


def test_a_stranger_has_room_for_less(served: Any, say: Any) -> None:
    arguments = b"('" + b"x" * 2000 + b"',)"
    client = served.greeted(STRANGER_IP)
    client.send(say.written("move", arguments))
    assert isinstance(client.value(), errors.MessageTooLargeError)
    controlling = served.greeted()
    controlling.send(say.written("move", arguments))
    controlling.value()
    assert served.ask() == {"calls": 1}


def test_an_address_that_is_written_otherwise_is_the_same(served: Any) -> None:
    may_control = served.server._published.may_control
    assert [may_control(host) for host in ("127.0.0.1", "::ffff:127.0.0.1", "::1", "0:0::1")] == [True] * 4
    assert [may_control(host) for host in ("127.0.0.2", "", "no address", "::ffff:127.0.0.2")] == [False] * 4
