"""Arguments of machines that may control: plain values, whatever is sent."""

from __future__ import annotations

import math
from typing import Any

import numpy
import Pyro4
import pytest
from Pyro4 import message

from rockit.focuser.ok3z.servers.net.listener import listen
from rockit.focuser.ok3z.servers.pyro import MANNER

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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"np.float64(2.13)", 2.13),
        (b"np.float64(-0.05)", -0.05),
        (b"np.float64(1e-05)", 1e-05),
        (b"np.float32(2.5)", 2.5),
        (b"np.int64(2)", 2),
        (b"np.int32(-3)", -3),
    ],
)
def test_a_number_as_numpy_writes_it_is_that_number(served: Any, say: Any, text: bytes, value: float) -> None:
    client = served.greeted()
    client.send(say.written("move", b"(" + text + b",)"))
    assert client.value() == 0
    client.send(say.written("move", b"(0,[" + text + b"])"))
    assert client.value() == 0
    assert served.target.calls == [("move", value, False), ("move", 0, [value])]
    assert type(served.target.calls[0][1]) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        b"np.float64",
        b"np.float64()",
        b"np.float64(1,2)",
        b"np.float64(x=1)",
        b"np.float64(*(1,))",
        b"np.float64('1')",
        b"np.float64(True)",
        b"np.float64(None)",
        b"np.float64(1j)",
        b"np.float64(nan)",
        b"np.float64(inf)",
        b"np.float64(+1)",
        b"np.float64(--1)",
        b"np.float64(1+1)",
        b"np.float64(np.float64(1))",
        b"-np.float64(1)",
        b"np.float64(1)+1j",
        b"np.float64(1).real",
        b"np.float64(1)()",
        b"np.float64([1])",
        b"np.float128(1)",
        b"np.uint8(1)",
        b"np.bool(True)",
        b"np.array([1])",
        b"np.random.float64(1)",
        b"numpy.float64(1)",
        b"float64(1)",
        b"float(1)",
        b"x.float64(1)",
        b"__import__('os').system('true')",
    ],
)
def test_anything_else_that_looks_like_a_call_is_refused_with_advice(
    served: Any, say: Any, text: bytes
) -> None:
    client = served.greeted()
    client.send(say.written("move", b"(" + text + b",)"))
    refusal = client.value()
    assert isinstance(refusal, TypeError)
    assert "use float(x)" in str(refusal)
    assert served.target.calls == []
    assert client.call("move", 1) == 0


def test_a_text_that_looks_like_a_number_of_numpy_stays_a_text(served: Any) -> None:
    assert served.greeted().call("move", "np.float64(2.13)") == 0
    assert served.target.calls == [("move", "np.float64(2.13)", False)]


def test_what_numpy_computes_is_a_number_here(served: Any) -> None:
    """The real one: an autofocus run takes its positions from arrays."""
    positions = numpy.linspace(2.0, 2.5, 3)
    sent = [numpy.min(positions), round(positions[1], 2), positions[2] - 0.1, numpy.float64("inf")]
    proxy = served.proxy()
    for value in sent:
        assert proxy.move(value) == 0
    assert [pos for _, pos, _ in served.target.calls] == sent
    assert {type(pos) for _, pos, _ in served.target.calls} == {float}
    proxy.move(numpy.float64("nan"))
    assert math.isnan(served.target.calls[-1][1])
