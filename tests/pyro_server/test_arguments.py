"""Arguments of machines that may control: plain values, whatever is sent."""

from __future__ import annotations

import math
from typing import Any

import Pyro4
import pytest
from Pyro4 import message

from rockit.focuser.ok3z.listening import listen
from rockit.focuser.ok3z.pyro_server import MANNER

OBJECT = "the_object"


def test_arguments_are_plain_values(served: Any) -> None:
    given = [1, -2.5, True, None, "abc", [1, [2]], {"a": {1: 2}}, {1, 2}, math.inf, 2 + 1j]
    client = served.greeted()
    for value in given:
        assert client.call("move", value) == 0
    assert [pos for _, pos, _ in served.target.calls] == given
    client.call("move", math.nan, math.nan)
    assert all(math.isnan(value) for value in served.target.calls[-1][1:])


@pytest.mark.parametrize(
    "name",
    [
        "Pyro4.core.Proxy",
        "Pyro4.core.Daemon",
        "Pyro4.core.URI",
        "Pyro4.util.PickleSerializer",
        "Pyro4.errors.PyroError",
        "builtins.SystemExit",
        "float",
        "x.__class__",
    ],
)
def test_no_object_is_ever_made_of_an_argument(served: Any, name: str) -> None:
    given = {"__class__": name, "__exception__": True, "args": (), "state": (), "value": "1e3"}
    client = served.greeted()
    assert client.call("move", given) == 0
    assert served.target.calls == [("move", given, False)]
    assert type(served.target.calls[0][1]) is dict


def test_a_proxy_as_an_argument_is_no_proxy(served: Any) -> None:
    """Else the daemon would call, at its first touch, whom the caller named."""
    with listen("127.0.0.1", 0, MANNER) as trap:
        host, port = trap.getsockname()
        assert served.proxy().move(Pyro4.Proxy(f"PYRO:x@{host}:{port}")) == 0
        assert type(served.target.calls[0][1]) is not Pyro4.Proxy
        with pytest.raises(BlockingIOError):
            trap.accept()


@pytest.mark.parametrize(
    "data", [b"", b"()", b"1", b"('the_object',)", b"\xff" * 50, b"#" * 200, b"('a','b',(),{}"]
)
def test_what_is_no_call_ends_the_connection(served: Any, say: Any, data: bytes) -> None:
    client = served.greeted()
    client.send(say.pyro(message.MSG_INVOKE, data))
    assert "no call as Pyro4 writes it" in str(client.value())
    assert client.is_hung_up_on()


@pytest.mark.parametrize("call_text", [b"{1:2})", b"{'a' 'b'})", b"None)", b"[])"])
def test_named_arguments_that_are_none(served: Any, say: Any, call_text: bytes) -> None:
    client = served.greeted()
    data = f"# serpent utf-8 python3.2\n('{OBJECT}','move',(1,),".encode() + call_text
    client.send(say.pyro(message.MSG_INVOKE, data))
    assert isinstance(client.value(), TypeError)
    assert served.target.calls == []
