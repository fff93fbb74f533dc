"""Bytes that are no message: bounded, refused and survived."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from Pyro4 import errors, message

from rockit.focuser.ok3z.servers.pyro import MAX_MESSAGE_BYTES

NEGATIVE_LENGTH = struct.pack(
    "!4sHHHHiHHHH", b"PYRO", 48, 1, 0, 0, -1, 1, 0, 0, (0x34E9 + 1 + 48 - 1 + 1) & 0xFFFF
)


def test_who_does_not_greet_is_hung_up_on_at_once(served: Any, say: Any) -> None:
    """Well before its time is over: the patience of this server is that of the test."""
    for begin in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"P" * 24,
        b"PYRO" + b"\xff" * 20,
        NEGATIVE_LENGTH,
        say.pyro(9, b""),
        say.pyro(message.MSG_RESULT, b"x"),
        say.call("move", 1.0),
    ):
        client = served.connect()
        client.send(begin)
        assert client.is_hung_up_on(), begin
    assert served.ask() == {"calls": 0}


def test_a_second_greeting_is_no_call(served: Any, say: Any) -> None:
    client = served.greeted()
    client.send(say.greeting())
    assert "neither a call nor a ping" in str(client.value())
    assert client.is_hung_up_on()


def test_a_message_that_is_too_large_is_refused_by_its_header(served: Any) -> None:
    for size in (MAX_MESSAGE_BYTES + 1, 2**31 - 1):
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


def test_a_client_may_be_gone_in_the_middle_of_anything(served: Any, say: Any) -> None:
    for kept in range(1, 30):
        for client, data in (
            (served.connect(), say.greeting()),
            (served.greeted(), say.call("move", 1.0)),
        ):
            client.send(data[:kept])
            client.sock.close()
    assert served.ask() == {"calls": 0}
