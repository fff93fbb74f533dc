"""Bytes that are no message: bounded, refused and survived."""

from __future__ import annotations

import struct
from typing import Any, Callable

import pytest
from Pyro4 import errors, message

from rockit.focuser.ok3z.servers.pyro import MAX_MESSAGE_BYTES

NEGATIVE_LENGTH = struct.pack(
    "!4sHHHHiHHHH", b"PYRO", 48, 1, 0, 0, -1, 1, 0, 0, (0x34E9 + 1 + 48 - 1 + 1) & 0xFFFF
)


@pytest.mark.parametrize(
    "begin",
    [
        lambda _: b"GET / HTTP/1.1\r\n\r\n",
        lambda _: b"\x16\x03\x01\x02\x00\x01",
        lambda _: b"P" * 24,
        lambda _: b"PYRO" + b"\xff" * 20,
        lambda _: NEGATIVE_LENGTH,
        lambda say: say.pyro(9, b""),
        lambda say: say.pyro(message.MSG_RESULT, b"x"),
        lambda say: say.call("move", 1.0),
    ],
    ids=["http", "tls", "letters", "ones", "negative length", "unknown kind", "result", "call"],
)
def test_who_does_not_greet_is_hung_up_on_at_once(
    served: Any, say: Any, begin: Callable[[Any], bytes]
) -> None:
    """Well before its time is over: the patience of this server is that of the test."""
    client = served.connect()
    client.send(begin(say))
    assert client.is_hung_up_on()
    assert served.target.calls == []
    assert served.ask() == {"calls": 0}


def test_a_second_greeting_is_no_call(served: Any, say: Any) -> None:
    client = served.greeted()
    client.send(say.greeting())
    assert "neither a call nor a ping" in str(client.value())
    assert client.is_hung_up_on()


@pytest.mark.parametrize("size", [MAX_MESSAGE_BYTES + 1, 100_000_000, 2**31 - 1])
def test_a_message_that_is_too_large_is_refused_by_its_header(served: Any, size: int) -> None:
    client = served.greeted()
    header = message.Message(message.MSG_INVOKE, b"", 1, 0, 7)
    header.data_size = size
    client.send(header.to_bytes())
    refusal = client.value()
    assert isinstance(refusal, errors.MessageTooLargeError)
    assert f"{size} bytes; at most {MAX_MESSAGE_BYTES}" in str(refusal)


def test_a_proxy_that_sends_too_much_is_told_so(served: Any) -> None:
    with pytest.raises(errors.MessageTooLargeError, match="has 20000"):
        served.proxy().move("x" * 2_000_000)
    assert served.target.calls == []


@pytest.mark.parametrize("kept", range(1, 30))
def test_a_client_may_be_gone_in_the_middle_of_anything(served: Any, say: Any, kept: int) -> None:
    for data in (say.greeting(), say.call("move", 1.0)):
        client = served.connect() if data == say.greeting() else served.greeted()
        client.send(data[:kept])
        client.sock.close()
    assert served.ask() == {"calls": 0}
