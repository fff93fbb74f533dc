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


def test_no_object_is_ever_made_of_an_argument(served: Any) -> None:
    client = served.greeted()
    for name in (
        *("Pyro4.core.Proxy", "Pyro4.core.Daemon", "Pyro4.core.URI", "Pyro4.util.PickleSerializer"),
        *("Pyro4.errors.PyroError", "builtins.SystemExit", "float", "x.__class__"),
    ):
        given = {"__class__": name, "__exception__": True, "args": (), "state": (), "value": "1e3"}
        assert client.call("move", given) == 0, name
        assert served.target.calls[-1] == ("move", given, False), name
        assert type(served.target.calls[-1][1]) is dict, name


def test_a_proxy_as_an_argument_is_no_proxy(served: Any) -> None:
    """Else the daemon would call, at its first touch, whom the caller named."""
    with listen("127.0.0.1", 0, MANNER) as trap:
        host, port = trap.getsockname()
        assert served.proxy().move(Pyro4.Proxy(f"PYRO:x@{host}:{port}")) == 0
        assert type(served.target.calls[0][1]) is not Pyro4.Proxy
        with pytest.raises(BlockingIOError):
            trap.accept()


def test_what_is_no_call_ends_the_connection(served: Any, say: Any) -> None:
    for data in (b"", b"()", b"1", b"('the_object',)", b"\xff" * 50, b"#" * 200, b"('a','b',(),{}"):
        client = served.greeted()
        client.send(say.pyro(message.MSG_INVOKE, data))
        assert "no call as Pyro4 writes it" in str(client.value()), data
        assert client.is_hung_up_on(), data


def test_named_arguments_that_are_none(served: Any, say: Any) -> None:
    client = served.greeted()
    for named in (b"{1:2}", b"{'a' 'b'}", b"None", b"[]"):
        client.send(say.written("move", b"(1,)", named))
        assert isinstance(client.value(), TypeError), named
    assert served.target.calls == []


# Numbers of numpy


def test_a_number_as_numpy_writes_it_is_that_number(served: Any, say: Any) -> None:
    client = served.greeted()
    for text, value in (
        (b"np.float64(2.13)", 2.13),
        (b"np.float64(-0.05)", -0.05),
        (b"np.float64(1e-05)", 1e-05),
        (b"np.float32(2.5)", 2.5),
        (b"np.int64(2)", 2),
        (b"np.int32(-3)", -3),
    ):
        for written, given in ((b"(%s,)", value), (b"([%s],)", [value])):
            client.send(say.written("move", written % text))
            assert client.value() == 0, text
            assert served.target.calls[-1] == ("move", given, False)
        assert type(served.target.calls[-2][1]) is type(value), text


def test_anything_else_that_looks_like_a_call_is_refused_with_advice(served: Any, say: Any) -> None:
    client = served.greeted()
    arguments = (
        "",
        "1,2",
        "x=1",
        "*(1,)",
        "'1'",
        "True",
        "None",
        "1j",
        "nan",
        "inf",
        "+1",
        "--1",
        "1+1",
        "[1]",
    )
    names = ("np.float128", "np.uint8", "np.random.float64", "numpy.float64", "float64", "float", "x.float64")
    for text in (
        *(f"np.float64({argument})" for argument in arguments),
        *(f"{name}(1)" for name in names),
        "np.float64",
        "np.float64(np.float64(1))",
        "-np.float64(1)",
        "np.float64(1)+1j",
        "np.float64(1).real",
        "np.float64(1)()",
        "np.bool(True)",
        "np.array([1])",
        "__import__('os').system('true')",
    ):
        client.send(say.written("move", f"({text},)".encode()))
        refusal = client.value()
        assert isinstance(refusal, TypeError), text
        assert "use float(x)" in str(refusal), text
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
