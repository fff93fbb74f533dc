"""A halt halts first, and complains afterwards: of a request only its path and its access are known by then."""

from __future__ import annotations

import gzip
import logging
from typing import Any

import pytest

from rockit.focuser.ok3z.errors import HaltFailedError
from rockit.focuser.ok3z.servers.alpaca.parameters import MAX_PARAMETERS
from rockit.focuser.ok3z.servers.http.framing import MAX_BODY_BYTES

HALT = "/api/v1/focuser/0/halt"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
JSON = b"Content-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
HOST = b"Host: localhost:1\r\n"


def with_body(lines: bytes, body: bytes) -> bytes:
    return lines + b"Content-Length: %d\r\n\r\n" % len(body) + body


def form(text: str) -> bytes:
    return with_body(FORM, text.encode())


# What follows the line and the Host of a request, and the status of its answer.
UNREADABLE = {
    "negative": (form("ClientTransactionID=-1"), 400),
    "empty": (form("ClientTransactionID="), 400),
    "blank": (form("ClientTransactionID=%20"), 400),
    "too large a number": (form("ClientTransactionID=4294967296"), 400),
    "text": (form("ClientTransactionID=abc"), 400),
    "client": (form("ClientID=-1&ClientTransactionID=5"), 400),
    "twice": (form("ClientID=1&ClientID=2"), 400),
    "too many": (form("a=1&" * (MAX_PARAMETERS + 1)), 400),
    "no utf-8": (form("ClientID=%ff"), 400),
    "no ascii": (with_body(FORM, b"ClientID=\xff"), 400),
    "json": (with_body(JSON, b'{"ClientID": 1}'), 400),
}
# Of these the end is not sure, or not waited for: nothing may follow.
ENDLESS = {
    "two types": (with_body(FORM + JSON, b"{}"), 400),
    "two lengths": (b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "no length": (b"Content-Length: some\r\n\r\n", 400),
    "chunked json": (JSON + CHUNKED + b"\r\n2\r\n{}\r\n0\r\n\r\n", 411),
    "chunked": (CHUNKED + b"\r\n0\r\n\r\n", 411),
    "chunks that do not come": (CHUNKED + b"\r\n", 411),
    "chunked and a length": (with_body(CHUNKED, b"0\r\n\r\n"), 411),
    "waits, chunked": (b"Expect: 100-continue\r\n" + CHUNKED + b"\r\n", 411),
    "too large": (form("ClientID=1&x=".ljust(MAX_BODY_BYTES + 1, "x")), 413),
    "too large, and not coming": (b"Content-Length: 99999999\r\n\r\n", 413),
    "compressed": (with_body(b"Content-Encoding: gzip\r\n", gzip.compress(b"ClientID=1")), 415),
    "expects": (with_body(b"Expect: wonders\r\n", b"a=1"), 417),
}
MALFORMED = {**UNREADABLE, **ENDLESS}
OF_ENDLESS = pytest.mark.parametrize(("rest", "status"), ENDLESS.values(), ids=ENDLESS)
EACH = pytest.mark.parametrize(("rest", "status"), MALFORMED.values(), ids=MALFORMED)


def sent(rest: bytes, path: str = HALT, verb: str = "PUT", head: bytes = HOST) -> bytes:
    return f"{verb} {path} HTTP/1.1\r\n".encode() + head + rest


@EACH
def test_a_halt_halts_whatever_else_is_wrong_with_it(
    program: Any,
    wire: Any,
    focuser: Any,
    rest: bytes,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    focuser.move_gate.clear()
    assert program.put("move", Position=100).error == 0
    wire.send(sent(rest))
    answer = wire.answer()
    assert focuser.named("stop") == [("stop", "127.0.0.1")]
    assert (answer.status, answer.headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert answer.body.startswith(b"The motor stands: it was halted. ")
    assert len(answer.body.splitlines()) == 1
    assert f"Alpaca halt, asked by 127.0.0.1: {answer.body.decode().strip()}" in caplog.messages
    # Which was somebody else's, for who sent it did not say who it is.
    assert program.get("ismoving").error == 0x40E


@EACH
def test_such_a_halt_that_fails_says_that_first(wire: Any, focuser: Any, rest: bytes, status: int) -> None:
    focuser.stop_error = HaltFailedError("standstill was not seen.")
    wire.send(sent(rest))
    answer = wire.answer()
    assert answer.status == status
    assert answer.body.startswith(b"The halt failed: standstill was not seen. ")


@OF_ENDLESS
@pytest.mark.parametrize("verb", ["PUT", "GET"])
def test_what_follows_a_body_that_is_not_read_is_no_request(
    program: Any, focuser: Any, rest: bytes, status: int, verb: str
) -> None:
    path = HALT if verb == "PUT" else "/api/v1/focuser/0/name"
    program.send(sent(rest, path, verb) + sent(form("Position=5&ClientID=7"), "/api/v1/focuser/0/move"))
    answer = program.answer()
    # A read needs no body.
    assert answer.status == (status if verb == "PUT" else 200)
    assert answer.headers["connection"] == "close"
    assert program.hung_up()
    assert focuser.named("move") == []


@pytest.mark.parametrize(
    ("head", "refusal"),
    [
        (b"Host: evil.org\r\n", b"not known by that name"),
        (HOST + b"Origin: http://evil.org\r\n", b"another origin"),
        (HOST + b"Sec-Fetch-Site: cross-site\r\n", b"another site"),
    ],
)
def test_access_is_judged_before(server: Any, dial: Any, focuser: Any, head: bytes, refusal: bytes) -> None:
    for name, (rest, _) in MALFORMED.items():
        wire = dial(server)
        wire.send(sent(rest, head=head))
        answer = wire.answer()
        assert answer.status == 403, name
        assert refusal in answer.body, name
        assert focuser.calls == [], name


@EACH
def test_a_stranger_halts_nothing_with_it(stranger: Any, focuser: Any, rest: bytes, status: int) -> None:
    stranger.send(sent(rest))
    answer = stranger.answer()
    assert answer.status == status
    assert b"halt" not in answer.body
    assert focuser.calls == []


@pytest.mark.parametrize("member", ["move", "connect", "disconnect", "tempcomp"])
def test_nothing_else_is_done_before_the_request_is_understood(
    server: Any, dial: Any, focuser: Any, member: str
) -> None:
    focuser.lose_link()
    for name, (rest, status) in MALFORMED.items():
        wire = dial(server)
        wire.send(sent(rest, f"/api/v1/focuser/0/{member}"))
        assert wire.answer().status == status, name
        assert focuser.calls == [], name


@OF_ENDLESS
def test_a_stop_on_the_panel_needs_no_body_either(
    wire: Any,
    focuser: Any,
    rest: bytes,
    status: int,
) -> None:
    wire.send(sent(rest, "/panel/stop", "POST"))
    answer = wire.answer()
    assert answer.json["done"] is True
    assert answer.headers["connection"] == "close"
    assert focuser.named("stop") == [("stop", "127.0.0.1")]
    assert wire.hung_up()


def test_a_halt_does_not_wait_for_its_body(wire: Any, focuser: Any, until: Any) -> None:
    wire.send(sent(b"Content-Length: 10\r\n\r\nClient"))
    until(lambda: focuser.named("stop"))
    wire.send(b"ID=5")
    assert wire.answer().error == 0x407


def test_a_halt_whose_body_never_comes_has_halted(serve: Any, dial: Any, focuser: Any) -> None:
    wire = dial(serve(patience_s=0.1))
    wire.send(sent(b"Content-Length: 10\r\n\r\n"))
    assert wire.answer().status == 408
    assert focuser.named("stop") == [("stop", "127.0.0.1")]


def test_a_halt_is_its_senders_own_though_its_body_comes_late(
    program: Any, server: Any, dial: Any, focuser: Any, until: Any
) -> None:
    focuser.move_gate.clear()
    assert program.put("move", Position=100).error == 0
    late = dial(server)
    late.send(sent(b"Content-Length: 10\r\n\r\nClient"))
    until(lambda: not dial(server).get("ismoving").value)
    late.send(b"ID=7")
    assert late.answer().error == 0
    assert [program.get(member).error for member in ("ismoving", "position", "devicestate")] == [0, 0, 0]
